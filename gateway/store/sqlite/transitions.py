"""The one place where a message's status is written.

In: changes that are already known to be legal. Out, in the transaction under way: the rows, the
batches' counts, the events. Leases and retries, which are no events, are written by `lease` and
`settle`.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from gateway.errors import REASONS
from gateway.metrics import FINISHED
from gateway.model import FINAL, STATUS_NAMES, Status
from gateway.store.sqlite.memory import Memory
from gateway.store.sqlite.packed import pack
from gateway.store.sqlite.status_events import TYPE, status_event
from gateway.store.sqlite.values import Values
from gateway.store.sqlite.writer import Transaction

FEW_GROUPS: Final = 4
"""Up to so many distinct (status, time, reason ...) a statement each is cheaper than one statement
with a row for each message (1.9 us against 2.7 us a message); a list usually has one or two."""

IS_FINAL: Final = tuple(status in FINAL for status in Status)


class Change(msgspec.Struct):
    """A message's step to a status that needs nothing more from us: sent, or final."""

    id: int
    before: int
    after: int
    at: int
    account: int
    source: int
    content: int
    number: int
    sequence: int
    """Before the change."""
    client_ref: str | None
    carrier: int | None = None
    """None: as it was."""
    attempts: int = 0
    """Added to what it was."""
    reason: str | None = None
    carrier_code: str | None = None
    parts: Sequence[tuple[int, int, str | None]] = ()
    """Of a multipart message that is final: (part, status, carrier_code)."""


SENT: Final = """
UPDATE messages SET status = 6, due = NULL, sequence = sequence + 1, updated = ?,
    carrier = coalesce(?, carrier), attempts = attempts + ?, reason = ?, carrier_code = ?
WHERE id IN (SELECT value FROM json_each(?))
"""
ENDED: Final = """
UPDATE messages SET status = ?, due = NULL, deadline = NULL, sequence = sequence + 1, updated = ?,
    carrier = coalesce(?, carrier), attempts = attempts + ?, reason = ?, carrier_code = ?
WHERE id IN (SELECT value FROM json_each(?))
"""
EACH: Final = Values(
    """
UPDATE messages SET status = column2, due = NULL,
    deadline = CASE WHEN column2 = 6 THEN deadline END, sequence = sequence + 1,
    updated = column3, carrier = coalesce(column4, carrier), attempts = attempts + column5,
    reason = column6, carrier_code = column7
FROM """,
    7,
    " WHERE messages.id = column1",
)
COUNT: Final = Values(
    "INSERT INTO batch_counts (batch, status, n) SELECT column1, column2, column3 FROM ",
    3,
    """ WHERE column1 IS NOT NULL
ON CONFLICT (batch, status) DO UPDATE SET n = n + excluded.n""",
)


def reason_number(code: str | None) -> int | None:
    """What the store keeps for a reason code; nothing for one our table does not have (it came
    from a carrier's profile, and a list must not fail for it)."""
    reason = None if code is None else REASONS.get(code)
    return None if reason is None else reason.number


def count(connection: sqlite3.Connection, deltas: Counter[tuple[int, int]]) -> None:
    """Add to the batches' counts: (batch, status) -> how many more."""
    flat: list[int] = []
    for (batch, status), n in deltas.items():
        if n:
            flat += (batch, status, n)
    if flat:
        COUNT.run(connection, flat)


def write(
    transaction: Transaction,
    memory: Memory,
    changes: Sequence[Change],
    deltas: Counter[tuple[int, int]] | None = None,
) -> None:
    """Make the changes, count them, and tell of them.

    The caller has made sure that each is legal, and takes care of `sources` and `leased`. With
    `deltas` the counts are only added there, for the caller to write.
    """
    if not changes:
        return
    connection = transaction.connection
    _rows(connection, changes)
    own = Counter[tuple[int, int]]() if deltas is None else deltas
    ended: Counter[int] = Counter()
    batches: set[int] = set()
    for change in changes:
        final = IS_FINAL[change.after]
        if final:
            ended[change.after] += 1
        if change.source > 0:
            own[change.source, change.before] -= 1
            own[change.source, change.after] += 1
            if final:
                batches.add(change.source)
    if deltas is None:
        count(connection, own)
    announce(transaction, memory, changes)

    def committed() -> None:
        memory.touched |= batches
        for status, n in ended.items():
            memory.metrics.count(FINISHED, n, STATUS_NAMES[status])

    if ended:
        transaction.after_commit(committed)


def announce(transaction: Transaction, memory: Memory, changes: Iterable[Change]) -> None:
    """Write the events of changes that are written."""
    names = memory.names
    contents = memory.contents.get(transaction.connection, {change.content for change in changes})
    events: dict[int, list[str]] = defaultdict(list)
    at = 0
    for change in changes:
        source = change.source
        content = contents.get(change.content)
        events[change.account].append(
            status_event(
                change.id,
                names.name(change.account),
                change.after,
                change.sequence + 1,
                change.number,
                change.at,
                batch=source if source > 0 else None,
                carrier=None if change.carrier is None else names.name(change.carrier),
                client_ref=change.client_ref,
                reason=change.reason,
                carrier_code=change.carrier_code,
                metadata=None if content is None else content.metadata,
                parts=change.parts,
            )
        )
        at = max(at, change.at)
    for account, own in events.items():
        memory.events.add(transaction.connection, names.name(account), TYPE, own, at)


def _rows(connection: sqlite3.Connection, changes: Sequence[Change]) -> None:
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for c in changes:
        groups[c.after, c.at, c.carrier, c.attempts, c.reason, c.carrier_code].append(c.id)
    if len(groups) <= FEW_GROUPS:
        for (after, at, carrier, attempts, reason, code), ids in groups.items():
            common = (at, carrier, attempts, reason_number(reason), code, pack(ids))
            if after == Status.SENT:
                connection.execute(SENT, common)
            else:
                connection.execute(ENDED, (after, *common))
        return
    flat: list[Any] = []
    for c in changes:
        flat += (
            c.id,
            c.after,
            c.at,
            c.carrier,
            c.attempts,
            reason_number(c.reason),
            c.carrier_code,
        )
    EACH.run(connection, flat)
