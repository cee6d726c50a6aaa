"""Messages and batches as their owners see them.

In: ids, accounts, pages. Out: views. Reads committed data on the reader's connection and writes
nothing. What needs a walk over many messages is in `search`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from gateway.errors import REASON_BY_NUMBER
from gateway.ids import created_at
from gateway.model import BatchState, Status
from gateway.store.messages import Content, Ineligible
from gateway.store.records import BatchView, MessageView, PartView
from gateway.store.sqlite.names import ACCOUNT, Names
from gateway.store.sqlite.packed import pack, unpack

NEWEST: Final = (1 << 63) - 1
"""A cursor before the first page: greater than any id."""


class _Message(msgspec.Struct, array_like=True):
    id: int
    account: int
    batch: int | None
    content: int
    number: int
    status: int
    sequence: int
    parts: int
    encoding: int
    due: int | None
    deadline: int | None
    attempts: int
    carrier: int | None
    reason: int | None
    carrier_code: str | None
    client_ref: str | None
    updated: int
    vars: str | None


class _Part(msgspec.Struct, array_like=True):
    message: int
    part: int
    carrier: int
    operator_id: str
    status: int | None
    carrier_code: str | None


class _Batch(msgspec.Struct, array_like=True):
    id: int
    account: int
    content: Content
    state: BatchState
    created: int
    updated: int
    options: dict[str, Any]
    recipients: int
    accepted: int
    ineligible: int
    counts: dict[int, int]


_messages: Final = msgspec.json.Decoder(list[_Message])
_contents: Final = msgspec.json.Decoder(list[Content])
_parts: Final = msgspec.json.Decoder(list[_Part])
_batches: Final = msgspec.json.Decoder(list[_Batch])
_ineligible: Final = msgspec.json.Decoder(list[Ineligible])

MESSAGES: Final = """
SELECT json_group_array(json_array(m.id, m.account, m.batch, m.content, m.number, m.status,
    m.sequence, m.parts, m.encoding, m.due, m.deadline, m.attempts, m.carrier, m.reason,
    m.carrier_code, m.client_ref, m.updated, m.vars))
FROM json_each(?1) AS j CROSS JOIN messages AS m ON m.id = j.value
WHERE ?2 IS NULL OR m.account = ?2
"""
CONTENTS: Final = """
SELECT '[' || coalesce(group_concat(c.json), '') || ']'
FROM json_each(?) AS j CROSS JOIN contents AS c ON c.id = j.value
"""
PARTS: Final = """
SELECT json_group_array(json_array(p.message, p.part, p.carrier, p.operator_id, p.status,
    p.carrier_code))
FROM json_each(?) AS j CROSS JOIN parts AS p ON p.message = j.value
"""
_BATCH: Final = """
SELECT json_group_array(json_array(b.id, b.account, json(c.json), b.state, b.created, b.updated,
    json(b.options), b.recipients, b.accepted, b.ineligible,
    json((SELECT json_group_object(status, n) FROM batch_counts WHERE batch = b.id AND n > 0))))
"""
BATCH: Final = f"""
{_BATCH} FROM batches AS b CROSS JOIN contents AS c ON c.id = b.content
WHERE b.id = ? AND b.account = ?
"""
BATCHES: Final = f"""
{_BATCH} FROM (
    SELECT * FROM batches WHERE account = ? AND id < ? ORDER BY id DESC LIMIT ?
) AS b CROSS JOIN contents AS c ON c.id = b.content
"""
INELIGIBLE: Final = """
SELECT json_group_array(json_array(position, number, code, detail, client_ref)) FROM (
    SELECT * FROM ineligible WHERE batch = ? AND position > ? ORDER BY position LIMIT ?
)
"""


def messages(
    connection: sqlite3.Connection, account: str | None, ids: Sequence[int], names: Names
) -> list[MessageView | None]:
    """Messages by id, with their parts, in the order asked; `account` None sees all."""
    owner = None
    if account is not None and (owner := names.known(ACCOUNT, account)) is None:
        return [None] * len(ids)
    found = {view.id: view for view in views(connection, ids, names, owner)}
    return [found.get(identifier) for identifier in ids]


def views(
    connection: sqlite3.Connection, ids: Iterable[int], names: Names, owner: int | None = None
) -> list[MessageView]:
    """Those of `ids` that exist (and are the interned account `owner`'s), in that order."""
    rows = unpack(connection, _messages, MESSAGES, pack(list(ids)), owner)
    if not rows:
        return []
    shared = pack(list({row.content for row in rows}))
    contents = {one.id: one for one in unpack(connection, _contents, CONTENTS, shared)}
    parts = _parts_of(connection, rows)
    return [_view(row, contents[row.content], parts.get(row.id, {}), names) for row in rows]


def batch(
    connection: sqlite3.Connection, account: str, batch: int, names: Names
) -> BatchView | None:
    """One batch with its counts."""
    owner = names.known(ACCOUNT, account)
    rows = unpack(connection, _batches, BATCH, batch, owner)
    return _batch_view(rows[0], names) if rows else None


def batches(
    connection: sqlite3.Connection, account: str, limit: int, cursor: int | None, names: Names
) -> list[BatchView]:
    """An account's batches, newest first; `cursor` is the last id of the page before."""
    owner = names.known(ACCOUNT, account)
    before = NEWEST if cursor is None else cursor
    rows = unpack(connection, _batches, BATCHES, owner, before, limit)
    return [_batch_view(row, names) for row in rows]


def ineligible(
    connection: sqlite3.Connection, batch: int, limit: int, cursor: int | None = None
) -> list[Ineligible]:
    """The excluded recipients in order; `cursor` is the last position seen."""
    after = -1 if cursor is None else cursor
    return unpack(connection, _ineligible, INELIGIBLE, batch, after, limit)


def _parts_of(connection: sqlite3.Connection, rows: list[_Message]) -> dict[int, dict[int, _Part]]:
    """The parts of each message by their place; of those sent twice, the last attempt's."""
    parts: dict[int, dict[int, _Part]] = {}
    for part in unpack(connection, _parts, PARTS, pack([row.id for row in rows])):
        parts.setdefault(part.message, {})[part.part] = part
    return parts


def _part_view(row: _Message, part: _Part, names: Names) -> PartView:
    carrier = names.name(part.carrier)
    if row.parts == 1:  # the receipt of a single part is the message's own
        return PartView(1, carrier, part.operator_id, row.status, row.carrier_code)
    status = int(Status.SENT) if part.status is None else part.status
    return PartView(part.part, carrier, part.operator_id, status, part.carrier_code)


def _view(row: _Message, content: Content, parts: dict[int, _Part], names: Names) -> MessageView:
    return MessageView(
        id=row.id,
        account=names.name(row.account),
        batch=row.batch,
        sender=content.sender,
        number=row.number,
        text=content.text,
        vars=row.vars,
        category=content.category,
        status=row.status,
        sequence=row.sequence,
        parts=row.parts,
        encoding=row.encoding,
        due=row.due if row.due is not None and row.due > 0 else None,
        deadline=row.deadline,
        attempts=row.attempts,
        carrier=None if row.carrier is None else names.name(row.carrier),
        reason=None if row.reason is None else REASON_BY_NUMBER[row.reason].code,
        carrier_code=row.carrier_code,
        client_ref=row.client_ref,
        metadata=content.metadata,
        created=created_at(row.id),
        updated=row.updated,
        part_list=[_part_view(row, parts[place], names) for place in sorted(parts)],
        split=len(content.raw) > 1,
    )


def _batch_view(row: _Batch, names: Names) -> BatchView:
    return BatchView(
        id=row.id,
        account=names.name(row.account),
        content=row.content,
        state=row.state,
        created=row.created,
        updated=row.updated,
        options=row.options,
        recipients=row.recipients,
        accepted=row.accepted,
        ineligible=row.ineligible,
        counts=row.counts,
    )
