"""Small numbers for names that stand in millions of rows: accounts, carriers, lanes, zones.

In: names. Out: their numbers, and back. All of them are in memory: there are as many as the
configuration has, times the carriers a lane may exclude.
"""

from __future__ import annotations

import sqlite3
from typing import Final

ACCOUNT: Final = "account"
CARRIER: Final = "carrier"
LANE: Final = "lane"
ZONE: Final = "zone"
"""Recipients' time zones; admission lets only those of the tz database pass."""


class Names:
    """The table `names`, mirrored. Written by the writer's thread, read by any."""

    __slots__ = ("_ids", "_names", "_new")

    def __init__(self) -> None:
        self._ids: dict[tuple[str, str], int] = {}
        self._names: dict[int, str] = {}
        self._new: list[tuple[str, str]] = []

    def load(self, connection: sqlite3.Connection) -> None:
        """Read the table."""
        for identifier, kind, name in connection.execute("SELECT id, kind, name FROM names"):
            self._ids[kind, name] = identifier
            self._names[identifier] = name

    def known(self, kind: str, name: str) -> int | None:
        """The number of a name, None if no row can have it."""
        return self._ids.get((kind, name))

    def intern(self, connection: sqlite3.Connection, kind: str, name: str) -> int:
        """The number of a name, made if need be in the transaction under way."""
        identifier = self._ids.get((kind, name))
        if identifier is None:
            connection.execute(
                "INSERT OR IGNORE INTO names (kind, name) VALUES (?, ?)", (kind, name)
            )
            row = connection.execute(
                "SELECT id FROM names WHERE kind = ? AND name = ?", (kind, name)
            )
            identifier = int(row.fetchone()[0])
            self._ids[kind, name] = identifier
            self._names[identifier] = name
            self._new.append((kind, name))
        return identifier

    def name(self, identifier: int) -> str:
        """The name behind a number."""
        return self._names[identifier]

    def committed(self) -> None:
        """What was made is on disk."""
        self._new.clear()

    def rolled_back(self) -> None:
        """Forget what was made since the last commit; what survived is found again by `intern`."""
        for key in self._new:
            del self._names[self._ids.pop(key)]
        self._new.clear()
