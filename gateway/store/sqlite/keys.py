"""API keys by the digest of their secret.

In: keys whose secret nobody here has seen. Out: the same. Whether a key is revoked, expired or
allowed to do something is its reader's judgement.
"""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec

from gateway.store.records import ApiKey
from gateway.store.sqlite.packed import pack, unpack

_keys: Final = msgspec.json.Decoder(list[ApiKey])

PUT: Final = "INSERT OR REPLACE INTO keys (id, digest, account, spec) VALUES (?, ?, ?, ?)"
BY_DIGEST: Final = "SELECT spec FROM keys WHERE digest = ?"
ALL: Final = """
SELECT '[' || coalesce(group_concat(spec), '') || ']'
FROM (SELECT spec FROM keys WHERE ?1 IS NULL OR account = ?1 ORDER BY id DESC)
"""


def put_key(connection: sqlite3.Connection, key: ApiKey) -> None:
    """Create the key, or replace the one with its id or its digest."""
    connection.execute(PUT, (key.id, key.digest, key.account, pack(key)))


def key(connection: sqlite3.Connection, digest: bytes) -> ApiKey | None:
    """The key with this digest."""
    row = connection.execute(BY_DIGEST, (digest,)).fetchone()
    return msgspec.json.decode(row[0], type=ApiKey) if row else None


def keys(connection: sqlite3.Connection, account: str | None = None) -> list[ApiKey]:
    """All keys, or an account's, newest first."""
    return unpack(connection, _keys, ALL, account)
