"""What a submit says, apart from its text and its recipient: read once for messages alike.

In: submit_sm, data_sm, submit_multi. Out: a key that is equal for messages that agree in all of
it, and the `Shape` a key stands for: sender, category, times, how the text is coded, or the
command_status that refuses it. Knows no admission and no store.

A list of a campaign's submits differs in texts and recipients alone, so all of this is read once a
list, not once a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

from gateway.ingress.smpp.logins import Login
from gateway.model import Category, Priority
from gateway.store.messages import Esme, RawPart, Tlv
from protocol import constants as c
from protocol import times, udh, user_data
from protocol.coding import codecs_by_data_coding, decode
from protocol.errors import PduError
from protocol.halves import join
from protocol.pdu import DataSm, SubmitMulti, SubmitSm
from protocol.segment import DATA_CODING
from protocol.tlv import TLVS, Tlvs

MESSAGE_PAYLOAD: Final = TLVS["message_payload"].tag
_QOS_TIME_TO_LIVE: Final = TLVS["qos_time_to_live"].tag
SAR: Final = tuple(
    TLVS[name].tag for name in ("sar_msg_ref_num", "sar_total_segments", "sar_segment_seqnum")
)
_KEPT_TLVS: Final = 256
"""Octets of TLVs in a shape worth remembering: an entity and a template take 40."""
_LONGEST_RELATIVE: Final = 31 * 86_400

SECOND: Final = 1_000_000
LONGEST_VALIDITY: Final = 14 * 86_400 * SECOND
"""A longer validity_period is read as this: customers write 63 weeks for "as long as you can", and
beyond two weeks no message centre keeps a message."""

_PLAIN: Final = frozenset({"gsm", "latin1", "ascii", "ucs2"})
_TEXT: Final = _PLAIN | {"cyrillic", "hebrew", "jis", "iso2022jp", "kanji", "ksc5601"}
_ESM_TYPES: Final = frozenset(
    {0, c.ESM_CLASS_DELIVERY_ACKNOWLEDGEMENT, c.ESM_CLASS_USER_ACKNOWLEDGEMENT}
)
_HIGHEST_NPI: Final = c.NPI_WAP


class Key(NamedTuple):
    """All of a submit but its recipient's digits and its text."""

    service_type: str
    source_addr_ton: int
    source_addr_npi: int
    source_addr: str
    dest_addr_ton: int
    dest_addr_npi: int
    esm_class: int
    protocol_id: int
    priority_flag: int
    schedule_delivery_time: str
    validity_period: str
    registered_delivery: int
    replace_if_present_flag: int
    data_coding: int
    sm_default_msg_id: int
    tlvs: Tlvs = ()
    both: bool = False
    """Whether it has a short_message and a message_payload."""


_of_submit: Final = attrgetter(*Key._fields[:15])


def key_of(pdu: Any, login: Login) -> tuple[Any, ...]:
    """The key of a submit, and with it (key, payload, whether it came as message_payload)."""
    kind = type(pdu)
    if kind is SubmitSm and not pdu.tlvs:  # nearly every message
        return _of_submit(pdu), pdu.short_message, False
    if kind is DataSm:
        seconds = int.from_bytes(pdu.tlv(_QOS_TIME_TO_LIVE) or b"", "big")
        validity = times.format_relative(min(seconds, _LONGEST_RELATIVE)) if seconds else ""
        key: tuple[Any, ...] = (
            pdu.service_type, pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr,
            pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.esm_class, 0, 0, "", validity,
            pdu.registered_delivery, 0, pdu.data_coding, 0,
        )  # fmt: skip
        short = b""
    elif kind is SubmitMulti:
        key = (
            pdu.service_type, pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr, 0, 0,
            pdu.esm_class, pdu.protocol_id, pdu.priority_flag, pdu.schedule_delivery_time,
            pdu.validity_period, pdu.registered_delivery, pdu.replace_if_present_flag,
            pdu.data_coding, pdu.sm_default_msg_id,
        )  # fmt: skip
        short = pdu.short_message
    else:
        key, short = _of_submit(pdu), pdu.short_message
    payload = pdu.tlv(MESSAGE_PAYLOAD)
    tlvs = tuple([each for each in pdu.tlvs if login.passes(each[0]) and _may_pass(each[0])])
    if tlvs or payload:
        key = (*key, tlvs, bool(payload and short))
    return key, payload or short, payload is not None


def _may_pass(tag: int) -> bool:
    """TLVs a login may be allowed to pass on; those we write ourselves are none."""
    return tag not in (MESSAGE_PAYLOAD, _QOS_TIME_TO_LIVE, *SAR)


class Shape:
    """What a key means for one login.

    status   the command_status that refuses it; 0 if nothing does
    sender   None for the account's default
    encoding name of the text's coding; None where it is no text
    raw      whether the octets go out as they came
    kept     whether it is worth remembering: nothing in its key is longer than may be
    """

    __slots__ = (
        "_schedule", "_validity", "category", "data_coding", "dest_addr_ton", "encoding",
        "esm_class", "esme", "kept", "priority", "protocol_id", "raw", "replaces", "sender",
        "status", "tlvs",
    )  # fmt: skip

    def __init__(self, key: Key, login: Login) -> None:
        settings = login.settings
        self.status = _refused(key)
        self.sender = key.source_addr.lstrip("+") or None
        category = settings.service_types.get(key.service_type) or settings.category
        self.category = Category(category or login.account.default_category)
        self.priority = Priority.HIGH if key.priority_flag > 1 else Priority.NORMAL
        self.esm_class = key.esm_class
        self.protocol_id = key.protocol_id
        self.dest_addr_ton = key.dest_addr_ton
        self.replaces = bool(key.replace_if_present_flag)
        own = {value: name for name, value in settings.data_coding.items()}
        name = codecs_by_data_coding(settings.alphabet, own)[key.data_coding]
        self.encoding = name if name in _TEXT else None
        # Octets that go out as they came go under the number everybody else knows.
        self.data_coding = DATA_CODING[name] if key.data_coding in own else key.data_coding
        self.raw = (
            self.encoding is None
            or self.data_coding > 0x0F  # with a class, or message waiting: it means more than text
            or key.protocol_id != 0
            or key.esm_class & ~c.ESM_CLASS_MODE_MASK != 0
        )
        self.esme = Esme(
            settings.system_id,
            key.source_addr,
            key.source_addr_ton,
            key.source_addr_npi,
            key.dest_addr_ton,
            key.dest_addr_npi,
            key.registered_delivery,
        )
        self.tlvs = tuple([Tlv(f"0x{tag:04X}", value.hex(), True) for tag, value in key.tlvs])
        self.kept = not self.status and sum([len(value) for _, value in key.tlvs]) <= _KEPT_TLVS
        self._schedule = key.schedule_delivery_time
        self._validity = key.validity_period

    def times(self, now: int) -> tuple[int | None, int | None]:
        """(send_at, validity), µs; None for at once and the account's default. Raises PduError
        with the status that refuses them."""
        send_at = times.parse(self._schedule, now, c.ESME_RINVSCHED)
        until = times.parse(self._validity, now, c.ESME_RINVEXPIRY)
        if until is None:
            return send_at, None
        validity = until - (now if send_at is None else max(send_at, now))
        if validity <= 0:
            raise PduError("validity_period is over before it begins", c.ESME_RINVEXPIRY)
        return send_at, min(validity, LONGEST_VALIDITY)


def recipient(addr: str, ton: int) -> str | tuple[str, ...]:
    """A destination_addr as admission takes numbers.

    International digits come without a plus (TON says it); an unknown TON mostly means them too,
    and is read as a national number only where that fails.
    """
    if ton == c.TON_INTERNATIONAL:
        return addr if addr[:1] == "+" else "+" + addr
    if ton == c.TON_UNKNOWN and addr[:1] not in ("+", "0"):
        return ("+" + addr, addr)
    return addr


def _refused(key: Key) -> int:
    """The first field the specification forbids, as the status that says so; 0 if none."""
    if len(key.service_type) > 5:
        return c.ESME_RINVSERTYP
    if key.source_addr_ton > c.TON_ABBREVIATED:
        return c.ESME_RINVSRCTON
    if key.source_addr_npi > _HIGHEST_NPI:
        return c.ESME_RINVSRCNPI
    if len(key.source_addr) > 20:
        return c.ESME_RINVSRCADR
    if key.dest_addr_ton > c.TON_ABBREVIATED or key.dest_addr_ton == c.TON_ALPHANUMERIC:
        return c.ESME_RINVDSTTON
    if key.dest_addr_npi > _HIGHEST_NPI:
        return c.ESME_RINVDSTNPI
    if key.esm_class & c.ESM_CLASS_TYPE_MASK not in _ESM_TYPES:
        return c.ESME_RINVESMCLASS
    if key.priority_flag > 3:
        return c.ESME_RINVPRTFLG
    if len(key.schedule_delivery_time) > 16:
        return c.ESME_RINVSCHED
    if len(key.validity_period) > 16:
        return c.ESME_RINVEXPIRY
    if key.registered_delivery & 0xE0:
        return c.ESME_RINVREGDLVFLG
    if key.replace_if_present_flag > 1:
        return c.ESME_RINVREPFLAG
    if key.sm_default_msg_id:
        return c.ESME_RINVDFTMSGID
    return c.ESME_RTLVNOTALLWD if key.both else 0


class Place(NamedTuple):
    """Where a part stands in the message its customer split."""

    reference: int
    """With the width of the reference in bits 16 and 17: 8- and 16-bit and SAR are three series."""
    total: int
    part: int


def place_of(pdu: Any, payload: bytes) -> Place | None:
    """Where a submit stands in a message its customer split; None if it is none of several."""
    if type(pdu) is SubmitMulti:
        return None
    if not pdu.esm_class & c.ESM_CLASS_UDHI:
        return _sar_place(pdu.tlvs)
    try:
        concat = udh.parse(payload)[0].concat
    except PduError:
        return None
    if concat is None:
        return _sar_place(pdu.tlvs)  # a header of another kind, ports for one, does not part it
    if concat.total == 1:
        return None
    width = (concat.reference_bits == 16) << 16
    return Place(concat.reference | width, concat.total, concat.sequence)


def text_of(payload: bytes, encoding: str | None, esm_class: int) -> str:
    """What a payload says behind its user data header, if it has one; "" if it is no text."""
    if encoding is not None and not esm_class & c.ESM_CLASS_UDHI:
        return decode(payload, encoding)  # nearly every text: 0.9 us instead of 2.0
    return text_of_parts([(payload, encoding, esm_class)])


def text_of_parts(parts: Sequence[tuple[bytes, str | None, int]]) -> str:
    """What parts in order say together, each given as `text_of` takes it. Customers that count
    octets cut inside characters (smpplib does): the halves come together here."""
    texts = []
    for payload, encoding, esm_class in parts:
        if encoding is not None:
            header, data = user_data.split(payload, esm_class)
            texts.append(user_data.read(data, header, encoding, part=len(parts) > 1))
    return join(texts)


def _sar_place(tlvs: Tlvs) -> Place | None:
    """The place SAR TLVs give; None if they are not there or make no sense."""
    found = dict(tlvs)
    values = [int.from_bytes(found.get(tag, b"")[:4], "big") for tag in SAR]
    reference, total, part = values
    if not all(tag in found for tag in SAR) or not 1 <= part <= total <= 255 or total == 1:
        return None
    return Place(reference | 2 << 16, total, part)


def raw_part(
    identifier: int, shape: Shape, payload: bytes, as_payload: bool, tlvs: Tlvs = ()
) -> RawPart:
    """The octets of one PDU as they came; `identifier` is what the customer was told for it."""
    return RawPart(
        identifier,
        shape.esm_class & ~c.ESM_CLASS_MODE_MASK,
        shape.data_coding,
        shape.protocol_id,
        payload,
        tlvs,
        as_payload,
    )
