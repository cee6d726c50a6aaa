"""Leasing: durable, fair, never the same message twice, never what may not leave."""

from __future__ import annotations

import asyncio
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from workbench import HOUR, SECOND, START, Bench

from gateway.metrics import FINISHED, QUEUE_AGE
from gateway.model import BatchState, Status
from gateway.store.messages import Demand, OptOut
from gateway.store.sqlite.sources import shares


async def test_a_leased_message_is_durably_sending_and_tells_all(bench: Bench):
    (identifier,) = await bench.accept(refs=["r"], parts=2, category="advertising")
    bench.now += SECOND
    lease = await bench.store.lease([Demand("op1", ["main/bulk"], 10)], bench.now)
    (message,) = lease.taken[0]
    assert (message.id, message.parts, message.attempts, message.sequence) == (identifier, 2, 0, 1)
    assert (message.lane, message.account, message.batch) == ("main/bulk", "shop", None)
    assert (message.client_ref, message.created) == ("r", START)
    assert lease.contents[message.content].category == "advertising"
    assert bench.sql("SELECT status, due, sequence, updated FROM messages") == [
        (Status.SENDING, -bench.now, 1, bench.now)
    ]
    assert bench.events() == []  # a lease is no news
    assert lease.next_due is None


async def test_a_message_is_never_leased_twice(bench: Bench):
    ids = await bench.accept(50)
    lease = await bench.store.lease(
        [Demand("op1", ["main/bulk"], 20), Demand("op2", ["main/bulk"], 20)], bench.now
    )
    more = await bench.lease(20)
    leased = [m.id for m in lease.taken[0] + lease.taken[1] + more]
    assert len(lease.taken[0]) == len(lease.taken[1]) == 20
    assert sorted(leased) == sorted(ids)
    assert await bench.lease(20) == []


async def test_leases_in_flight_together_share_nothing(bench: Bench):
    ids = await bench.accept(100)
    taken = await asyncio.gather(*(bench.lease(15) for _ in range(10)))
    leased = [message.id for one in taken for message in one]
    assert sorted(leased) == sorted(ids)


async def test_lanes_are_asked_in_order(bench: Bench):
    await bench.accept(5, lane="main/bulk")
    await bench.accept(3, lane="main/otp")
    leased = await bench.lease(6, lanes=("main/otp", "main/service", "main/bulk"))
    assert Counter(message.lane for message in leased) == {"main/otp": 3, "main/bulk": 3}
    assert [message.lane for message in leased][:3] == ["main/otp"] * 3


async def test_what_is_due_later_waits_and_says_when(bench: Bench):
    await bench.accept(2, due=bench.now + HOUR, status=Status.SCHEDULED)
    await bench.accept(1, due=bench.now + 2 * HOUR, status=Status.HELD_QUIET)
    lease = await bench.store.lease([Demand("op1", ["main/bulk"], 9)], bench.now)
    assert (lease.taken, lease.next_due) == ([[]], bench.now + HOUR)
    bench.now += HOUR
    lease = await bench.store.lease([Demand("op1", ["main/bulk"], 9)], bench.now)
    assert (len(lease.taken[0]), lease.next_due) == (2, bench.now + HOUR)
    bench.now += HOUR
    assert len(await bench.lease()) == 1


async def test_the_next_due_time_is_past_while_more_waits(bench: Bench):
    await bench.accept(10)
    lease = await bench.store.lease([Demand("op1", ["main/bulk"], 4)], bench.now)
    assert lease.next_due is not None
    assert lease.next_due <= bench.now


async def test_the_oldest_due_leaves_first(bench: Bench):
    late = await bench.accept(1, due=bench.now + 2)
    early = await bench.accept(1, due=bench.now + 1)
    bench.now += 5
    assert [message.id for message in await bench.lease()] == early + late


async def test_accounts_share_evenly_whatever_their_backlogs(bench: Bench):
    await bench.accept(1_000, account="big")
    await bench.accept(30, account="small")
    await bench.accept(10, account="tiny")
    leased = await bench.lease(60)
    assert Counter(m.account for m in leased) == {"big": 25, "small": 25, "tiny": 10}


async def test_campaigns_of_an_account_share_evenly(bench: Bench):
    for count in (500, 200, 5):
        await bench.accept(count, new_batch=True)
    await bench.accept(100)  # its single messages are a source like a campaign
    leased = await bench.lease(65)
    assert sorted(Counter(m.batch for m in leased).values()) == [5, 20, 20, 20]


async def test_with_a_small_window_every_source_gets_its_turn(bench: Bench):
    accounts = [f"account{n}" for n in range(7)]
    for account in accounts:
        await bench.accept(40, account=account, new_batch=True)
    served: Counter[str] = Counter()
    for _ in range(70):
        served.update(m.account for m in await bench.lease(3))
    assert set(served.values()) == {30}


async def test_more_sources_than_one_lease_asks_are_all_served(bench: Bench):
    for n in range(150):
        await bench.accept(2, account=f"account{n % 3}", new_batch=True)
    leased = []
    for _ in range(10):
        leased += await bench.lease(100)
    assert len({m.id for m in leased}) == 300


async def test_messages_are_leased_whole(bench: Bench):
    await bench.accept(3, parts=[2, 3, 1])
    first = await bench.lease(4)
    assert [m.parts for m in first] == [2]  # 3 do not fit, and 1 must not overtake them
    assert [m.parts for m in await bench.lease(4)] == [3, 1]


async def test_one_that_does_not_fit_blocks_its_own_source_only(bench: Bench):
    await bench.accept(2, account="long", parts=4)
    await bench.accept(5, account="short")
    leased = await bench.lease(3)
    assert Counter(m.account for m in leased) == {"short": 3}


async def test_long_messages_do_not_starve_among_many_sources(bench: Bench):
    for n in range(20):
        await bench.accept(3, account=f"account{n}", parts=3)
    leased = []
    for _ in range(30):
        leased += await bench.lease(6)
    assert len(leased) == 60


async def test_one_longer_than_the_window_leaves_when_nothing_is_outstanding(bench: Bench):
    await bench.accept(1, parts=12)
    await bench.accept(1, parts=1)
    assert await bench.lease(10) == []
    assert [m.parts for m in await bench.lease(10, idle=True)] == [12]
    assert [m.parts for m in await bench.lease(10)] == [1]


async def test_paused_and_draft_campaigns_are_passed_over(bench: Bench):
    draft = bench.submission(2, new_batch=BatchState.DRAFT)
    running = bench.submission(2, new_batch=True)
    await bench.store.accept([draft, running])
    batch = running.content.batch
    assert batch is not None
    assert {m.batch for m in await bench.lease(1)} == {batch}
    await bench.store.set_batch_state("shop", batch, BatchState.PAUSED, bench.now)
    lease = await bench.store.lease([Demand("op1", ["main/bulk"], 9)], bench.now)
    assert (lease.taken, lease.next_due) == ([[]], None)
    await bench.store.set_batch_state("shop", batch, BatchState.RUNNING, bench.now)
    assert len(await bench.lease()) == 1
    work = bench.work_seen
    await bench.store.set_batch_state("shop", draft.content.batch, BatchState.RUNNING, bench.now)
    assert bench.work_seen == work + 1
    assert len(await bench.lease()) == 2


async def test_messages_held_for_moderation_are_not_leased(bench: Bench):
    await bench.accept(2, status=Status.HELD_MODERATION)
    assert await bench.lease() == []
    assert bench.store.depths() == []


async def test_what_is_past_its_deadline_expires_instead(bench: Bench):
    ids = await bench.accept(2, validity=HOUR, new_batch=True, refs=["a", "b"])
    await bench.accept(1, validity=3 * HOUR)
    bench.now += HOUR
    leased = await bench.lease()
    assert len(leased) == 1
    events = bench.events()
    assert [e["status"] for e in events] == ["expired"] * 2
    assert [e["reason"]["code"] for e in events] == ["validity_expired"] * 2
    assert [e["sequence"] for e in events] == [1, 1]
    assert [e["client_ref"] for e in events] == ["a", "b"]
    views = await bench.store.messages("shop", ids)
    assert {view.status for view in views if view} == {Status.EXPIRED}
    assert bench.metric(FINISHED, "expired") == 2


async def test_a_refusal_is_obeyed_in_the_lease_itself(bench: Bench):
    numbers = [79160000001, 79160000002, 79160000003]
    # Admitted before the STOP and stored after it: the sweep at the STOP itself found nothing.
    await bench.store.opt_out([OptOut("shop", numbers[1], "*", "*", bench.now, "test")])
    await bench.accept(3, numbers=numbers, new_batch=True)
    leased = await bench.lease()
    assert sorted(m.number for m in leased) == [79160000001, 79160000003]
    (event,) = bench.events()
    assert (event["to"], event["status"]) == ("+79160000002", "canceled")
    assert event["reason"]["code"] == "opted_out"


async def test_depths_tell_what_waits(bench: Bench):
    await bench.accept(3, due=bench.now + HOUR)
    await bench.accept(2, due=bench.now + SECOND)
    await bench.accept(1, lane="main/otp")
    depths = {depth.lane: (depth.waiting, depth.oldest_due) for depth in bench.store.depths()}
    assert depths == {"main/bulk": (5, bench.now + SECOND), "main/otp": (1, bench.now)}


async def test_an_unknown_lane_has_nothing(bench: Bench):
    lease = await bench.store.lease([Demand("op1", ["no/bulk"], 9)], bench.now)
    assert (lease.taken, lease.next_due) == ([[]], None)


@settings(deadline=None)  # a busy machine is no fault of the code
@given(st.integers(0, 200), st.lists(st.integers(0, 50), max_size=12))
def test_shares_are_as_even_as_capacities_allow(total, capacities):
    result = shares(total, capacities)
    assert sum(result) == min(total, sum(capacities))
    assert all(0 <= got <= most for got, most in zip(result, capacities, strict=True))
    short = [got for got, most in zip(result, capacities, strict=True) if got < most]
    assert not short or max(result) - min(short) <= 1


async def test_what_a_source_turns_out_not_to_have_goes_to_the_others(bench: Bench):
    later = await bench.accept(900, account="a", due=bench.now + HOUR)
    await bench.accept(10, account="a")
    await bench.accept(900, account="b")
    leased = await bench.lease(500)
    assert len({m.id for m in leased}) == 500
    assert Counter(m.account for m in leased) == {"a": 10, "b": 490}
    assert not {m.id for m in leased} & set(later)


async def test_how_long_messages_waited_is_observed_for_those_that_leave(bench: Bench):
    await bench.accept(3, due=bench.now + 10 * SECOND)
    await bench.accept(1, lane="main/otp")
    await bench.accept(1, validity=SECOND)  # its time will be over
    bench.now += 12 * SECOND
    lanes = ("main/otp", "main/bulk")
    assert len(await bench.lease(lanes=lanes)) == 4

    def observed(lane: str, what: str) -> float | None:
        return bench.metrics.registry.get_sample_value(f"{QUEUE_AGE.name}_{what}", {"lane": lane})

    assert (observed("main/bulk", "count"), observed("main/bulk", "sum")) == (3, 6)
    assert (observed("main/otp", "count"), observed("main/otp", "sum")) == (1, 12)


async def test_large_campaigns_take_turns_and_small_ones_are_gathered(bench: Bench):
    for _ in range(20):
        await bench.accept(100, new_batch=True)
    first = Counter(message.batch for message in await bench.lease(160))
    second = Counter(message.batch for message in await bench.lease(160))
    assert set(first.values()) == set(second.values()) == {10}
    assert len(first) == len(second) == 16
    assert len(first | second) == 20
    for _ in range(60):
        await bench.accept(2, lane="main/otp", new_batch=True)
    assert len(await bench.lease(120, lanes=["main/otp"])) == 120
