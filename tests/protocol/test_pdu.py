"""PDU values, their encoding, and what is accepted or refused beyond the vectors."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol import constants as c
from protocol.address import Address
from protocol.dump import dump
from protocol.errors import LinkError, PduError, SmppError, UsageError
from protocol.fields import (
    COctetString,
    DestAddresses,
    Field,
    Integer,
    OctetString,
    UnsuccessSme,
)
from protocol.pdu import (
    PDUS,
    AlertNotification,
    BindTransceiver,
    BindTransceiverResp,
    CancelSmResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    Pdu,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnknownPdu,
    body,
    check,
    decode,
    encode,
    prepare,
    read_header,
    response_to,
)


def framed(command_id: int, octets: bytes, status: int = 0, number: int = 1) -> bytes:
    words = (16 + len(octets), command_id, status, number)
    return b"".join(word.to_bytes(4, "big") for word in words) + octets


def test_every_command_has_a_class_and_a_name() -> None:
    assert set(PDUS) == set(c.COMMAND_NAME)
    for command_id, cls in PDUS.items():
        assert cls.command == c.COMMAND_NAME[command_id]
        assert cls.__name__ == cls.command.title().replace("_", "")


def test_every_request_has_its_response_except_two() -> None:
    requests = [cls for command_id, cls in PDUS.items() if not command_id & c.RESPONSE_BIT]
    silent = {cls.command for cls in requests if cls.command_id | c.RESPONSE_BIT not in PDUS}
    assert silent == {"outbind", "alert_notification"}


def test_defaults_are_the_specification_s() -> None:
    pdu = SubmitSm(destination_addr="46701234567", short_message=b"hi")
    assert (pdu.service_type, pdu.esm_class, pdu.tlvs) == ("", 0, ())
    assert not hasattr(pdu, "sm_length")
    assert not hasattr(pdu, "__dict__")
    with pytest.raises(TypeError):
        SubmitSm(destination="46701234567")  # type: ignore[call-arg]


def test_submit_sm_octet_by_octet() -> None:
    pdu = SubmitSm(
        sequence_number=2,
        service_type="CMT",
        source_addr_ton=5,
        source_addr="Aldis",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr="467",
        esm_class=0x40,
        validity_period="000000000500000R",
        registered_delivery=1,
        data_coding=8,
        short_message=b"\x00h",
        tlvs=((0x0204, b"\x00\x07"), (0x1401, b"")),
    )
    assert encode(pdu) == bytes.fromhex(
        "00000048 00000004 00000000 00000002"
        "434d5400 05 00 416c64697300 01 01 34363700 40 00 00 00"
        "3030303030303030303530303030305200 01 00 08 00 02 0068"
        "0204 0002 0007 1401 0000"
    )


def test_tlvs_in_wire_order_with_repeats() -> None:
    pdu = decode(encode(DataSm(tlvs=((0x1400, b"a"), (0x0424, b"b"), (0x1400, b"c")))))
    assert pdu.tlvs == ((0x1400, b"a"), (0x0424, b"b"), (0x1400, b"c"))
    assert (pdu.tlv(0x1400), pdu.tlv(0x0424), pdu.tlv(0x0001)) == (b"a", b"b", None)


def test_submit_multi_and_its_unsuccess_list() -> None:
    addresses = (Address(1, 1, "46701"), "friends", Address(0, 9, ""))
    pdu = SubmitMulti(source_addr="1", dest_address=addresses, short_message=b"x")
    octets = encode(pdu)
    assert b"\x03\x01\x01\x0146701\0\x02friends\0\x01\x00\x09\0" in octets
    assert decode(octets) == pdu
    failed = (UnsuccessSme(1, 1, "46701", c.ESME_RINVDSTADR), UnsuccessSme(0, 0, "", 0xFFFFFFFF))
    answer = SubmitMultiResp(message_id="id", unsuccess_sme=failed)
    assert encode(answer)[16:] == b"id\0\x02\x01\x0146701\0\0\0\0\x0b\0\0\0\xff\xff\xff\xff"
    assert decode(encode(answer)) == answer


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"\0\0\0\0\x01\x03", c.ESME_RINVDESTFLAG),
        (b"\0\0\0\0\x01\x01\x01\x01467", c.ESME_RINVDSTADR),
        (b"\0\0\0\0\x01\x02list", c.ESME_RINVDLNAME),
        (b"\0\0\0\0\x02\x02list\0", c.ESME_RINVMSGLEN),
    ],
)
def test_submit_multi_destinations_that_cannot_be_read(octets: bytes, status: int) -> None:
    with pytest.raises(PduError) as refused:
        decode(framed(c.SUBMIT_MULTI, octets))
    assert refused.value.command_status == status


def test_unknown_values_survive() -> None:
    octets = framed(
        c.DELIVER_SM,
        b"\0\xfe\xfd1\0\xfc\xfb2\0\xff\xee\xdd\0\0\xcc\xbb\xaa\x99\x00\x3f\xff\x00\x01\x07",
        status=0x00012345,
        number=0xFFFFFFFF,
    )
    pdu = decode(octets)
    assert isinstance(pdu, DeliverSm)
    assert (pdu.source_addr_ton, pdu.esm_class, pdu.data_coding) == (0xFE, 0xFF, 0xAA)
    assert pdu.tlvs == ((0x3FFF, b"\x07"),)
    assert encode(pdu) == octets


@pytest.mark.parametrize("command_id", [0x0000000A, 0x00010203, 0x8000000B, 0xFFFFFFFF])
def test_an_unknown_command_is_refused_and_survives(command_id: int) -> None:
    octets = framed(command_id, b"any\0\xff\x01", status=0x00012345, number=0xFFFFFFFF)
    with pytest.raises(PduError) as refused:
        decode(octets)
    error = refused.value
    assert (error.command_status, error.command_id) == (c.ESME_RINVCMDID, command_id)
    assert error.sequence_number == 0xFFFFFFFF
    assert isinstance(error.pdu, UnknownPdu)
    assert error.pdu.surplus == b"any\0\xff\x01"
    assert encode(error.pdu) == octets
    assert error.pdu == UnknownPdu(command_id, 0x00012345, 0xFFFFFFFF, b"any\0\xff\x01")
    assert error.pdu != UnknownPdu(command_id ^ 1, 0x00012345, 0xFFFFFFFF, b"any\0\xff\x01")
    assert dump(error.pdu).startswith(f"command 0x{command_id:08X} sequence_number 4294967295,")
    if not command_id & c.RESPONSE_BIT:
        with pytest.raises(UsageError, match="is never answered"):
            response_to(error.pdu)


def test_any_octet_survives_in_strings() -> None:
    every = bytes(range(1, 256))
    pdu = decode(framed(c.SUBMIT_SM_RESP, every + b"\0"))
    assert isinstance(pdu, SubmitSmResp)
    assert pdu.message_id.encode("latin-1") == every


# ---- accepted


@pytest.mark.parametrize(
    "command_id",
    [c.SUBMIT_SM_RESP, c.DELIVER_SM_RESP, c.DATA_SM_RESP, c.BIND_TRANSCEIVER_RESP],
)
def test_responses_without_body(command_id: int) -> None:
    assert decode(framed(command_id, b"")) == PDUS[command_id](sequence_number=1)


@pytest.mark.parametrize("command_id", [i for i in PDUS if i & c.RESPONSE_BIT])
@pytest.mark.parametrize("octets", [b"", b"\xff", b"abc", b"\x00\x01\x00"])
def test_error_responses_are_believed_whatever_their_body(command_id: int, octets: bytes) -> None:
    pdu = decode(framed(command_id, octets, status=c.ESME_RTHROTTLED))
    assert type(pdu) is PDUS[command_id]
    assert (pdu.command_status, pdu.sequence_number) == (c.ESME_RTHROTTLED, 1)
    assert decode(encode(pdu)) == pdu


def test_error_response_keeps_its_message_id() -> None:
    pdu = decode(framed(c.SUBMIT_SM_RESP, b"abc\0", status=c.ESME_RSYSERR))
    assert pdu == SubmitSmResp(message_id="abc", command_status=c.ESME_RSYSERR, sequence_number=1)


@pytest.mark.parametrize("cls", [GenericNack, EnquireLinkResp, CancelSmResp])
def test_body_where_none_is_due_is_kept_out_of_the_way(cls: type[Pdu]) -> None:
    pdu = decode(framed(cls.command_id, b"\xde\xad\xbe\xef"))
    assert (pdu.tlvs, pdu.surplus) == ((), b"\xde\xad\xbe\xef")
    assert encode(pdu) == framed(cls.command_id, b"\xde\xad\xbe\xef")


def test_missing_terminator_only_at_the_very_end() -> None:
    pdu = decode(framed(c.OUTBIND, b"smsc\0secret"))
    assert pdu == Outbind(system_id="smsc", password="secret", sequence_number=1)
    assert decode(framed(c.OUTBIND, b"smsc\0")) == Outbind(system_id="smsc", sequence_number=1)
    with pytest.raises(PduError) as refused:
        decode(framed(c.OUTBIND, b"smsc"))
    assert refused.value.command_status == c.ESME_RINVSYSID


def test_tlvs_after_any_pdu() -> None:
    for command_id, cls in PDUS.items():
        pdu = cls(sequence_number=1, tlvs=((0x1400, b"x"),))
        octets = encode(pdu)
        assert octets.endswith(b"\x14\x00\x00\x01x")
        assert decode(octets) == pdu, command_id


def test_over_long_strings_are_read_but_refused_by_check() -> None:
    octets = framed(c.BIND_TRANSCEIVER, b"a" * 16 + b"\0pw\0\0\x34\0\0\0")
    pdu = decode(octets)
    assert isinstance(pdu, BindTransceiver)
    assert pdu.system_id == "a" * 16
    with pytest.raises(UsageError) as refused:
        check(pdu)
    assert refused.value.command_status == c.ESME_RINVSYSID
    pdu.system_id = "a" * 15
    check(pdu)


@pytest.mark.parametrize(
    ("field", "longest", "status"),
    [
        ("service_type", 5, c.ESME_RINVSERTYP),
        ("source_addr", 20, c.ESME_RINVSRCADR),
        ("destination_addr", 20, c.ESME_RINVDSTADR),
        ("schedule_delivery_time", 16, c.ESME_RINVSCHED),
        ("validity_period", 16, c.ESME_RINVEXPIRY),
    ],
)
def test_longest_strings(field: str, longest: int, status: int) -> None:
    assert encode(SubmitSm(**{field: "1" * longest}))  # type: ignore[arg-type]
    with pytest.raises(UsageError) as refused:
        encode(SubmitSm(**{field: "1" * (longest + 1)}))  # type: ignore[arg-type]
    assert refused.value.command_status == status


# ---- refused


def test_framing_errors() -> None:
    for octets in (b"", b"\0" * 15, b"\0\0\0\x0f" + b"\0" * 12, b"\0\1\0\1" + b"\0" * 70000):
        with pytest.raises(LinkError) as lost:
            decode(octets)
        assert lost.value.command_status == c.ESME_RINVCMDLEN
    whole = framed(c.ENQUIRE_LINK, b"")
    assert read_header(b"x" + whole, 1) == (16, c.ENQUIRE_LINK, 0, 1)
    with pytest.raises(LinkError):
        decode(whole + b"x", 0, 17)
    with pytest.raises(LinkError):
        decode(framed(c.ENQUIRE_LINK, b"\x14\0\0\0"), 0, 16)
    with pytest.raises(LinkError):
        read_header(framed(c.ENQUIRE_LINK, b"\x14\0\0\0"), 0, limit=19)


def test_a_pdu_inside_a_buffer_reads_nothing_behind_its_end() -> None:
    one = framed(c.SUBMIT_SM, b"\0" * 16 + b"\x05hello")
    short = framed(c.SUBMIT_SM, b"\0" * 16 + b"\x05hel")
    buffer = one + short + b"lo" + one
    assert decode(buffer, 0, len(one)) == decode(buffer, len(one) + len(short) + 2)
    with pytest.raises(PduError) as refused:
        decode(buffer, len(one), len(one) + len(short))
    assert refused.value.command_status == c.ESME_RINVMSGLEN


def test_a_receive_buffer_gives_plain_bytes() -> None:
    received: Any = bytearray(encode(SubmitSm(short_message=b"x", tlvs=((1, b"y"),))))
    pdu = decode(received)
    assert isinstance(pdu, SubmitSm)
    assert type(pdu.short_message) is type(pdu.tlvs[0][1]) is bytes


def test_a_refused_response_still_tells_what_could_be_read() -> None:
    with pytest.raises(PduError) as refused:
        decode(framed(c.SUBMIT_SM_RESP, b"abc\0\xff", number=9))
    error = refused.value
    assert error.pdu == SubmitSmResp(message_id="abc", sequence_number=9)
    assert (error.command_id, error.sequence_number) == (c.SUBMIT_SM_RESP, 9)
    assert str(error) == (
        "submit_sm_resp 9: 1 octet(s) after the last parameter, too few for a TLV"
        " -> ESME_RINVTLVSTREAM"
    )


def test_query_sm_resp_without_its_state_says_nothing() -> None:
    with pytest.raises(PduError):
        decode(framed(c.QUERY_SM_RESP, b""))


@pytest.mark.parametrize(
    "fields",
    [
        {"esm_class": 256},
        {"esm_class": -1},
        {"esm_class": "1"},
        {"esm_class": None},
        {"source_addr": b"1"},
        {"source_addr": 467},
        {"source_addr": None},
        {"source_addr": "46\x007"},
        {"source_addr": "Ж"},
        {"short_message": "text"},
        {"short_message": b"x" * 256},
        {"short_message": None},
        {"tlvs": ((0x10000, b""),)},
        {"tlvs": ((1, "text"),)},
        {"tlvs": ((1, b"x" * 65536),)},
        {"sequence_number": -1},
        {"sequence_number": 1 << 32},
        {"command_status": 1 << 32},
    ],
)
def test_what_cannot_be_encoded(fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        encode(SubmitSm(**fields))


@pytest.mark.parametrize("item", [Address(1, 1, "1" * 21), Address(256, 1, "1"), "l" * 21, 7, (1,)])
def test_destinations_that_cannot_be_encoded(item: Any) -> None:
    with pytest.raises(UsageError):
        encode(SubmitMulti(dest_address=(item,)))


# ---- responses, preparation, values


def test_response_to() -> None:
    request = SubmitSm(sequence_number=77)
    assert response_to(request, message_id="x") == SubmitSmResp(sequence_number=77, message_id="x")
    refusal = response_to(request, c.ESME_RTHROTTLED)
    assert encode(refusal) == framed(c.SUBMIT_SM_RESP, b"", c.ESME_RTHROTTLED, 77)
    for pdu in (Outbind(), AlertNotification(), GenericNack(), SubmitSmResp()):
        with pytest.raises(UsageError):
            response_to(pdu)


def test_an_error_response_that_says_something_has_a_body() -> None:
    reason = DataSmResp(command_status=c.ESME_RDELIVERYFAILURE, tlvs=((0x0425, b"\x02"),))
    assert body(reason) == b"\0\x04\x25\x00\x01\x02"
    assert body(BindTransceiverResp(command_status=c.ESME_RBINDFAIL)) == b""
    assert body(BindTransceiverResp()) == b"\0"


@pytest.mark.parametrize("field", ["destination_addr", "source_addr", "validity_period"])
def test_prepared_bodies_equal_encoded_ones(field: str) -> None:
    pdu = SubmitSm(
        source_addr="Aldis", destination_addr="1", short_message=b"x", tlvs=((0x0426, b"\1"),)
    )
    before, after = prepare(pdu, field)
    for value in ("", "4", "46701234567"):
        setattr(pdu, field, value)
        assert before + value.encode() + after == body(pdu)


def test_only_c_octet_strings_are_prepared() -> None:
    for field in ("esm_class", "short_message", "no_such_field"):
        with pytest.raises(UsageError):
            prepare(SubmitSm(), field)


def test_equality() -> None:
    assert SubmitSm(short_message=b"x") == SubmitSm(short_message=b"x")
    assert SubmitSm() != DeliverSm()
    assert Unbind() != EnquireLink()
    for change in (
        {"esm_class": 1},
        {"sequence_number": 1},
        {"command_status": 1},
        {"tlvs": ((1, b""),)},
    ):
        assert SubmitSm(**change) != SubmitSm()
    with pytest.raises(TypeError):
        hash(SubmitSm())


def test_repr_shows_no_text_number_or_password() -> None:
    shown = repr(
        SubmitSm(
            source_addr="SecretBrand1",
            destination_addr="46701234567",
            short_message=b"your code is 1234",
            tlvs=((0x0424, b"more text"),),
            command_status=8,
            data_coding=8,
        )
    )
    for secret in ("SecretBrand1", "46701234567", "1234", "more"):
        assert secret not in shown
    assert shown == (
        "SubmitSm(sequence_number=0, ESME_RSYSERR, source_addr=Secr****nd1, "
        "destination_addr=4670****567, data_coding=8, short_message=17 octets, 0x0424=9 octets)"
    )
    assert "hunter" not in repr(BindTransceiver(system_id="me", password="hunter2"))
    assert "46701" not in repr(SubmitMulti(dest_address=(Address(1, 1, "46701234567"),)))
    assert "46701234567" not in repr(QuerySm(source_addr="46701234567"))


# ---- properties

_OCTET = st.integers(0, 255)
_PROPERTY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _string(size: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=size - 1)


def _values(f: Field) -> st.SearchStrategy[Any]:
    if isinstance(f, Integer):
        return st.integers(0, 256**f.octets - 1)
    if isinstance(f, COctetString):
        return _string(f.size)
    if isinstance(f, OctetString):
        return st.binary(max_size=255)
    if isinstance(f, DestAddresses):
        sme = st.builds(Address, _OCTET, _OCTET, _string(21))
        return st.lists(sme | _string(21), max_size=4).map(tuple)
    sme_error = st.builds(UnsuccessSme, _OCTET, _OCTET, _string(21), st.integers(0, 0xFFFFFFFF))
    return st.lists(sme_error, max_size=4).map(tuple)


def _pdus_of(cls: type[Pdu]) -> st.SearchStrategy[Pdu]:
    word = st.integers(0, 0xFFFFFFFF)
    tlvs = st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=20)), max_size=3)
    return st.builds(
        cls,
        command_status=st.sampled_from([0, 0, c.ESME_RTHROTTLED]) | word,
        sequence_number=word,
        tlvs=tlvs.map(tuple),
        **{f.name: _values(f) for f in cls.fields},
    )


any_pdu = st.sampled_from(list(PDUS.values())).flatmap(_pdus_of)
any_octets = (
    st.builds(
        framed,
        st.sampled_from(list(PDUS)) | st.integers(0, 0xFFFFFFFF),
        st.binary(max_size=80) | st.binary(max_size=30).map(lambda rest: b"\0" * 17 + rest),
        st.sampled_from([0, 1]),
    )
    | st.binary(max_size=40)
    | st.tuples(any_pdu, st.integers(16, 80), st.binary(max_size=3)).map(
        lambda drawn: framed(drawn[0].command_id, encode(drawn[0])[16 : drawn[1]] + drawn[2])
    )
)


@_PROPERTY
@given(any_pdu)
def test_decode_undoes_encode(pdu: Pdu) -> None:
    assert decode(encode(pdu)) == pdu


@_PROPERTY
@given(any_octets)
def test_octets_are_a_pdu_or_an_smpp_error(octets: bytes) -> None:
    try:
        pdu = decode(octets)
    except SmppError:
        return
    try:
        again = encode(pdu)
    except UsageError:
        with pytest.raises(UsageError, match=r"are allowed"):  # an over-long string, nothing else
            check(pdu)
        return
    assert decode(again) == pdu
    assert encode(decode(again)) == again


@_PROPERTY
@given(any_pdu)
def test_body_is_header_less_encode(pdu: Pdu) -> None:
    octets = encode(pdu)
    assert octets[16:] == body(pdu)
    assert read_header(octets) == (
        len(octets),
        pdu.command_id,
        pdu.command_status,
        pdu.sequence_number,
    )


def test_replace_and_query_round_trip_by_hand() -> None:
    replaced = decode(framed(c.REPLACE_SM, b"id\0\x01\x01467\0\0\0\x01\x00\x02hi"))
    assert replaced == ReplaceSm(
        sequence_number=1,
        message_id="id",
        source_addr_ton=1,
        source_addr_npi=1,
        source_addr="467",
        registered_delivery=1,
        short_message=b"hi",
    )
    state = decode(framed(c.QUERY_SM_RESP, b"id\x002601021504053200\0\x02\x00"))
    assert state == QuerySmResp(
        sequence_number=1, message_id="id", final_date="2601021504053200", message_state=2
    )
