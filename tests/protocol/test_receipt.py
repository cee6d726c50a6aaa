"""Receipts as carriers and other implementations write them, and any octets at all."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol import receipt
from protocol.receipt import FINAL, OUTCOMES, Outcome, Receipt, parse

VECTORS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "vectors" / "receipts.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
TAGS = {
    "receipted_message_id": 0x001E,
    "network_error_code": 0x0423,
    "message_payload": 0x0424,
    "more_messages_to_send": 0x0426,
    "message_state": 0x0427,
    "source_network_type": 0x000E,
    "source_network_id": 0x060D,
    "source_node_id": 0x060F,
    "dest_network_type": 0x0006,
}
TYPICAL = (
    "id:f5c98a86 sub:001 dlvrd:001 submit date:2609051430 done date:2609051431"
    " stat:DELIVRD err:000 text:hi"
)


def must(short_message: bytes | str, tlvs: receipt.Tlvs = ()) -> Receipt:
    found = parse(short_message, tlvs)
    assert found is not None
    return found


def fields(found: Receipt) -> list[object]:
    return [getattr(found, name) for name in Receipt.__slots__]


def test_the_vectors_are_whole() -> None:
    assert len(VECTORS) == 98


@pytest.mark.parametrize("number", range(len(VECTORS)))
def test_vectors(number: int) -> None:
    vector: dict[str, Any] = VECTORS[number]
    tlvs = tuple(
        (TAGS.get(name) or int(name, 16), bytes.fromhex(value))
        for name, value in vector["tlvs"].items()
    )
    found = must(vector["short_message"].encode("latin-1"), tlvs)
    for name, value in vector["expect"].items():
        assert getattr(found, name) == value, name
    told = {
        "receipted_message_id": None,
        "message_state": None,
        "network_error_code": None,
        **vector.get("expect_tlv", {}),
    }
    for name, value in told.items():
        expected = (value["type"], value["code"]) if isinstance(value, dict) else value
        assert getattr(found, name) == expected, name
    # Text and octets are the same to us.
    assert fields(must(vector["short_message"], tlvs)) == fields(found)


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("ID:7\nSTAT:delivrd\r\nERR:5\r\nTEXT:a\nb", {"id": "7", "err": "5", "text": "a\nb"}),
        ("id:7,sub:001,stat:DELIVRD;err:000", {"sub": "001", "stat": "DELIVRD", "err": "000"}),
        ("id: 7 stat: EXPIRED err:", {"id": "7", "stat": "EXPIRED", "err": ""}),
        ("id :7 stat :EXPIRED", {"id": "7", "stat": "EXPIRED"}),
        ("id:7 submitdate:1 done_date:2", {"submit_date": "1", "done_date": "2"}),
        ("id:7 stat:DELIVRD text:id:8 stat:UNDELIV", {"id": "7", "text": "id:8 stat:UNDELIV"}),
        ("id:7 id:8 stat:DELIVRD stat:UNDELIV", {"id": "7", "stat": "DELIVRD"}),
        ("paid:9 android:8 id:7", {"id": "7"}),
        ("id:a-b.c@d stat:X", {"id": "a-b.c@d", "stat": "X"}),
    ],
)
def test_lenience(text: str, expect: dict[str, str]) -> None:
    found = must(text)
    assert {name: getattr(found, name) for name in expect} == expect


@pytest.mark.parametrize(
    "text", ["", "STOP", "Hello: how are you?", "text:me", "err:1", "paid:5", "\0\0", "date:1"]
)
def test_what_is_no_receipt(text: str) -> None:
    assert parse(text) is None
    assert parse(text.encode(), ((0x0424, b"hello"), (0x1400, b""))) is None


def test_text_in_ucs2() -> None:
    assert fields(must(TYPICAL.encode("utf-16-be"))) == fields(must(TYPICAL))


def test_message_payload_stands_in_for_an_empty_text() -> None:
    assert fields(must(b"", ((0x0424, TYPICAL.encode()),))) == fields(must(TYPICAL))
    assert must(TYPICAL, ((0x0424, b"id:other stat:UNDELIV"),)).id == "f5c98a86"


def test_ids() -> None:
    assert must("id:1 stat:DELIVRD").ids == ("1",)
    assert must("id:1 stat:DELIVRD", ((0x001E, b"0A\0"),)).ids == ("0A", "1")
    assert must("id:1 stat:DELIVRD", ((0x001E, b"1"),)).ids == ("1",)
    assert must("stat:DELIVRD", ((0x001E, b"0A\0garbage"),)).ids == ("0A",)
    assert must("stat:DELIVRD", ((0x001E, b"\0"),)).ids == ()


@pytest.mark.parametrize(
    ("stat", "state", "outcome"),
    [
        ("DELIVRD", None, Outcome.DELIVERED),
        ("delivered", None, Outcome.DELIVERED),
        ("UNDELIV", None, Outcome.UNDELIVERABLE),
        ("FAILED", None, Outcome.UNDELIVERABLE),
        ("DND_REJECTED", None, Outcome.REJECTED),
        ("DND\x11REJECTED", None, Outcome.REJECTED),  # the underscore of the GSM alphabet
        ("BADSTAT", None, None),
        ("0", None, None),
        ("", None, None),
        ("UNKNOWN", b"\x09", Outcome.SKIPPED),
        ("DELIVRD", b"\x05", Outcome.UNDELIVERABLE),
        ("DELIVRD", b"\x07", Outcome.DELIVERED),  # UNKNOWN says less than the text
        ("BADSTAT", b"\x07", Outcome.UNKNOWN),
        ("DELIVRD", b"\x63", Outcome.DELIVERED),
        ("BADSTAT", b"\x00", Outcome.SCHEDULED),
        ("DELIVRD", b"\0\0\0\x08", Outcome.REJECTED),
        ("DELIVRD", b"", Outcome.DELIVERED),
    ],
)
def test_outcome(stat: str, state: bytes | None, outcome: Outcome | None) -> None:
    tlvs = () if state is None else ((0x0427, state),)
    assert must(f"id:1 stat:{stat} err:000", tlvs).outcome is outcome


def test_one_table_of_outcomes() -> None:
    assert set(OUTCOMES) == set(Outcome)
    stats = [stat for _, stats in OUTCOMES.values() for stat in stats]
    assert len(stats) == len(set(stats))
    assert {outcome.name for outcome in set(Outcome) - FINAL} == {
        "SCHEDULED",
        "ENROUTE",
        "ACCEPTED",
    }


def test_error_code() -> None:
    assert must("id:1 err:04A").error_code == "04A"
    assert must("id:1 err:000\0").error_code == "000"
    assert must("id:1 err:", ((0x0423, b"\x03\x01\x02"),)).error_code == "258"
    assert must("id:1", ((0x0423, b"\x03\x01"),)).error_code is None


def test_dates_are_read_when_asked_for() -> None:
    found = must(TYPICAL)
    assert found.submitted_at() == 1_788_618_600_000_000  # 2026-09-05T14:30:00Z
    assert found.done_at(utc_offset=3 * 3600) == 1_788_618_660_000_000 - 3 * 3_600_000_000
    assert must("id:1 stat:DELIVRD").done_at() is None


def test_is_receipt() -> None:
    assert [esm_class for esm_class in range(0x40) if receipt.is_receipt(esm_class)] == [
        esm_class for esm_class in range(0x40) if esm_class & 0x24
    ]
    assert not receipt.is_receipt(0xC0 | 0x08, ((0x0427, b"\2"),))
    assert receipt.is_receipt(0, ((0x0427, b"\2"), (0x001E, b"1\0")))


@pytest.mark.parametrize("outcome", list(Outcome))
def test_what_we_build_reads_back(outcome: Outcome) -> None:
    octets = receipt.build(
        "msg-1.2",
        outcome,
        submit_date="2609051430",
        done_date="2609051431",
        err="04A",
        text="é" * 99,
    )
    found = must(octets, receipt.build_tlvs("msg-1.2", outcome, (3, 0x4A6)))
    assert (found.id, found.receipted_message_id) == ("msg-1.2", "msg-1.2")
    assert (found.outcome, found.message_state) == (outcome, int(outcome))
    assert must(octets).outcome is outcome
    assert found.network_error_code == (3, 0x4A6)
    assert (found.err, found.text) == ("04A", "?" * 20)


def test_the_classic_text() -> None:
    octets = receipt.build(
        "f5c98a86", Outcome.DELIVERED, submit_date="2609051430", done_date="2609051431", text="hi"
    )
    assert octets == TYPICAL.encode()
    expired = receipt.build("1", Outcome.EXPIRED, submit_date="1", done_date="2", sub=3)
    assert b" sub:003 dlvrd:000 " in expired and b" stat:EXPIRED " in expired


WORD = st.text(alphabet="abcXYZ0189-._@", min_size=1, max_size=8)
DIGITS = st.text(alphabet="0123456789", min_size=1, max_size=14)


@given(WORD, DIGITS, DIGITS, DIGITS, st.sampled_from(["DELIVRD", "X"]), WORD, st.text(max_size=9))
@example("1", "1", "1", "1", "DELIVRD", "000", "id:2 stat:X")
def test_both_ways_of_reading_agree(
    id: str, sub: str, submit: str, done: str, stat: str, err: str, text: str
) -> None:
    for body in (
        f"id:{id} sub:{sub} dlvrd:{sub} submit date:{submit} done date:{done} stat:{stat}"
        f" err:{err} text:{text}",
        f"id:{id} submit date:{submit} done date:{done} stat:{stat} err:{err}",
    ):
        assert fields(must(body)) == fields(receipt._parse_leniently(body))


PIECE = st.one_of(
    st.binary(max_size=6),
    st.sampled_from(
        [b"id:", b"ID :", b" sub:", b"submit date:", b"done", b" ", b"stat:", b"err:", b"text:"]
    ),
)


@given(
    st.lists(PIECE, max_size=20).map(b"".join),
    st.lists(
        st.tuples(st.sampled_from([*TAGS.values(), 0xFFFF]), st.binary(max_size=8)), max_size=4
    ).map(tuple),
)
def test_any_octets_parse(octets: bytes, tlvs: receipt.Tlvs) -> None:
    for body in (octets, octets.decode("latin-1")):
        found = parse(body, tlvs)
        if found is not None:
            assert found.ids or found.stat is not None or found.id is not None or tlvs
            assert found.outcome is None or found.outcome in Outcome
            assert isinstance(found.submitted_at(), int | None)
            assert isinstance(found.done_at(-3600), int | None)
            assert found.error_code is None or found.error_code


def test_the_first_of_two_ids_in_tlvs_counts() -> None:
    two = ((receipt.RECEIPTED_MESSAGE_ID, b"07aj\0"), (receipt.RECEIPTED_MESSAGE_ID, b"\0"))
    for tlvs in (two, two[::-1]):
        found = parse(b"", tlvs)
        assert found is not None
        assert found.ids == ("07aj",)
