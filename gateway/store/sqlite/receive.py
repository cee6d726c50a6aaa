"""Applying delivery receipts.

In: receipts, by the operator's ids. Out: part and message statuses, events; receipts whose part is
not known yet are parked. Status is monotonic: what is final stays, whatever comes later, except
that `unknown` gives way to evidence.

A multipart message is final when all its parts are, with the status of the worst of them.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gateway.errors import REASON_BY_NUMBER
from gateway.metrics import ILLEGAL_TRANSITIONS
from gateway.model import FINAL, STATUS_NAMES, TRANSITIONS, Status
from gateway.store.contract import ReceiptFate, ReceiptNews
from gateway.store.sqlite import transitions
from gateway.store.sqlite.memory import MAX_PARKED_KEYS, Memory
from gateway.store.sqlite.names import CARRIER
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.transitions import Change, reason_number
from gateway.store.sqlite.values import Values
from gateway.store.sqlite.writer import Transaction

WORST: Final = {
    Status.DELIVERED: 0,
    Status.UNKNOWN: 1,
    Status.EXPIRED: 2,
    Status.CANCELED: 3,
    Status.UNDELIVERED: 4,
    Status.FAILED: 5,
    Status.REJECTED: 6,
}
"""A message is as bad as its worst part; a later one is worse: the nearer to the sender it failed,
the less of the message can have arrived."""


class Row(msgspec.Struct, array_like=True):
    """What a change of a stored message needs to know of it."""

    id: int
    account: int
    source: int
    content: int
    number: int
    lane: int
    status: int
    sequence: int
    parts: int
    updated: int
    carrier: int | None
    client_ref: str | None


class Part(msgspec.Struct, array_like=True):
    message: int
    part: int
    status: int | None
    carrier_code: str | None
    reason: int | None
    sent_at: int


class _Parked(msgspec.Struct, array_like=True):
    id: int
    status: int
    at: int
    reason: int | None
    carrier_code: str | None
    message: int
    part: int


class News(msgspec.Struct):
    """A receipt whose part is known."""

    message: int
    part: int
    status: int
    at: int
    reason: str | None
    carrier_code: str | None


READ: Final = """
SELECT json_group_array(json_array(m.id, m.account, m.source, m.content, m.number, m.lane, m.status,
    m.sequence, m.parts, m.updated, m.carrier, m.client_ref))
FROM json_each(?) AS j CROSS JOIN messages AS m ON m.id = j.value
"""
PARTS: Final = """
SELECT json_group_array(json_array(message, part, status, carrier_code, reason, sent_at)) FROM (
    SELECT p.* FROM json_each(?) AS j CROSS JOIN parts AS p ON p.message = j.value ORDER BY p.id
)
"""
PART: Final = Values(
    """
UPDATE parts SET status = column2, carrier_code = column3, reason = column4
FROM """,
    5,
    " WHERE parts.message = column1 AND parts.part = column5",
)
PARK: Final = Values(
    """
INSERT INTO parked (id, carrier, status, at, reason, carrier_code, keys)
SELECT column1, column2, column3, column4, column5, column6, column7 FROM """,
    7,
    " WHERE column1 IS NOT NULL",
)
PARK_KEYS: Final = Values(
    """
INSERT OR IGNORE INTO parked_keys (carrier, operator_id, parked)
SELECT column1, column2, column3 FROM """,
    3,
    " WHERE column1 IS NOT NULL",
)
PARKED: Final = """
SELECT json_group_array(json_array(p.id, p.status, p.at, p.reason, p.carrier_code, j.value ->> 2,
    j.value ->> 3))
FROM json_each(?) AS j CROSS JOIN parked_keys AS k
ON k.carrier = j.value ->> 0 AND k.operator_id = j.value ->> 1
CROSS JOIN parked AS p ON p.id = k.parked
"""
UNPARK_KEYS: Final = """
DELETE FROM parked_keys WHERE (carrier, operator_id, parked) IN (
    SELECT p.carrier, k.value, p.id
    FROM json_each(?) AS j CROSS JOIN parked AS p ON p.id = j.value
    CROSS JOIN json_each(p.keys) AS k
)
"""
UNPARK: Final = "DELETE FROM parked WHERE id IN (SELECT value FROM json_each(?))"

_read: Final = msgspec.json.Decoder(list[Row])
_parts: Final = msgspec.json.Decoder(list[Part])
_parked: Final = msgspec.json.Decoder(list[_Parked])


def receive(
    transaction: Transaction, memory: Memory, receipts: Sequence[ReceiptNews]
) -> list[ReceiptFate]:
    """See the contract."""
    connection = transaction.connection
    names = memory.names
    wanted: list[tuple[int, str]] = []
    for receipt in receipts:
        carrier = names.intern(connection, CARRIER, receipt.carrier)
        for key in receipt.keys:
            wanted.append((carrier, key))
    found = iter(memory.correlation.find(connection, wanted))
    matches: list[tuple[int, tuple[int, int]] | None] = []
    news: list[News] = []
    early: list[ReceiptNews] = []
    for receipt in receipts:
        match: tuple[int, tuple[int, int]] | None = None
        for index, place in enumerate([next(found) for _ in receipt.keys]):
            if place is not None and match is None:
                match = (index, place)
        matches.append(match)
        if match is not None:
            message, part = match[1]
            news.append(
                News(
                    message, part, receipt.status, receipt.at, receipt.reason, receipt.carrier_code
                )
            )
        elif receipt.status in FINAL:
            early.append(receipt)
    if early:
        _park(transaction, memory, early)
    sent_at = apply(transaction, memory, news)
    return [
        ReceiptFate(None) if match is None else ReceiptFate(match[0], sent_at.get(match[1]))
        for match in matches
    ]


def apply(
    transaction: Transaction, memory: Memory, news: Sequence[News]
) -> dict[tuple[int, int], int]:
    """Apply receipts to their messages; when each (message, part) was sent, where that is known."""
    if not news:
        return {}
    connection = transaction.connection
    rows = {row.id: row for row in read(connection, list({one.message for one in news}))}
    long = [row.id for row in rows.values() if row.parts > 1]
    parts = load_parts(connection, long) if long else {}
    changes: dict[int, Change] = {}
    written: list[Any] = []
    sent_at: dict[tuple[int, int], int] = {}
    for one in news:
        row = rows.get(one.message)
        if row is None:
            continue  # retention was faster than the operator
        status = changes[row.id].after if row.id in changes else row.status
        if row.parts > 1:
            own = parts.get(row.id, {})
            known = own.get(one.part)
            if known is not None:
                sent_at[row.id, one.part] = known.sent_at
            if one.status not in FINAL:
                continue
            if known is not None and known.status not in (None, Status.UNKNOWN):
                continue
            if known is not None:
                known.status, known.carrier_code = one.status, one.carrier_code
                known.reason = reason_number(one.reason)
            written += (row.id, one.status, one.carrier_code, reason_number(one.reason), one.part)
            step = _whole(row, own, status, one.at)
        else:
            if status == Status.SENT:
                sent_at[row.id, 1] = row.updated
            if one.status not in FINAL or one.status == status:
                continue
            step = _single(memory, row, status, one)
            if step is None and status in (Status.SENDING, Status.QUEUED):
                # A first attempt's receipt while a second is on its way: kept for its end.
                written += (row.id, one.status, one.carrier_code, reason_number(one.reason), 1)
        if step is not None:
            changes[row.id] = step  # at most one a call: `unknown` may give way within it
    if written:
        PART.run(connection, written)
    transitions.write(transaction, memory, list(changes.values()))
    return sent_at


def read(connection: sqlite3.Connection, ids: Sequence[int]) -> list[Row]:
    """Messages by id; those that do not exist are left out."""
    return unpack(connection, _read, READ, pack(ids)) if ids else []


def change(
    row: Row,
    after: int,
    at: int,
    *,
    reason: str | None = None,
    carrier_code: str | None = None,
    carrier: int | None = None,
    parts: Sequence[tuple[int, int, str | None]] = (),
) -> Change:
    """A change of a message as read."""
    return Change(
        row.id, row.status, after, at, row.account, row.source, row.content, row.number,
        row.sequence, row.client_ref, row.carrier if carrier is None else carrier, 0, reason,
        carrier_code, parts,
    )  # fmt: skip


def verdict(
    row: Row, parts: dict[int, Part]
) -> tuple[Part | None, list[tuple[int, int, str | None]], bool]:
    """The worst part heard of, what is known of each, and whether that is all of them."""
    heard = [part for part in parts.values() if part.status is not None]
    worst = max(heard, key=lambda part: WORST[Status(part.status or 0)], default=None)
    listed = [
        (part.part, Status.SENT if part.status is None else part.status, part.carrier_code)
        for _, part in sorted(parts.items())
    ]
    return worst, listed, len(heard) >= row.parts


def unpark(transaction: Transaction, memory: Memory, sent: Sequence[tuple[int, str]]) -> None:
    """Apply the receipts that waited for these (carrier, operator's id)."""
    known = memory.parked_keys
    if known is not None:
        if not known:
            return
        sent = [key for key in sent if hash(key) in known]
    if not sent:
        return
    connection = transaction.connection
    places = memory.correlation.find(connection, sent)
    keys = [(*key, *place) for key, place in zip(sent, places, strict=True) if place is not None]
    found: dict[int, _Parked] = {}
    for one in unpack(connection, _parked, PARKED, pack(keys)):
        found[one.id] = one
    if not found:
        return
    forget(connection, list(found))
    apply(
        transaction,
        memory,
        [
            News(p.message, p.part, p.status, p.at, reason_code(p.reason), p.carrier_code)
            for _, p in sorted(found.items())
        ],
    )


def forget(connection: sqlite3.Connection, parked: Sequence[int]) -> None:
    """Remove parked receipts. Their hashes stay in memory: they cost a look-up at worst."""
    connection.execute(UNPARK_KEYS, (pack(parked),))
    connection.execute(UNPARK, (pack(parked),))


def heard_before(transaction: Transaction, memory: Memory, ids: Sequence[int]) -> None:
    """Apply receipts of earlier attempts that came while a later one was on its way."""
    connection = transaction.connection
    parts = load_parts(connection, ids)
    changes: list[Change] = []
    for row in read(connection, ids):
        own = parts.get(row.id, {})
        at = max((part.sent_at for part in own.values()), default=row.updated)
        step = _whole(row, own, row.status, at)
        if step is not None:
            changes.append(step)
    transitions.write(transaction, memory, changes)


def reason_code(number: int | None) -> str | None:
    """The code of a stored reason."""
    return None if number is None else REASON_BY_NUMBER[number].code


def load_parts(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[int, dict[int, Part]]:
    """The parts of messages, by message and part. Of several attempts, a receipt of any counts."""
    parts: dict[int, dict[int, Part]] = defaultdict(dict)
    for part in unpack(connection, _parts, PARTS, pack(ids)):
        known = parts[part.message].get(part.part)
        if known is None or known.status is None:
            parts[part.message][part.part] = part
    return parts


def _whole(row: Row, parts: dict[int, Part], status: int, at: int) -> Change | None:
    """The change of a multipart message whose parts have all been heard of."""
    worst, listed, complete = verdict(row, parts)
    if worst is None or worst.status is None or not complete:
        return None
    if worst.status == status or worst.status not in TRANSITIONS[Status(status)]:
        return None
    if status not in (Status.SENT, Status.UNKNOWN):
        return None  # another attempt is on its way; its end is decided then
    return change(
        row,
        worst.status,
        at,
        reason=reason_code(worst.reason),
        carrier_code=worst.carrier_code,
        parts=listed if row.parts > 1 else (),
    )


def _single(memory: Memory, row: Row, status: int, one: News) -> Change | None:
    if status in (Status.SENT, Status.UNKNOWN) and one.status in TRANSITIONS[Status(status)]:
        return change(row, one.status, one.at, reason=one.reason, carrier_code=one.carrier_code)
    if status in FINAL:
        # An operator that changes its mind is not a fault of ours: counted, never raised.
        memory.metrics.count(ILLEGAL_TRANSITIONS, 1, STATUS_NAMES[status], STATUS_NAMES[one.status])
    return None


def _park(transaction: Transaction, memory: Memory, receipts: Sequence[ReceiptNews]) -> None:
    connection = transaction.connection
    rows: list[Any] = []
    keys: list[Any] = []
    hashes = memory.parked_keys
    for receipt in receipts:
        carrier = memory.names.intern(connection, CARRIER, receipt.carrier)
        parked = memory.next_parked
        memory.next_parked += 1
        rows += (parked, carrier, receipt.status, receipt.at, reason_number(receipt.reason),
                 receipt.carrier_code, pack(list(receipt.keys)))  # fmt: skip
        for key in receipt.keys:
            keys += (carrier, key, parked)
            if hashes is not None:
                hashes.add(hash((carrier, key)))
    PARK.run(connection, rows)
    PARK_KEYS.run(connection, keys)
    if hashes is not None and len(hashes) > MAX_PARKED_KEYS:
        memory.parked_keys = None
