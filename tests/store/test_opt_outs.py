"""Refusals: recorded, obeyed at once, and only as far as they go."""

from __future__ import annotations

import random
import sqlite3
import threading
from typing import Any

import pytest
from workbench import DAY, HOUR, START, Bench

from gateway.errors import StoreUnavailable
from gateway.metrics import (
    OPT_OUT_CANCELED,
    OPT_OUT_MARKS,
    OPT_OUT_MARKS_READY,
    OPT_OUTS,
    OPT_OUTS_RECORDED,
    OPT_OUTS_REMOVED,
    TASK_ERRORS,
)
from gateway.model import BatchState, Status
from gateway.store.messages import OptOut, Text
from gateway.store.sqlite import (
    marking,
    marks,
    number_index,
    opt_outs,
    opt_outs_cancel,
    opt_outs_memory,
    opt_outs_views,
    schema,
)

N = 79160000001


@pytest.mark.parametrize(
    ("sender", "category", "refused"),
    [
        ("*", "*", True), ("ACME", "*", True), ("ACME", "service", True), ("*", "service", True),
        ("OTHER", "*", False), ("ACME", "advertising", False), ("*", "advertising", False),
    ],
)  # fmt: skip
async def test_a_refusal_covers_its_sender_and_category(bench: Bench, sender, category, refused):
    await bench.accept(numbers=[N], new_batch=True)
    canceled = await bench.store.opt_out([OptOut("shop", N, sender, category, bench.now, "STOP")])
    assert canceled == refused
    assert await bench.store.opted_out("shop", "ACME", "service", [N, N + 1]) == (
        {N} if refused else set()
    )
    assert bench.statuses() == {"canceled" if refused else "queued": 1}
    if refused:
        (event,) = bench.events()
        assert event["reason"]["code"] == "opted_out"
    assert len(await bench.lease()) == (not refused)


async def test_a_refusal_is_one_accounts_and_one_numbers(bench: Bench):
    await bench.accept(2, numbers=[N, N + 1])
    await bench.accept(1, numbers=[N], account="bank")
    assert await bench.store.opt_out([OptOut("shop", N, "*", "*", bench.now, "STOP")]) == 1
    assert bench.statuses() == {"canceled": 1, "queued": 2}
    assert await bench.store.opted_out("bank", "ACME", "service", [N]) == set()
    assert await bench.store.opted_out("nobody", "ACME", "service", [N]) == set()


async def test_what_has_left_is_not_called_back(bench: Bench):
    await bench.accept(2, numbers=[N, N])
    (leased,) = await bench.lease(1)
    assert await bench.store.opt_out([OptOut("shop", N, "*", "*", bench.now, "STOP")]) == 1
    await bench.sent([leased])
    assert bench.statuses() == {"canceled": 1, "sent": 1}


async def test_refusals_survive_a_restart_and_a_repetition(bench: Bench):
    entry = OptOut("shop", N, "ACME", "*", bench.now, "STOP")
    await bench.store.opt_out([entry])
    await bench.store.opt_out([entry])
    await bench.reopen()
    assert await bench.store.opted_out("shop", "ACME", "service", [N]) == {N}
    await bench.accept(2, numbers=[N, N + 1])
    assert [m.number for m in await bench.lease()] == [N + 1]


def opt_out(number: int = N, sender: str = "*", category: str = "*", **more: Any) -> OptOut:
    more.setdefault("account", "shop")
    return OptOut(number=number, sender=sender, category=category, at=START, source="mo", **more)


async def refuses(bench: Bench, number: int = N, sender: str = "ACME", account: str = "shop"):
    return await bench.store.opted_out(account, sender, "service", [number]) == {number}


@pytest.mark.parametrize(
    ("recorded", "sent"), [("ACME", "acme"), ("acme", "ACME"), ("+777", "777"), ("777", "+777"),
                           ("ÄRA", "ära"), (" ACME\t", "Acme"), (" +777", "777")],
)  # fmt: skip
async def test_senders_are_compared_as_people_read_them(bench: Bench, recorded: str, sent: str):
    await bench.accept(1, numbers=[N], sender=sent)
    assert await bench.store.opt_out([opt_out(sender=recorded)]) == 1
    assert await refuses(bench, sender=sent)
    await bench.accept(1, numbers=[N], sender=sent)
    assert await bench.lease() == []
    assert await bench.store.opt_in("shop", [N], sent, "*", bench.now, "api") == 1
    assert not await refuses(bench, sender=recorded)


async def test_everyones_refusals_hold_for_all_accounts(bench: Bench):
    await bench.accept(1, numbers=[N], account="bank")
    await bench.accept(1, numbers=[N + 1], account="bank")
    assert not await refuses(bench, account="bank")
    assert await bench.store.opt_out([opt_out(account="*"), opt_out(N + 2, account="shop")]) == 1
    for account in ("bank", "shop", "nobody"):
        assert await refuses(bench, account=account)
        assert await refuses(bench, N + 2, account=account) == (account == "shop")
    await bench.reopen()
    assert await refuses(bench, account="nobody")
    await bench.accept(1, numbers=[N], account="bank")
    assert [m.number for m in await bench.lease()] == [N + 1]
    assert await bench.store.opt_in("bank", [N], "*", "*", bench.now, "mo") == 0
    assert await refuses(bench, account="bank")
    assert await bench.store.opt_in("*", [N], "*", "*", bench.now, "api") == 1
    assert not await refuses(bench, account="bank")


async def test_the_first_refusal_and_its_proof_stay(bench: Bench):
    proof = {"keyword": "STOP", "reply": "inb_1"}
    await bench.store.opt_out([opt_out(proof=proof), opt_out(proof={"keyword": "END"})])
    await bench.store.opt_out([opt_out(proof={"text": "later"})])
    (entry,) = await bench.store.opt_outs("shop", 10)
    assert (entry.proof, entry.source, entry.at, entry.removed) == (proof, "mo", START, None)
    (event,) = bench.events("optout.created")
    assert event == {
        "account": "shop", "number": f"+{N}", "sender": "*", "category": "*", "source": "mo",
        "at": "2027-01-15T08:00:00.000000Z", "proof": proof,
    }  # fmt: skip
    assert bench.metric(OPT_OUTS_RECORDED, "mo") == 1


async def test_what_was_taken_back_is_told_of_and_can_be_said_again(bench: Bench):
    await bench.store.opt_out([opt_out(), opt_out(N + 1), opt_out(sender="A", category="service")])
    assert await bench.store.opt_in("shop", [N], "B", "*", bench.now, "mo") == 0
    assert await bench.store.opt_in("shop", [N], "*", "*", bench.now + 5, "mo") == 2
    assert await bench.store.opt_in("shop", [N], "*", "*", bench.now + 6, "mo") == 0
    assert not await refuses(bench)
    assert await refuses(bench, N + 1)
    assert [e["sender"] for e in bench.events("optout.removed")] == ["*", "a"]
    seen = await bench.store.opt_outs("shop", 10)
    assert [one.number for one in seen] == [N + 1]
    both = await bench.store.opt_outs("shop", 10, removed=True)
    assert [(one.number, one.removed) for one in both] == [
        (N + 1, None), (N, bench.now + 5), (N, bench.now + 5),
    ]  # fmt: skip
    assert [one.position for one in both] == sorted({one.position for one in both})
    last = both[-1].position
    await bench.reopen()
    await bench.store.opt_out([opt_out(proof={"text": "again"})])
    (again,) = await bench.store.opt_outs("shop", 10, last)
    assert again.position > last
    assert (again.number, again.removed, again.proof) == (N, None, {"text": "again"})
    assert await refuses(bench)
    assert len(bench.events("optout.created")) == 4
    assert bench.metric(OPT_OUTS_REMOVED, "mo") == 2
    assert bench.metric(OPT_OUTS) == 2


async def test_pages_pass_over_what_was_taken_back(bench: Bench, monkeypatch):
    monkeypatch.setattr(opt_outs_views, "STEP", 7)
    await bench.store.opt_out([opt_out(N + n) for n in range(40)])
    await bench.store.opt_in(
        "shop", [N + n for n in range(40) if n % 10], "*", "*", bench.now, "api"
    )
    everybody, since = [], 0
    while page := await bench.store.opt_outs("shop", 3, since):
        assert len(page) <= 3
        everybody += [one.number for one in page]
        since = page[-1].position
    assert everybody == [N, N + 10, N + 20, N + 30]
    assert len(await bench.store.opt_outs("shop", 100, removed=True)) == 40
    assert len(await bench.store.opt_outs("shop", 9, number=N + 10)) == 1
    assert await bench.store.opt_outs("shop", 9, number=N + 11) == []
    assert await bench.store.opt_outs("bank", 9) == []


async def test_an_import_is_one_event_for_many_and_counts_what_is_new(bench: Bench):
    await bench.store.opt_out([opt_out(N + 3)])
    entries = [opt_out(N + n) for n in range(2_500)]
    random.Random(1).shuffle(entries)
    await bench.accept(10, numbers=range(N, N + 10))
    assert await bench.store.import_opt_outs(entries) == 2_499
    assert sum(event["recorded"] for event in bench.events("optout.imported")) == 2_499
    assert bench.statuses() == {"queued": 10}
    assert await bench.store.import_opt_outs(entries) == 0
    assert await bench.store.import_opt_outs([]) == 0
    assert len(bench.events("optout.imported")) == 5
    assert bench.sql("SELECT count(*) FROM opt_outs") == [(2_500,)]
    assert await bench.store.cancel_opted_out("shop", bench.now) == 10
    assert await bench.store.cancel_opted_out("nobody", bench.now) == 0
    assert bench.statuses() == {"canceled": 10}
    assert bench.metric(OPT_OUT_CANCELED, "arrival") == 10
    assert bench.metric(OPT_OUTS) == 2_500


async def test_none_is_leased_between_the_import_and_the_sweep(bench: Bench):
    await bench.accept(6, numbers=range(N, N + 6), new_batch=True)
    await bench.store.import_opt_outs([opt_out(N + n) for n in range(0, 6, 2)])
    assert [m.number for m in await bench.lease()] == [N + 1, N + 3, N + 5]
    assert bench.statuses() == {"canceled": 3, "sending": 3}
    assert bench.metric(OPT_OUT_CANCELED, "lease") == 3


@pytest.mark.parametrize("dear", [0, 10**9], ids=["sought", "walked"])
async def test_all_that_waits_is_found_wherever_it_waits(bench: Bench, monkeypatch, dear: int):
    monkeypatch.setattr(opt_outs_cancel, "DEAR", dear)
    monkeypatch.setattr(opt_outs_cancel, "STEP", 7)
    monkeypatch.setattr(opt_outs_cancel, "CANCEL_STEP", 4)
    monkeypatch.setattr(number_index, "RUN", 10)
    numbers = range(N, N + 12)
    await bench.accept(12, numbers=numbers)  # in the index
    await bench.maintain()
    await bench.accept(12, numbers=numbers, new_batch=True, lane="main/otp")
    await bench.accept(12, numbers=numbers, new_batch=BatchState.DRAFT)
    await bench.accept(12, numbers=numbers, due=bench.now + DAY, status=Status.SCHEDULED)
    for n, number in enumerate(numbers):
        await bench.accept(1, numbers=[number], due=bench.now + HOUR + n // 4)
    await bench.accept(12, numbers=numbers, account="bank")
    await bench.accept(12, numbers=numbers, sender="OTHER")
    entries = [opt_out(N + n, "ACME") for n in range(5)]
    assert await bench.store.opt_out(entries) == 25
    assert await bench.store.opt_out(entries) == 0
    left = bench.sql(
        "SELECT count(*) FROM messages AS m JOIN contents AS c ON c.id = m.content"
        " WHERE m.due >= 0 AND m.number < ? AND c.json ->> 'sender' = 'ACME'"
        " AND c.json ->> 'account' = 'shop'", N + 5,
    )  # fmt: skip
    assert left == [(0,)]
    assert bench.statuses()["canceled"] == 25
    assert await bench.store.opt_out([opt_out(N + 5, account="*")]) == 7
    assert await bench.store.opt_out([]) == 0


async def test_a_held_message_is_cancelled_too(bench: Bench):
    text = Text(b"f" * 16, "shop", "ACME", "service", "hello", ("ru/credit: hello",))
    held = bench.submission(2, numbers=[N, N + 1], status=Status.HELD_MODERATION)
    held.texts = [text]
    for message in held.messages:
        message.text, message.reason = 0, "stop_word"
    assert await bench.store.accept([held]) == [None]
    assert await bench.store.opt_out([opt_out()]) == 1
    assert bench.statuses() == {"canceled": 1, "held_moderation": 1}


async def test_the_answer_to_a_stop_is_let_through(bench: Bench):
    await bench.accept(1, numbers=[N], answer=True)
    await bench.accept(1, numbers=[N])
    assert await bench.store.opt_out([opt_out()]) == 1
    await bench.accept(1, numbers=[N], answer=True)
    assert len(await bench.lease()) == 2
    assert await bench.store.cancel_opted_out("shop", bench.now) == 0


async def test_the_one_who_refuses_is_found_before_the_marks_are_filled(bench: Bench):
    await bench.store.opt_out([opt_out(N + n) for n in range(50)])
    await bench.accept(3, numbers=[N - 1, N + 49, N + 50])
    await bench.store.close()
    bench.make()
    bench.store._marking = Unstarted()
    await bench.open()
    marks = bench.store._memory.opt_outs.marks
    assert not marks.ready
    assert await refuses(bench, N + 49)
    await bench.store.opt_out([opt_out(N - 1)])
    assert [m.number for m in await bench.lease()] == [N + 50]


class Unstarted:
    """A filling that never comes about."""

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass


async def test_the_marks_are_filled_behind_the_start_and_grow(bench: Bench, monkeypatch):
    monkeypatch.setattr(marks, "SMALLEST", 12)
    monkeypatch.setattr(opt_outs_memory, "STEP", 100)
    await bench.store.import_opt_outs([opt_out(N + n) for n in range(1_000)])
    await bench.reopen()
    bench.store._marking._thread.join()
    own = bench.store._memory.opt_outs
    assert own.marks.ready
    assert own.marks.entries == own.stand == 1_000
    before = own.marks.octets
    assert bench.metric(OPT_OUT_MARKS_READY) == 1
    assert bench.metric(OPT_OUT_MARKS) == before
    assert bench.metric(OPT_OUTS) == 1_000
    candidates = own.marks.candidates(1, range(N + 1_000, N + 11_000))
    assert len(candidates) < 100
    await bench.store.import_opt_outs([opt_out(N + n) for n in range(500, 4_000)])
    bench.store._marking._thread.join()
    await bench.store.maintain(bench.now)  # what came while it grew may have been much again
    bench.store._marking._thread.join()
    assert own.marks.octets > before
    assert not own.marks.full
    everybody = range(N, N + 4_000)
    assert await bench.store.opted_out("shop", "X", "y", everybody) == set(everybody)


async def test_a_filling_that_fails_is_made_again(bench: Bench, monkeypatch):
    await bench.store.import_opt_outs([opt_out(N + n) for n in range(100)])
    await bench.store.close()
    monkeypatch.setattr(marking, "RETRY", 0.0)
    failures = iter([sqlite3.OperationalError("disk I/O error")])
    opened = schema.open_reader

    def open_reader(*arguments: Any) -> sqlite3.Connection:
        if threading.current_thread().name == "aldis-marking":
            for failure in failures:
                raise failure
        return opened(*arguments)

    monkeypatch.setattr(schema, "open_reader", open_reader)
    bench.make()
    await bench.open()
    bench.store._marking._thread.join()
    assert bench.metric(TASK_ERRORS, "marking") == 1
    assert bench.store._memory.opt_outs.marks.ready
    assert await refuses(bench, N + 99)


async def test_a_refusal_that_could_not_be_stored_holds_for_nobody(bench: Bench):
    with pytest.raises(TypeError):
        await bench.store.opt_out([opt_out(account="*", proof={"text": Unspeakable()})])
    await bench.accept(1, numbers=[N], account="bank")
    assert bench.store._memory.opt_outs.marks.everyone is None
    assert not await refuses(bench, account="bank")
    assert await bench.store.opt_outs("*", 5) == []


class Unspeakable:
    """No JSON says this."""


@pytest.mark.parametrize("broken", [N + 600, N + 19_999], ids=["early", "in the last step"])
async def test_an_import_that_fails_midway_says_so(bench: Bench, monkeypatch, broken: int):
    record = opt_outs.import_step

    def fails(transaction: Any, memory: Any, entries: list[OptOut]) -> int:
        # By what is in it, not by its turn: a call may run twice.
        if any(one.number == broken for one in entries):
            raise sqlite3.OperationalError("disk I/O error")
        return record(transaction, memory, entries)

    monkeypatch.setattr(opt_outs, "import_step", fails)
    with pytest.raises(StoreUnavailable):
        await bench.store.import_opt_outs([opt_out(N + n) for n in range(20_000)])
    assert await refuses(bench, N)
    assert not await refuses(bench, broken)
