"""The opt-out ledger, to read.

In: an account and a position. Out: refusals in order of their last change, those of erased people
among them, without a number.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

import msgspec

from gateway.store.ledgers import OptOutView
from gateway.store.sqlite.memory import Memory
from gateway.store.sqlite.names import ACCOUNT
from gateway.store.sqlite.packed import unpack

STEP: Final = 2_000
"""Rows read in one go: 10 ms of the reader's thread."""
ERASED: Final = "erased"
"""The source of those whose number is gone."""

_ROWS: Final = """
json_group_array(json_array(position, number, sender, category, at, source, json(proof), removed))
"""
LIST: Final = f"""
SELECT {_ROWS} FROM (
    SELECT * FROM opt_outs INDEXED BY opt_outs_by_position
    WHERE account = ? AND position > ? ORDER BY position LIMIT ?
)
"""
LIST_OF: Final = f"""
SELECT {_ROWS} FROM (
    SELECT * FROM opt_outs WHERE account = ? AND position > ? AND number = ?
    ORDER BY position LIMIT ?
)
"""
LIST_ERASED: Final = f"""
SELECT {_ROWS} FROM (
    SELECT position, NULL AS number, sender, category, at, source, proof, NULL AS removed
    FROM opt_out_hashes INDEXED BY opt_out_hashes_by_position
    WHERE account = ? AND position > ? ORDER BY position LIMIT ?
)
"""
LIST_ERASED_OF: Final = f"""
SELECT {_ROWS} FROM (
    SELECT position, NULL AS number, sender, category, at, source, proof, NULL AS removed
    FROM opt_out_hashes WHERE account = ? AND position > ? AND digest = ?
    ORDER BY position LIMIT ?
)
"""


class _Row(msgspec.Struct, array_like=True):
    position: int
    number: int | None
    sender: str
    category: str
    at: int
    source: str
    proof: dict[str, Any] | None
    removed: int | None


_rows: Final = msgspec.json.Decoder(list[_Row])


class Walk:
    """One page, looked for some rows at a time: those taken back may be many."""

    def __init__(
        self, memory: Memory, account: str, limit: int, since: int, number: int | None,
        removed: bool,
    ) -> None:  # fmt: skip
        self._memory = memory
        self._account = account
        self._limit = limit
        self._since = since
        self._number = number
        self._removed = removed
        self._found: list[OptOutView] = []
        self._count = min(STEP, limit)

    def step(self, connection: sqlite3.Connection) -> list[OptOutView] | None:
        """The page, or None: ask again."""
        owner = self._memory.names.known(ACCOUNT, self._account)
        if owner is None:
            return []
        count, self._count = self._count, STEP  # fewer only while nothing is passed over
        rows = self._rows(connection, owner, count)
        for row in rows[:count]:
            self._since = row.position
            if row.removed is None or self._removed:
                self._found.append(
                    OptOutView(
                        row.position,
                        self._account,
                        row.number,
                        row.sender,
                        row.category,
                        row.at,
                        row.source if row.number is not None else ERASED,
                        row.proof or {},
                        row.removed,
                    )
                )
        if len(rows) < count or len(self._found) >= self._limit:
            return self._found[: self._limit]
        return None

    def _rows(self, connection: sqlite3.Connection, owner: int, count: int) -> list[_Row]:
        """In order; some more than `count` if there are as many."""
        number, since = self._number, self._since
        if number is None:
            rows = unpack(connection, _rows, LIST, owner, since, count)
        else:
            rows = unpack(connection, _rows, LIST_OF, owner, since, number, count)
        if owner in self._memory.opt_outs.erased:
            if number is None:
                rows = rows + unpack(connection, _rows, LIST_ERASED, owner, since, count)
            else:
                digest = self._memory.opt_outs.digest(owner, number)
                rows = rows + unpack(connection, _rows, LIST_ERASED_OF, owner, since, digest, count)
            rows.sort(key=lambda row: row.position)
        return rows
