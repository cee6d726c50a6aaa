"""All binds of one process: how they come, how fast they send, what they heard together.

In: how many binds, over which logins; a feed; a rate or none. Out: counts.
"""

import asyncio
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from bench.esme.customer import Customer
from bench.esme.feed import Feed
from bench.esme.ledger import Ledger
from bench.load.report import percentiles

_BINDING_AT_ONCE: Final = 200
"""Connections that have not bound yet: customers that all come back after an outage do not wait
for each other, but a machine that plays them all has one core for it."""
_TICK: Final = 0.01
_WARM_UP: Final = 0.1
"""Of all messages, the share answered before binds are compared."""


class Crowd:
    """`binds` transceivers of `logins` logins in turn: esme0, esme1, ..., or from `login` on. Login
    n belongs to account n modulo `accounts`, and an account's binds share a ledger, as its receipts
    come over any of them.

    rate     messages per second over all binds together; 0: as fast as they are answered
    enquire  seconds between two enquire_links of one bind; 0: none
    """

    def __init__(
        self,
        port: int,
        feed: Feed,
        *,
        binds: int = 1,
        logins: int = 1,
        login: int = 0,
        accounts: int = 1,
        window: int = 1_000,
        rate: float = 0.0,
        enquire: float = 0.0,
    ) -> None:
        self.feed = feed
        self.refused: Counter[str] = Counter()
        self.unexpected = 0
        """Responses to nothing, and PDUs that nobody asked for."""
        self.asked_by_gateway = 0
        self.enquiries_answered = 0
        self.connections_lost = 0
        self._port = port
        self._ledgers = [Ledger() for _ in range(accounts)]
        self._customers = [
            Customer(self, self._ledgers[n % logins % accounts], f"esme{login + n % logins}")
            for n in range(binds)
        ]
        self._window = window
        self._rate = rate
        self._enquire = enquire
        self._enquiries = 0
        self._up = 0
        self._binds_refused = 0
        self._binding = asyncio.Semaphore(_BINDING_AT_ONCE)
        self._all_bound = asyncio.Event()
        self._bound_in = 0.0
        self._began = 0.0
        self._answered = 0
        self._delays = array("d")
        self._first_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._from: list[int] = []
        self._to: list[int] = []

    # ---- what is done with it

    def bind(self) -> None:
        """Begin to connect and bind all."""
        self._began = time.monotonic()
        self._keep(self._bind_all())
        if self._enquire:
            self._keep(self._enquire_all())

    def start(self) -> None:
        """Begin to send."""
        self._first_at = time.monotonic()
        if self._rate:
            self._keep(self._pace())
        else:
            for customer in self._customers:
                customer.submit(self._window)

    def quiet(self) -> None:
        """Ask no more whether the gateway is there."""
        self._enquire = 0.0

    async def stop(self) -> None:
        """Hang up everywhere."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for customer in self._customers:
            if customer.up:
                customer.close()

    # ---- what its binds tell

    def bound(self, customer: Customer, status: int) -> None:
        """A bind was answered."""
        self._binding.release()
        if status:
            self._binds_refused += 1
            return
        self._up += 1
        if self._up == len(self._customers):
            self._bound_in = time.monotonic() - self._began
            self._all_bound.set()

    def lost(self, customer: Customer) -> None:
        """A connection has ended."""
        self.connections_lost += 1

    def answered(self, customer: Customer, delays: Sequence[float]) -> None:
        """Responses have come to one bind, so long after the submits."""
        self._delays.extend(delays)
        self._answered += len(delays)
        if not self._from and self._answered >= self.feed.count * _WARM_UP:
            self._from = [one.answered for one in self._customers]
        if self._rate:
            return
        free = self._window - customer.outstanding
        if self.feed.left:
            customer.submit(free)
        elif not self._to:
            self._to = [one.answered for one in self._customers]

    # ---- what is known

    def statistics(self) -> dict[str, Any]:
        """All counts, for JSON."""
        ledgers = self._ledgers
        stats: Counter[str] = Counter()
        for ledger in ledgers:
            stats.update(ledger.stats)
        return {
            "bound": sum(one.up for one in self._customers),
            "bound_in": self._bound_in,
            "binds_refused": self._binds_refused,
            "connections_lost": self.connections_lost,
            "sent": self.feed.count - self.feed.left,
            "answered": self._answered,
            "refused": dict(self.refused),
            "unexpected": self.unexpected,
            "receipts": sum(stats.values()),
            "stats": dict(stats),
            "receipts_matched": sum(len(one.receipt_delays) for one in ledgers),
            "receipts_repeated": sum(one.repeated for one in ledgers),
            "receipts_unknown": sum(one.unknown for one in ledgers),
            "malformed": sum(one.malformed for one in ledgers),
            "same_ids": sum(one.same_ids for one in ledgers),
            "enquiries": self._enquiries,
            "enquiries_answered": self.enquiries_answered,
            "asked_by_gateway": self.asked_by_gateway,
            "first_at": self._first_at,
            "last_at": max(one.last_at for one in ledgers),
            "cpu": time.process_time(),
        }

    def figures(self) -> dict[str, Any]:
        """What takes a while to work out: delays, and how evenly binds were served."""
        receipts = [delay for ledger in self._ledgers for delay in ledger.receipt_delays]
        served = [to - since for since, to in zip(self._from, self._to, strict=False)]
        return {
            "response_ms": percentiles(self._delays),
            "receipt_ms": percentiles(receipts),
            "least_served": min(served, default=0),
            "most_served": max(served, default=0),
        }

    # ---- within

    async def _bind_all(self) -> None:
        loop = asyncio.get_running_loop()
        for customer in self._customers:
            await self._binding.acquire()
            await loop.create_connection(customer.protocol, "127.0.0.1", self._port)

    async def _pace(self) -> None:
        began, sent, turn = time.monotonic(), 0, 0
        while self.feed.left:
            due = int((time.monotonic() - began) * self._rate) - sent
            if due > 0:
                customer = self._customers[turn % len(self._customers)]
                turn += 1
                customer.submit(due)
                sent += due
            await asyncio.sleep(_TICK)

    async def _enquire_all(self) -> None:
        """Everybody once in `enquire` seconds, spread over them."""
        await self._all_bound.wait()
        customers, asked = self._customers, 0
        began = time.monotonic()
        while self._enquire:
            due = int((time.monotonic() - began) / self._enquire * len(customers)) - asked
            for n in range(asked, asked + due):
                customer = customers[n % len(customers)]
                if customer.up:
                    customer.enquire()
                    self._enquiries += 1
            asked += due
            await asyncio.sleep(_TICK)

    def _keep(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
