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
from typing import Any, Final, cast

import msgspec

from gateway.errors import REASON_BY_NUMBER
from gateway.metrics import ILLEGAL_TRANSITIONS
from gateway.model import FINAL, STATUS_NAMES, TRANSITIONS, Status
from gateway.store.messages import News, ReceiptFates, Receipts
from gateway.store.sqlite import transitions
from gateway.store.sqlite.correlation import PART_BITS, PART_MASK, place
from gateway.store.sqlite.memory import MAX_PARKED_KEYS, Memory
from gateway.store.sqlite.names import CARRIER
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.rows import Row, read
from gateway.store.sqlite.status_events import PartFate
from gateway.store.sqlite.transitions import Step, Steps, reason_number
from gateway.store.sqlite.values import Values
from gateway.store.sqlite.writer import Transaction

WORST: Final[dict[int, int]] = {
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

_parts: Final = msgspec.json.Decoder(list[Part])
_SENT: Final = int(Status.SENT)
_AFTER_SENT: Final = frozenset(map(int, TRANSITIONS[Status.SENT]))
_AFTER_UNKNOWN: Final = frozenset(map(int, TRANSITIONS[Status.UNKNOWN]))
_parked: Final = msgspec.json.Decoder(list[_Parked])


def receive(transaction: Transaction, memory: Memory, receipts: Receipts) -> ReceiptFates:
    """See the contract."""
    carrier = memory.names.intern(transaction.connection, CARRIER, receipts.carrier)
    recent = memory.correlation.recent(carrier)
    places = list(map(recent.get, receipts.keys))
    times = [receipts.at] * len(places)
    if all(places):  # no place is 0
        sent_at = apply(transaction, memory, cast(list[int], places), receipts.news, times)
        return ReceiptFates(sent_at, [], {})
    matched = _search(transaction, memory, carrier, receipts, places)
    known = [position for position, place in enumerate(places) if place is not None]
    unmatched = [position for position, place in enumerate(places) if place is None]
    # News on the way of nothing known tells nothing later.
    early = [position for position in unmatched if receipts.news[position].status in FINAL]
    if early:
        _park(transaction, memory, carrier, receipts, early)
    found = apply(
        transaction,
        memory,
        [place for place in places if place is not None],
        [receipts.news[position] for position in known],
        times[: len(known)],
    )
    all_sent_at: list[int | None] = [None] * len(places)
    for position, at in zip(known, found, strict=True):
        all_sent_at[position] = at
    return ReceiptFates(all_sent_at, unmatched, matched)


def _search(
    transaction: Transaction,
    memory: Memory,
    carrier: int,
    receipts: Receipts,
    places: list[int | None],
) -> dict[int, int]:
    """Fill in the places their first key in memory does not tell; which other key did, by
    position."""
    recent = memory.correlation.recent(carrier)
    matched: dict[int, int] = {}
    for position, others in receipts.others.items():
        if places[position] is None:
            for index, key in enumerate(others, start=1):
                place = recent.get(key)
                if place is not None:
                    places[position] = place
                    matched[position] = index
                    break
    keys = {
        position: _keys(receipts, position)
        for position, place in enumerate(places)
        if place is None
    }
    older = memory.correlation.older(
        transaction.connection, [(carrier, key) for own in keys.values() for key in own]
    )
    for position, own in keys.items() if older else ():
        for index, key in enumerate(own):
            place = older.get((carrier, key))
            if place is not None:
                places[position] = place
                if index:
                    matched[position] = index
                break
    return matched


def _keys(receipts: Receipts, position: int) -> list[str]:
    return [receipts.keys[position], *receipts.others.get(position, ())]


def apply(
    transaction: Transaction,
    memory: Memory,
    places: Sequence[int],
    news: Sequence[News],
    times: Sequence[int],
) -> list[int | None]:
    """Apply receipts, in three columns, to their messages; when each place was sent, where that is
    known and the receipt is the first for it."""
    if not places:
        return []
    connection = transaction.connection
    ids = [one >> PART_BITS for one in places]
    repeated = len(set(ids)) < len(ids)
    found = read(connection, list(dict.fromkeys(ids)) if repeated else ids)
    long = [row.id for row in found if row.parts > 1]
    parts = load_parts(connection, long) if long else {}
    rows: Sequence[Row | None] = found
    if [row.id for row in found] != ids:
        rows = list(map({row.id: row for row in found}.get, ids))
    steps = Steps()
    step: Step | None = None
    common: tuple[News, int, int | None, int] | None = None
    written: list[Any] = []
    sent_at: list[int | None] = []
    moved: set[int] = set()
    later: list[int] = []
    for position, (value, row, one, at) in enumerate(zip(places, rows, news, times, strict=True)):
        since: int | None = None
        if row is None:
            pass  # retention was faster than the operator
        elif row.id in moved:
            later.append(position)
        elif row.parts > 1:
            own = parts[row.id]
            part = own.get(value & PART_MASK)
            if part is not None:
                since = part.sent_at
                if _heard(part, one):
                    written += (row.id, part.status, part.carrier_code, part.reason, part.part)
                    if _complete(steps, row, own, at):
                        moved.add(row.id)
        elif row.status == _SENT:
            since = row.updated
            if one.status in _AFTER_SENT:
                alike = (one, row.source, row.carrier, at)
                if step is None or alike != common:  # most agree with the one before
                    common = alike
                    step = steps[
                        row.account, row.source, _SENT, one.status, at, row.carrier, 0,
                        one.reason, one.carrier_code
                    ]  # fmt: skip
                step.subjects.append(row)
                if repeated:
                    moved.add(row.id)
        elif one.status in FINAL and one.status != row.status:
            if not row.number:
                pass  # erased: there is nobody to tell of
            elif row.status == Status.UNKNOWN and one.status in _AFTER_UNKNOWN:
                steps.add(row, one.status, at, reason=one.reason, carrier_code=one.carrier_code)
                moved.add(row.id)
            elif row.status in FINAL:
                # An operator that changes its mind is no fault of ours: counted, never raised.
                memory.metrics.count(
                    ILLEGAL_TRANSITIONS, 1, STATUS_NAMES[row.status], STATUS_NAMES[one.status]
                )
            else:
                # A first attempt's receipt while a second is on its way: kept for its end.
                written += (row.id, one.status, one.carrier_code, reason_number(one.reason), 1)
        sent_at.append(since)
    if written:
        PART.run(connection, written)
    transitions.write(transaction, memory, steps)
    if later:
        apply(
            transaction,
            memory,
            [places[position] for position in later],
            [news[position] for position in later],
            [times[position] for position in later],
        )
    return sent_at


def _heard(part: Part, news: News) -> bool:
    """Note what a receipt says of a part; False if that is nothing new."""
    if news.status not in FINAL or part.status not in (None, Status.UNKNOWN):
        return False
    part.status = news.status
    part.carrier_code = news.carrier_code
    part.reason = reason_number(news.reason)
    return True


def verdict(row: Row, parts: dict[int, Part]) -> tuple[Part | None, list[PartFate], bool]:
    """The worst part heard of, what is known of each, and whether that is all of them."""
    heard = [part for part in parts.values() if part.status is not None]
    worst = max(heard, key=lambda part: WORST[part.status or 0], default=None)
    listed = [
        (part.part, Status.SENT if part.status is None else part.status, part.carrier_code)
        for _, part in sorted(parts.items())
    ]
    return worst, listed, len(heard) >= row.parts


def unpark(transaction: Transaction, memory: Memory, parts: Sequence[Any]) -> None:
    """Apply the receipts that waited for these parts: flat rows of (message, carrier, operator's
    id, part, time)."""
    known = memory.parked_keys
    if known is not None and not known:
        return
    keys = [
        key
        for key in zip(parts[1::5], parts[2::5], parts[0::5], parts[3::5], strict=True)
        if known is None or hash(key[:2]) in known
    ]
    if not keys:
        return
    connection = transaction.connection
    found = {one.id: one for one in unpack(connection, _parked, PARKED, pack(keys))}
    if not found:
        return
    forget(connection, list(found))
    waited = [one for _, one in sorted(found.items())]
    apply(
        transaction,
        memory,
        [place(one.message, one.part) for one in waited],
        [News(one.status, reason_code(one.reason), one.carrier_code) for one in waited],
        [one.at for one in waited],
    )


def forget(connection: sqlite3.Connection, parked: Sequence[int]) -> None:
    """Remove parked receipts. Their hashes stay in memory: they cost a look-up at worst."""
    connection.execute(UNPARK_KEYS, (pack(parked),))
    connection.execute(UNPARK, (pack(parked),))


def heard_before(transaction: Transaction, memory: Memory, ids: Sequence[int]) -> None:
    """Apply receipts of earlier attempts that came while a later one was on its way."""
    connection = transaction.connection
    parts = load_parts(connection, ids)
    steps = Steps()
    for row in read(connection, ids):
        own = parts[row.id]
        _complete(steps, row, own, max((p.sent_at for p in own.values()), default=row.updated))
    transitions.write(transaction, memory, steps)


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


def _complete(steps: Steps, row: Row, parts: dict[int, Part], at: int) -> bool:
    """End a message whose parts have all been heard of; True if that changes it.

    Not while another attempt is on its way: its end is decided then (`heard_before`).
    """
    worst, listed, complete = verdict(row, parts)
    if not complete or worst is None or worst.status is None or worst.status == row.status:
        return False
    if row.status not in (Status.SENT, Status.UNKNOWN):
        return False
    if worst.status not in TRANSITIONS[Status(row.status)]:
        return False
    steps.add(
        row,
        worst.status,
        at,
        reason=reason_code(worst.reason),
        carrier_code=worst.carrier_code,
        parts=listed if row.parts > 1 else (),
    )
    return True


def _park(
    transaction: Transaction,
    memory: Memory,
    carrier: int,
    receipts: Receipts,
    positions: Sequence[int],
) -> None:
    connection = transaction.connection
    rows: list[Any] = []
    keys: list[Any] = []
    hashes = memory.parked_keys
    for position in positions:
        news = receipts.news[position]
        own = _keys(receipts, position)
        parked = memory.next_parked
        memory.next_parked += 1
        rows += (parked, carrier, news.status, receipts.at, reason_number(news.reason),
                 news.carrier_code, pack(own))  # fmt: skip
        for key in own:
            keys += (carrier, key, parked)
            if hashes is not None:
                hashes.add(hash((carrier, key)))
    PARK.run(connection, rows)
    PARK_KEYS.run(connection, keys)
    if hashes is not None and len(hashes) > MAX_PARKED_KEYS:
        memory.parked_keys = None
