"""What a message of an SMPP customer costs between the socket and the store, and back.

In: nothing. Out: cases for `bench.micro`. The server, the mailbox and the session are the real
ones; the socket takes everything and the store answers at once, so neither's cost is in it. Nothing
waits for anything, so the thread's own time is what is measured.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from bench.esme.customer import PASSWORD
from bench.esme.feed import Feed
from config.settings import Account, Route, Settings, SmppLogin, SmppPort
from gateway.admission import Checks
from gateway.admission.numbering import Numbering
from gateway.admission.world import World
from gateway.events.mailboxes import Mailboxes
from gateway.ingress.smpp import SmppServer
from gateway.ingress.smpp.bind import Bind, timers_of
from gateway.metrics import Metrics
from gateway.model import Status
from gateway.routing import RoutingTable
from gateway.store.messages import Esme, Submission
from gateway.store.records import RECEIPT, LogChunk, Mailbox, ReceiptNews
from protocol import constants as c
from protocol.outbound import HEADER
from protocol.pdu import BindTransceiver, encode

LIST: Final = 1_000
"""How many submits or receipts come together; the figure is for one of them."""
_NOW: Final = 1_795_000_000_000_000
_ROW: Final = 500
"""Receipts in one row of the log."""

Case = tuple[str, Callable[[], object], int]


class _Wire:
    """A socket whose peer reads everything at once."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.heard = asyncio.Event()

    def clear(self) -> None:
        """Forget what was written."""
        self.written.clear()
        self.heard.clear()

    def write(self, data: bytes) -> None:
        self.written.append(data)
        self.heard.set()

    def get_extra_info(self, name: str) -> tuple[str, int]:
        return ("127.0.0.1", 1)

    def is_closing(self) -> bool:
        return False

    def is_reading(self) -> bool:
        return True

    def close(self) -> None:
        """The end."""

    abort = close

    def pause_reading(self) -> None:
        """The window is full just when everything has come."""


class _Store:
    """A store that takes everything and remembers one page of its log."""

    def __init__(self) -> None:
        self.accepted = 0
        self.page: list[LogChunk] = []
        self.grown: Callable[[Mapping[str, int]], None] = lambda _: None
        self._next = 1 << 40

    def new_ids(self, count: int, now: int) -> list[int]:
        self._next += count
        return list(range(self._next - count, self._next))

    def waiting(self, account: str) -> int:
        return 0

    async def waiting_parts(self) -> list[object]:
        return []

    async def accept(self, submissions: Sequence[Submission]) -> list[None]:
        self.accepted += sum(len(each.messages) for each in submissions)
        return [None] * len(submissions)

    async def opted_out(self, *_: object) -> set[int]:
        return set()

    async def mailbox(self, account: str) -> Mailbox:
        return Mailbox(0)

    async def put_mailbox(self, account: str, mailbox: Mailbox) -> None:
        """Forget it."""

    async def read_log(self, *_: object) -> list[LogChunk]:
        page, self.page = self.page, []
        return page

    def on_event(self, listener: Callable[[Mapping[str, int]], None]) -> None:
        self.grown = listener


class _Site:
    """A server with one bind."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.store = _Store()
        self.wire = _Wire()
        self.position = 0
        loop.run_until_complete(self._open())

    async def _open(self) -> None:
        store: Any = self.store
        login = SmppLogin(
            system_id="esme0",
            password=PASSWORD,
            window=10 * LIST,
            deliver_window=LIST,
            rate=1_000_000.0,
        )
        port = SmppPort()
        account = Account(name="acme", smpp=(login,))
        settings = Settings(account=(account,), smpp=(port,))
        routing = RoutingTable([Route(name="main", carriers=("op",))])
        checks = Checks(World(Numbering(), routing, store))
        metrics = Metrics()
        server = SmppServer(settings, store, checks, lambda: _NOW, metrics)
        server.deliveries = self.boxes = Mailboxes(store, server, metrics)
        await self.boxes.start(settings.account)
        self.bind = Bind(server, port, timers_of(port), self.loop)
        wire: Any = self.wire
        self.bind.connection_made(wire)
        request = BindTransceiver(sequence_number=1, system_id="esme0", password=PASSWORD)
        request.interface_version = c.INTERFACE_VERSION_34
        self.bind.data_received(encode(request))
        await self.wire.heard.wait()
        assert self.bind.receives

    def submits(self, octets: bytes) -> float:
        """One read of submits; seconds until all answers are written."""

        async def exchange() -> float:
            self.wire.clear()
            wanted = self.store.accepted + LIST
            started = time.thread_time()
            self.bind.data_received(octets)
            await self.wire.heard.wait()
            took = time.thread_time() - started
            assert self.store.accepted == wanted
            return took

        return self.loop.run_until_complete(exchange())

    def receipts(self) -> float:
        """A page of the log, told to the bind and taken by it; seconds, without the peer's."""

        async def exchange() -> float:
            self.store.page = self._page()
            self.wire.clear()
            started = time.thread_time()
            self.store.grown({"acme": LIST})
            await self.wire.heard.wait()
            took = time.thread_time() - started
            responses = _responses(b"".join(self.wire.written))
            started = time.thread_time()
            self.bind.data_received(responses)
            took += time.thread_time() - started
            assert self.bind.outstanding == 0
            return took

        return self.loop.run_until_complete(exchange())

    def _page(self) -> list[LogChunk]:
        esme = Esme("esme0", "ACME", 5, 0, 1, 1, 1)
        page = []
        for first in range(0, LIST, _ROW):
            self.position += _ROW
            ids = [(1 << 40) + n for n in range(first, first + _ROW)]
            numbers = [46_700_000_000 + n for n in range(first, first + _ROW)]
            news = ReceiptNews(esme, int(Status.DELIVERED), _NOW, ids, numbers)
            page.append(LogChunk(self.position, RECEIPT, _ROW, msgspec.json.encode([news])))
        return page


def _submits(templated: bool) -> bytes:
    bodies = Feed(LIST, templated=templated).take(LIST)
    return b"".join(
        HEADER.pack(16 + len(body), c.SUBMIT_SM, 0, number) + body
        for number, body in enumerate(bodies, 2)
    )


def _responses(delivers: bytes) -> bytes:
    """The deliver_sm_resp to everything written."""
    out, pos = [], 0
    while pos < len(delivers):
        length, _, _, number = HEADER.unpack_from(delivers, pos)
        out.append(HEADER.pack(17, c.DELIVER_SM_RESP, 0, number) + b"\0")
        pos += length
    assert len(out) == LIST
    return b"".join(out)


def cases() -> Iterator[Case]:
    """One message in, one receipt out."""
    loop = asyncio.new_event_loop()
    site = _Site(loop)
    fixed, templated = _submits(False), _submits(True)
    yield "SMPP customer: submit_sm to answer, same text", lambda: site.submits(fixed), LIST
    yield "SMPP customer: submit_sm to answer, all differ", lambda: site.submits(templated), LIST
    yield "SMPP customer: read one submit_sm", lambda: _read(site, fixed), LIST
    yield "SMPP customer: log to receipt taken", site.receipts, LIST
    site.bind.abort()
    loop.close()


def _read(site: _Site, octets: bytes) -> float:
    """What the session alone takes; nobody hears of these submits."""
    connection = site.bind._connection
    assert connection is not None
    started = time.thread_time()
    events = connection.receive_data(octets, site.loop.time())
    took = time.thread_time() - started
    assert len(events) == LIST
    connection._owed = 0
    return took
