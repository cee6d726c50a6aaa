"""Messages as read for a change of status.

In: ids. Out: what a change, its counts and its event need to know of each message.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.store.sqlite.packed import pack, unpack


class Row(msgspec.Struct, array_like=True, gc=False):
    """One stored message."""

    id: int
    account: int
    source: int
    content: int
    number: int
    lane: int
    status: int
    sequence: int
    parts: int
    updated: int
    carrier: int | None
    client_ref: str | None


READ: Final = """
SELECT json_group_array(json_array(m.id, m.account, m.source, m.content, m.number, m.lane, m.status,
    m.sequence, m.parts, m.updated, m.carrier, m.client_ref))
FROM json_each(?) AS j CROSS JOIN messages AS m ON m.id = j.value
"""
_rows: Final = msgspec.json.Decoder(list[Row])


def read(connection: sqlite3.Connection, ids: Sequence[int]) -> list[Row]:
    """Messages by id; those that do not exist are left out."""
    return unpack(connection, _rows, READ, pack(ids)) if ids else []
