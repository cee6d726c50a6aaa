"""Refusals: recorded, obeyed at once, and only as far as they go."""

from __future__ import annotations

import pytest
from workbench import Bench

from gateway.model import Status
from gateway.store.messages import OptOut
from gateway.store.sqlite import number_index

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


async def test_messages_in_the_index_are_found_as_well(bench: Bench, monkeypatch):
    monkeypatch.setattr(number_index, "RUN", 10)
    for _ in range(3):
        await bench.accept(12, numbers=range(N, N + 12))
    await bench.maintain()
    assert bench.sql("SELECT count(*) FROM runs") == [(3,)]
    entries = [OptOut("shop", N + n, "*", "*", bench.now, "import") for n in range(5)]
    assert await bench.store.opt_out(entries) == 15
    assert bench.statuses() == {"canceled": 15, "queued": 21}


async def test_refusals_survive_a_restart_and_a_repetition(bench: Bench):
    entry = OptOut("shop", N, "ACME", "*", bench.now, "STOP")
    await bench.store.opt_out([entry])
    await bench.store.opt_out([entry])
    await bench.reopen()
    assert await bench.store.opted_out("shop", "ACME", "service", [N]) == {N}
    await bench.accept(2, numbers=[N, N + 1])
    assert [m.number for m in await bench.lease()] == [N + 1]


async def test_a_long_import_lets_other_calls_in_between(bench: Bench):
    entries = [OptOut("shop", N + n, "*", "*", bench.now, "import") for n in range(400)]
    assert await bench.store.opt_out(entries) == 0
    assert await bench.store.opt_out([]) == 0
    numbers = [N - 1, N, N + 399, N + 400]
    assert await bench.store.opted_out("shop", "X", "y", numbers) == {N, N + 399}
    assert bench.sql("SELECT count(*) FROM opt_outs") == [(400,)]
    assert Status.CANCELED.public not in bench.statuses()
