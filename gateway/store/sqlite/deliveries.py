"""Deliveries: taken from the event log, tried until they arrive or are given up, replayed.

In: stretches of the log for endpoints (`log_reading`), and what tries came to. Out: deliveries.
When to try again and what counts as taken is the caller's judgement.

A delivery is a stretch of the log, not a copy of it: its body is put together from the chunks at
every try, the same octets each time. It is written, and the endpoint's cursor moved, in one
transaction, so a crash neither loses an event nor gives it two deliveries.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from gateway.ids import first_id_at
from gateway.store.records import Delivered, Delivery, DeliveryState
from gateway.store.sqlite.cutting import Cursor, Cut
from gateway.store.sqlite.log_reading import Bodies, Prepared
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.writer import Transaction


class _Row(msgspec.Struct, array_like=True):
    id: int
    webhook: int
    type: str
    events: int
    attempts: int
    next_at: int
    state: DeliveryState
    created: int
    last_status: int
    last_error: str
    account: int
    first: int
    skip: int
    last: int

    def cut(self) -> Cut:
        return Cut(self.type, self.first, self.skip, self.last, self.events)

    def public(self, body: bytes = b"") -> Delivery:
        return Delivery(
            id=self.id,
            webhook=self.webhook,
            type=self.type,
            events=self.events,
            attempts=self.attempts,
            next_at=self.next_at,
            state=self.state,
            created=self.created,
            last_status=self.last_status,
            last_error=self.last_error,
            body=body,
        )


_cursors: Final = msgspec.json.Decoder(list[tuple[int, int, int]])
_rows: Final = msgspec.json.Decoder(list[_Row])

CURSORS: Final = """
SELECT json_group_array(json_array(w.id, w.position, w.skip))
FROM json_each(?) AS j CROSS JOIN webhooks AS w ON w.id = j.value
"""
INSERT: Final = """
INSERT INTO deliveries (id, webhook, type, events, first_position, skip, last_position,
                        attempts, next_at, state, created, updated, last_status, last_error)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
       0, ?2, 'pending', ?2, ?2, 0, ''
FROM json_each(?1)
"""
ADVANCE: Final = """
UPDATE webhooks SET position = j.value ->> 1, skip = j.value ->> 2
FROM json_each(?) AS j WHERE webhooks.id = j.value ->> 0
"""
_COLUMNS: Final = """
SELECT json_group_array(json_array(d.id, d.webhook, d.type, d.events, d.attempts, d.next_at,
    d.state, d.created, d.last_status, d.last_error, w.account, d.first_position, d.skip,
    d.last_position))
"""
DUE: Final = f"""
{_COLUMNS} FROM (
    SELECT * FROM deliveries WHERE webhook = ? AND state = 'pending' AND next_at <= ?
    ORDER BY next_at, id LIMIT ?
) AS d CROSS JOIN webhooks AS w ON w.id = d.webhook
"""
_LIST: Final = f"""
{_COLUMNS} FROM (
    SELECT * FROM deliveries {{index}}
    WHERE webhook = ? AND id < ? {{state}} ORDER BY id DESC LIMIT ?
) AS d CROSS JOIN webhooks AS w ON w.id = d.webhook
"""
LIST: Final = _LIST.format(index="", state="")
LIST_OF: Final = {
    state: _LIST.format(index=f"INDEXED BY {index}", state=f"AND state = '{state}'")
    for state, index in (
        (DeliveryState.PENDING, "deliveries_due"),
        (DeliveryState.DEAD, "deliveries_dead"),
        (DeliveryState.DELIVERED, "deliveries_by_webhook"),
    )
}
"""Pending and dead ones are few among many delivered, so each has an index of its own."""

SETTLE: Final = """
UPDATE deliveries SET state = j.value ->> 1, updated = j.value ->> 2, next_at = j.value ->> 3,
    last_status = j.value ->> 4, last_error = j.value ->> 5, attempts = attempts + 1
FROM json_each(?) AS j
WHERE deliveries.id = j.value ->> 0 AND (state <> 'delivered' OR j.value ->> 1 = 'delivered')
"""
"""A delivery that was taken stays taken, whatever an older try reports afterwards."""

_AGAIN: Final = """
UPDATE deliveries SET state = 'pending', attempts = 0, next_at = ?1, updated = ?1
"""
_IN_LOG: Final = "first_position >= (SELECT min(position) FROM events)"
REPLAY_IDS: Final = f"""
{_AGAIN} WHERE webhook = ?2 AND id IN (SELECT value FROM json_each(?3))
AND state <> 'pending' AND {_IN_LOG}
"""
REPLAY_SINCE: Final = f"""
{_AGAIN} WHERE webhook = ?2 AND state = 'dead' AND id >= ?3 AND {_IN_LOG}
"""


def take(
    transaction: Transaction,
    prepared: Sequence[Prepared],
    now: int,
    new_ids: Callable[[int, int], list[int]],
) -> tuple[list[Delivery], list[int]]:
    """Store what was prepared as pending deliveries and move the cursors behind it.

    They are due at once (`next_at` is `now`). The second list names the endpoints whose cursor is
    not where it was read any more (retention moved it, or another call): they got none, and what
    they are due has to be prepared anew.
    """
    connection = transaction.connection
    ids = pack([one.webhook for one in prepared])
    cursors = {
        webhook: Cursor(position, skip)
        for webhook, position, skip in unpack(connection, _cursors, CURSORS, ids)
    }
    answer: list[Delivery] = []
    written: list[tuple[int, int, str, int, int, int, int]] = []
    advanced: list[tuple[int, int, int]] = []
    for one in prepared:
        if cursors.get(one.webhook) != one.before:
            continue
        advanced.append((one.webhook, one.after.position, one.after.skip))
        fresh = new_ids(len(one.cuts), now)
        for identifier, cut, body in zip(fresh, one.cuts, one.bodies, strict=True):
            written.append(
                (identifier, one.webhook, cut.type, cut.events, cut.first, cut.skip, cut.last)
            )
            answer.append(
                Delivery(
                    id=identifier,
                    webhook=one.webhook,
                    type=cut.type,
                    events=cut.events,
                    attempts=0,
                    next_at=now,
                    state=DeliveryState.PENDING,
                    created=now,
                    body=body,
                )
            )
    if written:
        connection.execute(INSERT, (pack(written), now))
        connection.execute(ADVANCE, (pack(advanced),))
    taken = {webhook for webhook, _, _ in advanced}
    return answer, [webhook for webhook in cursors if webhook not in taken]


def due_deliveries(
    connection: sqlite3.Connection, webhook: int, now: int, limit: int
) -> list[Delivery]:
    """Pending deliveries whose `next_at` has come, oldest first, bodies included.

    Those the caller is just trying are among them: it knows which they are.
    """
    rows = unpack(connection, _rows, DUE, webhook, now, limit)
    if not rows:
        return []
    bodies = Bodies(connection, rows[0].account)
    found = [(row, bodies.of(row.cut())) for row in rows]
    return [row.public(body) for row, body in found if body is not None]


def settle_deliveries(connection: sqlite3.Connection, results: Sequence[Delivered]) -> None:
    """Write what tries came to, each one attempt more."""
    rows = [(r.id, r.state, r.at, r.next_at, r.status, r.error) for r in results]
    connection.execute(SETTLE, (pack(rows),))


def deliveries(
    connection: sqlite3.Connection,
    webhook: int,
    state: str | None,
    limit: int,
    cursor: int | None = None,
) -> list[Delivery]:
    """An endpoint's deliveries, newest first, without bodies; `cursor` is the last id seen.

    Raises ValueError for a `state` that is none.
    """
    before = (1 << 63) - 1 if cursor is None else cursor
    sql = LIST if state is None else LIST_OF[DeliveryState(state)]
    return [row.public() for row in unpack(connection, _rows, sql, webhook, before, limit)]


def replay(
    connection: sqlite3.Connection,
    webhook: int,
    now: int,
    ids: Sequence[int] | None = None,
    since: int | None = None,
) -> int:
    """Make deliveries pending again, their attempts counted from nought; returns how many.

    By id (taken or dead ones), or all dead ones created since. What has left the log is left out.
    """
    changed = 0
    if ids is not None:
        changed += connection.execute(REPLAY_IDS, (now, webhook, pack(list(ids)))).rowcount
    if since is not None:
        changed += connection.execute(REPLAY_SINCE, (now, webhook, first_id_at(since))).rowcount
    return changed
