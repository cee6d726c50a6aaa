"""The quick way of reading a receipt says what the slow one says."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.model import Status
from gateway.returns import reading
from gateway.returns.meaning import meaning
from gateway.returns.reading import read
from protocol.receipt import OUTCOMES, Tlvs, brief, parse

CLASSIC = b"id:%b sub:001 dlvrd:001 submit date:2701150800 done date:2701150801 stat:%b err:%b"


def in_full(short_message: bytes, tlvs: Tlvs) -> object:
    """What a receipt says, read field by field."""
    receipt = parse(short_message, tlvs)
    if receipt is None or not receipt.ids or receipt.outcome is None:
        return None
    status, reason = meaning(receipt) or pytest.fail("an outcome without a meaning")
    return receipt.ids, status, reason, receipt.error_code, OUTCOMES[receipt.outcome][1][0]


def quickly(short_message: bytes, tlvs: Tlvs) -> object:
    found = read(short_message, tlvs)
    if found is None:
        return None
    ids, news = found
    return ids, news.status, news.reason, news.carrier_code, news.state


IDS = st.one_of(
    st.binary(max_size=6),
    st.sampled_from([b"1", b"0A", b"a-b", b"1\0", b"id:2", b"x y", b"\xe9", b" 7"]),
)
TEXTS = st.one_of(
    st.just(b""),
    st.builds(
        lambda id, stat, err, tail: CLASSIC % (id, stat, err) + tail,
        IDS,
        st.sampled_from([b"DELIVRD", b"UNDELIV", b"ENROUTE", b"UNKNOWN", b"BADSTAT", b"delivrd"]),
        st.sampled_from([b"000", b"04A", b"", b"0 0", b"_", b"\xe9"]),
        st.sampled_from([b"", b" ", b" text:", b" Text:hi", b" text:id:9 stat:EXPIRED", b" x"]),
    ),
    st.binary(max_size=20),
)
TLVS = st.lists(
    st.one_of(
        st.tuples(st.just(0x001E), IDS),
        st.tuples(st.just(0x001E), IDS.map(lambda id: id + b"\0")),
        st.tuples(st.just(0x0427), st.sampled_from([b"\2", b"\5", b"\7", b"\x63", b"", b"\0\2"])),
        st.tuples(st.just(0x0423), st.sampled_from([b"\3\0\1", b"\3\0\x1b", b"\1\0\1", b"\3"])),
        st.tuples(st.just(0x0424), TEXTS),
        st.tuples(st.just(0x1400), st.binary(max_size=2)),
    ),
    max_size=4,
).map(tuple)


@given(TEXTS, TLVS)
@example(CLASSIC % (b"1", b"DELIVRD", b"000"), ((0x001E, b"1\0"), (0x001E, b"2\0")))
@example(b"", ((0x001E, b"1\0"), (0x0424, CLASSIC % (b"2", b"DELIVRD", b"000"))))
@example(CLASSIC % (b"\x01\x85", b"DELIVRD", b"000"), ((0x001E, b"\x01\x85"),))
def test_both_ways_of_reading_agree(short_message: bytes, tlvs: Tlvs) -> None:
    assert quickly(short_message, tlvs) == in_full(short_message, tlvs)


@pytest.mark.parametrize(
    ("short_message", "tlvs"),
    [
        (CLASSIC % (b"7F", b"DELIVRD", b"000") + b" text:", ()),
        (CLASSIC % (b"a-b.c", b"DELIVRD", b"000"), ()),
        (CLASSIC % (b"7F", b"DELIVRD", b"000"), ((0x001E, b"7F\0"), (0x0427, b"\2"))),
        (b"", ((0x001E, b"7F\0"), (0x0427, b"\2"))),
    ],
)
def test_the_usual_forms_take_the_quick_way(short_message: bytes, tlvs: Tlvs) -> None:
    assert brief(short_message, tlvs) is not None
    found = read(short_message, tlvs)
    assert found is not None
    assert (found[1].status, found[1].state) == (Status.DELIVERED, "DELIVRD")


def test_what_says_the_same_is_one_object() -> None:
    one, two = (read(CLASSIC % (id, b"UNDELIV", b"001"), ()) for id in (b"1", b"2"))
    slow = read(b"stat:UNDELIV err:001 id:3", ())
    assert one is not None and two is not None and slow is not None
    assert one[1] is two[1] is slow[1]
    assert one[0] != two[0]


def test_what_is_remembered_has_a_limit() -> None:
    for number in range(2 * reading.REMEMBERED):
        assert read(CLASSIC % (b"1", b"UNDELIV", b"E%d" % number), ()) is not None
    assert reading._usual.cache_info().currsize == reading.REMEMBERED
    assert reading._same.cache_info().currsize == reading.REMEMBERED
