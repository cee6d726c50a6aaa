"""Joining: any order, repetitions, references used again, nothing lost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.store.messages import InboundPart
from gateway.store.sqlite.joining import (
    GROUPS_PER_SOURCE,
    JOIN_WITHIN,
    Joiner,
    Whole,
    is_part,
    sources,
)

AT = 1_800_000_000_000_000


def part(
    place: int, total: int, text: str | None = None, *, reference: int = 1, at: int = AT,
    source: str = "79161234567", destination: str = "2020", account: str | None = None,
) -> InboundPart:  # fmt: skip
    return InboundPart(
        carrier="op1", source=source, destination=destination,
        text=f"<{place}>" if text is None else text, at=at, account=account,
        reference=reference, total=total, part=place,
    )  # fmt: skip


def join(*parts: InboundPart) -> list[Whole]:
    joiner = Joiner({})
    for one in parts:
        joiner.add(1, one)
    return joiner.whole


@settings(deadline=None)  # a busy machine is no fault of the code
@given(st.integers(2, 255), st.randoms(use_true_random=False))
def test_any_order_with_any_repetitions_is_one_message(total, chance):
    parts = [part(place, total) for place in range(1, total + 1)]
    parts += chance.choices(parts, k=chance.randrange(10))
    chance.shuffle(parts)
    (whole,) = join(*parts)
    assert whole.text == "".join(f"<{place}>" for place in range(1, total + 1))
    assert (whole.complete, whole.parts) == (True, total)


def test_a_part_repeated_after_the_whole_is_dropped():
    first, second = part(1, 2), part(2, 2)
    assert len(join(first, second, second, first)) == 1


def test_nothing_is_whole_before_its_last_part():
    assert join(part(1, 3), part(3, 3)) == []


def test_other_phones_other_numbers_other_references_are_other_messages():
    pairs = [
        (part(1, 2), part(2, 2, source="79160000000")),
        (part(1, 2), part(2, 2, destination="3030")),
        (part(1, 2), part(2, 2, reference=2)),
        (part(1, 2), part(2, 3)),
    ]
    assert [join(*pair) for pair in pairs] == [[], [], [], []]


def test_another_text_in_the_same_place_begins_a_new_message():
    """The phone has come round to the reference; the rest of the old message will not come."""
    old, new = join(part(1, 2, "old"), part(1, 2, "new "), part(2, 2, "text"))
    assert (old.text, old.complete, old.parts) == ("old", False, 1)
    assert (new.text, new.complete, new.parts) == ("new text", True, 2)


def test_after_half_an_hour_a_group_is_closed():
    late = AT + JOIN_WITHIN + 1
    old, new = join(part(1, 2, "a"), part(2, 2, "y", at=late), part(1, 2, "x", at=late))
    assert (old.text, old.complete) == ("a", False)
    assert (new.text, new.complete) == ("xy", True)
    (in_time,) = join(part(1, 2, "a"), part(2, 2, "b", at=AT + JOIN_WITHIN))
    assert in_time.text == "ab"


def test_a_whole_message_sent_again_under_the_same_reference_later_is_told_again():
    late = AT + JOIN_WITHIN + 1
    parts = [part(1, 2), part(2, 2), part(1, 2, at=late), part(2, 2, at=late)]
    assert [whole.complete for whole in join(*parts)] == [True, True]


def test_senseless_headers_make_single_texts():
    for place, total in ((1, 1), (1, 0), (0, 2), (3, 2), (1, 256), (-1, 2), (1, -3)):
        one = part(place, total, "hi")
        assert not is_part(one)
        (whole,) = join(one)
        assert (whole.text, whole.complete, whole.parts) == ("hi", True, 1)


def test_a_phone_that_begins_too_much_gets_its_oldest_as_it_is():
    joiner = Joiner({})
    for n in range(GROUPS_PER_SOURCE + 3):
        joiner.add(1, part(1, 2, str(n), reference=n, at=AT + n))
    assert [(whole.text, whole.complete) for whole in joiner.whole] == [
        ("0", False), ("1", False), ("2", False)
    ]  # fmt: skip
    assert len(joiner.groups[1, "79161234567"]) == GROUPS_PER_SOURCE
    joiner.add(1, part(1, 2, "x", source="79160000000"))  # another phone has room of its own
    assert len(joiner.whole) == 3


def test_only_phones_with_parts_are_looked_up():
    parts = [part(1, 1, source="a"), part(1, 2, source="b"), part(2, 2, source="b")]
    assert sources([1, 1, 1], parts) == [(1, "b")]
