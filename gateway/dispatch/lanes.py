"""Which lanes a carrier pulls from, and in which order.

In: the routes of the configuration, which carriers are up, which lanes hold messages. Out: lane
names, most urgent first. Pure; a reload replaces it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from config.settings import Route
from gateway.model import LANE_CLASSES, Lane

ORDER: Final = {lane_class.value: place for place, lane_class in enumerate(LANE_CLASSES)}
"""One-time codes first, whatever the route: they overtake any backlog (promise 6)."""


class Place(NamedTuple):
    """A carrier's place in a route."""

    carrier: str
    weight: int
    rank: int


@lru_cache(maxsize=4096)
def parse(lane: str) -> Lane:
    """`Lane.parse`, once for each name."""
    return Lane.parse(lane)


class Routes:
    """The routes as dispatch sees them: who serves which lane."""

    __slots__ = ("_cache", "places")

    def __init__(self, routes: Sequence[Route]) -> None:
        self.places: Final = {route.name: _places(route) for route in routes}
        self._cache: dict[tuple[str, frozenset[str], frozenset[str], int], tuple[str, ...]] = {}

    def another(self, lane: str, carrier: str) -> bool:
        """Whether the lane's route has a carrier that may have the message and has not failed it,
        other than `carrier`."""
        parsed = parse(lane)
        tried = {*parsed.without, *parsed.barred, carrier}
        return any(place.carrier not in tried for place in self.places.get(parsed.route, ()))

    def unknown(self, lanes: Iterable[str]) -> set[str]:
        """Routes named by `lanes` that the configuration does not have (any more)."""
        return {parse(lane).route for lane in lanes} - self.places.keys()

    def forsaken(self, lanes: Iterable[str]) -> set[str]:
        """Those of `lanes` whose route has only carriers that must not have their messages: a
        reload took the others away."""
        return {lane for lane in lanes if parse(lane).barred and not self._allowed(parse(lane))}

    def _allowed(self, lane: Lane) -> Sequence[Place]:
        places = self.places.get(lane.route, ())
        if not lane.barred:
            return places
        return [place for place in places if place.carrier not in lane.barred]

    def takers(self, lane: str, up: frozenset[str]) -> list[Place]:
        """The carriers that may take from a lane now.

        Those of the lowest rank that is up, among the carriers that have not failed the lane's
        messages. Once a reload has left nobody else, those who have may try again; those that must
        not have them never do: the messages wait for a carrier that may, until their validity ends.
        """
        parsed = parse(lane)
        places = self._allowed(parsed)
        fresh = [place for place in places if place.carrier not in parsed.without] or places
        able = [place for place in fresh if place.carrier in up]
        if not able:
            return []
        lowest = min(place.rank for place in able)
        return [place for place in able if place.rank == lowest]

    def lanes(
        self, carrier: str, up: frozenset[str], waiting: frozenset[str], turn: int = 0
    ) -> tuple[str, ...]:
        """The lanes `carrier` pulls from, most urgent first.

        All plain lanes of its routes, because messages may arrive there at any moment, and of the
        lanes without some carrier those in `waiting`. Within a class: first what has failed
        elsewhere, then routes as configured. A route's plain lane and its lanes for messages that
        some carrier must not have go first in turns (`turn` counts leases), so that neither kind
        starves the other.
        """
        barred = sum([bool(parse(lane).barred) for lane in waiting])
        key = (carrier, up, waiting, turn % (barred + 1))
        found = self._cache.get(key)
        if found is None:
            if len(self._cache) > 1000:
                self._cache.clear()
            found = self._cache[key] = self._lanes(*key)
        return found

    def _lanes(
        self, carrier: str, up: frozenset[str], waiting: frozenset[str], turn: int
    ) -> tuple[str, ...]:
        plain = [str(Lane(route, name)) for name in LANE_CLASSES for route in self.places]
        special = sorted(waiting.difference(plain))
        # Messages that have failed once are older than those that have not.
        retried = [lane for lane in special if parse(lane).without]
        fresh: list[str] = []
        for lane in plain:
            mine = [each for each in special if each not in retried and _base(each) == lane]
            group = [lane, *mine]
            first = turn % len(group)
            fresh += group[first:] + group[:first]
        return tuple(
            lane
            for name in ORDER
            for lane in (*retried, *fresh)
            if parse(lane).lane_class == name
            and any(place.carrier == carrier for place in self.takers(lane, up))
        )


def _base(lane: str) -> str:
    parsed = parse(lane)
    return str(Lane(parsed.route, parsed.lane_class))


def _places(route: Route) -> tuple[Place, ...]:
    return tuple(
        Place(each, 1, 0) if isinstance(each, str) else Place(each.name, each.weight, each.rank)
        for each in route.carriers
    )
