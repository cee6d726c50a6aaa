"""Windows of the week, by the clocks of several places at once -> the next opening and its end.

In: a rule's windows, time zones, a moment. Out: when they are open everywhere, UTC microseconds.
Exact over changes of the clocks: a minute counts as what the clock there shows, so an hour that
comes twice is open twice, and one that is left out never was. Pure; knows no message.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import holidays as public_holidays

from config.hours import WEEKDAYS, QuietRule

SECOND: Final = 1_000_000
DAY: Final = 86_400
"""Seconds, as all times in here that are not microseconds."""
WEEK: Final = 7 * DAY
STEP: Final = DAY // 2
"""Clocks are looked at twice a day: none is changed and changed back within one."""
HORIZON: Final = 5 * WEEK
"""How far an opening is looked for; no message may wait longer than two weeks."""
CALENDARS: Final = 4_096
"""Weeks remembered, of a rule in some zones: the world's zones for two rules; 2 KB each."""

Span = tuple[int, int]
"""Seconds from, seconds to (excluded)."""
Opening = tuple[int, int | None]
"""UTC microseconds when it opens and when it closes again; None: never."""


class Hours:
    """The windows of one rule, wherever."""

    __slots__ = ("_days", "_holidays", "always")

    def __init__(self, rule: QuietRule) -> None:
        self._days: list[list[Span]] = [
            [
                (window.begins * 60, (window.begins + window.lasts) * 60)
                for window in rule.windows
                if name in window.days
            ]
            for name in WEEKDAYS
        ]
        """By day of the week: seconds after its midnight."""
        self._holidays = rule.holidays
        if rule.holidays is not None:
            # A country's calendar takes 150 ms to import, which no message shall wait for.
            _holidays_of(rule.holidays.country, rule.holidays.subdivision, _EPOCH.year)
        week = [
            (day * DAY + start, day * DAY + end)
            for day in range(-1, 7)  # the day before: its window may run into the first
            for start, end in self._days[day]
        ]
        self.always = rule.holidays is None and any(
            start <= 0 and end >= WEEK for start, end in _merged(week)
        )
        """Whether it is open at any time."""

    def begin(self, day: date) -> Sequence[Span]:
        """The windows that begin on a day, as seconds after its midnight."""
        windows = self._days[day.weekday()]
        if windows and self._holidays is not None:
            country, subdivision = self._holidays.country, self._holidays.subdivision
            if day in _holidays_of(country, subdivision, day.year):
                return ()
        return windows


@lru_cache(maxsize=1_024)
def _holidays_of(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    return frozenset(public_holidays.country_holidays(country, subdivision, years=year))


def opening(hours: Hours, zones: tuple[str, ...], now: int) -> Opening | None:
    """The first moment not before `now` at which the windows are open in all `zones`, and when the
    first of them closes; None if there is none in the next five weeks.

    `zones` are names. The answers of a week are remembered: the first takes 0.4 ms a zone.
    """
    if hours.always:
        return now, None
    starts, ends = _calendar(hours, zones, now // (WEEK * SECOND))
    place = bisect_right(ends, now)
    if place == len(ends):
        return None
    return max(now, starts[place]), ends[place]


@lru_cache(maxsize=CALENDARS)
def _calendar(
    hours: Hours, zones: tuple[str, ...], week: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """When the windows are open, enough to tell for every moment of that week what is next."""
    start = week * WEEK
    end = start + WEEK
    until = end + 2 * DAY
    while True:
        spans = _common(hours, zones, start, until)
        # One that ends where we stopped looking may go on.
        if until >= end + HORIZON or (spans and end <= spans[-1][1] < until):
            break
        if len(spans) > 1 and spans[-2][1] >= end:
            spans.pop()
            break
        until += WEEK
    return tuple([s * SECOND for s, _ in spans]), tuple([e * SECOND for _, e in spans])


def _common(hours: Hours, zones: tuple[str, ...], start: int, end: int) -> list[Span]:
    """When the windows are open in all zones."""
    # Of sixteen zones many keep the same time.
    each = {tuple(_open(hours, ZoneInfo(zone), start, end)) for zone in zones}
    common = [(start, end)]
    for spans in each:
        common = list(_intersection(common, spans))
    return common


def _open(hours: Hours, zone: ZoneInfo, start: int, end: int) -> list[Span]:
    """When the windows are open in one zone."""
    found: list[Span] = []
    for since, until, offset in stretches(zone, start, end):
        first, last = since + offset, until + offset  # by the clock there
        for day in range(first // DAY - 1, -(-last // DAY)):
            midnight = day * DAY
            for begins, ends in hours.begin(_EPOCH + timedelta(days=day)):
                span = max(midnight + begins, first), min(midnight + ends, last)
                if span[0] < span[1]:
                    found.append((span[0] - offset, span[1] - offset))
    return _merged(found)


_EPOCH: Final = date(1970, 1, 1)


def stretches(zone: ZoneInfo, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(from, to, offset) between changes of the clocks: local time is UTC plus offset."""
    since = here = start
    offset = offset_of(zone, start)
    while here < end:
        after = min(here + STEP, end)
        if offset_of(zone, after) == offset:
            here = after
            continue
        before = here
        while after - before > 1:
            middle = (before + after) // 2
            if offset_of(zone, middle) == offset:
                before = middle
            else:
                after = middle
        if after < end:
            yield since, after, offset
            since = after
            offset = offset_of(zone, after)
        here = after
    yield since, end, offset


def offset_of(zone: ZoneInfo, moment: int) -> int:
    """What the clocks are ahead of UTC, seconds."""
    offset = datetime.fromtimestamp(moment, zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def instant_of(clock: datetime, zones: tuple[str, ...]) -> int:
    """When the clocks of all `zones` show `clock` (naive) or later, UTC microseconds.

    A time that is left out is the next one there is; of one that comes twice it is the first.
    """
    return max([_instant_of(clock, ZoneInfo(zone)) for zone in zones])


def _instant_of(clock: datetime, zone: ZoneInfo) -> int:
    # Read with the offset before a change; where that lands behind it the time is left out (or the
    # offset after the change would have landed before it).
    moment = (clock - _ZERO) // timedelta(microseconds=1)
    early = moment - SECOND * _offset_at(clock, zone, fold=0)
    late = moment - SECOND * _offset_at(clock, zone, fold=1)
    if late >= early:
        return early
    changed = next(iter(stretches(zone, late // SECOND, early // SECOND + 1)))[1]
    return changed * SECOND


_ZERO: Final = datetime(1970, 1, 1)


def _offset_at(clock: datetime, zone: ZoneInfo, fold: int) -> int:
    offset = clock.replace(tzinfo=zone, fold=fold).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def shown(moment: int) -> str:
    """UTC microseconds for a person: whole seconds, RFC 3339."""
    return f"{datetime.fromtimestamp(moment // SECOND, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _merged(spans: Sequence[Span]) -> list[Span]:
    """Joined where they touch."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _intersection(one: Sequence[Span], other: Sequence[Span]) -> Iterator[Span]:
    first = second = 0
    while first < len(one) and second < len(other):
        start = max(one[first][0], other[second][0])
        end = min(one[first][1], other[second][1])
        if start < end:
            yield start, end
        if one[first][1] < other[second][1]:
            first += 1
        else:
            second += 1
