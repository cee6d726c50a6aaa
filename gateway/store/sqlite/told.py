"""The parts of messages that SMPP customers split themselves, and the ids they were told.

In: parts whose others have not come; the ids of those that were joined. Out: the parts again after
a restart; the message behind an id. How parts belong together is the caller's knowledge.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.store.messages import WaitingPart
from gateway.store.sqlite.names import ACCOUNT, Names
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.values import Values

KEEP: Final = Values(
    """
INSERT INTO waiting_parts (id, account, system_id, at, pdu)
SELECT column1, column2, column3, column4, column5 FROM """,
    5,
    " WHERE column1 IS NOT NULL",
)
WAITING: Final = "SELECT id, account, system_id, at, pdu FROM waiting_parts ORDER BY id"
"""Ids are given as parts come, so this is their order. Walked once, at start; the caller bounds
how many there are."""

JOINED: Final = Values(
    "INSERT INTO told_ids (id, message) SELECT column1, column2 FROM ",
    2,
    " WHERE column1 IS NOT NULL",
)
DROP: Final = "DELETE FROM waiting_parts WHERE id IN (SELECT value FROM json_each(?))"
RESOLVE: Final = """
SELECT json_group_array(json_array(j.key, m.id)) FROM json_each(?) AS j CROSS JOIN messages AS m
ON m.id = coalesce((SELECT message FROM told_ids WHERE id = j.value), j.value) AND m.account = ?
"""
_pairs: Final = msgspec.json.Decoder(list[tuple[int, int]])


def keep_parts(connection: sqlite3.Connection, parts: Sequence[WaitingPart], names: Names) -> None:
    """See the contract."""
    flat: list[Any] = []
    for part in parts:
        account = names.intern(connection, ACCOUNT, part.account)
        flat += (part.id, account, part.system_id, part.at, part.pdu)
    KEEP.run(connection, flat)


def waiting_parts(connection: sqlite3.Connection, names: Names) -> list[WaitingPart]:
    """See the contract."""
    return [
        WaitingPart(identifier, names.name(account), system_id, at, pdu)
        for identifier, account, system_id, at, pdu in connection.execute(WAITING)
    ]


def join(connection: sqlite3.Connection, joined: Mapping[int, int]) -> None:
    """From here on each id stands for its message, and its part waits no more."""
    flat: list[int] = []
    for identifier, message in joined.items():
        if identifier != message:
            flat += (identifier, message)
    if flat:
        JOINED.run(connection, flat)
    connection.execute(DROP, (pack(list(joined)),))


def resolve(
    connection: sqlite3.Connection, account: str, ids: Sequence[int], names: Names
) -> list[int | None]:
    """See the contract."""
    found: list[int | None] = [None] * len(ids)
    owner = names.known(ACCOUNT, account)
    if owner is not None:
        for place, message in unpack(connection, _pairs, RESOLVE, pack(list(ids)), owner):
            found[place] = message
    return found
