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

from .constants import (
    ENQUIRE_LINK,
    INTERFACE_VERSION_34,
    MAX_PDU,
)
from .events import (
    CloseReason,
    Event,
)
from .inbound import Inbound
from .pdu import EnquireLink
from .state import BINDS, Role, State
from .timers import Timers, after


class Connection(Inbound):
    """An SMPP session from an established TCP connection (at `now`) to its end.

    timers   durations in seconds
    window   how many requests may be outstanding; bind, unbind and enquire_link do not count
    max_pdu  the longest command_length accepted, which also bounds what is kept of a partial PDU
    interface_version  what we offer; after the bind the older of both sides' versions
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
        super().__init__(role, now, timers, window, first_sequence, max_pdu, interface_version)

    def receive_eof(self, now: float) -> list[Event]:
        """The peer has hung up; what is still queued cannot reach it."""
        reason: str = CloseReason.EOF
        if self._unbind is not None:
            reason = CloseReason.PEER_UNBOUND
        elif self._session.state is State.UNBINDING:
            reason = self._reason  # hanging up is how some peers answer an unbind
        return self._end(reason, discarded=True)

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
