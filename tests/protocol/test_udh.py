"""Headers as other implementations write them, broken ones, and any octets at all."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import udh
from protocol.constants import ESME_RINVMSGLEN
from protocol.errors import PduError, UsageError

VECTORS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "vectors" / "udh.jsonl").read_text().splitlines()
]


def test_the_vectors_are_whole() -> None:
    assert len(VECTORS) == 18


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["hex"]))
def test_vectors(vector: dict[str, Any]) -> None:
    octets = bytes.fromhex(vector["hex"])
    expect = vector["expect"]
    if expect is None and octets == b"\1":
        with pytest.raises(PduError) as caught:
            udh.parse(octets)
        assert caught.value.command_status == ESME_RINVMSGLEN
        return
    header, payload = udh.parse(octets)
    if expect is None:
        # Part 0 of 1: well formed, but no place in a message (TS 23.040 §9.2.3.24.1).
        assert header.concat is None
        return
    if "ref" in expect:
        assert header.concat == (expect["ref"], expect["ref_bits"], expect["total"], expect["seq"])
        assert header.elements[0][0] == int(expect["ie"], 16)
        assert payload == expect.get("payload", "").encode()
        built = udh.concat_element(
            expect["ref"], expect["total"], expect["seq"], expect["ref_bits"]
        )
        assert bytes([len(built)]) + built == header.raw
    if "ies" in expect:
        assert header.elements == tuple((int(i, 16), bytes.fromhex(d)) for i, d in expect["ies"])
        assert header.concat is None
    if "udh_hex" in expect:
        assert header.raw.hex() == expect["udh_hex"]
    if "payload_hex" in expect:
        assert payload.hex() == expect["payload_hex"]


def test_order_and_unknown_elements() -> None:
    octets = udh.build([(0x05, b"\x15\x81\x00\x00"), (0x24, b"\1"), (0x7E, b""), (0x00, b"\7\3\2")])
    header, payload = udh.parse(octets + b"\0text")
    assert header.concat == udh.Concat(7, 8, 3, 2)
    assert [identifier for identifier, _ in header.elements] == [0x05, 0x24, 0x7E, 0x00]
    assert (header.single_shift, header.locking_shift) == (1, 0)
    assert payload == b"\0text"
    assert udh.build(header.elements) == header.raw == octets


@pytest.mark.parametrize(
    ("octets", "concat"),
    [
        ("0a 0003010201 0003020202", (2, 8, 2, 2)),  # twice: the last one counts
        ("0b 0804000f0201 0003010202", (1, 8, 2, 2)),
        ("05 0003010203", None),  # third of two
        ("05 0003010000", None),
        ("05 0002010000", None),  # too short for its kind
        ("06 000301020101", (1, 8, 2, 1)),  # an octet too many
        ("07 0003010201 2409", (1, 8, 2, 1)),  # a last element that runs over the end
        ("04 08040102", None),
    ],
)
def test_odd_headers(octets: str, concat: tuple[int, ...] | None) -> None:
    raw = bytes.fromhex(octets)
    header, payload = udh.parse(raw + b"x")
    assert header.concat == concat
    assert (header.raw, payload) == (raw, b"x")


@pytest.mark.parametrize("octets", [b"", b"\1", b"\5\0\3\1\2", b"\xff" * 255])
def test_a_header_longer_than_the_message(octets: bytes) -> None:
    with pytest.raises(PduError):
        udh.parse(octets)


def test_a_header_has_a_limit() -> None:
    assert len(udh.build([(0x70, bytes(253))])) == 256
    with pytest.raises(UsageError):
        udh.build([(0x70, bytes(254))])
    with pytest.raises(UsageError):
        udh.build([(0x70, bytes(256))])


@given(st.binary(max_size=64))
def test_any_octets_parse_or_are_refused(octets: bytes) -> None:
    try:
        header, payload = udh.parse(octets)
    except PduError:
        assert not octets or octets[0] >= len(octets)
    else:
        assert header.raw + payload == octets
