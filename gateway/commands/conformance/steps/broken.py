"""Steps that send what a session must survive, or must end over: broken and oddly cut PDUs.

They never carry a recipient: `short-body` is a submit_sm cut off in its first fields.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from gateway.commands.conformance.findings import Outcome, Result
from gateway.commands.conformance.peer import Peer
from gateway.commands.conformance.steps.session import milliseconds
from gateway.commands.conformance.wire import Reply, Wire
from protocol import constants as c
from protocol.outbound import HEADER
from protocol.pdu import EnquireLink, encode

_UNKNOWN_COMMAND: Final = 0x00010A0D
"""In the range the specification reserves (3.4 §5.1.2.1) and no vendor's."""
_BETWEEN_OCTETS: Final = 0.005
"""Seconds between octets sent one by one, so that each is a segment of its own."""
_GLUED: Final = 3
"""PDUs in one write: one at the start, one in the middle, one at the end."""


async def submit_before_bind(peer: Peer) -> Result:
    """submit_sm on a connection nobody bound on."""
    wire = await peer.connect()
    await peer.budget.take()
    reply = await wire.ask_beside(
        peer.submit_pdu(short_message=b"Aldis test before bind"), peer.asked.timeout
    )
    wire.close()
    if reply.status == c.ESME_RINVBNDSTS and not reply.nacked:
        return Result(Outcome.PASSED, reply.words)
    if reply.accepted:
        return Result(Outcome.FAILED, f"accepted without a bind, id {reply.message_id!r}")
    if reply.refused or wire.ending:
        return Result(Outcome.NOTED, f"refused otherwise: {reply.words}")
    return Result(Outcome.FAILED, reply.words)


async def unknown_command(peer: Peer) -> Result:
    """A command_id the specification does not have."""
    wire = await peer.session(peer.asked.kinds[0])
    number = wire.next_number()
    await peer.budget.take()
    octets = HEADER.pack(c.HEADER_LENGTH, _UNKNOWN_COMMAND, 0, number)
    reply = await wire.ask_octets(octets, number, peer.asked.timeout)
    if not reply.nacked:
        seen = f"a response with {reply.words}" if reply.status is not None else reply.words
        return Result(Outcome.FAILED, seen)
    expected = reply.status == c.ESME_RINVCMDID
    return await _kept(peer, wire, reply, Outcome.PASSED if expected else Outcome.NOTED)


async def short_body(peer: Peer) -> Result:
    """A submit_sm whose body ends after two octets."""
    wire = await peer.session(peer.asked.kinds[0])
    number = wire.next_number()
    await peer.budget.take()
    octets = HEADER.pack(c.HEADER_LENGTH + 2, c.SUBMIT_SM, 0, number) + b"\0\1"
    reply = await wire.ask_octets(octets, number, peer.asked.timeout)
    if not reply.refused:
        return Result(Outcome.FAILED, "accepted" if reply.accepted else reply.words)
    return await _kept(peer, wire, reply, Outcome.NOTED if reply.nacked else Outcome.PASSED)


async def _kept(peer: Peer, wire: Wire, reply: Reply, outcome: Outcome) -> Result:
    """The answer was in order; the link has to live on."""
    alive = await peer.answers(wire)
    if alive.accepted:
        return Result(outcome, f"{reply.words}; the link is kept")
    return Result(Outcome.FAILED, f"{reply.words}; then the link is lost: {alive.words}")


async def short_length(peer: Peer) -> Result:
    """A command_length no PDU can have, on a connection of its own."""
    wire = await peer.connect()
    number = wire.next_number()
    await peer.budget.take()
    octets = HEADER.pack(8, c.ENQUIRE_LINK, 0, number)
    reply = await wire.ask_octets(octets, number, peer.asked.timeout)
    closed = False
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(wire.closed), peer.asked.timeout)
        closed = True
    wire.close()
    after = "closed" if closed else f"still open after {peer.asked.timeout:g} s"
    if reply.nacked:
        good = closed and reply.status == c.ESME_RINVCMDLEN
        return Result(Outcome.PASSED if good else Outcome.NOTED, f"{reply.words}; {after}")
    if closed and reply.status is None:
        return Result(Outcome.NOTED, "closed without generic_nack")
    return Result(Outcome.FAILED, f"{reply.words}; {after}")


async def octet_by_octet(peer: Peer) -> Result:
    """An enquire_link whose octets arrive one by one."""
    wire = await peer.session(peer.asked.kinds[0])
    number = wire.next_number()
    await peer.budget.take()
    octets = encode(EnquireLink(sequence_number=number))
    for octet in octets[:-1]:
        wire.send_octets(bytes((octet,)))
        await asyncio.sleep(_BETWEEN_OCTETS)
    reply = await wire.ask_octets(octets[-1:], number, peer.asked.timeout)
    if reply.accepted:
        return Result(Outcome.PASSED, f"answered {milliseconds(reply.seconds)} after the last")
    return Result(Outcome.FAILED, reply.words)


async def glued(peer: Peer) -> Result:
    """Several enquire_links in one write."""
    if peer.budget.rate < _GLUED:
        return Result(Outcome.SKIPPED, f"{_GLUED} PDUs at once need --rate {_GLUED} or more")
    wire = await peer.session(peer.asked.kinds[0])
    numbers = [wire.next_number() for _ in range(_GLUED)]
    await peer.budget.take(_GLUED)
    wire.send_octets(
        b"".join(encode(EnquireLink(sequence_number=number)) for number in numbers), *numbers
    )
    replies = [await wire.outcome(number, peer.asked.timeout) for number in numbers]
    answered = sum(reply.accepted for reply in replies)
    if answered == _GLUED:
        return Result(Outcome.PASSED, f"all {_GLUED} answered")
    lost = next(reply for reply in replies if not reply.accepted)
    return Result(Outcome.FAILED, f"{answered} of {_GLUED} answered: {lost.words}")
