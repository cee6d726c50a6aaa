"""Numbers that fail for good, and how often in a row.

In: messages that ended. Out: rows for the numbers that do not exist, fewer of them when a message
arrives after all; who is suppressed. Only an end for a reason of `errors.ABOUT_THE_NUMBER` counts,
and only a delivery takes it back.

A delivered message costs a look into the filter in memory (0.2 us) where its account has failures
at all, and nothing where it has none.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

import msgspec

from gateway.errors import ABOUT_THE_NUMBER
from gateway.metrics import NUMBERS_SUPPRESSED
from gateway.model import FINAL, Status
from gateway.store.sqlite.memory import Memory
from gateway.store.sqlite.names import ACCOUNT, Names
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.status_events import Subject
from gateway.store.sqlite.values import Values
from gateway.store.sqlite.writer import Transaction

STEP: Final = 4_096
"""Numbers read at once to fill the filter."""

RECORD: Final = Values(
    """
INSERT INTO failures (account, number, count, at)
SELECT column1, column2, column3, column4 FROM """,
    4,
    """ WHERE column1 IS NOT NULL
ON CONFLICT (account, number) DO UPDATE SET count = count + excluded.count,
    at = max(at, excluded.at)""",
)
COUNTS: Final = """
SELECT json_group_array(json_array(f.account, f.number, f.count))
FROM json_each(?) AS j CROSS JOIN failures AS f
ON f.account = j.value ->> 0 AND f.number = j.value ->> 1
"""
RESET: Final = """
DELETE FROM failures WHERE account = ? AND number IN (SELECT value FROM json_each(?))
"""
SUPPRESSED: Final = """
SELECT json_group_array(f.number) FROM json_each(?1) AS j CROSS JOIN failures AS f
ON f.account = ?2 AND f.number = j.value WHERE f.count >= ?3
"""
OF_NUMBER: Final = "SELECT count, at FROM failures WHERE account = ? AND number = ?"
FORGET: Final = "DELETE FROM failures WHERE account = ? AND number = ? RETURNING count"
OLD: Final = """
DELETE FROM failures WHERE (account, number) IN (
    SELECT f.account, f.number FROM names AS n CROSS JOIN failures AS f INDEXED BY failures_at
    ON f.account = n.id AND f.at < ? WHERE n.kind = 'account' LIMIT ?
)
"""
ALL: Final = """
SELECT json_group_array(json_array(account, number)) FROM (
    SELECT account, number FROM failures WHERE (account, number) > (?, ?)
    ORDER BY account, number LIMIT ?
)
"""
HOW_MANY: Final = "SELECT count(*) FROM failures"
FAILING: Final = """
SELECT n.id FROM names AS n WHERE n.kind = 'account'
AND EXISTS (SELECT 1 FROM failures AS f WHERE f.account = n.id)
"""
_numbers: Final = msgspec.json.Decoder(list[int])
_pairs: Final = msgspec.json.Decoder(list[tuple[int, int]])
_counts: Final = msgspec.json.Decoder(list[tuple[int, int, int]])


class Ended(Protocol):
    """A step some messages took (`transitions.Step`)."""

    account: int
    after: int
    at: int
    reason: str | None
    subjects: list[Subject]


def note(transaction: Transaction, memory: Memory, steps: Iterable[Ended]) -> None:
    """Count the failures among these steps, and forget those of numbers that were reached."""
    failed: Counter[tuple[int, int]] = Counter()
    at = 0
    for step in steps:
        if step.after == Status.DELIVERED:
            if memory.failing.knows(step.account):
                _reached(transaction.connection, memory, step)
        elif step.reason not in ABOUT_THE_NUMBER or step.after not in FINAL:
            continue
        elif memory.suppress_after(step.account):
            # Of a person who was forgotten while it was under way nothing begins anew.
            forgotten = memory.erasing
            failed.update([
                (step.account, subject.number)
                for subject in step.subjects
                if subject.id not in forgotten
            ])  # fmt: skip
            at = max(at, step.at)
    if failed:
        _failed(transaction, memory, failed, at)


def _reached(connection: sqlite3.Connection, memory: Memory, step: Ended) -> None:
    numbers = [subject.number for subject in step.subjects]
    candidates = memory.failing.candidates(step.account, numbers)
    if candidates:
        connection.execute(RESET, (step.account, pack(candidates)))


def _failed(
    transaction: Transaction, memory: Memory, failed: Counter[tuple[int, int]], at: int
) -> None:
    connection = transaction.connection
    flat: list[Any] = []
    by_account: dict[int, list[int]] = {}
    for (account, number), times in failed.items():
        flat += (account, number, times, at)
        by_account.setdefault(account, []).append(number)
    RECORD.run(connection, flat)
    for account, numbers in by_account.items():
        memory.failing.add(account, numbers)
    if memory.failing.full:
        transaction.after_commit(memory.grow_failing)
    now_suppressed: Counter[str] = Counter()
    for account, number, count in unpack(connection, _counts, COUNTS, pack(list(failed))):
        if count - failed[account, number] < memory.suppress_after(account) <= count:
            now_suppressed[memory.names.name(account)] += 1

    def committed() -> None:
        for name, numbers in now_suppressed.items():
            memory.metrics.count(NUMBERS_SUPPRESSED, numbers, name)

    if now_suppressed:
        transaction.after_commit(committed)


def suppressed(
    connection: sqlite3.Connection, account: int, after: int, numbers: Sequence[int]
) -> set[int]:
    """Those of `numbers` that failed at least `after` times in a row."""
    found = unpack(connection, _numbers, SUPPRESSED, pack(numbers), account, after)
    return set(found)


def of_number(
    connection: sqlite3.Connection, account: str, number: int, names: Names
) -> tuple[int, int | None]:
    """How often a number failed in a row, and when last."""
    row = connection.execute(OF_NUMBER, (names.known(ACCOUNT, account), number)).fetchone()
    return (0, None) if row is None else (row[0], row[1])


def forget(connection: sqlite3.Connection, account: int, number: int) -> int:
    """Forget the failures of a number; how many there were."""
    row = connection.execute(FORGET, (account, number)).fetchone()
    return 0 if row is None else row[0]


def prune(connection: sqlite3.Connection, before: int, limit: int = 500) -> bool:
    """One small step: forget failures before this time (operators give numbers of old to new
    people); True if more wait."""
    return connection.execute(OLD, (before, limit)).rowcount == limit


class Failures:
    """The table as `marking` reads it."""

    def count(self, connection: sqlite3.Connection) -> int:
        """How many numbers there are."""
        (count,) = connection.execute(HOW_MANY).fetchone()
        return int(count)

    def entries(self, connection: sqlite3.Connection) -> Iterator[tuple[int, list[int]]]:
        """All of them, by account."""
        last = (0, 0)
        while pairs := unpack(connection, _pairs, ALL, *last, STEP):
            by_account: dict[int, list[int]] = {}
            for account, number in pairs:
                by_account.setdefault(account, []).append(number)
            yield from by_account.items()
            last = pairs[-1]

    def erased_marks(self, connection: sqlite3.Connection) -> dict[int, list[int]]:
        """There are none: an erased number's failures are gone."""
        return {}
