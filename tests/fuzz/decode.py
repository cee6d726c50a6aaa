"""Whatever octets come, `decode` returns a PDU or raises PduError or LinkError, nothing else; the
compiled reader and the field table read the same; and what a PDU encodes to decodes to the same
PDU, or is refused by `check` because a string is longer than the specification allows."""

from __future__ import annotations

from protocol import pdu as pdus
from protocol.constants import HEADER_LENGTH, MAX_PDU, RESPONSE_BIT
from protocol.errors import LinkError, PduError, UsageError

from . import vectors


def seeds() -> list[bytes]:
    return [octets[4:] for octets in vectors.pdus()]


def check(data: bytes) -> None:
    _decoded(data)
    if HEADER_LENGTH - 4 <= len(data) <= MAX_PDU - 4:
        # With an honest command_length, or nothing would be read but that.
        _check_pdu((len(data) + 4).to_bytes(4, "big") + data)


def _decoded(octets: bytes) -> pdus.Pdu | None:
    try:
        return pdus.decode(octets)
    except LinkError:
        return None
    except PduError as error:
        assert error.command_status != 0
        assert error.sequence_number == int.from_bytes(octets[12:16], "big")
        unknown = isinstance(error.pdu, pdus.UnknownPdu)
        assert unknown == (error.command_id not in pdus.PDUS)
        if isinstance(error.pdu, pdus.UnknownPdu):
            length = int.from_bytes(octets[:4], "big")
            assert pdus.encode(error.pdu) == octets[:length]
        assert str(error) and repr(error.pdu)
        return None


def _check_pdu(octets: bytes) -> None:
    pdu = _decoded(octets)
    _, command_id, command_status, sequence_number = pdus.read_header(octets)
    if command_id in pdus.PDUS:
        _check_table(command_id, command_status, sequence_number, octets[HEADER_LENGTH:], pdu)
    if pdu is None:
        return
    if len(octets) % 8 == 0:  # it costs as much as decoding
        assert repr(pdu)
    assert (pdu.command_id, pdu.command_status) == (command_id, command_status)
    assert not pdu.surplus or command_id & RESPONSE_BIT
    if not command_id & RESPONSE_BIT and command_id | RESPONSE_BIT in pdus.PDUS:
        assert pdus.response_to(pdu).sequence_number == sequence_number
    try:
        pdus.check(pdu)
    except UsageError as error:
        assert error.command_status != 0
        try:
            again = pdus.encode(pdu)
        except UsageError:
            return
        raise AssertionError(f"check refuses what encode writes as {again.hex()}") from error
    assert pdus.decode(pdus.encode(pdu)) == pdu


def _check_table(
    command_id: int, command_status: int, number: int, body: bytes, read: pdus.Pdu | None
) -> None:
    """The table alone, which the compiled functions fall back to, comes to the same."""
    walked = pdus.PDUS[command_id](command_status=command_status, sequence_number=number)
    try:
        pdus._read(walked, body)
    except PduError:
        assert read is None
    else:
        assert walked == read
