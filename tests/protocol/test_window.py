"""Sequence numbers, places in the window, and what becomes of requests nobody answers."""

import pytest

from protocol.constants import MAX_SEQUENCE, QUERY_SM, SUBMIT_SM
from protocol.errors import UsageError
from protocol.events import Lost, TimedOut, Unsent
from protocol.window import LATE_REMEMBERED, Window


def test_numbers_run_from_one() -> None:
    window = Window(10)
    assert list(window.number(1)) == [1]
    assert list(window.number(3)) == [2, 3, 4]


def test_the_last_number_is_followed_by_the_first() -> None:
    window = Window(10, MAX_SEQUENCE - 1)
    assert list(window.number(4)) == [MAX_SEQUENCE - 1, MAX_SEQUENCE, 1, 2]
    assert list(window.number(1)) == [3]


def test_the_last_number_itself_is_used() -> None:
    assert list(Window(10, MAX_SEQUENCE).number(2)) == [MAX_SEQUENCE, 1]


def test_after_the_wrap_a_number_still_waiting_is_passed_over() -> None:
    window = Window(10, 2)
    window.add(SUBMIT_SM, ["a", "b"], 0.0)  # 2, 3
    window.session[5] = (None, QUERY_SM, 0.0)
    window._next = MAX_SEQUENCE
    assert list(window.number(4)) == [MAX_SEQUENCE, 1, 4, 6]


@pytest.mark.parametrize("first", [0, -1, MAX_SEQUENCE + 1])
def test_a_first_number_out_of_range_is_refused(first: int) -> None:
    with pytest.raises(UsageError):
        Window(10, first)


def test_a_window_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError):
        Window(0)


def test_what_does_not_fit_is_refused_whole() -> None:
    window = Window(3)
    window.add(SUBMIT_SM, ["a", "b"], 0.0)
    with pytest.raises(UsageError):
        window.add(SUBMIT_SM, ["c", "d"], 0.0)
    assert window.free == 1
    assert list(window.add(SUBMIT_SM, ["c"], 0.0)) == [3]
    assert window.free == 0


def test_a_window_made_smaller_has_no_negative_room() -> None:
    window = Window(3)
    window.add(SUBMIT_SM, ["a", "b", "c"], 0.0)
    window.size = 1
    assert window.free == 0


def test_requests_expire_in_the_order_sent() -> None:
    window = Window(10)
    window.add(SUBMIT_SM, ["a", "b"], 1.0)
    window.add(QUERY_SM, ["c"], 2.0)
    assert window.expires_at(30.0) == 31.0
    assert window.expire(30.0, 30.999) == []
    assert window.expire(30.0, 31.0) == [
        TimedOut("a", SUBMIT_SM, 1, 1.0),
        TimedOut("b", SUBMIT_SM, 2, 1.0),
    ]
    assert window.expires_at(30.0) == 32.0
    assert list(window.outstanding) == [3]
    assert list(window.late) == [1, 2]


def test_without_a_response_timer_nothing_expires() -> None:
    window = Window(10)
    window.add(SUBMIT_SM, ["a"], 1.0)
    assert window.expires_at(0) == float("inf")
    assert window.expire(0, 1e9) == []


def test_the_oldest_of_too_many_late_ones_is_forgotten() -> None:
    window = Window(LATE_REMEMBERED + 2)
    window.add(SUBMIT_SM, range(LATE_REMEMBERED + 2), 0.0)
    assert len(window.expire(1.0, 1.0)) == LATE_REMEMBERED + 2
    assert len(window.late) == LATE_REMEMBERED
    assert next(iter(window.late)) == 3


def test_a_number_used_again_makes_its_earlier_use_forgotten() -> None:
    window = Window(10)
    window.remember_late(7, ("old", SUBMIT_SM, 0.0))
    window.remember_late(8, ("other", SUBMIT_SM, 0.0))
    window.remember_late(7, ("new", SUBMIT_SM, 9.0))
    assert list(window.late.items()) == [
        (8, ("other", SUBMIT_SM, 0.0)),
        (7, ("new", SUBMIT_SM, 9.0)),
    ]


@pytest.mark.parametrize(
    ("discarded", "fates"),
    [
        (True, [Unsent(["c", "d"]), Lost(["a"])]),
        (False, [Lost(["a", "c", "d"])]),
    ],
)
def test_at_the_end_every_context_comes_back_once(
    discarded: bool, fates: list[Unsent | Lost]
) -> None:
    window = Window(10)
    window.add(SUBMIT_SM, ["a", "b"], 0.0)
    window.flushed()
    window.add(SUBMIT_SM, ["c"], 1.0)
    window.add(QUERY_SM, ["d"], 1.0)
    del window.outstanding[2]  # "b" has been answered
    assert window.end(discarded) == fates
    assert window.end(discarded) == []
