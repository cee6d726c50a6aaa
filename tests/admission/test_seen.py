from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.admission import seen
from gateway.admission.seen import NumberSet
from gateway.admission.uploads import Uploads


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(10_000_000, 10_000_300)), max_size=30))
def test_answers_as_a_set_does(lists: list[list[int]]) -> None:
    kept = seen._FRESH
    try:
        seen._FRESH = 8  # type: ignore[misc]
        mine, reference = NumberSet(), set[int]()
        for numbers in lists:
            expected = []
            for number in numbers:
                expected.append(number not in reference)
                reference.add(number)
            assert mine.add_new(numbers) == expected
            assert len(mine) == len(reference)
    finally:
        seen._FRESH = kept  # type: ignore[misc]


def test_many_numbers_take_few_runs() -> None:
    rng = random.Random(3)
    numbers = NumberSet()
    for _ in range(20):
        numbers.add_new([rng.randrange(79_000_000_000, 80_000_000_000) for _ in range(10_000)])
    assert len(numbers._runs) <= 8


def test_forget() -> None:
    numbers = NumberSet([1, 2, 3])
    numbers.add_new([4])
    numbers.forget([2, 4])
    assert numbers.add_new([1, 2, 4]) == [False, True, True]


class Stored:
    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers
        self.calls = 0

    async def batch_numbers(
        self, batch: int, limit: int, cursor: int | None = None
    ) -> tuple[list[int], int | None]:
        self.calls += 1
        start = cursor or 0
        piece = self.numbers[start : start + 2]
        return piece, start + 2 if start + 2 < len(self.numbers) else None


async def test_an_upload_that_goes_on_knows_what_is_stored() -> None:
    store = Stored([1, 2, 3, 4, 5])
    uploads = Uploads(store)
    numbers = await uploads.seen(7)
    assert numbers.add_new([5, 6]) == [False, True]
    assert await uploads.seen(7) is numbers
    assert store.calls == 3
