"""A readable dump of a PDU: every field by its name, with its meaning in words.

In: a Pdu, or octets as they came. Out: text of several lines. Octets that are not a PDU, or only
part of one, are shown as far as they can be read, and the line that starts with `!` says where and
why that ended.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from . import constants as c
from .errors import PduError, SmppError, UsageError
from .fields import Field, OctetString, Several
from .pdu import PDUS, Pdu, read_header, show
from .tlv import TLV_BY_TAG, decode_value, read_tlvs

_HEX_SHOWN: Final = 64  # octets of one value in hex; a message_payload may have 65,535

_TON: Final = {
    c.TON_UNKNOWN: "unknown",
    c.TON_INTERNATIONAL: "international",
    c.TON_NATIONAL: "national",
    c.TON_NETWORK_SPECIFIC: "network specific",
    c.TON_SUBSCRIBER_NUMBER: "subscriber number",
    c.TON_ALPHANUMERIC: "alphanumeric",
    c.TON_ABBREVIATED: "abbreviated",
}
_NPI: Final = {
    c.NPI_UNKNOWN: "unknown",
    c.NPI_ISDN: "ISDN (E.163/E.164)",
    c.NPI_DATA: "data (X.121)",
    c.NPI_TELEX: "telex (F.69)",
    c.NPI_LAND_MOBILE: "land mobile (E.212)",
    c.NPI_NATIONAL: "national",
    c.NPI_PRIVATE: "private",
    c.NPI_ERMES: "ERMES",
    c.NPI_INTERNET: "Internet (IP)",
    c.NPI_WAP: "WAP client id",
}
_DATA_CODING: Final = {
    c.DATA_CODING_DEFAULT: "the operator's default alphabet",
    c.DATA_CODING_IA5: "IA5 (ASCII)",
    c.DATA_CODING_BINARY_ALIAS: "8-bit binary",
    c.DATA_CODING_LATIN1: "Latin-1 (ISO-8859-1)",
    c.DATA_CODING_BINARY: "8-bit binary",
    c.DATA_CODING_JIS: "JIS (X 0208)",
    c.DATA_CODING_CYRILLIC: "Cyrillic (ISO-8859-5)",
    c.DATA_CODING_LATIN_HEBREW: "Latin/Hebrew (ISO-8859-8)",
    c.DATA_CODING_UCS2: "UCS-2",
    c.DATA_CODING_PICTOGRAM: "pictograms",
    c.DATA_CODING_ISO2022JP: "ISO-2022-JP (music codes)",
    c.DATA_CODING_EXTENDED_KANJI: "extended Kanji JIS (X 0212)",
    c.DATA_CODING_KS_C_5601: "KS C 5601",
}
_MESSAGE_STATE: Final = {
    c.MESSAGE_STATE_SCHEDULED: "SCHEDULED",
    c.MESSAGE_STATE_ENROUTE: "ENROUTE",
    c.MESSAGE_STATE_DELIVERED: "DELIVERED",
    c.MESSAGE_STATE_EXPIRED: "EXPIRED",
    c.MESSAGE_STATE_DELETED: "DELETED",
    c.MESSAGE_STATE_UNDELIVERABLE: "UNDELIVERABLE",
    c.MESSAGE_STATE_ACCEPTED: "ACCEPTED",
    c.MESSAGE_STATE_UNKNOWN: "UNKNOWN",
    c.MESSAGE_STATE_REJECTED: "REJECTED",
    c.MESSAGE_STATE_SKIPPED: "SKIPPED",
}
_MODE: Final = {0: "default mode", 1: "datagram", 2: "forward", 3: "store and forward"}
_TYPE: Final = {
    0x00: "message",
    c.ESM_CLASS_DELIVERY_RECEIPT: "delivery receipt",
    c.ESM_CLASS_DELIVERY_ACKNOWLEDGEMENT: "delivery acknowledgement",
    c.ESM_CLASS_USER_ACKNOWLEDGEMENT: "user acknowledgement",
    c.ESM_CLASS_CONVERSATION_ABORT: "conversation abort",
    c.ESM_CLASS_INTERMEDIATE_NOTIFICATION: "intermediate notification",
}
_RECEIPT: Final = {
    c.REGISTERED_DELIVERY_NONE: "no receipt",
    c.REGISTERED_DELIVERY_FINAL: "receipt on success or failure",
    c.REGISTERED_DELIVERY_FAILURE: "receipt on failure",
    c.REGISTERED_DELIVERY_SUCCESS: "receipt on success",
}


def _esm_class(value: int) -> str:
    words = [_MODE[value & c.ESM_CLASS_MODE_MASK], _TYPE.get(value & c.ESM_CLASS_TYPE_MASK, "?")]
    words += ["UDHI"] * bool(value & c.ESM_CLASS_UDHI)
    words += ["reply path"] * bool(value & c.ESM_CLASS_REPLY_PATH)
    return ", ".join(words)


def _registered_delivery(value: int) -> str:
    words = [_RECEIPT[value & c.REGISTERED_DELIVERY_MASK]]
    words += ["SME delivery acknowledgement"] * bool(value & c.REGISTERED_DELIVERY_SME_ACK)
    words += ["SME user acknowledgement"] * bool(value & c.REGISTERED_DELIVERY_USER_ACK)
    words += ["intermediate notification"] * bool(value & c.REGISTERED_DELIVERY_INTERMEDIATE)
    return ", ".join(words)


def _network_error_code(value: bytes) -> str:
    networks = {1: "ANSI-136", 2: "IS-95", 3: "GSM", 4: "reserved"}
    network = networks.get(value[0], "?") if len(value) == 3 else "?"
    return f"{network} error {int.from_bytes(value[1:], 'big')}"


def _lookup(table: dict[int, str]) -> Callable[[int], str]:
    return lambda value: table.get(value, "?")


# What a value says, by the name of its field or TLV; "?" for a value the specification lacks.
MEANING: Final[dict[str, Callable[[Any], str]]] = {
    "source_addr_ton": _lookup(_TON),
    "dest_addr_ton": _lookup(_TON),
    "esme_addr_ton": _lookup(_TON),
    "addr_ton": _lookup(_TON),
    "source_addr_npi": _lookup(_NPI),
    "dest_addr_npi": _lookup(_NPI),
    "esme_addr_npi": _lookup(_NPI),
    "addr_npi": _lookup(_NPI),
    "interface_version": lambda v: f"SMPP {v >> 4}.{v & 15}",
    "sc_interface_version": lambda v: f"SMPP {v >> 4}.{v & 15}",
    "esm_class": _esm_class,
    "registered_delivery": _registered_delivery,
    "replace_if_present_flag": _lookup({0: "do not replace", 1: "replace"}),
    "data_coding": _lookup(_DATA_CODING),
    "message_state": _lookup(_MESSAGE_STATE),
    "network_error_code": _network_error_code,
    "ms_availability_status": _lookup({0: "available", 1: "denied", 2: "unavailable"}),
    "more_messages_to_send": _lookup({0: "no", 1: "yes"}),
    "delivery_failure_reason": _lookup(
        {
            0: "destination unavailable",
            1: "destination address invalid",
            2: "permanent network error",
            3: "temporary network error",
        }
    ),
    "dest_addr_subunit": _lookup(
        {0: "unknown", 1: "display", 2: "handset", 3: "smart card", 4: "external unit"}
    ),
    "language_indicator": _lookup(
        {0: "unspecified", 1: "English", 2: "French", 3: "Spanish", 4: "German", 5: "Portuguese"}
    ),
    "payload_type": _lookup({0: "default", 1: "WCMP"}),
}


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
            yield _line(f.name, repr(item))
    elif isinstance(f, OctetString):
        yield _line(f.name, _octets(value, masked))
    elif f.shown == "never" or isinstance(f, Several) or (masked and f.shown == "masked"):
        yield _line(f.name, show(f, value))
    elif f.name in MEANING:
        yield _line(f.name, f"{value} {MEANING[f.name](value)}")
    else:
        yield _line(f.name, repr(value))
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
    if name in MEANING:
        meaning = MEANING[name](decoded)
        shown = f"{decoded} {meaning}" if isinstance(decoded, int) else meaning
    elif isinstance(decoded, int) or (isinstance(decoded, str) and not masked):
        shown = repr(decoded)
    return _line(f"0x{tag:04X} {name}", shown)


def _octets(value: bytes, masked: bool) -> str:
    """Return octets as hex and as the ASCII that can be seen in them."""
    if masked or not value:
        return f"{len(value)} octets"
    cut = value[:_HEX_SHOWN]
    seen = "".join(chr(octet) if 32 <= octet < 127 else "." for octet in cut)
    rest = f" ... ({len(value)} octets)" if len(value) > len(cut) else ""
    return f"{cut.hex()} |{seen}|{rest}"
