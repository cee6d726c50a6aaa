"""Campaigns: states, counts, their end; and messages called back."""

from __future__ import annotations

import pytest
from workbench import HOUR, Bench

from gateway.model import BATCH_TRANSITIONS, BatchState, Status
from gateway.store.sqlite import batches


async def campaign(bench: Bench, count: int, state: BatchState = BatchState.RUNNING) -> int:
    submission = bench.submission(count, new_batch=state)
    await bench.store.accept([submission])
    assert submission.content.batch is not None
    return submission.content.batch


async def state_of(bench: Bench, batch: int) -> BatchState:
    view = await bench.store.batch("shop", batch)
    assert view is not None
    return view.state


@pytest.mark.parametrize("target", list(BatchState))
@pytest.mark.parametrize("start", [BatchState.DRAFT, BatchState.RUNNING, BatchState.PAUSED])
async def test_only_the_tables_steps_are_taken(bench: Bench, start, target):
    batch = await campaign(bench, 1, start)
    assert await bench.store.set_batch_state("shop", batch, target, bench.now) is start
    allowed = target in BATCH_TRANSITIONS[start]
    assert await state_of(bench, batch) is (target if allowed else start)


async def test_another_accounts_batch_does_not_exist(bench: Bench):
    batch = await campaign(bench, 1)
    for account in ("bank", "nobody"):
        state = await bench.store.set_batch_state(account, batch, BatchState.PAUSED, bench.now)
        assert state is None
    assert await state_of(bench, batch) is BatchState.RUNNING


async def test_a_pause_survives_a_restart(bench: Bench):
    batch = await campaign(bench, 3)
    await bench.store.set_batch_state("shop", batch, BatchState.PAUSED, bench.now)
    await bench.reopen()
    assert await bench.lease() == []
    assert bench.store.depths()[0].waiting == 3
    await bench.store.set_batch_state("shop", batch, BatchState.RUNNING, bench.now)
    assert len(await bench.lease()) == 3


async def test_cancelling_ends_what_waits_in_steps(bench: Bench, monkeypatch):
    monkeypatch.setattr(batches, "CANCEL_STEP", 10)
    batch = await campaign(bench, 42)
    leased = await bench.lease(5)
    await bench.accept(7)
    await bench.store.set_batch_state("shop", batch, BatchState.CANCELED, bench.now)
    assert {m.batch for m in await bench.lease(3)} == {None}  # at once, before any step
    assert await bench.maintain() >= 4
    assert bench.statuses() == {"canceled": 37, "sending": 8, "queued": 4}
    assert {e["reason"]["code"] for e in bench.events()} == {"canceled"}
    assert bench.events("batch.finished") == []
    # What was on its way is settled as ever; what comes back is cancelled.
    await bench.store.settle([bench.result(m, "retry", Status.QUEUED) for m in leased[:2]])
    await bench.sent(leased[2:])
    await bench.receive(*(bench.receipt(m.id) for m in leased[2:]))
    await bench.maintain()
    (event,) = bench.events("batch.finished")
    assert event["state"] == "canceled"
    assert event["counts"] == {"delivered": 3, "canceled": 39}
    assert await state_of(bench, batch) is BatchState.CANCELED


async def test_recipients_added_to_a_cancelled_campaign_are_cancelled(bench: Bench):
    submission = bench.submission(2, new_batch=True)
    await bench.store.accept([submission])
    batch = submission.content.batch
    await bench.store.set_batch_state("shop", batch, BatchState.CANCELED, bench.now)
    await bench.maintain()
    await bench.reopen()
    await bench.store.accept([bench.submission(2, content=submission.content)])
    assert await bench.lease() == []
    await bench.maintain()
    assert bench.statuses() == {"canceled": 4}


async def test_held_messages_of_a_cancelled_campaign_end_too(bench: Bench):
    submission = bench.submission(3, new_batch=True, status=Status.HELD_MODERATION)
    await bench.store.accept([submission])
    await bench.store.set_batch_state(
        "shop", submission.content.batch, BatchState.CANCELED, bench.now
    )
    await bench.maintain()
    assert bench.statuses() == {"canceled": 3}


async def test_a_campaign_finishes_when_its_last_message_ends(bench: Bench):
    batch = await campaign(bench, 4)
    empty = await campaign(bench, 0)
    leased = await bench.lease()
    await bench.sent(leased)
    await bench.receive(*(bench.receipt(m.id) for m in leased[1:]))
    await bench.maintain()
    assert await state_of(bench, batch) is BatchState.RUNNING
    await bench.receive(bench.receipt(leased[0].id, Status.UNDELIVERED))
    await bench.maintain()
    assert await state_of(bench, batch) is BatchState.FINISHED
    assert await state_of(bench, empty) is BatchState.RUNNING  # its recipients are still to come
    (event,) = bench.events("batch.finished")
    assert event["counts"] == {"delivered": 3, "undelivered": 1}
    assert (event["account"], event["state"]) == ("shop", "finished")
    await bench.maintain()
    await bench.reopen()
    await bench.maintain()
    assert len(bench.events("batch.finished")) == 1


async def test_a_campaign_that_ended_just_before_a_crash_is_still_finished(bench: Bench):
    batch = await campaign(bench, 1)
    leased = await bench.lease()
    await bench.sent(leased)
    await bench.receive(bench.receipt(leased[0].id))
    await bench.reopen()
    await bench.maintain()
    assert await state_of(bench, batch) is BatchState.FINISHED


async def test_counts_are_those_of_the_messages(bench: Bench):
    batch = await campaign(bench, 10)
    leased = await bench.lease(6)
    await bench.sent(leased[:3])
    view = await bench.store.batch("shop", batch)
    assert view is not None
    assert view.counts == {Status.QUEUED: 4, Status.SENDING: 3, Status.SENT: 3}


async def test_cancel_calls_back_what_has_not_left(bench: Bench):
    ids = await bench.accept(2)
    held = await bench.accept(1, status=Status.HELD_MODERATION, due=bench.now + HOUR)
    other = await bench.accept(1, account="bank")
    (leased,) = await bench.lease(1)
    assert leased.id == ids[0]
    before = await bench.store.cancel("shop", [*ids, *held, *other, 1], bench.now)
    assert before == [Status.SENDING, Status.QUEUED, Status.HELD_MODERATION, None, None]
    assert bench.statuses() == {"sending": 1, "canceled": 2, "queued": 1}
    told = ["held_moderation", "canceled", "canceled"]
    assert [e["status"] for e in bench.events()] == told
    again = await bench.store.cancel("shop", ids[1:], bench.now)
    assert again == [Status.CANCELED]
    assert len(bench.events()) == len(told)
