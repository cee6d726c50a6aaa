"""Uses of caps, and the messages of late: see `gateway.store.rates`.

In: a connection. Out: rows. Knows nothing of what is capped.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.ids import created_at
from gateway.model import Status
from gateway.policy.caps import Reservation
from gateway.store.rates import Reserved, Written
from gateway.store.sqlite.names import ACCOUNT, Names
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.values import Values

KEEP: Final = 2 * 86_400 * 1_000_000
"""µs a use is kept beyond its period: a clock that was set back still finds it."""

PUT: Final = Values(
    "INSERT OR REPLACE INTO reservations (owner, period, start, until, pdus)"
    " SELECT column1, column2, column3, column4, column5 FROM ",
    5,
    " WHERE column1 IS NOT NULL",
)
FORGET: Final = "DELETE FROM reservations WHERE until < ?"
ALL: Final = """
SELECT json_group_array(json_array(owner, json_array(period, start, until, pdus)))
FROM reservations WHERE until > ?
"""
WRITTEN: Final = f"""
SELECT json_group_array(json_array(id, number, account, content)) FROM (
    SELECT id, number, account, content, status, carrier
    FROM messages WHERE id > ?1 ORDER BY id LIMIT ?2
) WHERE account IN (SELECT value FROM json_each(?3))
    AND (status <> {int(Status.REJECTED)} OR carrier IS NOT NULL)
"""
LAST: Final = """
SELECT max(id), count(*) FROM (SELECT id FROM messages WHERE id > ? ORDER BY id LIMIT ?)
"""
CONTENTS: Final = """
SELECT json_group_array(json_array(c.id, json_extract(c.json, '$.sender'),
    json_extract(c.json, '$.category')))
FROM json_each(?) AS j CROSS JOIN contents AS c ON c.id = j.value
"""

_reserved: Final = msgspec.json.Decoder(list[tuple[str, Reservation]])
_messages: Final = msgspec.json.Decoder(list[tuple[int, int, int, int]])
_contents: Final = msgspec.json.Decoder(list[tuple[int, str, str]])


def reserve(connection: sqlite3.Connection, reservations: Sequence[Reserved], now: int) -> None:
    """See the contract."""
    rows = [value for owner, each in reservations for value in (owner, *each)]
    PUT.run(connection, rows)
    connection.execute(FORGET, (now - KEEP,))


def reserved(connection: sqlite3.Connection, now: int) -> list[Reserved]:
    """See the contract."""
    return unpack(connection, _reserved, ALL, now)


def written_since(
    connection: sqlite3.Connection, accounts: Sequence[str], after: int, limit: int, names: Names
) -> tuple[list[Written], int | None]:
    """See the contract."""
    known = {
        number: account
        for account in accounts
        if (number := names.known(ACCOUNT, account)) is not None
    }
    last, looked_at = connection.execute(LAST, (after, limit)).fetchone()
    if not looked_at:
        return [], None
    rows = unpack(connection, _messages, WRITTEN, after, limit, pack(list(known)))
    shared = pack(list({row[3] for row in rows}))
    contents = {
        identifier: (sender, category)
        for identifier, sender, category in unpack(connection, _contents, CONTENTS, shared)
    }
    found = [
        Written(number, created_at(identifier), known[account], *contents[content])
        for identifier, number, account, content in rows
        if content in contents
    ]
    return found, last if looked_at == limit else None
