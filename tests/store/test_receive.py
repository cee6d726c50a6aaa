"""Receipts: monotonic, per part, in any order, before or after their response, once."""

from __future__ import annotations

import random
from itertools import permutations

import pytest
from workbench import SECOND, Bench, ReceiptFate, ReceiptNews

from gateway.metrics import FINISHED, ILLEGAL_TRANSITIONS
from gateway.model import Status
from gateway.store.messages import Outcome, Settled
from gateway.store.sqlite import correlation

D, E, U, F, R = (
    Status.DELIVERED, Status.EXPIRED, Status.UNDELIVERED, Status.FAILED, Status.REJECTED,
)  # fmt: skip


async def sent(bench: Bench, count: int = 1, **more) -> list[int]:
    ids = await bench.accept(count, **more)
    await bench.sent(await bench.lease(10 * count))
    return ids


async def test_a_receipt_ends_its_message_and_is_told(bench: Bench):
    (identifier,) = await sent(bench, new_batch=True, refs=["r"])
    bench.now += 3 * SECOND
    fates = await bench.receive(
        bench.receipt(identifier, U, reason="absent_subscriber", code="001")
    )
    assert fates == [ReceiptFate(0, bench.now - 3 * SECOND)]
    event = bench.events()[-1]
    assert (event["status"], event["sequence"], event["client_ref"]) == ("undelivered", 3, "r")
    assert event["at"] == "2027-01-15T08:00:03.000000Z"
    assert event["reason"] == {
        "code": "absent_subscriber", "permanent": False, "carrier_code": "001",
        "text": "The phone was off or away.",
    }  # fmt: skip
    assert "parts" not in event
    assert bench.metric(FINISHED, "undelivered") == 1
    (view,) = await bench.store.messages("shop", [identifier])
    assert view is not None
    assert (view.reason, view.carrier_code, view.updated) == (
        "absent_subscriber", "001", bench.now
    )  # fmt: skip
    assert view.part_list[0].status == U


async def test_the_same_receipt_again_changes_nothing(bench: Bench):
    (identifier,) = await sent(bench)
    receipt = bench.receipt(identifier)
    await bench.receive(receipt, receipt)
    (fate,) = await bench.receive(receipt)
    assert fate.matched == 0
    assert [event["status"] for event in bench.events()] == ["sent", "delivered"]


async def test_news_on_the_way_changes_nothing(bench: Bench):
    (identifier,) = await sent(bench)
    fates = await bench.receive(bench.receipt(identifier, Status.SENT))
    assert fates == [ReceiptFate(0, bench.now)]
    await bench.receive(bench.receipt(identifier))
    await bench.receive(bench.receipt(identifier, Status.SENT))  # a late ENROUTE
    assert bench.statuses() == {"delivered": 1}
    assert len(bench.events()) == 2


async def test_an_operator_that_changes_its_mind_is_counted(bench: Bench):
    (identifier,) = await sent(bench)
    await bench.receive(bench.receipt(identifier), bench.receipt(identifier, F))
    await bench.receive(bench.receipt(identifier, U))
    assert bench.statuses() == {"delivered": 1}
    assert bench.metric(ILLEGAL_TRANSITIONS, "delivered", "failed") == 1
    assert bench.metric(ILLEGAL_TRANSITIONS, "delivered", "undelivered") == 1


async def test_unknown_gives_way_to_evidence_even_within_one_call(bench: Bench):
    (identifier,) = await sent(bench, new_batch=True)
    await bench.receive(
        bench.receipt(identifier, Status.UNKNOWN, reason="outcome_unknown"),
        bench.receipt(identifier, D),
    )
    assert bench.statuses() == {"delivered": 1}
    assert [(e["status"], e["sequence"]) for e in bench.events()] == [
        ("sent", 2), ("unknown", 3), ("delivered", 4)
    ]  # fmt: skip


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize(
    ("fates", "worst"),
    [((D, D, D), D), ((D, E, D), E), ((U, E, D), U), ((U, F, D), F), ((R, F, U), R)],
)
async def test_a_long_message_is_as_bad_as_its_worst_part(bench: Bench, order, fates, worst):
    (identifier,) = await sent(bench, parts=3, new_batch=True)
    for n, part in enumerate(order):
        assert bench.statuses() == {"sent": 1}, n
        receipt = bench.receipt(identifier, fates[part], part + 1, code=f"c{part}")
        assert (await bench.receive(receipt, receipt))[0].sent_at == bench.now
    event = bench.events()[-1]
    assert event["status"] == worst.public
    assert event["parts"] == [
        {"part": n + 1, "status": fates[n].public, "carrier_code": f"c{n}"} for n in range(3)
    ]
    assert len(bench.events()) == 2


async def test_all_parts_in_one_call_are_one_change(bench: Bench):
    ids = await sent(bench, 40, parts=3, new_batch=True)
    receipts = [bench.receipt(i, D, part) for i in ids for part in (1, 2, 3)]
    random.Random(1).shuffle(receipts)
    await bench.receive(*receipts)
    assert bench.statuses() == {"delivered": 40}
    assert len(bench.events()) == 80


async def test_a_receipt_before_its_response_waits_for_it(bench: Bench):
    ids = await bench.accept(3, new_batch=True)
    leased = await bench.lease()
    early = [bench.receipt(i, s) for i, s in zip(ids, (D, U, Status.SENT), strict=True)]
    assert await bench.receive(*early) == [ReceiptFate(None)] * 3
    assert bench.statuses() == {"sending": 3}
    assert bench.sql("SELECT count(*) FROM parked") == [(2,)]  # ENROUTE would tell nothing later
    bench.check()
    await bench.sent(leased)
    assert bench.statuses() == {"delivered": 1, "undelivered": 1, "sent": 1}
    assert sorted(e["status"] for e in bench.events()) == [
        "delivered", "sent", "sent", "sent", "undelivered"
    ]  # fmt: skip
    assert bench.sql("SELECT count(*) FROM parked") == [(0,)]
    assert bench.sql("SELECT count(*) FROM parked_keys") == [(0,)]


async def test_a_parked_receipt_survives_a_restart(bench: Bench):
    (identifier,) = await bench.accept()
    leased = await bench.lease()
    await bench.receive(bench.receipt(identifier))
    memory = bench.store._memory
    await bench.store.close()
    bench.make()
    await bench.open()
    assert bench.store._memory.parked_keys == memory.parked_keys
    (leased,) = [await bench.lease()]  # the restart queued it again
    await bench.sent(leased)
    assert bench.statuses() == {"delivered": 1}


async def test_an_id_in_several_forms_matches_the_first_that_is_known(bench: Bench):
    (identifier,) = await sent(bench)
    (fate,) = await bench.receive(
        ReceiptNews("op1", ["0xabc", f"{identifier}-1", "2748"], D, bench.now)
    )
    assert fate.matched == 1
    assert bench.statuses() == {"delivered": 1}


async def test_a_parked_receipt_matches_by_any_of_its_forms_once(bench: Bench):
    await bench.accept(2)
    one, two = await bench.lease()
    await bench.receive(ReceiptNews("op1", ["7f", "127"], D, bench.now))
    await bench.store.settle([Settled(one, "op1", Outcome.SENT, bench.now, Status.SENT, ["127"])])
    assert bench.statuses() == {"delivered": 1, "sending": 1}
    await bench.store.settle([Settled(two, "op1", Outcome.SENT, bench.now, Status.SENT, ["7f"])])
    assert bench.statuses() == {"delivered": 1, "sent": 1}


async def test_the_same_id_at_another_carrier_is_another_message(bench: Bench):
    await bench.accept(2)
    one, two = await bench.lease()
    for message, carrier in ((one, "op1"), (two, "op2")):
        await bench.store.settle(
            [Settled(message, carrier, Outcome.SENT, bench.now, Status.SENT, ["1"])]
        )
    await bench.receive(ReceiptNews("op2", ["1"], D, bench.now))
    views = await bench.store.messages("shop", [one.id, two.id])
    assert [view.status for view in views if view] == [Status.SENT, D]


async def test_an_id_used_again_means_the_newest_message(bench: Bench):
    await bench.accept(2)
    for message in await bench.lease():
        await bench.store.settle(
            [Settled(message, "op1", Outcome.SENT, bench.now, Status.SENT, ["1"])]
        )
    await bench.receive(ReceiptNews("op1", ["1"], D, bench.now))
    assert bench.sql("SELECT status FROM messages ORDER BY id") == [(Status.SENT,), (D,)]


async def test_receipts_find_their_messages_after_a_restart(bench: Bench):
    ids = await sent(bench, 20)
    await bench.reopen()
    await bench.receive(*(bench.receipt(i) for i in ids))
    assert bench.statuses() == {"delivered": 20}


async def test_receipts_find_messages_that_have_left_memory(bench: Bench, monkeypatch):
    monkeypatch.setattr("gateway.store.sqlite.maintain.RECENT", 10)
    monkeypatch.setattr(correlation, "STEP", 30)
    ids = await sent(bench, 100, new_batch=True)
    answered, silent = ids[:70], ids[70:]
    await bench.receive(*(bench.receipt(i) for i in answered))
    await bench.maintain()
    assert bench.store._memory.correlation.size <= 10
    # Only what may still be heard of is indexed on disk.
    assert bench.sql("SELECT count(*) FROM parts_index") == [(20,)]
    again = await bench.receive(*(bench.receipt(i) for i in silent))
    assert [fate.matched for fate in again] == [0] * 30
    assert bench.statuses() == {"delivered": 100}


async def test_many_steps_in_one_call(bench: Bench):
    ids = [i for n in range(4) for i in await sent(bench, 20, new_batch=n % 2 == 0)]
    (long,) = await sent(bench, parts=2)
    fates = {i: ((D, U, F)[n % 3], f"{n % 7:03}") for n, i in enumerate(ids)}
    receipts = [bench.receipt(i, status, code=code) for i, (status, code) in fates.items()]
    receipts += [bench.receipt(long, D, part) for part in (2, 1)]
    receipts += [bench.receipt(ids[0], F), bench.receipt(ids[0] + 10**9, U)]
    random.Random(2).shuffle(receipts)
    # Of two final receipts of one message the first counts.
    first = next(one for one in receipts if one.keys == [f"{ids[0]}-1"])
    fates[ids[0]] = (first.status, first.carrier_code)
    told = await bench.receive(*receipts)
    assert [fate.matched for fate in told].count(None) == 1
    assert {fate.sent_at for fate in told} == {bench.now, None}
    rows = bench.sql("SELECT id, status, carrier_code FROM messages WHERE id != ?", long)
    assert {i: (status, code) for i, status, code in rows} == fates
    assert bench.sql("SELECT status FROM messages WHERE id = ?", long) == [(D,)]
    assert len(bench.events()) == 2 * 81


async def test_many_receipts_of_many_accounts_in_one_call(bench: Bench):
    ids = []
    for n in range(8):
        ids += await sent(bench, 20, account=f"account{n}", new_batch=n % 2 == 0)
    receipts = []
    for n, identifier in enumerate(ids):
        receipts.append(bench.receipt(identifier, (D, U, F)[n % 3], code=f"{n % 7:03}"))
        receipts[-1].at += n
    await bench.receive(*receipts)
    assert bench.statuses() == {"delivered": 54, "undelivered": 53, "failed": 53}
    at = {r.keys[0]: r.at for r in receipts}
    for identifier, updated in bench.sql("SELECT id, updated FROM messages"):
        assert updated == at[f"{identifier}-1"]
    assert bench.events_seen == {f"account{n}": 40 for n in range(8)}
