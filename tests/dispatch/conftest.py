"""A dispatcher between a real store on a file and simulated operators on loopback."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import uvloop

from bench.smsc import Behaviour, SimulatedSmsc
from config.settings import Account, Carrier, Duration, Route, Settings, StoreSettings
from gateway.dispatch import dispatcher
from gateway.dispatch.dispatcher import Dispatcher
from gateway.dispatch.profile import Profile
from gateway.errors import StoreUnavailable
from gateway.metrics import Metrics
from gateway.model import Encoding, OnUnknown, Status
from gateway.store.messages import (
    Content,
    Demand,
    LateAnswer,
    Lease,
    NewMessage,
    Sent,
    Settled,
    Submission,
    Tlv,
)
from gateway.store.rates import Reserved
from gateway.store.records import MessageFilter
from gateway.store.sqlite import SqliteStore
from protocol.pdu import Pdu


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Production runs under uvloop, whose transports and timers differ in places."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def no_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost wake-up must fail a test, not cost it a second."""
    monkeypatch.setattr(dispatcher, "HEARTBEAT", 3600.0)


def utc_now() -> int:
    return time.time_ns() // 1000


class MovedClock:
    """UTC as it would be if the clock had been set: it runs on from there."""

    def __init__(self, time: str) -> None:
        self._offset = 0
        self.set(time)

    def set(self, time: str) -> None:
        """`2026-11-26T10:00:00+01:00`."""
        self._offset = at(time) - utc_now()

    def __call__(self) -> int:
        return utc_now() + self._offset


def at(time: str) -> int:
    """UTC µs of a time with its offset."""
    return int(datetime.fromisoformat(time).timestamp() * 1_000_000)


NEVER = at("2036-01-01T00:00:00Z")
"""A deadline no clock of these tests reaches."""


class WatchedStore(SqliteStore):
    """The SQLite store on a file, with what passes through `lease` and `settle` kept for the test.

    `away` plays a full disk: `lease`, `settle` and `reserve` raise StoreUnavailable, `refused`
    counts them; without `reserving` only the last does.
    """

    def __init__(self, path: Path, metrics: Metrics) -> None:
        super().__init__(
            StoreSettings(path=str(path / "aldis.db"), synchronous="NORMAL"),
            0,
            metrics,
            utc_now,
            strict=True,
        )
        self.leased: dict[int, str] = {}
        self.results: list[Settled] = []
        self.late: list[LateAnswer] = []
        self.calls: list[Sequence[Settled]] = []
        self.demands: list[Demand] = []
        self.away = False
        self.reserving = True
        self.refused = 0
        self._watchers: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    # ---- for tests

    async def put(
        self,
        numbers: Sequence[int],
        text: str = "Hello",
        *,
        lane: str = "main/bulk",
        category: str = "service",
        parts: int = 1,
        due: int = 1,
        deadline: int | None = None,
        account: str = "acme",
        tlvs: tuple[Tlv, ...] = (),
    ) -> list[int]:
        """Queue one message per number, all of one content; returns their ids. They are long due,
        whatever the clock of the test says."""
        now = utc_now()
        content, *ids = self.new_ids(len(numbers) + 1, now)
        messages = [
            NewMessage(
                identifier, number, lane, Status.QUEUED, due,
                now + 3_600_000_000 if deadline is None else deadline, parts, Encoding.GSM,
            )
            for identifier, number in zip(ids, numbers, strict=True)
        ]  # fmt: skip
        made = Content(content, account, "ALDIS", text, category, tlvs=tlvs)
        await self.accept([Submission(made, messages)])
        return ids

    def of(self, status: Status) -> list[Settled]:
        """Results with this status."""
        return [result for result in self.results if result.status == status]

    @property
    def waiting(self) -> int:
        """Messages in any lane."""
        return sum(depth.waiting for depth in self.depths())

    async def search_statuses(self) -> Counter[int]:
        """How many messages have which status."""
        found = await self.search(MessageFilter("acme"), 1000)
        return Counter(view.status for view in found)

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

    # ---- what is watched

    async def lease(self, demands: Sequence[Demand], now: int) -> Lease:
        self._refuse_while_away()
        self.demands += demands
        lease = await super().lease(demands, now)
        for demand, messages in zip(demands, lease.taken, strict=True):
            self.leased.update((message.id, demand.carrier) for message in messages)
        self._changed()
        return lease

    async def settle(self, results: Sequence[Settled], sent: Sequence[Sent] = ()) -> None:
        self._refuse_while_away()
        await super().settle(results, sent)
        settled = [*results, *(one for each in sent for one in each.spelt_out())]
        self.calls.append(settled)
        for result in settled:
            assert self.leased.pop(result.message.id) == result.carrier, "settled twice"
            self.results.append(result)
        self._changed()

    async def settle_late(self, answers: Sequence[LateAnswer]) -> None:
        await super().settle_late(answers)
        self.late += answers
        self._changed()

    async def reserve(self, reservations: Sequence[Reserved], now: int) -> None:
        self._refuse_while_away(not self.reserving)
        await super().reserve(reservations, now)

    def _refuse_while_away(self, away: bool = False) -> None:
        if self.away or away:
            self.refused += 1
            self._changed()
            raise StoreUnavailable("away")

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


def settings(
    *carriers: Carrier, routes: Sequence[Route] | None = None, accounts: Sequence[Account] = ()
) -> Settings:
    """One route over all carriers, unless told otherwise."""
    if routes is None:
        routes = (Route(name="main", carriers=tuple(each.name for each in carriers)),)
    return Settings(carrier=carriers, route=tuple(routes), account=tuple(accounts))


class Log(logging.Handler):
    """What dispatch has logged, for tests of what leaves no other trace."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self._news = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self._news.set()

    def of(self, message: str) -> list[logging.LogRecord]:
        return [record for record in self.records if record.getMessage() == message]

    async def until(self, message: str, times: int = 1) -> None:
        """Return once `message` has been logged so often."""
        async with asyncio.timeout(10):
            while len(self.of(message)) < times:
                self._news.clear()
                await self._news.wait()


class World:
    """A running dispatcher with everything around it."""

    def __init__(self, store: WatchedStore, metrics: Metrics, port: Port) -> None:
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


@pytest.fixture
def log() -> Iterator[Log]:
    """The log of dispatch from the test's start."""
    handler = Log()
    logger = logging.getLogger("aldis.dispatch")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.setLevel(level)
    logger.removeHandler(handler)


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
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Dispatchers that are drained at the end."""
    worlds: list[World] = []

    async def begin(configuration: Settings, clock: Callable[[], int] = utc_now) -> World:
        metrics = Metrics()
        world = World(WatchedStore(tmp_path, metrics), metrics, Port())
        await world.store.open(lambda carrier, category: OnUnknown.FAIL, utc_now())
        world.dispatcher = Dispatcher(configuration, world.store, metrics, world.port, clock)
        await world.dispatcher.start()
        worlds.append(world)
        return world

    yield begin
    for world in worlds:
        world.store.away = False
        world.port.open.set()
        await world.dispatcher.drain(1.0)
        await world.store.close()
        assert not world.store.leased, "a lease was not settled"
