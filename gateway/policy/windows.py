"""When a carrier takes messages: its send windows, by category.

In: windows and their zone, a category, a moment (UTC µs). Out: whether it takes them then, and when
that changes. Pure.

What counts is what the operator's clock shows: where it is put back, an hour that is part of a
window comes twice; where it is put forward, a window that would open in the missing hour opens
with the next minute there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from config.policies import SendWindow
from config.windows import DAY, Stretch, stretches
from gateway.model import Category

CATEGORIES: Final = tuple(category.value for category in Category)
_AHEAD: Final = 9
"""Days looked ahead for a change: whatever changes does so within a week."""
_SECOND: Final = 1_000_000


class State(NamedTuple):
    """How a category fares at a moment."""

    open: bool
    changes_at: int | None
    """When that ends (UTC µs); None: never."""


ALWAYS: Final = State(True, None)


class Windows:
    """The send windows of one carrier."""

    __slots__ = ("_minutes", "_zone")

    def __init__(self, windows: Sequence[SendWindow], zone: str) -> None:
        self._zone = ZoneInfo(zone)
        self._minutes: dict[str, list[Stretch]] = {}
        for category in CATEGORIES:
            own = [one for one in windows if not one.categories or category in one.categories]
            if own:
                found = sorted(each for one in own for each in stretches(one))
                self._minutes[category] = _joined(found)

    def state(self, category: str, now: int) -> State:
        """Whether the carrier takes messages of `category` at `now`, and until when that holds.

        A category without any window is always taken.
        """
        minutes = self._minutes.get(category)
        if minutes is None:
            return ALWAYS
        second = now // _SECOND
        opened = self._open(minutes, second)
        for candidate in self._candidates(minutes, second):
            if self._open(minutes, candidate) is not opened:
                return State(opened, candidate * _SECOND)
        return State(opened, None)

    def _open(self, minutes: list[Stretch], second: int) -> bool:
        local = datetime.fromtimestamp(second, self._zone)
        minute = local.weekday() * DAY + local.hour * 60 + local.minute
        return any(first <= minute < last for first, last in minutes)

    def _candidates(self, minutes: list[Stretch], after: int) -> list[int]:
        """Moments (seconds) beyond `after` at which something could change, in order."""
        edges = {edge for stretch in minutes for edge in stretch}
        today = datetime.fromtimestamp(after, self._zone).date()
        found: set[int] = set()
        for ahead in range(-1, _AHEAD):
            day = today + timedelta(days=ahead)
            begins = day.weekday() * DAY
            for edge in edges:
                # The end of Sunday is the beginning of Monday.
                inside = edge % (7 * DAY) - begins
                if 0 <= inside < DAY:
                    clock = time(inside // 60, inside % 60)
                    for fold in (0, 1):  # of a time that comes twice both count
                        at = datetime.combine(day, clock.replace(fold=fold), self._zone)
                        found.add(int(at.timestamp()))
            found.update(self._shift(day))
        return sorted(second for second in found if second > after)

    def _shift(self, day: date) -> list[int]:
        """The moment of this day at which the clock was changed, if it was."""
        early = int(datetime.combine(day, time(), self._zone).timestamp())
        late = int(datetime.combine(day + timedelta(days=1), time(), self._zone).timestamp())
        before = self._offset(early - 1)
        if before == self._offset(late):
            return []
        while late - early > 1:
            middle = (early + late) // 2
            if self._offset(middle) == before:
                early = middle
            else:
                late = middle
        return [late]

    def _offset(self, second: int) -> timedelta | None:
        return datetime.fromtimestamp(second, self._zone).utcoffset()


def _joined(minutes: list[Stretch]) -> list[Stretch]:
    """Sorted stretches with those that touch made one."""
    found: list[Stretch] = []
    for first, last in minutes:
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found
