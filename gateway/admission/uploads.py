"""Which numbers the batches being filled already have.

In: a batch id. Out: its `NumberSet`, read back from the store when an upload goes on after a
restart. Keeps the sets of the batches filled last, because a set is 8 octets a recipient.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Protocol

from gateway.admission.seen import NumberSet

_KEPT: Final = 32
"""Batches filled at the same time; the rest is read back in 0.3 s a million when needed."""
_SLICE: Final = 50_000


class BatchNumbers(Protocol):
    """The part of the store asked here."""

    async def batch_numbers(
        self, batch: int, limit: int, cursor: int | None = None
    ) -> tuple[list[int], int | None]:
        """The numbers of a batch in slices."""
        ...


class Uploads:
    """The number sets of the batches being filled."""

    __slots__ = ("_sets", "_store")

    def __init__(self, store: BatchNumbers) -> None:
        self._store = store
        self._sets: OrderedDict[int, NumberSet] = OrderedDict()

    async def seen(self, batch: int) -> NumberSet:
        """The set of one batch; callers of the same batch share it."""
        known = self._sets.get(batch)
        if known is None:
            known = await self._read(batch)
            # Two uploads may have asked at once: the first answer is the shared one.
            known = self._sets.setdefault(batch, known)
        self._sets.move_to_end(batch)
        if len(self._sets) > _KEPT:
            self._sets.popitem(last=False)
        return known

    def start(self, batch: int) -> NumberSet:
        """The set of a batch that is just being created: empty, nothing to read."""
        known = self._sets[batch] = NumberSet()
        if len(self._sets) > _KEPT:
            self._sets.popitem(last=False)
        return known

    async def _read(self, batch: int) -> NumberSet:
        numbers: list[int] = []
        found = NumberSet()
        cursor: int | None = None
        while True:
            numbers, cursor = await self._store.batch_numbers(batch, _SLICE, cursor)
            found.add_new(numbers)
            if cursor is None:
                return found
