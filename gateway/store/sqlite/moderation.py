"""Which messages wait for a moderator, and for what: items, made and found by fingerprint.

In: texts with the messages that are held for them, and messages that are held no longer. Out: rows
of `items` and `held`, in the transaction under way. What moderators do with items is
`judging`'s, what becomes of the messages then `carrying`'s.

A list of a thousand messages with one text is four statements; so is one with a thousand texts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.metrics import MODERATION_HELD
from gateway.store.messages import Text
from gateway.store.moderation import ItemState
from gateway.store.sqlite.memory import MICROS, Memory
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.rows import Row
from gateway.store.sqlite.values import Values
from gateway.store.sqlite.writer import Transaction

FEW_TEXTS: Final = 4
"""Up to so many texts a statement each is cheaper than a row with the item for each message."""

FOUND: Final = """
SELECT json_group_array(json_array(i.fingerprint, i.id, i.state))
FROM json_each(?) AS j CROSS JOIN items AS i ON i.fingerprint = j.value
"""
NEW: Final = Values(
    """
INSERT INTO items (id, fingerprint, json, messages, first_due, account, state)
SELECT column1, column2, column3, column4, column5, ?, 'waiting' FROM """,
    5,
    " WHERE column1 IS NOT NULL",
)
# The text comes back with the first message that waits for it again: retention may have taken it.
GROWN: Final = Values(
    """
UPDATE items SET messages = messages + column2, json = column4, erased = 0, first_due = iif(
    EXISTS (SELECT 1 FROM held WHERE item = items.id), min(first_due, column3), column3)
FROM """,
    4,
    " WHERE items.id = column1",
)
HELD: Final = Values(
    "INSERT INTO held (message, item) SELECT column1, column2 FROM ",
    2,
    " WHERE column1 IS NOT NULL",
)
HELD_ALIKE: Final = "INSERT INTO held (message, item) SELECT value, ? FROM json_each(?)"
WAITED: Final = """
SELECT json_group_array(json_array(item, n)) FROM (
    SELECT h.item, count(*) AS n FROM json_each(?) AS j CROSS JOIN held AS h ON h.message = j.value
    GROUP BY h.item
)
"""
LET_GO: Final = "DELETE FROM held WHERE message IN (SELECT value FROM json_each(?))"
# A text others wait for too is no single person's.
FORGET: Final = """
UPDATE items SET json = json_set(json, '$.text', ''), erased = 1 WHERE id IN (
    SELECT item FROM held WHERE message IN (SELECT value FROM json_each(?1))
) AND NOT EXISTS (
    SELECT 1 FROM held WHERE item = items.id
    AND message NOT IN (SELECT value FROM json_each(?1))
)
"""
NOT_SPARED: Final = """
SELECT json_group_array(h.message) FROM json_each(?) AS j CROSS JOIN held AS h
ON h.message = j.value WHERE h.rest IS NULL
"""
SPARE: Final = """
UPDATE held SET rest = (
    SELECT max(0, m.deadline - max(m.updated, m.due)) FROM messages AS m WHERE m.id = held.message
) WHERE message IN (SELECT value FROM json_each(?))
"""
PUT_OFF: Final = """
UPDATE messages SET deadline = max(updated, due) + ? WHERE id IN (SELECT value FROM json_each(?))
"""
_found: Final = msgspec.json.Decoder(list[tuple[str, int, str]])
_counts: Final = msgspec.json.Decoder(list[tuple[int, int]])
_ids: Final = msgspec.json.Decoder(list[int])


class Said(msgspec.Struct):
    """What an item keeps of its `Text` as JSON."""

    sender: str
    category: str
    text: str
    words: tuple[str, ...] = ()
    template: str | None = None


def hold(
    transaction: Transaction,
    memory: Memory,
    account: int,
    waits: Mapping[Text, list[tuple[int, int]]],
    now: int,
) -> None:
    """Let messages that are stored wait for their texts' items; `waits` has (id, due) of each.

    The messages are in no row of `held` yet: new ones, or `let_go` before. Of an item that was
    decided meanwhile they are carried out like the rest. How many texts may wait is admission's to
    ask (`Queue.room`): a list has the messages of several customers, and none is to be refused for
    another's texts.
    """
    connection = transaction.connection
    # Texts may differ in what the fingerprint does not cover (their category).
    texts: dict[str, Text] = {}
    messages: dict[str, list[tuple[int, int]]] = {}
    for text, own in waits.items():
        key = text.fingerprint.hex()
        texts.setdefault(key, text)
        messages[key] = messages[key] + own if key in messages else own
    if not texts:
        return
    known = {
        key: (item, state)
        for key, item, state in unpack(connection, _found, FOUND, pack(list(texts)))
    }
    new = [key for key in texts if key not in known]
    made: list[Any] = []
    for key, item in zip(new, memory.new_ids(len(new), now), strict=True):
        own = messages[key]
        known[key] = (item, ItemState.WAITING)
        made += (item, key, _said(texts[key]), len(own), min([due for _, due in own]))
    if made:
        NEW.run(connection, made, before=(account,))
    made_now = set(new)
    grown: list[Any] = []
    for key in texts.keys() - made_now:
        own = messages[key]
        grown += (known[key][0], len(own), min([due for _, due in own]), _said(texts[key]))
    if grown:
        GROWN.run(connection, grown)
    _rows(connection, {known[key][0]: own for key, own in messages.items()})

    def committed() -> None:
        queue = memory.moderation
        for key, own in messages.items():
            item, state = known[key]
            if state == ItemState.WAITING:
                queue.arrive(item, account, len(own), now)
            else:
                queue.decided(item)
        count = sum(map(len, messages.values()))
        memory.metrics.count(MODERATION_HELD, count, memory.names.name(account))

    transaction.after_commit(committed)


def let_go(transaction: Transaction, memory: Memory, messages: Sequence[int]) -> None:
    """These messages wait for a moderator no longer, whatever became of them; ids of others do no
    harm."""
    if not messages:
        return
    ids = pack(messages)
    connection = transaction.connection
    counts = unpack(connection, _counts, WAITED, ids)
    if not counts:
        return
    connection.execute(LET_GO, (ids,))

    def committed() -> None:
        for item, n in counts:
            memory.moderation.leave(item, n)

    transaction.after_commit(committed)


def forget(transaction: Transaction, messages: Sequence[int]) -> None:
    """Take the texts that only these held messages wait for: they may be what one person would
    have read. Before they are `let_go`."""
    if messages:
        transaction.connection.execute(FORGET, (pack(messages),))


def spare(transaction: Transaction, memory: Memory, rows: Sequence[Row]) -> set[int]:
    """Of overdue messages, those whose validity does not run while they are held.

    They keep what they had left of it, once: nothing waits for ever, and after `keep_messages`
    nobody decides any more.
    """
    counts = {
        account: memory.validity_counts(memory.names.name(account))
        for account in {row.account for row in rows if row.lane < 0}
    }
    held = [row.id for row in rows if row.lane < 0 and not counts[row.account]]
    if not held:
        return set()
    connection = transaction.connection
    spared = unpack(connection, _ids, NOT_SPARED, pack(held))
    if spared:
        ids = pack(spared)
        connection.execute(SPARE, (ids,))
        connection.execute(PUT_OFF, (int(memory.settings.keep_messages * MICROS), ids))
    return set(spared)


def _said(text: Text) -> str:
    return pack(Said(text.sender, text.category, text.text, text.words, text.template))


def _rows(connection: sqlite3.Connection, held: Mapping[int, list[tuple[int, int]]]) -> None:
    if len(held) <= FEW_TEXTS:
        for item, own in held.items():
            connection.execute(HELD_ALIKE, (item, pack([message for message, _ in own])))
        return
    flat: list[int] = []
    for item, own in held.items():
        for message, _ in own:
            flat += (message, item)
    HELD.run(connection, flat)
