"""The end of messages whose time is over.

In: the time. Out: `expired` for what has not left, `unknown` (or the worst its parts told) for
what left and was never heard of. One small step at a time.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.model import Status
from gateway.store.sqlite import moderation, receive, settle, transitions
from gateway.store.sqlite.memory import MICROS, Memory
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.rows import Row, read
from gateway.store.sqlite.transitions import Steps
from gateway.store.sqlite.writer import Transaction

STEP: Final = 500
"""Messages in one step: about 5 ms."""

OVERDUE: Final = f"""
SELECT json_group_array(id) FROM (
    SELECT id FROM messages INDEXED BY messages_deadline
    WHERE deadline <= ? AND status <> {int(Status.SENDING)} ORDER BY deadline LIMIT ?
)
"""
"""Leased messages belong to their carrier's link: it settles them, or a restart does."""

WAIT: Final = """
UPDATE messages SET deadline = updated + ? WHERE id IN (SELECT value FROM json_each(?))
"""
_ids: Final = msgspec.json.Decoder(list[int])


def expire(transaction: Transaction, memory: Memory, now: int) -> bool:
    """One step; True if more may be overdue.

    The deadline of a message is the one for leaving until it has left: `settle` does not rewrite
    it (an index entry for each message), this sweep does when it comes across a sent one.
    """
    connection = transaction.connection
    ids = unpack(connection, _ids, OVERDUE, now, STEP)
    if not ids:
        return False
    timeout = int(memory.settings.receipt_timeout * MICROS)
    unsent: list[Row] = []
    silent: list[Row] = []
    wait: list[int] = []
    for row in read(connection, ids):
        if row.status != Status.SENT:
            unsent.append(row)
        elif row.updated + timeout > now:
            wait.append(row.id)
        else:
            silent.append(row)
    if wait:
        connection.execute(WAIT, (timeout, pack(wait)))
    spared = moderation.spare(transaction, memory, unsent)
    unsent = [row for row in unsent if row.id not in spared]
    settle.leave(transaction, memory, unsent)
    steps = Steps()
    for row in unsent:
        steps.add(row, Status.EXPIRED, now, reason="validity_expired")
    _silent(transaction, silent, steps, now)
    transitions.write(transaction, memory, steps)
    return len(ids) == STEP


def _silent(transaction: Transaction, rows: list[Row], steps: Steps, now: int) -> None:
    long = [row.id for row in rows if row.parts > 1]
    parts = receive.load_parts(transaction.connection, long) if long else {}
    for row in rows:
        worst, listed, _ = receive.verdict(row, parts.get(row.id, {}))
        if worst is None or worst.status in (None, Status.DELIVERED, Status.UNKNOWN):
            # Some parts arrived and the rest is silence: nobody can say that it was delivered.
            steps.add(row, Status.UNKNOWN, now, reason="outcome_unknown", parts=listed)
        else:
            steps.add(
                row,
                worst.status,
                now,
                reason=receive.reason_code(worst.reason),
                carrier_code=worst.carrier_code,
                parts=listed,
            )
