"""What an account's SMPP receivers find in the log, and how far they are."""

from __future__ import annotations

import json

import pytest
from workbench import DAY, HOUR, SECOND, Bench

from gateway.metrics import SMPP_LOST
from gateway.store.messages import InboundPart
from gateway.store.records import RECEIPT, LogChunk, Mailbox

INBOUND = "message.inbound"


async def write(
    bench: Bench, count: int, type: str = RECEIPT, account: str = "shop", text: str = "é"
) -> int:
    """One chunk; returns its position."""
    events = [json.dumps({"n": n, "text": text}, ensure_ascii=False) for n in range(count)]
    await bench.store._writer.call(
        "t", lambda t: bench.store._events.add(t.connection, account, type, events, bench.now)
    )
    return bench.sql("SELECT max(position) FROM events")[0][0]


def sizes(chunks: list[LogChunk]) -> list[tuple[int, str, int]]:
    for chunk in chunks:
        assert len(json.loads(chunk.body)) == chunk.count
    return [(chunk.position, chunk.type, chunk.count) for chunk in chunks]


async def test_a_new_mailbox_begins_at_the_end_of_the_log_for_good(bench: Bench):
    assert await bench.store.mailbox("early") == Mailbox(0)
    before = await write(bench, 3)
    assert await bench.store.mailbox("shop") == Mailbox(before)
    after = await write(bench, 2)
    await bench.reopen(crash=True)
    box = await bench.store.mailbox("shop")
    assert box == Mailbox(before)
    found = await bench.store.read_log("shop", [RECEIPT], box.position, 100)
    assert sizes(found) == [(after, RECEIPT, 2)]


async def test_a_place_outlives_a_restart(bench: Bench):
    place = Mailbox(7, ((9, 0), (9, 3), (12, 499)))
    await bench.store.mailbox("shop")
    await bench.store.put_mailbox("shop", place)
    await bench.store.put_mailbox("other", Mailbox(1))
    await bench.reopen()
    assert await bench.store.mailbox("shop") == place
    assert await bench.store.mailbox("other") == Mailbox(1)


async def test_the_log_is_read_in_order_through_all_types_asked_for(bench: Bench):
    await write(bench, 1)
    await write(bench, 2, INBOUND)
    await write(bench, 500, "message.status")
    await write(bench, 3, account="other")
    last = await write(bench, 4, text='"},[\\ \U0001f600')
    both = [RECEIPT, INBOUND]
    assert sizes(await bench.store.read_log("shop", both, 0, 100)) == [
        (1, RECEIPT, 1), (2, INBOUND, 2), (last, RECEIPT, 4),
    ]  # fmt: skip
    assert sizes(await bench.store.read_log("shop", [RECEIPT], 1, 100)) == [(last, RECEIPT, 4)]
    assert sizes(await bench.store.read_log("shop", [INBOUND], 2, 100)) == []
    assert await bench.store.read_log("nobody", both, 0, 100) == []
    assert await bench.store.read_log("shop", [], 0, 100) == []


@pytest.mark.parametrize(
    ("events", "chunks"), [(0, 1), (1, 1), (304, 1), (305, 2), (306, 3), (999, 4), (1_106, 5)]
)
async def test_about_as_many_events_as_asked_for_and_at_least_a_chunk(bench: Bench, events, chunks):
    counts = [300, 5, 1, 400, 400]
    for count in counts:
        await write(bench, count)
    found = await bench.store.read_log("shop", [RECEIPT], 0, events)
    assert [chunk.count for chunk in found] == counts[:chunks]


async def test_replies_lie_in_the_log_with_the_receipts(bench: Bench):
    await bench.store.inbound([InboundPart("op1", "79160000001", "900", "hi", bench.now, "shop")])
    (chunk,) = await bench.store.read_log("shop", [RECEIPT, INBOUND], 0, 10)
    assert (chunk.type, chunk.count) == (INBOUND, 1)
    assert json.loads(chunk.body)[0]["text"] == "hi"


async def test_what_no_receiver_took_before_it_went_is_counted(bench: Bench):
    await bench.store.mailbox("shop")
    await bench.store.mailbox("away")
    taken = await write(bench, 2)
    some = await write(bench, 5)
    await write(bench, 7, INBOUND)
    await write(bench, 100, "message.status")
    await write(bench, 11, account="away")
    await write(bench, 13, account="none")  # it has no mailbox: nobody waits for these
    await bench.store.put_mailbox("shop", Mailbox(taken, ((some, 0), (some, 4))))
    bench.now += 2 * DAY
    young = await write(bench, 1)
    bench.now += 2 * DAY
    await bench.maintain()
    assert bench.metric(SMPP_LOST, "shop") == 3 + 7
    assert bench.metric(SMPP_LOST, "away") == 11
    assert bench.metric(SMPP_LOST, "none") == 0
    bench.now += 61 * SECOND
    await bench.maintain()
    assert bench.metric(SMPP_LOST, "shop") == 10  # counted once
    box = await bench.store.mailbox("shop")
    assert sizes(await bench.store.read_log("shop", [RECEIPT], box.position, 9)) == [
        (young, RECEIPT, 1)
    ]


async def test_a_place_nobody_asks_for_is_forgotten_once_nothing_waits_there(bench: Bench):
    for account in ("gone", "waits", "here"):
        await bench.store.mailbox(account)
    assert bench.settings.keep_messages > bench.settings.keep_events + 3600
    bench.now += int(bench.settings.keep_messages * SECOND) - HOUR
    await write(bench, 1, account="waits")
    await bench.maintain()
    await bench.store.put_mailbox("lately", Mailbox(0))
    await write(bench, 1, account="lately", type="message.status")
    await bench.reopen()
    await bench.store.mailbox("here")
    bench.now += HOUR + SECOND

    async def left() -> set[str]:
        await bench.maintain()
        return {row[0] for row in bench.sql(
            "SELECT n.name FROM mailboxes AS b JOIN names AS n ON n.id = b.account"
        )}  # fmt: skip

    assert await left() == {"waits", "here", "lately"}
    bench.now += 4 * DAY
    await write(bench, 1, account="waits", type=INBOUND)
    await write(bench, 1, account="here")
    assert await left() == {"waits", "here", "lately"}
    bench.now += 4 * DAY
    await write(bench, 1, account="other")
    assert await left() == {"here", "lately"}
    assert bench.metric(SMPP_LOST, "waits") == 2


async def test_what_was_taken_keeps_no_place(bench: Bench):
    newest = await write(bench, 1)  # stays in the log whatever its age
    await bench.store.put_mailbox("shop", Mailbox(newest))
    await bench.reopen()
    bench.now += int(bench.settings.keep_messages * SECOND) + SECOND
    await bench.maintain()
    assert bench.sql("SELECT position FROM events") == [(newest,)]
    assert bench.sql("SELECT count(*) FROM mailboxes") == [(0,)]
