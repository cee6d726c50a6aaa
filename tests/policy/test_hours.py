from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import holidays as public_holidays
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from config.hours import WEEKDAYS, Holidays, QuietRule, QuietWindow
from gateway.policy import hours as h

MINUTE = 60_000_000
WORKDAYS = WEEKDAYS[:6]


def rule(*windows: tuple[Any, ...], holidays: Holidays | None = None) -> QuietRule:
    """Windows as (start, end) or (start, end, days)."""
    made = tuple(
        QuietWindow(start=start, end=end, days=days[0] if days else WEEKDAYS)
        for start, end, *days in windows
    )
    return QuietRule(name="r", source="s", windows=made, holidays=holidays)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


def told(moment: int | None) -> str | None:
    return None if moment is None else h.shown(moment)[:-4] + "Z"


def ask(one: QuietRule, zones: str | tuple[str, ...], now: str) -> tuple[str | None, ...] | None:
    names = (zones,) if isinstance(zones, str) else zones
    found = h.opening(h.Hours(one), names, at(now))
    return None if found is None else tuple(map(told, found))


DAYTIME = rule(("08:00", "20:00"))
FRENCH = rule(("08:00", "21:30", WORKDAYS), holidays=Holidays(country="FR"))


@pytest.mark.parametrize(
    ("one", "zones", "now", "opens", "closes"),
    [
        # open now: the moment itself
        (DAYTIME, "Europe/Paris", "2026-11-26T12:34Z", "2026-11-26T12:34Z", "2026-11-26T19:00Z"),
        # the closing minute is closed, the opening one is open
        (DAYTIME, "Europe/Paris", "2026-11-26T19:00Z", "2026-11-27T07:00Z", "2026-11-27T19:00Z"),
        (DAYTIME, "Europe/Paris", "2026-11-27T07:00Z", "2026-11-27T07:00Z", "2026-11-27T19:00Z"),
        # half hours and quarters of an hour
        (DAYTIME, "Asia/Kolkata", "2026-11-26T23:00Z", "2026-11-27T02:30Z", "2026-11-27T14:30Z"),
        (DAYTIME, "Asia/Kathmandu", "2026-11-26T23:00Z", "2026-11-27T02:15Z", "2026-11-27T14:15Z"),
        # New Year: still last year in London, and the day after is open as any
        (DAYTIME, "Europe/London", "2026-12-31T23:59Z", "2027-01-01T08:00Z", "2027-01-01T20:00Z"),
        # 29 February
        (DAYTIME, "Europe/London", "2028-02-28T21:00Z", "2028-02-29T08:00Z", "2028-02-29T20:00Z"),
        # the ends of Russia, and both at once (16 zones say the same)
        (DAYTIME, "Asia/Kamchatka", "2026-11-26T12:00Z", "2026-11-26T20:00Z", "2026-11-27T08:00Z"),
        (
            DAYTIME,
            "Europe/Kaliningrad",
            "2026-11-26T22:00Z",
            "2026-11-27T06:00Z",
            "2026-11-27T18:00Z",
        ),
        (
            DAYTIME,
            ("Europe/Kaliningrad", "Asia/Kamchatka"),
            "2026-11-26T12:00Z",
            "2026-11-27T06:00Z",
            "2026-11-27T08:00Z",
        ),
        # France, Saturday night: neither Sunday nor Easter Monday
        (FRENCH, "Europe/Paris", "2026-04-04T20:00Z", "2026-04-07T06:00Z", "2026-04-07T19:30Z"),
        # Christmas on a Friday, so Saturday is next
        (FRENCH, "Europe/Paris", "2026-12-24T21:00Z", "2026-12-26T07:00Z", "2026-12-26T20:30Z"),
        # spring, Berlin: 02:00-03:00 is left out; the window opens at once behind the gap
        (
            rule(("02:15", "06:00")),
            "Europe/Berlin",
            "2026-03-29T00:00Z",
            "2026-03-29T01:00Z",
            "2026-03-29T04:00Z",
        ),
        # a window within the gap is no window that night
        (
            rule(("02:15", "02:45")),
            "Europe/Berlin",
            "2026-03-29T00:00Z",
            "2026-03-30T00:15Z",
            "2026-03-30T00:45Z",
        ),
        # autumn, Berlin: 02:00-03:00 comes twice, and so does the window's end in it
        (
            rule(("01:00", "02:30")),
            "Europe/Berlin",
            "2026-10-25T00:00Z",
            "2026-10-25T00:00Z",
            "2026-10-25T00:30Z",
        ),
        (
            rule(("01:00", "02:30")),
            "Europe/Berlin",
            "2026-10-25T00:30Z",
            "2026-10-25T01:00Z",
            "2026-10-25T01:30Z",
        ),
        # the day of the change is 23 hours long: open at 08:00 all the same
        (DAYTIME, "Europe/Berlin", "2026-03-29T02:00Z", "2026-03-29T06:00Z", "2026-03-29T18:00Z"),
        # Lord Howe changes by half an hour
        (
            DAYTIME,
            "Australia/Lord_Howe",
            "2026-04-04T15:00Z",
            "2026-04-04T21:30Z",
            "2026-04-05T09:30Z",
        ),
        # over midnight: it belongs to the day it begins on
        (
            rule(("22:00", "02:00", ("sat",))),
            "Europe/London",
            "2026-11-29T01:00Z",
            "2026-11-29T01:00Z",
            "2026-11-29T02:00Z",
        ),
        (
            rule(("22:00", "02:00", ("sun",))),
            "Europe/London",
            "2026-11-29T01:00Z",
            "2026-11-29T22:00Z",
            "2026-11-30T02:00Z",
        ),
        # days that touch at midnight are one opening
        (
            rule(("10:00", "24:00"), ("00:00", "04:00")),
            "UTC",
            "2026-11-26T09:00Z",
            "2026-11-26T10:00Z",
            "2026-11-27T04:00Z",
        ),
        # Monday to Friday around the clock
        (
            rule(("00:00", "24:00", WEEKDAYS[:5])),
            "UTC",
            "2026-11-25T09:00Z",
            "2026-11-25T09:00Z",
            "2026-11-28T00:00Z",
        ),
    ],
)
def test_openings(
    one: QuietRule, zones: str | tuple[str, ...], now: str, opens: str, closes: str
) -> None:
    assert ask(one, zones, now) == (opens, closes)


@pytest.mark.parametrize(
    "one", [rule(("00:00", "24:00")), rule(("06:00", "18:00"), ("18:00", "06:00"))]
)
def test_what_is_always_open_never_closes(one: QuietRule) -> None:
    assert h.opening(h.Hours(one), ("Asia/Tokyo",), 5) == (5, None)


def test_zones_that_share_no_hour_never_open() -> None:
    noon = rule(("12:00", "13:00"))
    assert ask(noon, ("Europe/London", "Asia/Tokyo"), "2026-11-26T12:00Z") is None


def test_an_opening_is_found_over_a_month_of_holidays_and_not_beyond_five_weeks() -> None:
    mondays = rule(("09:00", "10:00", ("mon",)), holidays=Holidays(country="FR"))
    assert ask(mondays, "Europe/Paris", "2026-04-06T00:00Z") == (
        "2026-04-13T07:00Z",
        "2026-04-13T08:00Z",
    )


ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "Asia/Kolkata",
    "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Chatham", "Asia/Kamchatka",
    "Europe/Kaliningrad", "Africa/Casablanca", "America/Santiago", "Pacific/Apia",
)  # fmt: skip
clocks = st.integers(0, 47).map(lambda half: f"{half // 2:02}:{half % 2 * 30:02}")
windows = st.tuples(
    clocks,
    st.one_of(clocks, st.just("24:00")),
    st.lists(st.sampled_from(WEEKDAYS), min_size=1, unique=True).map(tuple),
).filter(lambda window: window[0] != window[1])
moments = st.integers(at("2025-01-01T00:00Z") // MINUTE, at("2029-01-01T00:00Z") // MINUTE)
changes = st.sampled_from(
    [at(day + "T00:00Z") // MINUTE
     for day in ("2026-03-28", "2026-10-24", "2026-11-01", "2026-03-07", "2026-04-04",
                 "2026-12-31", "2028-02-28", "2026-02-14", "2026-10-03")]
)  # fmt: skip


FREE_DAYS = frozenset(public_holidays.country_holidays("FR", years=range(2024, 2031)))


def is_open(one: QuietRule, zones: tuple[str, ...], minute: int) -> bool:
    """The slow way: what do the clocks show, and is that in a window?"""
    free = FREE_DAYS if one.holidays else frozenset()

    def begins(window: QuietWindow, day: date) -> bool:
        return WEEKDAYS[day.weekday()] in window.days and day not in free

    def shows(clock: datetime) -> bool:
        now, today = clock.isoformat()[11:16], clock.date()
        for window in one.windows:
            if window.start < window.end:
                if window.start <= now < window.end and begins(window, today):
                    return True
            elif (now >= window.start and begins(window, today)) or (
                now < window.end and begins(window, today - timedelta(days=1))
            ):
                return True
        return False

    return all(shows(datetime.fromtimestamp(minute * 60, ZoneInfo(zone))) for zone in zones)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(windows, min_size=1, max_size=3),
    st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True).map(tuple),
    st.one_of(moments, changes.flatmap(lambda day: st.integers(day, day + 2 * 1440))),
    st.booleans(),
)
@example([("22:30", "02:30", WEEKDAYS)], ("Europe/Berlin",), 29_620_860, False)
def test_openings_are_what_the_clocks_show_minute_by_minute(
    given_windows: list[tuple[str, str, tuple[Any, ...]]],
    zones: tuple[str, ...],
    minute: int,
    french: bool,
) -> None:
    one = rule(*given_windows, holidays=Holidays(country="FR") if french else None)
    found = h.opening(h.Hours(one), zones, minute * MINUTE)
    look = 2 * 1440
    opens = next((m for m in range(minute, minute + look) if is_open(one, zones, m)), None)
    if opens is None:
        assert found is None or found[0] >= (minute + look) * MINUTE
        return
    assert found is not None and found[0] == opens * MINUTE
    closes = next((m for m in range(opens, opens + look) if not is_open(one, zones, m)), None)
    if closes is None:
        assert found[1] is None or found[1] >= (opens + look) * MINUTE
    else:
        assert found[1] == closes * MINUTE


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 6 * 7 * 1440), st.sampled_from(ZONES))
def test_the_answer_does_not_depend_on_what_was_asked_before(minute: int, zone: str) -> None:
    start = at("2026-10-01T00:00Z")
    now = start + minute * MINUTE + 123_456
    fresh = h.opening(h.Hours(FRENCH), (zone,), now)
    assert h.opening(_KEPT, (zone,), now) == fresh


_KEPT = h.Hours(FRENCH)


@pytest.mark.parametrize(
    ("clock", "zones", "instant"),
    [
        ("2026-11-27T10:00", ("Asia/Yekaterinburg",), "2026-11-27T05:00Z"),
        # left out: the next minute there is
        ("2026-03-29T02:30", ("Europe/Berlin",), "2026-03-29T01:00Z"),
        ("2026-03-29T03:00", ("Europe/Berlin",), "2026-03-29T01:00Z"),
        # twice: the first
        ("2026-10-25T02:30", ("Europe/Berlin",), "2026-10-25T00:30Z"),
        ("2026-10-25T03:00", ("Europe/Berlin",), "2026-10-25T02:00Z"),
        # a day that was left out (Samoa crossed the date line)
        ("2011-12-30T12:00", ("Pacific/Apia",), "2011-12-30T10:00Z"),
        # several: that hour or later everywhere
        ("2026-11-27T10:00", ("Europe/Kaliningrad", "Asia/Kamchatka"), "2026-11-27T08:00Z"),
    ],
)
def test_what_the_clock_there_shows(clock: str, zones: tuple[str, ...], instant: str) -> None:
    assert told(h.instant_of(datetime.fromisoformat(clock), zones)) == instant


@settings(max_examples=100, deadline=None)
@given(moments, st.sampled_from(ZONES))
def test_a_clock_time_comes_back_or_was_left_out(minute: int, zone: str) -> None:
    naive = datetime.fromtimestamp(minute * 60, UTC).replace(tzinfo=None)
    found = h.instant_of(naive, (zone,))
    shown = datetime.fromtimestamp(found // 1_000_000, ZoneInfo(zone)).replace(tzinfo=None)
    if shown == naive:
        earlier = datetime.fromtimestamp(found // 1_000_000 - 3600, ZoneInfo(zone))
        assert earlier.replace(tzinfo=None) != naive  # of two the first
    else:
        before = datetime.fromtimestamp(found // 1_000_000 - 1, ZoneInfo(zone))
        assert before.replace(tzinfo=None) < naive < shown
