"""Small facts that outlive a restart, and the numbers a batch already has.

In: a name and a value; a batch. Out: the value; its numbers in slices. What a fact means is its
owner's business.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

import msgspec

from gateway.store.sqlite.packed import unpack

_PREFIX: Final = "fact/"
PUT: Final = "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)"
GET: Final = "SELECT value FROM meta WHERE name = ?"
NUMBERS: Final = """
SELECT json_group_array(json_array(id, number)) FROM (
    SELECT m.id AS id, m.number AS number
    FROM batch_ranges AS r CROSS JOIN messages AS m ON m.id BETWEEN max(r.first, ?2 + 1) AND r.last
    WHERE r.batch = ?1 AND r.last > ?2 AND m.source = ?1
    ORDER BY r.first, m.id LIMIT ?3
)
"""
_numbers: Final = msgspec.json.Decoder(list[tuple[int, int]])


def remember(connection: sqlite3.Connection, key: str, value: str) -> None:
    """Keep one small fact."""
    connection.execute(PUT, (_PREFIX + key, value))


def recall(connection: sqlite3.Connection, key: str) -> str | None:
    """The fact kept under `key`."""
    row: Any = connection.execute(GET, (_PREFIX + key,)).fetchone()
    return row[0] if row else None


def batch_numbers(
    connection: sqlite3.Connection, batch: int, limit: int, cursor: int | None
) -> tuple[list[int], int | None]:
    """The numbers of a batch after the message `cursor`, and the cursor of the next slice."""
    rows = unpack(connection, _numbers, NUMBERS, batch, cursor or 0, limit)
    return [number for _, number in rows], rows[-1][0] if len(rows) == limit else None
