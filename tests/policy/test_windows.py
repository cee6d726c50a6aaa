"""When a window opens and closes, also where the clock is changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from config.policies import SendWindow
from config.windows import overlapping, stretches
from gateway.policy.windows import ALWAYS, Windows

PARIS = ZoneInfo("Europe/Paris")


def at(text: str) -> int:
    """UTC µs of a time with its offset."""
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


def paris(*windows: SendWindow) -> Windows:
    return Windows(windows, "Europe/Paris")


def test_hours_of_a_day_open_and_close_in_the_carriers_zone() -> None:
    windows = paris(SendWindow(start="08:00", end="20:00"))
    assert windows.state("service", at("2026-11-25T07:59:59+01:00")) == (
        False, at("2026-11-25T08:00:00+01:00"),
    )  # fmt: skip
    assert windows.state("service", at("2026-11-25T08:00:00+01:00")) == (
        True, at("2026-11-25T20:00:00+01:00"),
    )  # fmt: skip
    assert not windows.state("service", at("2026-11-25T20:00:00+01:00")).open


def test_without_windows_it_never_changes() -> None:
    assert paris().state("advertising", at("2026-11-25T03:00:00Z")) == ALWAYS
    whole = paris(SendWindow())
    assert whole.state("advertising", at("2026-11-29T23:59:59Z")) == ALWAYS


def test_a_category_without_a_window_is_always_taken() -> None:
    windows = paris(SendWindow(start="09:00", end="18:00", categories=("advertising",)))
    night = at("2026-11-25T03:00:00+01:00")
    assert windows.state("transactional", night) == ALWAYS
    assert not windows.state("advertising", night).open


def test_a_window_over_midnight_and_over_the_week() -> None:
    windows = paris(SendWindow(days=("sun",), start="22:00", end="06:00"))
    assert windows.state("service", at("2026-11-29T23:00:00+01:00")) == (
        True, at("2026-11-30T06:00:00+01:00"),
    )  # fmt: skip
    assert windows.state("service", at("2026-11-30T05:59:00+01:00")).open
    monday = windows.state("service", at("2026-11-30T06:00:00+01:00"))
    assert monday == (False, at("2026-12-06T22:00:00+01:00"))
    assert stretches(SendWindow(days=("sun",), start="22:00", end="06:00")) == [
        (0, 360), (9960, 10080),
    ]  # fmt: skip


def test_several_windows_are_added_together() -> None:
    windows = paris(
        SendWindow(start="08:00", end="12:00"), SendWindow(start="12:00", end="13:00"),
        SendWindow(start="14:00", end="18:00"),
    )  # fmt: skip
    morning = windows.state("service", at("2026-11-25T09:00:00+01:00"))
    assert morning == (True, at("2026-11-25T13:00:00+01:00"))
    lunch = windows.state("service", at("2026-11-25T13:30:00+01:00"))
    assert lunch == (False, at("2026-11-25T14:00:00+01:00"))


def test_the_night_the_clock_is_put_forward() -> None:
    # 2027-03-28: 02:00 -> 03:00. The window would open in the hour that is missing.
    windows = paris(SendWindow(start="02:30", end="10:00"))
    shut = windows.state("service", at("2027-03-28T01:59:59+01:00"))
    assert shut == (False, at("2027-03-28T03:00:00+02:00"))
    assert windows.state("service", at("2027-03-28T03:00:00+02:00")).open
    # The evening before says 08:00 by the new offset: 23 hours of night become 11.
    day = paris(SendWindow(start="08:00", end="20:00"))
    closed = day.state("service", at("2027-03-27T20:00:00+01:00"))
    assert closed == (False, at("2027-03-28T08:00:00+02:00"))


def test_the_night_the_clock_is_put_back() -> None:
    # 2026-10-25: 03:00 -> 02:00, so 02:00-03:00 comes twice; so does the window in it.
    windows = paris(SendWindow(start="00:00", end="02:30"))
    first = windows.state("service", at("2026-10-25T02:00:00+02:00"))
    assert first == (True, at("2026-10-25T02:30:00+02:00"))
    between = windows.state("service", at("2026-10-25T02:45:00+02:00"))
    assert between == (False, at("2026-10-25T02:00:00+01:00"))
    again = windows.state("service", at("2026-10-25T02:10:00+01:00"))
    assert again == (True, at("2026-10-25T02:30:00+01:00"))


@pytest.mark.parametrize("zone", ["Europe/Paris", "Australia/Lord_Howe", "America/Havana", "UTC"])
@pytest.mark.parametrize("year", [2026, 2027])
def test_every_change_is_told_and_no_other(zone: str, year: int) -> None:
    """Against the clock itself, minute by minute over both nights of the year."""
    windows = Windows([SendWindow(start="23:30", end="02:15"), SendWindow(start="02:45",
        end="04:00", days=("sat", "sun"))], zone)  # fmt: skip
    for month in (3, 4, 9, 10, 11):
        moment = datetime(year, month, 1, tzinfo=UTC)
        # The nights around whatever change the month has.
        offsets = [
            (moment + timedelta(hours=h)).astimezone(ZoneInfo(zone)).utcoffset()
            for h in range(31 * 24)
        ]
        changes = [h for h in range(1, len(offsets)) if offsets[h] != offsets[h - 1]]
        for change in changes:
            start = int((moment + timedelta(hours=change - 12)).timestamp())
            was, told = None, None
            for second in range(start, start + 36 * 3600, 300):
                state = windows.state("service", second * 1_000_000)
                if was is not None and state.open is not was:
                    assert told == second * 1_000_000
                was, told = state


def test_overlaps_are_found_by_category() -> None:
    morning = SendWindow(start="08:00", end="12:00", categories=("service",))
    noon = SendWindow(start="11:00", end="13:00", categories=("service", "advertising"))
    adverts = SendWindow(start="08:00", end="11:00", categories=("advertising",))
    night = SendWindow(start="22:00", end="09:00", days=("sun",))
    assert overlapping([morning, noon, adverts]) == [(0, 1)]
    assert overlapping([morning, night]) == [(0, 1)]
    assert overlapping([SendWindow(end="12:00"), SendWindow(start="12:00")]) == []
