"""The socket of one SMPP session: octets to `protocol.Connection` and back.

In: reads, the transport's complaints, time. Out: what is to be written, and lists of events for
the listener. It knows no message, rate or carrier policy; what a PDU means is the listener's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol, cast

from gateway.dispatch.outgoing import Body, Context
from gateway.dispatch.profile import Profile
from protocol import constants as c
from protocol.connection import Connection
from protocol.events import BindRefused, Bound, Closed, CloseReason, Event
from protocol.pdu import BindReceiver, BindTransceiver, BindTransmitter, DeliverSm, Pdu
from protocol.state import Role, State

BINDS: Final = {"trx": BindTransceiver, "tx": BindTransmitter, "rx": BindReceiver}
MOST_UNREAD: Final = 8 << 20
"""Octets written that the peer has not taken before the link is given up. Submits stop at the
transport's own mark long before; what grows beyond are answers to a peer that asks without end and
never reads. A window of 10,000 submits of the longest kind fits."""
UNREAD: Final = "unread"
"""The reason such a link ends for."""
_SUBMITTING: Final = (State.BOUND_TRX, State.BOUND_TX)


class LinkFailed(Exception):
    """The link could not be bound; `command_status` is the operator's answer, 0 if it gave none."""

    def __init__(self, reason: str, command_status: int = 0) -> None:
        super().__init__(reason)
        self.command_status = command_status


class Listener(Protocol):
    """Whoever the messages on a link belong to."""

    def on_events(self, link: Link, events: list[Event], now: float) -> list[Event]:
        """Take the events about messages; returns the others, about the session."""

    def on_writable(self, link: Link) -> None:
        """The peer reads again after a stall."""


class Link(asyncio.Protocol):
    """One session, from the TCP connection to its end.

    bound    done when the operator has accepted the bind; LinkFailed if it has not
    closed   done when the session is over, with the reason
    waiting  parts that go before anything else on this link (see feed.py)
    owed     PDUs handed to the listener and not answered yet
    """

    def __init__(
        self, profile: Profile, kind: str, listener: Listener, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._profile = profile
        self._kind = kind
        self._listener = listener
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._connection: Connection | None = None
        self._writable = True
        self._given_up = False
        self._submits = False
        self._timer: asyncio.Handle | None = None
        self._timer_at = 0.0  # uvloop's handle of a time already reached does not tell it
        self.bound: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[str] = loop.create_future()
        self.waiting: deque[Context] = deque()
        self.owed = 0

    # ---- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP (and TLS) is up: bind."""
        # uvloop's transport has the methods of asyncio.Transport and not the class.
        self._transport = cast(asyncio.Transport, transport)
        profile, now = self._profile, self._loop.time()
        carrier = profile.carrier
        self._connection = Connection(
            Role.ESME,
            now=now,
            timers=profile.timers,
            window=carrier.window,
            interface_version=profile.interface_version,
        )
        self._connection.bind(
            BINDS[self._kind](
                system_id=carrier.system_id,
                password=profile.password,
                system_type=carrier.system_type,
                interface_version=profile.interface_version,
                address_range=carrier.address_range,
            ),
            now,
        )
        self._settle([], now)

    def data_received(self, data: bytes) -> None:
        """One read: everything in it is handled in one pass, all replies leave in one write."""
        assert self._connection is not None
        now = self._loop.time()
        self._settle(self._connection.receive_data(data, now), now)

    def eof_received(self) -> bool:
        """The peer hung up; False lets asyncio close the transport."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone, whoever closed it."""
        if self._connection is not None:
            now = self._loop.time()
            self._settle(self._connection.receive_eof(now), now)
        self._finish(CloseReason.EOF)

    def pause_writing(self) -> None:
        """The peer does not read. Submitting stops; reading goes on, or two full sockets would
        wait for each other."""
        self._writable = False

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._writable = True
        self._listener.on_writable(self)

    # ---- our side

    @property
    def free(self) -> int:
        """How many submit_sm may be sent now."""
        if not self._submits or not self._writable or self._connection is None:
            return 0
        return self._connection.window_free

    @property
    def submits(self) -> bool:
        """Whether the session is of a kind and in a state that carries submit_sm."""
        return self._submits

    @property
    def outstanding(self) -> int:
        """How many submit_sm wait for an answer."""
        return 0 if self._connection is None else self._connection.outstanding

    def submit(self, bodies: Sequence[Body], contexts: Sequence[Context], now: float) -> None:
        """Send one submit_sm per body; there must be room for all (`free`)."""
        assert self._connection is not None
        self._connection.send_many(bodies, c.SUBMIT_SM, contexts, now)
        self._flush()
        if self._timer is None or self._timer_at > now + self._profile.timers.response:
            self._arm()

    def respond(self, pdus: Sequence[Pdu], statuses: Sequence[int]) -> None:
        """Answer the requests of one read, in one write; `statuses[i]` answers `pdus[i]`."""
        connection = self._connection
        self.owed -= len(pdus)
        if connection is None:
            return
        now = self._loop.time()
        if not any(statuses) and {*map(type, pdus)} == {DeliverSm}:  # nearly every read
            numbers = [pdu.sequence_number for pdu in pdus]
            connection.respond_many(c.DELIVER_SM_RESP, numbers, now)
        else:
            groups: dict[tuple[int, int], list[int]] = {}
            for pdu, status in zip(pdus, statuses, strict=True):
                if pdu.command_id != c.ALERT_NOTIFICATION:  # 3.4 §4.12.1: it has no response
                    groups.setdefault((pdu.command_id, status), []).append(pdu.sequence_number)
            for (command_id, status), numbers in groups.items():
                connection.respond_many(command_id | c.RESPONSE_BIT, numbers, now, status)
        self._flush()
        self._arm()  # the last answer owed may release the peer's unbind

    def pause_reading(self, paused: bool) -> None:
        """Stop or go on reading; the operator's window then fills, and it waits."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if paused and transport.is_reading():
            transport.pause_reading()
        elif not paused and not transport.is_reading():
            transport.resume_reading()

    def unbind(self) -> None:
        """Take leave; `closed` follows, at the latest after the response timer."""
        connection = self._connection
        if connection is None or not connection.state.bound:
            self.abort()
            return
        now = self._loop.time()
        connection.unbind(now)
        self._submits = False
        self._flush()
        self._arm()

    def abort(self, reason: str = CloseReason.CLOSED) -> None:
        """End it now; what is unanswered is reported as lost."""
        if self._connection is not None:
            now = self._loop.time()
            self._settle(self._connection.abort(now, reason), now)
        if self._transport is not None:
            self._transport.abort()
        self._finish(reason)

    # ---- between the two

    def _settle(self, events: list[Event], now: float) -> None:
        others: list[Event] = []
        if events:
            assert self._connection is not None
            self._submits = self._connection.state in _SUBMITTING
            others = self._listener.on_events(self, events, now)
            for event in others:
                self._session_event(event)
        self._flush()
        if others or self._timer is None:  # answers only ever move the next timer away
            self._arm()

    def _session_event(self, event: Event) -> None:
        if isinstance(event, Bound):
            if not self.bound.done():
                self.bound.set_result(None)
        elif isinstance(event, BindRefused):
            if not self.bound.done():
                name = c.status_name(event.command_status)
                self._fail(LinkFailed(name, event.command_status))
        elif isinstance(event, Closed):
            self._flush()
            if self._transport is not None:
                self._transport.close()
            self._finish(event.reason)

    def _finish(self, reason: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.bound.done():
            self._fail(LinkFailed(reason))
        if not self.closed.done():
            self.closed.set_result(reason)

    def _fail(self, failure: LinkFailed) -> None:
        self.bound.set_exception(failure)
        self.bound.exception()  # seen: whoever stopped waiting is not told of it at exit

    def _flush(self) -> None:
        assert self._connection is not None
        assert self._transport is not None
        data = self._connection.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)
            if not self._writable and self._transport.get_write_buffer_size() > MOST_UNREAD:
                self._give_up()

    def _give_up(self) -> None:
        """End the link, but not within whatever is being sent just now."""
        if not self._given_up:
            self._given_up = True
            self._loop.call_soon(self.abort, UNREAD)

    def _arm(self) -> None:
        """Keep one timer, never later than the connection's next.

        An armed timer that turns out early only looks again: rearming at every read would leave
        thousands of cancelled timers in the loop's heap.
        """
        assert self._connection is not None
        due = self._connection.next_timer()
        if due is None or self.closed.done():
            return
        if self._timer is not None:
            if self._timer_at <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._on_timer)
        self._timer_at = due

    def _on_timer(self) -> None:
        assert self._connection is not None
        self._timer = None
        now = self._loop.time()
        self._settle(self._connection.handle_timer(now), now)
