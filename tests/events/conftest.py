"""A real store on a real file, a customer's real server, and a clock that is moved by hand."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook as Verifier

from config.settings import StoreSettings
from config.settings import Webhooks as WebhookSettings
from gateway.errors import StoreUnavailable
from gateway.events import Events
from gateway.events.sign import new_secret
from gateway.metrics import Metrics, Row
from gateway.model import OnUnknown, Status
from gateway.store.messages import (
    Content,
    Demand,
    InboundPart,
    NewMessage,
    Outcome,
    Settled,
    Submission,
)
from gateway.store.records import Delivered, Delivery, Webhook
from gateway.store.sqlite import SqliteStore

SECOND = 1_000_000
PATIENCE = 5.0
"""Seconds of real time after which a test has failed; nothing waits for them to pass."""


class _Entry:
    def __init__(self, at: int, call: Callable[[], None]) -> None:
        self.at = at
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class MovedClock:
    """UTC in µs, and timers that fire when it is moved."""

    def __init__(self) -> None:
        self.now = int(time.time()) * SECOND  # near the real one: receivers refuse old stamps
        self._entries: list[tuple[int, int, _Entry]] = []
        self._order = count()

    def __call__(self) -> int:
        return self.now

    def call_later(self, seconds: float, call: Callable[[], None]) -> _Entry:
        entry = _Entry(self.now + round(seconds * SECOND), call)
        heapq.heappush(self._entries, (entry.at, next(self._order), entry))
        if seconds <= 0:
            asyncio.get_running_loop().call_soon(self._fire)
        return entry

    def move(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)
        self._fire()

    def _fire(self) -> None:
        while self._entries and self._entries[0][0] <= self.now:
            entry = heapq.heappop(self._entries)[2]
            if entry.call is not None:
                entry.call()


class Got:
    """One POST as the customer received it."""

    def __init__(self, request: web.Request, body: bytes) -> None:
        self.path = request.path
        self.headers = dict(request.headers)
        self.body = body
        self.id = request.headers["webhook-id"]
        self.timestamp = int(request.headers["webhook-timestamp"])
        self.signatures = request.headers["webhook-signature"].split(" ")
        transport = request.transport
        self.connection = transport.get_extra_info("peername") if transport else None

    def signed_with(self, secret: str) -> bool:
        """Whether one of the signatures is what the reference implementation computes."""
        at = datetime.fromtimestamp(self.timestamp, UTC)
        return Verifier(secret).sign(self.id, at, self.body.decode()) in self.signatures


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Customer:
    """A server that takes webhooks as it is told to."""

    def __init__(self) -> None:
        self.got: defaultdict[str, asyncio.Queue[Got]] = defaultdict(asyncio.Queue)
        self.script: defaultdict[str, deque[Answer | int]] = defaultdict(deque)
        self.otherwise: dict[str, Answer | int] = {}
        self.port = 0

    async def start(self, **options: Any) -> None:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, **options)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        await self._runner.cleanup()

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def next(self, path: str = "/hook") -> Got:
        async with asyncio.timeout(PATIENCE):
            return await self.got[path].get()

    def waiting(self, path: str = "/hook") -> int:
        return self.got[path].qsize()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        got = Got(request, await request.read())
        self.got[got.path].put_nowait(got)
        script = self.script[got.path]
        answer = script.popleft() if script else self.otherwise.get(got.path, 200)
        return web.Response(status=answer) if isinstance(answer, int) else await answer(request)


class WatchedStore(SqliteStore):
    """The store itself, which in addition can be awaited and whose calls are counted."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.broken = False
        self.refused = asyncio.Event()
        self.results: list[Delivered] = []
        self.settle_calls = 0
        self.cut_calls = 0
        self._settled = asyncio.Condition()
        self._cut = asyncio.Condition()

    async def settle_deliveries(self, results: Sequence[Delivered]) -> None:
        if self.broken:
            self.refused.set()
            raise StoreUnavailable("the disk is full")
        await super().settle_deliveries(results)
        self.settle_calls += 1
        self.results += results
        async with self._settled:
            self._settled.notify_all()

    async def next_deliveries(self, wanted: Mapping[int, int], now: int) -> list[Delivery]:
        cut = await super().next_deliveries(wanted, now)
        self.cut_calls += 1
        async with self._cut:
            self._cut.notify_all()
        return cut

    async def cut(self, number: int) -> None:
        """Wait until the log was asked so many times."""
        async with asyncio.timeout(PATIENCE), self._cut:
            await self._cut.wait_for(lambda: self.cut_calls >= number)

    async def settled(self, number: int) -> Delivered:
        """Wait until so many tries are settled; the last of them."""
        async with asyncio.timeout(PATIENCE), self._settled:
            await self._settled.wait_for(lambda: len(self.results) >= number)
        return self.results[number - 1]


class Gateway:
    """The events stage with its store, which can be stopped and started again."""

    def __init__(self, path: Path, clock: MovedClock) -> None:
        self.path = path
        self.clock = clock
        self.settings: dict[str, Any] = {"allow_private": True}
        self.running = False
        self._numbers = count(79160000000)

    async def start(self) -> None:
        self.metrics = Metrics()
        settings = StoreSettings(path=str(self.path / "aldis.db"), synchronous="NORMAL")
        self.store = WatchedStore(settings, 1, self.metrics, self.clock)
        await self.store.open(lambda carrier, category: OnUnknown.RESEND, self.clock())
        self.events = Events(
            self.store,
            self.metrics,
            WebhookSettings(**self.settings),
            self.clock,
            self.clock.call_later,
        )
        await self.events.start()
        self.running = True

    async def stop(self, timeout: float = 1.0) -> None:
        if self.running:
            self.running = False
            await self.events.drain(timeout)
            await self.store.close()

    async def endpoint(self, url: str, account: str = "shop", **more: Any) -> Webhook:
        """Make an endpoint as the API does; returns once its worker has had its first look."""
        now, cuts = self.clock(), self.store.cut_calls
        values = {"types": [], "batched": True, "secret": new_secret(), "created": now, **more}
        webhook = Webhook(self.store.new_ids(1, now)[0], account, url, **values)
        await self.put(webhook)
        if webhook.state == "active":
            await self.store.cut(cuts + 1)
        return webhook

    async def put(self, webhook: Webhook) -> None:
        await self.store.put_webhook(webhook)
        await self.events.apply(())

    async def happen(self, number: int, account: str = "shop") -> None:
        """`number` messages are sent: as many status events, in one chunk."""
        store, now = self.store, self.clock()
        content, *ids = store.new_ids(number + 1, now)
        messages = [
            NewMessage(one, next(self._numbers), "main/bulk", Status.QUEUED, now, now + 60 * SECOND,
                       1, 0)
            for one in ids
        ]  # fmt: skip
        await store.accept(
            [Submission(Content(content, account, "ACME", "hello", "service"), messages)]
        )
        lease = await store.lease([Demand("op1", ("main/bulk",), number)], now)
        assert len(lease.taken[0]) == number
        await store.settle([
            Settled(one, "op1", Outcome.SENT, now, Status.SENT, operator_ids=[f"x{one.id}"])
            for one in lease.taken[0]
        ])  # fmt: skip

    async def reply(self, account: str = "shop") -> None:
        """A phone answers: one `message.inbound`."""
        await self.store.inbound(
            [InboundPart("op1", "79161234567", "1234", "STOP", self.clock(), account)]
        )

    async def rest(self) -> None:
        """Until whatever the clock set off has been through both of the store's queues, as often
        as a round goes there: what ought not to have been sent by now would have been."""
        for _ in range(5):
            await SqliteStore.settle_deliveries(self.store, [])
            await self.store.webhooks()

    async def deliveries(self, webhook: Webhook) -> list[Delivery]:
        return await self.store.deliveries(webhook.id, None, 1000)

    def metric(self, row: Row, *labels: str) -> float:
        labelled = dict(zip(row.labels, labels, strict=True))
        return self.metrics.registry.get_sample_value(row.name, labelled) or 0.0


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
async def customer() -> AsyncIterator[Customer]:
    customer = Customer()
    await customer.start()
    yield customer
    await customer.close()


@pytest.fixture
async def gateway(tmp_path: Path, clock: MovedClock) -> AsyncIterator[Gateway]:
    gateway = Gateway(tmp_path, clock)
    await gateway.start()
    yield gateway
    await gateway.stop()
