"""What a Connection tells its caller. Each PDU has a named fate, and each fate is one class here.

Out of `receive_data`, `receive_eof`, `handle_timer`, `close` and `abort` come lists of these, in
the order of the wire. They are plain values: they know nothing of the connection they came from.

    our request     Answered | TimedOut (perhaps Late afterwards) | Unsent | Lost
    our bind        Bound | BindRefused, or Closed when nobody answered
    our enquiry     Alive, or Closed when nobody answered
    their request   Received (the caller answers it) | Refused | Malformed (both answered already)
    their response  Answered | Late | Unexpected
    the session     Unbound, Closed; nothing follows Closed
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from .errors import LinkError, PduError
from .pdu import Pdu
from .state import State


class CloseReason(StrEnum):
    """Why a connection ended. The values serve as metric labels."""

    UNBOUND = "unbound"  # we sent unbind, the peer answered
    PEER_UNBOUND = "peer_unbound"  # the peer sent unbind, we answered
    EOF = "eof"  # the peer hung up
    CLOSED = "closed"  # our caller hung up
    FRAMING = "framing"  # what arrives is not SMPP
    SESSION_INIT = "session_init"  # not bound in time
    ENQUIRE_LINK = "enquire_link"  # our enquire_link stayed unanswered
    RESPONSE = "response"  # our bind or unbind stayed unanswered
    INACTIVITY = "inactivity"  # nothing to do for too long: we unbound


@dataclass(slots=True)
class Answered:
    """The response to a request of ours, or the generic_nack that refused it.

    `sent_at` is the `now` of the send. With `error` set the response could not be read: its header
    is in `response` and its command_status says whether the peer took the request.
    """

    context: object
    request_command_id: int
    response: Pdu
    sent_at: float
    error: PduError | None = None


@dataclass(slots=True)
class TimedOut:
    """No response in time. The request may or may not have been carried out; see `Late`."""

    context: object
    request_command_id: int
    sequence_number: int
    sent_at: float


@dataclass(slots=True)
class Late:
    """The response to a request that was reported as `TimedOut` before."""

    context: object
    request_command_id: int
    response: Pdu
    sent_at: float
    error: PduError | None = None


@dataclass(slots=True)
class Unsent:
    """The link ended before these requests left `data_to_send`: they may be sent elsewhere."""

    contexts: Sequence[object]


@dataclass(slots=True)
class Lost:
    """The link ended after these requests left and before a response: outcome unknown."""

    contexts: Sequence[object]


@dataclass(slots=True)
class Received:
    """A request the caller has to answer (outbind and alert_notification need no answer)."""

    pdu: Pdu


@dataclass(slots=True)
class Refused:
    """A request the state does not allow; answered already with `command_status`."""

    command_id: int
    sequence_number: int
    command_status: int


@dataclass(slots=True)
class Malformed:
    """A PDU that cannot be read; a request has been answered already, a response never is."""

    error: PduError


@dataclass(slots=True)
class Unexpected:
    """A response nobody waits for: sent twice, far too late, or to another command."""

    pdu: Pdu


@dataclass(slots=True)
class Bound:
    """The SMSC accepted our bind."""

    state: State
    response: Pdu


@dataclass(slots=True)
class BindRefused:
    """The SMSC refused our bind; the session is as open as before and may bind again."""

    command_status: int
    response: Pdu


@dataclass(slots=True)
class Alive:
    """The peer answered our enquire_link of `sent_at`."""

    sent_at: float


@dataclass(slots=True)
class Unbound:
    """An unbind was seen: the peer's (send nothing new, answer what is owed) or ours, answered."""

    by_peer: bool


@dataclass(slots=True)
class Closed:
    """The end: write what `data_to_send` still holds, then close the socket.

    `fault` is the peer's breach of the framing, if that was the reason.
    """

    reason: str
    fault: LinkError | None = None


Event = (
    Answered
    | TimedOut
    | Late
    | Unsent
    | Lost
    | Received
    | Refused
    | Malformed
    | Unexpected
    | Bound
    | BindRefused
    | Alive
    | Unbound
    | Closed
)
