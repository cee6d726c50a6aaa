"""A `deliver_sm` from a phone -> one part of a reply.

In: a decoded PDU and what `data_coding` means to its carrier. Out: an `InboundPart` with its text
and its place among the parts (UDH of either width, or SAR TLVs). Each part is read in the national
language its own header announces (TS 23.040 §9.2.3.24.15). Joining is the store's, because parts
outlive a restart.
"""

from __future__ import annotations

from typing import Any, Final

from gateway.store.messages import InboundPart
from protocol import udh, user_data

MESSAGE_PAYLOAD: Final = 0x0424
SAR_MSG_REF_NUM: Final = 0x020C
SAR_TOTAL_SEGMENTS: Final = 0x020E
SAR_SEGMENT_SEQNUM: Final = 0x020F
_SAR: Final = (SAR_MSG_REF_NUM, SAR_TOTAL_SEGMENTS, SAR_SEGMENT_SEQNUM)
LONGEST_TEXT: Final = 70_000
"""Octets of a text kept: message_payload can be 64 KiB, no phone sends more."""


def inbound_part(
    pdu: Any,
    carrier: str,
    codecs: tuple[str, ...],
    owner: str | None,
    now: int,
    packed: bool = False,
    *,
    source: str | None = None,
    destination: str | None = None,
) -> InboundPart:
    """Read a deliver_sm or data_sm; wrong headers and codings cost no message.

    `source` and `destination` as the ledgers know them; without them as they came.
    `codecs` is the carrier's `codecs_by_data_coding`; `packed` says that it sends septets eight to
    seven octets.
    """
    payload: bytes = getattr(pdu, "short_message", b"") or pdu.tlv(MESSAGE_PAYLOAD) or b""
    header, payload = user_data.split(payload, pdu.esm_class)
    reference, total, sequence = _place(pdu, header)
    encoding = codecs[pdu.data_coding & 0xFF]
    return InboundPart(
        carrier=carrier,
        source=pdu.source_addr if source is None else source,
        destination=pdu.destination_addr if destination is None else destination,
        text=user_data.read(
            payload[:LONGEST_TEXT], header, encoding, packed=packed, part=total > 1
        ),
        at=now,
        account=owner,
        reference=reference,
        total=total,
        part=sequence,
        data_coding=pdu.data_coding,
    )


def _place(pdu: Any, header: udh.Header | None) -> tuple[int, int, int]:
    """(reference, total, part). Bits 16 and 17 of the reference keep the three series apart."""
    if header is not None and header.concat is not None:
        concat = header.concat
        return concat.reference | (concat.reference_bits == 16) << 16, concat.total, concat.sequence
    # A header without a place may stand beside SAR: it announces a language or a port.
    if pdu.tlvs:
        reference, total, part = [_number(pdu.tlv(tag)) for tag in _SAR]
        if (
            reference is not None
            and total is not None
            and part is not None
            and 1 <= part <= total <= 255
        ):
            return reference & 0xFFFF | 2 << 16, total, part
    return 0, 1, 1


def _number(value: bytes | None) -> int | None:
    return int.from_bytes(value[:4], "big") if value else None
