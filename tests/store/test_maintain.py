"""Housekeeping: what is overdue ends, what is old goes, and nothing else does."""

from __future__ import annotations

import pytest
from workbench import DAY, HOUR, SECOND, Bench

from gateway.metrics import ORPHANS, PRUNED
from gateway.model import BatchState, Status
from gateway.store.messages import InboundPart
from gateway.store.records import MessageFilter
from gateway.store.sqlite import expire, number_index, retention


async def ended(bench: Bench, count: int = 1, **more) -> list[int]:
    ids = await bench.accept(count, **more)
    leased = await bench.lease(1_000)
    await bench.sent(leased)
    await bench.receive(
        *(bench.receipt(m.id, part=part + 1) for m in leased for part in range(m.parts))
    )
    return ids


async def test_waiting_messages_expire_at_their_deadline(bench: Bench, monkeypatch):
    monkeypatch.setattr(expire, "STEP", 10)
    await bench.accept(35, validity=HOUR, new_batch=True)
    await bench.accept(1, validity=HOUR, due=bench.now + 30 * HOUR, status=Status.SCHEDULED)
    await bench.accept(2, validity=HOUR, status=Status.HELD_MODERATION)
    await bench.accept(3, validity=2 * HOUR)
    bench.now += HOUR - 1
    await bench.maintain()
    held = bench.events()
    assert [e["status"] for e in held] == ["held_moderation"] * 2
    bench.now += 1
    await bench.maintain()
    assert bench.statuses() == {"expired": 38, "queued": 3}
    assert {e["reason"]["code"] for e in bench.events()[2:]} == {"validity_expired"}
    assert [d.waiting for d in bench.store.depths()] == [3]


async def test_a_sent_message_waits_for_its_receipt_and_ends_as_unknown(bench: Bench):
    await bench.accept(2, validity=HOUR, new_batch=True)
    bench.now += HOUR // 2
    one, two = await bench.lease()
    await bench.sent([one, two])
    bench.now += HOUR
    await bench.maintain()
    assert bench.statuses() == {"sent": 2}
    await bench.receive(bench.receipt(one.id))
    bench.now += 3 * DAY - HOUR - 1
    await bench.maintain()
    assert bench.statuses() == {"delivered": 1, "sent": 1}
    bench.now += 1
    await bench.maintain()
    assert bench.statuses() == {"delivered": 1, "unknown": 1}
    event = bench.events()[-1]
    assert (event["status"], event["reason"]["code"]) == ("unknown", "outcome_unknown")
    # Evidence that comes later is better than ignorance.
    await bench.receive(bench.receipt(two.id))
    assert bench.statuses() == {"delivered": 2}


@pytest.mark.parametrize(
    ("heard", "status", "reason"),
    [
        ({}, "unknown", "outcome_unknown"),
        ({1: Status.DELIVERED, 2: Status.DELIVERED}, "unknown", "outcome_unknown"),
        ({1: Status.DELIVERED, 3: Status.UNDELIVERED}, "undelivered", "absent_subscriber"),
    ],
)
async def test_a_long_message_ends_as_the_worst_that_was_heard(bench: Bench, heard, status, reason):
    (identifier,) = await bench.accept(1, parts=3)
    await bench.sent(await bench.lease())
    await bench.receive(
        *(bench.receipt(identifier, fate, part, reason="absent_subscriber", code="1")
          for part, fate in heard.items())
    )  # fmt: skip
    bench.now += 4 * DAY
    await bench.maintain()
    event = bench.events()[-1]
    assert (event["status"], event["reason"]["code"]) == (status, reason)
    assert [part["status"] for part in event["parts"]] == [
        heard.get(part, Status.SENT).public for part in (1, 2, 3)
    ]


async def test_receipts_without_a_response_become_orphans(bench: Bench):
    await bench.receive(bench.receipt(1), bench.receipt(2, carrier="op2"))
    bench.now += HOUR
    await bench.receive(bench.receipt(3))
    bench.now += 23 * HOUR + 1
    await bench.maintain()
    assert bench.sql("SELECT count(*) FROM parked") == [(1,)]
    assert bench.sql("SELECT count(*) FROM parked_keys") == [(1,)]
    assert (bench.metric(ORPHANS, "op1"), bench.metric(ORPHANS, "op2")) == (1, 1)


async def test_incomplete_replies_are_told_after_half_an_hour(bench: Bench):
    part = InboundPart("op1", "79160000001", "1234", "ST", bench.now, "shop", 7, 2, 1)
    assert await bench.store.inbound([part]) == []
    bench.now += HOUR
    await bench.maintain()
    (event,) = bench.events("message.inbound")
    assert (event["text"], event["complete"]) == ("ST", False)


async def test_texts_go_before_messages_and_messages_go_whole(bench: Bench, monkeypatch):
    monkeypatch.setattr(retention, "STEP", 7)
    monkeypatch.setattr(number_index, "RUN", 16)
    submission = bench.submission(40, new_batch=True, templated=True)
    for message in submission.messages:
        message.vars = '{"n":"1"}'
    await bench.store.accept([submission])
    single = bench.submission(20, templated=True, refs=[f"r{n}" for n in range(20)])
    for message in single.messages:
        message.vars = '{"n":"2"}'
    await bench.store.accept([single])
    leased = await bench.lease(60)
    await bench.sent(leased)
    await bench.receive(*(bench.receipt(m.id) for m in leased))
    late = await bench.accept(3, validity=200 * DAY, due=bench.now + 100 * DAY)
    await bench.maintain()

    bench.now += 7 * DAY - SECOND
    await bench.maintain()
    assert bench.sql("SELECT count(*) FROM contents WHERE erased") == [(0,)]
    bench.now += 2 * SECOND + 60 * SECOND
    await bench.maintain()
    assert bench.sql("SELECT count(*) FROM contents WHERE erased") == [(2,)]
    assert bench.sql("SELECT count(*) FROM messages WHERE vars IS NOT NULL") == [(0,)]
    (view,) = await bench.store.messages("shop", [leased[0].id])
    assert view is not None
    assert (view.text, view.vars, view.sender) == ("", None, "ACME")
    (view,) = await bench.store.messages("shop", [late[0]])
    assert view is not None
    assert view.text == "hello"

    bench.now += 83 * DAY + 60 * SECOND
    await bench.maintain()
    bench.now += 60 * SECOND
    await bench.maintain()
    assert bench.sql("SELECT id FROM messages ORDER BY id") == [(i,) for i in late]
    for table in ("parts", "batches", "batch_counts", "batch_ranges", "by_ref"):
        assert bench.sql(f"SELECT count(*) FROM {table}") == [(0,)], table
    assert bench.sql("SELECT count(*) FROM contents") == [(1,)]
    assert bench.metric(PRUNED, "messages") == 60
    # Of the index, the runs whose messages are all gone.
    assert bench.sql("SELECT count(*) FROM by_number") == bench.sql(
        "SELECT count(*) FROM by_number WHERE run IN (SELECT run FROM runs)"
    )
    bench.now += 20 * DAY
    assert len(await bench.lease()) == 3


async def test_an_unfinished_campaign_is_kept_whole(bench: Bench):
    submission = bench.submission(2, new_batch=BatchState.DRAFT, validity=300 * DAY)
    await bench.store.accept([submission])
    bench.now += 200 * DAY
    await bench.maintain()
    (view,) = await bench.store.messages("shop", [submission.messages[0].id])
    assert view is not None
    assert (view.text, view.status) == ("hello", Status.QUEUED)


async def test_the_index_of_numbers_and_references_finds_all(bench: Bench, monkeypatch):
    monkeypatch.setattr(number_index, "RUN", 50)
    ids = []
    for n in range(13):
        ids += await bench.accept(10, numbers=range(100, 110), refs=[f"r{n}"] * 10)
        if n % 4 == 0:
            await bench.maintain()
    assert bench.sql("SELECT count(*) FROM runs")[0][0] >= 2
    found = await bench.store.search(MessageFilter("shop", number=105), 100)
    assert [view.id for view in found] == ids[5::10][::-1]
    found = await bench.store.search(MessageFilter("shop", client_ref="r3"), 100)
    assert sorted(view.id for view in found) == ids[30:40]
    await bench.reopen()
    assert bench.store._memory.unindexed == 130 - bench.sql("SELECT count(*) FROM by_number")[0][0]


async def test_old_idempotency_keys_and_events_go(bench: Bench):
    await ended(bench, key="k")
    bench.now += 2 * DAY
    await bench.maintain()
    assert bench.sql("SELECT count(*) FROM idempotency") == [(0,)]
    assert len(bench.events()) == 2
    await ended(bench)
    bench.now += 3 * DAY + SECOND
    await bench.maintain()
    rows = bench.sql("SELECT position FROM events")
    assert len(rows) == 1  # the newest stays, so that positions only grow


async def test_a_step_is_short_and_the_next_goes_on_where_it_stopped(bench: Bench, monkeypatch):
    monkeypatch.setattr("gateway.store.sqlite.maintain.BUDGET", -1.0)
    await bench.accept(3, validity=HOUR)
    bench.now += HOUR
    steps = 0
    while bench.statuses() != {"expired": 3}:
        assert await bench.store.maintain(bench.now)
        steps += 1
        assert steps < 100
    assert steps > 1


async def test_nothing_to_do_says_so(bench: Bench, monkeypatch):
    # However busy the machine is: the budget is of wall time.
    monkeypatch.setattr("gateway.store.sqlite.maintain.BUDGET", 60.0)
    await bench.accept(3)
    assert await bench.store.maintain(bench.now) is False


async def test_the_index_waits_while_traffic_is_heavy_and_nobody_asks(bench: Bench, monkeypatch):
    monkeypatch.setattr(number_index, "RUN", 50)
    monkeypatch.setattr(number_index, "BUSY", 100)
    monkeypatch.setattr(number_index, "LONGEST_TAIL", 500)

    def runs() -> int:
        return int(bench.sql("SELECT count(*) FROM runs")[0][0])

    async def heavy_second() -> None:
        await bench.accept(60)
        await bench.lease(60)
        bench.now += SECOND
        await bench.maintain()

    await bench.maintain()
    for _ in range(8):
        await heavy_second()
    assert runs() == 0  # 480 wait
    await heavy_second()
    assert runs() == 1  # no more than so many wait
    bench.now += SECOND
    await bench.maintain()
    assert runs() == 540 // 50  # a quiet second
    await heavy_second()
    await heavy_second()
    assert runs() == 540 // 50
    found = await bench.store.search(MessageFilter("shop", number=bench.numbers - 1), 10)
    assert len(found) == 1
    await heavy_second()
    assert runs() == 720 // 50  # somebody asked
    for _ in range(61):
        bench.now += SECOND
        await heavy_second()
    asked = runs()
    await heavy_second()
    await heavy_second()
    assert runs() == asked  # but not lately
