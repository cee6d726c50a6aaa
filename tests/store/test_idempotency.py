"""Answers kept for idempotency keys."""

from __future__ import annotations

import pytest
from database import HOUR, NOW, Database

from gateway.store.messages import StoredAnswer
from gateway.store.sqlite.idempotency import answered, prune

SCOPE = "POST /v1/messages"


@pytest.fixture
def db(tmp_path):
    database = Database(tmp_path / "store.db")
    yield database
    database.close()


def keep(db: Database, key: str, created: int, account: str = "shop", scope: str = SCOPE) -> None:
    db.writer.execute(
        "INSERT INTO idempotency (account, scope, key, fingerprint, status, body, created)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (db.account(account), scope, key, b"f" * 32, 202, b'{"id":"msg_1"}', created),
    )


def test_the_first_answer_is_found(db):
    keep(db, "k", NOW)
    expected = StoredAnswer(b"f" * 32, 202, b'{"id":"msg_1"}')
    assert answered(db.reader, "shop", SCOPE, "k", NOW + 23 * HOUR, db.names) == expected


def test_keys_are_the_accounts_and_the_routes_own(db):
    keep(db, "k", NOW)
    db.account("other")
    assert answered(db.reader, "other", SCOPE, "k", NOW, db.names) is None
    assert answered(db.reader, "nobody", SCOPE, "k", NOW, db.names) is None
    assert answered(db.reader, "shop", "POST /v1/batches", "k", NOW, db.names) is None
    assert answered(db.reader, "shop", SCOPE, "K", NOW, db.names) is None


def test_after_a_day_the_key_is_free(db):
    keep(db, "k", NOW)
    assert answered(db.reader, "shop", SCOPE, "k", NOW + 24 * HOUR - 1, db.names) is not None
    assert answered(db.reader, "shop", SCOPE, "k", NOW + 24 * HOUR, db.names) is None


def test_pruning_takes_the_expired_in_steps(db):
    for n in range(5):
        keep(db, str(n), NOW - n)
    keep(db, "young", NOW + 1)
    now = NOW + 24 * HOUR
    assert prune(db.writer, now, limit=3)
    assert not prune(db.writer, now, limit=3)
    assert [row[0] for row in db.writer.execute("SELECT key FROM idempotency")] == ["young"]
