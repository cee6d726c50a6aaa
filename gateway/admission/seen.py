"""The numbers of one batch, in eight octets each.

A set of a million integers takes 100 MB; sorted arrays of 64-bit integers take 8 and answer in
2 us. New numbers go into a small set, which becomes a sorted run when it is full; runs of like
size are merged, so there are never more than about ten.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final

_FRESH: Final = 8_192


class NumberSet:
    """Answers `add_new` for one batch (see `draft.SeenNumbers`)."""

    __slots__ = ("_fresh", "_runs")

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._fresh: set[int] = set()
        self._runs: list[array[int]] = []
        known = array("q", sorted(set(numbers)))
        if known:
            self._runs.append(known)

    def __len__(self) -> int:
        return len(self._fresh) + sum(map(len, self._runs))

    def add_new(self, numbers: Sequence[int]) -> list[bool]:
        """For each number, whether it is new; new ones are remembered."""
        fresh = self._fresh
        answers: list[bool] = []
        for number in numbers:
            new = number not in fresh and not self._in_runs(number)
            if new:
                fresh.add(number)
            answers.append(new)
        if len(fresh) >= _FRESH:
            self._settle()
        return answers

    def forget(self, numbers: Iterable[int]) -> None:
        """Take back numbers just added, because their submission was not stored."""
        numbers = set(numbers)
        self._fresh -= numbers
        for position, run in enumerate(self._runs):
            if any(_has(run, number) for number in numbers):
                self._runs[position] = array("q", [n for n in run if n not in numbers])

    def _in_runs(self, number: int) -> bool:
        return any(_has(run, number) for run in self._runs)

    def _settle(self) -> None:
        run = array("q", sorted(self._fresh))
        self._fresh = set()
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            # Timsort merges two sorted halves in one linear pass.
            run = array("q", sorted([*self._runs.pop(), *run]))
        self._runs.append(run)


def _has(run: array[int], number: int) -> bool:
    place = bisect_left(run, number)
    return place < len(run) and run[place] == number
