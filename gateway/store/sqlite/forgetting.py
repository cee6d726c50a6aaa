"""Taking a person out of messages.

In: messages that are over. Out: the same rows without number, text, values, reference and the
operators' ids, and no index that leads to them by number. That there was a message, its status, its
times and its carrier stay: a campaign's counts are counts of rows.

Number 0 is nobody's; whoever reads a message takes it for one that was erased.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.store.sqlite.memory import Memory
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.writer import Transaction

ERASE_TEXTS: Final = """
UPDATE contents SET json = json_replace(json, '$.text', '', '$.raw', json((
    SELECT json_group_array(json_array(value ->> 0, value ->> 1, value ->> 2, value ->> 3, ''))
    FROM json_each(contents.json, '$.raw')
))), erased = 1
WHERE id IN (SELECT value FROM json_each(?))
"""
"""Of a customer's own parts the ids stay, which late receipts are told by; the octets and the TLVs
go. (`json_each` has a column `json` of its own.)"""
ERASE_REST: Final = """
UPDATE contents SET json = json_remove(json, '$.metadata', '$.tlvs')
WHERE id IN (SELECT value FROM json_each(?))
"""
OWN_CONTENTS: Final = """
SELECT json_group_array(DISTINCT c.id) FROM json_each(?) AS j CROSS JOIN messages AS m
ON m.id = j.value CROSS JOIN contents AS c ON c.id = m.content
WHERE c.batch IS NULL AND NOT EXISTS (
    SELECT 1 FROM messages AS o WHERE o.id BETWEEN c.first AND c.last AND o.content = c.id
    AND o.number <> 0
)
"""
"""Contents that no other person's message shares. A campaign's text is its own affair."""
LONE_CONTENTS: Final = """
SELECT json_group_array(c.id) FROM json_each(?) AS j CROSS JOIN messages AS m
ON m.id = j.value CROSS JOIN contents AS c ON c.id = m.content
WHERE c.batch IS NULL AND c.first = c.last AND c.erased = 0
"""
"""Contents of single messages, by a message each."""
UNUSED_CONTENTS: Final = """
DELETE FROM contents WHERE id IN (SELECT value FROM json_each(?)) AND batch IS NULL
AND NOT EXISTS (
    SELECT 1 FROM messages AS m WHERE m.id BETWEEN contents.first AND contents.last
    AND m.content = contents.id
)
"""
ERASE_VALUES: Final = """
UPDATE messages SET vars = NULL WHERE id IN (SELECT value FROM json_each(?)) AND vars IS NOT NULL
"""
BLANK: Final = """
UPDATE messages SET number = 0, vars = NULL, client_ref = NULL, zone = NULL
WHERE id IN (SELECT value FROM json_each(?))
"""
UNINDEX_NUMBERS: Final = """
DELETE FROM by_number WHERE (run, number, id) IN (
    SELECT (SELECT max(run) FROM runs WHERE run <= m.id), m.number, m.id
    FROM json_each(?) AS j CROSS JOIN messages AS m ON m.id = j.value
)
"""
UNINDEX_REFS: Final = """
DELETE FROM by_ref WHERE (run, account, ref, id) IN (
    SELECT (SELECT max(run) FROM runs WHERE run <= m.id), m.account, m.client_ref, m.id
    FROM json_each(?) AS j CROSS JOIN messages AS m ON m.id = j.value
)
"""
CONTENTS_OF: Final = """
SELECT json_group_array(DISTINCT m.content) FROM json_each(?) AS j CROSS JOIN messages AS m
ON m.id = j.value
"""
DROP_MESSAGES: Final = "DELETE FROM messages WHERE id IN (SELECT value FROM json_each(?))"
UNINDEX_ACCOUNTS: Final = """
DELETE FROM by_account WHERE (account, id) IN (
    SELECT m.account, m.id FROM json_each(?) AS j CROSS JOIN messages AS m ON m.id = j.value
)
"""
NAMED: Final = """
SELECT json_group_array(json_array(p.carrier, p.operator_id, p.message, p.part))
FROM json_each(?) AS j CROSS JOIN parts AS p ON p.message = j.value
"""
UNINDEX_PARTS: Final = """
DELETE FROM parts_index WHERE (carrier, operator_id, message) IN (
    SELECT p.carrier, p.operator_id, p.message
    FROM json_each(?) AS j CROSS JOIN parts AS p ON p.message = j.value
)
"""
DROP_PARTS: Final = "DELETE FROM parts WHERE message IN (SELECT value FROM json_each(?))"
_ids: Final = msgspec.json.Decoder(list[int])
_named: Final = msgspec.json.Decoder(list[tuple[int, str, int, int]])


def blank(transaction: Transaction, memory: Memory, ids: Sequence[int]) -> None:
    """Take the person out of these messages, all of them final."""
    connection = transaction.connection
    packed = pack(list(ids))
    unindex(transaction, packed)
    named = unpack(connection, _named, NAMED, packed)
    connection.execute(UNINDEX_PARTS, (packed,))
    connection.execute(DROP_PARTS, (packed,))
    connection.execute(BLANK, (packed,))
    own: list[int] = unpack(connection, _ids, OWN_CONTENTS, packed)
    erase_texts(transaction, memory, own)
    connection.execute(ERASE_REST, (pack(own),))
    transaction.after_commit(lambda: memory.contents.forget_all(own))
    # A receipt that is still to come finds nothing.
    transaction.after_commit(lambda: memory.correlation.remove(named))


def discard(transaction: Transaction, memory: Memory, ids: Sequence[int]) -> None:
    """Erase the values of messages that need no text any more, and the text where it is no other
    message's. What events still tell of them (metadata) stays."""
    if ids:
        packed = pack(list(ids))
        connection = transaction.connection
        connection.execute(ERASE_VALUES, (packed,))
        lone = unpack(connection, _ids, LONE_CONTENTS, packed)
        erase_texts(transaction, memory, lone)


def unindex(transaction: Transaction, packed: str) -> None:
    """Let no index lead to these messages by number or reference. They must still have both."""
    transaction.connection.execute(UNINDEX_NUMBERS, (packed,))
    transaction.connection.execute(UNINDEX_REFS, (packed,))


def drop_messages(transaction: Transaction, memory: Memory, ids: Sequence[int]) -> None:
    """Delete messages that ended long ago, with what leads to them and what they alone had.

    At once: a run of the index and what submissions share would else stay until no message before
    them is left, and one that is scheduled for next year kept every number in the file until then.
    """
    connection = transaction.connection
    packed = pack(list(ids))
    unindex(transaction, packed)
    contents: list[int] = unpack(connection, _ids, CONTENTS_OF, packed)
    connection.execute(DROP_MESSAGES, (packed,))
    drop_unused(transaction, memory, contents)


def erase_texts(transaction: Transaction, memory: Memory, contents: Sequence[int]) -> None:
    """Take texts out of what submissions share."""
    if contents:
        transaction.connection.execute(ERASE_TEXTS, (pack(list(contents)),))
        transaction.after_commit(lambda: memory.contents.erase(contents))


def drop_unused(transaction: Transaction, memory: Memory, contents: Sequence[int]) -> None:
    """Delete those of these contents that no message has any more: another text took their
    place."""
    transaction.connection.execute(UNUSED_CONTENTS, (pack(list(contents)),))
    transaction.after_commit(lambda: memory.contents.forget_all(contents))
