"""A customer's program for the tests: our session core over a real socket, everything kept."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from protocol import constants as c
from protocol.connection import Connection
from protocol.events import Answered, BindRefused, Bound, Closed, Event, Received, Unbound
from protocol.pdu import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DeliverSm,
    Pdu,
    SubmitSm,
    response_to,
)
from protocol.state import Role
from protocol.timers import Timers

KINDS = {"trx": BindTransceiver, "tx": BindTransmitter, "rx": BindReceiver}
QUIET = Timers(enquire_link=0.0, response=20.0)


class Esme(asyncio.Protocol):
    """One connection of a customer. `delivers` answers deliver_sm with `answer` (None: not)."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.events: list[Event] = []
        self.responses: dict[int, Pdu] = {}
        self.received: list[Any] = []
        self.answer: int | None = c.ESME_ROK
        self.closed = asyncio.Event()
        self.connection = Connection(
            Role.ESME, now=self.loop.time(), timers=QUIET, window=10_000, interface_version=0x50
        )
        self.transport: asyncio.Transport
        self._changed = asyncio.Condition()
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    # ---- the socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        for event in self.connection.receive_data(data, self.loop.time()):
            self.events.append(event)
            if isinstance(event, Answered):
                self.responses[event.response.sequence_number] = event.response
            elif isinstance(event, Received):
                self.received.append(event.pdu)
                if self.answer is not None and isinstance(event.pdu, DeliverSm):
                    self.connection.send(response_to(event.pdu, self.answer), self.loop.time())
        self.flush()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        self.events += self.connection.receive_eof(self.loop.time())
        self.closed.set()
        self._look()

    def flush(self) -> None:
        data = self.connection.data_to_send()
        if data and not self.transport.is_closing():
            self.transport.write(data)

    # ---- the test's side

    def send(self, pdu: Pdu) -> int:
        """Send one request; its sequence_number."""
        number = self.connection.send(pdu, self.loop.time(), context=pdu)
        self.flush()
        return number

    def send_all(self, pdus: list[Any]) -> list[int]:
        """Send requests in one write."""
        numbers = [self.connection.send(pdu, self.loop.time(), context=pdu) for pdu in pdus]
        self.flush()
        return numbers

    async def ask(self, pdu: Pdu) -> Any:
        """Send one request and wait for its response."""
        number = self.send(pdu)
        await self.until(lambda: number in self.responses)
        return self.responses[number]

    async def ask_all(self, pdus: list[Any]) -> list[Any]:
        """Send requests in one write and wait for all responses, in the order of the requests."""
        numbers = self.send_all(pdus)
        await self.until(lambda: all(number in self.responses for number in numbers))
        return [self.responses[number] for number in numbers]

    async def bind(self, kind: str = "trx", system_id: str = "shop", password: str = "secret",
                   version: int = 0x34) -> Bound | BindRefused:  # fmt: skip
        self.connection.bind(
            KINDS[kind](system_id=system_id, password=password, interface_version=version),
            self.loop.time(),
        )
        self.flush()
        seen = len(self.events)
        found: list[Any] = []

        def bound() -> bool:
            found[:] = [
                e for e in self.events[seen:] if isinstance(e, Bound | BindRefused | Closed)
            ]
            return bool(found)

        await self.until(bound)
        assert not isinstance(found[0], Closed), found
        return found[0]

    @property
    def delivered(self) -> list[DeliverSm]:
        """deliver_sm received."""
        return [pdu for pdu in self.received if isinstance(pdu, DeliverSm)]

    @property
    def unbound(self) -> bool:
        return any(isinstance(event, Unbound) for event in self.events)

    async def until(self, condition: Callable[[], bool], timeout: float = 10.0) -> None:
        """Wait until `condition` holds; looked at after each read."""
        if condition():
            return
        future: asyncio.Future[None] = self.loop.create_future()
        self._waiters.append((condition, future))
        await asyncio.wait_for(future, timeout)

    def _look(self) -> None:
        for condition, future in self._waiters:
            if not future.done() and condition():
                future.set_result(None)
        self._waiters = [one for one in self._waiters if not one[1].done()]

    def close(self) -> None:
        self.transport.close()


async def connect(port: int, tls: ssl.SSLContext | None = None) -> Esme:
    """A customer's connection to a port of this machine."""
    _, esme = await asyncio.get_running_loop().create_connection(
        Esme, "127.0.0.1", port, ssl=tls, server_hostname="localhost" if tls else None
    )
    return esme


def submit(text: bytes = b"hello", to: str = "79161234567", **fields: Any) -> SubmitSm:
    """A submit_sm with a receipt wished, as customers send it."""
    values: dict[str, Any] = {
        "source_addr_ton": 5,
        "source_addr": "ACME",
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
        "destination_addr": to,
        "registered_delivery": 1,
        "short_message": text,
    }
    return SubmitSm(**{**values, **fields})
