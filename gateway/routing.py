"""Which route a message takes: a lookup built from the configuration.

In: account, number, country. Out: a route's name. Pure; admission asks it, a reload replaces it.
"""

from __future__ import annotations

from collections.abc import Sequence

from config.settings import Route

_LONGEST_PREFIX = 15


class RoutingTable:
    """The most specific route wins: account named, then longest prefix, then country named, then
    order in the file."""

    __slots__ = ("_cache", "_routes")

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = tuple(routes)
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

    def find(self, account: str, digits: str, country: str | None) -> str | None:
        """The route for one number (E.164 digits), or None."""
        for prefix, name in self.candidates(account, country)[1]:
            if digits.startswith(prefix):
                return name
        return None
