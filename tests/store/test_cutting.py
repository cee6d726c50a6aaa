"""Cutting: every event once, in order, whatever the shape of the log and of the calls."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.store.sqlite.cutting import BATCH_EVENTS, STATUS, STATUS_BATCH, Chunk, Cursor, cut

TYPES = (STATUS, STATUS, "message.inbound")


def events_of(chunks: list[Chunk], one_type: str, first: int, skip: int, last: int, events: int):
    """What a reader of the log finds for a delivery."""
    log_type = STATUS if one_type == STATUS_BATCH else one_type
    stretch = [
        (chunk.position, n)
        for chunk in chunks
        if first <= chunk.position <= last and chunk.type == log_type
        for n in range(chunk.count)
    ]
    return stretch[skip : skip + events]


@settings(deadline=None)  # a busy machine is no fault of the code
@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.sampled_from(TYPES), st.integers(1, 500)), max_size=12
    ),
    st.booleans(),
    st.integers(1, 4),
    st.integers(1, 600),
)
def test_every_event_once_and_in_order(shape, batched, wanted, most_events):
    chunks, position = [], 0
    for step, type_, count in shape:
        position += step
        chunks.append(Chunk(position, type_, count))
    cursor, given_out = Cursor(1), []
    while True:
        rest = [chunk for chunk in chunks if chunk.position >= cursor.position]
        cuts, cursor = cut(rest, cursor, batched=batched, wanted=wanted, most_events=most_events)
        if not cuts:
            break
        assert len(cuts) <= wanted
        for one in cuts:
            events = events_of(chunks, one.type, one.first, one.skip, one.last, one.events)
            assert len(events) == one.events <= most_events
            assert one.events == 1 or one.type == STATUS_BATCH
            given_out += events
    assert given_out == [(chunk.position, n) for chunk in chunks for n in range(chunk.count)]


def test_small_chunks_go_together_and_whole():
    chunks = [Chunk(n, STATUS, 200) for n in range(1, 6)]
    cuts, cursor = cut(chunks, Cursor(1), batched=True, wanted=10)
    assert [(one.first, one.last, one.skip, one.events) for one in cuts] == [
        (1, 2, 0, 400), (3, 4, 0, 400), (5, 5, 0, 200)
    ]  # fmt: skip
    assert cursor == Cursor(6)


def test_a_list_is_filled_to_the_last_event_but_never_over():
    for second, together in ((200, True), (201, False)):
        chunks = [Chunk(1, STATUS, 300), Chunk(2, STATUS, second)]
        cuts, _ = cut(chunks, Cursor(1), batched=True, wanted=1)
        assert cuts[0].events == (500 if together else 300)


def test_full_chunks_go_alone():
    chunks = [Chunk(1, STATUS, BATCH_EVENTS), Chunk(2, STATUS, BATCH_EVENTS)]
    cuts, cursor = cut(chunks, Cursor(1), batched=True, wanted=1)
    assert [(one.first, one.last, one.events) for one in cuts] == [(1, 1, 500)]
    assert cursor == Cursor(2)


def test_one_by_one_stands_inside_a_chunk():
    cuts, cursor = cut([Chunk(7, STATUS, 3)], Cursor(7, 1), batched=False, wanted=1)
    assert [(one.type, one.skip, one.events) for one in cuts] == [(STATUS, 1, 1)]
    assert cursor == Cursor(7, 2)


def test_the_place_in_a_chunk_is_not_carried_over_to_another():
    """The endpoint has changed its types: chunk 7 is not among the wanted ones any more."""
    cuts, _ = cut([Chunk(9, "message.inbound", 3)], Cursor(7, 2), batched=False, wanted=1)
    assert [(one.first, one.skip) for one in cuts] == [(9, 0)]


def test_a_reply_between_two_lists_keeps_its_place():
    chunks = [Chunk(1, STATUS, 2), Chunk(2, "message.inbound", 1), Chunk(3, STATUS, 2)]
    cuts, cursor = cut(chunks, Cursor(1), batched=True, wanted=9)
    assert [one.type for one in cuts] == [STATUS_BATCH, "message.inbound", STATUS_BATCH]
    assert cursor == Cursor(4)
