"""How the event log is cut into deliveries.

In: what lies in the log from an endpoint's cursor on, without the bodies. Out: the next deliveries
as stretches of the log, and the cursor behind them. Knows no database and no clock.

The log holds chunks: lists of events of one account and one type. An endpoint that takes events
one by one stands in the middle of a chunk most of the time, so a cursor counts events, not chunks:
a crash there neither loses an event nor gives one twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

STATUS: Final = "message.status"
"""The one type that comes at campaign speed, so the one that is delivered in lists."""

STATUS_BATCH: Final = "message.status_batch"
"""What a list of status events is called on its way to an endpoint."""

BATCH_EVENTS: Final = 500
"""Most events in one delivery: about 150 kB, which web frameworks take with their defaults."""


class Chunk(msgspec.Struct, array_like=True, frozen=True):
    """One row of the log: `count` events of one type."""

    position: int
    type: str
    count: int


class Cursor(msgspec.Struct, frozen=True):
    """The next event to give: `skip` events into chunk `position`, or the first event of the next
    wanted chunk if that one is not wanted (any more)."""

    position: int
    skip: int = 0


class Cut(msgspec.Struct, frozen=True):
    """One delivery: `events` events, the first of them `skip` events into chunk `first`, the last
    one in chunk `last`. Chunks of other types between these two are not part of it."""

    type: str
    first: int
    skip: int
    last: int
    events: int


def log_type(delivery_type: str) -> str:
    """The type in the log of what an endpoint knows as `delivery_type`."""
    return STATUS if delivery_type == STATUS_BATCH else delivery_type


def cut(
    chunks: Sequence[Chunk],
    cursor: Cursor,
    *,
    batched: bool,
    wanted: int,
    most_events: int = BATCH_EVENTS,
) -> tuple[list[Cut], Cursor]:
    """At most `wanted` deliveries, and the cursor behind them.

    `chunks` ascend, are of wanted types only and do not begin before the cursor. Status events
    that follow each other go together, whole chunks while they fit, if `batched`; everything else
    is one event each.
    """
    cuts: list[Cut] = []
    index = 0
    skip = cursor.skip if chunks and chunks[0].position == cursor.position else 0
    while index < len(chunks) and len(cuts) < wanted:
        chunk = chunks[index]
        if chunk.count <= skip:
            index, skip = index + 1, 0
            continue
        if not batched or chunk.type != STATUS:
            cuts.append(Cut(chunk.type, chunk.position, skip, chunk.position, 1))
            skip += 1
            continue
        last, events = chunk.position, min(chunk.count - skip, most_events)
        begun, skip = skip, skip + events
        while skip >= chunks[index].count:
            index, skip = index + 1, 0
            if index == len(chunks):
                break
            follower = chunks[index]
            if follower.type != STATUS or events + follower.count > most_events:
                break
            last, events, skip = follower.position, events + follower.count, follower.count
        cuts.append(Cut(STATUS_BATCH, chunk.position, begun, last, events))
    if index < len(chunks) and skip >= chunks[index].count:
        index, skip = index + 1, 0
    if index < len(chunks):
        return cuts, Cursor(chunks[index].position, skip)
    return cuts, Cursor(chunks[-1].position + 1) if chunks else cursor
