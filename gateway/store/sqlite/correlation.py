"""Which message an operator's id belongs to.

In: the ids operators gave our parts, and the ids in their receipts. Out: message and part. Knows
nothing of statuses.

Most receipts come within minutes, and operators' ids may be random: the recent ones live in a
dictionary, where looking one up takes no statement, and only what is still unanswered when it is
pushed out goes to the table `parts_index`. The log `parts` makes the dictionary durable.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from gateway.model import Status
from gateway.store.sqlite.packed import pack, unpack

RECENT: Final = 200_000
"""Parts kept in memory, about 180 octets each: 40 s at 5,000 a second."""

STEP: Final = 4_000
"""Parts moved out of memory in one step: about 8 ms."""

_PARTS: Final = 8
"""Bits of a value that tell the part."""

_found: Final = msgspec.json.Decoder(list[tuple[int, int, int]])
_log: Final = msgspec.json.Decoder(list[tuple[int, int, str, int, int, int | None]])

FIND: Final = """
SELECT json_group_array(json_array(j.key, i.message, i.part))
FROM json_each(?) AS j CROSS JOIN parts_index AS i
ON i.carrier = j.value ->> 0 AND i.operator_id = j.value ->> 1
"""
LOG: Final = """
SELECT json_group_array(json_array(p.id, p.carrier, p.operator_id, p.message, p.part, m.status))
FROM (SELECT * FROM parts WHERE id > ? ORDER BY id LIMIT ?) AS p
LEFT JOIN messages AS m ON m.id = p.message
"""
INDEX: Final = """
INSERT OR REPLACE INTO parts_index (carrier, operator_id, message, part)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?)
ORDER BY value ->> 0, value ->> 1
"""
MARK: Final = "INSERT OR REPLACE INTO meta (name, value) VALUES ('parts_indexed_to', ?)"

_OPEN: Final = frozenset({Status.SENT, Status.SENDING, Status.QUEUED, Status.UNKNOWN})


class Correlation:
    """Written by the writer's thread alone."""

    __slots__ = ("_recent", "indexed", "moved_to", "size")

    def __init__(self) -> None:
        self._recent: dict[int, dict[str, int]] = {}
        self.size = 0
        self.moved_to = 0
        """Greatest id of `parts` that has left memory."""
        self.indexed = False
        """Whether `parts_index` has rows."""

    def load(self, connection: sqlite3.Connection) -> None:
        """Fill the memory from the log."""
        row = connection.execute(
            "SELECT value FROM meta WHERE name = 'parts_indexed_to'"
        ).fetchone()
        self.moved_to = row[0] if row else 0
        self.indexed = bool(
            connection.execute("SELECT EXISTS (SELECT 1 FROM parts_index)").fetchone()[0]
        )
        after = self.moved_to
        while True:
            rows = unpack(connection, _log, LOG, after, 10_000)
            for _, carrier, operator_id, message, part, _ in rows:
                self.add(carrier, operator_id, message, part)
            if not rows:
                break
            after = rows[-1][0]

    def add(self, carrier: int, operator_id: str, message: int, part: int) -> None:
        """A part was sent and is called so."""
        recent = self._recent.get(carrier)
        if recent is None:
            recent = self._recent[carrier] = {}
        before = len(recent)
        recent[operator_id] = message << _PARTS | part
        self.size += len(recent) - before

    def remove(self, carrier: int, operator_id: str, message: int, part: int) -> None:
        """Undo `add` (or forget), unless the operator has reused the id since."""
        recent = self._recent.get(carrier)
        if recent is not None and recent.get(operator_id) == message << _PARTS | part:
            del recent[operator_id]
            self.size -= 1

    def find(
        self, connection: sqlite3.Connection, wanted: Sequence[tuple[int, str]]
    ) -> list[tuple[int, int] | None]:
        """Message and part for each (carrier, operator's id)."""
        found: list[tuple[int, int] | None] = []
        missing: list[int] = []
        recents = self._recent
        empty: dict[str, int] = {}
        for index, (carrier, operator_id) in enumerate(wanted):
            value = recents.get(carrier, empty).get(operator_id)
            if value is None:
                found.append(None)
                missing.append(index)
            else:
                found.append((value >> _PARTS, value & (1 << _PARTS) - 1))
        if missing and self.indexed:
            keys = pack([wanted[index] for index in missing])
            # In order of the index, so that of several messages the newest is taken.
            old: list[tuple[int, int, int]] = unpack(connection, _found, FIND, keys)
            for position, message, part in sorted(old):
                found[missing[position]] = (message, part)
        return found

    def move(self, connection: sqlite3.Connection) -> tuple[list[tuple[int, str, int, int]], int]:
        """Write the oldest `STEP` parts' unanswered ones to the table.

        Returns what `moved` is to be told after the commit.
        """
        rows = unpack(connection, _log, LOG, self.moved_to, STEP)
        unanswered = [
            (carrier, operator_id, message, part)
            for _, carrier, operator_id, message, part, status in rows
            if status in _OPEN
        ]
        if unanswered:
            connection.execute(INDEX, (pack(unanswered),))
        last = rows[-1][0] if rows else self.moved_to
        connection.execute(MARK, (last,))
        return [row[1:5] for row in rows], last

    def moved(self, parts: Iterable[tuple[int, str, int, int]], last: int) -> None:
        """Forget what `move` wrote."""
        for carrier, operator_id, message, part in parts:
            self.remove(carrier, operator_id, message, part)
        self.moved_to = last
        self.indexed = True
