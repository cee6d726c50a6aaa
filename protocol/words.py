"""What the value of a field or TLV says, in words.

In: the field's name in the specification and its value. Out: words, "?" for a value the
specification gives no meaning, nothing for a name without a table. Sources: SMPP 3.4 §5.2 and
§5.3.2, 5.0 §4.7 and §4.8, and 3GPP TS 23.038 and 23.040 where those point to them.

Words stand in logs beside masked values: none of them repeats a text or a number.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from . import constants as c
from .errors import SmppError
from .times import parse

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
_SERVICE_TYPE: Final = {
    "CMT": "cellular messaging",
    "CPT": "cellular paging",
    "VMN": "voice mail notification",
    "VMA": "voice mail alerting",
    "WAP": "wireless application protocol",
    "USSD": "unstructured supplementary services data",
    "CBS": "cell broadcast service",
    "GUTS": "generic UDP transport service",
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
_ALPHABET: Final = ("GSM default alphabet", "8-bit data", "UCS-2", "reserved alphabet")
_WAITING: Final = ("voicemail", "fax", "e-mail", "other")
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
# TS 23.040 §9.2.3.9
_TELEMATIC: Final = {
    0x20: "implicit", 0x21: "telex", 0x22: "group 3 telefax", 0x23: "group 4 telefax",
    0x24: "voice telephone", 0x25: "ERMES", 0x26: "national paging system", 0x27: "videotex",
    0x28: "teletex", 0x29: "teletex in PSPDN", 0x2A: "teletex in CSPDN",
    0x2B: "teletex in analog PSTN", 0x2C: "teletex in digital ISDN", 0x2D: "UCI",
    0x30: "message handling facility", 0x31: "X.400", 0x32: "Internet e-mail",
    0x3F: "GSM mobile station", 0x40: "short message type 0 (silent)", 0x48: "device triggering",
    0x5E: "enhanced message service", 0x5F: "return call message", 0x7C: "ANSI-136 R-DATA",
    0x7D: "handset data download", 0x7E: "handset de-personalization", 0x7F: "SIM data download",
}  # fmt: skip
_NETWORK: Final = {
    0: "unknown", 1: "GSM", 2: "ANSI-136/TDMA", 3: "IS-95/CDMA", 4: "PDC", 5: "PHS", 6: "iDEN",
    7: "AMPS", 8: "paging network",
}  # fmt: skip
_BEARER: Final = {
    0: "unknown", 1: "SMS", 2: "circuit switched data", 3: "packet data", 4: "USSD", 5: "CDPD",
    6: "DataTAC", 7: "FLEX/ReFLEX", 8: "cell broadcast",
}  # fmt: skip
_SUBUNIT: Final = {
    0: "unknown", 1: "display", 2: "handset", 3: "smart card", 4: "external unit",
}  # fmt: skip
# 5.0 §4.8.4.42; 3.4 §5.3.2.31 knows the first three and calls the fourth reserved
_ERROR_NETWORK: Final = {
    1: "ANSI-136 access denied reason", 2: "IS-95 access denied reason", 3: "GSM",
    4: "ANSI-136 cause code", 5: "IS-95 cause code", 6: "ANSI-41", 7: "SMPP",
    8: "message centre",
}  # fmt: skip
_USSD: Final = {
    0: "PSSD indication", 1: "PSSR indication", 2: "USSR request", 3: "USSN request",
    16: "PSSD response", 17: "PSSR response", 18: "USSR confirm", 19: "USSN confirm",
}  # fmt: skip
_FAILURE: Final = {
    0: "destination unavailable", 1: "destination address invalid", 2: "permanent network error",
    3: "temporary network error",
}  # fmt: skip
_LANGUAGE: Final = {
    0: "unspecified", 1: "English", 2: "French", 3: "Spanish", 4: "German", 5: "Portuguese",
}  # fmt: skip
_REPLY: Final = {
    0: "digit", 1: "number", 2: "telephone number", 3: "password", 4: "character line", 5: "menu",
    6: "date", 7: "time", 8: "continue",
}  # fmt: skip
_PRESENTATION: Final = ("allowed", "restricted", "number not available", "reserved")
_SCREENING: Final = (
    "user provided, not screened", "user provided, verified and passed",
    "user provided, verified and failed", "network provided",
)  # fmt: skip
_SUBADDRESS: Final = {0x80: "NSAP (even)", 0x88: "NSAP (odd)", 0xA0: "user specified"}
_VALIDITY: Final = {
    0: "store indefinitely", 1: "power down", 2: "until the registration area changes",
    3: "display only", 4: "relative time",
}  # fmt: skip
_VALIDITY_UNIT: Final = ("seconds", "minutes", "hours", "days", "weeks", "months", "years")
_FREQUENCY_UNIT: Final = {
    0x08: "seconds", 0x09: "minutes", 0x0A: "hours", 0x0B: "days", 0x0C: "weeks", 0x0D: "months",
    0x0E: "years",
}  # fmt: skip
_AREA: Final = {0: "alias or name", 1: "ellipsoid arc", 2: "polygon"}
_BROADCAST_NETWORK: Final = {0: "generic", 1: "GSM", 2: "TDMA", 3: "CDMA"}
_REACH: Final = ("local", "regional", "national", "international")
_CONTENT: Final = {
    0x0000: "index", 0x0001: "emergency broadcasts", 0x0002: "IRDB download",
    0x0010: "news flashes",
    **{0x11 + n: f"general news, {reach}" for n, reach in enumerate(_REACH)},
    **{0x15 + n: f"business news, {reach}" for n, reach in enumerate(_REACH)},
    **{0x19 + n: f"sports news, {reach}" for n, reach in enumerate(_REACH)},
    **{0x1D + n: f"entertainment news, {reach}" for n, reach in enumerate(_REACH)},
    0x0021: "hospitals", 0x0022: "doctors", 0x0023: "pharmacy", 0x0030: "local traffic",
    0x0031: "long distance traffic", 0x0032: "taxis", 0x0033: "weather", 0x0034: "local flights",
    0x0035: "restaurants", 0x0036: "lodgings", 0x0037: "retail directory",
    0x0038: "advertisements", 0x0039: "stock quotes", 0x0040: "employment", 0x0041: "technology",
    0x0070: "district", 0x0071: "network information", 0x0080: "operator services",
    0x0081: "directory enquiries, national", 0x0082: "directory enquiries, international",
    0x0083: "customer care, national", 0x0084: "customer care, international",
    0x0085: "local date and time", 0x0100: "multi-category services",
}  # fmt: skip
_TIME_UNITS: Final = ("years", "months", "days", "hours", "minutes", "seconds")


def words(name: str, value: Any) -> str:
    """What `value`, an int, str or bytes as its kind is, says in the field or TLV `name`."""
    said = _WORDS.get(name)
    return said(value) if said is not None else ""


def _lookup(table: Mapping[int, str]) -> Callable[[int], str]:
    return lambda value: table.get(value, "?")


def _first_octet(table: Mapping[int, str]) -> Callable[[bytes], str]:
    return lambda value: table.get(value[0], "?") if value else "?"


def _interface_version(value: int) -> str:
    return f"SMPP {value >> 4}.{value & 15}"


def _esm_class(value: int) -> str:
    said = [_MODE[value & c.ESM_CLASS_MODE_MASK], _TYPE.get(value & c.ESM_CLASS_TYPE_MASK, "?")]
    said += ["UDHI"] * bool(value & c.ESM_CLASS_UDHI)
    said += ["reply path"] * bool(value & c.ESM_CLASS_REPLY_PATH)
    return ", ".join(said)


def _registered_delivery(value: int) -> str:
    said = [_RECEIPT[value & c.REGISTERED_DELIVERY_MASK]]
    said += ["SME delivery acknowledgement"] * bool(value & c.REGISTERED_DELIVERY_SME_ACK)
    said += ["SME user acknowledgement"] * bool(value & c.REGISTERED_DELIVERY_USER_ACK)
    said += ["intermediate notification"] * bool(value & c.REGISTERED_DELIVERY_INTERMEDIATE)
    return ", ".join(said)


def _protocol_id(value: int) -> str:
    if value in _TELEMATIC:
        return _TELEMATIC[value]
    if value < 0x20:
        return f"SME to SME protocol {value}" if value else "short message"
    if 0x41 <= value <= 0x47:
        return f"replaces short message type {value - 0x40}"
    if 0x38 <= value <= 0x3E or 0xC0 <= value <= 0xFF:
        return "specific to the message centre"
    return "?"


def _data_coding(value: int) -> str:
    """TS 23.038 §4 for what SMPP does not name itself."""
    if value in _DATA_CODING:
        return _DATA_CODING[value]
    group = value >> 4
    alphabet = _ALPHABET[value >> 2 & 3]
    if group < 0x8:
        said = [alphabet]
        said += [f"message class {value & 3}"] * bool(value & 0x10)
        said += ["compressed"] * bool(value & 0x20)
        said += ["deleted when read"] * bool(value & 0x40)
        return ", ".join(said)
    if group in (0xC, 0xD, 0xE):
        kept = ("discard", "store", "store, UCS-2")[group - 0xC]
        active = "active" if value & 8 else "inactive"
        return f"message waiting ({kept}): {_WAITING[value & 3]} {active}"
    if group == 0xF and not value & 8:
        return f"{_ALPHABET[value >> 2 & 1]}, message class {value & 3}"
    return "?"


def _time(value: str) -> str:
    if not value:
        return ""
    if value.endswith("R") and len(value) == 16 and value.isascii() and value[:12].isdigit():
        amounts = [int(value[at : at + 2]) for at in range(0, 12, 2)]
        said = [f"{n} {unit}" for n, unit in zip(amounts, _TIME_UNITS, strict=True) if n]
        return " ".join(said) or "at once"
    try:
        at = parse(value, 0)
    except SmppError:
        return "?"
    return f"{datetime.fromtimestamp((at or 0) / 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _network_error_code(value: bytes) -> str:
    network = _ERROR_NETWORK.get(value[0], "?") if len(value) == 3 else "?"
    return f"{network} error {int.from_bytes(value[1:], 'big')}"


def _status(value: int) -> str:
    known = c.COMMAND_STATUS.get(value)
    return f"{known[0]} ({known[1]})" if known else "?"


def _congestion_state(value: int) -> str:
    for least, said in (
        (101, "?"), (100, "congested"), (90, "nearing congestion"), (80, "optimum load"),
        (50, "high load"), (30, "medium load"), (1, "low load"),
    ):  # fmt: skip
        if value >= least:
            return said
    return "idle"


def _ms_msg_wait_facilities(value: int) -> str:
    return f"{_WAITING[value & 3]} {'active' if value & 0x80 else 'inactive'}"


def _callback_num_pres_ind(value: int) -> str:
    return f"{_PRESENTATION[value >> 2 & 3]}; {_SCREENING[value & 3]}"


def _callback_num(value: bytes) -> str:
    if len(value) < 3:
        return "?"
    mode = {0: "DTMF digits", 1: "ASCII digits"}.get(value[0], "?")
    return f"{mode}, {_TON.get(value[1], '?')}, {_NPI.get(value[2], '?')}"


def _callback_num_atag(value: bytes) -> str:
    return _data_coding(value[0]) if value else "?"


def _ms_validity(value: int) -> str:
    """One octet in 3.4; in 5.0 four, with a unit and a number for a relative time."""
    if value <= 0xFF:
        return _VALIDITY.get(value, "?")
    behaviour, unit, number = value >> 24, value >> 16 & 0xFF, value & 0xFFFF
    if behaviour != 4:
        return _VALIDITY.get(behaviour, "?")
    return f"relative time: {number} {_VALIDITY_UNIT[unit] if unit < 7 else '?'}"


def _its_session_info(value: bytes) -> str:
    if len(value) != 2:
        return "?"
    end = ", end of session" if value[1] & 1 else ""
    return f"session {value[0]}, message {value[1] >> 1}{end}"


def _broadcast_content_type(value: bytes) -> str:
    if len(value) != 3:
        return "?"
    content = _CONTENT.get(int.from_bytes(value[1:], "big"), "?")
    return f"{_BROADCAST_NETWORK.get(value[0], '?')}: {content}"


def _broadcast_frequency_interval(value: bytes) -> str:
    if len(value) != 3:
        return "?"
    if value[0] == 0:
        return "as often as possible"
    unit = _FREQUENCY_UNIT.get(value[0], "?")
    return f"every {int.from_bytes(value[1:], 'big')} {unit}"


def _broadcast_area_success(value: int) -> str:
    if value == 255:
        return "not known"
    return f"{value} %" if value <= 100 else "?"


_ton, _npi, _no_yes = _lookup(_TON), _lookup(_NPI), _lookup({0: "no", 1: "yes"})

_WORDS: Final[Mapping[str, Callable[[Any], str]]] = {
    # mandatory fields
    "service_type": lambda value: _SERVICE_TYPE.get(value, ""),  # operators have their own
    "source_addr_ton": _ton,
    "source_addr_npi": _npi,
    "dest_addr_ton": _ton,
    "dest_addr_npi": _npi,
    "esme_addr_ton": _ton,
    "esme_addr_npi": _npi,
    "addr_ton": _ton,
    "addr_npi": _npi,
    "interface_version": _interface_version,
    "esm_class": _esm_class,
    "protocol_id": _protocol_id,
    "priority_flag": _lookup({0: "lowest", 1: "level 1", 2: "level 2", 3: "highest"}),
    "schedule_delivery_time": _time,
    "validity_period": _time,
    "final_date": _time,
    "registered_delivery": _registered_delivery,
    "replace_if_present_flag": _lookup({0: "do not replace", 1: "replace"}),
    "data_coding": _data_coding,
    "message_state": _lookup(_MESSAGE_STATE),
    # TLVs, in the order of their tags
    "dest_addr_subunit": _lookup(_SUBUNIT),
    "dest_network_type": _lookup(_NETWORK),
    "dest_bearer_type": _lookup(_BEARER),
    "dest_telematics_id": _protocol_id,
    "source_addr_subunit": _lookup(_SUBUNIT),
    "source_network_type": _lookup(_NETWORK),
    "source_bearer_type": _lookup(_BEARER),
    "source_telematics_id": _protocol_id,
    "qos_time_to_live": lambda value: f"{value} seconds",
    "payload_type": _lookup({0: "default (WDP)", 1: "WCMP"}),
    "ms_msg_wait_facilities": _ms_msg_wait_facilities,
    "privacy_indicator": _lookup(
        {0: "not restricted", 1: "restricted", 2: "confidential", 3: "secret"}
    ),
    "source_subaddress": _first_octet(_SUBADDRESS),
    "dest_subaddress": _first_octet(_SUBADDRESS),
    "language_indicator": _lookup(_LANGUAGE),
    "sc_interface_version": _interface_version,
    "callback_num_pres_ind": _callback_num_pres_ind,
    "callback_num_atag": _callback_num_atag,
    "callback_num": _callback_num,
    "dpf_result": _lookup({0: "DPF not set", 1: "DPF set"}),
    "set_dpf": _lookup({0: "DPF not requested", 1: "DPF requested"}),
    "ms_availability_status": _lookup({0: "available", 1: "denied", 2: "unavailable"}),
    "network_error_code": _network_error_code,
    "delivery_failure_reason": _lookup(_FAILURE),
    "more_messages_to_send": _no_yes,
    "congestion_state": _congestion_state,
    "ussd_service_op": _lookup(_USSD),
    "broadcast_channel_indicator": _lookup({0: "basic channel", 1: "extended channel"}),
    "broadcast_content_type": _broadcast_content_type,
    "broadcast_message_class": _lookup(
        {0: "no class", 1: "class 1 (user)", 2: "class 2 (user)", 3: "class 3 (terminal)"}
    ),
    "broadcast_frequency_interval": _broadcast_frequency_interval,
    "broadcast_area_identifier": _first_octet(_AREA),
    "broadcast_error_status": _status,
    "broadcast_area_success": _broadcast_area_success,
    "broadcast_end_time": _time,
    "dest_addr_np_resolution": _lookup(
        {0: "not looked up", 1: "number not ported", 2: "number ported"}
    ),
    "display_time": _lookup({0: "temporary", 1: "default", 2: "invoke"}),
    "ms_validity": _ms_validity,
    "alert_on_message_delivery": _lookup(
        {0: "default", 1: "high priority", 2: "medium priority", 3: "low priority"}
    ),
    "its_reply_type": _lookup(_REPLY),
    "its_session_info": _its_session_info,
}
