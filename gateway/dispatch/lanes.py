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
        self._cache: dict[tuple[str, frozenset[str], frozenset[str]], tuple[str, ...]] = {}

    def another(self, lane: str, carrier: str) -> bool:
        """Whether the lane's route has a carrier that has not failed the message, other than
        `carrier`."""
        parsed = parse(lane)
        tried = {*parsed.without, carrier}
        return any(place.carrier not in tried for place in self.places.get(parsed.route, ()))

    def unknown(self, lanes: Iterable[str]) -> set[str]:
        """Routes named by `lanes` that the configuration does not have (any more)."""
        return {parse(lane).route for lane in lanes} - self.places.keys()

    def takers(self, lane: str, up: frozenset[str]) -> list[Place]:
        """The carriers that may take from a lane now.

        Those of the lowest rank that is up, among the carriers that have not failed the lane's
        messages. Once a reload has left nobody else, those who have may try again.
        """
        parsed = parse(lane)
        places = self.places.get(parsed.route, ())
        fresh = [place for place in places if place.carrier not in parsed.without] or places
        able = [place for place in fresh if place.carrier in up]
        if not able:
            return []
        lowest = min(place.rank for place in able)
        return [place for place in able if place.rank == lowest]

    def lanes(self, carrier: str, up: frozenset[str], waiting: frozenset[str]) -> tuple[str, ...]:
        """The lanes `carrier` pulls from, most urgent first.

        All plain lanes of its routes, because messages may arrive there at any moment, and of the
        lanes without some carrier those in `waiting`. Within a class: routes as configured.
        """
        key = (carrier, up, waiting)
        found = self._cache.get(key)
        if found is None:
            if len(self._cache) > 1000:
                self._cache.clear()
            found = self._cache[key] = self._lanes(carrier, up, waiting)
        return found

    def _lanes(self, carrier: str, up: frozenset[str], waiting: frozenset[str]) -> tuple[str, ...]:
        plain = [str(Lane(route, name)) for name in LANE_CLASSES for route in self.places]
        # Messages that have failed once are older than those that have not.
        retried = sorted(waiting.difference(plain))
        return tuple(
            lane
            for name in ORDER
            for lane in (*retried, *plain)
            if parse(lane).lane_class == name
            and any(place.carrier == carrier for place in self.takers(lane, up))
        )


def _places(route: Route) -> tuple[Place, ...]:
    return tuple(
        Place(each, 1, 0) if isinstance(each, str) else Place(each.name, each.weight, each.rank)
        for each in route.carriers
    )
