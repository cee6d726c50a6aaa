"""What recipients agreed to, as rows.

In: statements, and who is about to be written to. Out: what holds for whom. Nothing is changed or
taken away here (an erasure does that): the newest statement decides, see `ledgers.ConsentStore`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gateway.store.ledgers import Consent, ConsentState, spelt
from gateway.store.sqlite.memory import Memory
from gateway.store.sqlite.names import ACCOUNT, Names
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.queries import NEWEST
from gateway.store.sqlite.values import Values
from gateway.store.sqlite.writer import Transaction

LAST: Final = "SELECT coalesce(max(id), 0) FROM consents"
RECORD: Final = Values(
    """
INSERT INTO consents (id, account, number, brand, state, at, wording, source, actor)
SELECT column1, column2, column3, column4, column5, column6, column7, column8, column9 FROM """,
    9,
    " WHERE column1 IS NOT NULL",
)
STATES: Final = """
SELECT json_group_array(json_array(number, state)) FROM (
    SELECT j.value AS number, (
        SELECT c.state FROM consents AS c INDEXED BY consents_by_number
        WHERE c.account = ?2 AND c.number = j.value AND c.brand IN (?3, '*')
        ORDER BY c.at DESC, c.id DESC LIMIT 1
    ) AS state FROM json_each(?1) AS j
) WHERE state IS NOT NULL
"""
LIST: Final = """
SELECT id, number, brand, state, at, wording, source, actor
FROM consents INDEXED BY consents_by_account WHERE account = ? AND id < ? ORDER BY id DESC LIMIT ?
"""
LIST_OF: Final = """
SELECT id, number, brand, state, at, wording, source, actor
FROM consents INDEXED BY consents_by_number
WHERE account = ?1 AND number = ?4 AND id < ?2 ORDER BY id DESC LIMIT ?3
"""
_states: Final = msgspec.json.Decoder(list[tuple[int, ConsentState]])


def record(transaction: Transaction, memory: Memory, consents: Sequence[Consent]) -> list[Consent]:
    """See the contract; one step of it."""
    connection = transaction.connection
    (last,) = connection.execute(LAST).fetchone()
    stored: list[Consent] = []
    flat: list[Any] = []
    for identifier, one in enumerate(consents, start=last + 1):
        brand = spelt(one.brand)
        account = memory.names.intern(connection, ACCOUNT, one.account)
        flat += (identifier, account, one.number, brand, one.state, one.at, one.wording, one.source,
                 one.actor)  # fmt: skip
        stored.append(msgspec.structs.replace(one, brand=brand, id=identifier))
        memory.consenting.add(account)  # only a hint that it is worth looking
    RECORD.run(connection, flat)
    return stored


def states(
    connection: sqlite3.Connection, account: int, brand: str, numbers: Sequence[int]
) -> dict[int, ConsentState]:
    """What holds for each of `numbers`; `account` is interned."""
    pairs = unpack(connection, _states, STATES, pack(numbers), account, spelt(brand))
    return dict(pairs)


def consents(
    connection: sqlite3.Connection,
    account: str,
    limit: int,
    cursor: int | None,
    number: int | None,
    names: Names,
) -> list[Consent]:
    """See the contract."""
    before = NEWEST if cursor is None else cursor
    arguments: tuple[Any, ...] = (names.known(ACCOUNT, account), before, limit)
    if number is None:
        rows = connection.execute(LIST, arguments)
    else:
        rows = connection.execute(LIST_OF, (*arguments, number))
    return [
        Consent(account, to, brand, ConsentState(state), at, wording, source, actor, identifier)
        for identifier, to, brand, state, at, wording, source, actor in rows
    ]
