"""Marks: nobody is ever missed, and few are suspected for nothing."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.sqlite.marks import BITS, COARSE, SMALLEST, Marks

BASE = 79160000000


def filled(secret: int, account: int, numbers: list[int]) -> Marks:
    marks = Marks()
    marks.start(secret, [account])
    marks.collect()
    marks.allocate(len(numbers))
    marks.fill(account, numbers)
    marks.finish()
    return marks


numbers = st.integers(10_000, 10**15 - 1)
pairs = st.lists(st.tuples(st.integers(1, 9), numbers), max_size=60)


@given(st.integers(0, 2**60 - 1), pairs, pairs, pairs, st.lists(numbers, max_size=20))
def test_nobody_is_missed_whenever_added(secret, before, during, after, others):
    marks = Marks()
    marks.start(secret, {account for account, _ in before})
    marks.collect()
    for account, number in during:
        marks.add(account, [number])
    marks.allocate(len(before))
    for account, number in before:
        marks.fill(account, [number])
    for account, number in after:
        marks.add(account, [number])
    asked = [number for _, number in [*before, *during, *after]] + others
    known = {account for account, _ in [*before, *during, *after]}
    for account in known:
        assert marks.candidates(account, asked) == asked  # not filled yet: everybody
    marks.finish()
    for account, number in [*before, *during, *after]:
        found = marks.candidates(account, [*others, number])
        assert number in found
    assert marks.candidates(77, asked) == []


COUNT = (1 << SMALLEST) // BITS
CHANCE = random.Random(7)
FAR = 500_000


@pytest.mark.parametrize(
    ("own", "asked"),
    [
        (range(COUNT), range(COUNT, 2 * COUNT)),
        (range(0, 10 * COUNT, 10), range(1, 10 * COUNT, 10)),
        (range(0, 1000 * COUNT, 1000), range(500, 1000 * COUNT, 1000)),
        (
            [block * 10**6 + n for block in range(100) for n in range(COUNT // 100)],
            [block * 10**6 + FAR + n for block in range(100) for n in range(COUNT // 100)],
        ),
        (CHANCE.sample(range(10**10), COUNT), CHANCE.sample(range(10**10, 10**11), 50_000)),
    ],
    ids=["neighbours", "tens", "thousands", "blocks", "random"],
)
def test_few_others_are_suspected_even_when_it_is_full(own: Sequence[int], asked: Sequence[int]):
    for secret in (0, CHANCE.getrandbits(60)):
        marks = filled(secret, 1, [BASE + number for number in own])
        assert not marks.full
        assert marks.octets == 1 << (SMALLEST - 3)
        assert len(marks.candidates(1, [BASE + number for number in own])) == len(own)
        assert len(marks.candidates(1, [BASE + number for number in asked])) < len(asked) / 300


def test_another_accounts_entries_are_not_ones_own():
    own = list(range(BASE, BASE + 100_000))
    marks = filled(5, 1, own)
    marks.add(2, [BASE])
    assert BASE in marks.candidates(2, own)
    assert len(marks.candidates(2, own)) < 300
    assert not marks.knows(3)


def test_everyones_entries_hold_for_all_accounts():
    marks = filled(5, 1, [BASE])
    marks.everyone = 9
    marks.add(9, [BASE + 1])
    for account in (1, 2):
        assert BASE + 1 in marks.candidates(account, [BASE + 1, BASE + 2])
    assert marks.candidates(1, [BASE]) == [BASE]
    assert marks.candidates(9, [BASE + 1]) == [BASE + 1]


def test_a_mark_finds_its_number_and_tells_little():
    marks = filled(3, 2, [])
    kept = [marks.mark(1, BASE + n) for n in range(50)]
    assert all(0 <= one < 1 << COARSE for one in kept)
    assert marks.candidates(1, range(BASE, BASE + 50)) == []
    marks.add_marks(1, kept)
    assert marks.candidates(1, range(BASE, BASE + 50)) == list(range(BASE, BASE + 50))
    assert len(marks.candidates(1, range(BASE + 50, BASE + 50_050))) < 50
    marks.everyone = 1
    assert marks.candidates(7, [BASE + 1]) == [BASE + 1]


def test_growing_keeps_what_is_there_and_what_comes_meanwhile():
    room = (1 << SMALLEST) // BITS
    marks = filled(1, 1, list(range(BASE, BASE + room)))
    assert not marks.full
    marks.add(1, range(BASE + room, BASE + room + 100))
    assert marks.full
    marks.collect()
    assert not marks.full  # it is being seen to
    marks.add(1, [BASE - 1])
    assert marks.candidates(1, [BASE - 1]) == [BASE - 1]
    marks.allocate(2 * room)
    marks.fill(1, range(BASE, BASE + room + 100))
    marks.add(1, [BASE - 2])
    assert marks.candidates(1, [BASE - 2]) == [BASE - 2]
    # The attempt failed and is made again: what was added since is not read twice, and not lost.
    marks.allocate(2 * room)
    marks.fill(1, range(BASE, BASE + room + 100))
    marks.finish()
    assert marks.octets > 1 << (SMALLEST - 3)
    everyone = range(BASE - 2, BASE + room + 100)
    assert len(marks.candidates(1, everyone)) == len(everyone)


def test_two_threads_lose_no_bit():
    marks = filled(1, 1, [])
    halves = [list(range(BASE + n, BASE + 40_000, 2)) for n in range(2)]

    def add(numbers: list[int]) -> None:
        for first in range(0, len(numbers), 16):
            marks.add(1, numbers[first : first + 16])

    threads = [threading.Thread(target=add, args=(half,)) for half in halves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(marks.candidates(1, range(BASE, BASE + 40_000))) == 40_000
