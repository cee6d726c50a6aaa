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


def test_tags_seen_in_the_field() -> None:
    tags = {
        "dest_addr_subunit": 0x0005,
        "sar_msg_ref_num": 0x020C,
        "sar_total_segments": 0x020E,
        "sar_segment_seqnum": 0x020F,
        "billing_identification": 0x060B,
        "dest_network_id": 0x060E,
    }
    assert {name: TLVS[name].tag for name in tags} == tags


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
