"""Recipients' refusals, as rows.

In: refusals and their withdrawal, and who is about to be written to. Out: who must not be. Senders
are kept as `ledgers.spelt` writes them; `*` stands for every sender, category or account. What is
waiting for those who refuse is `opt_outs_cancel`'s.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from gateway.metrics import OPT_OUTS_RECORDED, OPT_OUTS_REMOVED
from gateway.store.ledgers import ALL, spelt
from gateway.store.messages import Content, OptOut
from gateway.store.sqlite.memory import Memory
from gateway.store.sqlite.names import ACCOUNT
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.status_events import stamp
from gateway.store.sqlite.values import Values
from gateway.store.sqlite.writer import Transaction

CREATED: Final = "optout.created"
REMOVED: Final = "optout.removed"
IMPORTED: Final = "optout.imported"

# What stands is left as it is: the ledger keeps the first no and its proof.
PUT: Final = Values(
    """
INSERT INTO opt_outs (account, number, sender, category, at, source, proof, position)
SELECT column1, column2, column3, column4, column5, column6, column7, column8 FROM """,
    8,
    """ WHERE column1 IS NOT NULL
ON CONFLICT (account, number, sender, category) DO UPDATE SET at = excluded.at,
    source = excluded.source, proof = excluded.proof, position = excluded.position, removed = NULL
WHERE removed IS NOT NULL""",
)
OF_NUMBERS: Final = """
SELECT json_group_array(json_array(o.number, o.sender, o.category))
FROM json_each(?1) AS j CROSS JOIN opt_outs AS o ON o.account IN (?2, ?3) AND o.number = j.value
WHERE o.removed IS NULL
"""
OF_DIGESTS: Final = """
SELECT json_group_array(json_array(h.digest, h.sender, h.category))
FROM json_each(?1) AS j CROSS JOIN opt_out_hashes AS h ON h.account = ?2 AND h.digest = j.value
"""
REMOVE: Final = Values(
    "UPDATE opt_outs SET removed = ?, position = column5 FROM ",
    5,
    """ WHERE opt_outs.account = column1 AND opt_outs.number = column2
AND opt_outs.sender = column3 AND opt_outs.category = column4""",
)
REMOVE_DIGESTS: Final = """
DELETE FROM opt_out_hashes WHERE account = ?1 AND digest IN (SELECT value FROM json_each(?2))
AND (?3 = '*' OR sender = ?3) AND (?4 = '*' OR category = ?4)
"""
_of_numbers: Final = msgspec.json.Decoder(list[tuple[int, str, str]])
_of_digests: Final = msgspec.json.Decoder(list[tuple[str, str, str]])


class Refusals:
    """What stands of some numbers."""

    __slots__ = ("some", "total")

    def __init__(self, rows: Sequence[tuple[int, str, str]]) -> None:
        self.total = {number for number, sender, category in rows if sender == category == ALL}
        """Those that refuse everything: nearly all, and told apart at a tenth of the cost."""
        self.some: dict[int, list[tuple[str, str]]] = {}
        """Senders and categories, by number."""
        if len(self.total) < len(rows):
            for number, sender, category in rows:
                self.some.setdefault(number, []).append((sender, category))

    def __bool__(self) -> bool:
        return bool(self.total or self.some)

    def cover(self, number: int, sender: str, category: str) -> bool:
        """Whether a (spelt) sender and a category are refused."""
        return number in self.total or any(
            own_sender in (ALL, sender) and own_category in (ALL, category)
            for own_sender, own_category in self.some.get(number, ())
        )


class Addressed(Protocol):
    """A message, as far as a refusal can concern it."""

    @property
    def number(self) -> int: ...
    @property
    def content(self) -> int: ...


def refused_messages(
    connection: sqlite3.Connection,
    memory: Memory,
    account: int,
    messages: Sequence[Addressed],
    contents: Mapping[int, Content],
) -> set[int]:
    """Indexes of an account's messages that must not leave. The answer to a STOP may."""
    suspects = memory.opt_outs.marks.candidates(account, [one.number for one in messages])
    if not suspects:
        return set()
    among = set(suspects)
    places: list[int] = []
    wanted: list[tuple[int, str, str]] = []
    for index, one in enumerate(messages):
        if one.number in among:
            content = contents[one.content]
            if not content.answer or content.refusable:
                places.append(index)
                wanted.append((one.number, content.sender, content.category))
    return {places[index] for index in refused(connection, memory, account, wanted)}


def refused(
    connection: sqlite3.Connection,
    memory: Memory,
    account: int,
    wanted: Sequence[tuple[int, str, str]],
) -> set[int]:
    """Indexes of the (number, sender, category) in `wanted` that may not be written to: looked up,
    so ask for `marks.candidates` only."""
    refusals = standing(connection, memory, account, {number for number, _, _ in wanted})
    if not refusals:
        return set()
    total, some = refusals.total, refusals.some
    return {
        index
        for index, (number, sender, category) in enumerate(wanted)
        if number in total or (number in some and refusals.cover(number, spelt(sender), category))
    }


def opted_out(
    connection: sqlite3.Connection,
    memory: Memory,
    account: int,
    sender: str,
    category: str,
    candidates: Sequence[int],
) -> set[int]:
    """Those of `candidates` that refuse this sender and category of this (interned) account."""
    sender = spelt(sender)
    refusals = standing(connection, memory, account, set(candidates))
    return refusals.total | {
        number for number in refusals.some if refusals.cover(number, sender, category)
    }


def standing(
    connection: sqlite3.Connection, memory: Memory, account: int, numbers: set[int]
) -> Refusals:
    """What stands of these numbers, the account's own and everyone's."""
    if not numbers:
        return Refusals([])
    everyone = memory.opt_outs.marks.everyone
    accounts = (account, account if everyone is None else everyone)
    rows = unpack(connection, _of_numbers, OF_NUMBERS, pack(list(numbers)), *accounts)
    for owner in memory.opt_outs.erased.intersection(accounts):
        by_digest = {memory.opt_outs.digest(owner, number): number for number in numbers}
        rows += [
            (by_digest[digest], sender, category)
            for digest, sender, category in unpack(
                connection, _of_digests, OF_DIGESTS, pack(list(by_digest)), owner
            )
        ]
    return Refusals(rows)


# --- writing


def record(transaction: Transaction, memory: Memory, entries: Sequence[OptOut]) -> int:
    """Record some refusals, each new one an event; returns how many are new."""
    new: dict[int, dict[tuple[int, str, str], OptOut]] = {}
    connection = transaction.connection
    for entry in entries:
        account = _account(transaction, memory, entry.account)
        key = (entry.number, spelt(entry.sender), entry.category)
        new.setdefault(account, {}).setdefault(key, entry)
    for account, own in new.items():
        numbers = pack(list({number for number, _, _ in own}))
        for number, sender, category in unpack(
            connection, _of_numbers, OF_NUMBERS, numbers, account, account
        ):
            own.pop((number, sender, category), None)
        _put(transaction, memory, account, list(own.values()))
        memory.events.add(
            connection,
            memory.names.name(account),
            CREATED,
            [
                pack({**_told(memory, account, number, sender, category, one.source, one.at),
                      "proof": one.proof})
                for (number, sender, category), one in own.items()
            ],
            max((one.at for one in own.values()), default=0),
        )  # fmt: skip
    fresh = [entry for own in new.values() for entry in own.values()]
    _count(transaction, memory, Counter(entry.source for entry in fresh))
    return len(fresh)


def import_step(transaction: Transaction, memory: Memory, entries: Sequence[OptOut]) -> int:
    """Record many refusals of one account, told of by one event for all; returns how many are new.

    They should be in order of their numbers: neighbours lie in one page of the table.
    """
    account = _account(transaction, memory, entries[0].account)
    new = _put(transaction, memory, account, entries)
    if new:
        at = max(entry.at for entry in entries)
        told = {
            "account": memory.names.name(account),
            "recorded": new,
            "source": entries[0].source,
            "at": stamp(at),
        }
        memory.events.add(
            transaction.connection, memory.names.name(account), IMPORTED, [pack(told)], at
        )
    _count(transaction, memory, Counter({entries[0].source: new}))
    return new


def remove(
    transaction: Transaction,
    memory: Memory,
    account: str,
    numbers: Sequence[int],
    sender: str,
    category: str,
    now: int,
    source: str,
) -> int:
    """Take back the refusals that `sender` and `category` cover, each an event; returns how
    many."""
    connection = transaction.connection
    owner = memory.names.known(ACCOUNT, account)
    if owner is None or not numbers:
        return 0
    sender = spelt(sender)
    ledger = memory.opt_outs

    def meant(own_sender: str, own_category: str) -> bool:
        return sender in (ALL, own_sender) and category in (ALL, own_category)

    gone = [
        row
        for row in unpack(connection, _of_numbers, OF_NUMBERS, pack(list(numbers)), owner, owner)
        if meant(row[1], row[2])
    ]
    first = ledger.take_positions(len(gone))
    flat: list[Any] = []
    for position, row in enumerate(gone, start=first):
        flat += (owner, *row, position)
    if flat:
        REMOVE.run(connection, flat, before=(now,))
    if owner in ledger.erased:
        by_digest = {ledger.digest(owner, number): number for number in numbers}
        digests = pack(list(by_digest))
        gone += [
            (by_digest[digest], own_sender, own_category)
            for digest, own_sender, own_category in unpack(
                connection, _of_digests, OF_DIGESTS, digests, owner
            )
            if meant(own_sender, own_category)
        ]
        connection.execute(REMOVE_DIGESTS, (owner, digests, sender, category))
    events = [pack(_told(memory, owner, *row, source, now)) for row in gone]
    memory.events.add(connection, account, REMOVED, events, now)

    def committed() -> None:
        memory.metrics.count(OPT_OUTS_REMOVED, len(gone), source)
        ledger.stands(-len(flat) // 5)

    if gone:
        transaction.after_commit(committed)
    return len(gone)


def _account(transaction: Transaction, memory: Memory, name: str) -> int:
    account = memory.names.intern(transaction.connection, ACCOUNT, name)
    marks = memory.opt_outs.marks
    if name == ALL and marks.everyone is None:
        marks.everyone = account

        def undo() -> None:
            marks.everyone = None

        transaction.on_rollback(undo)
    return account


def _put(transaction: Transaction, memory: Memory, account: int, entries: Sequence[OptOut]) -> int:
    """Rows and marks."""
    position = memory.opt_outs.take_positions(len(entries))
    flat: list[Any] = []
    proof: dict[str, Any] | None = None
    text = None
    for entry in entries:
        if entry.proof is not proof:  # those of an import are one and the same
            proof = entry.proof
            text = pack(proof) if proof else None
        flat += (account, entry.number, spelt(entry.sender), entry.category, entry.at,
                 entry.source, text, position)  # fmt: skip
        position += 1
    if not flat:
        return 0
    memory.opt_outs.marks.add(account, flat[1::8])
    return PUT.run(transaction.connection, flat)


def _count(transaction: Transaction, memory: Memory, sources: Counter[str]) -> None:
    total = sources.total()

    def committed() -> None:
        for source, count in sources.items():
            memory.metrics.count(OPT_OUTS_RECORDED, count, source)
        memory.opt_outs.stands(total)

    if total:
        transaction.after_commit(committed)


def _told(
    memory: Memory, account: int, number: int, sender: str, category: str, source: str, at: int
) -> dict[str, Any]:
    return {
        "account": memory.names.name(account),
        "number": f"+{number}",
        "sender": sender,
        "category": category,
        "source": source,
        "at": stamp(at),
    }
