"""The loop that carries decisions out: at once, from a start on, and on after an error."""

from __future__ import annotations

import asyncio

import pytest
from held import decide, held
from workbench import HOUR, SECOND, START, Bench

from gateway import housekeeping
from gateway.errors import StoreUnavailable
from gateway.housekeeping import Housekeeping
from gateway.metrics import (
    MODERATION_ITEMS,
    MODERATION_MESSAGES,
    MODERATION_OLDEST,
    STORE_ERRORS,
    TASK_ERRORS,
)
from gateway.store.sqlite import carrying


class Released:
    """Awaits the commit after which so many messages of the bench are released."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._again = asyncio.Event()
        bench.store.on_work(self._again.set)

    async def wait(self, count: int) -> None:
        async with asyncio.timeout(30):
            while self._bench.statuses()["queued"] < count:
                self._again.clear()
                await self._again.wait()


async def test_a_decision_is_carried_out_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    # Were it left to a tick, the test would time out.
    monkeypatch.setattr(housekeeping, "UPKEEP_EVERY", 3600.0)
    released = Released(bench)
    keeper = Housekeeping(bench.store, bench.metrics, lambda: bench.now)
    keeper.start()
    try:
        count = 0
        for n in range(5):
            count += len(await held(bench, 10 * carrying.LIST if n == 2 else 1, f"text {n}"))
            await decide(bench, f"text {n}")
            await released.wait(count)
    finally:
        await keeper.stop()
    bench.check()


async def test_a_start_goes_on_where_the_last_run_ended(bench: Bench):
    await held(bench, 5)
    await decide(bench)
    await bench.reopen(crash=True)
    released = Released(bench)
    keeper = Housekeeping(bench.store, bench.metrics, lambda: bench.now)
    keeper.start()
    await released.wait(5)
    await keeper.stop()


@pytest.mark.parametrize("error", [StoreUnavailable("full"), ValueError("ours")])
async def test_an_error_does_not_end_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    monkeypatch.setattr(housekeeping, "CARRY_AGAIN", 0.0)
    real = carrying.carry_out
    calls = 0

    def fails_at_first(*args):  # type: ignore[no-untyped-def]
        nonlocal calls
        calls += 1
        if calls <= 2:  # a call that fails beside others is run twice
            raise error
        return real(*args)

    monkeypatch.setattr(carrying, "carry_out", fails_at_first)
    released = Released(bench)
    await held(bench, 5)
    await decide(bench)
    keeper = Housekeeping(bench.store, bench.metrics, lambda: bench.now)
    keeper.start()
    await released.wait(5)
    await keeper.stop()
    counted = (
        bench.metric(TASK_ERRORS, "decisions")
        if isinstance(error, ValueError)
        else bench.metric(STORE_ERRORS, "maintain", "StoreUnavailable")
    )
    assert counted >= 1


async def test_the_gauges_tell_how_long_the_oldest_waits(bench: Bench):
    keeper = Housekeeping(bench.store, bench.metrics, lambda: bench.now)
    await held(bench, 3, "one", validity=HOUR)
    bench.now += 100 * SECOND
    await held(bench, 2, "two")
    await held(bench, 1, account="other")
    await keeper._measure()

    def gauges(account: str) -> list[float]:
        rows = (MODERATION_ITEMS, MODERATION_MESSAGES, MODERATION_OLDEST)
        return [bench.metric(row, account) for row in rows]

    assert gauges("shop") == [2, 5, 100]
    assert gauges("other") == [1, 1, 0]
    await decide(bench, "one")
    await keeper._measure()
    assert gauges("shop") == [1, 2, 0]
    bench.now = START + 2 * 24 * HOUR
    await bench.maintain()  # what nobody waits for calls nobody
    await keeper._measure()
    assert gauges("shop") == gauges("other") == [0, 0, 0]
