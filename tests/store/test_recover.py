"""Starting again: leases of a dead process are outcome unknown, everything else as it was."""

from __future__ import annotations

import asyncio
import os
import stat
import time

import pytest
from workbench import HOUR, Bench

from gateway.errors import StoreUnavailable
from gateway.metrics import FINISHED
from gateway.model import OnUnknown, Status
from gateway.store.records import Recovered


async def test_leases_are_resent_or_given_up_as_the_policy_says(bench: Bench):
    bench.policy = {"advertising": OnUnknown.FAIL, "service": OnUnknown.RESEND}
    await bench.accept(3, category="advertising", new_batch=True)
    await bench.accept(2, category="service", account="bank", new_batch=True, refs=["a", "b"])
    await bench.accept(1, category="service")
    leased = await bench.lease(50, carrier="op7")
    assert len(leased) == 6
    bench.now += HOUR
    assert await bench.reopen() == Recovered(resent=3, unknown=3)
    assert bench.statuses() == {"queued": 3, "unknown": 3}
    events = bench.events()
    assert {(e["status"], e["sequence"], e["reason"]["code"], e["carrier"]) for e in events} == {
        ("queued", 2, "outcome_unknown", "op7"), ("unknown", 2, "outcome_unknown", "op7")
    }  # fmt: skip
    assert len(events) == 6
    assert sorted(e["client_ref"] for e in events if "client_ref" in e) == ["a", "b"]
    bench.check()
    again = await bench.lease(50)
    assert {(m.attempts, m.sequence) for m in again} == {(1, 3)}
    assert {m.id for m in again} < {m.id for m in leased}
    assert bench.metric(FINISHED, "unknown") == 3


async def test_the_policy_hears_carrier_and_category(bench: Bench):
    await bench.accept(1, category="informational")
    await bench.lease(carrier="op9")
    await bench.store.close()
    bench.make()
    heard = []

    def policy(carrier: str, category: str) -> OnUnknown:
        heard.append((carrier, category))
        return OnUnknown.FAIL

    await bench.store.open(policy, bench.now)
    assert heard == [("op9", "informational")]


async def test_everything_else_is_as_it_was(bench: Bench):
    await bench.accept(5, new_batch=True, due=bench.now + HOUR, status=Status.SCHEDULED)
    await bench.accept(4, account="bank")
    await bench.accept(3, status=Status.HELD_MODERATION)
    sent = await bench.lease(2)
    await bench.sent(sent)
    before = [bench.store.depths(), bench.statuses(), bench.events()]
    assert await bench.reopen() == Recovered()
    assert [bench.store.depths(), bench.statuses(), bench.events()] == before
    bench.check()
    assert len(await bench.lease()) == 2
    bench.now += HOUR
    assert len(await bench.lease()) == 5


async def test_two_processes_cannot_have_the_same_store(bench: Bench):
    other = Bench(bench.path.parent.parent)
    with pytest.raises(StoreUnavailable, match="in use"):
        await other.open()
    await bench.store.close()
    await other.open()
    await other.store.close()
    bench.make()
    await bench.open()


async def test_files_are_their_owners_alone(bench: Bench):
    await bench.accept()
    assert stat.S_IMODE(os.stat(bench.path.parent).st_mode) == 0o700
    for path in bench.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


async def test_closing_leaves_one_file(bench: Bench):
    await bench.accept(10)
    await bench.store.close()
    assert {path.suffix for path in bench.path.parent.iterdir()} == {".db", ".lock"}
    await bench.store.close()  # twice does no harm
    with pytest.raises(StoreUnavailable):
        await bench.accept()
    bench.make()
    await bench.open()


async def test_calls_made_before_the_close_are_finished(bench: Bench):
    calls = [asyncio.ensure_future(bench.store.accept([bench.submission(5)])) for _ in range(30)]
    await asyncio.sleep(0)
    await bench.store.close()
    assert await asyncio.gather(*calls) == [[None]] * 30
    assert bench.sql("SELECT count(*) FROM messages") == [(150,)]
    bench.make()
    await bench.open()


async def test_a_place_that_cannot_be_written_is_unavailable(tmp_path):
    (tmp_path / "data").write_text("a file where the directory should be")
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        await Bench(tmp_path).open()


async def test_a_start_with_a_long_queue_is_quick(bench: Bench):
    for _ in range(50):
        await bench.accept(2_000, new_batch=True)
    started = time.perf_counter()
    await bench.reopen()
    # 100,000 waiting: some 30 ms on the slowest machine this was measured on.
    assert time.perf_counter() - started < 1.0
    assert bench.store.depths()[0].waiting == 100_000
