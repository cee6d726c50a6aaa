"""Who was written to of late, for the accounts that have a frequency cap.

In: accounts' caps, what is let pass, and after a start what the store says was written before. Out:
tables to ask. A table nobody has filled yet is asked by nobody: as long as the store is being read,
what falls under its cap is answered 503, because a message too many cannot be taken back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from config.policies import FrequencyCap
from config.settings import Account
from gateway import metrics as m
from gateway.errors import Busy, StoreUnavailable
from gateway.ids import first_id_at
from gateway.metrics import Metrics
from gateway.policy.frequency import Contacts
from gateway.store.rates import RatesStore, Written

MOST: Final = 20_000_000
"""Messages remembered over all caps, 17 octets each: 350 MB. Beyond it what falls under a cap is
answered 503 until some are out of date."""
SLICE: Final = 5_000
"""Messages the store looks at in one call when it is read: what noting them takes, some ten
milliseconds, everybody else waits."""
SECOND: Final = 1_000_000
RETRY: Final = 1.0
"""Seconds before a store that was away is read again."""
WAIT: Final = 5.0
"""Retry-After while the store is read: a million messages take ten seconds or so."""
FULL: Final = 60.0
TEND_EVERY: Final = 1.0
"""Seconds between sweeps of what is out of date."""

_log = logging.getLogger("aldis.admission")


class Held(NamedTuple):
    """One cap of one account, for the senders that count together under it."""

    account: str
    cap: FrequencyCap
    sender: str
    """In the ledgers' spelling; empty where `cap.senders` count together."""


def spelt(sender: str) -> str:
    """A sender as caps compare it: case and a leading plus make no other."""
    return sender.lstrip("+").lower()


def applies(cap: FrequencyCap, sender: str, category: str) -> bool:
    """Whether messages of this sender and category count, and are stopped."""
    if category not in cap.categories:
        return False
    return not cap.senders or sender in [spelt(each) for each in cap.senders]


class Ledger:
    """All tables. Construct it before the store is open; `start` reads it."""

    def __init__(self, store: RatesStore, metrics: Metrics, clock: Callable[[], int]) -> None:
        """`clock` is UTC in µs."""
        self._clock = clock
        self._store = store
        self._metrics = metrics
        self._tables: dict[Held, Contacts] = {}
        self._ready: set[tuple[str, FrequencyCap]] = set()
        self._wanted: set[tuple[str, FrequencyCap]] = set()
        self._reading: asyncio.Task[None] | None = None
        self._tending: asyncio.Task[None] | None = None
        self._asked = 0
        self._full = False

    def configure(self, accounts: Iterable[Account]) -> None:
        """Keep what these accounts' caps need; read what is new from the store, in the background.
        Call it inside the running event loop."""
        wanted = {(account.name, cap) for account in accounts for cap in account.frequency}
        for held in [held for held in self._tables if (held.account, held.cap) not in wanted]:
            del self._tables[held]
        self._ready &= wanted
        self._wanted = wanted
        if self._wanted - self._ready and self._reading is None:
            loop = asyncio.get_running_loop()
            self._reading = loop.create_task(self._read(), name="frequency caps")
        if self._wanted and self._tending is None:
            loop = asyncio.get_running_loop()
            self._tending = loop.create_task(self._tend(), name="frequency caps' upkeep")
        self._show()

    async def stop(self) -> None:
        """Read and sweep no more."""
        tasks = [task for task in (self._reading, self._tending) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def ready(self) -> None:
        """Wait until every table says what the store does."""
        while self._reading is not None:
            await asyncio.wait({self._reading})

    def table(self, account: str, cap: FrequencyCap, sender: str) -> Contacts:
        """Who was written to under a cap; raises Busy while that is not known."""
        if (account, cap) not in self._ready:
            raise Busy("the frequency caps' past is being read from the store", WAIT)
        self._asked += 1
        if not self._asked & 255:  # with thousands of senders a sum for each message would tell
            self._full = self.entries >= MOST
        if self._full:
            raise Busy(
                f"{self.entries} messages are remembered for frequency caps, {MOST} may be", FULL
            )
        return self._table(account, cap, sender)

    @property
    def entries(self) -> int:
        """Messages remembered, some of them out of date."""
        return sum([table.entries for table in self._tables.values()])

    def _table(self, account: str, cap: FrequencyCap, sender: str) -> Contacts:
        held = Held(account, cap, "" if cap.senders else sender)
        table = self._tables.get(held)
        if table is None:
            table = self._tables[held] = Contacts(cap.messages, int(cap.period * 1_000_000))
        return table

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(TEND_EVERY)
            try:
                for table in list(self._tables.values()):
                    table.tend(self._clock())
                    await asyncio.sleep(0)
            except Exception:  # noqa: BLE001  (the task's edge)
                _log.exception("frequency caps not swept")
                self._metrics.count(m.TASK_ERRORS, 1, "frequency caps' upkeep")

    async def _read(self) -> None:
        """Fill the tables of caps that are new."""
        try:
            while missing := self._wanted - self._ready:
                try:
                    await self._fill(missing)
                except StoreUnavailable as error:
                    self._metrics.count(m.STORE_ERRORS, 1, "written_since", type(error).__name__)
                    await asyncio.sleep(RETRY)
                except Exception:  # noqa: BLE001  (the task's edge: logged, counted, tried again)
                    _log.exception("frequency caps not read")
                    self._metrics.count(m.TASK_ERRORS, 1, "frequency caps")
                    await asyncio.sleep(RETRY)
        finally:
            self._reading = None

    async def _fill(self, missing: set[tuple[str, FrequencyCap]]) -> None:
        for held in [held for held in self._tables if (held.account, held.cap) in missing]:
            del self._tables[held]  # of a try that failed half-way
        accounts = sorted({account for account, _ in missing})
        longest = max(cap.period for _, cap in missing)
        after: int | None = first_id_at(self._clock() - int(longest * 1_000_000)) - 1
        count = 0
        while after is not None:
            found, after = await self._store.written_since(accounts, max(0, after), SLICE)
            self._note(found, missing)
            count += len(found)
        self._ready |= missing & self._wanted
        self._show()
        _log.info("frequency caps know their past", extra={"accounts": accounts, "count": count})

    def _note(self, found: Sequence[Written], missing: set[tuple[str, FrequencyCap]]) -> None:
        together: dict[tuple[str, str, str, int], list[int]] = {}
        for one in found:
            key = one.account, one.sender, one.category, one.at // SECOND
            together.setdefault(key, []).append(one.number)
        for (name, written, category, second), numbers in together.items():
            sender = spelt(written)
            for account, cap in missing:
                if account == name and applies(cap, sender, category):
                    self._table(account, cap, sender).note(numbers, (second + 1) * SECOND)

    def _show(self) -> None:
        self._metrics.set(m.FREQUENCY_UNREAD, len(self._wanted - self._ready))

    def tick(self) -> None:
        """Now and then: the gauge of how much is remembered."""
        entries = self.entries
        self._full = entries >= MOST
        self._metrics.set(m.FREQUENCY_ENTRIES, entries)
