"""The life of campaigns, and messages that are called back.

In: a campaign and the state it should have; ids of messages to cancel. Out: the state it had; the
statuses they had. Cancelled and finished campaigns are brought to their end by `maintain`, in small
steps.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec

from gateway.ids import encode
from gateway.model import BATCH_TRANSITIONS, FINAL, STATUS_NAMES, BatchState, Status
from gateway.model import WAITING as WAITING_STATUSES
from gateway.store.sqlite import forgetting, settle, transitions
from gateway.store.sqlite.memory import LEASABLE, Memory
from gateway.store.sqlite.names import ACCOUNT
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.rows import Row, read
from gateway.store.sqlite.status_events import stamp
from gateway.store.sqlite.transitions import Steps
from gateway.store.sqlite.writer import Transaction

FINISHED_TYPE: Final = "batch.finished"
"""Its object: batch, account, state (`finished` or `canceled`), recipients (all that were given),
ineligible (those left out), counts by status (which are the rest), at. New
recipients reopen a campaign; it is then finished, and told to be, once more."""

CANCEL_STEP: Final = 500
"""Messages of a cancelled campaign ended in one step: about 5 ms."""

FINISH_STEP: Final = 50
"""Campaigns looked at in one step."""

STATE: Final = "SELECT state FROM batches WHERE id = ? AND account = ?"
MOVE: Final = "UPDATE batches SET state = ?, updated = ? WHERE id = ?"
FINISH: Final = "UPDATE batches SET state = ?, updated = ?2, finished = ?2 WHERE id = ?3"
WAITING: Final = """
SELECT json_group_array(id) FROM (
    SELECT id FROM messages INDEXED BY messages_due
    WHERE lane = ? AND source = ? AND due >= 0 LIMIT ?
)
"""
COUNTS: Final = """
SELECT json_group_array(json_array(b.id, b.state, b.recipients, b.ineligible, (
    SELECT json_group_array(json_array(status, n)) FROM batch_counts WHERE batch = b.id AND n > 0
))) FROM json_each(?) AS j CROSS JOIN batches AS b ON b.id = j.value WHERE b.finished IS NULL
"""
DISCARDED: Final = """
SELECT c.id FROM batches AS b CROSS JOIN contents AS c ON c.id = b.content
WHERE b.id = ? AND c.json ->> 'discard_text'
"""
"""The text of a campaign that is over, if it was to be erased; until then others need it."""
_ids: Final = msgspec.json.Decoder(list[int])
_counts: Final = msgspec.json.Decoder(list[tuple[int, str, int, int, list[tuple[int, int]]]])


def set_batch_state(
    transaction: Transaction,
    memory: Memory,
    account: str,
    batch: int,
    state: BatchState,
    now: int,
) -> BatchState | None:
    """See the contract."""
    connection: sqlite3.Connection = transaction.connection
    owner = memory.names.known(ACCOUNT, account)
    row = connection.execute(STATE, (batch, owner)).fetchone()
    if row is None:
        return None
    before = BatchState(row[0])
    if state not in BATCH_TRANSITIONS[before]:
        return before
    connection.execute(MOVE, (state, now, batch))
    memory.load_batches(connection, {batch})
    known = memory.batches[batch]
    _switch(memory, batch, state)
    transaction.on_rollback(lambda: _switch(memory, batch, before))
    known.finished = False
    transaction.after_commit(lambda: memory.touched.add(batch))
    memory.work = memory.work or state in LEASABLE
    return before


def _switch(memory: Memory, batch: int, state: str) -> None:
    memory.batches[batch].state = state
    if state in LEASABLE:
        memory.sources.resume(batch)
    else:
        memory.sources.pause(batch)


def cancel(
    transaction: Transaction, memory: Memory, account: str, ids: Sequence[int], now: int
) -> list[int | None]:
    """See the contract."""
    connection = transaction.connection
    owner = memory.names.known(ACCOUNT, account)
    rows = {row.id: row for row in read(connection, ids) if row.account == owner}
    gone = [row for row in rows.values() if row.status in WAITING_STATUSES]
    _cancel(transaction, memory, gone, now)
    return [rows[identifier].status if identifier in rows else None for identifier in ids]


def _cancel(transaction: Transaction, memory: Memory, rows: Sequence[Row], now: int) -> None:
    settle.leave(transaction, memory, rows)
    steps = Steps()
    for row in rows:
        steps.add(row, Status.CANCELED, now, reason="canceled")
    transitions.write(transaction, memory, steps)


def end_canceled(transaction: Transaction, memory: Memory, now: int) -> bool:
    """One step: cancel waiting messages of cancelled campaigns; True if more may wait."""
    connection = transaction.connection
    for batch in [b for b in memory.sources.paused if _is_canceled(memory, b)]:
        for entry in memory.sources.of(batch):
            ids = unpack(connection, _ids, WAITING, entry.lane, batch, CANCEL_STEP)
            rows = read(connection, ids)
            _cancel(transaction, memory, rows, now)
            return bool(ids)
    return False


def finish(transaction: Transaction, memory: Memory, now: int) -> bool:
    """One step: end campaigns of which nothing is left to happen; True if more wait to be seen."""
    connection = transaction.connection
    looked_at = list(memory.touched)[:FINISH_STEP]
    if not looked_at:
        return False
    for batch, state, recipients, ineligible, pairs in unpack(
        connection, _counts, COUNTS, pack(looked_at)
    ):
        counts = dict(pairs)
        over = recipients > 0 and all(status in FINAL for status in counts)
        if state not in (BatchState.RUNNING, BatchState.CANCELED) or not over:
            continue
        after = BatchState.FINISHED if state == BatchState.RUNNING else BatchState.CANCELED
        connection.execute(FINISH, (after, now, batch))
        memory.load_batches(connection, {batch})
        account = memory.names.name(memory.batches[batch].account)
        event = {
            "batch": encode("bat", batch),
            "account": account,
            "state": after.value,
            "recipients": recipients,
            "ineligible": ineligible,
            "counts": {STATUS_NAMES[status]: n for status, n in sorted(counts.items())},
            "at": stamp(now),
        }
        memory.events.add(connection, account, FINISHED_TYPE, [pack(event)], now)
        discarded = [row[0] for row in connection.execute(DISCARDED, (batch,))]
        forgetting.erase_texts(transaction, memory, discarded)
        transaction.after_commit(partial(_over, memory, batch))

    def committed() -> None:
        memory.touched.difference_update(looked_at)

    transaction.after_commit(committed)
    return len(memory.touched) > len(looked_at)


def _over(memory: Memory, batch: int) -> None:
    """Nothing of it waits: forget it. Whoever touches it again loads it again."""
    memory.batches.pop(batch, None)
    memory.sources.paused.discard(batch)


def _is_canceled(memory: Memory, batch: int) -> bool:
    known = memory.batches.get(batch)
    return known is not None and known.state == BatchState.CANCELED
