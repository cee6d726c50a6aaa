"""The schema's version: older is brought up to date, newer is left alone."""

from __future__ import annotations

import sqlite3

import pytest
from workbench import Bench

from gateway.errors import StoreTooNew
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
