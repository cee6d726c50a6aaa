"""Recipients' refusals.

In: refusals, and who is about to be written to. Out: who must not be, and the end of what was
queued for them. `*` stands for every sender or category.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from gateway.model import Status
from gateway.store.messages import OptOut
from gateway.store.sqlite import settle, transitions
from gateway.store.sqlite.memory import Memory
from gateway.store.sqlite.names import ACCOUNT
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.rows import read
from gateway.store.sqlite.transitions import Steps
from gateway.store.sqlite.values import Values
from gateway.store.sqlite.writer import Transaction

ALL: Final = "*"

PUT: Final = Values(
    """
INSERT OR REPLACE INTO opt_outs (account, number, sender, category, at, source)
SELECT column1, column2, column3, column4, column5, column6 FROM """,
    6,
    " WHERE column1 IS NOT NULL",
)
OF_NUMBERS: Final = """
SELECT json_group_array(json_array(o.number, o.sender, o.category))
FROM json_each(?) AS j CROSS JOIN opt_outs AS o ON o.account = ? AND o.number = j.value
"""
WAITING: Final = """
SELECT json_group_array(id) FROM (
    SELECT m.id FROM runs AS r CROSS JOIN json_each(?1) AS j CROSS JOIN by_number AS i
    ON i.run = r.run AND i.number = j.value CROSS JOIN messages AS m ON m.id = i.id
    WHERE m.due >= 0
    UNION ALL
    SELECT m.id FROM messages AS m
    WHERE m.id > coalesce((SELECT value FROM meta WHERE name = 'indexed_to'), 0)
    AND m.due >= 0 AND m.number IN (SELECT value FROM json_each(?1))
)
"""
_refusals: Final = msgspec.json.Decoder(list[tuple[int, str, str]])
_ids: Final = msgspec.json.Decoder(list[int])


def refused(
    connection: sqlite3.Connection, account: int, wanted: Sequence[tuple[int, str, str]]
) -> set[int]:
    """Indexes of the (number, sender, category) in `wanted` that may not be written to."""
    numbers = list({number for number, _, _ in wanted})
    refusals: dict[int, list[tuple[str, str]]] = {}
    for number, sender, category in unpack(
        connection, _refusals, OF_NUMBERS, pack(numbers), account
    ):
        refusals.setdefault(number, []).append((sender, category))
    if not refusals:
        return set()
    return {
        index
        for index, (number, sender, category) in enumerate(wanted)
        if _covers(refusals.get(number, ()), sender, category)
    }


def opted_out(
    connection: sqlite3.Connection,
    account: int | None,
    sender: str,
    category: str,
    numbers: Sequence[int],
) -> set[int]:
    """Those of `numbers` that refuse this sender and category of this (interned) account."""
    if account is None:
        return set()
    indexes = refused(connection, account, [(number, sender, category) for number in numbers])
    return {numbers[index] for index in indexes}


def opt_out(transaction: Transaction, memory: Memory, entries: Sequence[OptOut]) -> int:
    """Record refusals and cancel what waits for them; returns messages cancelled."""
    connection = transaction.connection
    rows: list[Any] = []
    by_number: dict[tuple[int, int], list[tuple[str, str]]] = {}
    at = 0
    for entry in entries:
        account = memory.names.intern(connection, ACCOUNT, entry.account)
        rows += (account, entry.number, entry.sender, entry.category, entry.at, entry.source)
        by_number.setdefault((account, entry.number), []).append((entry.sender, entry.category))
        at = max(at, entry.at)
    if not rows:
        return 0
    PUT.run(connection, rows)
    accounts = {account for account, _ in by_number}
    memory.opted_out.update(accounts)  # only a hint that it is worth looking
    numbers = list({number for account, number in by_number if memory.sources.waits(account)})
    ids: list[int] = unpack(connection, _ids, WAITING, pack(numbers)) if numbers else []
    waiting = read(connection, ids)
    contents = memory.contents.get(connection, {row.content for row in waiting})
    gone = [
        row
        for row in waiting
        if _covers(
            by_number.get((row.account, row.number), ()),
            contents[row.content].sender,
            contents[row.content].category,
        )
    ]
    settle.leave(transaction, memory, gone)
    steps = Steps()
    for row in gone:
        steps.add(row, Status.CANCELED, at, reason="opted_out")
    transitions.write(transaction, memory, steps)
    return len(gone)


def _covers(refusals: Iterable[tuple[str, str]], sender: str, category: str) -> bool:
    return any(
        own_sender in (ALL, sender) and own_category in (ALL, category)
        for own_sender, own_category in refusals
    )
