"""Which message a reply answers.

In: phones, and the accounts their texts are for where that is known. Out: the last message each of
them was sent. Reads; writes nothing.

A phone is sought in every run of the number index that the last 72 hours filled: 3 us each, a
thousand runs for eight million messages. So this is done on the reader's thread, a few phones at a
time, before the replies go to the writer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.ids import first_id_at
from gateway.model import Status
from gateway.store.messages import InboundPart
from gateway.store.sqlite.names import ACCOUNT, Names
from gateway.store.sqlite.packed import pack, unpack

REPLY_WITHIN: Final = 72 * 3600 * 1_000_000
"""How long after a message a text from its number counts as a reply to it, in µs."""

STEP: Final = 16
"""Phones looked up in one step: some 50 ms where the index is long, 1 ms where it is not."""

Asker = tuple[int, str | None]
"""A phone's number and the account its text is for; None: whose message it answers."""


class Sent(msgspec.Struct, frozen=True):
    """A message that may have been answered."""

    id: int
    account: str


class _Row(msgspec.Struct, array_like=True):
    number: int
    id: int
    account: int


_rows: Final = msgspec.json.Decoder(list[_Row])
_rows_or_none: Final = msgspec.json.Decoder(list[_Row | None])

INDEXED_TO: Final = "SELECT value FROM meta WHERE name = 'indexed_to'"

# A message can be answered once an operator has had it: a part says so, or nobody knows.
_REACHED: Final = f"""
(m.status IN ({Status.SENDING:d}, {Status.UNKNOWN:d})
 OR EXISTS (SELECT 1 FROM parts AS p WHERE p.message = m.id))
"""
IN_TAIL: Final = f"""
SELECT json_group_array(json_array(m.number, m.id, m.account)) FROM messages AS m
WHERE m.id >= ? AND m.number IN (SELECT value FROM json_each(?)) AND {_REACHED}
"""
IN_INDEX: Final = f"""
SELECT json_group_array(json((
    SELECT json_array(m.number, m.id, m.account)
    FROM runs AS r CROSS JOIN by_number AS n ON n.run = r.run AND n.number = j.value ->> 0
    CROSS JOIN messages AS m ON m.id = n.id
    WHERE r.run >= (SELECT coalesce(max(run), 0) FROM runs WHERE run <= ?2) AND n.id >= ?2
    AND {_REACHED} AND (j.value ->> 1 IS NULL OR m.account = j.value ->> 1)
    ORDER BY r.run DESC, n.id DESC LIMIT 1
))) FROM json_each(?1) AS j
"""


class Links:
    """The last messages to some phones. Call `step` until it is True; then `get`."""

    __slots__ = ("_found", "_names", "_since", "_waiting")

    def __init__(self, askers: Iterable[Asker], now: int, names: Names) -> None:
        """`now` is the time of the replies: only messages of the 72 h before it count."""
        self._waiting = list(dict.fromkeys(askers))
        self._since = first_id_at(now - REPLY_WITHIN)
        self._names = names
        self._found: dict[Asker, Sent | None] = {}

    def step(self, connection: sqlite3.Connection) -> bool:
        """Look some of the phones up; True when all are."""
        some, self._waiting = self._waiting[:STEP], self._waiting[STEP:]
        if some:
            self._look_up(connection, some)
        return not self._waiting

    def get(self, connection: sqlite3.Connection, asker: Asker) -> Sent | None:
        """The last message to a phone; looked up now if it was not among the askers."""
        if asker not in self._found:
            self._look_up(connection, [asker])
        return self._found[asker]

    def _look_up(self, connection: sqlite3.Connection, askers: list[Asker]) -> None:
        names = self._names
        row = connection.execute(INDEXED_TO).fetchone()
        tail = max(self._since, row[0] + 1) if row else self._since
        numbers = pack([number for number, _ in askers])
        recent: dict[Asker, Sent] = {}
        for last in unpack(connection, _rows, IN_TAIL, tail, numbers):  # ascending: the last wins
            sent = Sent(last.id, names.name(last.account))
            recent[last.number, sent.account] = recent[last.number, None] = sent
        self._found.update((asker, recent.get(asker)) for asker in askers)
        sought: list[Asker] = []
        keys: list[tuple[int, int | None]] = []
        for number, account in askers:
            owner = None if account is None else names.known(ACCOUNT, account)
            # An account without a number of ours has never sent anything.
            if (number, account) not in recent and (account is None or owner is not None):
                sought.append((number, account))
                keys.append((number, owner))
        if not sought:
            return
        rows = unpack(connection, _rows_or_none, IN_INDEX, pack(keys), self._since)
        for asker, one in zip(sought, rows, strict=True):
            if one is not None:
                self._found[asker] = Sent(one.id, names.name(one.account))


def askers(parts: Iterable[InboundPart]) -> list[Asker]:
    """What `inbound` will ask for these parts."""
    return [(number, part.account) for part in parts if (number := phone(part.source)) is not None]


def phone(source: str) -> int | None:
    """The E.164 number of a phone; None for names, for what is too long to be one, and for what
    begins with a zero as no country's code does: read as a number it would be somebody else's."""
    digits = source.removeprefix("+")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 15) or digits[0] == "0":
        return None
    return int(digits)
