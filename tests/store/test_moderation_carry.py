"""Decisions carried out: released or rejected in steps, whatever happened meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from held import HELD, carry_out, decide, held, item_of, items, text
from workbench import DAY, HOUR, SECOND, START, Bench

from gateway.metrics import MODERATION_CARRIED
from gateway.model import BatchState, Status
from gateway.store.messages import Content, Opening, OptOut, Replacement
from gateway.store.moderation import Claimed
from gateway.store.sqlite import carrying


def story(bench: Bench) -> list[tuple[str, str | None]]:
    """What customers are told after having been told that it is held."""
    return [
        (event["status"], event.get("reason", {}).get("code"))
        for event in bench.events()
        if event["status"] != "held_moderation"
    ]


async def test_approved_messages_leave_at_once_or_in_their_time(bench: Bench):
    now = await held(bench, 3)
    later = await held(bench, 2, due=START + HOUR)
    batch = await held(bench, 2, new_batch=True)
    told: list[str] = []
    bench.store.on_decided(lambda: told.append("decided"))
    bench.now += 60 * SECOND
    assert await bench.lease() == []
    assert await decide(bench) is Claimed.DONE
    assert told == ["decided"]
    bench.work_seen = 0
    await carry_out(bench)
    assert bench.work_seen == 1
    assert bench.statuses() == {"queued": 5, "scheduled": 2}
    assert Counter(story(bench)) == {("queued", None): 5, ("scheduled", None): 2}
    assert len({event["sequence"] for event in bench.events()[-7:]}) == 1
    bench.check()
    leased = await bench.lease()
    assert {m.id for m in leased} == {*now, *batch}
    assert [m.deadline for m in leased] == [START + DAY] * 5
    bench.now = START + HOUR
    assert [m.id for m in await bench.lease()] == later
    assert bench.metric(MODERATION_CARRIED, "shop", "released") == 7
    assert bench.store.items_waiting()["shop"].messages == 0
    assert bench.sql("SELECT * FROM held") == []
    assert items(bench) == [("hello", "approved", 7, START, 0)]
    bench.check()


async def test_rejected_messages_end(bench: Bench):
    ids = await held(bench, 3, new_batch=True)
    await decide(bench, approve=False)
    await carry_out(bench)
    assert bench.statuses() == {"rejected": 3}
    assert story(bench) == [("rejected", "moderation_rejected")] * 3
    assert bench.metric(MODERATION_CARRIED, "shop", "rejected") == 3
    view = (await bench.store.messages("shop", ids))[0]
    assert view is not None
    assert (view.reason, view.deadline, view.due) == ("moderation_rejected", None, None)
    bench.check()
    await bench.maintain()
    (finished,) = bench.events("batch.finished")
    assert finished["counts"] == {"rejected": 3}


async def test_later_messages_follow_the_decision(bench: Bench):
    await held(bench)
    await decide(bench)
    await carry_out(bench)
    told: list[str] = []
    bench.store.on_decided(lambda: told.append("decided"))
    (late,) = await held(bench)  # its admission had asked before the decision
    assert told == ["decided"]
    await carry_out(bench)
    assert {m.id for m in await bench.lease()} >= {late}
    assert items(bench) == [("hello", "approved", 2, START, 0)]


async def test_why_it_was_held_is_over_and_why_it_is_put_off_is_not(bench: Bench):
    stop, night = await held(bench, 2, due=START + HOUR)
    for one, reason in ((stop, 9), (night, 7)):
        await bench.store._writer.call(
            "test", lambda t, one=one, reason=reason: t.connection.execute(
                "UPDATE messages SET reason = ? WHERE id = ?", (reason, one))
        )  # fmt: skip
    await decide(bench)
    await carry_out(bench)
    assert story(bench) == [("scheduled", None), ("scheduled", "quiet_hours")]
    views = await bench.store.messages("shop", [stop, night])
    assert [view.reason for view in views if view] == [None, "quiet_hours"]


async def test_an_item_that_was_forgotten_before_its_turn_stops_no_other(bench: Bench):
    ids = await held(bench)
    await decide(bench)
    await bench.store.cancel("shop", ids, bench.now)
    bench.now += int(bench.settings.keep_messages * SECOND) + DAY
    await bench.maintain()
    assert items(bench) == []
    await held(bench, 1, "other")
    await decide(bench, "other")
    await carry_out(bench)
    assert bench.statuses() == {"queued": 1}
    assert bench.store._memory.moderation.undone(9) == []


async def test_what_happened_meanwhile_has_the_last_word(bench: Bench):
    ids = await held(bench, 5, validity=HOUR)
    (lasting,) = await held(bench, 1)
    expired, canceled, refused, replaced, again = ids
    await bench.store.cancel("shop", [canceled], bench.now)
    (number,) = [m.number for m in await bench.store.messages("shop", [refused]) if m]
    await bench.store.opt_out([OptOut("shop", number, "*", "*", bench.now, "api")])
    for one, status in ((replaced, Status.QUEUED), (again, HELD)):
        content = Content(bench.new_id(), "shop", "ACME", "new", "service")
        other = Replacement(one, content, 1, 0, status, bench.now, START + DAY, text=text("new"))
        await bench.store.replace("shop", [other], bench.now)
    assert [(row[0], row[4]) for row in items(bench)] == [("hello", 2), ("new", 1)]
    await decide(bench)
    bench.now += 2 * HOUR  # no sweep came between
    await carry_out(bench)
    views = await bench.store.messages("shop", [*ids, lasting])
    assert [Status(view.status).public for view in views if view] == [
        "expired", "canceled", "canceled", "queued", "held_moderation", "queued",
    ]  # fmt: skip
    assert {m.id for m in await bench.lease()} == {replaced, lasting}
    bench.check()
    # What has another text waits for that one's decision.
    await decide(bench, "new", approve=False)
    await carry_out(bench)
    (view,) = await bench.store.messages("shop", [again])
    assert view is not None
    assert view.status == Status.REJECTED
    assert expired
    bench.check()


@pytest.mark.parametrize("state", [BatchState.PAUSED, BatchState.CANCELED, BatchState.DRAFT])
async def test_a_batch_that_does_not_run_is_released_into_its_state(bench: Bench, state):
    draft = state is BatchState.DRAFT
    ids = await held(bench, 700, new_batch=state if draft else True)
    ((batch,),) = bench.sql("SELECT id FROM batches")
    if not draft:
        await bench.store.set_batch_state("shop", batch, state, bench.now)
    await decide(bench)
    if state is BatchState.CANCELED:
        await bench.store.maintain(bench.now)  # some are cancelled, some released, all end
    await carry_out(bench)
    bench.check()
    assert await bench.lease(1_000) == []
    if state is BatchState.CANCELED:
        await bench.maintain()
        assert bench.statuses() == {"canceled": 700}
    else:
        await bench.store.set_batch_state("shop", batch, BatchState.RUNNING, bench.now)
        assert [m.id for m in await bench.lease(1_000)] == ids
    bench.check()


async def test_the_time_it_was_held_is_given_back_where_validity_does_not_count(bench: Bench):
    bench.store.set_moderation(lambda account: account != "patient", 100)
    long, short = [
        (await held(bench, 1, account="patient", validity=v))[0] for v in (5 * HOUR, HOUR)
    ]
    (ahead,) = await held(bench, 1, account="patient", due=START + 4 * HOUR, validity=6 * HOUR)
    (counted,) = await held(bench, 1, validity=5 * HOUR)
    bench.now += 3 * HOUR
    await bench.maintain()
    for account in ("patient", "shop"):
        await decide(bench, account=account)
    await carry_out(bench)
    deadlines = dict(bench.sql("SELECT id, deadline FROM messages"))
    assert deadlines == {
        long: START + 8 * HOUR,  # all five are left
        short: START + 4 * HOUR,  # although the hour was over
        ahead: START + 6 * HOUR,  # it was judged ahead of its time: nothing was lost
        counted: START + 5 * HOUR,
    }
    assert bench.statuses() == {"queued": 3, "scheduled": 1}


async def test_a_step_is_short_and_items_take_turns(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(carrying, "BUDGET", -1.0)  # one list a step
    large = await held(bench, 3 * carrying.LIST + 1, "large", new_batch=True)
    (small,) = await held(bench, 1, "small")
    await decide(bench, "large")
    await decide(bench, "small")
    assert await bench.store.carry_out(bench.now)
    assert bench.statuses()["queued"] == carrying.LIST
    assert await bench.store.carry_out(bench.now)
    assert bench.statuses()["queued"] == carrying.LIST + 1
    assert (await bench.store.messages("shop", [small]))[0].status == Status.QUEUED  # type: ignore[union-attr]
    assert await carry_out(bench) == 3
    assert bench.statuses() == {"queued": len(large) + 1}
    assert not await bench.store.carry_out(bench.now)
    bench.check()


async def test_a_crash_between_steps_loses_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(carrying, "BUDGET", -1.0)
    ids = await held(bench, 2 * carrying.LIST + 5, new_batch=True)
    await held(bench, 4, "waits")
    await decide(bench)
    await bench.store.carry_out(bench.now)
    await bench.reopen(crash=True)
    assert bench.store.items_waiting()["shop"].messages == 4
    await carry_out(bench)
    assert bench.statuses() == {"queued": len(ids), "held_moderation": 4}
    assert story(bench) == [("queued", None)] * len(ids)
    leased = await bench.lease(10_000)
    assert [m.id for m in leased] == ids
    bench.check()


async def test_a_step_that_fails_leaves_all_as_it_was(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    await held(bench, 5, new_batch=True)
    await decide(bench)

    def full(*args: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(carrying.transitions, "count", full)
        with pytest.raises(OSError, match="disk full"):
            await bench.store.carry_out(bench.now)
    assert bench.statuses() == {"held_moderation": 5}
    bench.check()
    await carry_out(bench)
    assert bench.statuses() == {"queued": 5}
    bench.check()


async def test_codes_come_between_the_steps_of_a_large_release(bench: Bench):
    count = 20_000
    for _ in range(4):
        await held(bench, count // 4, new_batch=True)
    await decide(bench)
    order: list[str] = []

    async def carrying_out() -> None:
        while await bench.store.carry_out(bench.now):
            order.append("step")

    async def codes() -> None:
        while (bench.statuses()["held_moderation"]) > 0:
            (code,) = await bench.accept(1, lane="main/otp", category="transactional")
            assert [m.id for m in await bench.lease(lanes=("main/otp",))] == [code]
            order.append("code")

    await asyncio.gather(carrying_out(), codes())
    assert bench.statuses()["queued"] == count
    longest = max(len(run) for run in " ".join(order).replace("step", "s").split("code"))
    assert longest <= 9  # "s s s ": no code waited for more than a few steps
    bench.check()
    assert item_of(bench)


async def test_released_after_its_window_closed_it_waits_for_the_next(bench: Bench):
    (one,) = await held(bench, 1, closes=START + HOUR)
    morning = START + 12 * HOUR
    bench.store.on_closed(lambda closed, now: [Opening(morning, morning + HOUR) for _ in closed])
    bench.now += 2 * HOUR
    await decide(bench)
    await carry_out(bench)
    assert await bench.lease() == []
    bench.now = morning
    assert [m.id for m in await bench.lease()] == [one]
