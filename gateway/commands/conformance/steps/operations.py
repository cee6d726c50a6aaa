"""Steps about what a peer may offer beside plain submit_sm: times, and the other operations."""

from __future__ import annotations

import time
from typing import Any, Final

from gateway.commands.conformance.findings import Outcome, Result, accepted_or_noted
from gateway.commands.conformance.peer import Peer
from gateway.commands.conformance.wire import Reply
from protocol import pdu as p
from protocol.address import Address
from protocol.times import format_absolute, format_relative
from protocol.tlv import TLVS
from protocol.words import words

_VALID: Final = 3600
"""Seconds of validity asked for: more than any test message needs."""
_LATER: Final = 600
"""Seconds until a scheduled message: long enough to ask about it and to cancel it."""
_VENDOR_TLV: Final = 0x1400
"""The first of the vendors' range (3.4 §5.3.2)."""


def _result(reply: Reply, extra: str = "") -> Result:
    seen = f"accepted{extra}" if reply.accepted else reply.words
    return Result(accepted_or_noted(reply.accepted, reply.refused), seen)


async def validity_relative(peer: Peer) -> Result:
    """validity_period as a duration."""
    reply = await peer.submit(
        validity_period=format_relative(_VALID), short_message=b"Aldis test relative validity"
    )
    peer.facts.validity["relative"] = reply.accepted
    return _result(reply)


async def validity_absolute(peer: Peer) -> Result:
    """validity_period as a moment."""
    at = time.time_ns() // 1000 + _VALID * 1_000_000
    reply = await peer.submit(
        validity_period=format_absolute(at), short_message=b"Aldis test absolute validity"
    )
    peer.facts.validity["absolute"] = reply.accepted
    return _result(reply)


async def _schedule(peer: Peer) -> tuple[Reply, p.SubmitSm]:
    pdu: p.SubmitSm = peer.submit_pdu(
        schedule_delivery_time=format_relative(_LATER), short_message=b"Aldis test scheduled"
    )
    return await peer.request(pdu), pdu


async def schedule(peer: Peer) -> Result:
    """schedule_delivery_time; the message stays for the steps that ask about one."""
    reply, pdu = await _schedule(peer)
    if reply.accepted:
        peer.scheduled = (reply.message_id, pdu)
    return _result(reply, f" for {_LATER} s later")


async def _subject(peer: Peer) -> tuple[str, p.SubmitSm]:
    """A message to ask about: the scheduled one, or one sent now; its id is empty if refused."""
    if peer.scheduled is not None:
        return peer.scheduled
    pdu: p.SubmitSm = peer.submit_pdu(short_message=b"Aldis test query")
    reply = await peer.request(pdu)
    if reply.accepted:
        peer.scheduled = (reply.message_id, pdu)
    return reply.message_id if reply.accepted else "", pdu


async def query_sm(peer: Peer) -> Result:
    """The state of a message."""
    message_id, pdu = await _subject(peer)
    if not message_id:
        return _no_subject()
    reply = await peer.request(p.QuerySm(message_id=message_id, **_sender(pdu)))
    state = ""
    if isinstance(reply.pdu, p.QuerySmResp) and reply.accepted:
        state = f": {words('message_state', reply.pdu.message_state)}"
    return _result(reply, state)


async def replace_sm(peer: Peer) -> Result:
    """Another text for a message that waits."""
    message_id, pdu = await _subject(peer)
    if not message_id:
        return _no_subject()
    return _result(
        await peer.request(
            p.ReplaceSm(
                message_id=message_id,
                schedule_delivery_time=pdu.schedule_delivery_time,
                short_message=b"Aldis test replaced",
                **_sender(pdu),
            )
        )
    )


async def cancel_sm(peer: Peer) -> Result:
    """Take back a message that waits."""
    message_id, pdu = await _subject(peer)
    if not message_id:
        return _no_subject()
    reply = await peer.request(
        p.CancelSm(
            message_id=message_id,
            dest_addr_ton=pdu.dest_addr_ton,
            dest_addr_npi=pdu.dest_addr_npi,
            destination_addr=pdu.destination_addr,
            **_sender(pdu),
        )
    )
    result = _result(reply)
    if pdu.schedule_delivery_time and not reply.accepted:
        return Result(result.outcome, f"{result.seen}; the scheduled message will arrive")
    return result


def _sender(pdu: p.SubmitSm) -> dict[str, Any]:
    # 3.4 §4.8.1, §4.9.1, §4.10.1: the source address must be that of the submit.
    return {
        "source_addr_ton": pdu.source_addr_ton,
        "source_addr_npi": pdu.source_addr_npi,
        "source_addr": pdu.source_addr,
    }


def _no_subject() -> Result:
    return Result(Outcome.SKIPPED, "no message was accepted to ask about")


async def submit_multi(peer: Peer) -> Result:
    """One submit_multi to all numbers of --to, at most three."""
    to = [peer.destination() for _ in peer.asked.to[:3]]
    pdu = p.SubmitMulti(
        **peer.source(),
        dest_address=tuple(
            Address(each["dest_addr_ton"], each["dest_addr_npi"], each["destination_addr"])
            for each in to
        ),
        short_message=b"Aldis test submit_multi",
    )
    reply = await peer.request(pdu)
    if isinstance(reply.pdu, p.SubmitMultiResp) and reply.pdu.unsuccess_sme:
        failed = len(reply.pdu.unsuccess_sme)
        return Result(Outcome.NOTED, f"accepted; {failed} of {len(to)} unsuccessful")
    return _result(reply, f" for {len(to)} recipient(s)")


async def data_sm(peer: Peer) -> Result:
    """A text in the message_payload of a data_sm."""
    payload = (TLVS["message_payload"].tag, b"Aldis test data_sm")
    return _result(await peer.request(peer.submit_pdu(p.DataSm, tlvs=(payload,))))


async def vendor_tlv(peer: Peer) -> Result:
    """A TLV of the vendors' range the peer need not know."""
    return _result(
        await peer.submit(short_message=b"Aldis test vendor TLV", tlvs=((_VENDOR_TLV, b"aldis\0"),))
    )
