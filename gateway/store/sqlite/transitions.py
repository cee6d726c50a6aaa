"""The one place where a message's status is written.

In: changes that are already known to be legal. Out, in the transaction under way: the rows, the
batches' counts, the events, the news for SMPP customers. Leases and retries, which are no events,
are written by `lease` and `settle`.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, Final

import msgspec

from gateway.errors import REASONS
from gateway.metrics import FINISHED
from gateway.model import FINAL, STATUS_NAMES, Status
from gateway.store.records import RECEIPT
from gateway.store.sqlite import failures, forgetting
from gateway.store.sqlite.memory import Memory
from gateway.store.sqlite.packed import pack
from gateway.store.sqlite.receipt_news import receipt_news
from gateway.store.sqlite.rows import Row
from gateway.store.sqlite.status_events import TYPE, Events, PartFate, Subject, status_events
from gateway.store.sqlite.values import Values
from gateway.store.sqlite.writer import Transaction

FEW_STEPS: Final = 4
"""Up to so many steps a statement each is cheaper than one statement with a row for each message
(1.9 us against 2.7 us a message); a list usually has one or two."""

_content_of: Final = attrgetter("content")

IS_FINAL: Final = tuple(status in FINAL for status in Status)

Key = tuple[int, int, int, int, int, int | None, int, str | None, str | None]
"""The arguments of a `Step`: messages that agree in them take it together."""


class Step:
    """Some messages' step to a status that needs nothing more from us: sent, or final."""

    __slots__ = (
        "account", "after", "at", "attempts", "before", "carrier", "carrier_code", "parts",
        "reason", "source", "subjects",
    )  # fmt: skip

    def __init__(
        self,
        account: int,
        source: int,
        before: int,
        after: int,
        at: int,
        carrier: int | None,
        attempts: int,
        reason: str | None,
        carrier_code: str | None,
    ) -> None:
        """`carrier` None leaves it as it was; `attempts` is added to what it was."""
        self.account = account
        self.source = source
        self.before = before
        self.after = after
        self.at = at
        self.carrier = carrier
        self.attempts = attempts
        self.reason = reason
        self.carrier_code = carrier_code
        self.subjects: list[Subject] = []
        self.parts: dict[int, Sequence[PartFate]] = {}
        """Of multipart messages that are final: what became of each part, by message."""


class Steps(dict[Key, Step]):
    """Steps of one call; no message is in two of them."""

    def __missing__(self, key: Key) -> Step:
        step = self[key] = Step(*key)
        return step

    def add(
        self,
        row: Row,
        after: int,
        at: int,
        *,
        reason: str | None = None,
        carrier_code: str | None = None,
        carrier: int | None = None,
        parts: Sequence[PartFate] = (),
    ) -> None:
        """The step of one message as read."""
        step = self[
            row.account, row.source, row.status, after, at,
            row.carrier if carrier is None else carrier, 0, reason, carrier_code,
        ]  # fmt: skip
        step.subjects.append(row)
        if parts:
            step.parts[row.id] = parts

    def add_alike(self, rows: Sequence[Row], after: int, at: int, reason: str) -> None:
        """`add` of messages that end together, most of them of one source."""
        steps: dict[tuple[int, int, int, int | None], Step] = {}
        for row in rows:
            alike = (row.account, row.source, row.status, row.carrier)
            step = steps.get(alike)
            if step is None:
                step = steps[alike] = self[
                    row.account, row.source, row.status, after, at, row.carrier, 0, reason, None
                ]
            step.subjects.append(row)


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
    steps: Steps,
    deltas: Counter[tuple[int, int]] | None = None,
) -> None:
    """Take the steps, count them, and tell of them.

    The caller has made sure that each is legal, and takes care of `sources` and `leased`. With
    `deltas` the counts are only added there, for the caller to write.
    """
    if not steps:
        return
    connection = transaction.connection
    _rows(connection, steps)
    own = Counter[tuple[int, int]]() if deltas is None else deltas
    ended: Counter[int] = Counter()
    batches: set[int] = set()
    for step in steps.values():
        n = len(step.subjects)
        if step.source > 0:
            own[step.source, step.before] -= n
            own[step.source, step.after] += n
        if IS_FINAL[step.after]:
            ended[step.after] += n
            batches.add(step.source)
    if deltas is None:
        count(connection, own)
    announce(transaction, memory, steps.values())
    if memory.contents.discarding:
        _discard(transaction, memory, steps.values())
    if ended:
        failures.note(transaction, memory, steps.values())

    def committed() -> None:
        memory.touched.update(batch for batch in batches if batch > 0)
        for status, n in ended.items():
            memory.metrics.count(FINISHED, n, STATUS_NAMES[status])

    if ended:
        transaction.after_commit(committed)


def _discard(transaction: Transaction, memory: Memory, steps: Iterable[Step]) -> None:
    """Erase the texts, of those submissions that ask for it, of messages that will not leave
    again."""
    left = [subject for step in steps if step.before < Status.SENT for subject in step.subjects]
    contents = memory.contents.get(transaction.connection, set(map(_content_of, left)))
    ids = [subject.id for subject in left if contents[subject.content].discard_text]
    if ids:
        forgetting.discard(transaction, memory, ids)


def announce(transaction: Transaction, memory: Memory, steps: Iterable[Step]) -> None:
    """Write the events of steps that are taken."""
    names = memory.names
    used = {content for step in steps for content in set(map(_content_of, step.subjects))}
    contents = memory.contents.get(transaction.connection, used)
    metadata = {
        content.id: msgspec.json.encode(content.metadata).decode()
        for content in contents.values()
        if content.metadata
    }
    events: dict[int, list[Events]] = defaultdict(list)
    receipts: dict[str, list[Events]] = defaultdict(list)
    over_smpp = memory.contents.smpp_accounts
    at = 0
    for step in steps:
        name = names.name(step.account)
        events[step.account] += status_events(
            step.subjects,
            name,
            step.after,
            step.at,
            batch=step.source if step.source > 0 else None,
            carrier=None if step.carrier is None else names.name(step.carrier),
            reason=step.reason,
            carrier_code=step.carrier_code,
            metadata=metadata,
            parts=step.parts,
        )
        if name in over_smpp:
            receipts[name] += receipt_news(
                step.subjects, contents, step.after, step.at, step.reason, step.carrier_code,
                step.parts,
            )  # fmt: skip
        at = max(at, step.at)
    for account, own in events.items():
        memory.events.add_many(transaction.connection, names.name(account), TYPE, own, at)
    for name, own in receipts.items():
        memory.events.add_many(transaction.connection, name, RECEIPT, own, at)


def _rows(connection: sqlite3.Connection, steps: Steps) -> None:
    if len(steps) <= FEW_STEPS:
        for step in steps.values():
            ids = pack([subject.id for subject in step.subjects])
            common = (step.at, step.carrier, step.attempts, reason_number(step.reason),
                      step.carrier_code, ids)  # fmt: skip
            if step.after == Status.SENT:
                connection.execute(SENT, common)
            else:
                connection.execute(ENDED, (step.after, *common))
        return
    flat: list[Any] = []
    for step in steps.values():
        reason = reason_number(step.reason)
        for subject in step.subjects:
            flat += (subject.id, step.after, step.at, step.carrier, step.attempts, reason,
                     step.carrier_code)  # fmt: skip
    EACH.run(connection, flat)
