"""Whatever a PDU that can be decoded holds, the stages that read it return something: of a submit
its shape, place, text and times, or PduError for times; of a deliver_sm a part of a reply with a
text UTF-8 can carry, or a receipt's ids and news, the same by the short way as field by field, or
None. Nothing else is raised."""

from __future__ import annotations

from config.settings import Account, SmppLogin
from gateway.ingress.smpp import reading
from gateway.ingress.smpp.logins import Login
from gateway.returns.inbound import inbound_part
from gateway.returns.reading import Reading, _news, read
from protocol import constants as c
from protocol.coding import codecs_by_data_coding
from protocol.errors import PduError
from protocol.pdu import DataSm, DeliverSm, SubmitMulti, SubmitSm, body, decode_body
from protocol.receipt import MESSAGE_PAYLOAD, Outcome, Tlvs, build_tlvs, is_receipt, parse

from . import vectors

_KINDS = (c.SUBMIT_SM, c.DATA_SM, c.SUBMIT_MULTI, c.DELIVER_SM)
_SUBMITS = (SubmitSm, DataSm, SubmitMulti)
_NOW = 1_767_225_600_000_000
_CODECS = codecs_by_data_coding()
_LOGINS = [
    Login(
        Account(name="fuzz"),
        SmppLogin(
            system_id="fuzz", password="x", tlvs=tlvs, service_types={"OTP": "transactional"}
        ),
        0.0,
    )
    for tlvs in ((), ("*",), ("0x1400",))
]


def seeds() -> list[bytes]:
    """The body of every vector of these kinds, behind an octet that chooses the kind."""
    found = []
    for octets in vectors.pdus():
        command_id = int.from_bytes(octets[4:8], "big")
        if command_id in _KINDS:
            found.append(bytes((_KINDS.index(command_id),)) + octets[16:])
    tlvs = build_tlvs("12ab", Outcome.DELIVERED, (3, 8))
    for text in vectors.receipts():
        for own in ((), tlvs, tlvs[1:] + tlvs[:1], ((MESSAGE_PAYLOAD, text), *tlvs)):
            pdu = DeliverSm(esm_class=4, short_message=text[:255], tlvs=own)
            found.append(b"\3" + body(pdu))
    return found


def check(data: bytes) -> None:
    how = data[0] if data else 0
    try:
        pdu = decode_body(_KINDS[how % 4], 0, 1, data[1:])
    except PduError:
        return
    if isinstance(pdu, _SUBMITS):
        _check_submit(pdu, _LOGINS[how // 4 % 3])
    if isinstance(pdu, DeliverSm | DataSm):
        _check_delivery(pdu, packed=how >= 128)


def _check_submit(pdu: SubmitSm | DataSm | SubmitMulti, login: Login) -> None:
    key, payload, as_payload = reading.key_of(pdu, login)
    assert isinstance(hash(key), int)
    shape = reading.Shape(reading.Key(*key), login)
    if shape.raw:
        assert reading.raw_part(7, shape, payload, as_payload, ()).payload == payload
    place = reading.place_of(pdu, payload)
    if place is not None:
        assert 1 <= place.part <= place.total <= 255
        assert place.reference >= 0
    reading.text_of(payload, shape.encoding, shape.esm_class).encode("utf-8")
    if shape.status:
        return
    try:
        send_at, validity = shape.times(_NOW)
    except PduError as error:
        assert error.command_status in (c.ESME_RINVSCHED, c.ESME_RINVEXPIRY)
        return
    assert send_at is None or isinstance(send_at, int)
    assert validity is None or 0 < validity <= reading.LONGEST_VALIDITY


def _check_delivery(pdu: DeliverSm | DataSm, packed: bool) -> None:
    part = inbound_part(pdu, "carrier", _CODECS, None, _NOW, packed)
    part.text.encode("utf-8")
    assert part.reference >= 0
    if is_receipt(pdu.esm_class, pdu.tlvs):
        text = getattr(pdu, "short_message", b"")
        told, slowly = read(text, pdu.tlvs), _read_slowly(text, pdu.tlvs)
        assert (told is None) == (slowly is None)
        if told is not None and slowly is not None:
            assert told[0] == slowly[0]
            assert all(told[0])
            for field in ("status", "reason", "carrier_code", "state"):
                assert getattr(told[1], field) == getattr(slowly[1], field)


def _read_slowly(text: bytes, tlvs: Tlvs) -> Reading | None:
    """The same field by field, with nothing remembered."""
    receipt = parse(text, tlvs)
    if receipt is None or not receipt.ids:
        return None
    news = _news(receipt)
    return None if news is None else (receipt.ids, news)
