"""Whatever a peer sends and whatever we do meanwhile, a Connection of either role never raises for
it; a stream fed whole, octet by octet or in pieces gives the same events and the same answers;
these are PDUs; what is kept is bounded; each request of ours has exactly one fate; and time only
moves forward.

An input is a program: octets that choose what happens next, the peer's octets among it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

from protocol import constants as c
from protocol.connection import Connection
from protocol.errors import PduError, UsageError
from protocol.events import Answered, Closed, Event, Late, Lost, Received, TimedOut, Unsent
from protocol.pdu import (
    PDUS,
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DataSm,
    EnquireLink,
    QuerySm,
    SubmitSm,
    body,
    decode,
    response_to,
)
from protocol.state import BINDS, UNANSWERED, Role, State
from protocol.timers import Timers
from protocol.window import LATE_REMEMBERED

from . import vectors

_TIMERS = (
    Timers(),
    Timers(session_init=0, enquire_link=0, inactivity=0, response=0),
    Timers(inactivity=40, enquire_link_under_traffic=True),
    Timers(session_init=1, enquire_link=2, enquire_link_response=1, inactivity=5, response=3),
)
_MAX_PDU = (65_536, 300, 64, 16)
_COMMANDS = (*PDUS, 0, 0x110, 0x80000110, 0xFFFFFFFF)
_STATUSES = (0, 0, 0, 1, c.ESME_RTHROTTLED, 0xFFFFFFFF)
_NUMBERS = (0, 1, 2, 3, 4, 5, 6, 7, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_STEPS = (0.0, 0.25, 1.0, 5.0, 10.0, 29.999, 30.0, 31.0, 100.0)
_PIECES = (1, 1, 3, 16, 61)
_WINDOW = 8


class _Program:
    """Reads an input as numbers and octets; at its end, zeros."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def __bool__(self) -> bool:
        return self.at < len(self.data)

    def octet(self) -> int:
        self.at += 1
        return self.data[self.at - 1] if self.at <= len(self.data) else 0

    def choose(self, choices: Any) -> Any:
        return choices[self.octet() % len(choices)]

    def octets(self, count: int) -> bytes:
        taken = self.data[self.at : self.at + count]
        self.at += len(taken)
        return taken


class _Side:
    """One connection, and what it must not forget."""

    def __init__(self, role: Role, timers: Timers, max_pdu: int, first: int, piece: int) -> None:
        self.made = Connection(
            role,
            now=0.0,
            timers=timers,
            window=_WINDOW,
            max_pdu=max_pdu,
            first_sequence=first,
        )
        self.piece = piece  # octets fed at once; 0 for all
        self.given: list[object] = []
        self.back: list[object] = []
        self.late: list[object] = []
        self.unanswered: list[Any] = []
        self.closed = False
        self.moments = self._moments()

    def feed(self, data: bytes, now: float) -> list[Event]:
        if not self.piece:
            return self.made.receive_data(data, now)
        events: list[Event] = []
        for at in range(0, len(data), self.piece):
            events += self.made.receive_data(data[at : at + self.piece], now)
            assert len(self.made._tail) <= self.made.max_pdu
        return events

    def take(self, events: list[Event]) -> None:
        """Note the fates; hold the order: nothing follows Closed."""
        for event in events:
            assert not self.closed, f"{event} after Closed"
            if isinstance(event, Received):
                if event.pdu.command_id not in UNANSWERED:
                    self.unanswered.append(event.pdu)
            elif isinstance(event, Answered):
                self.back.append(event.context)
            elif isinstance(event, TimedOut):
                self.back.append(event.context)
                self.late.append(event.context)
            elif isinstance(event, Late):
                self.late.remove(event.context)
            elif isinstance(event, Lost | Unsent):
                self.back += event.contexts
            elif isinstance(event, Closed):
                self.closed = True

    def hold(self, now: float) -> None:
        """What stands after every step."""
        made = self.made
        assert len(made._tail) <= made.max_pdu
        assert len(made._window.late) <= LATE_REMEMBERED
        assert len(made._window.outstanding) <= _WINDOW
        assert len(made._window.session) <= 3
        assert made.owed >= 0
        assert self.closed == (made.state is State.CLOSED)
        moments = self._moments()
        assert all(a <= b <= now for a, b in zip(self.moments, moments, strict=True))
        self.moments = moments
        assert len(self.back) + made.outstanding == len(self.given)

    def _moments(self) -> tuple[float, ...]:
        clock = self.made._clock
        return clock.opened_at, clock.heard_at, clock.busy_at, clock.enquired_at

    def written(self) -> bytes:
        """What goes to the socket: whole PDUs, each readable."""
        data = self.made.data_to_send()
        at = 0
        while at < len(data):
            end = at + int.from_bytes(data[at : at + 4], "big")
            decode(data, at, end)
            at = end
        return data


def seeds() -> list[bytes]:
    """Programs that bind in either role and then feed a recorded PDU, raw."""
    found = []
    bind_resp = list(PDUS).index(c.BIND_TRANSCEIVER_RESP)
    bind = list(PDUS).index(c.BIND_TRANSCEIVER)
    submits, answer, drain = b"\x05\x04", b"\x07\x00", b"\x0a"
    first_answered, late = b"\x02\x00\x00\x00", b"\x03\x07\x02\x03\x00\x00"
    as_esme = bytes(5) + b"\x04\x02" + bytes((1, bind_resp, 0, 1, 0)) + submits + drain
    as_smsc = b"\x01" + bytes(4) + bytes((1, bind, 0, 1, 7)) + bytes(7) + answer + submits + drain
    for octets in vectors.pdus():
        raw = b"\x00" + len(octets).to_bytes(2, "big") + octets
        for start in (as_esme, as_smsc):
            found.append(
                start + first_answered + raw + b"\x03\x03" + drain + answer + raw + late + b"\x09"
            )
    return found


def check(data: bytes) -> None:
    program = _Program(data)
    role = program.choose((Role.ESME, Role.SMSC))
    timers, max_pdu = program.choose(_TIMERS), program.choose(_MAX_PDU)
    first = program.choose((1, 0x7FFFFFFD))
    pieces = (0, program.choose(_PIECES))
    sides = [_Side(role, timers, max_pdu, first, piece) for piece in pieces]
    now = 0.0
    while program:
        now = _step(program, sides, now)
    for events in _both(sides, lambda side: side.made.receive_eof(now)):
        assert isinstance(events[-1], Closed) if events else sides[0].closed
    for side in sides:
        assert side.closed
        assert sorted(map(str, side.back)) == sorted(map(str, side.given))
        assert side.made.next_timer() is None
        assert side.made.receive_data(b"\0\0\0\x10", now) == []


def _step(program: _Program, sides: list[_Side], now: float) -> float:
    kind = program.octet() % 11
    made = sides[0].made
    if kind <= 2:
        octets = _peer(program, made, kind)
        _both(sides, lambda side: side.feed(octets, now))
    elif kind == 3:
        now += program.choose(_STEPS)
        _both(sides, lambda side: _timer(side, now))
    elif kind == 4:
        bind = program.choose((BindTransmitter, BindReceiver, BindTransceiver))
        _ours(sides, lambda side: side.made.bind(bind(), now))
    elif kind == 5:
        _submit(sides, program.octet() % 5, now)
    elif kind == 6:
        context = _name(sides[0])
        one = QuerySm if made.role is Role.ESME else DataSm
        if _ours(sides, lambda side: side.made.send(one(), now, context)):
            for side in sides:
                side.given.append(context)
    elif kind == 7:
        _answer(sides, program.octet(), now)
    elif kind == 8:
        _ours(sides, lambda side: side.made.unbind(now))
    elif kind == 9:
        reply = program.octet()
        if reply % 4 == 0:
            _both(sides, lambda side: side.made.close(now))
        elif reply % 4 == 1 and not sides[0].made._enquiring():
            _ours(sides, lambda side: side.made.send(EnquireLink(), now))
    else:
        assert len({side.written() for side in sides}) == 1
    for side in sides:
        side.hold(now)
    assert len({(side.made.state, side.made.next_timer(), side.made.owed) for side in sides}) == 1
    return now


def _peer(program: _Program, made: Connection, kind: int) -> bytes:
    """Octets of the peer: raw, a PDU with an honest length, or the response to one of ours."""
    if kind == 0:
        return program.octets(program.octet() << 8 | program.octet())
    if kind == 1:
        command_id, status = program.choose(_COMMANDS), program.choose(_STATUSES)
        number = program.choose(_NUMBERS)
    else:
        window = made._window
        waiting = [*window.outstanding.items(), *window.session.items(), *window.late.items()]
        if not waiting:
            return b""
        number, (_, command_id, _) = program.choose(waiting)
        command_id |= c.RESPONSE_BIT
        status = program.choose(_STATUSES)
    octets = program.octets(program.octet())
    head = (16 + len(octets), command_id, status, number)
    return b"".join(value.to_bytes(4, "big") for value in head) + octets


def _name(side: _Side) -> str:
    return f"request {len(side.given)}"


def _submit(sides: list[_Side], count: int, now: float) -> None:
    contexts = [f"{_name(sides[0])}.{i}" for i in range(count)]
    bodies = [(body(SubmitSm(short_message=b"x")),)] * count
    command_id = c.SUBMIT_SM if sides[0].made.role is Role.ESME else c.DELIVER_SM
    if _ours(sides, lambda side: side.made.send_many(bodies, command_id, contexts, now)):
        for side in sides:
            side.given += contexts


def _answer(sides: list[_Side], which: int, now: float) -> None:
    """Answer one of the peer's requests, or all at once where that is how they are answered."""
    if not sides[0].unanswered:
        return
    at = which % len(sides[0].unanswered)
    status = _STATUSES[which % len(_STATUSES)]

    def one(side: _Side) -> None:
        pdu = side.unanswered.pop(at)
        if pdu.command_id in BINDS or which % 2:
            side.made.send(response_to(pdu, status), now)
        else:
            command_id = pdu.command_id | c.RESPONSE_BIT
            side.made.respond_many(command_id, [pdu.sequence_number], now, status)

    _ours(sides, one)


def _timer(side: _Side, now: float) -> list[Event]:
    events = side.made.handle_timer(now)
    # Whatever was due is done: a timer that stays due would be a loop without end.
    due = side.made.next_timer()
    if due is not None and due <= now:
        events += side.made.handle_timer(now)
        due = side.made.next_timer()
    assert due is None or due > now, f"due at {due}, now is {now}"
    return events


def _both(sides: list[_Side], act: Callable[[_Side], list[Event]]) -> list[list[Event]]:
    """Do the same to both; the events are the same, in the same order."""
    seen = [act(side) for side in sides]
    told = [[list(_told(event)) for event in events] for events in seen]
    assert told[0] == told[1], f"whole: {seen[0]}; in pieces: {seen[1]}"
    for side, events in zip(sides, seen, strict=True):
        side.take(events)
    return seen


def _ours(sides: list[_Side], act: Callable[[_Side], object]) -> bool:
    """Do something of our own to both; true unless both refuse it."""
    refused = []
    for side in sides:
        try:
            act(side)
        except UsageError as error:
            refused.append(str(error))
    assert len(refused) in (0, 2) and len(set(refused)) <= 1, refused
    return not refused


def _told(event: Event) -> Iterator[object]:
    """All an event says; errors are equal if they read the same."""
    yield type(event)
    for f in fields(event):
        value = getattr(event, f.name)
        yield (
            (str(value), value.pdu)
            if isinstance(value, PduError)
            else (str(value) if isinstance(value, Exception) else value)
        )
