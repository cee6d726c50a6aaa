"""A dispatcher between a store and simulated operators on loopback.

The store stands in for the contract's `lease`, `settle` and `settle_late` only, in memory, so that
a test sees every result; what a real store does with them is held by its own suite.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from bench.smsc import Behaviour, SimulatedSmsc
from config.settings import Carrier, Duration, Route, Settings
from gateway.dispatch.dispatcher import Dispatcher
from gateway.dispatch.profile import Profile
from gateway.errors import StoreUnavailable
from gateway.metrics import Metrics
from gateway.model import Status
from gateway.store.contract import (
    Content,
    Demand,
    LateAnswer,
    Lease,
    Leased,
    QueueDepth,
    Settled,
)
from protocol.pdu import Pdu


def utc_now() -> int:
    return time.time_ns() // 1000


class Waiting:
    """A message in the fake store."""

    def __init__(self, message: Leased, due: int) -> None:
        self.message = message
        self.due = due


class MemoryStore:
    """What dispatch sees of a store, with everything that passed kept for the test."""

    def __init__(self) -> None:
        self.contents: dict[int, Content] = {}
        self.waiting: dict[int, Waiting] = {}
        self.leased: dict[int, str] = {}
        self.results: list[Settled] = []
        self.late: list[LateAnswer] = []
        self.calls: list[Sequence[Settled]] = []
        self.demands: list[Demand] = []
        self.away = False
        self.refused = 0
        self._next_id = 0
        self._listeners: list[Callable[[], None]] = []
        self._watchers: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    # ---- for tests

    def put(
        self,
        numbers: Sequence[int],
        text: str = "Hello",
        *,
        lane: str = "main/bulk",
        category: str = "service",
        sender: str = "ALDIS",
        parts: int = 1,
        due: int = 0,
        deadline: int | None = None,
        variables: Sequence[str] | None = None,
        **content: Any,
    ) -> list[int]:
        """Queue one message per number, all of one content; returns their ids."""
        self._next_id += 1
        identifier = self._next_id
        self.contents[identifier] = Content(
            identifier, "acme", sender, text, category, templated=variables is not None, **content
        )
        now = utc_now()
        ids = []
        for index, number in enumerate(numbers):
            self._next_id += 1
            ids.append(self._next_id)
            message = Leased(
                self._next_id, identifier, number, parts, 0, 1,
                now + 3_600_000_000 if deadline is None else deadline,
                lane, "acme", None, None if variables is None else variables[index], None, now,
            )  # fmt: skip
            self.waiting[message.id] = Waiting(message, due)
        self._work()
        return ids

    def of(self, status: Status) -> list[Settled]:
        """Results with this status."""
        return [result for result in self.results if result.status == status]

    async def until(self, condition: Callable[[], bool], timeout: float = 5.0) -> None:
        """Return once `condition` holds; it is looked at after every call of the contract."""
        if condition():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watchers.append((condition, future))
        await asyncio.wait_for(future, timeout)

    async def sent(self, count: int, timeout: float = 5.0) -> None:
        """Wait for so many messages taken by operators."""
        await self.until(lambda: len(self.of(Status.SENT)) >= count, timeout)

    # ---- the contract

    async def lease(self, demands: Sequence[Demand], now: int) -> Lease:
        await asyncio.sleep(0)
        self._refuse_while_away()
        self.demands += demands
        taken: list[list[Leased]] = []
        contents: dict[int, Content] = {}
        for demand in demands:
            mine: list[Leased] = []
            left = demand.parts
            for lane in demand.lanes:
                for waiting in [w for w in self.waiting.values() if w.message.lane == lane]:
                    message = waiting.message
                    if waiting.due > now:
                        continue
                    if message.parts > left and not (demand.idle and not mine):
                        break
                    left -= message.parts
                    del self.waiting[message.id]
                    self.leased[message.id] = demand.carrier
                    contents[message.content] = self.contents[message.content]
                    mine.append(message)
            taken.append(mine)
        lanes = {lane for demand in demands for lane in demand.lanes}
        dues = [w.due for w in self.waiting.values() if w.message.lane in lanes]
        self._changed()
        return Lease(taken, contents, min(dues, default=None))

    async def settle(self, results: Sequence[Settled]) -> None:
        await asyncio.sleep(0)
        self._refuse_while_away()
        self.calls.append(list(results))
        again = False
        for result in results:
            message = result.message
            assert self.leased.pop(message.id) == result.carrier, "settled twice, or by another"
            self.results.append(result)
            if result.status == Status.QUEUED:
                again = True
                message.attempts, message.lane = result.attempts, result.lane
                message.sequence += 1
                self.waiting[message.id] = Waiting(message, result.due)
        if again:
            self._work()
        self._changed()

    async def settle_late(self, answers: Sequence[LateAnswer]) -> None:
        self.late += answers
        self._changed()

    def depths(self) -> list[QueueDepth]:
        lanes = {w.message.lane for w in self.waiting.values()}
        return [
            QueueDepth(lane, sum(w.message.lane == lane for w in self.waiting.values()), None)
            for lane in sorted(lanes)
        ]

    def on_work(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    # ---- within

    def _refuse_while_away(self) -> None:
        if self.away:
            self.refused += 1
            self._changed()
            raise StoreUnavailable("away")

    def _work(self) -> None:
        for listener in self._listeners:
            listener()

    def _changed(self) -> None:
        for watcher in list(self._watchers):
            if watcher[0]() and not watcher[1].done():
                watcher[1].set_result(None)
                self._watchers.remove(watcher)


class Port:
    """Takes deliver_sm; a test may hold the answers back or change them."""

    def __init__(self) -> None:
        self.lists: list[list[Pdu]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.status = 0
        self.error: Exception | None = None
        self.called = asyncio.Event()

    async def __call__(self, profile: Profile, pdus: list[Pdu]) -> list[int]:
        self.lists.append(pdus)
        self.called.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return [self.status] * len(pdus)


def carrier(name: str, *smscs: SimulatedSmsc, **changes: Any) -> Carrier:
    """Settings for carriers that test quickly: no waiting where a test does not ask for it."""
    given: dict[str, Any] = {
        "hosts": tuple(f"127.0.0.1:{smsc.port}" for smsc in smscs),
        "system_id": "aldis",
        "password": "secret",
        "rate": 100_000.0,
        "reconnect_min": Duration(0.02),
        "reconnect_max": Duration(0.1),
        "connect_timeout": Duration(2.0),
        "retry_delay": Duration(0.01),
    }
    return Carrier(name=name, **(given | changes))


def settings(*carriers: Carrier, routes: Sequence[Route] | None = None) -> Settings:
    """One route over all carriers, unless told otherwise."""
    if routes is None:
        routes = (Route(name="main", carriers=tuple(each.name for each in carriers)),)
    return Settings(carrier=carriers, route=tuple(routes))


class World:
    """A running dispatcher with everything around it."""

    def __init__(self, store: MemoryStore, metrics: Metrics, port: Port) -> None:
        self.store = store
        self.metrics = metrics
        self.port = port
        self.dispatcher: Dispatcher

    def metric(self, name: str, **labels: str) -> float:
        """A counter's value, as scraped, after the carriers have passed on what they gathered."""
        for each in self.dispatcher._carriers.values():
            each.tick()
        value = self.metrics.registry.get_sample_value(name, labels)
        return 0.0 if value is None else value

    def statuses(self) -> Mapping[str, Any]:
        return {status.name: status for status in self.dispatcher.status()}


Smsc = Callable[..., Awaitable[SimulatedSmsc]]
Start = Callable[..., Awaitable[World]]


@pytest.fixture
async def smsc() -> AsyncIterator[Smsc]:
    """Simulated operators; by default they send no receipts."""
    async with AsyncExitStack() as stack:

        async def start(**behaviour: Any) -> SimulatedSmsc:
            given = {"receipts": {}} | behaviour
            simulated = SimulatedSmsc(Behaviour(**given), record=True)
            await stack.enter_async_context(simulated)
            return simulated

        yield start


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Dispatchers that are drained at the end."""
    worlds: list[World] = []

    async def begin(configuration: Settings) -> World:
        world = World(MemoryStore(), Metrics(), Port())
        world.dispatcher = Dispatcher(
            configuration,
            world.store,  # type: ignore[arg-type]
            world.metrics,
            world.port,
            utc_now,
        )
        await world.dispatcher.start()
        worlds.append(world)
        return world

    yield begin
    for world in worlds:
        world.store.away = False
        world.port.open.set()
        await world.dispatcher.drain(1.0)
        assert not world.store.leased, "a lease was not settled"
