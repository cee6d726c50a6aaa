"""What waits for moderators, and what they decided that is still to be carried out.

In: messages that are held for items, let go, and decisions, once they are on disk. Out: counts and
ages by account, and the decided items in turn. Knows counts and times, never texts or messages.

Rebuilt at start from one walk of the index `held_by_item`.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Final

import msgspec

from gateway.ids import created_at
from gateway.store.moderation import ItemState
from gateway.store.sqlite.packed import unpack

OLDEST: Final = 1_000
"""Items whose age is told: a queue longer than that is alarming whatever the rest."""

HELD: Final = """
SELECT json_group_array(json_array(h.first, i.id, i.account, i.state, h.n)) FROM (
    SELECT item, count(*) AS n, min(message) AS first
    FROM held INDEXED BY held_by_item GROUP BY item
) AS h CROSS JOIN items AS i ON i.id = h.item
"""
IDLE: Final = """
SELECT json_group_array(json_array(i.id, i.account))
FROM items AS i INDEXED BY items_by_state WHERE i.state = 'waiting'
AND NOT EXISTS (SELECT 1 FROM held WHERE item = i.id)
"""
_pairs: Final = msgspec.json.Decoder(list[tuple[int, int]])
_held: Final = msgspec.json.Decoder(list[tuple[int, int, int, str, int]])


class _Entry:
    __slots__ = ("account", "messages", "since")

    def __init__(self, account: int, messages: int, since: int) -> None:
        self.account = account
        self.messages = messages
        self.since = since


class Queue:
    """Changed by the writer's thread after its commits; `waiting` any thread may ask."""

    __slots__ = (
        "_by_account", "_entries", "_idle", "_idle_of", "_messages", "_undone", "_used", "news",
    )  # fmt: skip

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}
        self._by_account: dict[int, dict[int, _Entry]] = {}
        self._messages: dict[int, int] = {}
        self._idle: dict[int, int] = {}
        """Undecided items no message waits for (any more), and whose they are."""
        self._idle_of: Counter[int] = Counter()
        self._undone: dict[int, None] = {}
        self._used: set[int] = set()
        self.news = False
        """Whether a commit left something to carry out."""

    def load(self, connection: sqlite3.Connection) -> None:
        """Read the table."""
        held = unpack(connection, _held, HELD)
        for first, item, account, state, messages in sorted(held):
            if state == ItemState.WAITING:
                self.arrive(item, account, messages, created_at(first))
            else:
                self.decided(item)
        for item, account in unpack(connection, _pairs, IDLE):
            self._rest(item, account)

    def __len__(self) -> int:
        """Undecided items some message waits for."""
        return len(self._entries)

    def room(self, account: int | None, most: int) -> int:
        """How many more undecided items of an account there may be, of `most` for all: no more than
        would be left to the others, so that one customer alone gets half and there is room for the
        next. Those whose messages are gone count: texts that are submitted and cancelled would
        fill the moderators' list, and the file, without end. Any thread may ask."""
        own = 0
        if account is not None:
            own = len(self._by_account.get(account, ())) + self._idle_of[account]
        return max(0, most - len(self._entries) - len(self._idle) - own)

    def arrive(self, item: int, account: int, messages: int, now: int) -> None:
        """`messages` more wait for an undecided item."""
        entry = self._entries.get(item)
        if entry is None:
            self.gone([item])
            entry = self._entries[item] = _Entry(account, 0, now)
            self._by_account.setdefault(account, {})[item] = entry
        entry.messages += messages
        self._messages[account] = self._messages.get(account, 0) + messages

    def leave(self, item: int, messages: int) -> None:
        """`messages` fewer wait for an item; with the last one nobody waits for its decision."""
        entry = self._entries.get(item)
        if entry is None:  # it is decided: what it holds is being carried out
            return
        entry.messages -= messages
        self._messages[entry.account] -= messages
        if entry.messages <= 0:
            self._drop(item, entry)
            self._rest(item, entry.account)

    def gone(self, items: Iterable[int]) -> None:
        """Items nobody waits for are decided, or forgotten."""
        for item in items:
            account = self._idle.pop(item, None)
            if account is not None:
                self._idle_of[account] -= 1

    def since(self, item: int) -> int | None:
        """When an undecided item began to hold messages; None if it holds none."""
        entry = self._entries.get(item)
        return None if entry is None else entry.since

    def decided(self, item: int) -> None:
        """What the item holds is to be carried out; it goes to the end of the line."""
        entry = self._entries.get(item)
        if entry is not None:
            self._messages[entry.account] -= entry.messages
            self._drop(item, entry)
        self.gone([item])
        self._undone[item] = None
        self.news = True

    def done(self, item: int) -> None:
        """It holds nothing any more."""
        self._undone.pop(item, None)

    def served(self, item: int) -> None:
        """It had its turn and holds more: it goes to the end, so that a campaign of a million does
        not keep others waiting."""
        if item in self._undone:
            del self._undone[item]
            self._undone[item] = None

    def undone(self, most: int) -> list[int]:
        """Decided items that may hold something, next in turn first."""
        return list(islice(self._undone, most))

    def use(self, items: Iterable[int]) -> None:
        """Texts were judged by these decisions. Any thread may say so; one lost between threads
        or to a crash costs nothing, the next text says it again."""
        self._used.update(items)

    def take_used(self) -> set[int]:
        """The decisions used since the last call."""
        used, self._used = self._used, set()
        return used

    def waiting(self) -> dict[int, tuple[int, int, list[int]]]:
        """By account (all that ever had some): items, messages, since when the oldest wait."""
        return {
            account: (
                len(entries),
                self._messages.get(account, 0),
                [entry.since for entry in list(islice(entries.values(), OLDEST))],
            )
            for account, entries in list(self._by_account.items())
        }

    def _rest(self, item: int, account: int) -> None:
        self._idle[item] = account
        self._idle_of[account] += 1

    def _drop(self, item: int, entry: _Entry) -> None:
        del self._entries[item]
        del self._by_account[entry.account][item]
