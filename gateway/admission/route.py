"""Route: which carriers may take the message, and how urgently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.admission.world import World, standing
from gateway.draft import Ask, Draft
from gateway.model import Lane, LaneClass, lane_class


def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
    """Write `lane`; refuse numbers no route leads to."""
    speed = lane_class(ask.category, ask.priority)
    lanes: dict[str, str] = {}
    for draft, name in zip(drafts, route_names(ask, drafts, world), strict=True):
        if name is None:
            draft.refuse("no_route", "no route serves this number for this account")
            continue
        if draft.without:
            draft.lane = _lane_without(draft, name, speed, world)
            continue
        lane = lanes.get(name)
        if lane is None:
            lane = lanes[name] = str(Lane(name, speed))
        draft.lane = lane
    return standing(drafts)


def route_names(ask: Ask, drafts: Sequence[Draft], world: World) -> list[str | None]:
    """The route of each recipient; None where none leads to the number."""
    account = ask.account.name
    names: list[str | None] = []
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
        names.append(name)
    return names


def _lane_without(draft: Draft, route: str, speed: LaneClass, world: World) -> str:
    """The lane of a message some carriers must not have. Nothing is left of a route that has no
    others: then it is refused for what the first of them demands."""
    without, carriers = draft.without, world.routing.carriers_of(route)
    barred = [carrier for carrier in carriers if carrier in without]
    if len(barred) < len(carriers):
        return str(Lane(route, speed, barred=tuple(sorted(barred))))
    code = without[barred[0]]
    what, remedy, pointer = _DEMANDS[code]
    draft.refuse(
        code, f"{what} {', '.join(barred)}, and no other carrier leads there; {remedy}", pointer
    )
    return ""


_DEMANDS: Final = {
    "sender_not_allowed": (
        "the sender is not registered with",
        "register it (/v1/senders) or use another",
        "#/from",
    ),
    "template_mismatch": (
        "the text matches no template approved with",
        "use one of /v1/templates or have this text approved",
        "#/text",
    ),
}
"""Why a carrier must not have a message: what is wrong, what to do, where."""
