"""The event log as SMPP receivers read it: one place for each account.

In: an account, types, a place. Out: chunks of the log beyond it, whole; where its receivers stand.
Which events of a chunk were taken, and by which bind, is the caller's knowledge.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import msgspec

from gateway.store.records import LogChunk, Mailbox
from gateway.store.sqlite.cutting import Chunk
from gateway.store.sqlite.names import ACCOUNT, Names
from gateway.store.sqlite.packed import pack, unpack

GET: Final = "SELECT position, done FROM mailboxes WHERE account = ?"
NEW: Final = """
INSERT OR IGNORE INTO mailboxes (account, position, done, updated)
VALUES (?, (SELECT coalesce(max(position), 0) FROM events), '[]', ?)
"""
PUT: Final = """
INSERT OR REPLACE INTO mailboxes (account, position, done, updated) VALUES (?, ?, ?, ?)
"""
CHUNKS: Final = """
SELECT json_group_array(json_array(position, type, count)) FROM (
    SELECT position, type, count FROM events
    WHERE account = ? AND type = ? AND position > ? ORDER BY position LIMIT ?
)
"""
BODIES: Final = """
SELECT CAST(group_concat(body, '') AS BLOB), json_group_array(length(body)) FROM (
    SELECT e.body AS body FROM json_each(?) AS j CROSS JOIN events AS e ON e.position = j.value
)
"""
"""All in one step: SQLite's binding gives up the interpreter lock at every row. Bodies are blobs,
so their lengths are octets and cut them apart again."""

_chunks: Final = msgspec.json.Decoder(list[Chunk])
_done: Final = msgspec.json.Decoder(tuple[tuple[int, int], ...])
_lengths: Final = msgspec.json.Decoder(list[int])


def mailbox(connection: sqlite3.Connection, account: str, names: Names) -> Mailbox | None:
    """How far the account's receivers are; None if it has no mailbox yet."""
    row = connection.execute(GET, (names.known(ACCOUNT, account),)).fetchone()
    return None if row is None else Mailbox(row[0], _done.decode(row[1]))


def open_mailbox(connection: sqlite3.Connection, account: str, now: int, names: Names) -> Mailbox:
    """The account's mailbox, made at the end of the log if there is none."""
    connection.execute(NEW, (names.intern(connection, ACCOUNT, account), now))
    found = mailbox(connection, account, names)
    assert found is not None
    return found


def put_mailbox(
    connection: sqlite3.Connection, account: str, mailbox: Mailbox, now: int, names: Names
) -> None:
    """Note how far they are."""
    owner = names.intern(connection, ACCOUNT, account)
    connection.execute(PUT, (owner, mailbox.position, pack(mailbox.done), now))


def read_log(
    connection: sqlite3.Connection,
    account: str,
    types: Sequence[str],
    after: int,
    events: int,
    names: Names,
) -> list[LogChunk]:
    """See the contract. To be called in one read transaction."""
    owner = names.known(ACCOUNT, account)
    if owner is None:
        return []
    chunks: list[Chunk] = []
    most = max(1, events)
    for kind in dict.fromkeys(types):
        of_kind: list[Chunk] = unpack(connection, _chunks, CHUNKS, owner, kind, after, most)
        chunks += of_kind
    chunks.sort(key=lambda chunk: chunk.position)
    held = accumulate(chunk.count for chunk in chunks)
    some = [chunk for chunk, sum in zip(chunks, held, strict=True) if sum <= events] or chunks[:1]
    if not some:
        return []
    texts, lengths = connection.execute(BODIES, (pack([c.position for c in some]),)).fetchone()
    answer: list[LogChunk] = []
    start = 0
    for chunk, length in zip(some, _lengths.decode(lengths), strict=True):
        body = b"[" + texts[start : start + length] + b"]"
        answer.append(LogChunk(chunk.position, chunk.type, chunk.count, body))
        start += length
    return answer
