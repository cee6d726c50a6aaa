"""The schema's version: older is brought up to date, newer is left alone."""

from __future__ import annotations

import sqlite3

import pytest
from workbench import Bench

from gateway.errors import StoreTooNew
from gateway.store.messages import WaitingPart
from gateway.store.sqlite import schema


async def test_a_new_file_has_the_current_version(bench: Bench):
    assert bench.sql("PRAGMA user_version") == [(schema.VERSION,)]
    assert bench.sql("PRAGMA journal_mode") == [("wal",)]


async def test_data_of_a_newer_version_is_refused_untouched(bench: Bench):
    await bench.accept(2)
    await bench.store.close()
    with sqlite3.connect(bench.path) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    connection.close()
    before = bench.path.read_bytes()
    bench.make()
    with pytest.raises(StoreTooNew, match="newer version"):
        await bench.open()
    assert bench.path.read_bytes() == before
    # The lock is free again: an older backup, or the newer version, can be started.
    with sqlite3.connect(bench.path) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION}")
    connection.close()
    bench.make()
    await bench.open()
    assert bench.statuses() == {"queued": 2}


async def test_a_migration_that_fails_changes_nothing(tmp_path, monkeypatch):
    bench = Bench(tmp_path)
    await bench.open()
    await bench.accept(1)
    await bench.store.close()
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    broken = "ALTER TABLE messages ADD COLUMN x INTEGER; CREATE TABLE messages (x);"
    monkeypatch.setitem(schema._MIGRATIONS, schema.VERSION - 1, broken)
    bench.make()
    with pytest.raises(Exception, match="already exists"):
        await bench.open()
    assert bench.sql("PRAGMA user_version") == [(schema.VERSION - 1,)]
    assert "x" not in [row[1] for row in bench.sql("PRAGMA table_info(messages)")]
    fixed = "ALTER TABLE messages ADD COLUMN x INTEGER;"
    monkeypatch.setitem(schema._MIGRATIONS, schema.VERSION - 1, fixed)
    bench.make()
    await bench.open()
    assert bench.sql("PRAGMA user_version") == [(schema.VERSION,)]
    assert len(await bench.lease()) == 1
    await bench.store.close()


async def test_the_durability_asked_for_is_in_force(tmp_path):
    for wanted, level in (("FULL", 2), ("NORMAL", 1)):
        bench = Bench(tmp_path / wanted, synchronous=wanted)
        await bench.open()

        def asked(transaction):
            return transaction.connection.execute("PRAGMA synchronous").fetchone()[0]

        assert await bench.store._writer.call("q", asked) == level
        await bench.store.close()


async def test_a_file_of_version_1_is_brought_up_to_date_and_serves(tmp_path):
    bench = Bench(tmp_path)
    await bench.open()
    waiting = await bench.accept(3)
    (sent,) = await bench.lease(1)
    await bench.sent([sent])
    await bench.store.close()
    old = tmp_path / "old.db"
    with sqlite3.connect(old) as connection:  # the same rows, in the tables of then
        connection.executescript(f"{schema._MIGRATIONS[0]}PRAGMA user_version = 1;")
        connection.execute("ATTACH ? AS now", (str(bench.path),))
        tables = [row[0] for row in connection.execute(
            "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )]  # fmt: skip
        for table in tables:
            columns = ", ".join(
                row[1] for row in connection.execute(f"PRAGMA main.table_info({table})")
            )
            connection.execute(
                f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM now.{table}"
            )
    connection.close()
    assert "waiting_parts" not in tables
    old.replace(bench.path)
    assert bench.sql("PRAGMA user_version") == [(1,)]
    bench.make()
    await bench.open()
    assert bench.sql("PRAGMA user_version") == [(schema.VERSION,)]
    assert bench.statuses() == {"queued": 2, "sent": 1}
    assert [m.id for m in await bench.lease()] == waiting[1:]
    await bench.sent(await bench.lease())
    assert (await bench.receive(bench.receipt(sent.id)))[0].matched == 0
    (part,) = bench.store.new_ids(1, bench.now)
    await bench.store.keep_parts([WaitingPart(part, "shop", "acme", bench.now, b"pdu")])
    joined = bench.submission(1)
    joined.joined = [part]
    await bench.store.accept([joined])
    assert await bench.store.resolve("shop", [part]) == [joined.messages[0].id]
    bench.check()
    await bench.store.close()
