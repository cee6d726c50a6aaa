"""The writing thread: order, isolation of failures, full disks, and what happens when all fails."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from workbench import SECOND, Bench

from gateway.errors import StoreUnavailable
from gateway.metrics import STORE_COMMITS, STORE_ERRORS, Metrics
from gateway.model import Status
from gateway.store.messages import OptOut
from gateway.store.sqlite import transitions
from gateway.store.sqlite.checkpoint import Checkpointer
from gateway.store.sqlite.schema import open_reader, open_writer
from gateway.store.sqlite.writer import Reader, Transaction, Writer


@pytest.fixture
async def writer(tmp_path: Path):
    connection = open_writer(tmp_path / "test.db", "FULL", 1 << 20)
    connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    metrics = Metrics()
    writer = Writer(connection, metrics)
    writer.metrics = metrics
    writer.path = tmp_path / "test.db"
    writer.start(asyncio.get_running_loop())
    yield writer
    await writer.stop()


def insert(*numbers: int):
    def call(transaction: Transaction) -> int:
        for number in numbers:
            transaction.connection.execute("INSERT INTO t VALUES (?)", (number,))
        return sum(numbers)

    return call


def stored(writer) -> list[int]:
    with sqlite3.connect(writer.path) as connection:
        return [row[0] for row in connection.execute("SELECT n FROM t ORDER BY n")]


async def test_a_failing_call_undoes_only_itself(writer):
    calls = [insert(1, 2), insert(3, 1), insert(4), insert(5, 5), insert(6)]
    results = await asyncio.gather(
        *(writer.call("test", call) for call in calls), return_exceptions=True
    )
    assert [type(one).__name__ for one in results] == [
        "int", "IntegrityError", "int", "IntegrityError", "int"
    ]  # fmt: skip
    assert stored(writer) == [1, 2, 4, 6]
    count = writer.metrics.registry.get_sample_value
    labels = {"call": "test", "error": "IntegrityError"}
    assert count(STORE_ERRORS.name, labels) == 2


async def test_calls_are_applied_in_the_order_they_were_made(writer):
    seen: list[int] = []

    def call(n: int):
        def run(transaction: Transaction) -> None:
            transaction.after_commit(lambda: seen.append(n))

        return run

    await asyncio.gather(*(writer.call("test", call(n), rows=n % 7 * 500) for n in range(100)))
    assert seen == list(range(100))
    commits = writer.metrics.registry.get_sample_value(STORE_COMMITS.name)
    assert 20 <= commits < 100  # bounded by rows, but shared


async def test_effects_on_memory_follow_the_fate_of_their_call(writer):
    events: list[str] = []

    def call(name: str, *numbers: int):
        def run(transaction: Transaction) -> None:
            transaction.on_rollback(lambda: events.append(f"undo {name}"))
            transaction.after_commit(lambda: events.append(f"done {name}"))
            insert(*numbers)(transaction)

        return run

    await asyncio.gather(
        writer.call("a", call("a", 1)),
        writer.call("b", call("b", 1)),
        writer.call("c", call("c", 2)),
        return_exceptions=True,
    )
    done = [event for event in events if event.startswith("done")]
    assert done == ["done a", "done c"]
    # Whatever was tried and did not come to pass was undone before it was tried again.
    assert events.count("undo b") >= 1
    assert events[-1] == "done c"


async def test_a_cancelled_caller_does_not_cancel_its_change(writer):
    call = writer.call("test", insert(1))
    call.cancel()
    await writer.call("test", insert(2))
    assert stored(writer) == [1, 2]


async def test_nothing_is_begun_after_the_end(writer):
    await writer.stop()
    with pytest.raises(StoreUnavailable):
        writer.call("test", insert(1))


async def test_an_error_after_the_commit_stops_the_store(writer):
    def broken(transaction: Transaction) -> None:
        transaction.after_commit(lambda: 1 / 0)

    with pytest.raises(StoreUnavailable, match="restart"):
        await writer.call("test", broken)
    with pytest.raises(StoreUnavailable, match="restart"):
        await writer.call("test", insert(1))


async def test_a_locked_file_is_unavailable_and_comes_back(writer):
    await writer.call("t", lambda t: None)
    with sqlite3.connect(writer.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        writer._connection.execute("PRAGMA busy_timeout = 10")
        with pytest.raises(StoreUnavailable, match="locked"):
            await writer.call("test", insert(1))
        other.execute("ROLLBACK")
    other.close()
    await writer.call("test", insert(1))
    assert stored(writer) == [1]


async def test_the_reader_sees_commits_and_never_waits(writer):
    reader = Reader(open_reader(writer.path), Metrics())
    reader.start(asyncio.get_running_loop())
    count = "SELECT count(*) FROM t"
    await writer.call("test", insert(1))
    with sqlite3.connect(writer.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO t VALUES (2)")
        assert await reader.call("q", lambda c: c.execute(count).fetchone()[0]) == 1
        other.execute("COMMIT")
    other.close()
    assert await reader.call("q", lambda c: c.execute(count).fetchone()[0]) == 2
    with pytest.raises(StoreUnavailable, match="readonly"):
        await reader.call("q", lambda c: c.execute("INSERT INTO t VALUES (3)"))
    assert await reader.call("q", lambda c: 7) == 7  # an error harms only its own call
    await reader.stop()


# the store when the disk is full


@contextmanager
def no_room(octets: int):
    """Files of this process may not grow beyond `octets`: what a full disk does to a commit."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def everything_fails(bench: Bench, leased) -> None:
    """Each kind of change is refused as a whole."""
    refused = OptOut("shop", bench.numbers - 1, "*", "*", bench.now, "STOP")
    calls = [
        bench.store.accept([bench.submission(500, new_batch=True, key="k")]),
        bench.store.settle([bench.result(m, "retry", Status.QUEUED) for m in leased]),
        bench.receive(*(bench.receipt(n) for n in range(500))),
        bench.store.opt_out([refused]),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable):
            await call
    with pytest.raises(StoreUnavailable):
        await bench.lease(500)


async def state(bench: Bench):
    return [
        bench.statuses(), bench.events(), bench.sql("SELECT count(*) FROM parts"),
        bench.sql("SELECT count(*) FROM batches"), bench.sql("SELECT count(*) FROM idempotency"),
        bench.sql("SELECT count(*) FROM opt_outs"), bench.sql("SELECT count(*) FROM parked"),
        {d.lane: d.waiting for d in bench.store.depths()}, len(bench.store._memory.leased),
        bench.store._memory.correlation.size,
    ]  # fmt: skip


async def works_again(bench: Bench, leased) -> None:
    await bench.store.settle([bench.result(m, "retry", Status.QUEUED) for m in leased])
    await bench.accept(500, new_batch=True, key="k")
    again = await bench.lease(2_000)
    assert len(again) == 1_500
    await bench.sent(again)
    await bench.receive(*(bench.receipt(m.id) for m in again))
    assert bench.statuses() == {"delivered": 1_500}


async def test_a_commit_on_a_full_disk_leaves_nothing_half_done(bench: Bench):
    await bench.accept(1_000)
    leased = await bench.lease(400)
    before = await state(bench)
    wal = bench.path.with_name("aldis.db-wal").stat().st_size
    with no_room(wal):
        await everything_fails(bench, leased)
        assert await state(bench) == before
        # Reading goes on.
        assert (await bench.store.messages("shop", [leased[0].id]))[0] is not None
    assert await state(bench) == before
    bench.check()
    await works_again(bench, leased)


async def test_a_statement_on_a_full_disk_leaves_nothing_half_done(bench: Bench):
    await bench.accept(1_000)
    leased = await bench.lease(400)
    before = await state(bench)

    def limit(pages: str):
        def run(transaction: Transaction) -> None:
            transaction.connection.execute(f"PRAGMA max_page_count = {pages}")

        return bench.store._writer.call("limit", run)

    pages = bench.sql("PRAGMA page_count")[0][0]
    await limit(str(pages))
    with pytest.raises(StoreUnavailable, match="full"):
        await bench.store.accept([bench.submission(2_000, new_batch=True, key="k")])
    # Calls that shared its transaction fail or not on their own.
    results = await asyncio.gather(
        bench.store.accept([bench.submission(2_000)]),
        bench.store.cancel("shop", [], bench.now),
        return_exceptions=True,
    )
    assert isinstance(results[0], StoreUnavailable)
    assert await state(bench) == before
    bench.check()
    await limit("1073741823")
    await works_again(bench, leased)


async def test_an_error_of_ours_in_a_settlement_is_undone_in_memory_too(bench: Bench, monkeypatch):
    await bench.accept(20, new_batch=True)
    leased = await bench.lease(10)
    before = await state(bench)
    write = transitions.announce

    def broken(*args):
        write(*args)
        raise ZeroDivisionError

    monkeypatch.setattr(transitions, "announce", broken)
    with pytest.raises(ZeroDivisionError):
        await bench.sent(leased)
    assert await state(bench) == before
    monkeypatch.undo()
    bench.now += SECOND
    await bench.sent(leased)
    await bench.receive(*(bench.receipt(m.id) for m in leased))
    assert bench.statuses() == {"queued": 10, "delivered": 10}


async def test_the_log_is_copied_while_work_goes_on(bench: Bench, monkeypatch):
    monkeypatch.setattr(bench.store._checkpointer, "_start", 1 << 20)
    for _ in range(40):
        await bench.accept(1_000)
    size = bench.path.with_name("aldis.db-wal").stat().st_size
    assert size < 12 << 20  # 40,000 messages are 8 MB of rows and indexes, some pages many times
    assert bench.path.stat().st_size > 1 << 20


def test_a_checkpoint_ends_though_it_is_told_to_while_it_copies(tmp_path: Path):
    open_writer(tmp_path / "test.db", "FULL", 1 << 20).close()
    checkpointer = Checkpointer(tmp_path / "test.db")

    class Copied(threading.Event):
        def set(self) -> None:  # what `stop` does, just before the thread forgets it was wanted
            checkpointer._stopping = True
            checkpointer._wanted.set()
            super().set()

    checkpointer._copied = Copied()
    checkpointer.start()
    checkpointer._wanted.set()
    checkpointer._thread.join(10)
    assert not checkpointer._thread.is_alive()
