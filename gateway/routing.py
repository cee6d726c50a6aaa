"""Which route a message takes, and what its carriers demand: a lookup built from the configuration.

In: account, number, country. Out: a route's name; carriers and their demands. Pure; admission asks
it, a reload replaces it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from config.settings import Carrier, Route

Fallback = Literal["reject", "advertising"]

_LONGEST_PREFIX = 15


class RoutingTable:
    """The most specific route wins: account named, then longest prefix, then country named, then
    order in the file."""

    __slots__ = (
        "_cache",
        "_carriers",
        "_routes",
        "_wants_templates",
        "senders_registered",
        "templates_required",
    )

    def __init__(self, routes: Sequence[Route], carriers: Sequence[Carrier] = ()) -> None:
        self._routes = tuple(routes)
        self._carriers = {
            route.name: tuple(
                [each if isinstance(each, str) else each.name for each in route.carriers]
            )
            for route in routes
        }
        self.senders_registered = frozenset(
            [carrier.name for carrier in carriers if carrier.senders_registered]
        )
        """Carriers that take registered senders only."""
        required: dict[str, dict[str, Fallback]] = {}
        for carrier in carriers:
            for category in carrier.templates_required:
                required.setdefault(category, {})[carrier.name] = carrier.template_fallback
        self._wants_templates: dict[str, bool] = {}
        self.templates_required: Mapping[str, Mapping[str, Fallback]] = required
        """By category the carriers that want its texts to match a template, and what becomes of
        those that do not."""
        self._cache: dict[tuple[str, str | None], tuple[int, list[tuple[str, str]]]] = {}

    def candidates(self, account: str, country: str | None) -> tuple[int, list[tuple[str, str]]]:
        """(digits that matter, [(prefix, route)] best first) for one account and country.

        A list of recipients asks once for each distinct country and then compares prefixes.
        """
        key = (account, country)
        found = self._cache.get(key)
        if found is None:
            if len(self._cache) > 10_000:
                self._cache.clear()
            found = self._cache[key] = self._rank(account, country)
        return found

    def _rank(self, account: str, country: str | None) -> tuple[int, list[tuple[str, str]]]:
        ranked: list[tuple[tuple[int, int, int, int], str, str]] = []
        for place, route in enumerate(self._routes):
            if route.accounts and account not in route.accounts:
                continue
            if route.countries and country not in route.countries:
                continue
            for prefix in route.prefixes or ("",):
                digits = prefix.lstrip("+")
                rank = (-bool(route.accounts), -len(digits), -bool(route.countries), place)
                ranked.append((rank, digits, route.name))
        ranked.sort()
        depth = max((len(prefix) for _, prefix, _ in ranked), default=0)
        return depth, [(prefix, name) for _, prefix, name in ranked]

    def carriers_of(self, route: str) -> tuple[str, ...]:
        """A route's carriers, as configured."""
        return self._carriers[route]

    def routes_of(self, account: str) -> list[str]:
        """The routes that serve an account's recipients, whoever they are."""
        return [
            route.name for route in self._routes if not route.accounts or account in route.accounts
        ]

    def wants_templates(self, account: str) -> bool:
        """Whether some carrier an account's messages may reach demands templates of some of
        them."""
        found = self._wants_templates.get(account)
        if found is None:
            demanding = {name for each in self.templates_required.values() for name in each}
            found = self._wants_templates[account] = any(
                not demanding.isdisjoint(self._carriers[route]) for route in self.routes_of(account)
            )
        return found

    def find(self, account: str, digits: str, country: str | None) -> str | None:
        """The route for one number (E.164 digits), or None."""
        for prefix, name in self.candidates(account, country)[1]:
            if digits.startswith(prefix):
                return name
        return None
