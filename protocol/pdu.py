"""PDUs: one class per command, declared as the table of its fields, and the way to octets and back.

In: one PDU's octets, or a value of one of the classes. Out: the other. Cutting a stream into PDUs
is the session's business; what a value means is the gateway's.

Each class is declared once; its table (`fields`) drives decode, encode, length checks and the dump.
Decoding is lenient where the peer's meaning is beyond doubt:

- a response with a non-zero status may lack its body; a body of it that cannot be read is kept in
  `surplus` and the header believed;
- a response that has no body by the specification may carry one (`surplus`);
- the terminator of a C-octet string may be missing where the body ends, so the last C-octet string
  may be missing altogether (submit_sm_resp, deliver_sm_resp or bind_*_resp without body);
- a C-octet string may be longer than the specification allows (`check` tells a server so);
- TLVs may follow any PDU; unknown statuses, tags and values stay as they are.

Anything else raises PduError with the status to answer with. Encoding is strict: UsageError.
"""

from collections.abc import Callable
from dataclasses import replace
from struct import Struct
from struct import error as StructError
from typing import Any, ClassVar, Final, cast, dataclass_transform

from . import constants as c
from .address import Address, mask
from .compiled import compile_body, compile_decode, compile_init
from .constants import HEADER_LENGTH, MAX_PDU, RESPONSE_BIT
from .errors import LinkError, PduError, UsageError
from .fields import (
    COctetString,
    DestAddresses,
    Field,
    UnsuccessSme,
    UnsuccessSmes,
    c_octet_string,
    integer,
    octet_string,
)
from .tlv import Tlvs, read_tlvs, write_tlvs

_HEADER: Final = Struct(">IIII")
_unpack_header: Final = _HEADER.unpack_from
_new: Final = object.__new__
_OWN_SLOTS: Final = ("command_status", "sequence_number", "tlvs", "surplus")


@dataclass_transform(kw_only_default=True)
class PduType(type):
    """Turns a class body of field declarations into slots, a field table and compiled functions."""

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        command_id: int | None = None,
    ) -> "PduType":
        declared = [replace(v, name=n) for n, v in namespace.items() if isinstance(v, Field)]
        if bases:
            slots: tuple[str, ...] = (*namespace.pop("__slots__", ()), *(f.name for f in declared))
        else:
            slots = _OWN_SLOTS
        for slot in slots:
            namespace.pop(slot, None)
        namespace["__slots__"] = slots
        cls = cast("type[Pdu]", super().__new__(mcs, name, bases, namespace))
        cls.fields = (*getattr(bases[0], "fields", ()), *declared) if bases else ()
        if command_id is not None:
            cls.command_id = command_id
            cls.command = c.COMMAND_NAME[command_id]
            cls.__init__ = compile_init(cls.fields)  # type: ignore[method-assign]
            cls._decode = staticmethod(compile_decode(cls.fields))
            cls._body = staticmethod(compile_body(cls.fields, bool(command_id & RESPONSE_BIT)))
            PDUS[command_id] = cls
        return cls


PDUS: Final[dict[int, "type[Pdu]"]] = {}


class Pdu(metaclass=PduType):
    """What every PDU has: the header's values, the TLVs in wire order, and what was left over.

    `surplus` holds octets of a received body that no field or TLV accounts for; leave it alone when
    building a PDU.
    """

    command_id: ClassVar[int]
    command: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]]
    _decode: ClassVar[Callable[[Any, bytes], None]]
    _body: ClassVar[Callable[[Any], bytes]]

    command_status: int = 0
    sequence_number: int = 0
    tlvs: Tlvs = ()
    surplus: bytes = b""

    def tlv(self, tag: int) -> bytes | None:
        """Return the value of the first TLV with this tag."""
        for present, value in self.tlvs:
            if present == tag:
                return value
        return None

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(
            getattr(self, name) == getattr(other, name)
            for name in (*_OWN_SLOTS, *(f.name for f in self.fields))
        )

    __hash__ = None  # type: ignore[assignment]  # a PDU is mutable

    def __repr__(self) -> str:
        shown = [f"sequence_number={self.sequence_number}"]
        if self.command_status:
            shown.append(c.status_name(self.command_status))
        shown += [
            f"{f.name}={show(f, getattr(self, f.name))}"
            for f in self.fields
            if getattr(self, f.name) != f.default
        ]
        shown += [f"0x{tag:04X}={len(value)} octets" for tag, value in self.tlvs]
        return f"{type(self).__name__}({', '.join(shown)})"


class UnknownPdu(Pdu):
    """A PDU of a command the specification lacks: `surplus` is its whole body.

    `decode` never returns one, since such a command has to be refused; it stands in the error, so
    that whoever only looks, or passes PDUs on, has what was received.
    """

    __slots__ = ("command_id",)
    command_id: int  # type: ignore[misc]  # the one class whose command is the instance's

    def __init__(
        self, command_id: int, command_status: int, sequence_number: int, surplus: bytes
    ) -> None:
        self.command_id = command_id
        self.command_status = command_status
        self.sequence_number = sequence_number
        self.tlvs = ()
        self.surplus = surplus

    @property
    def command(self) -> str:  # type: ignore[override]
        return c.command_name(self.command_id)

    def __eq__(self, other: object) -> bool:
        return (
            super().__eq__(other)
            and isinstance(other, UnknownPdu)
            and self.command_id == other.command_id
        )

    __hash__ = None

    @staticmethod
    def _body(pdu: Pdu) -> bytes:  # type: ignore[override]
        return write_tlvs(pdu.tlvs) + pdu.surplus


def show(field: Field, value: Any) -> str:
    """Return a value as a log may hold it: no text, password or number in full."""
    if isinstance(value, tuple):
        return f"{len(value)} items"
    if field.shown == "never":
        return f"{len(value)} octets"
    return mask(value) if field.shown == "masked" else repr(value)


# ---- session commands ---------------------------------------------------------------------------


class Bind(Pdu):
    """§4.1.1: what the three binds share."""

    system_id: str = c_octet_string(16, c.ESME_RINVSYSID)
    password: str = c_octet_string(9, c.ESME_RINVPASWD, "never")
    system_type: str = c_octet_string(13, c.ESME_RINVSYSTYP)
    interface_version: int = integer()
    addr_ton: int = integer()
    addr_npi: int = integer()
    address_range: str = c_octet_string(41, c.ESME_RBINDFAIL)


class BindTransmitter(Bind, command_id=c.BIND_TRANSMITTER): ...


class BindReceiver(Bind, command_id=c.BIND_RECEIVER): ...


class BindTransceiver(Bind, command_id=c.BIND_TRANSCEIVER): ...


class BindResp(Pdu):
    """§4.1.2."""

    system_id: str = c_octet_string(16, c.ESME_RINVSYSID)


class BindTransmitterResp(BindResp, command_id=c.BIND_TRANSMITTER_RESP): ...


class BindReceiverResp(BindResp, command_id=c.BIND_RECEIVER_RESP): ...


class BindTransceiverResp(BindResp, command_id=c.BIND_TRANSCEIVER_RESP): ...


class Outbind(Pdu, command_id=c.OUTBIND):
    """§4.1.7.1; there is no outbind_resp."""

    system_id: str = c_octet_string(16, c.ESME_RINVSYSID)
    password: str = c_octet_string(9, c.ESME_RINVPASWD, "never")


class Unbind(Pdu, command_id=c.UNBIND): ...


class UnbindResp(Pdu, command_id=c.UNBIND_RESP): ...


class EnquireLink(Pdu, command_id=c.ENQUIRE_LINK): ...


class EnquireLinkResp(Pdu, command_id=c.ENQUIRE_LINK_RESP): ...


class GenericNack(Pdu, command_id=c.GENERIC_NACK):
    """§4.3.1: the answer to what cannot be told from a command, or is none."""


# ---- messages -----------------------------------------------------------------------------------


class ShortMessage(Pdu):
    """§4.4.1, §4.6.1: submit_sm and deliver_sm have the same body."""

    service_type: str = c_octet_string(6, c.ESME_RINVSERTYP)
    source_addr_ton: int = integer(status=c.ESME_RINVSRCTON)
    source_addr_npi: int = integer(status=c.ESME_RINVSRCNPI)
    source_addr: str = c_octet_string(21, c.ESME_RINVSRCADR, "masked")
    dest_addr_ton: int = integer(status=c.ESME_RINVDSTTON)
    dest_addr_npi: int = integer(status=c.ESME_RINVDSTNPI)
    destination_addr: str = c_octet_string(21, c.ESME_RINVDSTADR, "masked")
    esm_class: int = integer(status=c.ESME_RINVESMCLASS)
    protocol_id: int = integer()
    priority_flag: int = integer(status=c.ESME_RINVPRTFLG)
    schedule_delivery_time: str = c_octet_string(17, c.ESME_RINVSCHED)
    validity_period: str = c_octet_string(17, c.ESME_RINVEXPIRY)
    registered_delivery: int = integer(status=c.ESME_RINVREGDLVFLG)
    replace_if_present_flag: int = integer(status=c.ESME_RINVREPFLAG)
    data_coding: int = integer(status=c.ESME_RINVDCS)
    sm_default_msg_id: int = integer(status=c.ESME_RINVDFTMSGID)
    short_message: bytes = octet_string("sm_length")


class MessageId(Pdu):
    """The body of most responses about messages: an opaque id of at most 64 octets."""

    message_id: str = c_octet_string(65, c.ESME_RINVMSGID)


class SubmitSm(ShortMessage, command_id=c.SUBMIT_SM): ...


class SubmitSmResp(MessageId, command_id=c.SUBMIT_SM_RESP): ...


class DeliverSm(ShortMessage, command_id=c.DELIVER_SM): ...


class DeliverSmResp(MessageId, command_id=c.DELIVER_SM_RESP): ...


class DataSm(Pdu, command_id=c.DATA_SM):
    """§4.7.1; its addresses may have 64 octets."""

    service_type: str = c_octet_string(6, c.ESME_RINVSERTYP)
    source_addr_ton: int = integer(status=c.ESME_RINVSRCTON)
    source_addr_npi: int = integer(status=c.ESME_RINVSRCNPI)
    source_addr: str = c_octet_string(65, c.ESME_RINVSRCADR, "masked")
    dest_addr_ton: int = integer(status=c.ESME_RINVDSTTON)
    dest_addr_npi: int = integer(status=c.ESME_RINVDSTNPI)
    destination_addr: str = c_octet_string(65, c.ESME_RINVDSTADR, "masked")
    esm_class: int = integer(status=c.ESME_RINVESMCLASS)
    registered_delivery: int = integer(status=c.ESME_RINVREGDLVFLG)
    data_coding: int = integer(status=c.ESME_RINVDCS)


class DataSmResp(MessageId, command_id=c.DATA_SM_RESP): ...


class SubmitMulti(Pdu, command_id=c.SUBMIT_MULTI):
    """§4.5.1: a submit_sm with a list of destinations."""

    service_type: str = c_octet_string(6, c.ESME_RINVSERTYP)
    source_addr_ton: int = integer(status=c.ESME_RINVSRCTON)
    source_addr_npi: int = integer(status=c.ESME_RINVSRCNPI)
    source_addr: str = c_octet_string(21, c.ESME_RINVSRCADR, "masked")
    dest_address: tuple[Address | str, ...] = cast(Any, DestAddresses(count_name="number_of_dests"))
    esm_class: int = integer(status=c.ESME_RINVESMCLASS)
    protocol_id: int = integer()
    priority_flag: int = integer(status=c.ESME_RINVPRTFLG)
    schedule_delivery_time: str = c_octet_string(17, c.ESME_RINVSCHED)
    validity_period: str = c_octet_string(17, c.ESME_RINVEXPIRY)
    registered_delivery: int = integer(status=c.ESME_RINVREGDLVFLG)
    replace_if_present_flag: int = integer(status=c.ESME_RINVREPFLAG)
    data_coding: int = integer(status=c.ESME_RINVDCS)
    sm_default_msg_id: int = integer(status=c.ESME_RINVDFTMSGID)
    short_message: bytes = octet_string("sm_length")


class SubmitMultiResp(MessageId, command_id=c.SUBMIT_MULTI_RESP):
    """§4.5.2."""

    unsuccess_sme: tuple[UnsuccessSme, ...] = cast(Any, UnsuccessSmes(count_name="no_unsuccess"))


class QuerySm(MessageId, command_id=c.QUERY_SM):
    """§4.8.1."""

    source_addr_ton: int = integer(status=c.ESME_RINVSRCTON)
    source_addr_npi: int = integer(status=c.ESME_RINVSRCNPI)
    source_addr: str = c_octet_string(21, c.ESME_RINVSRCADR, "masked")


class QuerySmResp(MessageId, command_id=c.QUERY_SM_RESP):
    """§4.8.2."""

    final_date: str = c_octet_string(17)
    message_state: int = integer()
    error_code: int = integer()


class CancelSm(Pdu, command_id=c.CANCEL_SM):
    """§4.9.1."""

    service_type: str = c_octet_string(6, c.ESME_RINVSERTYP)
    message_id: str = c_octet_string(65, c.ESME_RINVMSGID)
    source_addr_ton: int = integer(status=c.ESME_RINVSRCTON)
    source_addr_npi: int = integer(status=c.ESME_RINVSRCNPI)
    source_addr: str = c_octet_string(21, c.ESME_RINVSRCADR, "masked")
    dest_addr_ton: int = integer(status=c.ESME_RINVDSTTON)
    dest_addr_npi: int = integer(status=c.ESME_RINVDSTNPI)
    destination_addr: str = c_octet_string(21, c.ESME_RINVDSTADR, "masked")


class CancelSmResp(Pdu, command_id=c.CANCEL_SM_RESP): ...


class ReplaceSm(MessageId, command_id=c.REPLACE_SM):
    """§4.10.1."""

    source_addr_ton: int = integer(status=c.ESME_RINVSRCTON)
    source_addr_npi: int = integer(status=c.ESME_RINVSRCNPI)
    source_addr: str = c_octet_string(21, c.ESME_RINVSRCADR, "masked")
    schedule_delivery_time: str = c_octet_string(17, c.ESME_RINVSCHED)
    validity_period: str = c_octet_string(17, c.ESME_RINVEXPIRY)
    registered_delivery: int = integer(status=c.ESME_RINVREGDLVFLG)
    sm_default_msg_id: int = integer(status=c.ESME_RINVDFTMSGID)
    short_message: bytes = octet_string("sm_length")


class ReplaceSmResp(Pdu, command_id=c.REPLACE_SM_RESP): ...


class AlertNotification(Pdu, command_id=c.ALERT_NOTIFICATION):
    """§4.12.1; there is no alert_notification_resp."""

    source_addr_ton: int = integer(status=c.ESME_RINVSRCTON)
    source_addr_npi: int = integer(status=c.ESME_RINVSRCNPI)
    source_addr: str = c_octet_string(65, c.ESME_RINVSRCADR, "masked")
    esme_addr_ton: int = integer(status=c.ESME_RINVDSTTON)
    esme_addr_npi: int = integer(status=c.ESME_RINVDSTNPI)
    esme_addr: str = c_octet_string(65, c.ESME_RINVDSTADR, "masked")


# ---- cell broadcast, 5.0 §4.4, §4.6 --------------------------------------------------------------


class BroadcastSm(Pdu, command_id=c.BROADCAST_SM):
    """5.0 §4.4.1; area, repetitions and content are TLVs."""

    service_type: str = c_octet_string(6, c.ESME_RINVSERTYP)
    source_addr_ton: int = integer(status=c.ESME_RINVSRCTON)
    source_addr_npi: int = integer(status=c.ESME_RINVSRCNPI)
    source_addr: str = c_octet_string(21, c.ESME_RINVSRCADR, "masked")
    message_id: str = c_octet_string(65, c.ESME_RINVMSGID)
    priority_flag: int = integer(status=c.ESME_RINVPRTFLG)
    schedule_delivery_time: str = c_octet_string(17, c.ESME_RINVSCHED)
    validity_period: str = c_octet_string(17, c.ESME_RINVEXPIRY)
    replace_if_present_flag: int = integer(status=c.ESME_RINVREPFLAG)
    data_coding: int = integer(status=c.ESME_RINVDCS)
    sm_default_msg_id: int = integer(status=c.ESME_RINVDFTMSGID)


class BroadcastSmResp(MessageId, command_id=c.BROADCAST_SM_RESP): ...


class QueryBroadcastSm(MessageId, command_id=c.QUERY_BROADCAST_SM):
    """5.0 §4.6."""

    source_addr_ton: int = integer(status=c.ESME_RINVSRCTON)
    source_addr_npi: int = integer(status=c.ESME_RINVSRCNPI)
    source_addr: str = c_octet_string(21, c.ESME_RINVSRCADR, "masked")


class QueryBroadcastSmResp(MessageId, command_id=c.QUERY_BROADCAST_SM_RESP): ...


class CancelBroadcastSm(Pdu, command_id=c.CANCEL_BROADCAST_SM):
    """5.0 §4.6."""

    service_type: str = c_octet_string(6, c.ESME_RINVSERTYP)
    message_id: str = c_octet_string(65, c.ESME_RINVMSGID)
    source_addr_ton: int = integer(status=c.ESME_RINVSRCTON)
    source_addr_npi: int = integer(status=c.ESME_RINVSRCNPI)
    source_addr: str = c_octet_string(21, c.ESME_RINVSRCADR, "masked")


class CancelBroadcastSmResp(Pdu, command_id=c.CANCEL_BROADCAST_SM_RESP): ...


# ---- octets to PDU ------------------------------------------------------------------------------


def read_header(data: bytes, pos: int = 0, limit: int = MAX_PDU) -> tuple[int, int, int, int]:
    """Return (command_length, command_id, command_status, sequence_number) at `pos`.

    Raises LinkError(ESME_RINVCMDLEN) when the length is below 16 or above `limit`, or when fewer
    than 16 octets are there.
    """
    try:
        header: tuple[int, int, int, int] = _unpack_header(data, pos)
    except StructError:
        raise LinkError("fewer than 16 octets are not a PDU header") from None
    if not HEADER_LENGTH <= header[0] <= limit:
        raise LinkError(f"command_length is {header[0]}, not 16 to {limit}")
    return header


def decode(data: bytes, start: int = 0, end: int | None = None) -> Pdu:
    """Return the PDU whose octets are `data[start:end]`; without `end`, as far as it says.

    Raises PduError when the PDU has to be refused and the stream is still good (see the module's
    docstring for what is accepted); LinkError(ESME_RINVCMDLEN) when the command_length is out of
    range or disagrees with the octets given.
    """
    command_length, command_id, command_status, sequence_number = read_header(data, start)
    stop = start + command_length
    if stop > len(data) or (end is not None and end != stop):
        there = (len(data) if end is None else end) - start
        raise LinkError(f"command_length is {command_length} but {there} octets are there")
    octets = data[start + HEADER_LENGTH : stop]
    if type(octets) is not bytes:  # a slice of a receive buffer must not stay a bytearray
        octets = bytes(octets)
    return decode_body(command_id, command_status, sequence_number, octets)


def decode_body(command_id: int, command_status: int, sequence_number: int, octets: bytes) -> Pdu:
    """Return the PDU of a header that has been read and a body; raises PduError as `decode` does.

    A session has read the header to cut the stream: reading it again costs 0.5 µs a PDU.
    """
    cls = PDUS.get(command_id)
    if cls is None:
        unknown = PduError("unknown command_id", c.ESME_RINVCMDID, command_id, sequence_number)
        unknown.pdu = UnknownPdu(command_id, command_status, sequence_number, octets)
        raise unknown
    pdu = _new(cls)
    pdu.command_status = command_status
    pdu.sequence_number = sequence_number
    pdu.surplus = b""
    try:
        cls._decode(pdu, octets)
    except (ValueError, IndexError, PduError):
        _read(pdu, octets)
    return pdu


def _read(pdu: Pdu, octets: bytes) -> None:
    """Fill `pdu` field by field; accept or refuse what the compiled function could not read."""
    _set_defaults(pdu)
    last = pdu.fields[-1] if pdu.fields else None
    pos = 0
    try:
        for f in pdu.fields:
            value, pos = f.read(octets, pos, len(octets), f is last)
            setattr(pdu, f.name, value)
        pdu.tlvs = read_tlvs(octets, pos, len(octets))
    except PduError as error:
        if pdu.command_id & RESPONSE_BIT and (pdu.command_status or not pdu.fields):
            _set_defaults(pdu)
            pdu.surplus = octets
            return
        error.command_id = pdu.command_id
        error.sequence_number = pdu.sequence_number
        error.pdu = pdu
        raise


def _set_defaults(pdu: Pdu) -> None:
    pdu.tlvs = ()
    for f in pdu.fields:
        setattr(pdu, f.name, f.default)


# ---- PDU to octets ------------------------------------------------------------------------------


def body(pdu: Pdu) -> bytes:
    """Return the encoded body without the header; raise UsageError.

    A response with a non-zero command_status and nothing in it has no body (§4.1.2, §4.4.2).
    """
    try:
        return type(pdu)._body(pdu)
    except (ValueError, LookupError, TypeError):
        check(pdu)
        raise UsageError(f"{pdu.command}: the TLVs cannot be encoded") from None


def encode(pdu: Pdu) -> bytes:
    """Return the octets of a PDU, header included; raise UsageError."""
    octets = body(pdu)
    try:
        return (
            _HEADER.pack(
                HEADER_LENGTH + len(octets), pdu.command_id, pdu.command_status, pdu.sequence_number
            )
            + octets
        )
    except StructError:
        raise UsageError(f"{pdu.command}: status or sequence_number is not 32 bits") from None


def check(pdu: Pdu) -> None:
    """Raise UsageError, with the status that refuses it, for the first field out of range.

    Decoding lets over-long strings pass; a server that wants the specification's limits kept calls
    this on a request and answers with the error's command_status.
    """
    for f in pdu.fields:
        f.write(getattr(pdu, f.name))
    write_tlvs(pdu.tlvs)


def prepare(pdu: Pdu, field: str) -> tuple[bytes, bytes]:
    """Return the encoded body before and after the value of one C-octet string field.

    The second part begins with the field's terminator, so `before + value + after` is the body for
    any value: the sender of 1,000 equal messages encodes once. The value is the caller's to check.
    """
    before, after = b"", b"\0"
    found = False
    for f in pdu.fields:
        if f.name == field and isinstance(f, COctetString):
            found = True
        elif found:
            after += f.write(getattr(pdu, f.name))
        else:
            before += f.write(getattr(pdu, f.name))
    if not found:
        raise UsageError(f"{pdu.command} has no C-octet string {field}")
    return before, after + write_tlvs(pdu.tlvs)


def response_to(pdu: Pdu, command_status: int = 0, **fields: Any) -> Pdu:
    """Return the response that matches a request, with its sequence_number.

    Raises UsageError when the command has no response (§5.1.2.1: outbind, alert_notification, and
    responses themselves).
    """
    cls = PDUS.get(pdu.command_id | RESPONSE_BIT)
    if cls is None or pdu.command_id & RESPONSE_BIT:
        raise UsageError(f"{pdu.command} is never answered")
    response: Callable[..., Pdu] = cls
    return response(command_status=command_status, sequence_number=pdu.sequence_number, **fields)
