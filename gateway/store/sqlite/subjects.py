"""What is kept of a person, and the end of it.

In: an account and a number. Out: what there is of them; rows without them. Each function is one
step of one transaction or of one read; `calls_people` strings them together.

Messages that are on their way keep their number until their fate is known: their receipts come for
it. They stand in `erasing` and are finished by `maintain`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import reduce
from typing import Final

import msgspec

from gateway.model import FINAL, WAITING, Status
from gateway.store.ledgers import Excluded
from gateway.store.messages import InboundMessage, Ineligible
from gateway.store.sqlite import forgetting, moderation, settle, transitions
from gateway.store.sqlite.memory import Memory
from gateway.store.sqlite.names import ACCOUNT, Names
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.queries import NEWEST
from gateway.store.sqlite.rows import Row, read
from gateway.store.sqlite.transitions import Steps
from gateway.store.sqlite.writer import Transaction

STEP: Final = 100
"""Messages erased in one transaction: some 10 ms."""
WALK: Final = 10_000
"""Excluded recipients looked at in one step of the reader: some 10 ms."""

REPLIES: Final = """
SELECT json_group_array(json_array(id, carrier, source, destination, text, at, complete, parts,
    in_reply_to))
FROM (
    SELECT * FROM inbound INDEXED BY inbound_by_source
    WHERE account = ?1 AND source IN (?2, '+' || ?2) AND id < ?3 ORDER BY id DESC LIMIT ?4
)
"""
DROP_REPLIES: Final = """
DELETE FROM inbound WHERE id IN (
    SELECT id FROM inbound INDEXED BY inbound_by_source
    WHERE account = ?1 AND source IN (?2, '+' || ?2) LIMIT ?3
)
"""
DROP_GROUPS: Final = """
DELETE FROM mo_groups WHERE rowid IN (
    SELECT g.rowid FROM names AS n CROSS JOIN mo_groups AS g
    ON g.carrier = n.id AND g.source IN (?2, '+' || ?2)
    WHERE n.kind = 'carrier' AND g.account = ?1
)
"""
DROP_CONSENTS: Final = "DELETE FROM consents WHERE account = ? AND number = ?"
DROP_FAILURES: Final = "DELETE FROM failures WHERE account = ? AND number = ?"
DROP_ANSWERS: Final = "DELETE FROM keyword_answers WHERE account = ? AND number = ?"
LATER: Final = """
INSERT OR IGNORE INTO erasing (message, asked) SELECT value, ? FROM json_each(?)
"""
ERASING: Final = """
SELECT json_group_array(message) FROM (
    SELECT message FROM erasing WHERE message > ? ORDER BY message LIMIT ?
)
"""
ERASED: Final = "DELETE FROM erasing WHERE message IN (SELECT value FROM json_each(?))"

NEXT_BATCH: Final = """
SELECT id FROM batches WHERE account = ? AND id > ? AND ineligible > 0 ORDER BY id LIMIT 1
"""
_DIGITS: Final = reduce(
    lambda text, left_out: f"replace({text}, '{left_out}', '')",
    ("(0)", *"+ \t\u00a0\u202f().-/\u2010\u2011\u2012\u2013"),
    "number",
)
"""Without the signs people set between digits: all that admission reads past."""
EXCLUDED: Final = f"""
SELECT json_array(json(json_group_array(json_array(position, number, code, detail, client_ref))
    FILTER (WHERE length(written) >= 7
        AND substr(?4, -min(length(written), 8)) = substr(written, -8))),
    max(position), count(*))
FROM (
    SELECT *, ltrim({_DIGITS}, '0') AS written FROM ineligible
    WHERE batch = ?1 AND position > ?2 ORDER BY position LIMIT ?3
)
"""
"""Refused recipients are kept as the caller wrote them: what stands there is taken for the number
if its last eight digits are the same, whatever prefix a country puts before them at home."""
BLANK_EXCLUDED: Final = """
UPDATE ineligible SET number = '', client_ref = NULL WHERE (batch, position) IN (
    SELECT value ->> 0, value ->> 1 FROM json_each(?)
)
"""


class _Reply(msgspec.Struct, array_like=True):
    id: int
    carrier: int
    source: str
    destination: str
    text: str
    at: int
    complete: int
    parts: int
    in_reply_to: int | None


class _Excluded(msgspec.Struct, array_like=True):
    found: list[Ineligible]
    last: int | None
    rows: int


_ids: Final = msgspec.json.Decoder(list[int])
_replies: Final = msgspec.json.Decoder(list[_Reply])
_excluded: Final = msgspec.json.Decoder(_Excluded)


def replies(
    connection: sqlite3.Connection,
    account: str,
    number: int,
    limit: int,
    cursor: int | None,
    names: Names,
) -> list[InboundMessage]:
    """What a number sent to the account, newest first."""
    before = NEWEST if cursor is None else cursor
    owner = names.known(ACCOUNT, account)
    rows = unpack(connection, _replies, REPLIES, owner, str(number), before, limit)
    return [
        InboundMessage(
            row.id, account, names.name(row.carrier), row.source, row.destination, row.text,
            row.at, bool(row.complete), row.parts, row.in_reply_to,
        )
        for row in rows
    ]  # fmt: skip


class ExcludedWalk:
    """The excluded recipients of an account's campaigns that a number may stand for. Call `step`
    until it gives them."""

    __slots__ = ("_account", "_batch", "_found", "_number", "_position")

    def __init__(self, account: int, number: int) -> None:
        self._account = account
        self._number = str(number)
        self._batch = 0
        self._position: int | None = None
        """The last one looked at; None: the batch is done."""
        self._found: list[Excluded] = []

    def step(self, connection: sqlite3.Connection) -> list[Excluded] | None:
        """Walk on a little; all there are once there is nothing further, else None."""
        left = WALK
        while left > 0:
            if self._position is None:
                row = connection.execute(NEXT_BATCH, (self._account, self._batch)).fetchone()
                if row is None:
                    return self._found
                self._batch, self._position = row[0], -1
            walked = unpack(
                connection, _excluded, EXCLUDED, self._batch, self._position, left, self._number
            )
            self._found += [Excluded(self._batch, one) for one in walked.found]
            self._position = walked.last if walked.rows == left else None
            left -= walked.rows + 1
        return None


def erase_messages(
    transaction: Transaction, memory: Memory, ids: Sequence[int], now: int
) -> tuple[int, int, int]:
    """Take the person out of these messages of theirs; what waits is cancelled first.

    Returns how many were erased, how many of them were cancelled, and how many are on their way.
    """
    rows = read(transaction.connection, ids)
    waiting = [row for row in rows if row.status in WAITING]
    _cancel(transaction, memory, waiting, now)
    over = [row.id for row in rows if row.status in FINAL or row.status in WAITING]
    under_way = [row.id for row in rows if not (row.status in FINAL or row.status in WAITING)]
    if over:
        forgetting.blank(transaction, memory, over)
    if under_way:
        transaction.connection.execute(LATER, (now, pack(under_way)))
        new = set(under_way) - memory.erasing
        memory.erasing |= new
        transaction.on_rollback(lambda: memory.erasing.difference_update(new))
        sent = [row.id for row in rows if row.status == Status.SENT]
        forgetting.discard(transaction, memory, sent)
    return len(over), len(waiting), len(under_way)


def finish(transaction: Transaction, memory: Memory, after: int, now: int) -> tuple[int, bool]:
    """One step of housekeeping: erase what was on its way and is over; cancel what came back.

    Returns where the next step goes on, and whether it would find any.
    """
    connection = transaction.connection
    ids = unpack(connection, _ids, ERASING, after, STEP)
    if not ids:
        return 0, False
    rows = read(connection, ids)
    erase_messages(transaction, memory, [row.id for row in rows if _is_over(row)], now)
    there = {row.id for row in rows if not _is_over(row)}
    over = [one for one in ids if one not in there]
    connection.execute(ERASED, (pack(over),))
    transaction.after_commit(lambda: memory.erasing.difference_update(over))
    more = len(ids) == STEP
    return (ids[-1] if more else 0), more


def _is_over(row: Row) -> bool:
    return row.status in FINAL or row.status in WAITING


def _cancel(transaction: Transaction, memory: Memory, rows: Sequence[Row], now: int) -> None:
    moderation.forget(transaction, [row.id for row in rows if row.lane < 0])
    settle.leave(transaction, memory, rows)
    steps = Steps()
    for row in rows:
        steps.add(row, Status.CANCELED, now, reason="erased")
    transitions.write(transaction, memory, steps)


def erase_rest(
    transaction: Transaction,
    memory: Memory,
    account: int,
    number: int,
    excluded: Sequence[Excluded],
) -> tuple[int, int]:
    """Take away replies, consents, failures and what keywords remember; how many replies and
    consents that were."""
    connection = transaction.connection
    written = str(number)
    gone = connection.execute(DROP_REPLIES, (account, written, -1)).rowcount
    connection.execute(DROP_GROUPS, (account, written))
    consents = connection.execute(DROP_CONSENTS, (account, number)).rowcount
    connection.execute(DROP_FAILURES, (account, number))
    connection.execute(DROP_ANSWERS, (account, number))
    if excluded:
        places = [(one.batch, one.recipient.position) for one in excluded]
        connection.execute(BLANK_EXCLUDED, (pack(places),))
    return gone, consents
