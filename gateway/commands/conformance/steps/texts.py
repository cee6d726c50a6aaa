"""Steps about what a message may carry: data_coding values, lengths, long messages.

Whether a phone shows the right letters cannot be seen on the wire; each text names its step, so
that whoever holds the phone can tell.
"""

from __future__ import annotations

from typing import Final

from gateway.commands.conformance.findings import Outcome, Result, accepted_or_noted
from gateway.commands.conformance.peer import Peer
from protocol.coding import encode
from protocol.constants import ESM_CLASS_UDHI
from protocol.segment import PAYLOAD, SAR, UDH8, UDH16, frame, segment

_GSM: Final = "Aldis test GSM: @£$ èé äöü {}[]~|\\^ €"
_LATIN1: Final = "Aldis test Latin-1: àéîõü ßçñ"
_UCS2: Final = "Aldis test UCS-2: Привет, 你好 😀"
_LONG: Final = "Aldis test {mode}: " + "this text is long and comes in two parts. " * 5
_LONGEST_SHORT: Final = 255
"""sm_length is one octet and 255 means 255 in 5.0, at most 254 in 3.4."""


async def gsm(peer: Peer) -> Result:
    """data_coding 0, with characters of the GSM extension table."""
    result = await _coding(peer, 0, encode(_GSM, "gsm"))
    if result.outcome is Outcome.NOTED:  # the one alphabet every operator has
        return Result(Outcome.FAILED, result.seen)
    return result


async def ascii_(peer: Peer) -> Result:
    """data_coding 1."""
    return await _coding(peer, 1, b"Aldis test ASCII: [] {} ~")


async def latin1(peer: Peer) -> Result:
    """data_coding 3."""
    return await _coding(peer, 3, encode(_LATIN1, "latin1"))


async def ucs2(peer: Peer) -> Result:
    """data_coding 8, beyond the basic plane too."""
    return await _coding(peer, 8, encode(_UCS2, "ucs2"))


async def binary(peer: Peer) -> Result:
    """data_coding 4, every bit used."""
    return await _coding(peer, 4, b"Aldis test binary \0\1\x7f\x80\xfe\xff")


async def flash(peer: Peer) -> Result:
    """data_coding 0xF0: GSM, shown at once (TS 23.038 §4)."""
    return await _coding(peer, 0xF0, b"Aldis test flash")


async def _coding(peer: Peer, data_coding: int, octets: bytes) -> Result:
    reply = await peer.submit(data_coding=data_coding, short_message=octets)
    peer.facts.data_codings[data_coding] = reply.accepted
    seen = "accepted" if reply.accepted else reply.words
    return Result(accepted_or_noted(reply.accepted, reply.refused), seen)


async def full_length(peer: Peer) -> Result:
    """A short_message of 255 octets."""
    text = b"Aldis test of 255 octets ".ljust(_LONGEST_SHORT, b".")
    reply = await peer.submit(short_message=text)
    seen = "accepted" if reply.accepted else reply.words
    return Result(accepted_or_noted(reply.accepted, reply.refused), seen)


async def udh8(peer: Peer) -> Result:
    """Two parts tied by an 8-bit reference in the user data header."""
    return await _long(peer, UDH8)


async def udh16(peer: Peer) -> Result:
    """Two parts tied by a 16-bit reference."""
    return await _long(peer, UDH16)


async def sar(peer: Peer) -> Result:
    """Two parts tied by the sar_ TLVs."""
    return await _long(peer, SAR)


async def payload(peer: Peer) -> Result:
    """The whole text in message_payload."""
    return await _long(peer, PAYLOAD)


async def _long(peer: Peer, mode: str) -> Result:
    segments = segment(_LONG.format(mode=mode), mode=mode)
    frames = frame(segments, peer.next_reference())
    destination = peer.destination()  # all parts to one phone
    words: list[tuple[str, str]] = []
    for esm_class, short_message, tlvs in frames:
        assert not esm_class & ~ESM_CLASS_UDHI
        reply = await peer.submit(
            **destination, esm_class=esm_class, short_message=short_message, tlvs=tlvs
        )
        words.append((f"part {len(words) + 1}", reply.words))
        if not reply.accepted:
            peer.facts.long_messages[mode] = False
            outcome = accepted_or_noted(False, reply.refused)
            seen = f"{reply.words} to part {len(words)} of {len(frames)}"
            return Result(outcome, seen, tuple(words) if len(words) > 1 else ())
    peer.facts.long_messages[mode] = True
    return Result(Outcome.PASSED, f"accepted, {len(frames)} PDU(s)")
