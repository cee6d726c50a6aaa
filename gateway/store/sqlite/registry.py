"""Registries and the trail, as rows.

In: entries, questions. Out: entries with their versions, the trail. Each change of a registry is in
the trail in the same transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gateway.store.registry import Audit, Entry, Kind
from gateway.store.sqlite.packed import pack
from gateway.store.sqlite.queries import NEWEST

PUT: Final = """
INSERT INTO registry (kind, account, name, doc, version, updated, actor)
VALUES (?, ?, ?, ?, 1, ?, ?)
ON CONFLICT (kind, account, name) DO UPDATE SET doc = excluded.doc, version = version + 1,
    updated = excluded.updated, actor = excluded.actor
RETURNING version
"""
DELETE: Final = """
DELETE FROM registry WHERE kind = ? AND account = ? AND name = ?
RETURNING doc, version, updated, actor
"""
# A name that comes back must not come back with a version it had before: what was decided under
# that version was decided about another text.
LAST_VERSION: Final = """
SELECT max(CAST(detail ->> 'version' AS INTEGER)) FROM audit WHERE subject = ? AND action = ?
"""
RAISE: Final = """
UPDATE registry SET version = ? WHERE kind = ? AND account = ? AND name = ?
"""
ENTRIES: Final = """
SELECT kind, account, name, doc, version, updated, actor FROM registry
WHERE kind = ? AND (?2 IS NULL OR account = ?2) ORDER BY account, name
"""
NOTE: Final = """
INSERT INTO audit (account, actor, action, subject, at, detail) VALUES (?, ?, ?, ?, ?, ?)
"""
TRAIL: Final = """
SELECT account, actor, action, subject, at, detail, id FROM audit
WHERE id < ?1 AND (?2 IS NULL OR account = ?2) AND (?3 IS NULL OR action = ?3
    OR (substr(?3, -1) = '.' AND substr(action, 1, length(?3)) = ?3))
ORDER BY id DESC LIMIT ?4
"""
TRAIL_OF: Final = """
SELECT account, actor, action, subject, at, detail, id FROM audit INDEXED BY audit_by_subject
WHERE subject = ?5 AND id < ?1 AND (?2 IS NULL OR account = ?2) AND (?3 IS NULL OR action = ?3
    OR (substr(?3, -1) = '.' AND substr(action, 1, length(?3)) = ?3))
ORDER BY id DESC LIMIT ?4
"""
PRUNE: Final = """
DELETE FROM audit WHERE id IN (
    SELECT id FROM (SELECT id, at FROM audit ORDER BY id LIMIT ?2) WHERE at < ?1
)
"""

_doc: Final = msgspec.json.Decoder(dict[str, Any])


def put(connection: sqlite3.Connection, entries: Sequence[Entry]) -> list[Entry]:
    """See the contract."""
    stored = []
    for one in entries:
        key = (one.kind, one.account, one.name)
        (version,) = connection.execute(
            PUT, (*key, pack(one.doc), one.updated, one.actor)
        ).fetchone()
        if version == 1:
            (last,) = connection.execute(
                LAST_VERSION, (_subject(*key), f"{one.kind}.delete")
            ).fetchone()
            if last is not None:
                version = last + 1
                connection.execute(RAISE, (version, *key))
        stored.append(msgspec.structs.replace(one, version=version))
        _note_change(connection, stored[-1], "put", one.actor, one.updated)
    return stored


def delete(
    connection: sqlite3.Connection, kind: Kind, account: str, name: str, actor: str, now: int
) -> Entry | None:
    """See the contract."""
    row = connection.execute(DELETE, (kind, account, name)).fetchone()
    if row is None:
        return None
    doc, version, updated, by = row
    entry = Entry(kind, account, name, _doc.decode(doc), version, updated, by)
    _note_change(connection, entry, "delete", actor, now)
    return entry


def entries(connection: sqlite3.Connection, kind: Kind, account: str | None) -> list[Entry]:
    """See the contract."""
    return [
        Entry(Kind(kind), owner, name, _doc.decode(doc), version, updated, actor)
        for kind, owner, name, doc, version, updated, actor in connection.execute(
            ENTRIES, (kind, account)
        )
    ]


def note(connection: sqlite3.Connection, trail: Sequence[Audit]) -> None:
    """Add to the trail."""
    for one in trail:
        connection.execute(
            NOTE, (one.account, one.actor, one.action, one.subject, one.at, pack(one.detail))
        )


def audit(
    connection: sqlite3.Connection,
    account: str | None,
    limit: int,
    cursor: int | None,
    action: str | None,
    subject: str | None,
) -> list[Audit]:
    """See the contract."""
    before = NEWEST if cursor is None else cursor
    arguments: tuple[Any, ...] = (before, account, action, limit)
    if subject is not None:
        rows = connection.execute(TRAIL_OF, (*arguments, subject))
    else:
        rows = connection.execute(TRAIL, arguments)
    return [
        Audit(account, actor, action, subject, at, _doc.decode(detail), identifier)
        for account, actor, action, subject, at, detail, identifier in rows
    ]


def prune(connection: sqlite3.Connection, before: int, limit: int = 500) -> bool:
    """One small step: forget what was done before this time; True if more waits."""
    return connection.execute(PRUNE, (before, limit)).rowcount == limit


def _subject(kind: str, account: str, name: str) -> str:
    return f"{kind}/{account}/{name}"


def _note_change(
    connection: sqlite3.Connection, entry: Entry, verb: str, actor: str, at: int
) -> None:
    subject = _subject(entry.kind, entry.account, entry.name)
    detail = {"version": entry.version}
    note(connection, [Audit(entry.account, actor, f"{entry.kind}.{verb}", subject, at, detail)])
