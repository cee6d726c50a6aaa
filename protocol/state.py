"""What an SMPP session allows: roles, states, who may send what in which state, what changes state.

In: command_id and command_status of PDUs sent and received. Out: yes or no, and the next state.
Every rule about state is in this module, as two tables; it knows no octets, windows or time.

Rule 1: OPERATIONS says which side may *send* a request in which state (SMPP 3.4 §2.3, 5.0 §2.4).
        What a side may *receive* is what the other side may send; there is no second table.
Rule 2: TRANSITIONS does not know which side we are: a PDU moves both ends the same way.
"""

from enum import Enum
from typing import Final, NamedTuple

from .constants import (
    ALERT_NOTIFICATION,
    BIND_RECEIVER,
    BIND_RECEIVER_RESP,
    BIND_TRANSCEIVER,
    BIND_TRANSCEIVER_RESP,
    BIND_TRANSMITTER,
    BIND_TRANSMITTER_RESP,
    BROADCAST_SM,
    CANCEL_BROADCAST_SM,
    CANCEL_SM,
    DATA_SM,
    DELIVER_SM,
    ENQUIRE_LINK,
    ESME_ROK,
    OUTBIND,
    QUERY_BROADCAST_SM,
    QUERY_SM,
    REPLACE_SM,
    RESPONSE_BIT,
    SUBMIT_MULTI,
    SUBMIT_SM,
    UNBIND,
    UNBIND_RESP,
)


class Role(Enum):
    """Which end of the session we are."""

    ESME = "ESME"
    SMSC = "SMSC"  # the "MC" of 5.0

    @property
    def peer(self) -> "Role":
        return Role.SMSC if self is Role.ESME else Role.ESME


class State(Enum):
    """The session states, named from the ESME's point of view at both ends (3.4 §2.2, 5.0 §2.3)."""

    OPEN = "OPEN"  # connected, not bound
    OUTBOUND = "OUTBOUND"  # outbind seen; a bind is to follow (5.0 §2.3.6)
    BOUND_TX = "BOUND_TX"
    BOUND_RX = "BOUND_RX"
    BOUND_TRX = "BOUND_TRX"
    UNBINDING = "UNBINDING"  # unbind seen, unbind_resp not yet
    UNBOUND = "UNBOUND"  # unbind_resp seen; only the socket is left
    CLOSED = "CLOSED"

    @property
    def bound(self) -> bool:
        """Messages may pass in at least one direction."""
        return self in _BOUND


_BOUND: Final = frozenset({State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX})
_UNBOUND_YET: Final = frozenset({State.OPEN, State.OUTBOUND})
_SENDER: Final = frozenset({State.BOUND_TX, State.BOUND_TRX})  # ESME -> SMSC messages
_RECEIVER: Final = frozenset({State.BOUND_RX, State.BOUND_TRX})  # SMSC -> ESME messages
_CONNECTED: Final = frozenset(State) - {State.CLOSED}
_NEVER: Final[frozenset[State]] = frozenset()


class Operation(NamedTuple):
    """One line of the operation matrix: in which states each side may send this request."""

    command_id: int
    esme: frozenset[State]
    smsc: frozenset[State]


# The operation matrix. Where 3.4 §2.3 and 5.0 §2.4 differ, the wider reading stands: 3.4 has
# enquire_link only when bound and replace_sm only for transmitters (taken for a slip of the pen).
OPERATIONS: Final = (
    Operation(BIND_TRANSMITTER, esme=_UNBOUND_YET, smsc=_NEVER),
    Operation(BIND_RECEIVER, esme=_UNBOUND_YET, smsc=_NEVER),
    Operation(BIND_TRANSCEIVER, esme=_UNBOUND_YET, smsc=_NEVER),
    Operation(OUTBIND, esme=_NEVER, smsc=frozenset({State.OPEN})),
    Operation(UNBIND, esme=_BOUND, smsc=_BOUND),
    Operation(SUBMIT_SM, esme=_SENDER, smsc=_NEVER),
    Operation(SUBMIT_MULTI, esme=_SENDER, smsc=_NEVER),
    Operation(DATA_SM, esme=_SENDER, smsc=_RECEIVER),
    Operation(DELIVER_SM, esme=_NEVER, smsc=_RECEIVER),
    Operation(ALERT_NOTIFICATION, esme=_NEVER, smsc=_RECEIVER),
    Operation(QUERY_SM, esme=_SENDER, smsc=_NEVER),
    Operation(CANCEL_SM, esme=_SENDER, smsc=_NEVER),
    Operation(REPLACE_SM, esme=_SENDER, smsc=_NEVER),
    Operation(BROADCAST_SM, esme=_SENDER, smsc=_NEVER),
    Operation(QUERY_BROADCAST_SM, esme=_SENDER, smsc=_NEVER),
    Operation(CANCEL_BROADCAST_SM, esme=_SENDER, smsc=_NEVER),
    Operation(ENQUIRE_LINK, esme=_CONNECTED, smsc=_CONNECTED),
)

# Which PDU leads from which state to which. Only a PDU with command_status ESME_ROK moves a bind;
# unbind and unbind_resp move the session whatever their status, because the sender is gone.
TRANSITIONS: Final[dict[tuple[State, int], State]] = {
    (State.OPEN, OUTBIND): State.OUTBOUND,
    (State.OPEN, BIND_TRANSMITTER_RESP): State.BOUND_TX,
    (State.OPEN, BIND_RECEIVER_RESP): State.BOUND_RX,
    (State.OPEN, BIND_TRANSCEIVER_RESP): State.BOUND_TRX,
    (State.OUTBOUND, BIND_TRANSMITTER_RESP): State.BOUND_TX,
    (State.OUTBOUND, BIND_RECEIVER_RESP): State.BOUND_RX,
    (State.OUTBOUND, BIND_TRANSCEIVER_RESP): State.BOUND_TRX,
    (State.BOUND_TX, UNBIND): State.UNBINDING,
    (State.BOUND_RX, UNBIND): State.UNBINDING,
    (State.BOUND_TRX, UNBIND): State.UNBINDING,
    (State.UNBINDING, UNBIND): State.UNBINDING,  # both sides at once: the two crossed on the wire
    (State.UNBINDING, UNBIND_RESP): State.UNBOUND,
}

BINDS: Final = frozenset({BIND_TRANSMITTER, BIND_RECEIVER, BIND_TRANSCEIVER})
# 3.4 §4.1.7.1 and §4.12.1: the two requests that have no response PDU.
UNANSWERED: Final = frozenset({OUTBIND, ALERT_NOTIFICATION})
# Requests about the session itself: they take no place in the window and carry no context.
SESSION_REQUESTS: Final = BINDS | UNANSWERED | {UNBIND, ENQUIRE_LINK}


def _sendable(role: Role, state: State) -> frozenset[int]:
    return frozenset(
        operation.command_id
        for operation in OPERATIONS
        if state in (operation.esme if role is Role.ESME else operation.smsc)
    )


SENDABLE: Final = {(role, state): _sendable(role, state) for role in Role for state in State}
RECEIVABLE: Final = {(role, state): SENDABLE[role.peer, state] for role in Role for state in State}


class Session:
    """The state of one session as one side sees it.

    `sendable` and `receivable` hold the command_ids of the requests that may pass now, `messages`
    those of the receivable ones that are not about the session itself; `answerable` those the peer
    may still be waiting for an answer to.
    """

    __slots__ = ("answerable", "bound_as", "messages", "receivable", "role", "sendable", "state")

    def __init__(self, role: Role) -> None:
        self.role: Final = role
        self.bound_as: State | None = None  # the bound state reached, kept while unbinding
        self._enter(State.OPEN)

    def _enter(self, state: State) -> None:
        self.state = state
        self.sendable = SENDABLE[self.role, state]
        self._expect(RECEIVABLE[self.role, state])
        if state.bound:
            self.bound_as = state
        if state is State.CLOSED:
            self.answerable: frozenset[int] = frozenset()
        elif state is not State.UNBINDING and state is not State.UNBOUND:
            self.answerable = self.receivable

    def _expect(self, receivable: frozenset[int]) -> None:
        self.receivable = receivable
        self.messages = receivable - SESSION_REQUESTS

    def sent(self, command_id: int, command_status: int = ESME_ROK) -> bool:
        """Note a PDU of ours; true if it changed the state."""
        receivable = self.receivable
        changed = self._move(command_id, command_status)
        if changed and command_id == UNBIND:
            # The peer cannot have seen our unbind yet: what it sends now was allowed when it left.
            self._expect(receivable)
        return changed

    def received(self, command_id: int, command_status: int = ESME_ROK) -> bool:
        """Note a PDU of the peer; true if it changed the state."""
        return self._move(command_id, command_status)

    def closed(self) -> None:
        """The link has ended, from whatever state."""
        self._enter(State.CLOSED)

    def _move(self, command_id: int, command_status: int) -> bool:
        following = TRANSITIONS.get((self.state, command_id))
        if following is None:
            return False
        if command_status != ESME_ROK and command_id & ~RESPONSE_BIT in BINDS:
            return False
        self._enter(following)
        return True
