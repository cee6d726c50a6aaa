"""Route: which carriers may take the message, and how urgently."""

from __future__ import annotations

from gateway.admission.world import World, standing
from gateway.draft import Ask, Draft
from gateway.model import Lane, lane_class


def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
    """Write `lane`; refuse numbers no route leads to."""
    speed = lane_class(ask.category, ask.priority)
    account = ask.account.name
    lanes: dict[str, str] = {}
    # Recipients of one country share their candidates; most routes have no prefix at all.
    by_country: dict[str | None, tuple[int, list[tuple[str, str]]]] = {}
    for draft in drafts:
        country = draft.country
        ranked = by_country.get(country)
        if ranked is None:
            ranked = by_country[country] = world.routing.candidates(account, country)
        depth, candidates = ranked
        name = None
        if depth == 0:
            if candidates:
                name = candidates[0][1]
        else:
            digits = str(draft.number)
            for prefix, route in candidates:
                if digits.startswith(prefix):
                    name = route
                    break
        if name is None:
            draft.refuse("no_route", "no route serves this number for this account")
            continue
        lane = lanes.get(name)
        if lane is None:
            lane = lanes[name] = str(Lane(name, speed))
        draft.lane = lane
    return standing(drafts)
