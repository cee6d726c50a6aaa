"""One SMPP session without its socket: octets and moments in, events and octets out.

    receive_data(octets, now) -> events          whole reads, however they are cut
    send, send_many, respond_many                our requests and responses
    data_to_send() -> octets                     all that is queued, for one write
    next_timer() -> moment; handle_timer(now) -> events

Both roles (ESME and SMSC) are this one class; what differs is a row of state.OPERATIONS. The
connection answers by itself what needs no application: enquire_link, unbind, requests the state
forbids, PDUs that cannot be read. It knows no socket, no clock and nothing of what messages mean.

Only our caller's mistakes raise (UsageError, and then nothing has changed); whatever a peer sends,
`receive_data` returns events. `now` is in seconds of any origin and never goes back. After `Closed`
every method still works: input is ignored, responses vanish, requests raise UsageError.
"""

from math import inf
from typing import Final

from .constants import (
    COMMAND_NAME,
    ENQUIRE_LINK,
    ENQUIRE_LINK_RESP,
    ESME_RALYBND,
    ESME_RINVBNDSTS,
    ESME_RINVCMDID,
    ESME_RINVCMDLEN,
    ESME_ROK,
    GENERIC_NACK,
    HEADER_LENGTH,
    INTERFACE_VERSION_34,
    MAX_PDU,
    OUTBIND,
    RESPONSE_BIT,
    UNBIND,
)
from .errors import LinkError, PduError, UsageError
from .events import (
    Alive,
    Answered,
    BindRefused,
    Bound,
    CloseReason,
    Event,
    Late,
    Malformed,
    Received,
    Refused,
    Unbound,
    Unexpected,
)
from .outbound import HEADER, Outbound, response_body
from .pdu import EnquireLink, Pdu, decode
from .state import BINDS, UNANSWERED, Role, State
from .timers import Timers, after

_LENGTH_OCTETS: Final = 4


class Connection(Outbound):
    """An SMPP session from an established TCP connection (at `now`) to its end.

    timers   durations in seconds
    window   how many requests may be outstanding; bind, unbind and enquire_link do not count
    max_pdu  the longest command_length accepted, which also bounds what is kept of a partial PDU
    """

    def __init__(
        self,
        role: Role,
        *,
        now: float,
        timers: Timers,
        window: int,
        max_pdu: int = MAX_PDU,
        interface_version: int = INTERFACE_VERSION_34,
        first_sequence: int = 1,
    ) -> None:
        super().__init__(role, now, timers, window, first_sequence)
        if not HEADER_LENGTH <= max_pdu <= MAX_PDU:
            raise UsageError(f"max_pdu is {max_pdu}, not {HEADER_LENGTH} to {MAX_PDU}")
        self.max_pdu: Final = max_pdu
        self.interface_version: Final = interface_version
        self._tail = bytearray()  # the beginning of a PDU whose end has not arrived
        self._needed = 0  # octets that `_tail` must reach before it is worth another look

    # ---- octets in

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """Take one read of any length and return what it means.

        What stands behind the last whole PDU is kept, at most `max_pdu` octets of it.
        """
        if self._ended:
            return []
        self._clock.heard_at = now
        if self._tail:
            self._tail += data
            if len(self._tail) < self._needed:
                return []
            data = bytes(self._tail)
            self._tail.clear()
        events: list[Event] = []
        append = events.append
        outstanding = self._window.outstanding
        unpack = HEADER.unpack_from
        max_pdu = self.max_pdu
        size = len(data)
        pos = 0
        while size - pos >= HEADER_LENGTH:
            length, command_id, _, number = unpack(data, pos)
            end = pos + length
            if end > size or not HEADER_LENGTH <= length <= max_pdu:
                break
            # The hot path: a response of the kind its sequence_number waits for.
            entry = outstanding.get(number)
            if entry is not None and command_id == entry[1] | RESPONSE_BIT:
                del outstanding[number]
                response, error = _read(data, pos, end)
                append(Answered(entry[0], entry[1], response, entry[2], error))
                self._clock.busy_at = now
            else:
                self._receive(data, pos, end, now, events)
                if self._ended:
                    return events
            pos = end
        self._keep_tail(data, pos, events)
        return events

    def _keep_tail(self, data: bytes, pos: int, events: list[Event]) -> None:
        """Keep what is no whole PDU yet, or end the connection if it can never become one.

        The length is judged as soon as its four octets are there: that much of an HTTP request or
        a TLS hello is enough. The nack has sequence_number 0 (3.4 §4.3.1): with the framing lost
        there is no other, and it must not depend on how the octets were cut.
        """
        rest = len(data) - pos
        if rest < _LENGTH_OCTETS:
            self._needed = _LENGTH_OCTETS
        else:
            length = int.from_bytes(data[pos : pos + _LENGTH_OCTETS], "big")
            if not HEADER_LENGTH <= length <= self.max_pdu:
                self._queue(GENERIC_NACK, ESME_RINVCMDLEN, 0, b"")
                fault = LinkError(f"command_length is {length}, not 16 to {self.max_pdu}")
                events += self._end(CloseReason.FRAMING, discarded=False, fault=fault)
                return
            self._needed = length
        if rest:
            self._tail += memoryview(data)[pos:]

    def receive_eof(self, now: float) -> list[Event]:
        """The peer has hung up; what is still queued cannot reach it."""
        reason: str = CloseReason.EOF
        if self._unbind is not None:
            reason = CloseReason.PEER_UNBOUND
        elif self._session.state is State.UNBINDING:
            reason = self._reason  # hanging up is how some peers answer an unbind
        return self._end(reason, discarded=True)

    def _receive(self, data: bytes, pos: int, end: int, now: float, events: list[Event]) -> None:
        """Take one whole PDU, other than the response that receive_data takes itself."""
        _, command_id, _, number = HEADER.unpack_from(data, pos)
        if command_id == ENQUIRE_LINK:
            self._queue(ENQUIRE_LINK_RESP, ESME_ROK, number, b"")
        elif command_id & RESPONSE_BIT:
            self._receive_response(data, pos, end, now, events)
        elif command_id not in COMMAND_NAME:
            self._queue(GENERIC_NACK, ESME_RINVCMDID, number, b"")
            events.append(
                Malformed(PduError("unknown command_id", ESME_RINVCMDID, command_id, number))
            )
        elif command_id not in self._session.receivable:
            again = command_id in BINDS and self._session.state.bound
            self._refuse(command_id, number, ESME_RALYBND if again else ESME_RINVBNDSTS, events)
        elif command_id in BINDS and self._binding is not None:
            self._refuse(command_id, number, ESME_RALYBND, events)
        elif command_id == UNBIND:
            self._receive_unbind(number, now, events)
        else:
            self._receive_request(data, pos, end, now, events)

    # ---- requests of the peer

    def _receive_request(
        self, data: bytes, pos: int, end: int, now: float, events: list[Event]
    ) -> None:
        self._clock.busy_at = now
        pdu, error = _read(data, pos, end)
        command_id, number = pdu.command_id, pdu.sequence_number
        if error is not None:
            self._answer(command_id, number, error.command_status)
            events.append(Malformed(error))
            return
        if command_id in BINDS:
            self._binding = (command_id, number)
        elif command_id == OUTBIND:
            self._session.received(OUTBIND)
            self._clock.opened_at = now  # session_init gives us the same time again to bind
        elif command_id not in UNANSWERED:
            self._owed += 1
        events.append(Received(pdu))

    def _receive_unbind(self, number: int, now: float, events: list[Event]) -> None:
        """Answer an unbind, after what the peer still has to hear from us.

        A peer that sends its last submit_sm and unbind in one write gets every response: the
        unbind_resp waits for them, at most as long as a response may take.
        """
        self._session.received(UNBIND)
        self._unbind = (number, after(now, self.timers.response))
        events.append(Unbound(by_peer=True))
        if not self._owed:
            self._answer_unbind(now)
            events += self._end(CloseReason.PEER_UNBOUND, discarded=False)

    def _refuse(
        self, command_id: int, number: int, command_status: int, events: list[Event]
    ) -> None:
        self._answer(command_id, number, command_status)
        events.append(Refused(command_id, number, command_status))

    def _answer(self, command_id: int, number: int, command_status: int) -> None:
        """Answer a request with an error: in its own response if it has one, else generic_nack."""
        if command_id in UNANSWERED:
            self._queue(GENERIC_NACK, command_status, number, b"")
        else:
            response = command_id | RESPONSE_BIT
            octets = response_body(response, command_status)
            self._queue(response, command_status, number, octets)

    # ---- responses of the peer

    def _receive_response(
        self, data: bytes, pos: int, end: int, now: float, events: list[Event]
    ) -> None:
        """Take a response that is not what its sequence_number waits for, or not of the window.

        No response is ever answered: two peers that did so would never stop.
        """
        _, command_id, _, number = HEADER.unpack_from(data, pos)
        if command_id not in COMMAND_NAME:
            error = PduError("unknown command_id", ESME_RINVCMDID, command_id, number)
            events.append(Malformed(error))
            return
        response, error_or_none = _read(data, pos, end)
        window = self._window
        for waiting in (window.outstanding, window.session, window.late):
            entry = waiting.get(number)
            if entry is None:
                continue
            context, request_command_id, sent_at = entry
            if command_id not in (request_command_id | RESPONSE_BIT, GENERIC_NACK):
                continue
            del waiting[number]
            if request_command_id == ENQUIRE_LINK:
                events.append(Alive(sent_at))
            elif waiting is window.session:
                self._settle_session(request_command_id, response, error_or_none, now, events)
            else:
                fate = Late if waiting is window.late else Answered
                events.append(fate(context, request_command_id, response, sent_at, error_or_none))
                self._clock.busy_at = now
            return
        if error_or_none is not None:
            events.append(Malformed(error_or_none))
        else:
            events.append(Unexpected(response))

    def _settle_session(
        self,
        request_command_id: int,
        response: Pdu,
        error: PduError | None,
        now: float,
        events: list[Event],
    ) -> None:
        """Take the response to our bind or unbind; its header alone decides."""
        if error is not None:
            events.append(Malformed(error))
        if request_command_id == UNBIND:
            events.append(Unbound(by_peer=False))
            events += self._end(self._reason, discarded=False)
        elif self._session.received(response.command_id, response.command_status):
            self._clock.bound(now)
            events.append(Bound(self._session.state, response))
        else:
            self._clock.opened_at = now
            events.append(BindRefused(response.command_status, response))

    # ---- time

    def next_timer(self) -> float | None:
        """When to call `handle_timer`; None if there is nothing to wait for.

        Changes with every call that takes or queues octets; ask again after each.
        """
        state = self._session.state
        if state is State.CLOSED:
            return None
        window = self._window
        due = window.expires_at(self.timers.response)
        for _, command_id, sent_at in window.session.values():
            due = min(due, self._session_response_by(command_id, sent_at))
        if self._unbind is not None:
            due = min(due, self._unbind[1])
        if state.bound:
            due = min(due, self._clock.inactive_at())
            if not self._enquiring():
                due = min(due, self._clock.enquire_at())
        elif self._awaiting_bind():
            due = min(due, self._clock.session_init_at())
        return None if due == inf else due

    def handle_timer(self, now: float) -> list[Event]:
        """Do what is due at `now`; calling it early or for nothing is harmless."""
        if self._session.state is State.CLOSED:
            return []
        events: list[Event] = [*self._window.expire(self.timers.response, now)]
        if self._unbind is not None and self._unbind[1] <= now:
            self._answer_unbind(now)
            return events + self._end(CloseReason.PEER_UNBOUND, discarded=False)
        for number, entry in list(self._window.session.items()):
            _, command_id, sent_at = entry
            if self._session_response_by(command_id, sent_at) > now:
                continue
            if command_id != ENQUIRE_LINK:
                return events + self._end(CloseReason.RESPONSE, discarded=False)
            if self._clock.heard_at <= sent_at:
                return events + self._end(CloseReason.ENQUIRE_LINK, discarded=False)
            # Whatever else the peer says, it is there; some neglect enquire_link when busy.
            del self._window.session[number]
            self._window.remember_late(number, entry)
        if self._session.state.bound:
            self._keep_alive(now)
        elif self._awaiting_bind() and self._clock.session_init_at() <= now:
            return events + self._end(CloseReason.SESSION_INIT, discarded=False)
        return events

    def _keep_alive(self, now: float) -> None:
        """Send the enquire_link that is due, or unbind when nothing has happened for too long."""
        clock = self._clock
        if clock.inactive_at() <= now:
            if not self._owed and not self._window.outstanding:
                self._reason = CloseReason.INACTIVITY
                self.unbind(now)
                return
            clock.busy_at = now
        if not self._enquiring() and clock.enquire_at() <= now:
            self.send(EnquireLink(), now)

    def _session_response_by(self, command_id: int, sent_at: float) -> float:
        timers = self.timers
        enquiring = command_id == ENQUIRE_LINK
        return after(sent_at, timers.enquire_link_response if enquiring else timers.response)

    def _enquiring(self) -> bool:
        return any(entry[1] == ENQUIRE_LINK for entry in self._window.session.values())

    def _awaiting_bind(self) -> bool:
        """Neither bound nor in the course of it: the time for which session_init runs."""
        under_way = self._binding is not None or any(
            entry[1] in BINDS for entry in self._window.session.values()
        )
        return not under_way and self._session.state in (State.OPEN, State.OUTBOUND)


def _read(data: bytes, pos: int, end: int) -> tuple[Pdu, PduError | None]:
    """Return the PDU at `data[pos:end]`, with the error if only its header could be read."""
    try:
        return decode(data, pos, end), None
    except PduError as error:
        if error.pdu is None:  # an unknown command, and callers have ruled that out
            raise
        return error.pdu, error
