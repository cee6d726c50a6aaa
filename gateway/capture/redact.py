"""One PDU made fit to be looked at: as many octets as before, and nobody's number or words in them.

In: a whole PDU. Out: its octets with numbers, texts and passwords overwritten, every length and
position as it was, so that a dissector shows the same fields. What cannot be read is zeroed behind
the header. Knows no connection.

    numbers     the first four digits and the last two stay, digits between become 0
    texts       `x` in the same coding; a user data header stays, receipts keep what is no text
    passwords   `x`, also where everything else is shown
    TLVs        integers and what stands in _HARMLESS stay, texts as above, all others are zeroed
"""

from __future__ import annotations

import re
from typing import Any, Final

from protocol import constants as c
from protocol import udh
from protocol.address import Address
from protocol.coding import codecs_by_data_coding
from protocol.errors import PduError, UsageError
from protocol.fields import COctetString, Field, OctetString, Several, UnsuccessSme
from protocol.pdu import PDUS
from protocol.receipt import is_receipt
from protocol.tlv import INTEGER, TLV_BY_TAG, TLVS, read_tlvs

_KEPT_IN_FRONT: Final = 4
_KEPT_BEHIND: Final = 2
_NUMBERS: Final = frozenset({"source_addr", "destination_addr", "esme_addr", "address_range"})
_ENCODINGS: Final = codecs_by_data_coding()
_PAYLOAD: Final = TLVS["message_payload"].tag
# Known octet and C-octet strings that say nothing of a person.
_HARMLESS: Final = frozenset(
    TLVS[name].tag
    for name in ("receipted_message_id", "network_error_code", "its_session_info")
    if name in TLVS
)
# Elements of a user data header: places among parts, ports, alphabets. Others may hold a number
# (reply address) or a text.
_HARMLESS_ELEMENTS: Final = frozenset(
    {udh.CONCAT_8, 0x04, 0x05, udh.CONCAT_16, udh.SINGLE_SHIFT, udh.LOCKING_SHIFT}
)
_RECEIPT_FIELDS: Final = re.compile(
    rb"(?:^|(?<=[^a-z0-9_]))(?:id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat|err):[!-~]+",
    re.IGNORECASE,
)
_RECEIPT_TEXT: Final = re.compile(rb"(?:^|(?<=[^a-z0-9_]))text ?:", re.IGNORECASE)


def redact(octets: bytes, full: bool = False) -> bytes:
    """The PDU without numbers, texts and passwords; with `full` without passwords only."""
    head, body = octets[: c.HEADER_LENGTH], octets[c.HEADER_LENGTH :]
    cls = PDUS.get(int.from_bytes(head[4:8], "big"))
    if cls is None:
        return octets if full else head + bytes(len(body))
    try:
        return head + _body(cls.fields, body, full)
    except (PduError, UsageError):
        # `full` shows what is broken; but in a bind that cannot be read the password is anywhere.
        secret = any(field.name == "password" for field in cls.fields)
        return octets if full and not secret else head + bytes(len(body))


def _body(fields: tuple[Field, ...], body: bytes, full: bool) -> bytes:
    values: dict[str, Any] = {}
    telling: list[tuple[Field, int, int]] = []
    pos = 0
    end = len(body)
    for field in fields:
        value, after = field.read(body, pos, end, field is fields[-1])
        values[field.name] = value
        if field.shown != "plain" or field.name in _NUMBERS:
            telling.append((field, pos, after))
        pos = after
    out = bytearray(body)
    if full:
        for field, start, stop in telling:
            if field.name == "password":
                out[start:stop] = _secret(body[start:stop])
        return bytes(out)
    tlvs = read_tlvs(body, pos, end)
    values["receipt"] = is_receipt(values.get("esm_class", 0), tlvs)
    for field, start, stop in telling:
        out[start:stop] = _field(field, values, body[start:stop])
    for tag, value in tlvs:
        pos += 4 + len(value)
        out[pos - len(value) : pos] = _tlv(tag, value, values)
    return bytes(out)


def _secret(octets: bytes) -> bytes:
    """As many x as there were letters, and the terminator."""
    letters = octets.rstrip(b"\0")
    return b"x" * len(letters) + octets[len(letters) :]


def _field(field: Field, values: dict[str, Any], octets: bytes) -> bytes:
    """The octets of one field, as many as they were."""
    value = values[field.name]
    if field.name == "password":
        return _secret(octets)
    if isinstance(field, OctetString):
        return octets[:1] + _text(value, values)
    if isinstance(field, COctetString) and field.name in _NUMBERS:
        hidden = _number(value, field.name).encode("latin-1")
        return hidden + octets[len(hidden) :]  # the terminator, where there is one
    if isinstance(field, Several):
        written = field.write(tuple(map(_item, value)))
        if len(written) != len(octets):
            raise PduError(f"{field.name} has another length")
        return written
    return octets


def _item(item: Any) -> Any:
    """A recipient of a submit_multi, or one that it did not reach."""
    if isinstance(item, str):
        return "x" * len(item)
    if isinstance(item, UnsuccessSme):
        return item._replace(destination_addr=_number(item.destination_addr, "destination_addr"))
    return Address(item.ton, item.npi, _number(item.addr, "destination_addr"))


def _number(number: str, field: str) -> str:
    """A number of which the beginning (country, network) and the end (to compare by) are left.

    A sender's letters stay: a name is a company's. In any other place they may be somebody's.
    """
    end = len(number) - _KEPT_BEHIND
    return "".join(
        char
        if place < _KEPT_IN_FRONT or place >= end
        else "0"
        if char.isdigit()
        else char
        if field == "source_addr"
        else "x"
        for place, char in enumerate(number)
    )


def _tlv(tag: int, value: bytes, values: dict[str, Any]) -> bytes:
    if tag == _PAYLOAD:
        return _text(value, values)
    known = TLV_BY_TAG.get(tag)
    if tag in _HARMLESS or (known is not None and known.kind == INTEGER):
        return value
    return bytes(len(value))


def _text(text: bytes, values: dict[str, Any]) -> bytes:
    """A text of the same coding and length that says nothing."""
    head = b""
    if values.get("esm_class", 0) & c.ESM_CLASS_UDHI:
        head, text = _user_data_header(text)
    if values["receipt"]:
        return head + _receipt(text)
    if _ENCODINGS[values.get("data_coding", 0)] == "ucs2":
        return head + b"\0x" * (len(text) // 2) + b"\0" * (len(text) % 2)
    return head + b"x" * len(text)


def _user_data_header(text: bytes) -> tuple[bytes, bytes]:
    """The header with what may be personal zeroed, and the rest."""
    if not text or text[0] >= len(text):
        return b"", text  # no header, whatever esm_class says
    end = text[0] + 1
    head = bytearray(text[:end])
    at = 1
    while at + 2 <= end:
        length = head[at + 1]
        after = min(at + 2 + length, end)
        if head[at] not in _HARMLESS_ELEMENTS:
            head[at + 2 : after] = bytes(after - at - 2)
        at += 2 + length
    return bytes(head), text[end:]


def _receipt(text: bytes) -> bytes:
    """A receipt with the fields that every receipt has; what is quoted or added becomes x."""
    quoted = _RECEIPT_TEXT.search(text)
    end = len(text) if quoted is None else quoted.start()
    out = bytearray(b"x" * len(text))
    if quoted is not None:
        out[quoted.start() : quoted.end()] = quoted.group()
    kept = 0
    for match in _RECEIPT_FIELDS.finditer(text, 0, end):
        out[match.start() : match.end()] = match.group()
        if match.start() and text[match.start() - 1 : match.start()] == b" ":
            out[match.start() - 1] = 0x20
        kept = match.end()
    if quoted is not None and text[kept : quoted.start()] == b" ":
        out[kept] = 0x20
    return bytes(out)
