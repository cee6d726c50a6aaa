"""A readable dump of a PDU: every field by its name, with its meaning in words.

In: a Pdu, or octets as they came. Out: text of several lines. Octets that are not a PDU, or only
part of one, are shown as far as they can be read, and the line that starts with `!` says where and
why that ended.
"""

from collections.abc import Iterator
from typing import Any, Final

from . import constants as c
from .errors import PduError, SmppError, UsageError
from .fields import Field, OctetString, Several, UnsuccessSme
from .pdu import PDUS, Pdu, read_header, show
from .tlv import TLV_BY_TAG, decode_value, read_tlvs
from .words import words

_HEX_SHOWN: Final = 64  # octets of one value in hex; a message_payload may have 65,535


def dump(pdu: Pdu | bytes, masked: bool = False) -> str:
    """Return a dump of one Pdu, or of all PDUs in `pdu` octets; no octets make it raise.

    With `masked` it may stand in a log: no text and no number in full. A password is never shown.
    """
    if isinstance(pdu, Pdu):
        return "\n".join(_pdu_lines(pdu, masked))
    return "\n".join(_octet_lines(bytes(pdu), masked)) or "! no octets"


def _pdu_lines(pdu: Pdu, masked: bool) -> Iterator[str]:
    yield _headline(pdu.command_id, pdu.command_status, pdu.sequence_number)
    for f in pdu.fields:
        yield from _field_lines(f, getattr(pdu, f.name), masked)
    for tag, value in pdu.tlvs:
        yield _tlv_line(tag, value, masked)
    if pdu.surplus:
        yield _line("surplus", _octets(pdu.surplus, masked))


def _octet_lines(data: bytes, masked: bool) -> Iterator[str]:
    pos = 0
    while pos < len(data):
        try:
            length, command_id, status, sequence_number = read_header(data, pos)
        except SmppError as error:
            yield f"! at octet {pos}: {error}"
            yield _line("not read", _octets(data[pos:], masked))
            return
        yield f"{_headline(command_id, status, sequence_number)}, command_length {length}"
        end = min(pos + length, len(data))
        yield from _body_lines(command_id, data[pos + c.HEADER_LENGTH : end], masked)
        if pos + length > end:
            yield f"! only {end - pos} of {length} octets are there"
        pos += length


def _body_lines(command_id: int, body: bytes, masked: bool) -> Iterator[str]:
    """Yield a line per field that can be read; positions count from the start of the PDU."""
    cls = PDUS.get(command_id)
    if cls is None:
        yield _line("body", _octets(body, masked))
        return
    pos = 0
    # The unread rest of a bind may hold its password.
    secret = masked or any(f.name == "password" for f in cls.fields)
    try:
        for f in cls.fields:
            value, after = f.read(body, pos, len(body), f is cls.fields[-1])
            yield from _field_lines(f, value, masked)
            pos = after
        while pos < len(body):
            # One TLV at a time, so that those before a broken one are shown.
            after = pos + 4 + int.from_bytes(body[pos + 2 : pos + 4], "big")
            (tlv,) = read_tlvs(body, pos, min(after, len(body)))
            yield _tlv_line(*tlv, masked)
            pos = after
    except PduError as error:
        yield f"! at octet {c.HEADER_LENGTH + pos}: {error.args[0]}"
        yield _line("not read", _octets(body[pos:], secret))


def _headline(command_id: int, command_status: int, sequence_number: int) -> str:
    sentence = c.COMMAND_STATUS.get(command_status, ("", "not in the specification"))[1]
    return (
        f"{c.command_name(command_id)} sequence_number {sequence_number}, "
        f"command_status {c.status_name(command_status)} ({sentence})"
    )


def _line(name: str, value: str) -> str:
    return f"  {name:<24} {value}"


def _field_lines(f: Field, value: Any, masked: bool) -> Iterator[str]:
    if isinstance(f, OctetString | Several):
        yield _line(f.count_name, str(len(value)))
    if isinstance(f, Several) and not masked:
        for item in value:
            failed = isinstance(item, UnsuccessSme)
            status = f" {c.status_name(item.error_status_code)}" if failed else ""
            yield _line(f.name, f"{item!r}{status}")
    elif isinstance(f, OctetString):
        yield _line(f.name, _octets(value, masked))
    elif f.shown == "never" or isinstance(f, Several) or (masked and f.shown == "masked"):
        yield _line(f.name, show(f, value))
    else:
        yield _line(f.name, f"{value!r} {words(f.name, value)}".rstrip())
    try:
        f.write(value)
    except UsageError as error:
        yield f"! {error}"


def _tlv_line(tag: int, value: bytes, masked: bool) -> str:
    known = TLV_BY_TAG.get(tag)
    name = known.name if known else "unknown TLV"
    shown = _octets(value, masked)
    try:
        decoded = decode_value(tag, value)
    except PduError as error:
        return _line(f"0x{tag:04X} {name}", f"{shown} ! {error.args[0]}")
    if isinstance(decoded, int) or (isinstance(decoded, str) and not masked):
        shown = repr(decoded)
    shown = f"{shown} {words(name, decoded)}".rstrip()
    return _line(f"0x{tag:04X} {name}", shown)


def _octets(value: bytes, masked: bool) -> str:
    """Return octets as hex and as the ASCII that can be seen in them."""
    if masked or not value:
        return f"{len(value)} octets"
    cut = value[:_HEX_SHOWN]
    seen = "".join(chr(octet) if 32 <= octet < 127 else "." for octet in cut)
    rest = f" ... ({len(value)} octets)" if len(value) > len(cut) else ""
    return f"{cut.hex()} |{seen}|{rest}"
