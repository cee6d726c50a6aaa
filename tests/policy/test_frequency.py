"""Counting messages to numbers: against a plain list of what was written when."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.policy.frequency import SEGMENTS, SLOTS, Contacts

SECOND = 1_000_000
DAY = 86_400 * SECOND
START = 1_795_687_200 * SECOND


def test_so_many_in_a_period_and_then_one_more_after_it() -> None:
    table = Contacts(2, DAY)
    assert table.add([1, 2], START) == [0, 0]
    assert table.add([1], START + DAY // 2) == [0]
    (until,) = table.add([1], START + DAY // 2 + SECOND)
    assert START + DAY <= until <= START + DAY + 2 * (DAY // SLOTS + 1)
    assert table.add([1], until) == [0]
    assert table.add([2], until - 2 * DAY // SLOTS) == [0]


def test_what_is_looked_at_is_not_noted() -> None:
    table = Contacts(1, DAY)
    assert table.add([7], START, dry=True) == [0]
    assert table.add([7], START) == [0]
    assert table.add([7], START, dry=True) != [0]
    assert table.entries == 1


def test_what_is_taken_back_may_be_written_again() -> None:
    table = Contacts(1, DAY)
    table.add([7, 8], START)
    table.forget([7, 9], START)
    assert table.add([7, 8], START)[0] == 0
    assert table.add([8], START) != [0]


def test_a_lower_cap_waits_for_as_many_as_it_takes() -> None:
    table = Contacts(1, DAY)
    for hour in range(4):
        table.note([7], START + hour * 3600 * SECOND)
    (until,) = table.add([7], START + 4 * 3600 * SECOND)
    assert until >= START + 3 * 3600 * SECOND + DAY


def test_a_clock_that_is_put_back_forgets_nothing() -> None:
    table = Contacts(1, DAY)
    table.add([7], START)
    assert table.add([7], START - 3600 * SECOND) != [0]


@pytest.mark.parametrize("pause", [0.3, 0.49, 0.51, 0.9, 1.1, 1.4, 1.6, 1.99, 2.01, 2.5, 4.2])
def test_the_dial_may_come_round(pause: float) -> None:
    """Nothing that is out of date counts again, nothing that is not is lost, whatever the pause
    between two looks."""
    table = Contacts(1, DAY)
    at, last = START, {}
    dice = random.Random(7)
    for _ in range(60):
        at += int(DAY * pause * dice.uniform(0.5, 1.0))
        numbers = [dice.randrange(1, 40) for _ in range(10)]
        for number in numbers:
            (until,) = table.add([number], at)
            since = at - last.get(number, 0)
            if until:
                assert since <= DAY + 2 * (DAY // SLOTS + 1)
            else:
                assert since >= DAY
                last[number] = at


@settings(max_examples=60)
@given(
    most=st.integers(1, 4),
    steps=st.lists(
        st.tuples(st.integers(1, 6), st.integers(0, DAY), st.booleans()), min_size=1, max_size=150
    ),
)
def test_never_more_than_the_cap_in_any_period(
    most: int, steps: list[tuple[int, int, bool]]
) -> None:
    table = Contacts(most, DAY)
    at = START
    written: dict[int, list[int]] = {}
    for number, pause, undone in steps:
        at += pause
        (until,) = table.add([number], at)
        times = written.setdefault(number, [])
        lately = [time for time in times if at - time < DAY]
        if until:
            exactly = [time for time in times if at - time <= DAY + 2 * (DAY // SLOTS + 1)]
            assert len(exactly) >= most
        else:
            assert len(lately) < most
            if undone:
                table.forget([number], at)
            else:
                times.append(at)


def test_a_million_numbers_grow_by_small_steps() -> None:
    """Whatever the order they come in, none is lost and memory follows their count."""
    table = Contacts(1, DAY)
    numbers = [*range(79160000000, 79160100000), 15, 999_999_999_999_999]
    assert not any(table.add(numbers, START))
    assert all(table.add(numbers, START + SECOND))
    segments = [each for each in table._segments if each is not None]
    assert len(segments) == SEGMENTS
    octets = sum(len(each) * 8 for each in segments)
    assert octets / len(numbers) < 24
    assert max(len(each) for each in segments) * 8 < 4 * octets / SEGMENTS
