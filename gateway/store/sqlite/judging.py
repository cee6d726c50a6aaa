"""What moderators do with items: look, claim, decide.

In: ids of items, claims, decisions. Out: items as they stand, and what a claim or decision met. A
decision is written with its event and its place in the trail; carrying it out is `carrying`'s.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gateway.ids import created_at, encode, first_id_at
from gateway.metrics import MODERATION_DECISIONS, MODERATION_SECONDS, PRUNED
from gateway.store.messages import Text
from gateway.store.moderation import Claimed, Decision, Item, ItemState
from gateway.store.registry import Audit
from gateway.store.sqlite import registry
from gateway.store.sqlite.memory import MICROS, Memory
from gateway.store.sqlite.moderation import FOUND, Said
from gateway.store.sqlite.names import ACCOUNT, Names
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.status_events import stamp
from gateway.store.sqlite.writer import Transaction

TYPE: Final = "moderation.decided"
"""The event's type in the log. Its object, fields without a value left out:

    item account decision (approved, rejected) reason actor sender category words template text
    messages (that waited for it) at
"""

TEXT: Final = 1_000
"""Characters of the text an event tells: it is there to be recognised, and a list of a thousand
decisions stays under a megabyte or two."""

STEP: Final = 500
"""Items in one step of retention."""

_COLUMNS: Final = """json_array(i.id, i.fingerprint, i.account, json(i.json), i.state, i.messages,
    (SELECT count(*) FROM held WHERE held.item = i.id), i.first_due, i.claimed_by, i.claimed_until,
    i.decided_by, i.decided_at, i.reason)"""
READ: Final = f"""
SELECT json_group_array({_COLUMNS}) FROM json_each(?) AS j CROSS JOIN items AS i ON i.id = j.value
"""
PAGE: Final = f"""
SELECT json_group_array({_COLUMNS}) FROM (
    SELECT * FROM items INDEXED BY items_by_state WHERE state = ? AND id > ? ORDER BY id LIMIT ?
) AS i
"""
PAGE_OF: Final = f"""
SELECT json_group_array({_COLUMNS}) FROM (
    SELECT * FROM items INDEXED BY items_by_account
    WHERE account = ? AND state = ? AND id > ? ORDER BY id LIMIT ?
) AS i
"""
CLAIM: Final = "UPDATE items SET claimed_by = ?, claimed_until = ? WHERE id = ?"
DECIDE: Final = """
UPDATE items SET state = ?, decided_by = ?, decided_at = ?, reason = ?
WHERE id IN (SELECT value FROM json_each(?))
"""
USED: Final = "UPDATE items SET used = ? WHERE id IN (SELECT value FROM json_each(?))"
# An item nobody waits for goes once it is old: one that is decided when no text has been judged by
# it for so long, one that is not with its text, without which nobody can decide.
PRUNE: Final = """
DELETE FROM items WHERE id IN (
    SELECT id FROM items
    WHERE id < ?1 AND (state = 'waiting' OR id < ?2 AND max(decided_at, coalesce(used, 0)) < ?3)
    AND NOT EXISTS (SELECT 1 FROM held WHERE item = items.id) ORDER BY id LIMIT ?4
) RETURNING id
"""
ERASE: Final = """
UPDATE items SET json = json_set(json, '$.text', ''), erased = 1 WHERE id IN (
    SELECT id FROM items INDEXED BY items_texts
    WHERE erased = 0 AND id < ?1 AND (state = 'waiting' OR decided_at < ?2)
    AND (?4 IS NULL OR account = ?4)
    AND NOT EXISTS (SELECT 1 FROM held WHERE item = items.id) ORDER BY id LIMIT ?3
)
"""


class _Row(msgspec.Struct, array_like=True):
    id: int
    fingerprint: str
    account: int
    said: Said
    state: ItemState
    messages: int
    waiting: int
    first_due: int
    claimed_by: str | None
    claimed_until: int | None
    decided_by: str | None
    decided_at: int | None
    reason: str | None


_found: Final = msgspec.json.Decoder(list[tuple[str, int, ItemState]])
_rows: Final = msgspec.json.Decoder(list[_Row])


def judged(
    connection: sqlite3.Connection, memory: Memory, fingerprints: Sequence[bytes]
) -> dict[bytes, ItemState]:
    """See the contract."""
    keys = pack([fingerprint.hex() for fingerprint in fingerprints])
    found = unpack(connection, _found, FOUND, keys)
    memory.moderation.use([item for _, item, state in found if state is not ItemState.WAITING])
    return {bytes.fromhex(key): state for key, _, state in found}


def items(
    connection: sqlite3.Connection,
    names: Names,
    account: str | None,
    states: Sequence[ItemState] | None,
    limit: int,
    cursor: int | None,
) -> list[Item]:
    """See the contract."""
    after = 0 if cursor is None else cursor
    owner = None if account is None else names.known(ACCOUNT, account)
    if account is not None and owner is None:
        return []
    rows: list[_Row] = []
    for state in dict.fromkeys(ItemState if states is None else states):
        if owner is None:
            found = unpack(connection, _rows, PAGE, state, after, limit)
        else:
            found = unpack(connection, _rows, PAGE_OF, owner, state, after, limit)
        rows.extend(found)
    rows.sort(key=lambda row: row.id)
    return [_item(names, row) for row in rows[:limit]]


def item(
    connection: sqlite3.Connection, names: Names, account: str | None, identifier: int
) -> Item | None:
    """See the contract."""
    return _own(connection, names, account, [identifier]).get(identifier)


def claim(
    transaction: Transaction,
    memory: Memory,
    account: str | None,
    identifier: int,
    moderator: str,
    now: int,
    until: int,
    release: bool,
) -> tuple[Claimed, Item | None]:
    """See the contract."""
    connection = transaction.connection
    found = item(connection, memory.names, account, identifier)
    refused = _refused(found, moderator, now)
    if found is None or refused is not None:
        return refused or Claimed.UNKNOWN, found
    if release:
        found.claimed_by = found.claimed_until = None
    else:
        found.claimed_by, found.claimed_until = moderator, until
    connection.execute(CLAIM, (found.claimed_by, found.claimed_until, identifier))
    action = "moderation.release" if release else "moderation.claim"
    entry = Audit(found.text.account, moderator, action, encode("itm", identifier), now)
    registry.note(connection, [entry])
    return Claimed.DONE, found


def decide(
    transaction: Transaction,
    memory: Memory,
    account: str | None,
    decisions: Sequence[Decision],
) -> list[tuple[Claimed, Item | None]]:
    """See the contract."""
    connection = transaction.connection
    known = _own(connection, memory.names, account, [one.item for one in decisions])
    alike: dict[tuple[ItemState, str, int, str], list[int]] = defaultdict(list)
    events: dict[str, list[str]] = defaultdict(list)
    trail: list[Audit] = []
    decided: list[Item] = []
    answers: list[tuple[Claimed, Item | None]] = []
    at = 0
    for one in decisions:
        found = known.get(one.item)
        refused = _refused(found, one.actor, one.at)
        if found is None or refused is not None:
            answers.append((refused or Claimed.UNKNOWN, found))
            continue
        found.state = ItemState.APPROVED if one.approve else ItemState.REJECTED
        found.decided_by, found.decided_at, found.reason = one.actor, one.at, one.reason
        alike[found.state, one.actor, one.at, one.reason].append(found.id)
        events[found.text.account].append(pack(_event(found)))
        trail.append(_entry(found, one))
        decided.append(found)
        answers.append((Claimed.DONE, found))
        at = max(at, one.at)
    for (state, actor, when, reason), ids in alike.items():
        connection.execute(DECIDE, (state, actor, when, reason, pack(ids)))
    for owner, own in events.items():
        memory.events.add(connection, owner, TYPE, own, at)
    registry.note(connection, trail)
    transaction.after_commit(lambda: _decided(memory, decided))
    return answers


def prune(transaction: Transaction, memory: Memory, now: int) -> bool:
    """One step: forget old items; True if more may be."""
    queue = memory.moderation
    used = queue.take_used()
    if used:
        transaction.connection.execute(USED, (now, pack(list(used))))
        transaction.on_rollback(lambda: queue.use(used))
    before = now - int(memory.settings.keep_messages * MICROS)
    texts_before = max(before, now - int(memory.settings.keep_text * MICROS))
    values = (first_id_at(texts_before), first_id_at(before), before, STEP)
    gone = [row[0] for row in transaction.connection.execute(PRUNE, values)]
    if gone:
        transaction.after_commit(lambda: queue.gone(gone))
        transaction.after_commit(lambda: memory.metrics.count(PRUNED, len(gone), "items"))
    return len(gone) == STEP


def erase(transaction: Transaction, memory: Memory, now: int) -> bool:
    """One step: take the texts of old items; the decisions on them stay. True if more may be."""
    most = float(memory.settings.keep_text)
    ages: list[tuple[float, int | None]] = [(most, None)]
    for name, rules in memory.rules.items():
        account = memory.names.known(ACCOUNT, name)
        if account is not None and rules.keep_text is not None and rules.keep_text < most:
            ages.append((rules.keep_text, account))
    more = [
        _sweep(transaction, memory, "item texts", ERASE, now - int(age * MICROS), account)
        for age, account in ages
    ]
    return any(more)


def _sweep(
    transaction: Transaction, memory: Memory, what: str, sql: str, before: int, *more: int | None
) -> bool:
    values = (first_id_at(before), before, STEP, *more)
    swept = transaction.connection.execute(sql, values).rowcount
    if swept:
        transaction.after_commit(lambda: memory.metrics.count(PRUNED, swept, what))
    return swept == STEP


def _decided(memory: Memory, items: Sequence[Item]) -> None:
    """After the commit: what they hold is to be carried out."""
    queue, metrics = memory.moderation, memory.metrics
    for one in items:
        account = one.text.account
        metrics.count(MODERATION_DECISIONS, 1, account, one.state.value)
        since = queue.since(one.id)
        if since is not None and one.decided_at is not None:
            metrics.observe(MODERATION_SECONDS, [(one.decided_at - since) / MICROS], account)
        if one.waiting:
            queue.decided(one.id)
        else:
            queue.gone([one.id])


def _refused(found: Item | None, moderator: str, now: int) -> Claimed | None:
    """Why this moderator cannot have the item now; None if he can."""
    if found is None:
        return Claimed.UNKNOWN
    if found.state is not ItemState.WAITING:
        return Claimed.DECIDED
    return Claimed.TAKEN if found.holder(now) not in (None, moderator) else None


def _own(
    connection: sqlite3.Connection, names: Names, account: str | None, ids: Sequence[int]
) -> dict[int, Item]:
    rows = unpack(connection, _rows, READ, pack(list(dict.fromkeys(ids))))
    found = [_item(names, row) for row in rows]
    return {one.id: one for one in found if account is None or one.text.account == account}


def _item(names: Names, row: _Row) -> Item:
    said = row.said
    text = Text(
        bytes.fromhex(row.fingerprint), names.name(row.account), said.sender, said.category,
        said.text, said.words, said.template,
    )  # fmt: skip
    return Item(
        row.id, text, row.state, row.messages, row.waiting, created_at(row.id), row.first_due,
        row.claimed_by, row.claimed_until, row.decided_by, row.decided_at, row.reason,
    )  # fmt: skip


def _event(found: Item) -> dict[str, Any]:
    text = found.text
    event = {
        "item": encode("itm", found.id),
        "account": text.account,
        "decision": found.state.value,
        "reason": found.reason or None,
        "actor": found.decided_by,
        "sender": text.sender,
        "category": text.category,
        "words": list(text.words) or None,
        "template": text.template,
        "text": text.text[:TEXT],
        "messages": found.waiting,
        "at": stamp(found.decided_at or 0),
    }
    return {name: value for name, value in event.items() if value is not None}


def _entry(found: Item, decision: Decision) -> Audit:
    action = "moderation.approve" if decision.approve else "moderation.reject"
    detail: dict[str, Any] = {"messages": found.waiting}
    if decision.reason:
        detail["reason"] = decision.reason
    return Audit(
        found.text.account, decision.actor, action, encode("itm", found.id), decision.at, detail
    )
