"""Steps that submit what has to be refused, and see with which status."""

from __future__ import annotations

from typing import Final

from gateway.commands.conformance.findings import Outcome, Result
from gateway.commands.conformance.peer import Peer
from gateway.commands.conformance.wire import Reply
from protocol import constants as c
from protocol.outbound import HEADER
from protocol.pdu import body

_TOO_LONG: Final = b"ALDISALDISALDISALDISALDISALDIS"
"""30 octets where 20 are allowed (3.4 §4.4.1)."""


def _judged(reply: Reply, expected: int, accepted: Outcome = Outcome.NOTED) -> Result:
    """Refused with the status expected, with another one, or not at all."""
    if reply.accepted:
        return Result(accepted, "accepted: the peer does not look")
    if not reply.refused:
        return Result(Outcome.FAILED, reply.words)
    good = reply.status == expected and not reply.nacked
    return Result(Outcome.PASSED if good else Outcome.NOTED, reply.words)


async def no_destination(peer: Peer) -> Result:
    """A submit_sm to nobody."""
    reply = await peer.submit(destination_addr="", short_message=b"Aldis test to nobody")
    return _judged(reply, c.ESME_RINVDSTADR, Outcome.FAILED)


async def long_source(peer: Peer) -> Result:
    """A source_addr longer than the field."""
    wire = await peer.submitter()
    number = wire.next_number()
    fields = peer.submit_pdu(source_addr="", short_message=b"Aldis test long sender")
    octets = body(fields)
    # service_type is empty, TON and NPI follow, then the address's own terminator.
    assert octets[3] == 0
    octets = octets[:3] + _TOO_LONG + octets[3:]
    await peer.budget.take()
    header = HEADER.pack(c.HEADER_LENGTH + len(octets), c.SUBMIT_SM, 0, number)
    reply = await wire.ask_octets(header + octets, number, peer.asked.timeout)
    return _judged(reply, c.ESME_RINVSRCADR)


async def wrong_esm_class(peer: Peer) -> Result:
    """esm_class 0x04, a receipt: only a message centre sends those."""
    reply = await peer.submit(
        esm_class=c.ESM_CLASS_DELIVERY_RECEIPT, short_message=b"Aldis test esm_class"
    )
    return _judged(reply, c.ESME_RINVESMCLASS)


async def wrong_validity(peer: Peer) -> Result:
    """A validity_period that is no time."""
    reply = await peer.submit(
        validity_period="991399246060000+", short_message=b"Aldis test wrong validity"
    )
    return _judged(reply, c.ESME_RINVEXPIRY)
