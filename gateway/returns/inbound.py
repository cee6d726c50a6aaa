"""A `deliver_sm` from a phone -> one part of a reply.

In: a decoded PDU. Out: an `InboundPart` with its text and its place among the parts (UDH of
either width, or SAR TLVs). Joining is the store's, because parts outlive a restart.
"""

from __future__ import annotations

from typing import Any, Final

from gateway.store.contract import InboundPart
from protocol import udh
from protocol.coding import decode
from protocol.constants import ESM_CLASS_UDHI
from protocol.errors import PduError

MESSAGE_PAYLOAD: Final = 0x0424
SAR_MSG_REF_NUM: Final = 0x020C
SAR_TOTAL_SEGMENTS: Final = 0x020E
SAR_SEGMENT_SEQNUM: Final = 0x020F
LONGEST_TEXT: Final = 70_000
"""Octets of a text kept: message_payload can be 64 KiB, no phone sends more."""


def inbound_part(
    pdu: Any, carrier: str, codecs: tuple[str, ...], owner: str | None, now: int
) -> InboundPart:
    """Read a deliver_sm or data_sm; wrong headers and codings cost no message."""
    payload: bytes = getattr(pdu, "short_message", b"") or pdu.tlv(MESSAGE_PAYLOAD) or b""
    reference, total, sequence = 0, 1, 1
    if pdu.esm_class & ESM_CLASS_UDHI:
        try:
            header, payload = udh.parse(payload)
        except PduError:
            header = None
        if header is not None and header.concat is not None:
            concat = header.concat
            # 8- and 16-bit references are different series: bit 16 keeps them apart.
            reference = concat.reference | (concat.reference_bits == 16) << 16
            total, sequence = concat.total, concat.sequence
    else:
        sar = [_number(pdu.tlv(tag)) for tag in (
            SAR_MSG_REF_NUM, SAR_TOTAL_SEGMENTS, SAR_SEGMENT_SEQNUM
        )]  # fmt: skip
        if None not in sar and 1 <= sar[2] <= sar[1] <= 255:  # type: ignore[operator]
            reference, total, sequence = (value or 0 for value in sar)
            reference |= 2 << 16
    return InboundPart(
        carrier=carrier,
        source=pdu.source_addr,
        destination=pdu.destination_addr,
        text=decode(payload[:LONGEST_TEXT], codecs[pdu.data_coding & 0xFF]),
        at=now,
        account=owner,
        reference=reference,
        total=total,
        part=sequence,
        data_coding=pdu.data_coding,
    )


def _number(value: bytes | None) -> int | None:
    return int.from_bytes(value[:4], "big") if value else None
