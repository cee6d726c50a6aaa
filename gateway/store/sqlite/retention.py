"""What retention takes away, in small steps.

In: times before which things go. Out: fewer rows. Each function is one step of at most some
hundred rows and returns whether another would find work; how often they run is `maintain`'s affair.

Ids carry their time, so everything old lies at the low end of its table: a step walks on from where
the last one stopped, and a new round begins at the bottom for what was not ripe the time before.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from itertools import takewhile
from typing import Final

import msgspec

from gateway.ids import first_id_at
from gateway.metrics import ORPHANS, PRUNED
from gateway.store.sqlite import forgetting, log_retention, receive
from gateway.store.sqlite.memory import MICROS, Memory
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.writer import Transaction

STEP: Final = 500
"""Rows in one step: 2-5 ms."""

_pairs: Final = msgspec.json.Decoder(list[tuple[int, int]])
_ids: Final = msgspec.json.Decoder(list[int])


class _Orphan(msgspec.Struct, array_like=True):
    id: int
    carrier: int
    at: int


class _Text(msgspec.Struct, array_like=True):
    id: int
    batch: int | None
    first: int | None
    last: int | None
    templated: int


_orphans: Final = msgspec.json.Decoder(list[_Orphan])
_texts: Final = msgspec.json.Decoder(list[_Text])

PARKED: Final = """
SELECT json_group_array(json_array(id, carrier, at))
FROM (SELECT id, carrier, at FROM parked ORDER BY id LIMIT ?)
"""
OLD_MESSAGES: Final = """
SELECT json_group_array(json_array(id, deadline IS NULL AND updated < ?)) FROM (
    SELECT id, deadline, updated FROM messages WHERE id > ? AND id < ? ORDER BY id LIMIT ?
)
"""
OLD_PARTS: Final = """
SELECT json_group_array(json_array(id, sent_at)) FROM (
    SELECT id, sent_at FROM parts WHERE id > ? ORDER BY id LIMIT ?
)
"""
DROP_PARTS: Final = "DELETE FROM parts WHERE id <= ?"
DROP_INDEXED: Final = """
DELETE FROM parts_index WHERE (carrier, operator_id, message) IN (
    SELECT carrier, operator_id, message FROM parts WHERE id > ? AND id <= ?
)
"""
META: Final = "SELECT coalesce((SELECT value FROM meta WHERE name = ?), 0)"
MARK: Final = "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)"
OLD_RUN: Final = """
SELECT run FROM runs WHERE last < coalesce((SELECT min(id) FROM messages), ?) ORDER BY run LIMIT 1
"""
DROP_NUMBERS: Final = """
DELETE FROM by_number WHERE (run, number, id) IN (
    SELECT run, number, id FROM by_number WHERE run = ? LIMIT ?
)
"""
DROP_REFS: Final = """
DELETE FROM by_ref WHERE (run, account, ref, id) IN (
    SELECT run, account, ref, id FROM by_ref WHERE run = ? LIMIT ?
)
"""
DROP_RUN: Final = "DELETE FROM runs WHERE run = ?"
DROP_ACCOUNTS: Final = """
DELETE FROM by_account WHERE (account, id) IN (
    SELECT i.account, i.id FROM names AS n CROSS JOIN by_account AS i
    ON i.account = n.id AND i.id < coalesce((SELECT min(id) FROM messages), ?)
    WHERE n.kind = 'account' LIMIT ?
)
"""
OLD_TOLD: Final = """
SELECT json_group_array(json_array(t.id, m.id IS NULL)) FROM (
    SELECT id, message FROM told_ids WHERE id > ? AND id < ? ORDER BY id LIMIT ?
) AS t LEFT JOIN messages AS m ON m.id = t.message
"""
DROP_TOLD: Final = "DELETE FROM told_ids WHERE id IN (SELECT value FROM json_each(?))"
DROP_MAILBOXES: Final = """
DELETE FROM mailboxes WHERE updated < ? AND account NOT IN (SELECT value FROM json_each(?))
AND NOT EXISTS (
    SELECT 1 FROM events AS e WHERE e.account = mailboxes.account AND e.type IN (?, ?)
    AND e.position > mailboxes.position
)
"""
OLD_BATCH: Final = """
SELECT b.id FROM batches AS b WHERE b.id > ? AND b.id < ? AND b.finished < ? AND NOT EXISTS (
    SELECT 1 FROM batch_ranges AS r CROSS JOIN messages AS m ON m.id BETWEEN r.first AND r.last
    WHERE r.batch = b.id AND m.source = b.id
) ORDER BY b.id LIMIT 1
"""
DROP_INELIGIBLE: Final = """
DELETE FROM ineligible WHERE (batch, position) IN (
    SELECT batch, position FROM ineligible WHERE batch = ? LIMIT ?
)
"""
DROP_BATCH: Final = (
    "DELETE FROM batch_ranges WHERE batch = ?",
    "DELETE FROM batch_counts WHERE batch = ?",
    "DELETE FROM contents WHERE id = (SELECT content FROM batches WHERE id = ?)",
    "DELETE FROM batches WHERE id = ?",
)
TEXTS: Final = """
SELECT json_group_array(json_array(id, batch, first, last, coalesce(json ->> 'templated', 0)))
FROM (
    SELECT c.id, c.batch, c.first, c.last, c.json FROM contents AS c INDEXED BY contents_texts
    WHERE c.erased = 0 AND c.id > ?1 AND c.id < ?2 AND CASE
        WHEN c.batch IS NOT NULL
        THEN EXISTS (SELECT 1 FROM batches WHERE id = c.batch AND finished < ?3)
        ELSE NOT EXISTS (
            SELECT 1 FROM messages AS m WHERE m.id BETWEEN c.first AND c.last AND m.content = c.id
            AND (m.deadline IS NOT NULL OR m.updated >= ?3)
        ) END
    ORDER BY c.id LIMIT ?4
)
"""
VARS_OF_BATCH: Final = """
SELECT json_group_array(id) FROM (
    SELECT m.id FROM batch_ranges AS r CROSS JOIN messages AS m
    ON m.id BETWEEN max(r.first, ?2 + 1) AND r.last
    WHERE r.batch = ?1 AND r.last > ?2 AND m.source = ?1 ORDER BY r.first, m.id LIMIT ?3
)
"""
VARS_OF_RANGE: Final = """
SELECT json_group_array(id) FROM (
    SELECT id FROM messages WHERE id > ?2 AND id <= ?4 AND content = ?1 ORDER BY id LIMIT ?3
)
"""
OLD_CONTENTS: Final = """
SELECT json_group_array(id) FROM (
    SELECT id FROM contents
    WHERE id > ? AND id < ? AND batch IS NULL
    AND coalesce(last, 0) < coalesce((SELECT min(id) FROM messages), ?)
    ORDER BY id LIMIT ?
)
"""
DROP_CONTENTS: Final = "DELETE FROM contents WHERE id IN (SELECT value FROM json_each(?))"


def drop_batch(connection: sqlite3.Connection, batch: int) -> bool:
    """One step of forgetting a campaign that has no messages left; True if it is gone."""
    if connection.execute(DROP_INELIGIBLE, (batch, STEP)).rowcount == STEP:
        return False
    for statement in DROP_BATCH:
        connection.execute(statement, (batch,))
    return True


class Retention:
    """The steps, and where each stands."""

    __slots__ = ("_batches", "_memory", "_messages", "_texts", "_told", "_vars")

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._messages = 0
        self._batches = 0
        self._texts = 0
        self._told = 0
        self._vars = 0

    def orphans(self, transaction: Transaction, now: int) -> bool:
        """Report receipts whose response never came."""
        before = now - int(self._memory.settings.keep_receipts * MICROS)
        connection = transaction.connection
        oldest = unpack(connection, _orphans, PARKED, STEP)
        gone = list(takewhile(lambda one: one.at < before, oldest))
        if gone:
            receive.forget(connection, [one.id for one in gone])
            names, metrics = self._memory.names, self._memory.metrics
            carriers = Counter(names.name(one.carrier) for one in gone)

            def committed() -> None:
                for carrier, count in carriers.items():
                    metrics.count(ORPHANS, count, carrier)

            transaction.after_commit(committed)
        return len(gone) == STEP

    def texts(self, transaction: Transaction, now: int) -> bool:
        """Erase texts, and the values that filled them, of submissions that are over."""
        before = now - int(self._memory.settings.keep_text * MICROS)
        connection = transaction.connection
        found = unpack(connection, _texts, TEXTS, self._texts, first_id_at(before), before, STEP)
        if not found:
            self._texts = 0
            return False
        whole: list[int] = []
        for one in found:
            if one.templated and not self._vars_erased(transaction, one):
                break
            whole.append(one.id)
        if whole:
            forgetting.erase_texts(transaction, self._memory, whole)
            after = whole[-1]

            def committed() -> None:
                self._texts = after

            transaction.after_commit(committed)
            self._count(transaction, "texts", len(whole))
        return True

    def _vars_erased(self, transaction: Transaction, one: _Text) -> bool:
        """One step through the messages of a templated text; True when it was the last."""
        connection = transaction.connection
        if one.batch is not None:
            ids = unpack(connection, _ids, VARS_OF_BATCH, one.batch, self._vars, STEP)
        else:
            after = max(self._vars, (one.first or 1) - 1)
            ids = unpack(connection, _ids, VARS_OF_RANGE, one.id, after, STEP, one.last)
        connection.execute(forgetting.ERASE_VALUES, (pack(ids),))
        done = len(ids) < STEP
        stand = 0 if done else ids[-1]

        def committed() -> None:
            self._vars = stand

        transaction.after_commit(committed)
        return done

    def messages(self, transaction: Transaction, now: int) -> bool:
        """Forget messages that ended long ago."""
        before = self._kept(now)
        connection = transaction.connection
        walked = unpack(
            connection, _pairs, OLD_MESSAGES, before, self._messages, first_id_at(before), STEP
        )
        ripe = [identifier for identifier, over in walked if over]
        if ripe:
            forgetting.drop_messages(transaction, self._memory, ripe)
            self._count(transaction, "messages", len(ripe))
        stand = walked[-1][0] if len(walked) == STEP else 0

        def committed() -> None:
            self._messages = stand

        transaction.after_commit(committed)
        return len(walked) == STEP

    def parts(self, transaction: Transaction, now: int) -> bool:
        """Forget what operators called parts; take the silent ones out of the index earlier, when
        no receipt can be expected any more."""
        settings = self._memory.settings
        connection = transaction.connection
        old = self._old_parts(transaction, 0, self._kept(now))
        if old:
            connection.execute(DROP_PARTS, (old[-1],))
            self._count(transaction, "parts", len(old))
        (silent_to,) = connection.execute(META, ("parts_dropped_to",)).fetchone()
        late = now - int((settings.receipt_timeout + settings.keep_receipts) * MICROS)
        silent = [
            identifier
            for identifier in self._old_parts(transaction, silent_to, late)
            if identifier <= self._memory.correlation.moved_to
        ]
        if silent:
            connection.execute(DROP_INDEXED, (silent_to, silent[-1]))
            connection.execute(MARK, ("parts_dropped_to", silent[-1]))
        return STEP in (len(old), len(silent))

    def _old_parts(self, transaction: Transaction, after: int, before: int) -> list[int]:
        rows = unpack(transaction.connection, _pairs, OLD_PARTS, after, STEP)
        return [row[0] for row in takewhile(lambda row: row[1] < before, rows)]

    def index(self, transaction: Transaction, now: int) -> bool:
        """Forget the index of messages that are gone, a run at a time."""
        connection = transaction.connection
        limit = first_id_at(self._kept(now))
        accounts = connection.execute(DROP_ACCOUNTS, (limit, STEP)).rowcount
        row = connection.execute(OLD_RUN, (limit,)).fetchone()
        if row is None:
            return accounts == STEP
        (run,) = row
        numbers = connection.execute(DROP_NUMBERS, (run, STEP)).rowcount
        refs = connection.execute(DROP_REFS, (run, STEP)).rowcount
        if numbers < STEP and refs < STEP:
            connection.execute(DROP_RUN, (run,))
        return True

    def told(self, transaction: Transaction, now: int) -> bool:
        """Forget ids told for parts of messages that are gone."""
        connection = transaction.connection
        limit = first_id_at(self._kept(now))
        walked = unpack(connection, _pairs, OLD_TOLD, self._told, limit, STEP)
        ripe = [identifier for identifier, gone in walked if gone]
        if ripe:
            connection.execute(DROP_TOLD, (pack(ripe),))
            self._count(transaction, "told_ids", len(ripe))
        stand = walked[-1][0] if len(walked) == STEP else 0

        def committed() -> None:
            self._told = stand

        transaction.after_commit(committed)
        return len(walked) == STEP

    def mailboxes(self, transaction: Transaction, now: int) -> bool:
        """Forget the places of accounts that no receiver has asked for in this run, nor for long
        before, and for which nothing lies in the log."""
        asked = pack(list(self._memory.mailboxes))
        dropped = transaction.connection.execute(
            DROP_MAILBOXES, (self._kept(now), asked, *sorted(log_retention.MAILED))
        ).rowcount
        if dropped:
            self._count(transaction, "mailboxes", dropped)
        return False

    def batches(self, transaction: Transaction, now: int) -> bool:
        """Forget campaigns that finished long ago, and the contents of single submissions."""
        connection = transaction.connection
        before = self._kept(now)
        limit = first_id_at(before)
        contents = unpack(connection, _ids, OLD_CONTENTS, 0, limit, limit, STEP)
        if contents:
            connection.execute(DROP_CONTENTS, (pack(contents),))
        row = connection.execute(OLD_BATCH, (self._batches, limit, before)).fetchone()
        if row is None:
            self._batches = 0
            return len(contents) == STEP
        (batch,) = row
        if drop_batch(connection, batch):
            self._count(transaction, "batches", 1)
        return True

    def _kept(self, now: int) -> int:
        return now - int(self._memory.settings.keep_messages * MICROS)

    def _count(self, transaction: Transaction, table: str, rows: int) -> None:
        metrics = self._memory.metrics
        transaction.after_commit(lambda: metrics.count(PRUNED, rows, table))
