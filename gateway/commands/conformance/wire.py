"""One connection to the peer under test: a session, and octets no session would send.

In: requests, lawful ones by way of `protocol.Connection`, others as octets. Out: a `Reply` for
each, and what the peer asks of us. Every wait has a deadline. Knows no plan, rate or verdict.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from gateway.commands.conformance.trace import Stream, Trace
from protocol import constants as c
from protocol.connection import Connection
from protocol.events import (
    Answered,
    BindRefused,
    Bound,
    Closed,
    CloseReason,
    Event,
    Late,
    Malformed,
    Received,
    Unexpected,
)
from protocol.pdu import Pdu, encode, response_to
from protocol.state import UNANSWERED, Role
from protocol.timers import Timers

_NO_TIMERS: Final = Timers(session_init=0, enquire_link=0, response=0)
"""The plan says when something is asked and how long an answer may take."""
_WINDOW: Final = 10_000
"""More than a run may send: what is outstanding is the plan's to decide."""
_FIRST_NUMBER: Final = 0x60000000
"""sequence_numbers of what goes beside the session, away from its own."""
_SHOWN: Final = 24
"""Octets shown of what is not SMPP: enough to know HTTP, SSH or TLS by."""
_ENDINGS: Final[dict[str, str]] = {
    CloseReason.EOF: "the peer closed the connection",
    CloseReason.PEER_UNBOUND: "the peer unbound",
    CloseReason.CLOSED: "we closed the connection",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one request: a PDU, or the reason why there is none."""

    command_id: int = 0
    status: int | None = None
    """command_status; None if nothing came."""
    pdu: Pdu | None = None
    """None also for a PDU that cannot be read."""
    seconds: float = 0.0
    missing: str = ""
    """Why nothing came."""

    @property
    def accepted(self) -> bool:
        """Whether the request was carried out."""
        return self.status == c.ESME_ROK and self.command_id != c.GENERIC_NACK

    @property
    def refused(self) -> bool:
        """Whether the peer said no, in a response or in a generic_nack."""
        return self.status is not None and not self.accepted

    @property
    def nacked(self) -> bool:
        """Whether the answer is a generic_nack."""
        return self.status is not None and self.command_id == c.GENERIC_NACK

    @property
    def words(self) -> str:
        """The answer in words: a status, a nack, or why there is none."""
        if self.status is None:
            return self.missing
        name = c.status_name(self.status)
        if self.nacked:
            return f"generic_nack {name}"
        if self.command_id not in c.COMMAND_NAME:
            return f"a response of {c.command_name(self.command_id)}"
        return name

    @property
    def message_id(self) -> str:
        """The id in a response that has one."""
        return str(getattr(self.pdu, "message_id", ""))


class Wire(asyncio.Protocol):
    """A TCP or TLS connection; made with `loop.create_connection`.

    closed     done when the socket is gone, however that came
    ending     why, in words; empty as long as the session may still say something
    """

    def __init__(
        self,
        number: int,
        trace: Trace,
        interface_version: int,
        taken: Callable[[Pdu, float], int],
    ) -> None:
        """`taken` gets each request of the peer and returns the command_status to answer with."""
        self._loop = asyncio.get_running_loop()
        self._written = Stream(trace, number, ours=True)
        self._read = Stream(trace, number, ours=False)
        self._interface_version = interface_version
        self._taken = taken
        self._waiting: dict[int, tuple[asyncio.Future[Reply], float]] = {}
        self._next_number = _FIRST_NUMBER
        self._first_octets = b""
        self._transport: asyncio.Transport
        self._connection: Connection
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.ending = ""
        self.spoke_smpp = False
        self.said = 0
        """Reads so far; a step sees from it whether anything came."""

    # ---- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands; nothing is sent unasked."""
        self._transport = cast(asyncio.Transport, transport)
        self._connection = Connection(
            Role.ESME,
            now=self._loop.time(),
            timers=_NO_TIMERS,
            window=_WINDOW,
            interface_version=self._interface_version,
        )

    def data_received(self, data: bytes) -> None:
        """One read."""
        now = self._loop.time()
        self.said += 1
        self._first_octets = self._first_octets or data[:_SHOWN]
        self._read.feed(data, now)
        self._settle(self._connection.receive_data(data, now), now)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        now = self._loop.time()
        if exc is not None and not self.ending:
            self.ending = "the peer reset the connection"
        self._settle(self._connection.receive_eof(now), now)
        self._read.end(now)
        self._end(_ENDINGS[CloseReason.EOF])
        if not self.closed.done():
            self.closed.set_result(None)

    # ---- requests

    @property
    def alive(self) -> bool:
        """Whether anything can still be asked."""
        return not self.ending and not self._transport.is_closing()

    @property
    def transport(self) -> asyncio.Transport:
        """For what TLS has to tell."""
        return self._transport

    def next_number(self) -> int:
        """A sequence_number for a PDU that goes beside the session."""
        self._next_number += 1
        return self._next_number

    async def ask(self, pdu: Pdu, timeout: float) -> Reply:
        """Send a request the session's state allows, and wait for what comes of it."""
        return await self.outcome(self.send(pdu), timeout)

    def send(self, pdu: Pdu) -> int:
        """Send a request the session's state allows; `outcome` of the number tells the rest."""
        if not self.alive:
            return 0
        number = self._connection.send(pdu, self._loop.time())
        self._expect(number)
        self._flush()
        return number

    async def ask_beside(self, pdu: Pdu, timeout: float) -> Reply:
        """Send a request whatever the state; for those the session forbids or answers for."""
        pdu.sequence_number = self.next_number()
        return await self.ask_octets(encode(pdu), pdu.sequence_number, timeout)

    async def ask_octets(self, octets: bytes, number: int, timeout: float) -> Reply:
        """Send any octets at all; the answer is what comes back under `number`."""
        self.send_octets(octets, number)
        return await self.outcome(number, timeout)

    def send_octets(self, octets: bytes, *numbers: int) -> None:
        """Write octets as they are; `numbers` are those of the requests in them."""
        if not self.alive:
            return
        for number in numbers:
            self._expect(number)
        self._write(octets)

    async def outcome(self, number: int, timeout: float) -> Reply:
        """Wait for what comes of a request, at most `timeout` seconds from when it was sent."""
        if number not in self._waiting:
            return Reply(missing=self.ending or _ENDINGS[CloseReason.EOF])
        future, sent_at = self._waiting[number]
        left = sent_at + timeout - self._loop.time()
        done, _ = await asyncio.wait({future}, timeout=max(0.0, left))
        self._waiting.pop(number, None)
        return future.result() if done else Reply(missing=f"no answer in {timeout:g} s")

    def close(self) -> None:
        """Hang up."""
        if not self._transport.is_closing():
            self._end(_ENDINGS[CloseReason.CLOSED])
            self._transport.close()

    # ---- between the two

    def _settle(self, events: list[Event], now: float) -> None:
        for event in events:
            self._event(event, now)
        due = self._connection.next_timer()
        if due is not None and due <= now:  # the unbind that waited for our last answer
            self._settle(self._connection.handle_timer(now), now)
        self._flush()

    def _event(self, event: Event, now: float) -> None:
        if isinstance(event, Answered | Late | Bound | BindRefused):
            self._answered(event.response)
        elif isinstance(event, Unexpected):
            self._answered(event.pdu)
        elif isinstance(event, Received):
            self.spoke_smpp = True
            status = self._taken(event.pdu, now)
            if event.pdu.command_id not in UNANSWERED:
                self._connection.send(response_to(event.pdu, status), now)
        elif isinstance(event, Malformed):
            error = event.error
            if error.pdu is not None:
                self._answered(error.pdu)
            elif error.command_id & c.RESPONSE_BIT:
                self._resolve(error.sequence_number, error.command_id, error.command_status, None)
        elif isinstance(event, Closed):
            ending = _ENDINGS.get(event.reason, event.reason)
            if event.reason == CloseReason.FRAMING:
                shown = "".join(chr(o) if 32 <= o < 127 else "." for o in self._first_octets)
                ending = f"what came is not SMPP: {self._first_octets.hex()} |{shown}|"
            self._end(ending)
            self._flush()
            self._transport.close()

    def _answered(self, pdu: Pdu) -> None:
        self.spoke_smpp = True
        number = pdu.sequence_number
        if not number and pdu.command_id == c.GENERIC_NACK and len(self._waiting) == 1:
            (number,) = self._waiting  # 3.4 §4.3.1: it could not read ours
        self._resolve(number, pdu.command_id, pdu.command_status, pdu)

    def _expect(self, number: int) -> None:
        self._waiting[number] = self._loop.create_future(), self._loop.time()

    def _resolve(self, number: int, command_id: int, status: int, pdu: Pdu | None) -> None:
        future, sent_at = self._waiting.get(number, (None, 0.0))
        if future is not None and not future.done():
            future.set_result(Reply(command_id, status, pdu, self._loop.time() - sent_at))

    def _end(self, ending: str) -> None:
        self.ending = self.ending or ending
        for future, _ in self._waiting.values():
            if not future.done():
                future.set_result(Reply(missing=self.ending))

    def _flush(self) -> None:
        data = self._connection.data_to_send()
        if data:
            self._write(data)

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._written.feed(data, self._loop.time())
            self._transport.write(data)
