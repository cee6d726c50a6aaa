"""Windows that close while a message waits, and what is held or left out when it is accepted."""

from __future__ import annotations

from collections.abc import Sequence

from workbench import DAY, HOUR, Bench

from gateway.model import BatchState, Status
from gateway.store.messages import Closed, Demand, Ineligible, Opening, OptOut
from gateway.store.sqlite import lease


class Hours:
    """Rules a test sets: every closed message opens `after` from now, for an hour."""

    def __init__(self, bench: Bench, after: int | None = 10 * HOUR) -> None:
        self.after = after
        self.asked: list[Closed] = []
        bench.store.on_closed(self)

    def __call__(self, closed: Sequence[Closed], now: int) -> list[Opening]:
        self.asked += closed
        if self.after is None:
            return [Opening(None)] * len(closed)
        return [Opening(now + self.after, now + self.after + HOUR)] * len(closed)


async def test_a_message_leaves_while_its_window_is_open(bench: Bench):
    hours = Hours(bench)
    await bench.accept(2, closes=bench.now + HOUR)
    await bench.accept(1)
    bench.now += HOUR - 1
    assert len(await bench.lease()) == 3
    assert hours.asked == []


async def test_a_closed_one_is_put_off_with_an_event_and_leaves_when_it_opens(bench: Bench):
    hours = Hours(bench)
    submission = bench.submission(3, closes=bench.now + HOUR, new_batch=True, zone="Asia/Tokyo")
    await bench.store.accept([submission])
    await bench.accept(1)
    bench.now += HOUR
    demand = Demand("op1", ["main/bulk"], 10)
    answer = await bench.store.lease([demand], bench.now)
    assert len(answer.taken[0]) == 1
    assert answer.next_due == bench.now + hours.after
    assert {(one.zone, one.content.id) for one in hours.asked} == {
        ("Asia/Tokyo", submission.content.id)
    }
    assert [(e["status"], e["sequence"], e["reason"]["code"]) for e in bench.events()] == [
        ("held_quiet", 1, "quiet_hours")
    ] * 3
    bench.check()
    await bench.sent(answer.taken[0])
    await bench.reopen()
    again = Hours(bench)
    bench.now += 10 * HOUR
    taken = await bench.lease()
    assert {m.id for m in taken} == {m.id for m in submission.messages}
    assert {m.sequence for m in taken} == {2}
    assert again.asked == []
    bench.check()


async def test_put_off_twice_is_told_once(bench: Bench):
    hours = Hours(bench)
    await bench.accept(1, closes=bench.now + HOUR, validity=2 * DAY)
    bench.now += 2 * HOUR
    assert await bench.lease() == []
    bench.now += 12 * HOUR  # nobody took it in its hour
    assert await bench.lease() == []
    assert len(hours.asked) == 2
    assert [e["status"] for e in bench.events()] == ["held_quiet"]
    bench.now += 10 * HOUR
    assert len(await bench.lease()) == 1


async def test_a_message_that_is_to_be_dropped_ends(bench: Bench):
    hours = Hours(bench, None)
    await bench.accept(2, closes=bench.now + HOUR, new_batch=True)
    bench.now += HOUR
    assert await bench.lease() == []
    assert len(hours.asked) == 2
    assert bench.statuses() == {"rejected": 2}
    assert {e["reason"]["code"] for e in bench.events()} == {"quiet_hours"}
    assert [depth.waiting for depth in bench.store.depths()] == [0]
    bench.check()


async def test_its_time_is_over_before_its_window_matters(bench: Bench):
    hours = Hours(bench)
    await bench.accept(1, closes=bench.now + HOUR, validity=HOUR)
    bench.now += HOUR
    assert await bench.lease() == []
    assert hours.asked == []
    assert bench.statuses() == {"expired": 1}


async def test_rules_that_have_changed_may_let_it_go_after_all(bench: Bench):
    Hours(bench, 0)
    await bench.accept(2, closes=bench.now + HOUR)
    bench.now += 2 * HOUR
    assert len(await bench.lease()) == 2


async def test_an_evening_full_of_closed_messages_lets_others_through_at_once(
    bench: Bench, monkeypatch
):
    monkeypatch.setattr(lease, "MOST_PASSED", 400)
    Hours(bench)
    await bench.accept(1_000, closes=bench.now + HOUR, new_batch=True)
    (open_one,) = await bench.accept(1, due=bench.now + 2)
    bench.now += HOUR
    demand = Demand("op1", ["main/bulk"], 1)
    turns = 0
    while True:
        answer = await bench.store.lease([demand], bench.now)
        turns += 1
        if answer.taken[0]:
            break
        assert answer.more, "a lease that passed over so many must say that it left some"
    assert [m.id for m in answer.taken[0]] == [open_one]
    assert turns <= 3
    while (await bench.store.lease([demand], bench.now)).more:
        pass
    assert bench.statuses() == {"held_quiet": 1_000, "sending": 1}
    bench.check()


async def test_an_answer_to_a_stop_reaches_who_refuses(bench: Bench):
    number = 79161112233
    await bench.store.opt_out([OptOut("shop", number, "*", "*", bench.now, "mo")])
    await bench.accept(1, numbers=[number], answer=True)
    await bench.accept(1, numbers=[number])
    assert len(await bench.lease()) == 1
    assert bench.statuses() == {"sending": 1, "canceled": 1}


async def test_what_is_held_or_put_off_at_once_is_told_with_its_reason(bench: Bench):
    night = bench.submission(
        2, new_batch=True, status=Status.HELD_QUIET, due=bench.now + HOUR, reason="quiet_hours",
        closes=bench.now + 2 * HOUR,
    )  # fmt: skip
    held = bench.submission(1, status=Status.HELD_MODERATION, reason="stop_word", refs=["r1"])
    await bench.store.accept([night, held])
    told = [(e["status"], e["reason"]["code"], e["sequence"]) for e in bench.events()]
    assert told == [("held_quiet", "quiet_hours", 1)] * 2 + [("held_moderation", "stop_word", 1)]
    views = await bench.store.messages("shop", [m.id for m in (*night.messages, *held.messages)])
    assert [view.reason for view in views if view] == ["quiet_hours"] * 2 + ["stop_word"]
    assert {view.sequence for view in views if view} == {1}
    assert await bench.lease() == []
    bench.now += HOUR
    taken = await bench.lease()
    assert {m.sequence for m in taken} == {2}
    await bench.sent(taken)
    views = await bench.store.messages("shop", [m.id for m in night.messages])
    assert [view.reason for view in views if view] == [None, None]
    bench.check()


async def test_every_excluded_recipient_is_an_event(bench: Bench):
    submission = bench.submission(1, new_batch=BatchState.RUNNING)
    submission.ineligible = [
        Ineligible(1, "12", "invalid_number", "2 digits", "r-1"),
        Ineligible(2, "+79161234567", "opted_out", "the recipient has opted out"),
    ]
    await bench.store.accept([submission])
    told = bench.events("message.excluded")
    assert [(e["index"], e["to"], e["reason"]["code"]) for e in told] == [
        (1, "12", "invalid_number"), (2, "+79161234567", "opted_out"),
    ]  # fmt: skip
    assert told[0]["client_ref"] == "r-1"
    assert "client_ref" not in told[1]
    assert {e["batch"] for e in told} == {told[0]["batch"]}
    # In the end the counts add up to what came in.
    await bench.store.cancel("shop", [submission.messages[0].id], bench.now)
    await bench.maintain()
    (finished,) = bench.events("batch.finished")
    assert (finished["recipients"], finished["ineligible"]) == (3, 2)
    assert finished["counts"] == {"canceled": 1}


async def test_a_window_outlives_a_day(bench: Bench):
    Hours(bench, 3 * DAY)
    await bench.accept(1, closes=bench.now + HOUR, validity=2 * DAY)
    bench.now += HOUR
    assert await bench.lease() == []
    bench.now += 2 * DAY
    await bench.maintain()
    assert bench.statuses() == {"expired": 1}
