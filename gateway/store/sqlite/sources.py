"""What waits, by lane, account and source: the index that tells a lease where to look.

In: arrivals and departures, as the writer's transactions make them (and unmake them on rollback).
Out: where due messages are, in an order that is fair between accounts and between the sources
(batches, single messages) of an account. Knows counts and times, never messages.

All of it is rebuilt at start from one scan of the index `messages_due`.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterator
from itertools import count, islice
from typing import Final

MAX_SOURCES: Final = 64
"""Sources one lease asks of a lane: each is a statement. The others come first the next time."""
ENOUGH_SOURCES: Final = 16
"""Sources one lease asks if they have what it wants: with 90 campaigns waiting, a lease of 3,000
costs 6 us a message instead of 8, and a quarter of the waits for the interpreter lock. Every
campaign still has its turn within a few leases."""


class Source:
    """The messages of one source in one lane."""

    __slots__ = ("account", "lane", "next_due", "ready", "source", "waiting", "width")

    def __init__(self, lane: int, account: int, source: int) -> None:
        self.lane = lane
        self.account = account
        self.source = source
        self.waiting = 0
        self.next_due = 0
        """No message is due before; it may be later than this."""
        self.ready = False
        self.width = 1.0
        """Parts of a message, as the last ones leased had."""

    @property
    def pdus(self) -> int:
        """About how many PDUs wait."""
        return math.ceil(self.waiting * self.width)


class _Lane:
    __slots__ = ("later", "ready", "waiting")

    def __init__(self) -> None:
        self.ready: OrderedDict[int, OrderedDict[int, Source]] = OrderedDict()
        """Account -> source -> those that may have due messages, next in turn first."""
        self.later: list[tuple[int, int, Source]] = []
        self.waiting = 0


class Sources:
    """Written by the writer's thread alone."""

    __slots__ = (
        "_by_source", "_entries", "_lanes", "_order", "by_account", "paused", "waiting",
    )  # fmt: skip

    def __init__(self) -> None:
        self._lanes: dict[int, _Lane] = {}
        self._entries: dict[tuple[int, int], Source] = {}
        self._by_source: dict[int, dict[int, Source]] = {}
        self._order = count()
        self.paused: set[int] = set()
        """Batches that are not running."""
        self.waiting = 0
        """Messages that wait, in all lanes, held ones included."""
        self.by_account: Counter[int] = Counter()
        """The same for each account. Any thread may look."""

    def arrive(self, lane: int, account: int, source: int, messages: int, due: int) -> None:
        """`messages` more wait; the first of them is due at `due`."""
        entry = self._entries.get((lane, source))
        if entry is None:
            entry = Source(lane, account, source)
            entry.next_due = due
            self._entries[lane, source] = entry
            self._by_source.setdefault(source, {})[lane] = entry
            self._queue(entry)
        elif due < entry.next_due:
            entry.next_due = due
            if not entry.ready:
                self._queue(entry)
        entry.waiting += messages
        self.waiting += messages
        self.by_account[account] += messages
        self._lane(lane).waiting += messages

    def leave(self, lane: int, source: int, messages: int) -> None:
        """`messages` fewer wait."""
        entry = self._entries[lane, source]
        entry.waiting -= messages
        self.waiting -= messages
        self.by_account[entry.account] -= messages
        self._lanes[lane].waiting -= messages
        if entry.waiting == 0:
            self._unready(entry)
            del self._entries[lane, source]
            lanes = self._by_source[source]
            del lanes[lane]
            if not lanes:
                del self._by_source[source]

    def pause(self, source: int) -> None:
        """Pass over a batch until `resume`."""
        self.paused.add(source)
        for entry in self._by_source.get(source, {}).values():
            self._unready(entry)

    def resume(self, source: int) -> None:
        """Lease from a batch again."""
        self.paused.discard(source)
        for entry in self._by_source.get(source, {}).values():
            if not entry.ready:
                self._queue(entry)

    def ready(self, lane: int, now: int, pdus: int) -> list[list[Source]]:
        """Sources that may have due messages: a list for each account, in turn. No more than are
        likely to have `pdus`, beyond the first few; at most `MAX_SOURCES`."""
        queue = self._lanes.get(lane)
        if queue is None:
            return []
        later = queue.later
        while later and later[0][0] <= now:
            due, _, entry = heapq.heappop(later)
            if self._valid(entry, due):
                entry.ready = True
                queue.ready.setdefault(entry.account, OrderedDict())[entry.source] = entry
        few = _first(queue, ENOUGH_SOURCES)
        if sum([source.pdus for own in few for source in own]) >= pdus:
            return few
        return _first(queue, MAX_SOURCES)

    def served(self, entry: Source) -> None:
        """It had its turn: its account and, within it, the source go to the end."""
        if entry.ready:
            accounts = self._lanes[entry.lane].ready
            accounts.move_to_end(entry.account)
            accounts[entry.account].move_to_end(entry.source)

    def exhausted(self, entry: Source, next_due: int | None) -> None:
        """Nothing of it is due before `next_due` (None: nothing waits)."""
        self._unready(entry)
        if next_due is not None and entry.waiting:
            entry.next_due = next_due
            self._queue(entry)

    def wake(self, lane: int, source: int) -> None:
        """Look at a source again: what was said of it did not come to pass."""
        entry = self._entries.get((lane, source))
        if entry is not None:
            entry.next_due = 0
            if not entry.ready:
                self._queue(entry)

    def next_due(self, lanes: list[int]) -> int | None:
        """When the first message in any of the lanes is due, as far as is known; in the past if
        more may wait already."""
        earliest: int | None = None
        for lane in lanes:
            queue = self._lanes.get(lane)
            if queue is None:
                continue
            due: int | None = None
            if queue.ready:
                due = next(iter(next(iter(queue.ready.values())).values())).next_due
            else:
                later = queue.later
                while later and not self._valid(later[0][2], later[0][0]):
                    heapq.heappop(later)
                if later:
                    due = later[0][0]
            if due is not None and (earliest is None or due < earliest):
                earliest = due
        return earliest

    def waits(self, account: int) -> bool:
        """Whether the account has messages waiting."""
        return self.by_account[account] > 0

    def of(self, source: int) -> list[Source]:
        """Where a source's messages wait."""
        return list(self._by_source.get(source, {}).values())

    def places(self, accounts: Collection[int] | None) -> list[tuple[int, int, int]]:
        """Lane, source and account of all that waits for these accounts (None: for all)."""
        return [
            (entry.lane, entry.source, entry.account)
            for entry in self._entries.values()
            if accounts is None or entry.account in accounts
        ]

    def depths(self) -> Iterator[tuple[int, int, int | None]]:
        """Lane, messages waiting, first due of what is not paused. Any thread may ask; the answer
        is about now."""
        dues: dict[int, int] = {}
        for entry in list(self._entries.values()):
            if entry.source not in self.paused:
                dues[entry.lane] = min(dues.get(entry.lane, entry.next_due), entry.next_due)
        for lane, queue in list(self._lanes.items()):
            if lane > 0:
                yield lane, queue.waiting, dues.get(lane)

    def _lane(self, lane: int) -> _Lane:
        queue = self._lanes.get(lane)
        if queue is None:
            queue = self._lanes[lane] = _Lane()
        return queue

    def _queue(self, entry: Source) -> None:
        if entry.source not in self.paused:
            later = self._lane(entry.lane).later
            heapq.heappush(later, (entry.next_due, next(self._order), entry))

    def _valid(self, entry: Source, due: int) -> bool:
        """Whether a heap entry still tells the truth (others stay behind and are dropped here)."""
        return (
            not entry.ready
            and entry.waiting > 0
            and entry.next_due == due
            and entry.source not in self.paused
            and self._entries.get((entry.lane, entry.source)) is entry
        )

    def _unready(self, entry: Source) -> None:
        if entry.ready:
            entry.ready = False
            accounts = self._lanes[entry.lane].ready
            sources = accounts[entry.account]
            del sources[entry.source]
            if not sources:
                del accounts[entry.account]


def _first(queue: _Lane, most: int) -> list[list[Source]]:
    accounts = list(islice(queue.ready.values(), most))
    each = max(1, most // max(1, len(accounts)))
    return [list(islice(sources.values(), each)) for sources in accounts]


def shares(total: int, capacities: list[int]) -> list[int]:
    """Split `total` as evenly as the capacities allow; what is left over goes to the first.

    `shares(10, [2, 100, 100])` is `[2, 4, 4]`.
    """
    result = [0] * len(capacities)
    left = min(total, sum(capacities))
    open_ = [index for index, capacity in enumerate(capacities) if capacity > 0]
    while left:
        even = left // len(open_)
        if even == 0:
            for index in open_[:left]:
                result[index] += 1
            break
        for index in open_:
            grant = min(even, capacities[index] - result[index])
            result[index] += grant
            left -= grant
        open_ = [index for index in open_ if result[index] < capacities[index]]
    return result
