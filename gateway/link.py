"""The socket of one SMPP session: octets to `protocol.Connection` and back, for either role.

In: reads, the transport's complaints, time. Out: what is to be written, and lists of events for
the subclass, which is a carrier's link (dispatch) or a customer's bind (ingress). Knows no
message, rate or policy: what a PDU means is the subclass's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol, cast

from protocol.connection import Connection
from protocol.constants import ALERT_NOTIFICATION, RESPONSE_BIT
from protocol.events import Closed, CloseReason, Event
from protocol.pdu import Pdu

MOST_UNREAD: Final = 8 << 20
"""Octets written that the peer has not taken before the link is given up. Requests of ours stop at
the transport's own mark long before; what grows beyond are answers to a peer that asks without end
and never reads. A window of 10,000 submits of the longest kind fits."""
UNREAD: Final = "unread"
"""The reason such a link ends for."""


Watch = Callable[[str, "SmppLink"], None]
"""Told of a link, with the name of the carrier or account it belongs to, before it speaks."""


class Tap(Protocol):
    """Somebody who looks at the octets of a link: see `aldis capture`."""

    def octets(self, link: SmppLink, sent: bool, data: bytes) -> None:
        """One read (`sent` false) or one write of `link`; whole PDUs only when written."""


class SmppLink(asyncio.Protocol):
    """One session, from the TCP connection to its end.

    closed   done when the session is over, with the reason
    owed     PDUs handed to the subclass's owner and not answered yet
    tap      who looks at its octets; None, nearly always

    A subclass gives `_open` (the session to speak), `_on_events` (takes a read's events and returns
    those about the session), `_on_session` (takes each of these), and where it cares `_on_writable`
    and `_on_end`.
    """

    __slots__ = (
        "_connection", "_given_up", "_loop", "_most_unread", "_timer", "_timer_at", "_transport",
        "_writable", "closed", "owed", "tap",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._connection: Connection | None = None
        self._writable = True
        self._given_up = False
        self._most_unread = MOST_UNREAD
        self._timer: asyncio.Handle | None = None
        self._timer_at = 0.0  # uvloop's handle of a time already reached does not tell it
        self.closed: asyncio.Future[str] = loop.create_future()
        self.owed = 0
        self.tap: Tap | None = None

    # ---- what a subclass says

    def _open(self, now: float) -> Connection:
        """The session to speak over a connection just made; it may have octets to send."""
        raise NotImplementedError

    def _on_events(self, events: list[Event], now: float) -> list[Event]:
        """Take the events about messages; returns the others, about the session."""
        raise NotImplementedError

    def _on_session(self, event: Event) -> None:
        """Take one event about the session; `Closed` has been acted on already."""

    def _on_writable(self) -> None:
        """The peer reads again after a stall."""

    def _on_end(self, reason: str) -> None:
        """The session is over, whatever ended it; called once, before `closed` is done."""

    # ---- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP (and TLS) is up."""
        # uvloop's transport has the methods of asyncio.Transport and not the class.
        self._transport = cast(asyncio.Transport, transport)
        now = self._loop.time()
        self._connection = self._open(now)
        self._settle([], now)

    def data_received(self, data: bytes) -> None:
        """One read: everything in it is handled in one pass, all replies leave in one write."""
        if self.tap is not None:
            self.tap.octets(self, False, data)
        connection = self._connection
        assert connection is not None
        now = self._loop.time()
        self._settle(connection.receive_data(data, now), now)

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
        """The peer does not read. Requests of ours stop; reading goes on, or two full sockets would
        wait for each other."""
        self._writable = False

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._writable = True
        self._on_writable()

    # ---- our side

    @property
    def addresses(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """(ours, the peer's) as (host, port); ("", 0) where the socket does not say."""
        if self._transport is None:
            return ("", 0), ("", 0)
        ours, theirs = (self._transport.get_extra_info(f"{end}name") for end in ("sock", "peer"))
        return (ours[0], ours[1]) if ours else ("", 0), (theirs[0], theirs[1]) if theirs else (
            "",
            0,
        )

    @property
    def partial(self) -> bytes:
        """What has been read of a PDU whose end has not come; for a tap that begins."""
        return b"" if self._connection is None else self._connection.partial

    @property
    def outstanding(self) -> int:
        """How many requests of ours wait for an answer."""
        return 0 if self._connection is None else self._connection.outstanding

    def take_enquiries(self) -> int:
        """How many enquire_links of the peer have been answered since the last call."""
        return 0 if self._connection is None else self._connection.take_enquiries()

    def send_requests(
        self,
        command_id: int,
        bodies: Sequence[tuple[bytes, ...]],
        contexts: Sequence[object],
        now: float,
    ) -> None:
        """Send one request per body, in one write; there must be room in the window for all.

        `contexts[i]` comes back with the fate of `bodies[i]`; `now` is the loop's time.
        """
        connection = self._connection
        assert connection is not None
        connection.send_many(bodies, command_id, contexts, now)
        self._flush()
        if self._timer is None or self._timer_at > now + connection.timers.response:
            self._arm()

    def respond(self, pdus: Sequence[Pdu], statuses: Sequence[int]) -> None:
        """Answer requests with their fields' defaults, in one write; `statuses[i]` answers
        `pdus[i]`."""
        self.owed -= len(pdus)
        connection = self._connection
        if connection is None:
            return
        now = self._loop.time()
        groups: dict[tuple[int, int], list[int]] = {}
        if not any(statuses) and len({*map(type, pdus)}) == 1:  # nearly every read
            groups[pdus[0].command_id, 0] = [pdu.sequence_number for pdu in pdus]
        else:
            for pdu, status in zip(pdus, statuses, strict=True):
                groups.setdefault((pdu.command_id, status), []).append(pdu.sequence_number)
        for (command_id, status), numbers in groups.items():
            if command_id != ALERT_NOTIFICATION:  # 3.4 §4.12.1: it has no response
                connection.respond_many(command_id | RESPONSE_BIT, numbers, now, status)
        self._flush()
        self._arm()  # the last answer owed may release the peer's unbind

    def pause_reading(self, paused: bool) -> bool:
        """Stop or go on reading; the peer's window then fills, and it waits. Whether that changed
        anything."""
        transport = self._transport
        if transport is None or transport.is_closing() or transport.is_reading() is not paused:
            return False
        if paused:
            transport.pause_reading()
        else:
            transport.resume_reading()
        return True

    def unbind(self) -> None:
        """Take leave; `closed` follows, at the latest after the response timer."""
        connection = self._connection
        if connection is None or not connection.state.bound:
            self.abort()
            return
        connection.unbind(self._loop.time())
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
            others = self._on_events(events, now)
            for event in others:
                self._on_session(event)
                if isinstance(event, Closed):
                    self._flush()
                    if self._transport is not None:
                        self._transport.close()
                    self._finish(event.reason)
        self._flush()
        if others or self._timer is None:  # answers only ever move the next timer away
            self._arm()

    def _finish(self, reason: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.closed.done():
            self._on_end(reason)
            self.closed.set_result(reason)

    def _flush(self) -> None:
        assert self._connection is not None
        assert self._transport is not None
        data = self._connection.data_to_send()
        if data and not self._transport.is_closing():
            if self.tap is not None:
                self.tap.octets(self, True, data)
            self._transport.write(data)
            if not self._writable and self._transport.get_write_buffer_size() > self._most_unread:
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


def unwatched(name: str, link: SmppLink) -> None:
    """A `Watch` for who has no taps."""
