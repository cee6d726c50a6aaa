"""A dispatcher with a real store and the real returns stage, between one operator that errs and one
that does not."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import uvloop

from config.settings import Duration, Route
from gateway.admission.numbering import Numbering
from gateway.dispatch import dispatcher
from gateway.dispatch.dispatcher import Dispatcher
from gateway.dispatch.link import Link
from gateway.link import MOST_UNREAD
from gateway.metrics import Metrics
from gateway.model import OnUnknown, Status
from gateway.returns import Returns
from gateway.store.messages import Settled
from gateway.tally import Tally
from tests.dispatch.conftest import WatchedStore, carrier, settings, utc_now
from tests.hostile.customer import Server
from tests.hostile.operator import Operator, Script, well_behaved
from tests.ingress.smpp.conftest import Rig

NUMBERS = range(46_700_000_000, 46_700_100_000)


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """What production runs under."""
    return {"uvloop": uvloop.new_event_loop}


class World:
    """Carriers "bad" and "good", each with a route of its own and one of both ("any")."""

    def __init__(
        self, store: WatchedStore, metrics: Metrics, bad: Operator, good: Operator
    ) -> None:
        self.store = store
        self.metrics = metrics
        self.bad = bad
        self.good = good
        self.returns = Returns(store, metrics, utc_now)
        self.dispatcher: Dispatcher
        self.told = False
        self._used = 0
        self._watchers: list[tuple[Callable[[], object], asyncio.Future[None]]] = []

    # ---- messages

    async def put(self, count: int, lane: str = "bad/bulk", **options: Any) -> list[int]:
        """Queue messages to numbers not used before; their ids."""
        numbers = NUMBERS[self._used : self._used + count]
        self._used += count
        return await self.store.put(numbers, lane=lane, **options)

    def results(self, identifier: int) -> list[Settled]:
        """How each lease of a message ended, in order."""
        return [each for each in self.store.results if each.message.id == identifier]

    async def settled(self, identifiers: list[int], status: Status) -> None:
        """Wait until the last lease of each of these messages ended with this status."""
        await self.until(
            lambda: all(
                found and found[-1].status == status for found in map(self.results, identifiers)
            )
        )

    # ---- what is seen

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric over the series that have these labels."""
        for each in self.dispatcher._carriers.values():
            each.tick()
        return sum(
            sample.value
            for family in self.metrics.registry.collect()
            for sample in family.samples
            if sample.name == f"aldis_{name}" and labels.items() <= sample.labels.items()
        )

    async def counted(
        self, name: str, least: float = 1, timeout: float = 20.0, **labels: str
    ) -> None:
        """Wait until a counter of carrier "bad" has reached `least`."""
        labels.setdefault("carrier", "bad")
        await self.until(lambda: self.metric(name, **labels) >= least, timeout)

    async def until(self, condition: Callable[[], object], timeout: float = 20.0) -> None:
        """Return once `condition` holds; looked at whenever something is counted or stored."""
        if condition():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watchers.append((condition, future))
        await asyncio.wait_for(future, timeout)

    def look(self) -> None:
        self.told = False
        for watcher in list(self._watchers):
            if not watcher[1].done() and watcher[0]():
                watcher[1].set_result(None)
                self._watchers.remove(watcher)

    def links(self) -> list[Link]:
        """All links that are up."""
        carriers = self.dispatcher._carriers.values()
        return [bind.link for each in carriers for bind in each._binds if bind.link is not None]

    async def up(self, name: str = "bad", binds: int = 1) -> None:
        """Wait until a carrier is bound."""
        await self.until(
            lambda: {each.name: each.bound for each in self.dispatcher.status()}[name] >= binds
        )

    # ---- what must hold, whatever a peer does

    async def holds(self) -> None:
        """The other carrier serves, nothing has grown, no task has met its edge."""
        self.bounded()
        before = len(self.good.submits)
        ids = await self.put(3, "good/bulk")
        await self.settled(ids, Status.SENT)
        assert len(self.good.submits) == before + 3
        assert all(len(self.results(each)) == 1 for each in ids)
        self.bounded()
        assert self.metric("task_errors_total") == 0
        assert self.metric("illegal_transitions_total") == 0

    def bounded(self) -> None:
        for status in self.dispatcher.status():
            assert status.outstanding <= status.window
            assert status.buffered <= 2 * max(status.window, 10)
        for link in self.links():
            connection, transport = link._connection, link._transport
            assert connection is not None and transport is not None
            assert len(connection._tail) <= connection.max_pdu
            assert len(connection._window.session) <= 3
            assert transport.get_write_buffer_size() <= MOST_UNREAD + (1 << 16)


Site = Callable[..., Awaitable[World]]


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """Worlds: `site(script)` is a world whose carrier "bad" runs this script at every connection.

    Further arguments are settings of that carrier.
    """
    # A lost wake-up must fail a test, not cost it a second.
    monkeypatch.setattr(dispatcher, "HEARTBEAT", 3600.0)
    worlds: list[World] = []
    loop = asyncio.get_running_loop()

    def telling(count: Callable[..., None]) -> Callable[..., None]:
        def counted(*arguments: Any) -> None:
            count(*arguments)
            for world in worlds:
                if not world.told and (len(arguments) < 3 or arguments[2]):
                    world.told = True
                    loop.call_soon_threadsafe(world.look)  # the store counts in its own thread

        return counted

    monkeypatch.setattr(Tally, "count", telling(Tally.count))
    monkeypatch.setattr(Metrics, "count", telling(Metrics.count))
    async with AsyncExitStack() as stack:

        async def begin(
            script: Script = well_behaved,
            *,
            server_tls: ssl.SSLContext | None = None,
            **changes: Any,
        ) -> World:
            bad = await stack.enter_async_context(Operator(script, server_tls))
            good = await stack.enter_async_context(Operator())
            metrics = Metrics()
            world = World(WatchedStore(tmp_path, metrics), metrics, bad, good)
            store_changed = world.store._changed

            def changed() -> None:
                store_changed()
                world.look()

            monkeypatch.setattr(world.store, "_changed", changed)
            given = {
                "hosts": (bad.host,),
                "response_timeout": Duration(10),
                "connect_timeout": Duration(0.3),
                "window": 10,
                "rate": 5_000.0,
            }
            carriers = (carrier("bad", **(given | changes)), carrier("good", hosts=(good.host,)))
            routes = (
                Route(name="bad", carriers=("bad",)),
                Route(name="good", carriers=("good",)),
                Route(name="any", carriers=("bad", "good")),
            )
            configuration = settings(*carriers, routes=routes)
            await world.store.open(lambda carrier, category: OnUnknown.FAIL, utc_now())
            await world.returns.apply(configuration.carrier, ())

            async def on_deliver(profile: Any, pdus: Any) -> list[int]:
                return await world.returns.take(profile.name, pdus)

            world.dispatcher = Dispatcher(configuration, world.store, metrics, on_deliver, utc_now)
            worlds.append(world)
            await world.dispatcher.start()
            await world.up("good")
            return world

        yield begin
        for world in worlds:
            await world.dispatcher.drain(0.1)
            await world.store.close()
            assert not world.store.leased, "a lease was not settled"


Gateway = Callable[..., Awaitable[Server]]


@pytest.fixture(scope="session")
def numbering() -> Numbering:
    return Numbering()


@pytest.fixture
async def gateway(tmp_path: Path, numbering: Numbering) -> AsyncIterator[Gateway]:
    """`gateway()` starts the SMPP server with customers "bad" and "good"; see `Server.start`."""
    rigs: list[Rig] = []
    servers: list[Server] = []

    async def start(**options: Any) -> Server:
        rig = Rig(tmp_path, numbering)
        rigs.append(rig)
        server = await Server.start(rig, **options)
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.close()
    for rig in rigs:
        async with asyncio.timeout(20):
            await rig.close()
