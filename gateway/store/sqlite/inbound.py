"""Replies: parts joined, stored, linked to what they answer, told of.

In: parts as carriers hand them over. Out: the replies that became whole, each with its event in the
same transaction. What a reply means (STOP, a keyword) and what follows from it is `Listen`'s
business (see `hearing`): it is asked before the event is written, which names the keyword.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from gateway.ids import encode, first_id_at
from gateway.store.messages import Heard, InboundMessage, InboundPart, Keyword
from gateway.store.sqlite.event_log import EventLog
from gateway.store.sqlite.joining import JOIN_WITHIN, Group, Joiner, Key, Source, Whole, sources
from gateway.store.sqlite.linking import Links, phone
from gateway.store.sqlite.names import ACCOUNT, CARRIER, Names
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.queries import NEWEST
from gateway.store.sqlite.values import Values

NewIds = Callable[[int, int], list[int]]
Listen = Callable[[Sequence[InboundMessage]], "list[Heard | None]"]

EVENT: Final = "message.inbound"
MATCHED: Final = "keyword.matched"

EXPIRE_STEP: Final = 16
"""Groups given up in one step of `expire`: each may be looked up in a long index."""


class _Group(msgspec.Struct, array_like=True):
    carrier: int
    source: str
    destination: str
    reference: int
    total: int
    account: int | None
    first_at: int
    texts: dict[int, str]
    done: int


class _Row(msgspec.Struct, array_like=True):
    id: int
    account: int | None
    carrier: int
    source: str
    destination: str
    text: str
    at: int
    complete: int
    parts: int
    in_reply_to: int | None
    keyword: Keyword | None = None


_groups: Final = msgspec.json.Decoder(list[_Group])
_rows: Final = msgspec.json.Decoder(list[_Row])

_GROUP_COLUMNS: Final = """
SELECT json_group_array(json_array(g.carrier, g.source, g.destination, g.reference, g.total,
    g.account, g.first_at, json(g.texts), g.done))
"""
GROUPS: Final = f"""
{_GROUP_COLUMNS} FROM json_each(?) AS j CROSS JOIN mo_groups AS g
ON g.carrier = j.value ->> 0 AND g.source = j.value ->> 1
"""
OVERDUE: Final = f"""
{_GROUP_COLUMNS} FROM (
    SELECT * FROM mo_groups WHERE first_at <= ? ORDER BY first_at LIMIT ?
) AS g
"""
KEEP: Final = """
INSERT OR REPLACE INTO mo_groups
    (carrier, source, destination, reference, total, account, first_at, texts, done)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
       value ->> 7, value ->> 8
FROM json_each(?)
"""
DROP: Final = """
DELETE FROM mo_groups WHERE rowid IN (
    SELECT g.rowid FROM json_each(?) AS j CROSS JOIN mo_groups AS g
    ON g.carrier = j.value ->> 0 AND g.source = j.value ->> 1 AND g.destination = j.value ->> 2
    AND g.reference = j.value ->> 3 AND g.total = j.value ->> 4
)
"""
# Bound, not as JSON: SQLite ends what it takes out of JSON at a NUL, and texts of 8-bit data may
# begin with one.
STORE: Final = Values(
    """
INSERT INTO inbound
    (id, account, carrier, source, destination, text, at, complete, parts, in_reply_to, keyword)
SELECT column1, column2, column3, column4, column5, column6, column7, column8, column9, column10,
    column11 FROM """,
    11,
    " WHERE column1 IS NOT NULL",
)
LIST: Final = """
SELECT json_group_array(json_array(id, account, carrier, source, destination, text, at, complete,
    parts, in_reply_to, json(keyword)))
FROM (SELECT * FROM inbound WHERE account = ? AND id < ? ORDER BY id DESC LIMIT ?)
"""
ERASE: Final = """
UPDATE inbound SET text = '' WHERE id IN (
    SELECT id FROM inbound WHERE id < ? AND text <> '' ORDER BY id LIMIT ?
)
"""
FORGET: Final = """
DELETE FROM inbound WHERE id IN (SELECT id FROM inbound WHERE id < ? ORDER BY id LIMIT ?)
"""


def inbound(
    connection: sqlite3.Connection,
    parts: Sequence[InboundPart],
    links: Links,
    names: Names,
    events: EventLog,
    new_ids: NewIds,
    listen: Listen | None = None,
) -> list[InboundMessage]:
    """Store replies; returns the messages that became whole, each an event already.

    `links` was made for `linking.askers(parts)`; `listen` acts on what replies mean.

    A message without an `account` takes that of the last message to its number; if there is none,
    nobody is told of it. Among the returned ones may be incomplete ones: a phone that uses a
    reference again shows that the parts missing from before will not come.
    """
    if not parts:
        return []
    carriers = [names.intern(connection, CARRIER, part.carrier) for part in parts]
    joiner = Joiner(_load(connection, sources(carriers, parts), names))
    for carrier, part in zip(carriers, parts, strict=True):
        joiner.add(carrier, part)
    _write_groups(connection, joiner, names)
    now = max(part.at for part in parts)
    return _store(connection, joiner.whole, links, now, names, events, new_ids, listen)


def expire(
    connection: sqlite3.Connection,
    now: int,
    names: Names,
    events: EventLog,
    new_ids: NewIds,
    listen: Listen | None = None,
) -> tuple[list[InboundMessage], bool]:
    """One small step of housekeeping: replies whose parts have not all come within half an hour
    are stored as they are, with `complete` false; and whether more of them may wait."""
    overdue = unpack(connection, _groups, OVERDUE, now - JOIN_WITHIN, EXPIRE_STEP)
    if not overdue:
        return [], False
    joiner = Joiner(_by_source(overdue, names))
    for source, groups in joiner.groups.items():
        for key in list(groups):
            joiner.give_up(source, key, groups[key].first_at)
    _write_groups(connection, joiner, names)
    links = Links([], now, names)
    messages = _store(connection, joiner.whole, links, now, names, events, new_ids, listen)
    return messages, len(overdue) == EXPIRE_STEP


def inbound_messages(
    connection: sqlite3.Connection, account: str, limit: int, cursor: int | None, names: Names
) -> list[InboundMessage]:
    """An account's replies, newest first; `cursor` is the last id of the page before."""
    owner = names.known(ACCOUNT, account)
    before = NEWEST if cursor is None else cursor
    return [
        InboundMessage(
            id=row.id,
            account=account,
            carrier=names.name(row.carrier),
            source=row.source,
            destination=row.destination,
            text=row.text,
            at=row.at,
            complete=bool(row.complete),
            parts=row.parts,
            in_reply_to=row.in_reply_to,
            heard=None if row.keyword is None else Heard(row.keyword),
        )
        for row in unpack(connection, _rows, LIST, owner, before, limit)
    ]


def prune(
    connection: sqlite3.Connection, texts_before: int, messages_before: int, limit: int = 500
) -> bool:
    """One small step: erase texts, forget replies, that came before these times; True if more
    wait."""
    erased = connection.execute(ERASE, (first_id_at(texts_before), limit)).rowcount
    forgotten = connection.execute(FORGET, (first_id_at(messages_before), limit)).rowcount
    return limit in (erased, forgotten)


def _load(
    connection: sqlite3.Connection, phones: list[Source], names: Names
) -> dict[Source, dict[Key, Group]]:
    return _by_source(unpack(connection, _groups, GROUPS, pack(phones)), names) if phones else {}


def _by_source(rows: list[_Group], names: Names) -> dict[Source, dict[Key, Group]]:
    groups: dict[Source, dict[Key, Group]] = {}
    for row in rows:
        account = None if row.account is None else names.name(row.account)
        of_source = groups.setdefault((row.carrier, row.source), {})
        of_source[row.destination, row.reference, row.total] = Group(
            account, row.first_at, row.texts, bool(row.done)
        )
    return groups


def _write_groups(connection: sqlite3.Connection, joiner: Joiner, names: Names) -> None:
    if joiner.removed:
        connection.execute(DROP, (pack([(*source, *key) for source, key in joiner.removed]),))
    rows = []
    for source, key in joiner.changed:
        group = joiner.groups[source][key]
        owner = None if group.account is None else names.intern(connection, ACCOUNT, group.account)
        rows.append((*source, *key, owner, group.first_at, group.texts, int(group.done)))
    if rows:
        connection.execute(KEEP, (pack(rows),))


def _store(
    connection: sqlite3.Connection,
    whole: list[Whole],
    links: Links,
    now: int,
    names: Names,
    events: EventLog,
    new_ids: NewIds,
    listen: Listen | None,
) -> list[InboundMessage]:
    """Rows and events for replies, linked to what they answer."""
    if not whole:
        return []
    messages: list[InboundMessage] = []
    for identifier, one in zip(new_ids(len(whole), now), whole, strict=True):
        number = phone(one.source)
        last = None if number is None else links.get(connection, (number, one.account))
        messages.append(
            InboundMessage(
                id=identifier,
                account=one.account if last is None else last.account,
                carrier=names.name(one.carrier),
                source=one.source,
                destination=one.destination,
                text=one.text,
                at=one.at,
                complete=one.complete,
                parts=one.parts,
                in_reply_to=None if last is None else last.id,
            )
        )
    if listen is not None:
        for message, heard in zip(messages, listen(messages), strict=True):
            message.heard = heard
    STORE.run(connection, [value for one in messages for value in _row(connection, one, names)])
    _tell(connection, messages, now, events)
    return messages


def _row(connection: sqlite3.Connection, message: InboundMessage, names: Names) -> tuple[Any, ...]:
    owner = None if message.account is None else names.intern(connection, ACCOUNT, message.account)
    return (
        message.id, owner, names.intern(connection, CARRIER, message.carrier), message.source,
        message.destination, message.text, message.at, int(message.complete), message.parts,
        message.in_reply_to, None if message.heard is None else pack(message.heard.keyword),
    )  # fmt: skip


def _tell(
    connection: sqlite3.Connection,
    messages: Sequence[InboundMessage],
    now: int,
    events: EventLog,
) -> None:
    told: dict[tuple[str, str], list[str]] = {}
    for message in messages:
        if message.account is not None:
            told.setdefault((message.account, EVENT), []).append(_event(message))
            if message.heard is not None and message.heard.event:
                told.setdefault((message.account, MATCHED), []).append(_matched(message))
    for (account, type_), texts in told.items():
        events.add(connection, account, type_, texts, now)


def _event(message: InboundMessage) -> str:
    reply_to = None if message.in_reply_to is None else encode("msg", message.in_reply_to)
    return pack(
        {
            "id": encode("inb", message.id),
            "from": message.source,
            "to": message.destination,
            "text": message.text,
            "at": _time(message.at),
            "in_reply_to": reply_to,
            "complete": message.complete,
            "keyword": None if message.heard is None else message.heard.keyword,
        }
    )


def _matched(message: InboundMessage) -> str:
    assert message.heard is not None
    return pack(
        {
            "rule": message.heard.keyword.word,
            "language": message.heard.keyword.language,
            "message": encode("inb", message.id),
            "from": message.source,
            "to": message.destination,
            "at": _time(message.at),
        }
    )


def _time(at: int) -> str:
    whole = datetime.fromtimestamp(at // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{at % 1_000_000:06d}Z"
