"""Which minutes of the week a send window has, and which windows have the same.

In: windows as the configuration gives them. Out: stretches of minutes, Monday 00:00 being 0. Pure;
knows no zone and no date.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from config.policies import SendWindow

DAY: Final = 24 * 60
WEEK: Final = 7 * DAY
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Stretch = tuple[int, int]
"""First minute of the week, and the first no longer part of it; at most `WEEK`."""


def minute(time: str) -> int:
    """`"09:30"` as the minute of a day."""
    hours, _, minutes = time.partition(":")
    return int(hours) * 60 + int(minutes)


def stretches(window: SendWindow) -> list[Stretch]:
    """The minutes of one window, in order; what runs over the end of Sunday begins the week."""
    start, end = minute(window.start), minute(window.end)
    if end < start:
        end += DAY
    found: list[Stretch] = []
    for name in set(window.days):
        first = WEEKDAYS.index(name) * DAY + start
        last = first + end - start
        found.append((first, min(last, WEEK)))
        if last > WEEK:
            found.append((0, last - WEEK))
    return sorted(each for each in found if each[0] < each[1])


def overlapping(windows: Sequence[SendWindow]) -> list[tuple[int, int]]:
    """Places of windows that share minutes for the same category, each pair once."""
    minutes = [stretches(window) for window in windows]
    return [
        (one, two)
        for two in range(len(windows))
        for one in range(two)
        if _share_category(windows[one], windows[two])
        and any(a < d and c < b for a, b in minutes[one] for c, d in minutes[two])
    ]


def _share_category(one: SendWindow, two: SendWindow) -> bool:
    if not one.categories or not two.categories:
        return True
    return not set(one.categories).isdisjoint(two.categories)
