"""Settling: every lease ends once, with its event, its parts and its place in the counts."""

from __future__ import annotations

import pytest
from workbench import HOUR, SECOND, Bench

from gateway.ids import decode
from gateway.metrics import FINISHED, ILLEGAL_TRANSITIONS
from gateway.model import IllegalTransition, Status
from gateway.store.messages import LateAnswer, Outcome, Sent, Settled


async def test_sent_is_told_and_the_parts_are_known(bench: Bench):
    (identifier,) = await bench.accept(parts=2, refs=["r"], metadata={"campaign": "x"})
    (message,) = await bench.lease()
    bench.now += SECOND
    await bench.sent([message])
    (event,) = bench.events()
    assert event.pop("message").startswith("msg_")
    assert event.pop("to") == f"+{message.number}"
    assert event == {
        "account": "shop", "status": "sent", "carrier": "op1", "sequence": 2,
        "at": "2027-01-15T08:00:01.000000Z", "client_ref": "r", "metadata": {"campaign": "x"},
    }  # fmt: skip
    assert bench.sql("SELECT status, due, sequence, attempts, updated FROM messages") == [
        (Status.SENT, None, 2, 1, bench.now)
    ]
    (view,) = await bench.store.messages("shop", [identifier])
    assert view is not None
    assert [(p.part, p.carrier, p.operator_id, p.status) for p in view.part_list] == [
        (1, "op1", f"{identifier}-1", Status.SENT), (2, "op1", f"{identifier}-2", Status.SENT),
    ]  # fmt: skip
    assert bench.events_seen == {"shop": 1}


async def test_without_receipts_a_sent_message_ends_as_unknown(bench: Bench):
    await bench.accept()
    await bench.sent(await bench.lease(), receipts=False)
    (event,) = bench.events()
    assert (event["status"], event["reason"]["code"]) == ("unknown", "outcome_unknown")
    assert bench.metric(FINISHED, "unknown") == 1


async def test_a_retry_goes_back_to_a_lane_in_silence(bench: Bench):
    await bench.accept(new_batch=True)
    (message,) = await bench.lease()
    due = bench.now + 5 * SECOND
    await bench.store.settle(
        [bench.result(message, Outcome.RETRY, Status.QUEUED, due=due, lane="main/bulk/op1",
                      attempts=1, reason="network_error", carrier_code="8")]
    )  # fmt: skip
    assert bench.events() == []
    assert await bench.lease(lanes=["main/bulk", "main/bulk/op1"]) == []
    bench.now = due
    assert await bench.lease() == []
    (again,) = await bench.lease(lanes=["main/bulk/op1"])
    assert (again.id, again.attempts, again.sequence) == (message.id, 1, 3)


async def test_a_throttled_message_keeps_its_attempts(bench: Bench):
    await bench.accept()
    for _ in range(3):
        (message,) = await bench.lease()
        assert message.attempts == 0
        await bench.store.settle([bench.result(message, Outcome.RETRY, Status.QUEUED)])


async def test_the_next_carrier_begins_to_count_from_nothing(bench: Bench):
    await bench.accept()
    (message,) = await bench.lease()
    await bench.store.settle([bench.result(message, Outcome.UNKNOWN, Status.QUEUED, attempts=2)])
    (message,) = await bench.lease()
    assert message.attempts == 2
    for outcome in (Outcome.UNKNOWN, Outcome.RETRY):
        moved = bench.result(message, outcome, Status.QUEUED, lane="main/bulk/op1", attempts=0)
        await bench.store.settle([moved])
        (message,) = await bench.lease(lanes=["main/bulk/op1"], carrier="op2")
        assert message.attempts == 0


async def test_a_failed_message_ends_with_its_reason(bench: Bench):
    await bench.accept(new_batch=True)
    (message,) = await bench.lease()
    await bench.store.settle(
        [bench.result(message, Outcome.FAILED, Status.REJECTED, reason="operator_blocked",
                      carrier_code="0x445", attempts=1)]
    )  # fmt: skip
    (event,) = bench.events()
    assert event["status"] == "rejected"
    assert event["reason"] == {
        "code": "operator_blocked", "permanent": True, "carrier_code": "0x445",
        "text": "The operator blocked the message.",
    }  # fmt: skip
    (view,) = await bench.store.messages("shop", [message.id])
    assert view is not None
    assert (view.reason, view.carrier_code, view.attempts) == ("operator_blocked", "0x445", 1)


async def test_a_reason_of_a_carriers_own_does_not_stop_the_list(bench: Bench):
    await bench.accept(2)
    one, two = await bench.lease()
    await bench.store.settle(
        [
            bench.result(one, Outcome.FAILED, Status.FAILED, reason="weather"),
            bench.result(two, Outcome.FAILED, Status.FAILED, reason="network_error"),
        ]
    )
    assert [event["reason"]["code"] for event in bench.events()] == ["weather", "network_error"]


@pytest.mark.parametrize("status", [Status.QUEUED, Status.UNKNOWN])
async def test_an_unknown_outcome_is_told_either_way(bench: Bench, status: Status):
    await bench.accept(new_batch=True)
    (message,) = await bench.lease()
    await bench.store.settle([bench.result(message, Outcome.UNKNOWN, status)])
    (event,) = bench.events()
    assert event["status"] == status.public
    assert bench.statuses() == {status.public: 1}
    if status is Status.QUEUED:
        assert event["reason"]["code"] == "outcome_unknown"
        (again,) = await bench.lease()
        assert again.attempts == 1


async def test_a_list_with_every_outcome_is_one_call(bench: Bench):
    await bench.accept(60, new_batch=True)
    await bench.accept(60, account="bank")
    leased = await bench.lease(120)
    results = []
    for n, message in enumerate(leased):
        at = bench.now + n  # each its own time: more steps than statements are worth
        outcome, status = [
            (Outcome.SENT, Status.SENT), (Outcome.RETRY, Status.QUEUED),
            (Outcome.FAILED, Status.REJECTED), (Outcome.FAILED, Status.EXPIRED),
            (Outcome.UNKNOWN, Status.QUEUED), (Outcome.UNKNOWN, Status.UNKNOWN),
        ][n % 6]  # fmt: skip
        results.append(
            Settled(message, f"op{n % 3}", outcome, at, status, [f"id{n}"] if n % 6 == 0 else ())
        )
    await bench.store.settle(results)
    assert bench.statuses() == {
        "sent": 20, "queued": 40, "rejected": 20, "expired": 20, "unknown": 20
    }  # fmt: skip
    assert len(bench.events()) == 100
    stored = dict(bench.sql("SELECT id, updated FROM messages"))
    assert all(stored[r.message.id] == r.at for r in results)


async def test_what_was_simply_sent_comes_in_columns(bench: Bench):
    await bench.accept(3, new_batch=True)
    await bench.accept(2, account="shop")
    await bench.accept(1, account="bank", refs=["r"])
    leased = await bench.lease(6)
    *told, silent = leased
    at = bench.now + SECOND
    names = [f"{message.id}-1" for message in told]
    names[1] = ""  # an operator that gives no id for one of them
    early = bench.receipt(told[2].id)
    assert [fate.matched for fate in await bench.receive(early)] == [None]
    await bench.store.settle(
        [], [Sent("op1", at, True, told, names), Sent("op2", at, False, [silent], ["z"])]
    )
    assert bench.statuses() == {"sent": 4, "delivered": 1, "unknown": 1}
    stored = bench.sql("SELECT message, part, operator_id, sent_at FROM parts ORDER BY message")
    assert stored == sorted(
        [(m.id, 1, n, at) for m, n in zip(told, names, strict=True) if n]
        + [(silent.id, 1, "z", at)]
    )
    sent = [event for event in bench.events() if event["status"] == "sent"]
    assert {(event["account"], "batch" in event) for event in sent} <= {
        ("shop", True), ("shop", False), ("bank", False)
    }  # fmt: skip
    assert len(sent) == 5
    assert {event["at"] for event in sent} == {"2027-01-15T08:00:01.000000Z"}
    rows = bench.sql("SELECT DISTINCT attempts, sequence FROM messages WHERE status = 6")
    assert rows == [(1, 2)]
    bench.check()


async def test_many_short_columns_are_one_call(bench: Bench):
    await bench.accept(9, new_batch=True)
    leased = await bench.lease(9)
    names = [f"{message.id}-1" for message in leased]
    names[4] = ""
    await bench.receive(bench.receipt(leased[7].id))  # before its response
    await bench.store.settle(
        [],
        [
            Sent("op1", bench.now + n, True, [message], [name])
            for n, (message, name) in enumerate(zip(leased, names, strict=True))
        ],
    )
    assert bench.statuses() == {"sent": 8, "delivered": 1}
    stored = bench.sql("SELECT operator_id, sent_at FROM parts ORDER BY sent_at")
    assert stored == [(name, bench.now + n) for n, name in enumerate(names) if name]
    fates = await bench.receive(*(bench.receipt(message.id) for message in leased))
    assert [fate.matched for fate in fates] == [None if n == 4 else 0 for n in range(9)]
    assert bench.statuses() == {"sent": 1, "delivered": 8}
    bench.check()


async def test_columns_that_repeat_a_message_count_once(tmp_path):
    bench = Bench(tmp_path)
    bench.make(strict=False)
    await bench.open()
    await bench.accept(3)
    one, two, three = await bench.lease()
    sent = Sent("op1", bench.now, True, [one, two], ["a", "b"])
    await bench.store.settle([bench.result(three, Outcome.FAILED, Status.FAILED)], [sent, sent])
    assert bench.statuses() == {"sent": 2, "failed": 1}
    assert bench.metric(ILLEGAL_TRANSITIONS, "sending", "sent") == 2
    assert len(bench.sql("SELECT * FROM parts")) == 2
    bench.check()
    await bench.store.close()


async def test_a_result_without_a_lease_is_counted_and_ignored(tmp_path):
    bench = Bench(tmp_path)
    bench.make(strict=False)
    await bench.open()
    await bench.accept(2)
    one, two = await bench.lease()
    await bench.sent([one])
    await bench.sent([one, two])
    await bench.store.settle([bench.result(one, Outcome.FAILED, Status.REJECTED)])
    assert bench.statuses() == {"sent": 2}
    assert len(bench.events()) == 2
    assert bench.metric(ILLEGAL_TRANSITIONS, "sending", "sent") == 1
    assert bench.metric(ILLEGAL_TRANSITIONS, "sending", "rejected") == 1
    bench.check()
    await bench.store.close()


async def test_a_result_without_a_lease_raises_in_tests(bench: Bench):
    await bench.accept()
    leased = await bench.lease()
    await bench.sent(leased)
    with pytest.raises(IllegalTransition):
        await bench.sent(leased)
    assert bench.statuses() == {"sent": 1}


async def test_a_late_answer_takes_a_resend_back(bench: Bench):
    (identifier,) = await bench.accept(new_batch=True)
    (message,) = await bench.lease()
    await bench.store.settle([bench.result(message, Outcome.UNKNOWN, Status.QUEUED)])
    await bench.store.settle_late([LateAnswer(identifier, "op1", 1, 1, "late-1", bench.now)])
    assert bench.statuses() == {"sent": 1}
    assert await bench.lease() == []
    assert [event["status"] for event in bench.events()] == ["queued", "sent"]
    assert [event["sequence"] for event in bench.events()] == [2, 3]
    receipt = bench.receipt(identifier)
    receipt.keys = ["late-1"]
    (fate,) = await bench.receive(receipt)
    assert fate.matched == 0
    assert bench.statuses() == {"delivered": 1}


async def test_a_long_resend_is_taken_back_when_every_part_was_taken(bench: Bench):
    (identifier,) = await bench.accept(parts=3)
    (message,) = await bench.lease()
    await bench.store.settle(
        [bench.result(message, Outcome.UNKNOWN, Status.QUEUED, operator_ids=["", "b", ""])]
    )
    await bench.store.settle_late([LateAnswer(identifier, "op1", 1, 3, "a", bench.now)])
    assert bench.statuses() == {"queued": 1}
    await bench.store.settle_late([LateAnswer(identifier, "op1", 3, 3, "c", bench.now)])
    assert bench.statuses() == {"sent": 1}


async def test_a_late_answer_during_the_resend_keeps_its_receipt(bench: Bench):
    (identifier,) = await bench.accept()
    (message,) = await bench.lease()
    await bench.store.settle([bench.result(message, Outcome.UNKNOWN, Status.QUEUED)])
    (again,) = await bench.lease()
    await bench.store.settle_late([LateAnswer(identifier, "op1", 1, 1, "first", bench.now)])
    receipt = bench.receipt(identifier)
    receipt.keys = ["first"]
    await bench.receive(receipt)
    assert bench.statuses() == {"sending": 1}
    await bench.sent([again])
    assert bench.statuses() == {"delivered": 1}
    assert [event["status"] for event in bench.events()] == ["queued", "sent", "delivered"]


async def test_a_late_answer_to_one_given_up_finds_its_receipt(bench: Bench):
    (identifier,) = await bench.accept(new_batch=True)
    (message,) = await bench.lease()
    await bench.store.settle([bench.result(message, Outcome.UNKNOWN, Status.UNKNOWN)])
    await bench.receive(bench.receipt(identifier))  # even a receipt from before the answer
    assert bench.statuses() == {"unknown": 1}
    await bench.store.settle_late(
        [LateAnswer(identifier, "op1", 1, 1, f"{identifier}-1", bench.now)]
    )
    assert bench.statuses() == {"delivered": 1}


async def test_an_overdue_retry_expires_in_the_next_lease(bench: Bench):
    await bench.accept(validity=HOUR)
    (message,) = await bench.lease()
    bench.now += 2 * HOUR
    await bench.maintain()  # a leased message belongs to its link
    assert bench.statuses() == {"sending": 1}
    await bench.store.settle([bench.result(message, Outcome.RETRY, Status.QUEUED)])
    assert await bench.lease() == []
    assert bench.statuses() == {"expired": 1}


async def test_events_of_a_long_list_fill_rows_of_500(bench: Bench):
    await bench.accept(700, new_batch=True, metadata={"campaign": "x"})
    await bench.accept(600, refs=[f"r{n}" if n % 2 else None for n in range(600)])
    leased = await bench.lease(1300)
    await bench.sent(leased[:3])
    names = [str(n) for n in range(1297)]
    await bench.store.settle([], [Sent("op1", bench.now, True, leased[3:], names)])
    counts = bench.sql("SELECT count, json_array_length('[' || body || ']') FROM events")
    assert all(count == held <= 500 for count, held in counts)
    assert len(counts) <= 5
    events = {event["message"]: event for event in bench.events()}
    assert len(events) == 1300
    assert sum("metadata" in event for event in events.values()) == 700
    assert {event["client_ref"] for event in events.values() if "client_ref" in event} == {
        f"r{n}" for n in range(1, 600, 2)
    }
    numbers = {message.id: message.number for message in leased}
    assert {(decode("msg", id), event["to"]) for id, event in events.items()} == {
        (id, f"+{number}") for id, number in numbers.items()
    }


@pytest.mark.parametrize("columns", [False, True])
async def test_fewer_parts_than_counted_end_by_their_receipts(bench: Bench, columns: bool):
    (identifier,) = await bench.accept(parts=3)  # a carrier that takes message_payload: one PDU
    (message,) = await bench.lease()
    if columns:
        sent = Sent("op1", bench.now, True, [message], [f"{identifier}-1"])
        await bench.store.settle([], [sent])
    else:
        await bench.store.settle(
            [bench.result(message, Outcome.SENT, Status.SENT, operator_ids=[f"{identifier}-1"])]
        )
    await bench.receive(bench.receipt(identifier))
    assert bench.statuses() == {"delivered": 1}


async def test_more_parts_than_counted_are_all_waited_for(bench: Bench):
    (identifier,) = await bench.accept(parts=2)
    (message,) = await bench.lease()
    ids = [f"{identifier}-{part}" for part in (1, 2, 3)]
    await bench.store.settle([bench.result(message, Outcome.SENT, Status.SENT, operator_ids=ids)])
    await bench.receive(bench.receipt(identifier), bench.receipt(identifier, part=2))
    assert bench.statuses() == {"sent": 1}
    await bench.receive(bench.receipt(identifier, Status.UNDELIVERED, part=3))
    assert bench.statuses() == {"undelivered": 1}


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.FAILED, Status.REJECTED),
        (Outcome.FAILED, Status.FAILED),
        (Outcome.RETRY, Status.QUEUED),
    ],
)
async def test_a_delivery_is_believed_whatever_a_later_attempt_met(
    bench: Bench, outcome: Outcome, status: Status
):
    (identifier,) = await bench.accept(new_batch=True)
    (message,) = await bench.lease()
    await bench.store.settle([bench.result(message, Outcome.UNKNOWN, Status.QUEUED)])
    (again,) = await bench.lease()
    await bench.store.settle_late([LateAnswer(identifier, "op1", 1, 1, "first", bench.now)])
    receipt = bench.receipt(identifier)
    receipt.keys = ["first"]
    await bench.receive(receipt)
    assert bench.statuses() == {"sending": 1}
    await bench.store.settle([bench.result(again, outcome, status, reason="operator_blocked")])
    assert bench.statuses() == {"delivered": 1}
    assert await bench.lease() == []
    bench.check()
