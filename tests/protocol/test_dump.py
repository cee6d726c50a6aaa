"""The dump: names and meanings, broken input, nothing secret."""

from protocol.address import Address
from protocol.dump import dump
from protocol.fields import UnsuccessSme
from protocol.pdu import (
    BindTransceiver,
    DeliverSm,
    EnquireLink,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    encode,
)

RECEIPT = DeliverSm(
    sequence_number=7,
    source_addr_ton=1,
    source_addr_npi=1,
    source_addr="46701234567",
    destination_addr="72345",
    esm_class=0x04,
    registered_delivery=0x11,
    data_coding=0xF7,
    short_message=b"id:1 stat:DELIVRD",
    tlvs=((0x0427, b"\x02"), (0x0423, b"\x03\x00\x22"), (0x001E, b"1\0"), (0x1402, b"abc")),
)


def test_every_field_by_name_with_its_meaning() -> None:
    assert dump(RECEIPT) == (
        "deliver_sm sequence_number 7, command_status ESME_ROK (no error)\n"
        "  service_type             ''\n"
        "  source_addr_ton          1 international\n"
        "  source_addr_npi          1 ISDN (E.163/E.164)\n"
        "  source_addr              '46701234567'\n"
        "  dest_addr_ton            0 unknown\n"
        "  dest_addr_npi            0 unknown\n"
        "  destination_addr         '72345'\n"
        "  esm_class                4 default mode, delivery receipt\n"
        "  protocol_id              0 short message\n"
        "  priority_flag            0 lowest\n"
        "  schedule_delivery_time   ''\n"
        "  validity_period          ''\n"
        "  registered_delivery      17 receipt on success or failure, intermediate notification\n"
        "  replace_if_present_flag  0 do not replace\n"
        "  data_coding              247 8-bit data, message class 3\n"
        "  sm_default_msg_id        0\n"
        "  sm_length                17\n"
        "  short_message            69643a3120737461743a44454c49565244 |id:1 stat:DELIVRD|\n"
        "  0x0427 message_state     2 DELIVERED\n"
        '  0x0423 network_error_code 030022 |.."| GSM error 34\n'
        "  0x001E receipted_message_id '1'\n"
        "  0x1402 unknown TLV       616263 |abc|"
    )


def test_the_destinations_that_failed_with_their_status() -> None:
    failed = (UnsuccessSme(1, 1, "46701", 0x0B), UnsuccessSme(0, 9, "", 0x00012345))
    lines = dump(SubmitMultiResp(message_id="id", unsuccess_sme=failed)).split("\n")
    assert lines[2] == "  no_unsuccess             2"
    assert lines[3].endswith("error_status_code=11) ESME_RINVDSTADR")
    assert lines[4].endswith("error_status_code=74565) 0x00012345")


def test_octets_and_value_read_the_same() -> None:
    headline, *lines = dump(RECEIPT).split("\n")
    assert dump(encode(RECEIPT)).split("\n") == [f"{headline}, command_length 91", *lines]


def test_several_pdus_in_one_buffer() -> None:
    text = dump(encode(EnquireLink(sequence_number=1)) + encode(EnquireLink(sequence_number=2)))
    assert [line.split(",")[0] for line in text.split("\n")] == [
        "enquire_link sequence_number 1",
        "enquire_link sequence_number 2",
    ]


def test_nothing_at_all() -> None:
    assert dump(b"") == "! no octets"


def test_not_smpp() -> None:
    lines = dump(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").split("\n")
    assert lines[0] == "! at octet 0: command_length is 1195725856, not 16 to 65536"
    assert "|GET / HTTP/1.1..Host: x....|" in lines[1]


def test_a_truncated_pdu_is_shown_as_far_as_it_goes() -> None:
    octets = encode(SubmitSm(source_addr="Aldis", destination_addr="467", short_message=b"hi"))
    lines = dump(octets[:26]).split("\n")
    assert lines[4] == "  source_addr              'Aldis'"
    assert lines[5] == "  dest_addr_ton            0 unknown"
    assert lines[6] == "! at octet 26: the body ends before dest_addr_npi"
    assert lines[-1] == f"! only 26 of {len(octets)} octets are there"


def test_a_broken_tlv_after_a_good_one() -> None:
    octets = bytearray(encode(EnquireLink(tlvs=((0x0427, b"\x02"), (0x0204, b"\x00\x01")))))
    octets[-3] = 9
    lines = dump(bytes(octets)).split("\n")
    assert lines[1] == "  0x0427 message_state     2 DELIVERED"
    assert lines[2] == "! at octet 21: TLV 0x0204 says 9 octets but 2 are left"
    assert lines[3] == "  not read                 020400090001 |......|"


def test_unknown_command_and_status() -> None:
    lines = dump(bytes.fromhex("00000012 0000007f 00012345 00000003 abcd")).split("\n")
    assert lines == [
        "command 0x0000007F sequence_number 3, command_status 0x00012345 "
        "(not in the specification), command_length 18",
        "  body                     abcd |..|",
    ]


def test_values_against_the_specification_are_marked() -> None:
    lines = dump(SubmitSm(service_type="TOOLONG", tlvs=((0x0204, b"\x00"),))).split("\n")
    assert lines[1:3] == [
        "  service_type             'TOOLONG'",
        "! service_type has 7 octets, at most 5 are allowed",
    ]
    assert lines[-1].endswith("00 |.| ! TLV user_message_reference has 1 octets")


def test_a_long_value_is_cut() -> None:
    text = dump(SubmitSm(tlvs=((0x0424, b"x" * 3000),)))
    assert text.endswith("x| ... (3000 octets)")
    assert len(text) < 2000


def test_a_password_is_never_shown() -> None:
    bind = BindTransceiver(system_id="me", password="hunter2")
    octets = encode(bind)
    for text in (
        dump(bind),
        dump(octets),
        dump(octets[:24]),
        dump(octets[:3] + bytes((octets[3] - 8,)) + octets[4:-8]),
    ):
        assert "'me'" in text
        assert "hunter2" not in text
        assert b"hunter2".hex() not in text


def test_masked_for_logs() -> None:
    pdu = SubmitMulti(
        source_addr="46701234567",
        dest_address=(Address(1, 1, "46707654321"),),
        esm_class=0x40,
        short_message=b"your code is 1234",
        tlvs=(
            (0x0424, b"long text"),
            (0x0381, b"\x01\x01\x0146707654321"),
            (0x0303, b"\x00atag text"),
            (0x0202, b"\x80sub 1234"),
            (0x0606, b"\x00area text"),
            (0x001D, b"some text\0"),
        ),
    )
    for text in (dump(pdu, masked=True), dump(encode(pdu), masked=True)):
        for secret in (
            "46701234567",
            "46707654321",
            "1234",
            "long text",
            "atag text",
            "area text",
            "some text",
        ):
            assert secret not in text
            assert secret.encode().hex() not in text
        assert "  source_addr              4670****567\n" in text
        assert "  dest_address             1 items\n" in text
        assert "callback_num      14 octets ASCII digits, international, ISDN (E.163/E.164)" in text
        assert "  esm_class                64 default mode, message, UDHI\n" in text
