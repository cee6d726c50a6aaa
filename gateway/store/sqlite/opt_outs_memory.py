"""What of the opt-out ledger is kept in memory.

In: a connection at the start, and what the writer's thread records. Out: who may be in the ledger,
the next position, the key that stands for numbers that were erased. The rows are `opt_outs`'.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

import msgspec

from gateway.metrics import OPT_OUT_MARKS, OPT_OUT_MARKS_READY, OPT_OUTS, Metrics
from gateway.store.ledgers import ALL
from gateway.store.sqlite.marking import STEP
from gateway.store.sqlite.marks import Marks
from gateway.store.sqlite.names import ACCOUNT, Names
from gateway.store.sqlite.packed import unpack

# An account a step: DISTINCT would walk all rows. (Tables and columns are our own constants.)
ACCOUNTS: Final = """
WITH RECURSIVE a(account) AS (
    SELECT min(account) FROM opt_outs
    UNION ALL SELECT (SELECT min(account) FROM opt_outs WHERE account > a.account) FROM a
    WHERE a.account IS NOT NULL
)
SELECT account, (
    SELECT max(position) FROM opt_outs INDEXED BY opt_outs_by_position WHERE account = a.account
) FROM a WHERE account IS NOT NULL
"""
ERASED: Final = """
WITH RECURSIVE a(account) AS (
    SELECT min(account) FROM opt_out_hashes
    UNION ALL SELECT (SELECT min(account) FROM opt_out_hashes WHERE account > a.account) FROM a
    WHERE a.account IS NOT NULL
)
SELECT account, (
    SELECT max(position) FROM opt_out_hashes INDEXED BY opt_out_hashes_by_position
    WHERE account = a.account
) FROM a WHERE account IS NOT NULL
"""
SECRETS: Final = "SELECT value FROM meta WHERE name IN ('hash_key', 'marks_secret') ORDER BY name"
COUNT: Final = "SELECT count(*) FROM opt_outs WHERE removed IS NULL"
SOME: Final = """
SELECT json_group_array(number) FROM (
    SELECT number FROM opt_outs
    WHERE account = ? AND number > ? AND removed IS NULL ORDER BY number LIMIT ?
)
"""
MARKS: Final = """
SELECT json_group_array(json_array(account, json(marks))) FROM (
    SELECT account, json_group_array(mark) AS marks FROM opt_out_hashes GROUP BY account
)
"""
_marks: Final = msgspec.json.Decoder(list[tuple[int, list[int]]])
_numbers: Final = msgspec.json.Decoder(list[int])


class OptOutMemory:
    """Written by the writer's thread, read by any."""

    __slots__ = ("_key", "_metrics", "erased", "marks", "position", "stand")

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._key = b""
        self.marks = Marks()
        self.erased: set[int] = set()
        """Accounts with refusals of people whose numbers were erased."""
        self.position = 0
        """The last one given to a change."""
        self.stand = 0
        """Refusals that stand, about; counted behind the start."""

    def load(self, connection: sqlite3.Connection, names: Names) -> None:
        """What the start must know; a few seeks, however long the ledger is."""
        accounts = dict(connection.execute(ACCOUNTS))
        erased = dict(connection.execute(ERASED))
        self.position = max([0, *accounts.values(), *erased.values()])
        self.erased.update(erased)
        (key,), (secret,) = connection.execute(SECRETS)
        self._key = key
        marks = self.marks
        marks.start(secret, {*accounts, *erased})
        everyone = names.known(ACCOUNT, ALL)
        if everyone in accounts or everyone in erased:
            marks.everyone = everyone
        marks.collect()

    def take_positions(self, changes: int) -> int:
        """The first of as many positions; those of a transaction that is undone stay unused."""
        first = self.position + 1
        self.position += changes
        return first

    def digest(self, account: int, number: int) -> str:
        """What stands for an erased number: BLAKE2b of 128 bits, keyed, in hex.

        The key lies in the same file: this hides a number from whoever reads the file, not from
        whoever means to try all numbers there are (a matter of hours).
        """
        text = f"{account}/{number}".encode()
        return blake2b(text, digest_size=16, key=self._key).hexdigest()

    def stands(self, more: int) -> None:
        """So many more refusals stand (or fewer)."""
        self.stand += more
        self._metrics.set(OPT_OUTS, self.stand)

    def tell(self) -> None:
        """Put the marks' state into the metrics."""
        self._metrics.set(OPT_OUT_MARKS_READY, self.marks.ready)
        self._metrics.set(OPT_OUT_MARKS, self.marks.octets)

    # `marking.Ledger`

    def count(self, connection: sqlite3.Connection) -> int:
        """Refusals that stand."""
        self.tell()
        (count,) = connection.execute(COUNT).fetchone()
        self.stand = 0
        self.stands(count)
        return int(count)

    def entries(self, connection: sqlite3.Connection) -> Iterator[tuple[int, list[int]]]:
        """Accounts and numbers."""
        for account, _ in connection.execute(ACCOUNTS).fetchall():
            last = -1
            while numbers := unpack(connection, _numbers, SOME, account, last, STEP):
                yield account, numbers
                last = numbers[-1]

    def erased_marks(self, connection: sqlite3.Connection) -> dict[int, list[int]]:
        """Of erased numbers."""
        marks: list[tuple[int, list[int]]] = unpack(connection, _marks, MARKS)
        return dict(marks)
