"""Any octets are a stream of TLVs that is written back to the octet, or raise PduError; the reader
that remembers reads what the plain one reads; and a value is an int, a text or octets that encode
to a value which reads the same, or raises PduError."""

from __future__ import annotations

from protocol import tlv
from protocol.errors import PduError

from . import vectors


def seeds() -> list[bytes]:
    found = [
        tlv.write_tlvs(((row.tag, bytes(row.shortest)), (row.tag, bytes(min(row.longest, 9)))))
        for row in tlv.TLV_BY_TAG.values()
    ]
    return found + [octets[16:] for octets in vectors.pdus()]


def check(data: bytes) -> None:
    try:
        tlvs = tlv.read_tlvs(data, 0, len(data))
    except PduError as error:
        assert error.command_status != 0
        try:
            tlv._read_each(data, 0, len(data))
        except PduError as plain:
            assert plain.command_status == error.command_status
            return
        raise AssertionError("the plain reader reads it") from error
    assert tlvs == tlv._read_each(data, 0, len(data))
    assert tlv.write_tlvs(tlvs) == data
    for tag, octets in tlvs:
        try:
            value = tlv.decode_value(tag, octets)
        except PduError as error:
            assert error.command_status != 0
            continue
        known = tlv.TLV_BY_TAG.get(tag)
        if known is not None and known.shortest <= _length(value, known) <= known.longest:
            written = tlv.encode_value(tag, value)
            assert tlv.decode_value(tag, written) == value


def _length(value: int | str | bytes, known: tlv.Tlv) -> int:
    """How many octets the value takes on the wire, its NUL included."""
    if isinstance(value, int):
        return known.shortest
    return len(value) + isinstance(value, str)
