"""Which message an operator's id belongs to.

In: the ids operators gave our parts, and the ids in their receipts. Out: message and part. Knows
nothing of statuses.

Most receipts come within minutes, and operators' ids may be random: the recent ones live in a
dictionary, where looking one up takes no statement, and only what is still unanswered when it is
pushed out goes to the table `parts_index`. The log `parts` makes the dictionary durable.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Final

import msgspec

from gateway.model import Status
from gateway.store.sqlite.packed import pack, unpack

RECENT: Final = 200_000
"""Parts kept in memory, about 180 octets each: 40 s at 5,000 a second."""

STEP: Final = 4_000
"""Parts moved out of memory in one step: about 8 ms."""

PART_BITS: Final = 8
"""A place is a message's id and, in so many bits, a part: SMS has at most 255."""

PART_MASK: Final = (1 << PART_BITS) - 1

_NONE: Final[Mapping[str, int]] = {}

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


def place(message: int, part: int) -> int:
    """A part of a message as one number."""
    return message << PART_BITS | part


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
            if not rows:
                break
            _, carriers, operator_ids, messages, parts, _ = zip(*rows, strict=True)
            self.add(messages, carriers, operator_ids, parts)
            after = rows[-1][0]

    def add(
        self,
        messages: Sequence[int],
        carriers: Sequence[int],
        operator_ids: Sequence[str],
        parts: Sequence[int],
    ) -> Callable[[], None]:
        """Parts were sent and are called so; returns what undoes it."""
        recent: dict[str, int] = {}
        current: int | None = None
        before = 0
        for message, carrier, operator_id, part in zip(
            messages, carriers, operator_ids, parts, strict=True
        ):
            if carrier != current:
                self.size += len(recent) - before
                recent = self._recent.setdefault(carrier, {})
                before = len(recent)
                current = carrier
            recent[operator_id] = message << PART_BITS | part
        self.size += len(recent) - before
        return lambda: self.remove(zip(carriers, operator_ids, messages, parts, strict=True))

    def add_single(
        self, carrier: int, messages: Sequence[int], operator_ids: Sequence[str]
    ) -> Callable[[], None]:
        """Messages of one part were sent over a carrier; returns what undoes it."""
        recent = self._recent.setdefault(carrier, {})
        before = len(recent)
        recent.update(zip(operator_ids, [m << PART_BITS | 1 for m in messages], strict=True))
        self.size += len(recent) - before
        return lambda: self.remove(
            zip(repeat(carrier), operator_ids, messages, repeat(1), strict=False)
        )

    def remove(self, parts: Iterable[tuple[int, str, int, int]]) -> None:
        """Forget (carrier, operator's id, message, part), unless the operator has reused the id
        since."""
        for carrier, operator_id, message, part in parts:
            recent = self._recent.get(carrier)
            if recent is not None and recent.get(operator_id) == place(message, part):
                del recent[operator_id]
                self.size -= 1

    def recent(self, carrier: int) -> Mapping[str, int]:
        """The places a carrier's ids stand for, as far as they are in memory."""
        return self._recent.get(carrier, _NONE)

    def older(
        self, connection: sqlite3.Connection, wanted: Sequence[tuple[int, str]]
    ) -> dict[tuple[int, str], int]:
        """The places of those (carrier, operator's id) that have left memory unanswered."""
        if not self.indexed or not wanted:
            return {}
        old: list[tuple[int, int, int]] = unpack(connection, _found, FIND, pack(wanted))
        # In order of the messages, so that of several the newest is taken.
        return {wanted[index]: place(message, part) for index, message, part in sorted(old)}

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
        self.remove(parts)
        self.moved_to = last
        self.indexed = True
