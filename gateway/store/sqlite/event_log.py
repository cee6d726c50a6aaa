"""The outbox: events written with the change they tell of, a list to a row.

In: JSON objects, one for each event, of one account and one type. Out: rows of `events`, and
what to tell the listeners: how many came for which account. Knows nothing of endpoints.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from gateway.store.sqlite.names import ACCOUNT, Names

CHUNK: Final = 500
"""Events in a row: the most one POST may carry."""


class EventLog:
    """Writes events; remembers whose they were until the listeners are told."""

    __slots__ = ("_names", "_touched")

    def __init__(self, names: Names) -> None:
        self._names = names
        self._touched: Counter[str] = Counter()

    def add(
        self,
        connection: sqlite3.Connection,
        account: str,
        type: str,
        events: Sequence[str],
        at: int,
    ) -> None:
        """Append events (JSON objects) in the transaction under way; `at` is UTC in µs."""
        if not events:
            return
        owner = self._names.intern(connection, ACCOUNT, account)
        for first in range(0, len(events), CHUNK):
            chunk = events[first : first + CHUNK]
            connection.execute(
                "INSERT INTO events (account, type, count, created, body) VALUES (?, ?, ?, ?, ?)",
                (owner, type, len(chunk), at, ",".join(chunk).encode()),
            )
        self._touched[account] += len(events)

    def touched(self) -> Mapping[str, int]:
        """How many events each account got since the last call. After a rollback it may count
        some that are not there; a listener looks for itself."""
        touched, self._touched = self._touched, Counter()
        return touched
