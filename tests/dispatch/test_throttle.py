"""The pace, with a clock that is moved by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dispatch.throttle import (
    FIRST_PAUSE,
    LEAST_SHARE,
    LONGEST_PAUSE,
    Pace,
    Throttle,
    brake,
)


def test_a_full_bucket_gives_its_burst_and_then_the_rate() -> None:
    throttle = Throttle(100.0, 10, now=0.0)
    assert throttle.available(0.0) == 10
    throttle.take(10, 0.0)
    assert throttle.available(0.0) == 0
    assert throttle.ready_at(0.0) == pytest.approx(0.01)
    assert throttle.available(0.01) == 1
    assert throttle.available(0.055) == 5
    assert throttle.available(60.0) == 10


def test_parts_of_one_message_leave_together_and_are_paid_for_afterwards() -> None:
    throttle = Throttle(10.0, 1, now=0.0)
    throttle.take(3, 0.0)
    assert throttle.available(0.19) == 0
    assert throttle.ready_at(0.19) == pytest.approx(0.3)
    assert throttle.available(0.3) == 1


@given(
    st.floats(0.5, 5000.0),
    st.integers(1, 100),
    st.lists(st.tuples(st.floats(0.0, 0.5), st.integers(1, 20)), max_size=60),
)
def test_no_span_sees_more_than_burst_and_rate_allow(
    rate: float, burst: int, steps: list[tuple[float, int]]
) -> None:
    throttle = Throttle(rate, burst, now=0.0)
    now, sent = 0.0, 0
    for wait, wish in steps:
        now += wait
        count = min(wish, throttle.available(now))
        throttle.take(count, now)
        sent += count
        assert sent <= burst + rate * now + 1e-6


def test_the_rate_is_used_and_not_only_kept() -> None:
    throttle = Throttle(50.0, 5, now=0.0)
    now, sent = 0.0, 0
    while now < 10.0:
        count = throttle.available(now)
        throttle.take(count, now)
        sent += count
        now = max(throttle.ready_at(now), now + 1e-6)
    assert sent == pytest.approx(505, abs=2)


def test_a_complaint_halves_the_rate_after_a_pause_and_it_grows_back() -> None:
    throttle = Throttle(100.0, 10, now=0.0)
    throttle.complain(sent_at=1.0, now=1.1)
    assert throttle.available(1.2) == 0
    assert throttle.paused(1.1) == pytest.approx(FIRST_PAUSE)
    assert throttle.ready_at(1.1) == pytest.approx(1.1 + FIRST_PAUSE)
    assert throttle.rate_now(1.1) == pytest.approx(50.0)
    assert throttle.rate_now(16.1) == pytest.approx(75.0)
    assert throttle.rate_now(31.1) == pytest.approx(100.0)
    assert throttle.rate_now(1e6) == 100.0


def test_a_window_of_complaints_is_one_opinion() -> None:
    throttle = Throttle(100.0, 10, now=0.0)
    for _ in range(10):
        throttle.complain(sent_at=1.0, now=1.1)
    throttle.complain(sent_at=1.05, now=1.2)
    assert throttle.rate_now(1.2) == pytest.approx(50.0, rel=0.01)


def test_a_window_of_complaints_within_one_tick_of_the_clock_is_one_opinion_too() -> None:
    throttle = Throttle(100.0, 10, now=0.0)
    for _ in range(10):
        throttle.complain(sent_at=1.0, now=1.0)
    assert throttle.paused(1.0) == pytest.approx(FIRST_PAUSE)
    assert throttle.rate_now(1.0) == pytest.approx(50.0)
    braked = Throttle(100.0, 10, now=0.0)
    for _ in range(10):
        braked.congestion(100, sent_at=1.0, now=1.0)
    assert braked.rate_now(1.0) == pytest.approx(50.0)


def test_complaints_after_each_pause_lengthen_it_up_to_a_limit() -> None:
    throttle = Throttle(64.0, 10, now=0.0)
    now, pauses = 1.0, []
    for _ in range(12):
        throttle.complain(sent_at=now, now=now)
        pauses.append(throttle.paused(now))
        now += pauses[-1]
    assert pauses[:4] == pytest.approx([0.5, 1.0, 2.0, 4.0])
    assert pauses[-1] == LONGEST_PAUSE
    assert throttle.rate_now(now) >= 64.0 * LEAST_SHARE


def test_an_accepted_pdu_after_the_pause_makes_the_next_one_short_again() -> None:
    throttle = Throttle(100.0, 10, now=0.0)
    throttle.complain(sent_at=1.0, now=1.0)
    throttle.complain(sent_at=1.6, now=1.7)
    throttle.accepted(sent_at=1.65)  # left before the pause: says nothing
    throttle.complain(sent_at=2.8, now=2.9)
    assert throttle.paused(2.9) == pytest.approx(2.0)
    throttle.accepted(sent_at=5.0)
    throttle.complain(sent_at=6.0, now=6.1)
    assert throttle.paused(6.1) == pytest.approx(FIRST_PAUSE)


def test_nothing_accrues_in_the_silence() -> None:
    throttle = Throttle(100.0, 50, now=0.0)
    throttle.complain(sent_at=0.0, now=0.0)
    assert throttle.available(0.5) <= 1


@pytest.mark.parametrize("state", [0, 1, 29, 30, 49, 50, 69, 70, 79, 101, 255])
def test_an_operator_with_room_or_a_reserved_state_asks_for_nothing(state: int) -> None:
    assert brake(state) is None
    throttle = Throttle(100.0, 10, now=0.0)
    throttle.congestion(state, 1.0, 1.1)
    assert throttle.rate_now(1.1) == 100.0


def test_the_brake_grows_with_the_congestion() -> None:
    assert [brake(state) for state in (80, 89)] == [1.0, 1.0]
    shares = [brake(state) or 0.0 for state in range(89, 101)]
    assert shares == sorted(shares, reverse=True)
    assert len(set(shares)) == len(shares)
    assert shares[1] > 0.95 - 1e-3
    assert shares[-1] == pytest.approx(0.5)


def test_congestion_slows_down_once_a_round_trip_and_without_silence() -> None:
    throttle = Throttle(100.0, 10, now=0.0)
    for _ in range(10):
        throttle.congestion(100, sent_at=1.0, now=1.1)
    throttle.congestion(95, sent_at=1.09, now=1.15)
    assert throttle.rate_now(1.1) == pytest.approx(50.0)
    assert throttle.paused(1.1) == 0
    assert throttle.available(1.1) >= 1
    throttle.congestion(100, sent_at=1.2, now=1.3)
    assert throttle.rate_now(1.3) == pytest.approx(25.0, rel=0.02)
    for step in range(20):
        throttle.congestion(100, sent_at=2.0 + step / 100, now=2.0 + step / 100)
    assert throttle.rate_now(2.19) == pytest.approx(100.0 * LEAST_SHARE)


def test_at_the_optimum_the_rate_stays_where_it_is() -> None:
    throttle = Throttle(100.0, 10, now=0.0)
    throttle.congestion(85, sent_at=0.0, now=0.0)
    assert throttle.rate_now(0.0) == 100.0
    throttle.congestion(100, sent_at=1.0, now=1.0)
    for step in range(301):
        now = 1.0 + step / 10
        throttle.congestion(80, sent_at=now - 0.05, now=now)
        assert throttle.rate_now(now) == pytest.approx(50.0)
    throttle.congestion(79, sent_at=31.0, now=31.1)
    assert throttle.rate_now(46.0) == pytest.approx(75.0)
    throttle.congestion(85, sent_at=46.0, now=46.0)
    assert throttle.rate_now(61.0) == pytest.approx(100.0), "told no more, it grows on"


def test_a_state_does_not_hide_a_refusal_of_what_was_sent_before_it() -> None:
    throttle = Throttle(100.0, 10, now=0.0)
    throttle.congestion(100, sent_at=1.0, now=1.1)
    throttle.congestion(85, sent_at=1.2, now=1.3)
    throttle.complain(sent_at=1.25, now=1.4)
    assert throttle.paused(1.4) == pytest.approx(FIRST_PAUSE)


def test_pace_follows_what_is_answered_and_forgets_a_night() -> None:
    pace = Pace(now=0.0)
    for step in range(1, 21):
        pace.add(20, step * 0.1)
    assert pace.per_second == pytest.approx(200.0, rel=0.01)
    pace.add(1, 30_000.0)
    assert pace.per_second < 1
