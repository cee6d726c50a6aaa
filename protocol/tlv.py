"""Optional parameters (TLVs): one table of tags, and the stream they form at the end of a body.

In: octets, or (tag, value) pairs. Out: the other; a value by its kind. A PDU carries its TLVs as
pairs of raw octets, so unknown tags, odd lengths and repeats survive; whoever wants a value asks
`decode_value`. Vendor tags (0x1400-0x3FFF) collide between carriers, so their names are the
carrier's configuration and not in this table.
"""

from functools import lru_cache
from struct import Struct
from struct import error as StructError
from typing import Final, NamedTuple

from .constants import ESME_RINVTLVLEN, ESME_RINVTLVSTREAM, ESME_RINVTLVVAL
from .errors import PduError, UsageError

Tlvs = tuple[tuple[int, bytes], ...]

_HEADER: Final = Struct(">HH")
_unpack: Final = _HEADER.unpack_from
_REPEATED: Final = 32
"""Longest stream of TLVs that is remembered, in octets: three or four of a receipt's."""

INTEGER: Final = "integer"
C_OCTET_STRING: Final = "C-octet string"
OCTET_STRING: Final = "octet string"


class Tlv(NamedTuple):
    """One optional parameter: `kind` of value and the lengths the specification allows, in octets.

    For a C-octet string the lengths include the NUL.
    """

    tag: int
    name: str
    kind: str
    shortest: int
    longest: int


def _table(*rows: tuple[int, str, str, int, int]) -> dict[int, Tlv]:
    return {row[0]: Tlv(*row) for row in rows}


# SMPP 3.4 §5.3.2, and 5.0 §4.8 where marked. Where the two differ the wider length stands.
TLV_BY_TAG: Final[dict[int, Tlv]] = _table(
    (0x0005, "dest_addr_subunit", INTEGER, 1, 1),
    (0x0006, "dest_network_type", INTEGER, 1, 1),
    (0x0007, "dest_bearer_type", INTEGER, 1, 1),
    (0x0008, "dest_telematics_id", INTEGER, 2, 2),
    (0x000D, "source_addr_subunit", INTEGER, 1, 1),
    (0x000E, "source_network_type", INTEGER, 1, 1),
    (0x000F, "source_bearer_type", INTEGER, 1, 1),
    (0x0010, "source_telematics_id", INTEGER, 1, 2),  # 3.4 1 octet, 5.0 as dest_telematics_id
    (0x0017, "qos_time_to_live", INTEGER, 4, 4),
    (0x0019, "payload_type", INTEGER, 1, 1),
    (0x001D, "additional_status_info_text", C_OCTET_STRING, 1, 256),
    (0x001E, "receipted_message_id", C_OCTET_STRING, 1, 65),
    (0x0030, "ms_msg_wait_facilities", INTEGER, 1, 1),
    (0x0201, "privacy_indicator", INTEGER, 1, 1),
    (0x0202, "source_subaddress", OCTET_STRING, 2, 23),
    (0x0203, "dest_subaddress", OCTET_STRING, 2, 23),
    (0x0204, "user_message_reference", INTEGER, 2, 2),
    (0x0205, "user_response_code", INTEGER, 1, 1),
    (0x020A, "source_port", INTEGER, 2, 2),
    (0x020B, "destination_port", INTEGER, 2, 2),  # dest_port in 5.0
    (0x020C, "sar_msg_ref_num", INTEGER, 2, 2),
    (0x020D, "language_indicator", INTEGER, 1, 1),
    (0x020E, "sar_total_segments", INTEGER, 1, 1),
    (0x020F, "sar_segment_seqnum", INTEGER, 1, 1),
    (0x0210, "sc_interface_version", INTEGER, 1, 1),
    (0x0302, "callback_num_pres_ind", INTEGER, 1, 1),
    (0x0303, "callback_num_atag", OCTET_STRING, 0, 65),
    (0x0304, "number_of_messages", INTEGER, 1, 1),
    (0x0381, "callback_num", OCTET_STRING, 4, 19),
    (0x0420, "dpf_result", INTEGER, 1, 1),
    (0x0421, "set_dpf", INTEGER, 1, 1),
    (0x0422, "ms_availability_status", INTEGER, 1, 1),
    (0x0423, "network_error_code", OCTET_STRING, 3, 3),
    (0x0424, "message_payload", OCTET_STRING, 0, 65535),
    (0x0425, "delivery_failure_reason", INTEGER, 1, 1),
    (0x0426, "more_messages_to_send", INTEGER, 1, 1),
    (0x0427, "message_state", INTEGER, 1, 1),
    (0x0428, "congestion_state", INTEGER, 1, 1),  # 5.0
    (0x0501, "ussd_service_op", INTEGER, 1, 1),
    (0x0600, "broadcast_channel_indicator", INTEGER, 1, 1),  # 5.0 from here on
    (0x0601, "broadcast_content_type", OCTET_STRING, 3, 3),
    (0x0602, "broadcast_content_type_info", OCTET_STRING, 1, 255),
    (0x0603, "broadcast_message_class", INTEGER, 1, 1),
    (0x0604, "broadcast_rep_num", INTEGER, 2, 2),
    (0x0605, "broadcast_frequency_interval", OCTET_STRING, 3, 3),
    (0x0606, "broadcast_area_identifier", OCTET_STRING, 1, 65535),
    (0x0607, "broadcast_error_status", INTEGER, 4, 4),
    (0x0608, "broadcast_area_success", INTEGER, 1, 1),
    (0x0609, "broadcast_end_time", C_OCTET_STRING, 1, 17),
    (0x060A, "broadcast_service_group", OCTET_STRING, 1, 255),
    (0x060B, "billing_identification", OCTET_STRING, 1, 1024),
    (0x060D, "source_network_id", C_OCTET_STRING, 7, 65),
    (0x060E, "dest_network_id", C_OCTET_STRING, 7, 65),
    (0x060F, "source_node_id", OCTET_STRING, 6, 6),
    (0x0610, "dest_node_id", OCTET_STRING, 6, 6),
    (0x0611, "dest_addr_np_resolution", INTEGER, 1, 1),
    (0x0612, "dest_addr_np_information", OCTET_STRING, 10, 10),
    (0x0613, "dest_addr_np_country", OCTET_STRING, 1, 5),
    (0x1201, "display_time", INTEGER, 1, 1),  # 3.4 again
    (0x1203, "sms_signal", INTEGER, 2, 2),
    (0x1204, "ms_validity", INTEGER, 1, 4),  # 3.4 1 octet, 5.0 4
    (0x130C, "alert_on_message_delivery", INTEGER, 0, 1),  # 3.4 none, 5.0 1
    (0x1380, "its_reply_type", INTEGER, 1, 1),
    (0x1383, "its_session_info", OCTET_STRING, 2, 2),
)

TLVS: Final[dict[str, Tlv]] = {row.name: row for row in TLV_BY_TAG.values()}

SPOKEN_FOR: Final = frozenset(
    TLVS[name].tag
    for name in (
        "sar_msg_ref_num",
        "sar_total_segments",
        "sar_segment_seqnum",
        "message_payload",
        "receipted_message_id",
        "message_state",
        "network_error_code",
        "delivery_failure_reason",
        "additional_status_info_text",
        "dpf_result",
        "congestion_state",
        "sc_interface_version",
    )
)
"""Tags nobody may ask for: those that tie parts together and carry the text are written with them,
and the others are the SMSC's to say."""


def read_tlvs(data: bytes, pos: int, end: int) -> Tlvs:
    """Return (tag, value) pairs in wire order; repeats and unknown tags survive (§3.3).

    Raises PduError: ESME_RINVTLVLEN for a length that runs past `end`, ESME_RINVTLVSTREAM for one
    to three octets left over.
    """
    if end - pos >= 4:
        tag, length = _unpack(data, pos)
        start = pos + 4
        after = start + length
        if after == end:
            return ((tag, data[start:after]),)
        if after < end <= after + _REPEATED:
            return ((tag, data[start:after]), *_repeated(data[after:end]))
    return _read_each(data, pos, end)


def _read_each(data: bytes, pos: int, end: int) -> Tlvs:
    tlvs = []
    while end - pos >= 4:
        tag, length = _unpack(data, pos)
        start = pos + 4
        pos = start + length
        if pos > end:
            raise PduError(
                f"TLV 0x{tag:04X} says {length} octets but {end - start} are left", ESME_RINVTLVLEN
            )
        tlvs.append((tag, data[start:pos]))
    if pos != end:
        raise PduError(
            f"{end - pos} octet(s) after the last parameter, too few for a TLV", ESME_RINVTLVSTREAM
        )
    return tuple(tlvs)


@lru_cache(maxsize=1_024)
def _repeated(data: bytes) -> Tlvs:
    """The TLVs behind the first. The first of a receipt is its message id, and what follows
    (message_state, network_error_code) is in most receipts the same: 0.3 µs less for each."""
    return _read_each(data, 0, len(data))


def write_tlvs(tlvs: Tlvs) -> bytes:
    """Return the octets of (tag, value) pairs, in their order.

    Raises UsageError when a tag is not 16 bits or a value is not at most 65,535 octets.
    """
    out = b""
    pack = _HEADER.pack
    for tag, value in tlvs:
        try:
            out += pack(tag, len(value)) + value
        except (StructError, TypeError):
            raise UsageError(f"TLV {tag!r}: tag or value does not fit", ESME_RINVTLVVAL) from None
    return out


def decode_value(tag: int, value: bytes) -> int | str | bytes:
    """Return a TLV's value by its kind: int, str (latin-1, without the NUL) or bytes.

    Unknown tags are bytes. A missing NUL and an over-long string are accepted, as in the mandatory
    part. Raises PduError(ESME_RINVTLVLEN) for an integer of a length the table does not allow.
    """
    known = TLV_BY_TAG.get(tag)
    if known is None or known.kind == OCTET_STRING:
        return value
    if known.kind == C_OCTET_STRING:
        return value.partition(b"\0")[0].decode("latin-1")
    if not known.shortest <= len(value) <= known.longest:
        raise PduError(f"TLV {known.name} has {len(value)} octets", ESME_RINVTLVLEN)
    return int.from_bytes(value, "big")


def encode_value(tag: int, value: int | str | bytes) -> bytes:
    """Return the octets of a TLV's value: an int or str by the tag's kind, bytes as they are.

    Raises UsageError for a value of the wrong type or a length outside the table, and for an int or
    str with an unknown tag: how long would it be?
    """
    known = TLV_BY_TAG.get(tag)
    if isinstance(value, bytes):
        octets = value
    elif known is None:
        raise UsageError(f"TLV 0x{tag:04X} is unknown: give its octets", ESME_RINVTLVVAL)
    elif isinstance(value, str) and known.kind == C_OCTET_STRING:
        octets = _c_octets(known.name, value)
    elif isinstance(value, int) and known.kind == INTEGER:
        # The shorter form of the two where the versions differ, as every 3.4 peer expects: 1 octet
        # for ms_validity unless it needs the 4 of 5.0 (2 or 3 are in neither).
        length = max(known.shortest, 1)
        if value >= 1 << (8 * length):
            length = known.longest
        if not 0 <= value < 1 << (8 * length):
            raise UsageError(f"TLV {known.name}: {value} does not fit", ESME_RINVTLVVAL)
        octets = value.to_bytes(length, "big")
    else:
        raise UsageError(f"TLV {known.name} is of kind {known.kind}", ESME_RINVTLVVAL)
    if known is not None and not known.shortest <= len(octets) <= known.longest:
        raise UsageError(f"TLV {known.name} has {len(octets)} octets", ESME_RINVTLVLEN)
    return octets


def encode_text(value: str, kind: str, octets: int = 1) -> bytes:
    """Return the octets of a value that somebody wrote as text, for a tag outside the table.

    An INTEGER is decimal or `0x...` and takes `octets` octets; strings are UTF-8, which is ASCII
    wherever the specification has its way. Raises UsageError for what does not fit.
    """
    if kind == INTEGER:
        try:
            number = int(value, 16 if value[:2] in ("0x", "0X") else 10)
            return number.to_bytes(octets, "big")
        except (ValueError, OverflowError):
            raise UsageError(
                f"{value[:24]!r} is no number of {octets} octets", ESME_RINVTLVVAL
            ) from None
    try:
        text = value.encode()
    except UnicodeEncodeError:
        raise UsageError("half a surrogate pair", ESME_RINVTLVVAL) from None
    if kind == OCTET_STRING:
        return text
    if b"\0" in text:
        raise UsageError("a C-octet string ends at its first NUL", ESME_RINVTLVVAL)
    return text + b"\0"


def _c_octets(name: str, value: str) -> bytes:
    if "\0" in value or not all(ord(character) < 256 for character in value):
        raise UsageError(f"TLV {name} has characters that are not one octet", ESME_RINVTLVVAL)
    return value.encode("latin-1") + b"\0"
