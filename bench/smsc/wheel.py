"""Things that are due later, in slots of time: one loop timer however many things wait.

In: delays in seconds and items. Out: `fire(items)` once per slot. It knows nothing of the items.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from typing import Final, Generic, TypeVar

T = TypeVar("T")

# uvloop's timers count whole milliseconds; two of them join what one read set off.
_TICK: Final = 0.002


class Wheel(Generic[T]):
    """Items in order of the moment they are due, to 2 ms; within a slot in order of arrival."""

    __slots__ = ("_armed_for", "_fire", "_handle", "_loop", "_slots", "_ticks", "waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop, fire: Callable[[list[T]], None]) -> None:
        self._loop = loop
        self._fire = fire
        self._slots: dict[int, list[T]] = {}
        self._ticks: list[int] = []
        self._handle: asyncio.TimerHandle | None = None
        self._armed_for = 0
        self.waiting = 0

    def add(self, delay: float, items: Iterable[T]) -> None:
        """Fire `items` after `delay`, never early."""
        tick = int((self._loop.time() + delay) / _TICK) + 1
        slot = self._slots.get(tick)
        if slot is None:
            slot = self._slots[tick] = []
            heappush(self._ticks, tick)
        before = len(slot)
        slot.extend(items)
        self.waiting += len(slot) - before
        if self._handle is None or tick < self._armed_for:
            self._arm(tick)

    def drop(self) -> list[T]:
        """Forget everything and return it, soonest first."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        items = [item for tick in sorted(self._slots) for item in self._slots[tick]]
        self._slots.clear()
        self._ticks.clear()
        self.waiting = 0
        return items

    def __iter__(self) -> Iterator[T]:
        return (item for slot in self._slots.values() for item in slot)

    def _arm(self, tick: int) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._armed_for = tick
        self._handle = self._loop.call_at(tick * _TICK, self._turn)

    def _turn(self) -> None:
        self._handle = None
        now = self._loop.time()
        while self._ticks and self._ticks[0] * _TICK <= now:
            items = self._slots.pop(heappop(self._ticks))
            self.waiting -= len(items)
            self._fire(items)
        if self._ticks and self._handle is None:
            self._arm(self._ticks[0])
