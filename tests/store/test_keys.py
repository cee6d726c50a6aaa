"""API keys."""

from __future__ import annotations

import hashlib

import pytest
from database import NOW, Database

from gateway.store.records import ApiKey
from gateway.store.sqlite.keys import key, keys, put_key


@pytest.fixture
def db(tmp_path):
    database = Database(tmp_path / "store.db")
    yield database
    database.close()


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def test_a_key_is_found_by_its_digest(db):
    one = ApiKey(
        7, digest("ak_1"), "ak_1", "shop", ("messages:write",), ("10.0.0.0/8",), NOW, NOW + 9, None,
        "ci",
    )  # fmt: skip
    put_key(db.writer, one)
    assert key(db.reader, digest("ak_1")) == one
    assert key(db.reader, digest("ak_2")) is None


def test_revoked_keys_are_still_known(db):
    one = ApiKey(7, digest("ak_1"), "ak_1", "shop", ())
    put_key(db.writer, one)
    put_key(db.writer, ApiKey(7, digest("ak_1"), "ak_1", "shop", (), revoked=NOW))
    found = key(db.reader, digest("ak_1"))
    assert found is not None and found.revoked == NOW
    assert len(keys(db.reader)) == 1


def test_a_digest_has_one_key(db):
    put_key(db.writer, ApiKey(1, digest("ak_1"), "ak_1", "shop", ()))
    put_key(db.writer, ApiKey(2, digest("ak_1"), "ak_1", "other", ()))
    assert [(one.id, one.account) for one in keys(db.reader)] == [(2, "other")]


def test_keys_are_listed_newest_first_by_account(db):
    for n, account in enumerate(("shop", "other", "shop")):
        put_key(db.writer, ApiKey(n, digest(str(n)), str(n), account, ()))
    assert [one.id for one in keys(db.reader)] == [2, 1, 0]
    assert [one.id for one in keys(db.reader, "shop")] == [2, 0]
    assert keys(db.reader, "nobody") == []
