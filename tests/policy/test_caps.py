"""Counting against caps: periods of real zones, what is written down, where the rest goes."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.caps import HOUR, MINUTE, Bookings, Meter, Reservation, bounds

SECOND = 1_000_000
DAY = 24 * HOUR


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * SECOND


def meter(known: Any = (), **caps: int) -> Meter:
    return Meter("carrier/op1", caps, "Europe/Paris", known)


def reserve(one: Meter, now: int, pdus: int = 0) -> list[Reservation]:
    written = one.wanted(now, pdus)
    one.confirm(written)
    return written


def test_a_day_is_the_zones_own_and_has_23_or_25_hours() -> None:
    pacific = ZoneInfo("America/Los_Angeles")
    assert bounds("day", pacific, at("2026-11-26T07:59:59Z"))[1] == at("2026-11-26T08:00:00Z")
    spring = bounds("day", pacific, at("2027-03-14T12:00:00-07:00"))
    assert spring == (at("2027-03-14T00:00:00-08:00"), at("2027-03-15T00:00:00-07:00"))
    assert spring[1] - spring[0] == 23 * HOUR
    autumn = bounds("day", pacific, at("2026-11-01T12:00:00-08:00"))
    assert autumn == (at("2026-11-01T00:00:00-07:00"), at("2026-11-02T00:00:00-08:00"))
    assert autumn[1] - autumn[0] == 25 * HOUR


def test_a_day_whose_midnight_does_not_exist_begins_with_the_first_minute_there_is() -> None:
    havana = ZoneInfo("America/Havana")  # 2027-03-14: 00:00 -> 01:00
    start, until = bounds("day", havana, at("2027-03-14T12:00:00-04:00"))
    assert (start, until - start) == (at("2027-03-14T01:00:00-04:00"), 23 * HOUR)
    # 2026-11-01: 01:00 -> 00:00, so the first hour comes twice and belongs to one day
    start, until = bounds("day", havana, at("2026-11-01T00:30:00-05:00"))
    assert (start, until - start) == (at("2026-11-01T00:00:00-04:00"), 25 * HOUR)


def test_hours_begin_where_the_zones_do() -> None:
    india = ZoneInfo("Asia/Kolkata")
    assert bounds("hour", india, at("2026-11-26T10:15:00Z")) == (
        at("2026-11-26T09:30:00Z"), at("2026-11-26T10:30:00Z"),
    )  # fmt: skip


@given(
    period=st.sampled_from(["minute", "hour", "day"]),
    zone=st.sampled_from(["America/Los_Angeles", "Europe/Paris", "Asia/Kolkata", "America/Havana"]),
    moment=st.integers(at("2026-01-01T00:00:00Z"), at("2028-01-01T00:00:00Z")),
)
def test_periods_leave_no_gap(period: str, zone: str, moment: int) -> None:
    start, until = bounds(period, ZoneInfo(zone), moment)
    assert start <= moment < until
    assert bounds(period, ZoneInfo(zone), until)[0] == until
    assert bounds(period, ZoneInfo(zone), until - 1) == (start, until)


def test_nothing_leaves_before_it_is_written_down() -> None:
    now = at("2026-11-26T10:00:00Z")
    one = meter(day=10_000)
    assert (one.left(now), one.room(now)) == (0, 10_000)
    (wanted,) = one.wanted(now)
    assert wanted.pdus == 100  # two blocks of a two-hundredth
    assert one.wanted(now) == []  # asked for once
    assert one.left(now) == 0
    one.confirm([wanted])
    assert one.left(now) == 100
    one.take(60, now)
    (wanted,) = one.wanted(now)
    assert (wanted.pdus, one.left(now)) == (160, 40)


def test_a_failed_write_is_asked_for_again() -> None:
    now = at("2026-11-26T10:00:00Z")
    one = meter(day=10_000)
    assert one.wanted(now)
    one.failed()
    assert one.wanted(now)


def test_what_was_written_down_counts_as_used_after_a_crash() -> None:
    now = at("2026-11-26T10:00:00Z")
    one = meter(day=10_000, minute=600)
    written = reserve(one, now)
    one.take(7, now)
    again = meter(written, day=10_000, minute=600)
    assert [usage.used for usage in again.usage(now + SECOND)] == [60, 100]
    stopped = meter(one.exact(), day=10_000, minute=600)
    assert [usage.used for usage in stopped.usage(now + SECOND)] == [7, 7]
    # The minute is over, the day is not.
    assert [usage.used for usage in meter(written, day=10_000, minute=600).usage(
        now + MINUTE)] == [0, 100]  # fmt: skip


@given(
    st.lists(
        st.tuples(
            st.integers(1, 40), st.integers(0, 90 * SECOND),
            st.sampled_from(["live", "live", "crash", "stop", "late"]),
        ),
        max_size=120,
    )
)  # fmt: skip
def test_no_cap_is_ever_exceeded_whatever_happens(steps: list[tuple[int, int, str]]) -> None:
    """Any mix of sending, crashes (reserved, not told), and stops; counted by an outsider."""
    now = at("2026-11-26T10:00:00Z")
    caps = {"minute": 30, "hour": 200, "day": 500}
    zone = ZoneInfo("Europe/Paris")
    disk: dict[str, Reservation] = {}
    one = Meter("x", caps, "Europe/Paris", disk.values())
    sent: dict[tuple[str, int], int] = {}
    for pdus, pause, what in steps:
        now += pause
        if what in ("crash", "stop"):
            if what == "stop":
                disk.update({each.period: each for each in one.exact()})
            one = Meter("x", caps, "Europe/Paris", disk.values())
        written = one.wanted(now, pdus)
        disk.update({each.period: each for each in written})
        if what != "late":
            one.confirm(written)
        if one.left(now) >= pdus:
            one.take(pdus, now)
            for period in caps:
                key = (period, bounds(period, zone, now)[0])
                sent[key] = sent.get(key, 0) + pdus
    assert all(count <= caps[period] for (period, _), count in sent.items())


def test_caps_that_change_keep_what_was_used() -> None:
    now = at("2026-11-26T10:00:00Z")
    one = meter(day=1_000)
    reserve(one, now, 400)
    one.take(400, now)
    one.configure({"day": 500, "minute": 50}, "Europe/Paris")
    assert one.room(now) == 50
    one.configure({"day": 300}, "Europe/Paris")
    assert (one.room(now), one.left(now)) == (-100, -100)
    one.configure({"day": 1_000}, "UTC")
    assert one.room(now) == 600  # another midnight, the same PDUs


def test_what_did_not_leave_is_given_back_to_its_own_period_only() -> None:
    now = at("2026-11-26T10:00:10Z")
    one = meter(minute=100, day=1_000)
    reserve(one, now, 50)
    one.take(50, now)
    later = now + MINUTE
    one.room(later)
    reserve(one, later, 50)
    one.take(10, later)
    one.refund(50, now)
    assert [usage.used for usage in one.usage(later)] == [10, 10]


def test_a_remainder_no_message_fits_into_is_given_up() -> None:
    now = at("2026-11-26T10:00:10Z")
    one = meter(minute=10, day=1_000)
    reserve(one, now, 10)
    one.take(8, now)
    assert one.use_up(now, 3) == at("2026-11-26T10:01:00Z")
    assert one.room(now) == 0
    assert [usage.used for usage in one.usage(now)] == [10, 8]


def test_the_kth_message_over_a_cap_waits_for_the_period_it_fits_in() -> None:
    now = at("2026-11-26T10:00:10Z")
    real = Meter("a", {"minute": 10}, "UTC", reserving=False)
    real.take(10, now)
    bookings = Bookings({"minute": 10}, "UTC")
    due = [bookings.book(1, now, real, now) for _ in range(25)]
    begins = at("2026-11-26T10:01:00Z")
    assert due == [begins] * 10 + [begins + MINUTE] * 10 + [begins + 2 * MINUTE] * 5


def test_bookings_hold_all_caps_at_once() -> None:
    now = at("2026-11-26T10:00:10Z")
    caps = {"minute": 2, "hour": 5, "day": 8}
    real = Meter("a", caps, "UTC", reserving=False)
    bookings = Bookings(caps, "UTC")
    due = [bookings.book(1, now, real, now) for _ in range(9)]
    ten, eleven = at("2026-11-26T10:00:00Z"), at("2026-11-26T11:00:00Z")
    assert due == [
        now, now, ten + MINUTE, ten + MINUTE, ten + 2 * MINUTE,
        eleven, eleven, eleven + MINUTE, at("2026-11-27T00:00:00Z"),
    ]  # fmt: skip


def test_bookings_begin_anew_once_they_are_over() -> None:
    now = at("2026-11-26T10:00:10Z")
    real = Meter("a", {"minute": 2}, "UTC", reserving=False)
    real.take(2, now)
    bookings = Bookings({"minute": 2}, "UTC")
    assert bookings.book(1, now, real, now) == at("2026-11-26T10:01:00Z")
    much_later = at("2026-11-26T15:00:00Z")
    real.take(1, much_later)
    assert bookings.book(1, much_later, real, much_later) == much_later
    assert bookings.book(1, much_later, real, much_later) == much_later + MINUTE


def test_bookings_keep_the_rate() -> None:
    now = at("2026-11-26T10:00:00Z")
    bookings = Bookings({}, "UTC", 10.0)
    due = [bookings.book(2, now, None, now + SECOND) for _ in range(3)]
    assert [each - now for each in due] == [SECOND, SECOND * 12 // 10, SECOND * 14 // 10]


def test_what_fits_no_period_is_not_booked() -> None:
    with pytest.raises(ValueError, match="3 PDUs fit no period"):
        Bookings({"minute": 2}, "UTC").book(3, 0, None, 0)
