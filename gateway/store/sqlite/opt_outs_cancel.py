"""The end of what waits for those who refuse.

In: whose refusals came. Out: their waiting messages (scheduled and held ones too) cancelled. They
are looked for on the reader's thread, a few thousand rows at a time, and ended by the writer some
hundred at a time, so that one-time codes get in between. Nothing leaves meanwhile: the ledger is
committed, and the lease asks it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from gateway.metrics import OPT_OUT_CANCELED
from gateway.model import WAITING as WAITING_STATUSES
from gateway.model import Status
from gateway.store.sqlite import settle, transitions
from gateway.store.sqlite.memory import Memory
from gateway.store.sqlite.opt_outs import refused
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.rows import read
from gateway.store.sqlite.transitions import Steps
from gateway.store.sqlite.writer import Transaction

STEP: Final = 4_000
"""Waiting messages looked at in one step: 5 ms."""
SOUGHT: Final = 16
"""Numbers looked up in one step: 80 ms of the reader's thread in an index of ten million."""
DEAR: Final = 4_000
"""Waiting messages that are walked past in the time one number takes to be looked up there."""
CANCEL_STEP: Final = 500
"""Messages ended in one call to the writer: about 5 ms."""

Place = tuple[int, int, int]
"""Lane, source, account."""

# By way of the index the lease has, so that only what waits is read. In two pieces: a campaign is
# due at one moment, and would be walked from its beginning in each step.
OF_SOURCE: Final = """
SELECT json_group_array(json_array(id, number, content, due)) FROM (
    SELECT * FROM (
        SELECT id, number, content, due FROM messages INDEXED BY messages_due
        WHERE lane = ?1 AND source = ?2 AND due = ?3 AND id > ?4 ORDER BY id LIMIT ?5
    )
    UNION ALL
    SELECT * FROM (
        SELECT id, number, content, due FROM messages INDEXED BY messages_due
        WHERE lane = ?1 AND source = ?2 AND due > ?3 ORDER BY due, id LIMIT ?5
    )
    LIMIT ?5
)
"""
OF_NUMBERS: Final = """
SELECT json_group_array(json_array(id, number, content, account)) FROM (
    SELECT m.id, m.number, m.content, m.account
    FROM runs AS r CROSS JOIN json_each(?1) AS j CROSS JOIN by_number AS i
    ON i.run = r.run AND i.number = j.value CROSS JOIN messages AS m ON m.id = i.id
    WHERE m.due >= 0
    UNION ALL
    SELECT m.id, m.number, m.content, m.account FROM messages AS m
    WHERE m.id > coalesce((SELECT value FROM meta WHERE name = 'indexed_to'), 0)
    AND m.due >= 0 AND m.number IN (SELECT value FROM json_each(?1))
)
"""
CONTENTS: Final = """
SELECT json_group_array(json_array(c.id, c.json ->> 'sender', c.json ->> 'category'))
FROM json_each(?) AS j CROSS JOIN contents AS c ON c.id = j.value
WHERE NOT coalesce(c.json ->> 'answer', 0) OR coalesce(c.json ->> 'refusable', 0)
"""


class _Waiting(msgspec.Struct, array_like=True, gc=False):
    id: int
    number: int
    content: int
    place: int
    """When it is due, or whose it is."""


_waiting: Final = msgspec.json.Decoder(list[_Waiting])
_contents: Final = msgspec.json.Decoder(list[tuple[int, str, str]])


class Walk:
    """All that waits at some places, a step at a time."""

    def __init__(
        self, memory: Memory, places: Iterable[Place], numbers: Sequence[int] | None
    ) -> None:
        """`numbers` None: whoever is in the ledger."""
        self._memory = memory
        self._numbers = None if numbers is None else set(numbers)
        self._places = list(places)
        self._due = -1
        self._id = 0

    def step(self, connection: sqlite3.Connection) -> list[int] | None:
        """Some messages that are refused; None: that was all."""
        if not self._places:
            return None
        lane, source, account = self._places[-1]
        rows = unpack(
            connection, _waiting, OF_SOURCE, lane, source, self._due, self._id, STEP
        )  # fmt: skip
        if len(rows) < STEP:
            self._places.pop()
            self._due, self._id = -1, 0
        else:
            self._due, self._id = rows[-1].place, rows[-1].id
        if self._numbers is not None:
            rows = [row for row in rows if row.number in self._numbers]
        return _refused(connection, self._memory, account, rows)


class Search:
    """What waits for a few numbers, by way of the number index."""

    def __init__(self, memory: Memory, accounts: set[int] | None, numbers: Sequence[int]) -> None:
        """`accounts` None: all."""
        self._memory = memory
        self._accounts = accounts
        self._numbers = list(numbers)

    def step(self, connection: sqlite3.Connection) -> list[int] | None:
        """As `Walk.step`."""
        if not self._numbers:
            return None
        numbers, self._numbers = self._numbers[:SOUGHT], self._numbers[SOUGHT:]
        by_account: dict[int, list[_Waiting]] = {}
        for row in unpack(connection, _waiting, OF_NUMBERS, pack(numbers)):
            if self._accounts is None or row.place in self._accounts:
                by_account.setdefault(row.place, []).append(row)
        return [
            identifier
            for account, rows in by_account.items()
            for identifier in _refused(connection, self._memory, account, rows)
        ]


def search(
    memory: Memory, accounts: set[int] | None, numbers: Sequence[int] | None
) -> Walk | Search:
    """The cheaper way to what waits for these numbers (None: for all in the ledger)."""
    sources = memory.sources
    if accounts is None:
        waiting = sources.waiting
    else:
        waiting = sum(sources.by_account[account] for account in accounts)
    if numbers is not None and len(numbers) * DEAR < waiting:
        memory.sought = True
        return Search(memory, accounts, numbers)
    return Walk(memory, sources.places(accounts), numbers)


def cancel(transaction: Transaction, memory: Memory, ids: Sequence[int], now: int) -> int:
    """End those that still wait; returns how many."""
    rows = [row for row in read(transaction.connection, ids) if row.status in WAITING_STATUSES]
    if not rows:
        return 0
    settle.leave(transaction, memory, rows)
    steps = Steps()
    steps.add_alike(rows, Status.CANCELED, now, "opted_out")
    transitions.write(transaction, memory, steps)
    transaction.after_commit(lambda: memory.metrics.count(OPT_OUT_CANCELED, len(rows), "arrival"))
    return len(rows)


def _refused(
    connection: sqlite3.Connection, memory: Memory, account: int, rows: Sequence[_Waiting]
) -> list[int]:
    suspects = set(memory.opt_outs.marks.candidates(account, [row.number for row in rows]))
    if not suspects:
        return []
    rows = [row for row in rows if row.number in suspects]
    contents = {
        identifier: (sender, category)
        for identifier, sender, category in unpack(
            connection, _contents, CONTENTS, pack(list({row.content for row in rows}))
        )
    }
    rows = [row for row in rows if row.content in contents]
    wanted = [(row.number, *contents[row.content]) for row in rows]
    return [rows[index].id for index in refused(connection, memory, account, wanted)]
