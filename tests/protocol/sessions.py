"""Connections in a given state, and three ways to cut what they are fed, for the session tests."""

from collections.abc import Callable

from protocol.connection import Connection
from protocol.events import Event
from protocol.pdu import (
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    Outbind,
    Pdu,
    decode,
    encode,
)
from protocol.state import Role, State
from protocol.timers import Timers

NO_TIMERS = Timers(session_init=0, enquire_link=0, inactivity=0, response=0)

BINDS: dict[State, tuple[type[Pdu], type[Pdu]]] = {
    State.BOUND_TX: (BindTransmitter, BindTransmitterResp),
    State.BOUND_RX: (BindReceiver, BindReceiverResp),
    State.BOUND_TRX: (BindTransceiver, BindTransceiverResp),
}


def connection(
    role: Role = Role.ESME,
    state: State = State.BOUND_TRX,
    *,
    timers: Timers = NO_TIMERS,
    window: int = 10,
    now: float = 0.0,
    max_pdu: int = 65536,
    first_sequence: int = 1,
) -> Connection:
    """Return a connection that went into `state` at `now` the way a real one does."""
    made = Connection(
        role,
        now=now,
        timers=timers,
        window=window,
        max_pdu=max_pdu,
        first_sequence=first_sequence,
    )
    if state is State.OUTBOUND:
        if role is Role.SMSC:
            made.send(Outbind(system_id="smsc"), now)
        else:
            made.receive_data(encode(Outbind(sequence_number=1, system_id="smsc")), now)
    elif state in BINDS:
        request, response = BINDS[state]
        if role is Role.ESME:
            number = made.bind(request(), now)
            made.receive_data(encode(response(sequence_number=number)), now)
        else:
            made.receive_data(encode(request(sequence_number=1)), now)
            made.send(response(sequence_number=1), now)
    assert made.state is state
    made.data_to_send()
    return made


def sent(made: Connection) -> list[Pdu]:
    """Return what the connection has queued, as PDUs, and take it off the queue."""
    data = made.data_to_send()
    pdus = []
    pos = 0
    while pos < len(data):
        end = pos + int.from_bytes(data[pos : pos + 4], "big")
        pdus.append(decode(data, pos, end))
        pos = end
    return pdus


def whole(made: Connection, data: bytes, now: float) -> list[Event]:
    return made.receive_data(data, now)


def octet_by_octet(made: Connection, data: bytes, now: float) -> list[Event]:
    return [event for octet in data for event in made.receive_data(bytes([octet]), now)]


def with_a_tail(made: Connection, data: bytes, now: float) -> list[Event]:
    """Feed the data together with the first three octets of whatever comes next."""
    return made.receive_data(data + b"\0\0\0", now)


Feed = Callable[[Connection, bytes, float], list[Event]]
FEEDS: list[Feed] = [whole, octet_by_octet, with_a_tail]
