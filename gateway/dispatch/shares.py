"""How the carriers of a route share its messages.

In: who could take how much, how much waits, who has been served. Out: the order in which carriers
ask and the most each asks for. Plenty for all: each takes what it can. Scarce: by weight.

Pure. Weighted fair queueing by virtual time: a carrier's clock advances by PDUs served over its
weight, and the one whose clock is furthest behind asks first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from gateway.dispatch.lanes import Routes, parse
from gateway.store.messages import Leased

CREDIT: Final = 100.0
"""How far (PDUs per unit of weight) a carrier's clock may lag. A carrier that could not take its
share for an hour has no claim on the next hour's messages."""
LEAST: Final = 10
"""Share below which dividing is not worth it: a message's parts have to fit into it. The order of
asking evens out what this leaves uneven."""


class Taker(NamedTuple):
    """A carrier that can take `parts` PDUs from `lanes`."""

    carrier: str
    parts: int
    lanes: Sequence[str]


class Shares:
    """Remembers who has been served."""

    __slots__ = ("_clocks", "_routes")

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._clocks: dict[str, dict[str, float]] = {
            route: {place.carrier: 0.0 for place in places}
            for route, places in routes.places.items()
        }

    def plan(self, takers: Sequence[Taker], waiting: Mapping[str, int]) -> list[tuple[int, int]]:
        """(index into `takers`, most parts to ask for), in the order of asking.

        `waiting` is messages by lane; an estimate is enough.
        """
        if len(takers) == 1:
            return [(0, takers[0].parts)]
        crowd: dict[str, list[int]] = {}
        for index, taker in enumerate(takers):
            for lane in taker.lanes:
                if waiting.get(lane):
                    crowd.setdefault(lane, []).append(index)
        share = [0.0] * len(takers)
        lead = [0.0] * len(takers)
        for lane, rivals in crowd.items():
            route = parse(lane).route
            weights = self._weights(route)
            total = sum(weights[takers[index].carrier] for index in rivals)
            clocks = self._clocks[route]
            slowest = min(clocks[takers[index].carrier] for index in rivals)
            for index in rivals:
                carrier = takers[index].carrier
                share[index] += waiting[lane] * weights[carrier] / total
                lead[index] = max(lead[index], clocks[carrier] - slowest)
        order = sorted(range(len(takers)), key=lead.__getitem__)
        return [
            (index, min(takers[index].parts, max(LEAST, int(share[index] + 0.999))))
            if share[index]
            else (index, takers[index].parts)
            for index in order
        ]

    def served(self, carrier: str, messages: Iterable[Leased]) -> None:
        """`carrier` has been given `messages`."""
        by_lane: dict[str, int] = {}
        for message in messages:
            by_lane[message.lane] = by_lane.get(message.lane, 0) + message.parts
        for lane, parts in by_lane.items():
            route = parse(lane).route
            clocks = self._clocks.get(route)
            if clocks is None or carrier not in clocks or len(clocks) == 1:
                continue
            clocks[carrier] += parts / self._weights(route)[carrier]
            earliest = max(clocks.values()) - CREDIT
            for each, clock in clocks.items():
                if clock < earliest:
                    clocks[each] = earliest

    def _weights(self, route: str) -> dict[str, int]:
        return {place.carrier: place.weight for place in self._routes.places[route]}
