"""The sending half of a session: what we may say, how it is numbered, what waits to be written.

In: PDUs and encoded bodies of our caller, and the moment. Out: octets for one write, and in the
end the fates of what stayed unanswered. Of the peer it knows only what it owes the peer.
"""

from collections.abc import Sequence
from struct import Struct
from typing import Final

from .constants import (
    DELIVER_SM_RESP,
    ENQUIRE_LINK,
    ENQUIRE_LINK_RESP,
    ESME_ROK,
    GENERIC_NACK,
    HEADER_LENGTH,
    OUTBIND,
    RESPONSE_BIT,
    UNBIND_RESP,
    command_name,
)
from .errors import LinkError, UsageError
from .events import Closed, CloseReason, Event
from .pdu import PDUS, Pdu, Unbind, body
from .state import BINDS, SESSION_REQUESTS, UNANSWERED, Role, Session, State
from .timers import Clockwork, Timers
from .window import Window

HEADER: Final = Struct(">IIII")
_UINT32: Final = 0xFFFFFFFF
LEAVE_TAKING: Final = 1.0
"""Seconds that a peer which has sent unbind is given for the responses it still owes us. One that
ends in good order sends them first or right behind, and each that we do not wait for is a message
of unknown fate; one that has stopped answering must not hold up the next bind."""


def response_body(command_id: int, command_status: int) -> bytes:
    """The body of a response that says nothing but its status.

    deliver_sm_resp has its empty message_id whatever the status: 3.4 §4.6.2 knows no exception, and
    jsmpp fails on the bare header.
    """
    if command_id == DELIVER_SM_RESP:
        return b"\0"
    return body(PDUS[command_id](command_status=command_status))


class Outbound:
    """Queues requests and responses; `Connection` adds what is heard and what time it is."""

    def __init__(
        self, role: Role, now: float, timers: Timers, window: int, first_sequence: int
    ) -> None:
        self.role: Final = role
        self.timers: Final = timers
        self._session: Final = Session(role)
        self._window: Final = Window(window, first_sequence)
        self._clock: Final = Clockwork(timers, now)
        self._out: list[bytes] = []
        self._ended = False
        self._binding: tuple[int, int] | None = None  # peer's bind: command_id, sequence_number
        self._owed = 0  # requests handed to the caller and not answered yet
        self._unbind: tuple[int, float] | None = None  # peer's unbind: sequence_number, answer by
        self._reason: str = CloseReason.UNBOUND  # what our own unbind will be reported as

    @property
    def state(self) -> State:
        return self._session.state

    @property
    def bound_as(self) -> State | None:
        """The bound state this session is or was in; None before the first bind."""
        return self._session.bound_as

    @property
    def window(self) -> int:
        """How many requests may be outstanding; may be changed at any time."""
        return self._window.size

    @window.setter
    def window(self, size: int) -> None:
        self._window.size = size

    @property
    def window_free(self) -> int:
        """How many requests may be sent now."""
        return self._window.free

    @property
    def outstanding(self) -> int:
        """How many of our requests wait for a response."""
        return len(self._window.outstanding)

    @property
    def owed(self) -> int:
        """How many of the peer's requests wait for a response from us."""
        return self._owed

    def data_to_send(self) -> bytes:
        """Everything queued since the last call, to be written at once; b"" if nothing is.

        From here on the requests in it count as sent: they end as `Lost`, no longer as `Unsent`.
        """
        if not self._out:
            return b""
        data = b"".join(self._out)
        self._out.clear()
        self._window.flushed()
        return data

    # ---- one PDU

    def send(self, pdu: Pdu, now: float, context: object = None) -> int:
        """Queue one PDU and return its sequence_number.

        A request gets the next sequence_number, written into `pdu`; `context` comes back with its
        fate (bind, unbind and enquire_link have fates of their own and bring none). A response
        keeps its sequence_number, as `response_to` has set it. Raises UsageError if the state or
        the window forbids the PDU or if it cannot be encoded; nothing has been sent then.
        """
        if not 0 <= pdu.command_status <= _UINT32 or not 0 <= pdu.sequence_number <= _UINT32:
            raise UsageError(f"{pdu.command}: status or sequence_number is not 32 bits")
        if pdu.command_id & RESPONSE_BIT:
            self._send_response(pdu, now)
        else:
            self._send_request(pdu, now, context)
        return pdu.sequence_number

    def bind(self, pdu: Pdu, now: float) -> int:
        """Ask for a session with bind_transmitter, bind_receiver or bind_transceiver."""
        if pdu.command_id not in BINDS:
            raise UsageError(f"{pdu.command} is no bind")
        return self.send(pdu, now)

    def unbind(self, now: float) -> int:
        """Take leave. Requests still outstanding at the peer's answer are reported as `Lost`."""
        return self.send(Unbind(), now)

    def _send_request(self, pdu: Pdu, now: float, context: object) -> None:
        command_id = pdu.command_id
        if command_id not in self._session.sendable:
            raise self._misplaced(command_id)
        session_requests = self._window.session
        if command_id in BINDS and any(entry[1] in BINDS for entry in session_requests.values()):
            raise UsageError("a bind is under way already")
        octets = body(pdu)  # may refuse, so before anything is noted
        if command_id in SESSION_REQUESTS:
            (number,) = self._window.number(1)
            if command_id not in UNANSWERED:
                session_requests[number] = (None, command_id, now)
            elif command_id == OUTBIND:
                self._clock.opened_at = now  # session_init gives the ESME its time to bind
        else:
            (number,) = self._window.add(command_id, (context,), now)
        pdu.sequence_number = number
        self._queue(command_id, pdu.command_status, number, octets)
        if command_id == ENQUIRE_LINK:
            self._clock.enquired_at = now
        else:
            self._clock.busy_at = now
            self._session.sent(command_id)

    def _send_response(self, pdu: Pdu, now: float) -> None:
        command_id = pdu.command_id
        if self._ended:
            return
        if command_id != GENERIC_NACK:
            self._check_response(command_id)
        binding = self._binding
        binds = command_id & ~RESPONSE_BIT in BINDS
        if binds and binding != (command_id & ~RESPONSE_BIT, pdu.sequence_number):
            raise UsageError(f"no such bind waits for {pdu.command} {pdu.sequence_number}")
        octets = body(pdu)
        if not octets:
            octets = response_body(command_id, pdu.command_status)
        self._queue(command_id, pdu.command_status, pdu.sequence_number, octets)
        if binding is not None and binding[1] == pdu.sequence_number:
            self._binding = None
            if self._session.sent(command_id, pdu.command_status):
                self._clock.bound(now)
            else:
                self._clock.opened_at = now  # refused: session_init runs anew
        else:
            self._answered(1, now)

    # ---- many at once

    def send_many(
        self,
        bodies: Sequence[tuple[bytes, ...]],
        command_id: int,
        contexts: Sequence[object],
        now: float,
    ) -> None:
        """Queue one request per body, each body in pieces that are joined here.

        The pieces come from `pdu.prepare` or `pdu.body`; `contexts[i]` comes back with the fate of
        `bodies[i]`. Raises UsageError, queueing nothing, if the state or the window forbids it.
        """
        if command_id in SESSION_REQUESTS:
            raise UsageError(f"{command_name(command_id)} is sent one at a time: use send")
        if command_id not in self._session.sendable:
            raise self._misplaced(command_id)
        if len(bodies) != len(contexts):
            raise UsageError(f"{len(bodies)} bodies with {len(contexts)} contexts")
        joined = list(map(b"".join, bodies))
        numbers = self._window.add(command_id, contexts, now)
        pack = HEADER.pack
        out = self._out
        for number, octets in zip(numbers, joined, strict=True):
            out += pack(HEADER_LENGTH + len(octets), command_id, ESME_ROK, number), octets
        self._clock.busy_at = now

    def respond_many(
        self,
        command_id: int,
        sequence_numbers: Sequence[int],
        now: float,
        command_status: int = ESME_ROK,
        bodies: Sequence[bytes] | None = None,
    ) -> None:
        """Queue the responses `command_id` (a ..._resp) to many requests, all of one status.

        Without `bodies` each response carries its fields' defaults. On a closed connection the
        responses vanish: the peer left while its requests were being stored, nobody's mistake.
        """
        if self._ended:
            return
        self._check_response(command_id)
        if command_id & ~RESPONSE_BIT in BINDS:
            raise UsageError(f"{command_name(command_id)} answers one bind: use send")
        pack = HEADER.pack
        if bodies is None:
            octets = response_body(command_id, command_status)
            length = HEADER_LENGTH + len(octets)
            self._out += [
                pack(length, command_id, command_status, number) + octets
                for number in sequence_numbers
            ]
        else:
            self._out += [
                pack(HEADER_LENGTH + len(octets), command_id, command_status, number) + octets
                for number, octets in zip(sequence_numbers, bodies, strict=True)
            ]
        self._answered(len(sequence_numbers), now)

    # ---- the end

    def close(self, now: float, reason: str = CloseReason.CLOSED) -> list[Event]:
        """End the connection once what is queued is written. For leave-taking see `unbind`."""
        return self._end(reason, discarded=False)

    def abort(self, now: float, reason: str = CloseReason.CLOSED) -> list[Event]:
        """End the connection at once; requests still queued are `Unsent`."""
        return self._end(reason, discarded=True)

    def _end(self, reason: str, discarded: bool, fault: LinkError | None = None) -> list[Event]:
        if self._ended:
            return []
        if discarded:
            self._out.clear()
        self._session.closed()
        self._ended = True
        self._binding = self._unbind = None
        self._owed = 0
        return [*self._window.end(discarded), Closed(reason, fault)]

    # ---- for both halves

    def _queue(self, command_id: int, command_status: int, number: int, octets: bytes) -> None:
        header = HEADER.pack(HEADER_LENGTH + len(octets), command_id, command_status, number)
        self._out.append(header + octets)

    def _answered(self, count: int, now: float) -> None:
        """Our caller has answered `count` requests; the last one may release the peer's unbind."""
        self._clock.busy_at = now
        self._owed = max(0, self._owed - count)
        if self._unbind is not None and not self._owed:
            if self._window.outstanding:
                self._await_answers(now)
            else:
                self._answer_unbind(now)

    def _await_answers(self, now: float) -> None:
        """The peer's unbind is answered when it has answered us, and soon in any case."""
        if self._unbind is not None:
            number, until = self._unbind
            self._unbind = (number, min(until, now + LEAVE_TAKING))

    def _answer_unbind(self, now: float) -> None:
        """Let the peer go. `Closed` follows from `handle_timer`, which is due at once."""
        if self._unbind is None or self._session.state is not State.UNBINDING:
            return
        number = self._unbind[0]
        self._unbind = (number, now)
        self._queue(UNBIND_RESP, ESME_ROK, number, b"")
        self._session.sent(UNBIND_RESP)

    def _check_response(self, command_id: int) -> None:
        request = command_id & ~RESPONSE_BIT
        if command_id in (ENQUIRE_LINK_RESP, UNBIND_RESP):
            raise UsageError(f"{command_name(command_id)} is sent by the connection itself")
        if not command_id & RESPONSE_BIT or request not in self._session.answerable:
            raise self._misplaced(command_id)

    def _misplaced(self, command_id: int) -> UsageError:
        state = self._session.state.value
        return UsageError(f"{command_name(command_id)} is not for the {self.role.value} in {state}")
