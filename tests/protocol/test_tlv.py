"""The TLV table, the stream of TLVs, and values by kind."""

import json
from pathlib import Path

import pytest

from protocol import constants as c
from protocol.errors import PduError, UsageError
from protocol.tlv import (
    TLV_BY_TAG,
    TLVS,
    decode_value,
    encode_value,
    read_tlvs,
    write_tlvs,
)

_VECTORS = Path(__file__).parent.parent / "vectors" / "pdus.jsonl"


def test_names_and_tags_are_unique() -> None:
    assert len(TLVS) == len(TLV_BY_TAG) == 64
    assert all(TLVS[row.name] is row and row.tag == tag for tag, row in TLV_BY_TAG.items())
    assert all(0 <= row.shortest <= row.longest <= 65535 for row in TLVS.values())


def test_names_agree_with_the_vectors() -> None:
    named = {}
    for line in _VECTORS.read_text().splitlines():
        for tlv in (json.loads(line)["expect"] or {}).get("tlvs", []):
            if tlv["name"] is not None:
                named[int(tlv["tag"], 16)] = tlv["name"]
    assert len(named) == 21
    assert {tag: TLV_BY_TAG[tag].name for tag in named} == named


# SMPP 5.0 §4.8.1 and 3.4 §5.3.2 with the lengths they allow, spelt a second time.
SPECIFIED = """
0005 dest_addr_subunit 1 | 0006 dest_network_type 1 | 0007 dest_bearer_type 1
0008 dest_telematics_id 2 | 000D source_addr_subunit 1 | 000E source_network_type 1
000F source_bearer_type 1 | 0010 source_telematics_id 1-2 | 0017 qos_time_to_live 4
0019 payload_type 1 | 001D additional_status_info_text 1-256 | 001E receipted_message_id 1-65
0030 ms_msg_wait_facilities 1 | 0201 privacy_indicator 1 | 0202 source_subaddress 2-23
0203 dest_subaddress 2-23 | 0204 user_message_reference 2 | 0205 user_response_code 1
020A source_port 2 | 020B destination_port 2 | 020C sar_msg_ref_num 2 | 020D language_indicator 1
020E sar_total_segments 1 | 020F sar_segment_seqnum 1 | 0210 sc_interface_version 1
0302 callback_num_pres_ind 1 | 0303 callback_num_atag 0-65 | 0304 number_of_messages 1
0381 callback_num 4-19 | 0420 dpf_result 1 | 0421 set_dpf 1 | 0422 ms_availability_status 1
0423 network_error_code 3 | 0424 message_payload 0-65535 | 0425 delivery_failure_reason 1
0426 more_messages_to_send 1 | 0427 message_state 1 | 0428 congestion_state 1
0501 ussd_service_op 1 | 0600 broadcast_channel_indicator 1 | 0601 broadcast_content_type 3
0602 broadcast_content_type_info 1-255 | 0603 broadcast_message_class 1
0604 broadcast_rep_num 2 | 0605 broadcast_frequency_interval 3
0606 broadcast_area_identifier 1-65535 | 0607 broadcast_error_status 4
0608 broadcast_area_success 1 | 0609 broadcast_end_time 1-17 | 060A broadcast_service_group 1-255
060B billing_identification 1-1024 | 060D source_network_id 7-65 | 060E dest_network_id 7-65
060F source_node_id 6 | 0610 dest_node_id 6 | 0611 dest_addr_np_resolution 1
0612 dest_addr_np_information 10 | 0613 dest_addr_np_country 1-5 | 1201 display_time 1
1203 sms_signal 2 | 1204 ms_validity 1-4 | 130C alert_on_message_delivery 0-1
1380 its_reply_type 1 | 1383 its_session_info 2
"""


def test_every_tlv_of_the_specifications() -> None:
    specified = {}
    for row in SPECIFIED.replace("\n", "|").split("|"):
        if row.strip():
            tag, name, lengths = row.split()
            shortest, _, longest = lengths.partition("-")
            specified[int(tag, 16)] = (name, int(shortest), int(longest or shortest))
    ours = {tag: (row.name, row.shortest, row.longest) for tag, row in TLV_BY_TAG.items()}
    assert ours == specified


def test_vendors_tags_have_no_name_here() -> None:
    # 0x1400 is a principal entity in India, something else with the next operator.
    assert not [tag for tag in TLV_BY_TAG if 0x1400 <= tag <= 0x3FFF]


def test_stream() -> None:
    octets = bytes.fromhex("0204 0002 0007 1400 0000 0204 0001 ff")
    tlvs = ((0x0204, b"\0\x07"), (0x1400, b""), (0x0204, b"\xff"))
    assert read_tlvs(octets, 0, len(octets)) == tlvs
    assert read_tlvs(b"..." + octets + b"...", 3, 3 + len(octets)) == tlvs
    assert write_tlvs(tlvs) == octets
    assert read_tlvs(b"", 0, 0) == ()


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        ("02", c.ESME_RINVTLVSTREAM),
        ("020400", c.ESME_RINVTLVSTREAM),
        ("02040001", c.ESME_RINVTLVLEN),
        ("0204ffff0007", c.ESME_RINVTLVLEN),
        ("020400010700", c.ESME_RINVTLVSTREAM),
    ],
)
def test_broken_stream(octets: str, status: int) -> None:
    data = bytes.fromhex(octets)
    with pytest.raises(PduError) as refused:
        read_tlvs(data, 0, len(data))
    assert refused.value.command_status == status


@pytest.mark.parametrize(
    ("tag", "octets", "value"),
    [
        (0x0427, b"\x02", 2),
        (0x0204, b"\x01\x00", 256),
        (0x0017, b"\x00\x01\x00\x00", 65536),
        (0x001E, b"abc\0", "abc"),
        (0x0423, b"\x03\x00\x01", b"\x03\x00\x01"),
        (0x0424, b"", b""),
        (0x1204, b"\x03", 3),
        (0x1204, b"\x03\x00\x00\x3c", 0x0300003C),
        (0x1204, b"\x00\x00\x01\x00", 256),  # 1 octet or 4, never 2
        (0x0010, b"\x24", 0x24),  # 1 octet in 3.4
        (0x0010, b"\x01\x24", 0x0124),  # 2 in 5.0
        (0x130C, b"\x01", 1),
        (0x0607, b"\x00\x00\x01\x09", 0x0109),
    ],
)
def test_values_both_ways(tag: int, octets: bytes, value: int | str | bytes) -> None:
    assert decode_value(tag, octets) == value
    assert encode_value(tag, value) == octets


@pytest.mark.parametrize(
    ("tag", "octets", "value"),
    [
        (0x001E, b"abc", "abc"),  # no NUL: frequent in receipts
        (0x001E, b"abc\0def\0", "abc"),
        (0x001E, b"", ""),
        (0x001E, b"x" * 80, "x" * 80),
        (0x130C, b"", 0),  # alert_on_message_delivery has no value in 3.4
        (0x1400, b"\0\1", b"\0\1"),  # unknown: as it is
    ],
)
def test_values_read_leniently(tag: int, octets: bytes, value: int | str | bytes) -> None:
    assert decode_value(tag, octets) == value


@pytest.mark.parametrize(("tag", "octets"), [(0x0427, b""), (0x0427, b"\0\2"), (0x0204, b"\1")])
def test_integers_of_a_wrong_length(tag: int, octets: bytes) -> None:
    with pytest.raises(PduError) as refused:
        decode_value(tag, octets)
    assert refused.value.command_status == c.ESME_RINVTLVLEN


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (0x0427, 256),
        (0x0427, -1),
        (0x0427, "2"),
        (0x0427, b"\0\2"),
        (0x001E, 7),
        (0x001E, "a\0b"),
        (0x001E, "Ж"),
        (0x001E, "x" * 65),
        (0x0423, b"\3"),
        (0x1400, 7),
        (0x1400, "text"),
    ],
)
def test_values_that_cannot_be_encoded(tag: int, value: int | str | bytes) -> None:
    with pytest.raises(UsageError):
        encode_value(tag, value)
