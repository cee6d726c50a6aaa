"""An SMPP server between real customers' sockets and a simulated operator: real TCP, a real SQLite
file, real admission, dispatch, returns and mailboxes. Only time may be moved."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bench.smsc import Behaviour, SimulatedSmsc
from config.settings import (
    Account,
    Carrier,
    Duration,
    Route,
    Settings,
    SmppLogin,
    SmppPort,
    StoreSettings,
)
from gateway.admission import Checks
from gateway.admission.numbering import Numbering
from gateway.admission.world import World
from gateway.dispatch.dispatcher import Dispatcher
from gateway.dispatch.profile import Profile
from gateway.events.mailboxes import Mailboxes
from gateway.ingress.smpp import SmppServer
from gateway.metrics import Metrics
from gateway.model import OnUnknown
from gateway.returns import Returns
from gateway.routing import RoutingTable
from gateway.store.sqlite.store import SqliteStore
from protocol.pdu import Pdu
from tests.ingress.smpp.esme import Esme, connect


class Clock:
    """UTC in µs: the real one, and what a test adds to it."""

    def __init__(self) -> None:
        self._time = time.time_ns
        self.ahead = 0

    def __call__(self) -> int:
        return self._time() // 1000 + self.ahead

    def move(self, seconds: float) -> None:
        self.ahead += int(seconds * 1_000_000)


def account(**changes: Any) -> Account:
    """The account of the tests; `login` changes its login."""
    login = changes.pop("login", {})
    values: dict[str, Any] = {
        "name": "shop",
        "inbound_numbers": ("2020",),
        "smpp": (SmppLogin(system_id="shop", **{"password": "secret", **login}),),
    }
    return Account(**{**values, **changes})


class Rig:
    """A gateway's SMPP side in this process."""

    def __init__(self, directory: Path, numbering: Numbering) -> None:
        self.directory = directory
        self.clock = Clock()
        self.metrics = Metrics()
        self.numbering = numbering
        self.smsc = SimulatedSmsc(Behaviour(), record=True)
        self.settings = Settings()
        self.esmes: list[Esme] = []
        self.accounts: tuple[Account, ...] = (account(),)
        self.ports: tuple[SmppPort, ...] = (SmppPort(port=0),)
        self.with_operator = True

    def make_settings(self) -> Settings:
        return Settings(
            smpp=self.ports,
            store=StoreSettings(path=str(self.directory / "aldis.db"), synchronous="NORMAL"),
            account=self.accounts,
            carrier=(
                Carrier(
                    name="op",
                    hosts=(f"127.0.0.1:{self.smsc.port or 1}",),
                    system_id="aldis",
                    window=100,
                    rate=10_000.0,
                    reconnect_min=Duration(0.05),
                    reconnect_max=Duration(0.1),
                ),
            ),
            route=(Route(name="main", carriers=("op",)),),
        )

    async def start(self) -> None:
        if self.with_operator and self.smsc._server is None:
            await self.smsc.start()
        self.settings = self.make_settings()
        self.store = SqliteStore(self.settings.store, 0, self.metrics, self.clock, strict=True)
        self.world = World(self.numbering, RoutingTable(self.settings.route), self.store)
        self.admission = Checks(self.world)
        self.returns = Returns(self.store, self.metrics, self.clock)
        self.server = SmppServer(
            self.settings, self.store, self.admission, self.clock, self.metrics
        )
        self.mailboxes = Mailboxes(self.store, self.server, self.metrics)
        self.server.deliveries = self.mailboxes
        self.dispatcher = Dispatcher(
            self.settings, self.store, self.metrics, self._on_deliver, self.clock
        )
        await self.store.open(lambda carrier, category: OnUnknown.RESEND, self.clock())
        await self.returns.apply(self.settings.carrier, self.settings.account)
        if self.with_operator:
            await self.dispatcher.start()
        await self.mailboxes.start(self.settings.account)
        await self.server.start()

    async def stop(self) -> None:
        await self.server.stop(2.0)
        await self.mailboxes.stop()
        if self.with_operator:
            await self.dispatcher.drain(2.0)
        await self.store.close()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def close(self) -> None:
        for esme in self.esmes:
            esme.close()
        await self.stop()
        if self.with_operator:
            await self.smsc.stop()

    async def reload(self) -> None:
        """Take `accounts` into use, as SIGHUP does."""
        self.settings = self.make_settings()
        self.server.configure(self.settings)
        await self.mailboxes.apply(self.settings.account)

    # ---- customers

    async def connect(self, tls: ssl.SSLContext | None = None, port: int = 0) -> Esme:
        esme = await connect(self.server.ports[port], tls)
        self.esmes.append(esme)
        return esme

    async def bound(self, kind: str = "trx", **who: Any) -> Esme:
        esme = await self.connect()
        event = await esme.bind(kind, **who)
        assert type(event).__name__ == "Bound", event
        return esme

    async def until(self, condition: Callable[[], bool], timeout: float = 10.0) -> None:
        """Wait for something no single socket can tell of."""
        async with asyncio.timeout(timeout):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    def metric(self, name: str, *having: str) -> float:
        self.server.flush()
        self.mailboxes.flush()
        return sum(
            float(line.rpartition(" ")[2])
            for line in self.metrics.exposition().decode().splitlines()
            if line.startswith((name + "{", name + " ")) and all(part in line for part in having)
        )

    async def _on_deliver(self, profile: Profile, pdus: list[Pdu]) -> list[int]:
        return await self.returns.take(profile.name, pdus)


@pytest.fixture
def unstarted(tmp_path: Path, numbering: Numbering) -> Rig:
    return Rig(tmp_path, numbering)


@pytest.fixture
async def rig(unstarted: Rig) -> AsyncIterator[Rig]:
    await unstarted.start()
    try:
        yield unstarted
    finally:
        async with asyncio.timeout(20):
            await unstarted.close()


@pytest.fixture
async def alone(unstarted: Rig) -> AsyncIterator[Rig]:
    """Without an operator: what is accepted stays queued."""
    unstarted.with_operator = False
    await unstarted.start()
    try:
        yield unstarted
    finally:
        async with asyncio.timeout(20):
            await unstarted.close()
