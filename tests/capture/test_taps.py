"""Taps on real links to a simulated operator, and the operators' port that streams them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from bench.smsc import Behaviour, SimulatedSmsc
from config.settings import Account, Carrier, Ops, Settings
from gateway import capture
from gateway.capture import FILE_HEADER, Refused, Taps, records
from gateway.ingress.ops import OpsServer
from gateway.link import SmppLink
from gateway.metrics import Metrics
from protocol import constants as c
from protocol.connection import Connection
from protocol.events import Bound, Event
from protocol.pdu import BindTransceiver, SubmitSm, body
from protocol.state import Role
from protocol.timers import Timers

NUMBER, TEXT, PASSWORD = "447400123456", b"Dear Ann, 4711", "s3cr3t"
AT = 1_767_225_600_000_000


class Esme(SmppLink):
    """A client's link with nothing above it; answers deliver_sm as they come."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.bound = loop.create_future()
        self.answered = 0
        self.received = 0
        self._want: tuple[int, asyncio.Future[None]] | None = None

    def _open(self, now: float) -> Connection:
        connection = Connection(Role.ESME, now=now, timers=Timers(), window=10_000)
        connection.bind(BindTransceiver(system_id="aldis", password=PASSWORD), now)
        return connection

    def _on_events(self, events: list[Event], now: float) -> list[Event]:
        requests = [event.pdu for event in events if hasattr(event, "pdu")]
        if requests:
            self.received += len(requests)
            self.owed += len(requests)
            self.respond(requests, [0] * len(requests))
        self.answered += sum(hasattr(event, "sent_at") for event in events)
        if self._want is not None and self.received >= self._want[0]:
            self._want[1].set_result(None)
            self._want = None
        return [event for event in events if not hasattr(event, "pdu")]

    def _on_session(self, event: Event) -> None:
        if isinstance(event, Bound):
            self.bound.set_result(None)

    def submit(self, count: int = 1) -> None:
        pdu = SubmitSm(
            source_addr="46700999888",
            destination_addr=NUMBER,
            registered_delivery=1,
            short_message=TEXT,
        )
        self.send_requests(c.SUBMIT_SM, [(body(pdu),)] * count, [None] * count, self._loop.time())

    async def receipts(self, count: int) -> None:
        """Wait until so many deliver_sm have come."""
        if self.received < count:
            self._want = count, self._loop.create_future()
            await asyncio.wait_for(self._want[1], 5)


class World:
    """An operator, taps and the operators' port."""

    def __init__(self, smsc: SimulatedSmsc, **ops: Any) -> None:
        names = ("north", "south", "east", "west", "fifth")
        self.settings = Settings(
            ops=Ops(port=0, **ops),
            carrier=tuple(Carrier(name=name) for name in names),
            account=(Account(name="shop"),),
        )
        self.smsc = smsc
        self.metrics = Metrics()
        self.taps = Taps(self.settings, self.metrics, lambda: AT)
        self.ops = OpsServer(self.settings.ops, self.metrics, _ok, list, taps=self.taps)
        self.session: aiohttp.ClientSession

    async def link(self, name: str = "north", kind: Any = "carrier") -> Esme:
        loop = asyncio.get_running_loop()
        link = Esme(loop)
        self.taps.watch(kind, name, link)
        await loop.create_connection(lambda: link, "127.0.0.1", self.smsc.port)
        await link.bound
        return link

    def get(self, query: str, method: str = "GET") -> Any:
        return self.session.request(method, f"http://127.0.0.1:{self.ops.port}/capture?{query}")

    def metric(self, name: str, labels: Mapping[str, str]) -> float:
        return self.metrics.registry.get_sample_value(name, dict(labels)) or 0.0


async def _ok() -> None:
    """A store that is there."""


@pytest.fixture
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    options = getattr(request, "param", {})
    async with AsyncExitStack() as stack:
        smsc = await stack.enter_async_context(SimulatedSmsc(Behaviour()))
        found = World(smsc, **options)
        found.session = await stack.enter_async_context(aiohttp.ClientSession())
        await found.ops.start()
        stack.push_async_callback(found.ops.stop)
        yield found
        found.taps.stop()


full = pytest.mark.parametrize("world", [{"full_capture": True}], indirect=True)


async def test_a_link_nobody_looks_at_has_no_tap(world: World) -> None:
    link = await world.link()
    assert link.tap is None
    one = world.taps.open("carrier", "north", False)
    assert link.tap is one
    other = await world.link("south")
    assert other.tap is None
    world.taps.close(one)
    assert link.tap is None
    for each in (link, other):
        each.unbind()
        await each.closed


async def test_a_stream_tells_all_and_nothing_of_anybody(world: World) -> None:
    async with world.get("carrier=north&seconds=60") as reply:
        assert reply.status == 200
        assert reply.content_type == "application/vnd.tcpdump.pcap"
        assert await reply.content.readexactly(24) == FILE_HEADER
        link = await world.link()  # comes up while somebody looks: its bind is there
        link.submit(3)
        octets = b""
        async with asyncio.timeout(5):
            while octets.count(b"stat:DELIVRD") < 3:
                octets += await reply.content.readany()
        world.taps.stop()
        octets += await asyncio.wait_for(reply.content.read(), 5)
    assert octets.count(b"aldis\0xxxxxx\0") == 1
    assert octets.count(b"4474" + b"0" * 6 + b"56") == 6  # in three submits, in three receipts
    for secret in (NUMBER.encode(), TEXT, PASSWORD.encode(), b"46700999888"):
        assert secret not in octets
    link.unbind()
    await link.closed
    assert world.metric("aldis_captures_total", {"kind": "carrier", "name": "north"}) == 1


async def test_it_ends_with_the_packets_asked_for(world: World) -> None:
    async with world.get("carrier=north&seconds=60&packets=2") as reply:
        await reply.content.readexactly(24)
        link = await world.link()
        link.submit()
        octets = await asyncio.wait_for(reply.content.read(), 5)
    sizes = []
    while octets:
        length = int.from_bytes(octets[8:12], "little")
        sizes.append(length)
        octets = octets[16 + length :]
    assert len(sizes) == 2  # the bind and its response
    link.unbind()
    await link.closed


@full
async def test_full_shows_texts_where_it_is_allowed_and_passwords_never(world: World) -> None:
    async with world.get("account=shop&packets=4&full=1&seconds=5") as reply:
        await reply.content.readexactly(24)
        link = await world.link("shop", "account")
        link.submit()
        await link.receipts(1)
        octets = await asyncio.wait_for(reply.content.read(), 5)
    assert NUMBER.encode() in octets and TEXT in octets
    assert PASSWORD.encode() not in octets
    link.unbind()
    await link.closed


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("", 400, "carrier=NAME or account=NAME"),
        ("carrier=north&account=shop", 400, "one of them"),
        ("carrier=north&seconds=0", 400, "seconds is a number from 1 to 3600"),
        ("carrier=north&seconds=3601", 400, "seconds is a number from 1 to 3600"),
        ("carrier=north&packets=many", 400, "packets is a number"),
        ("carrier=north&colour=red", 400, "No parameter is called colour"),
        ("carrier=nobody", 404, "there are: east, fifth, north, south, west"),
        ("account=north", 404, "there are: shop"),
        ("carrier=north&full=1", 403, "full_capture = true"),
    ],
)
async def test_what_is_refused_is_explained(
    world: World, query: str, status: int, words: str
) -> None:
    async with world.get(query) as reply:
        assert reply.status == status
        assert words in await reply.text()


async def test_one_stream_for_each_and_four_in_all(world: World) -> None:
    opened = [world.taps.open("carrier", name, False) for name in ("north", "south", "east")]
    opened.append(world.taps.open("account", "shop", False))
    for kind, name, status in (("carrier", "north", 409), ("carrier", "west", 429)):
        with pytest.raises(Refused) as refused:
            world.taps.open(kind, name, False)  # type: ignore[arg-type]
        assert refused.value.status == status
    world.taps.close(opened[0])
    world.taps.close(opened[0])  # twice is once
    world.taps.open("carrier", "west", False)
    assert len(world.taps._captures) == 4


async def test_it_ends_with_the_time_asked_for(world: World) -> None:
    async with world.get("carrier=north&seconds=1") as reply:
        assert await asyncio.wait_for(reply.content.read(), 5) == FILE_HEADER
    assert not world.taps._captures


async def test_it_ends_when_the_gateway_drains_and_none_begins(world: World) -> None:
    async with world.get("carrier=north&seconds=3600") as reply:
        await reply.content.readexactly(24)
        world.taps.stop()
        assert await asyncio.wait_for(reply.content.read(), 5) == b""
    async with world.get("carrier=north") as reply:
        assert reply.status == 503


async def test_a_reader_that_leaves_frees_its_place(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.ingress.captures.LOOK", 0.02)
    reply = await world.get("carrier=north&seconds=3600")
    await reply.content.readexactly(24)
    (one,) = world.taps._captures.values()
    reply.close()
    async with asyncio.timeout(5):
        while not one.ended:  # noqa: ASYNC110  (a socket's close is nobody's event)
            await asyncio.sleep(0.01)


async def test_what_nobody_takes_is_dropped_counted_and_shows_as_a_gap(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "MOST_HELD", 2_000)
    link = await world.link()
    one = world.taps.open("carrier", "north", False)
    link.submit(10)
    await link.receipts(10)
    assert one.dropped > 0
    assert one._held <= 2_000
    before = b"".join(records(one.take()))
    assert one._held == 0
    assert not one.waiting
    link.submit(1)  # there is room again
    await link.receipts(11)
    after = b"".join(records(one.take()))
    assert before and after
    world.taps.close(one)
    labels = {"kind": "carrier", "name": "north"}
    assert world.metric("aldis_capture_dropped_octets_total", labels) == one.dropped
    link.unbind()
    await link.closed


async def test_a_capture_may_begin_within_a_pdu(world: World) -> None:
    link = await world.link()
    (session,) = world.smsc.sessions
    enquiry = bytes.fromhex("00000010 00000015 00000000 00000077".replace(" ", ""))
    # the socket's read is ours to time: half a PDU before the tap, half behind it
    link.data_received(enquiry[:9])
    one = world.taps.open("carrier", "north", False)
    link.data_received(enquiry[9:])
    octets = b"".join(records(one.take()))
    assert enquiry in octets
    world.taps.close(one)
    assert session.bound_by == c.BIND_TRANSCEIVER
    link.unbind()
    await link.closed


async def test_a_link_that_ends_is_forgotten(world: World) -> None:
    one = world.taps.open("carrier", "north", False)
    link = await world.link()
    assert one._flows
    link.unbind()
    await link.closed
    await asyncio.sleep(0)  # callbacks of the future
    assert not one._flows
    assert not world.taps._links["carrier", "north"]
    world.taps.close(one)
