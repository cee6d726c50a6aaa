"""Accepting: all or nothing, once for each key, on disk before the answer."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest
from msgspec import structs
from workbench import DAY, HOUR, SECOND, START, Bench

from gateway.errors import Busy
from gateway.metrics import STORE_COMMITS
from gateway.model import BatchState, Status
from gateway.store.messages import Content, Ineligible, Outcome, StoredAnswer


async def test_a_message_is_on_disk_as_it_was_given(bench: Bench):
    submission = bench.submission(1, refs=["ord-1"], metadata={"campaign": "x"}, parts=2)
    message = submission.messages[0]
    message.vars, message.encoding = '{"n":"1"}', 1
    assert await bench.store.accept([submission]) == [None]
    row = bench.sql(
        "SELECT m.id, n.name, batch, content, number, l.name, status, sequence, due, deadline,"
        " attempts, parts, encoding, updated, vars, client_ref FROM messages AS m"
        " JOIN names AS n ON n.id = account JOIN names AS l ON l.id = lane"
    )
    assert row == [
        (message.id, "shop", None, submission.content.id, message.number, "main/bulk",
         Status.QUEUED, 0, START, START + DAY, 0, 2, 1, START, '{"n":"1"}', "ord-1")
    ]  # fmt: skip
    (view,) = await bench.store.messages("shop", [message.id])
    assert view is not None
    assert (view.text, view.metadata, view.sender) == ("hello", {"campaign": "x"}, "ACME")


async def test_the_text_of_a_thousand_messages_is_stored_once(bench: Bench):
    await bench.accept(1_500)
    assert bench.sql("SELECT count(*) FROM contents") == [(1,)]
    assert bench.sql("SELECT count(*) FROM messages") == [(1_500,)]


async def test_the_same_key_is_answered_as_before_and_stores_nothing(bench: Bench):
    first = bench.submission(2, key="k1", body=b'{"a":1}')
    again = bench.submission(2, key="k1", body=b'{"b":2}')
    other = bench.submission(1, key="k2")
    assert await bench.store.accept([first]) == [None]
    kept = StoredAnswer(b'{"a":1}'.ljust(32), 202, b'{"a":1}')
    assert await bench.store.accept([again, other]) == [kept, None]
    assert bench.sql("SELECT count(*) FROM messages") == [(3,)]
    assert await bench.store.answered("shop", "POST /v1/messages", "k1") == kept
    # Another account's key of the same name is another key.
    assert await bench.store.accept([bench.submission(key="k1", account="bank")]) == [None]


async def test_the_same_key_twice_in_one_call_counts_once(bench: Bench):
    one, two = bench.submission(key="k", body=b"1"), bench.submission(key="k", body=b"2")
    assert await bench.store.accept([one, two]) == [None, StoredAnswer(b"1".ljust(32), 202, b"1")]
    assert bench.sql("SELECT count(*) FROM messages") == [(1,)]


async def test_the_same_key_from_two_calls_at_once_counts_once(bench: Bench):
    answers = await asyncio.gather(
        *(bench.store.accept([bench.submission(key="k", body=b"%d" % n)]) for n in range(20))
    )
    assert sorted(answer[0] is None for answer in answers) == [False] * 19 + [True]
    assert bench.sql("SELECT count(*) FROM messages") == [(1,)]


async def test_a_key_is_free_again_after_a_day(bench: Bench):
    await bench.accept(key="k")
    bench.now += 25 * HOUR
    assert await bench.store.answered("shop", "POST /v1/messages", "k") is None
    await bench.accept(key="k")


async def test_a_batch_is_stored_with_its_recipients_and_exclusions(bench: Bench):
    submission = bench.submission(3, new_batch=BatchState.DRAFT)
    batch = submission.content.batch
    assert batch is not None
    submission.ineligible = [Ineligible(1, "+33", "invalid_number", "too short", "r")]
    await bench.store.accept([submission])
    more = bench.submission(2, content=submission.content)
    more.ineligible = [Ineligible(5, "+34", "duplicate", "")]
    bench.now += SECOND
    await bench.store.accept([more])
    view = await bench.store.batch("shop", batch)
    assert view is not None
    assert (view.recipients, view.accepted, view.ineligible) == (7, 5, 2)
    assert (view.state, view.counts, view.options) == (
        BatchState.DRAFT, {Status.QUEUED: 5}, {"p": 1}
    )  # fmt: skip
    assert view.updated == START + SECOND
    assert [one.position for one in await bench.store.ineligible(batch, 10)] == [1, 5]
    assert len(await bench.store.batch_messages(batch, None, 10)) == 5


async def test_too_many_waiting_messages_are_refused_and_nothing_is_stored(tmp_path):
    bench = Bench(tmp_path, max_waiting=10)
    await bench.open()
    await bench.accept(8)
    with pytest.raises(Busy):
        await bench.store.accept([bench.submission(3)])
    # Calls that wait for a commit count as well.
    full = await asyncio.gather(
        *(bench.store.accept([bench.submission(1)]) for _ in range(4)), return_exceptions=True
    )
    assert [isinstance(one, Busy) for one in full] == [False, False, True, True]
    assert bench.sql("SELECT count(*) FROM messages") == [(10,)]
    await bench.sent(await bench.lease(5))
    await bench.accept(5)
    await bench.store.close()


async def test_runs_of_messages_alike_and_single_ones_are_stored_as_given(bench: Bench):
    submission = bench.submission(
        350,
        new_batch=True,
        parts=[1] * 150 + [2, 1, 2] * 10 + [2] * 170,
        refs=[f"r{n}" if n % 3 else None for n in range(350)],
    )
    for n, message in enumerate(submission.messages):
        message.vars = None if n % 2 else f'{{"n":"{n}"}}'
        message.encoding = n >= 340
        if n >= 300:
            message.due += HOUR
            message.status = Status.SCHEDULED
        if n >= 345:
            message.lane = "main/otp"
    await bench.store.accept([submission, bench.submission(2)])
    rows = bench.sql(
        "SELECT m.id, m.number, n.name, m.status, m.due, m.deadline, m.parts, m.encoding, m.vars,"
        " m.client_ref FROM messages AS m JOIN names AS n ON n.id = m.lane WHERE m.batch NOT NULL"
        " ORDER BY m.id"
    )
    assert rows == [structs.astuple(message)[:10] for message in submission.messages]
    assert {lane.lane: lane.waiting for lane in bench.store.depths()} == {
        "main/bulk": 347,
        "main/otp": 5,
    }
    bench.check()


async def test_what_waits_for_an_account_is_known(bench: Bench):
    waiting = bench.store.waiting
    assert waiting("shop") == 0
    under_way = asyncio.ensure_future(bench.store.accept([bench.submission(4)]))
    await asyncio.sleep(0)
    assert waiting("shop") >= 4  # on its way to disk
    await under_way
    await bench.accept(3, account="other", new_batch=BatchState.DRAFT)
    assert (waiting("shop"), waiting("other")) == (4, 3)
    bad = bench.submission(2)
    bad.messages[1].id = bad.messages[0].id
    with pytest.raises(sqlite3.IntegrityError):
        await bench.store.accept([bad])
    first, *_ = await bench.lease(3)
    assert waiting("shop") == 1
    await bench.store.settle(
        [bench.result(first, Outcome.RETRY, Status.QUEUED, due=bench.now, lane="main/bulk")]
    )
    assert waiting("shop") == 2
    await bench.reopen()
    assert bench.store.waiting("other") == 3


async def test_a_call_that_cannot_be_done_does_nothing_and_harms_no_other(bench: Bench):
    good = [bench.submission(5) for _ in range(6)]
    bad = bench.submission(5)
    bad.messages[3].id = bad.messages[2].id  # as if ids were given twice
    calls = [*good[:3], bad, *good[3:]]
    results = await asyncio.gather(
        *(bench.store.accept([one]) for one in calls), return_exceptions=True
    )
    assert [type(one) for one in results] == [list] * 3 + [sqlite3.IntegrityError] + [list] * 3
    assert bench.sql("SELECT count(*) FROM messages") == [(30,)]
    assert bench.sql("SELECT count(*) FROM contents") == [(6,)]
    assert bench.store.depths()[0].waiting == 30
    # Its content is not thought to be stored: the next upload stores it.
    await bench.store.accept([bench.submission(1, content=bad.content)])
    assert len(await bench.lease(100)) == 31


async def test_calls_that_wait_share_a_commit(bench: Bench):
    before = bench.metric(STORE_COMMITS)
    await asyncio.gather(*(bench.store.accept([bench.submission(2)]) for _ in range(100)))
    assert bench.metric(STORE_COMMITS) - before < 20


async def test_work_is_announced_after_the_commit(bench: Bench):
    seen: list[int] = []
    bench.store.on_work(lambda: seen.append(bench.sql("SELECT count(*) FROM messages")[0][0]))
    await bench.accept(3)
    assert seen == [3]


async def test_ids_go_on_after_the_greatest_known_one(bench: Bench):
    (last,) = (await bench.accept(1))[-1:]
    bench.now -= HOUR  # the clock was set back while the gateway was down
    await bench.reopen()
    assert bench.new_id() > last


async def test_recipients_for_a_batch_of_nobody_are_refused(bench: Bench):
    await bench.accept(1)
    submission = bench.submission(1, new_batch=True)
    await bench.store.accept([submission])
    for account, batch in (("shop", 12345), ("bank", submission.content.batch)):
        with pytest.raises(ValueError, match="no batch"):
            await bench.store.accept([bench.submission(2, account=account, batch=batch)])
    assert bench.sql("SELECT count(*) FROM messages") == [(2,)]


async def test_a_finished_campaign_runs_again_with_new_recipients(bench: Bench):
    submission = bench.submission(1, new_batch=True)
    batch = submission.content.batch
    assert batch is not None
    await bench.store.accept([submission])
    leased = await bench.lease()
    await bench.sent(leased)
    await bench.receive(bench.receipt(leased[0].id))
    await bench.maintain()
    assert (await bench.store.batch("shop", batch)).state is BatchState.FINISHED
    await bench.store.accept([bench.submission(1, content=submission.content)])
    assert (await bench.store.batch("shop", batch)).state is BatchState.RUNNING
    leased = await bench.lease()
    assert len(leased) == 1
    await bench.sent(leased)
    await bench.receive(bench.receipt(leased[0].id))
    await bench.maintain()
    assert [event["counts"] for event in bench.events("batch.finished")] == [
        {"delivered": 1}, {"delivered": 2}
    ]  # fmt: skip


async def test_every_account_and_text_survives_any_character(bench: Bench):
    text = 'x"\\\u0000\u2028é😀{{n}}'
    content = Content(bench.new_id(), "shop", "ACME", text, "service")
    await bench.store.accept([bench.submission(1, content=content, refs=['"quoted" \\ é'])])
    leased = await bench.lease()
    assert leased[0].client_ref == '"quoted" \\ é'
    await bench.sent(leased)
    assert bench.events()[0]["client_ref"] == '"quoted" \\ é'
    (view,) = await bench.store.messages("shop", [leased[0].id])
    assert view is not None
    assert view.text == text
