"""The tables of PDUs and statuses against what the specifications print, spelt a second time."""

import pytest

from protocol import constants as c
from protocol.fields import COctetString, Field, Integer, OctetString, Several
from protocol.pdu import (
    PDUS,
    BroadcastSm,
    BroadcastSmResp,
    Pdu,
    QueryBroadcastSmResp,
    SubmitSmResp,
    decode,
    encode,
)
from protocol.tlv import TLVS, decode_value, encode_value


def framed(command_id: int, octets: bytes) -> bytes:
    words = (16 + len(octets), command_id, 0, 1)
    return b"".join(word.to_bytes(4, "big") for word in words) + octets


# SMPP 3.4 §5.1.2.1 and 5.0 §4.7.5, every command and its body as the specifications print it: a
# number is an integer's octets, "n" a C-octet string's most, ":" an octet string or list with its
# count. protocol/pdu.py must say the same.
_BIND = (
    "system_id n16, password n9, system_type n13, interface_version 1, addr_ton 1, addr_npi 1, "
    "address_range n41"
)
_SOURCE = "source_addr_ton 1, source_addr_npi 1, source_addr n21"
_DEST = "dest_addr_ton 1, dest_addr_npi 1, destination_addr n21"
_TIMES = "schedule_delivery_time n17, validity_period n17"
_HOW = (
    f"esm_class 1, protocol_id 1, priority_flag 1, {_TIMES}, registered_delivery 1, "
    "replace_if_present_flag 1, data_coding 1, sm_default_msg_id 1, sm_length:short_message"
)
BODIES = {
    0x00000001: ("bind_receiver", _BIND),
    0x80000001: ("bind_receiver_resp", "system_id n16"),
    0x00000002: ("bind_transmitter", _BIND),
    0x80000002: ("bind_transmitter_resp", "system_id n16"),
    0x00000003: ("query_sm", f"message_id n65, {_SOURCE}"),
    0x80000003: ("query_sm_resp", "message_id n65, final_date n17, message_state 1, error_code 1"),
    0x00000004: ("submit_sm", f"service_type n6, {_SOURCE}, {_DEST}, {_HOW}"),
    0x80000004: ("submit_sm_resp", "message_id n65"),
    0x00000005: ("deliver_sm", f"service_type n6, {_SOURCE}, {_DEST}, {_HOW}"),
    0x80000005: ("deliver_sm_resp", "message_id n65"),
    0x00000006: ("unbind", ""),
    0x80000006: ("unbind_resp", ""),
    0x00000007: (
        "replace_sm",
        f"message_id n65, {_SOURCE}, {_TIMES}, registered_delivery 1, sm_default_msg_id 1, "
        "sm_length:short_message",
    ),
    0x80000007: ("replace_sm_resp", ""),
    0x00000008: ("cancel_sm", f"service_type n6, message_id n65, {_SOURCE}, {_DEST}"),
    0x80000008: ("cancel_sm_resp", ""),
    0x00000009: ("bind_transceiver", _BIND),
    0x80000009: ("bind_transceiver_resp", "system_id n16"),
    0x0000000B: ("outbind", "system_id n16, password n9"),
    0x00000015: ("enquire_link", ""),
    0x80000015: ("enquire_link_resp", ""),
    0x00000021: (
        "submit_multi",
        f"service_type n6, {_SOURCE}, number_of_dests:dest_address, {_HOW}",
    ),
    0x80000021: ("submit_multi_resp", "message_id n65, no_unsuccess:unsuccess_sme"),
    0x80000000: ("generic_nack", ""),
    0x00000102: (
        "alert_notification",
        "source_addr_ton 1, source_addr_npi 1, source_addr n65, "
        "esme_addr_ton 1, esme_addr_npi 1, esme_addr n65",
    ),
    0x00000103: (
        "data_sm",
        "service_type n6, source_addr_ton 1, source_addr_npi 1, source_addr n65, "
        "dest_addr_ton 1, dest_addr_npi 1, destination_addr n65, "
        "esm_class 1, registered_delivery 1, data_coding 1",
    ),
    0x80000103: ("data_sm_resp", "message_id n65"),
    0x00000111: (
        "broadcast_sm",
        f"service_type n6, {_SOURCE}, message_id n65, priority_flag 1, {_TIMES}, "
        "replace_if_present_flag 1, data_coding 1, sm_default_msg_id 1",
    ),
    0x80000111: ("broadcast_sm_resp", "message_id n65"),
    0x00000112: ("query_broadcast_sm", f"message_id n65, {_SOURCE}"),
    0x80000112: ("query_broadcast_sm_resp", "message_id n65"),
    0x00000113: ("cancel_broadcast_sm", f"service_type n6, message_id n65, {_SOURCE}"),
    0x80000113: ("cancel_broadcast_sm_resp", ""),
}


def _printed(f: Field) -> str:
    if isinstance(f, Integer):
        return f"{f.name} {f.octets}"
    if isinstance(f, COctetString):
        return f"{f.name} n{f.size}"
    assert isinstance(f, OctetString | Several)
    return f"{f.count_name}:{f.name}"


def test_every_command_of_the_specifications_field_by_field() -> None:
    ours = {
        command_id: (cls.command, ", ".join(_printed(f) for f in cls.fields))
        for command_id, cls in PDUS.items()
    }
    assert ours == BODIES


def test_statuses_of_the_specifications() -> None:
    # 3.4 §5.1.3.1, then what 5.0 §4.7.6 adds; what lies between is reserved.
    own = [*range(0x09), *range(0x0A, 0x10), 0x11, 0x13, 0x14, 0x15, 0x33, 0x34, 0x40]
    own += [0x42, 0x43, 0x44, 0x45, 0x48, 0x49, 0x50, 0x51, 0x53, 0x54, 0x55, 0x58]
    own += [*range(0x61, 0x68), *range(0xC0, 0xC5), 0xFE, 0xFF, *range(0x100, 0x113)]
    assert sorted(c.COMMAND_STATUS) == own
    for status, (name, sentence) in c.COMMAND_STATUS.items():
        assert getattr(c, name) == status
        assert sentence


@pytest.mark.parametrize("cls", PDUS.values(), ids=lambda cls: str(cls.command))
def test_unknown_values_of_every_field_survive(cls: type[Pdu]) -> None:
    values = {f.name: 0xEE for f in cls.fields if isinstance(f, Integer)}
    pdu = cls(command_status=0xFFFF1234, tlvs=((0xFFFE, b"\0"), (0x0427, b"\xee")), **values)
    octets = encode(pdu)
    assert decode(octets) == pdu
    assert encode(decode(octets)) == octets


def test_broadcast_sm_octet_by_octet() -> None:
    pdu = BroadcastSm(
        sequence_number=3,
        service_type="CBS",
        source_addr_ton=1,
        source_addr_npi=1,
        source_addr="467",
        message_id="m1",
        priority_flag=1,
        validity_period="000000010000000R",
        replace_if_present_flag=1,
        data_coding=8,
        tlvs=(
            (TLVS["broadcast_area_identifier"].tag, b"\0North"),
            (TLVS["broadcast_content_type"].tag, encode_value(0x0601, b"\x01\x00\x01")),
            (TLVS["broadcast_rep_num"].tag, encode_value(0x0604, 300)),
            (TLVS["broadcast_frequency_interval"].tag, encode_value(0x0605, b"\x09\x00\x0a")),
            (TLVS["message_payload"].tag, b"\0h"),
        ),
    )
    octets = bytes.fromhex(
        "00000057 00000111 00000000 00000003"
        "43425300 01 01 34363700 6d3100 01 00"
        "3030303030303031303030303030305200 01 08 00"
        "0606 0006 004e6f727468  0601 0003 010001  0604 0002 012c  0605 0003 09000a"
        "0424 0002 0068"
    )
    assert encode(pdu) == octets
    assert decode(octets) == pdu


def test_the_answers_about_broadcasts() -> None:
    answer = decode(
        framed(
            c.QUERY_BROADCAST_SM_RESP,
            bytes.fromhex("6d3100 0427000102 06060006004e6f727468 0608000157 060800 01ff"),
        )
    )
    assert isinstance(answer, QueryBroadcastSmResp)
    assert answer.message_id == "m1"
    # One area after the other, each with its success: order and repeats are the meaning.
    assert [tag for tag, _ in answer.tlvs] == [0x0427, 0x0606, 0x0608, 0x0608]
    refusal = decode(framed(c.BROADCAST_SM_RESP, bytes.fromhex("6d3100 0607000400000109")))
    assert isinstance(refusal, BroadcastSmResp)
    assert decode_value(0x0607, refusal.tlv(0x0607) or b"") == c.ESME_RINVBCASTAREAFMT


def test_congestion_state_in_a_response() -> None:
    octets = framed(c.SUBMIT_SM_RESP, b"id\0\x04\x28\0\x01\x5a")
    pdu = decode(octets)
    assert isinstance(pdu, SubmitSmResp)
    assert decode_value(TLVS["congestion_state"].tag, pdu.tlv(0x0428) or b"") == 90
    assert encode(pdu) == octets
