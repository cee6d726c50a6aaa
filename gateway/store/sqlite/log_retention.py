"""Pruning of the event log and of the deliveries cut from it.

In: the time before which events go. Out: what endpoints and SMPP receivers lost by it, so that it
can be metered.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from itertools import accumulate, takewhile
from typing import Final

import msgspec

from gateway.ids import first_id_at
from gateway.store.records import RECEIPT, Webhook
from gateway.store.sqlite.event_log import INTERNAL
from gateway.store.sqlite.inbound import EVENT as INBOUND
from gateway.store.sqlite.names import Names
from gateway.store.sqlite.packed import unpack

STEP_CHUNKS: Final = 250
STEP_EVENTS: Final = 5_000
"""Chunks dropped in one step, and about the events in them: 1-5 ms of freeing pages."""

STEP_DELIVERIES: Final = 500
"""Deliveries forgotten in one step."""

GONE: Final = "its events have left the log: keep_events is shorter than the endpoint's absence"
"""`last_error` of a delivery that can never be made."""


class Pruned(msgspec.Struct):
    """What one step did."""

    lost: dict[str, int]
    """Events that active endpoints will never get, by account."""
    untaken: dict[str, int]
    """Receipts and replies that no SMPP receiver of the account took."""
    more: bool
    """Whether another step would find work."""


class _Old(msgspec.Struct, array_like=True):
    position: int
    account: int
    type: str
    count: int
    created: int


class _Behind(msgspec.Struct, array_like=True):
    account: int
    position: int
    skip: int
    spec: Webhook


class _Mailbox(msgspec.Struct, array_like=True):
    account: int
    position: int
    done: list[tuple[int, int]]


_old: Final = msgspec.json.Decoder(list[_Old])
_behind: Final = msgspec.json.Decoder(list[_Behind])
_mailboxes: Final = msgspec.json.Decoder(list[_Mailbox])
_pending: Final = msgspec.json.Decoder(list[tuple[int, int]])

OLD: Final = """
SELECT json_group_array(json_array(position, account, type, count, created)) FROM (
    SELECT position, account, type, count, created FROM events
    WHERE position < (SELECT max(position) FROM events) ORDER BY position LIMIT ?
)
"""
"""The newest chunk stays whatever its age: a position is never given twice."""

BEHIND: Final = """
SELECT json_group_array(json_array(account, position, skip, json(spec)))
FROM webhooks WHERE position <= ?
"""
MAILBOXES: Final = """
SELECT json_group_array(json_array(account, position, json(done)))
FROM mailboxes WHERE position < ?
"""
"""They need no `ADVANCE`: a mailbox goes on with the first chunk there is beyond its position."""
MAILED: Final = frozenset({RECEIPT, INBOUND})
"""What SMPP receivers read."""
ADVANCE: Final = "UPDATE webhooks SET position = ?1 + 1, skip = 0 WHERE position <= ?1"
PENDING: Final = """
SELECT json_group_array(json_array(w.account, d.events))
FROM webhooks AS w CROSS JOIN deliveries AS d INDEXED BY deliveries_due
WHERE d.webhook = w.id AND d.state = 'pending' AND d.first_position <= ?
"""
BURY: Final = """
UPDATE deliveries INDEXED BY deliveries_due SET state = 'dead', updated = ?2, last_error = ?3
WHERE state = 'pending' AND webhook IN (SELECT id FROM webhooks) AND first_position <= ?1
"""
DROP: Final = "DELETE FROM events WHERE position <= ?"
FORGET: Final = """
DELETE FROM deliveries WHERE id IN (
    SELECT id FROM deliveries WHERE id < ? AND updated < ? AND state <> 'pending'
    ORDER BY id LIMIT ?
)
"""


def prune(connection: sqlite3.Connection, before: int, now: int, names: Names) -> Pruned:
    """One small step: drop the oldest chunks written before `before`.

    Endpoints that had not been given them go on behind them. Pending deliveries that need them die
    with an error that says so. Finished deliveries not touched since `before` are forgotten.
    """
    lost: Counter[str] = Counter()
    untaken: Counter[str] = Counter()
    oldest = unpack(connection, _old, OLD, STEP_CHUNKS)
    # A clock that was set back leaves younger stamps behind older ones: stop at the first.
    going = list(takewhile(lambda chunk: chunk.created < before, oldest))
    sizes = accumulate(chunk.count for chunk in going)
    step = going[: 1 + sum(size < STEP_EVENTS for size in sizes)]
    if step:
        last = step[-1].position
        for endpoint in unpack(connection, _behind, BEHIND, last):
            lost[names.name(endpoint.account)] += _missed(endpoint, step)
        connection.execute(ADVANCE, (last,))
        for box in unpack(connection, _mailboxes, MAILBOXES, last):
            untaken[names.name(box.account)] += _untaken(box, step)
        for account, events in unpack(connection, _pending, PENDING, last):
            lost[names.name(account)] += events
        connection.execute(BURY, (last, now, GONE))
        connection.execute(DROP, (last,))
    forgotten = connection.execute(FORGET, (first_id_at(before), before, STEP_DELIVERIES)).rowcount
    return Pruned(
        {account: events for account, events in lost.items() if events},
        {account: events for account, events in untaken.items() if events},
        len(step) < len(going) or len(going) == STEP_CHUNKS or forgotten == STEP_DELIVERIES,
    )


def _missed(endpoint: _Behind, going: list[_Old]) -> int:
    """Events among `going` that the endpoint wanted and had not been given.

    One that is disabled is not waiting for any: its owner said so, or its answer was 410 Gone.
    """
    if endpoint.spec.state != "active":
        return 0
    missed = 0
    for chunk in going:
        types = endpoint.spec.types
        wanted = chunk.type in types if types else not chunk.type.startswith(INTERNAL)
        if wanted and chunk.account == endpoint.account and chunk.position >= endpoint.position:
            given = endpoint.skip if chunk.position == endpoint.position else 0
            missed += chunk.count - given
    return missed


def _untaken(box: _Mailbox, going: list[_Old]) -> int:
    """Receipts and replies among `going` that the account's receivers had not taken."""
    own = {
        chunk.position: chunk.count
        for chunk in going
        if chunk.account == box.account and chunk.position > box.position and chunk.type in MAILED
    }
    return sum(own.values()) - sum(position in own for position, _ in set(box.done))
