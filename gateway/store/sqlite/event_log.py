"""The outbox: events written with the change they tell of, a list to a row.

In: JSON objects, one for each event or many to a text, of one account and one type. Out: rows of
`events`, and what to tell the listeners: how many came for which account. Knows nothing of
endpoints.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from gateway.store.sqlite.names import ACCOUNT, Names
from gateway.store.sqlite.status_events import CHUNK, Events

INTERNAL: Final = "smpp."
"""How types begin that no endpoint is given: SMPP receivers read them (`records.RECEIPT`)."""


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
        self.add_many(connection, account, type, [(1, event) for event in events], at)

    def add_many(
        self,
        connection: sqlite3.Connection,
        account: str,
        type: str,
        events: Sequence[Events],
        at: int,
    ) -> None:
        """`add` of texts that hold some events each; they are not torn apart."""
        if not events:
            return
        owner = self._names.intern(connection, ACCOUNT, account)
        for count, text in _rows(events):
            connection.execute(
                "INSERT INTO events (account, type, count, created, body) VALUES (?, ?, ?, ?, ?)",
                (owner, type, count, at, text.encode()),
            )
            # Internal events come with the status events they repeat, and endpoints reckon from
            # the number when a list of theirs is full: named, not counted.
            self._touched[account] += 0 if type.startswith(INTERNAL) else count

    def touched(self) -> Mapping[str, int]:
        """How many events each account got since the last call. After a rollback it may count
        some that are not there; a listener looks for itself."""
        touched, self._touched = self._touched, Counter()
        return touched


def _rows(events: Sequence[Events]) -> Iterator[Events]:
    """Neighbours joined as far as a row may hold them."""
    held = 0
    texts: list[str] = []
    for count, text in events:
        if held + count > CHUNK:
            yield held, ",".join(texts)
            held = 0
            texts = []
        held += count
        texts.append(text)
    yield held, ",".join(texts)
