"""What accounts keep for a shorter time than the store.

In: the accounts' rules, the time. Out: fewer texts, values, numbers and messages of theirs. One
step is at most some hundred rows of one account; `Retention` does the same for everybody by the
store's own times, and takes away what is left here (the operators' ids of parts).

Each kind of thing of an account is walked in order of ids, which carry their time. What was not
ripe is come back to: the next round begins at the first of it. A restart begins at the bottom.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.ids import first_id_at
from gateway.metrics import PRUNED
from gateway.store.sqlite import forgetting
from gateway.store.sqlite.memory import MICROS, Memory
from gateway.store.sqlite.names import ACCOUNT
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.retention import STEP, drop_batch
from gateway.store.sqlite.writer import Transaction

INDEXED_TO: Final = "SELECT coalesce((SELECT value FROM meta WHERE name = 'indexed_to'), 0)"
INDEXED: Final = """
SELECT json_group_array(json_array(i.id, m.deadline IS NULL AND m.updated < ?1)) FROM (
    SELECT id FROM by_account WHERE account = ?2 AND id > ?3 AND id < ?4 ORDER BY id LIMIT ?5
) AS i LEFT JOIN messages AS m ON m.id = i.id
"""
TAIL: Final = """
SELECT json_group_array(json_array(m.id, m.deadline IS NULL AND m.updated < ?1, m.account = ?2))
FROM (
    SELECT id, account, deadline, updated FROM messages
    WHERE id > ?3 AND id < ?4 ORDER BY id LIMIT ?5
) AS m
"""
OVER_CONTENTS: Final = """
SELECT json_group_array(DISTINCT c.id) FROM json_each(?1) AS j CROSS JOIN messages AS m
ON m.id = j.value CROSS JOIN contents AS c ON c.id = m.content
WHERE c.batch IS NULL AND c.erased = 0 AND NOT EXISTS (
    SELECT 1 FROM messages AS o WHERE o.id BETWEEN c.first AND c.last AND o.content = c.id
    AND (o.deadline IS NOT NULL OR o.updated >= ?2)
)
"""
BATCH_TEXTS: Final = """
SELECT json_group_array(id) FROM (
    SELECT c.id FROM batches AS b INDEXED BY batches_by_account
    CROSS JOIN contents AS c ON c.id = b.content AND c.erased = 0
    WHERE b.account = ? AND b.id < ? AND b.finished < ? LIMIT ?
)
"""
OLD_BATCH: Final = """
SELECT b.id FROM batches AS b INDEXED BY batches_by_account
WHERE b.account = ? AND b.id < ? AND b.finished < ? AND NOT EXISTS (
    SELECT 1 FROM batch_ranges AS r CROSS JOIN messages AS m ON m.id BETWEEN r.first AND r.last
    WHERE r.batch = b.id AND m.source = b.id
) ORDER BY b.id LIMIT 1
"""
REPLY_TEXTS: Final = """
SELECT json_group_array(id) FROM (
    SELECT id FROM inbound INDEXED BY inbound_by_account
    WHERE account = ? AND id > ? AND id < ? ORDER BY id LIMIT ?
)
"""
ERASE_REPLIES: Final = """
UPDATE inbound SET text = '' WHERE id IN (SELECT value FROM json_each(?)) AND text <> ''
"""
DROP_REPLIES: Final = """
DELETE FROM inbound WHERE id IN (
    SELECT id FROM inbound INDEXED BY inbound_by_account WHERE account = ? AND id < ? LIMIT ?
)
"""
DROP_FAILURES: Final = """
DELETE FROM failures WHERE (account, number) IN (
    SELECT account, number FROM failures INDEXED BY failures_at
    WHERE account = ? AND at < ? LIMIT ?
)
"""
_ids: Final = msgspec.json.Decoder(list[int])
_indexed: Final = msgspec.json.Decoder(list[tuple[int, int | None]])
_tail: Final = msgspec.json.Decoder(list[tuple[int, int, int]])


class _Walk(msgspec.Struct):
    """Where a walk over an account's messages stands."""

    stand: int = 0
    unripe: int | None = None
    """The first message of this round that must be come back to."""


class _Own(msgspec.Struct):
    """An account with times of its own, in µs before now."""

    account: int
    text: int
    messages: int


class OwnRetention:
    """The accounts' own times, a step at a time."""

    __slots__ = ("_memory", "_replies", "_todo", "_walks")

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._todo: list[tuple[int, _Own]] = []
        """What is left of this round: which of `_steps`, for whom."""
        self._walks: dict[tuple[int, str], _Walk] = {}
        self._replies: dict[int, int] = {}

    def step(self, transaction: Transaction, now: int) -> bool:
        """One step of the round; True if it goes on."""
        steps = (self._texts, self._batch_texts, self._reply_texts, self._messages, self._batches,
                 self._rest)  # fmt: skip
        todo = self._todo or [(kind, own) for own in self._owners() for kind in range(len(steps))]
        if not todo:
            return False
        kind, own = todo[0]
        if not steps[kind](transaction, own, now):
            todo = todo[1:]

        def committed() -> None:
            self._todo = todo

        transaction.after_commit(committed)
        return bool(todo)

    def _owners(self) -> list[_Own]:
        settings, names = self._memory.settings, self._memory.names
        found: list[_Own] = []
        for name, rules in self._memory.rules.items():
            account = names.known(ACCOUNT, name)
            text = min(rules.keep_text or settings.keep_text, settings.keep_text)
            messages = min(rules.keep_messages or settings.keep_messages, settings.keep_messages)
            if account is None or (text, messages) == (settings.keep_text, settings.keep_messages):
                continue
            # A text without its message would be nobody's.
            text = min(text, messages)
            found.append(_Own(account, int(text * MICROS), int(messages * MICROS)))
        return found

    def _texts(self, transaction: Transaction, own: _Own, now: int) -> bool:
        before = now - own.text
        ripe, more = self._walked(transaction, own.account, "texts", before)
        if ripe:
            packed = pack(ripe)
            transaction.connection.execute(forgetting.ERASE_VALUES, (packed,))
            self._erase(transaction, packed, before)
        return more

    def _erase(self, transaction: Transaction, packed: str, before: int) -> None:
        contents = unpack(transaction.connection, _ids, OVER_CONTENTS, packed, before)
        forgetting.erase_texts(transaction, self._memory, contents)
        self._count(transaction, "texts", len(contents))

    def _batch_texts(self, transaction: Transaction, own: _Own, now: int) -> bool:
        before = now - own.text
        contents = unpack(
            transaction.connection, _ids, BATCH_TEXTS, own.account, first_id_at(before), before,
            STEP,
        )  # fmt: skip
        forgetting.erase_texts(transaction, self._memory, contents)
        self._count(transaction, "texts", len(contents))
        return len(contents) == STEP

    def _reply_texts(self, transaction: Transaction, own: _Own, now: int) -> bool:
        after = self._replies.get(own.account, 0)
        ids = unpack(
            transaction.connection, _ids, REPLY_TEXTS, own.account, after,
            first_id_at(now - own.text), STEP,
        )  # fmt: skip
        if not ids:
            return False
        transaction.connection.execute(ERASE_REPLIES, (pack(ids),))

        def committed() -> None:
            self._replies[own.account] = ids[-1]

        transaction.after_commit(committed)
        return len(ids) == STEP

    def _messages(self, transaction: Transaction, own: _Own, now: int) -> bool:
        before = now - own.messages
        ripe, more = self._walked(transaction, own.account, "messages", before)
        if ripe:
            packed = pack(ripe)
            self._erase(transaction, packed, before)
            transaction.connection.execute(forgetting.UNINDEX_ACCOUNTS, (packed,))
            forgetting.drop_messages(transaction, self._memory, ripe)
            self._count(transaction, "messages", len(ripe))
        return more

    def _rest(self, transaction: Transaction, own: _Own, now: int) -> bool:
        before = now - own.messages
        limit = first_id_at(before)
        execute = transaction.connection.execute
        gone = (
            execute(DROP_REPLIES, (own.account, limit, STEP)).rowcount,
            execute(DROP_FAILURES, (own.account, before, STEP)).rowcount,
        )
        return STEP in gone

    def _batches(self, transaction: Transaction, own: _Own, now: int) -> bool:
        connection = transaction.connection
        before = now - own.messages
        row = connection.execute(OLD_BATCH, (own.account, first_id_at(before), before)).fetchone()
        if row is None:
            return False
        if drop_batch(connection, row[0]):
            self._count(transaction, "batches", 1)
        return True

    def _walked(
        self, transaction: Transaction, account: int, kind: str, before: int
    ) -> tuple[list[int], bool]:
        """The next messages of the account that ended before this time, and whether the round goes
        on. Messages that no index knows yet are walked among everybody's."""
        connection = transaction.connection
        walk = self._walks.get((account, kind), _Walk())
        limit = first_id_at(before)
        (indexed_to,) = connection.execute(INDEXED_TO).fetchone()
        ripe: list[int] = []
        unripe = walk.unripe
        if walk.stand < indexed_to:
            to = min(limit, indexed_to + 1)
            rows = unpack(connection, _indexed, INDEXED, before, account, walk.stand, to, STEP)
            for identifier, over in rows:
                if over:
                    ripe.append(identifier)
                elif over is not None and unripe is None:
                    unripe = identifier
            full = len(rows) == STEP
            last = rows[-1][0] if full else max(to - 1, walk.stand)
        else:
            own = unpack(connection, _tail, TAIL, before, account, walk.stand, limit, STEP)
            for identifier, over, ours in own:
                if ours and over:
                    ripe.append(identifier)
                elif ours and unripe is None:
                    unripe = identifier
            full = len(own) == STEP
            last = own[-1][0] if own else walk.stand
        more = full or (walk.stand < indexed_to and last < limit - 1)
        after = _Walk(last, unripe) if more else _Walk(last if unripe is None else unripe - 1)

        def committed() -> None:
            self._walks[account, kind] = after

        transaction.after_commit(committed)
        return ripe, more

    def _count(self, transaction: Transaction, table: str, rows: int) -> None:
        if rows:
            metrics = self._memory.metrics
            transaction.after_commit(lambda: metrics.count(PRUNED, rows, table))
