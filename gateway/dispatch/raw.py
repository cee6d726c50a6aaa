"""The parts an SMPP customer made itself, as one carrier gets them: as they came.

In: the parts of a content, and what data_coding 0 means to the carrier. Out: for each part the
fields of its submit_sm that are the customer's. Pure; knows no message, reference or TLV of ours.

What is the customer's: its user data headers with their references, its data_coding and
protocol_id, its TLVs. What is ours: addresses, receipts, validity, the mode of delivery. The one
thing that is changed is text in the default alphabet for a carrier whose default alphabet is
another one: as it came its "@" would arrive as NUL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from gateway.store.messages import RawPart
from protocol import gsm7, udh
from protocol.constants import ESM_CLASS_UDHI
from protocol.errors import PduError
from protocol.tlv import TLVS, Tlvs

THEIRS: Final = 0x7C
"""Bits of esm_class that are the customer's: the message type (5-2) and UDHI (6). The mode (1-0)
is the carrier's business, and a reply path (7) would be ours to honour."""
LONGEST_SHORT_MESSAGE: Final = 255
"""sm_length is one octet."""

_CONCATENATION: Final = frozenset({udh.CONCAT_8, udh.CONCAT_16})
_MESSAGE_PAYLOAD: Final = TLVS["message_payload"].tag


class RawFrame(NamedTuple):
    """What one submit_sm has from the customer."""

    esm_class: int
    data_coding: int
    protocol_id: int
    short_message: bytes
    tlvs: Tlvs


def raw_frames(parts: Sequence[RawPart], alphabet: str, default_coding: int) -> list[RawFrame]:
    """The customer's parts in their order.

    `alphabet` is the carrier's default one, which it knows as data_coding `default_coding`.
    """
    return [_frame(part, alphabet, default_coding) for part in parts]


def _frame(part: RawPart, alphabet: str, default_coding: int) -> RawFrame:
    payload, data_coding, tlvs = part.payload, part.data_coding, part.tlvs
    if alphabet != "gsm" and data_coding == 0:
        spelt = _respelt(payload, bool(part.esm_class & ESM_CLASS_UDHI), alphabet)
        if spelt is not None:
            payload, data_coding = spelt, default_coding
    if part.as_payload or len(payload) > LONGEST_SHORT_MESSAGE:
        payload, tlvs = b"", (*tlvs, (_MESSAGE_PAYLOAD, payload))
    return RawFrame(part.esm_class & THEIRS, data_coding, part.protocol_id, payload, tlvs)


def _respelt(payload: bytes, has_header: bool, alphabet: str) -> bytes | None:
    """Septets of the GSM alphabet in another one; None where that would lose something.

    It never gets longer: each character is one octet there, and at least one here.
    """
    header = b""
    if has_header:
        try:
            parsed, payload = udh.parse(payload)
        except PduError:
            return None
        if not {identifier for identifier, _ in parsed.elements} <= _CONCATENATION:
            return None  # ports or a national alphabet: not the text it looks like
        header = parsed.raw
    text = gsm7.decode(payload)
    if gsm7.encode(text) != payload:
        return None  # no septets, or an ESC pair that means a blank
    try:
        return header + text.encode("latin-1" if alphabet == "latin1" else "ascii")
    except UnicodeEncodeError:
        return None
