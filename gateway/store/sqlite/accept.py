"""Storing submissions.

In: submissions. Out: rows, with the answers kept for their idempotency keys, all in the
transaction under way. A list of a thousand messages is five statements. Messages of a campaign
differ in little: what many of them share is bound once.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import chain
from operator import attrgetter
from typing import Any, Final

import msgspec

from gateway.model import BatchState, Status
from gateway.store.messages import NewMessage, StoredAnswer, Submission, Text
from gateway.store.sqlite import moderation, told, transitions
from gateway.store.sqlite.exclusions import tell_excluded
from gateway.store.sqlite.idempotency import KEPT
from gateway.store.sqlite.memory import Memory
from gateway.store.sqlite.names import ACCOUNT, LANE, ZONE
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.rows import Row
from gateway.store.sqlite.transitions import Steps, reason_number
from gateway.store.sqlite.values import Values
from gateway.store.sqlite.writer import Transaction

MESSAGES: Final = Values(
    """
INSERT INTO messages (id, number, vars, client_ref, account, source, content, lane, status, due,
    deadline, parts, encoding, reason, closes, zone, sequence, attempts, updated)
SELECT column1, column2, column3, column4, column5, column6, column7, column8, column9, column10,
    column11, column12, column13, column14, column15, column16, column17, 0, ? FROM """,
    17,
    " WHERE column1 IS NOT NULL",
)
ALIKE: Final = Values(
    """
INSERT INTO messages (id, number, vars, client_ref, account, source, content, lane, status, due,
    deadline, parts, encoding, reason, closes, zone, sequence, attempts, updated)
SELECT column1, column2, column3, column4, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ? FROM """,
    4,
    " WHERE column1 IS NOT NULL",
)
"""Messages that share all but these four columns; 1.7 us a row instead of 2.1, Python included."""
FEW: Final = 100
"""Messages alike that are not worth a statement of their own: it waits for the interpreter lock."""
CONTENTS: Final = Values(
    """
INSERT INTO contents (id, json, batch, first, last)
SELECT column1, column2, column3, column4, column5 FROM """,
    5,
    """ WHERE column1 IS NOT NULL
ON CONFLICT (id) DO UPDATE SET
    first = min(first, excluded.first), last = max(last, excluded.last), json = excluded.json,
    erased = 0""",
)
BATCH: Final = """
INSERT INTO batches (id, account, content, state, created, updated, options, recipients, accepted,
    ineligible) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0)
"""
GROWN: Final = """
UPDATE batches SET recipients = recipients + ?1 + ?2, accepted = accepted + ?1,
    ineligible = ineligible + ?2, updated = ?3, finished = NULL,
    state = iif(state = 'finished', 'running', state)
WHERE id = ?4
"""
RANGE: Final = "INSERT OR REPLACE INTO batch_ranges (batch, first, last) VALUES (?, ?, ?)"
INELIGIBLE: Final = Values(
    """
INSERT OR REPLACE INTO ineligible (batch, position, number, code, detail, client_ref)
SELECT column1, column2, column3, column4, column5, column6 FROM """,
    6,
    " WHERE column1 IS NOT NULL",
)
USED: Final = """
SELECT json_group_array(j.key)
FROM json_each(?) AS j CROSS JOIN idempotency AS i
ON i.account = j.value ->> 0 AND i.scope = j.value ->> 1 AND i.key = j.value ->> 2
WHERE i.created > ?
"""
ANSWER: Final = """
SELECT fingerprint, status, body FROM idempotency WHERE account = ? AND scope = ? AND key = ?
"""
KEEP: Final = Values(
    """
INSERT OR REPLACE INTO idempotency (account, scope, key, fingerprint, status, body, created)
SELECT column1, column2, column3, column4, column5, column6, ? FROM """,
    6,
    " WHERE column1 IS NOT NULL",
)
_indexes: Final = msgspec.json.Decoder(list[int])

_shape: Final = attrgetter(
    "lane", "status", "due", "deadline", "parts", "encoding", "reason", "closes", "zone"
)
_own: Final = attrgetter("id", "number", "vars", "client_ref")

HELD: Final = Status.HELD_MODERATION
REFUSED: Final = Status.REJECTED
TOLD: Final = frozenset({Status.HELD_MODERATION, Status.HELD_QUIET})
"""What a new message can be that is an event: the customer hears why it does not leave now."""


def accept(
    transaction: Transaction, memory: Memory, submissions: Sequence[Submission], now: int
) -> list[StoredAnswer | None]:
    """Store each submission whose idempotency key is new; the kept answer for the others."""
    connection = transaction.connection
    answers = _answers(connection, memory, submissions, now)
    fresh = [one for one, answer in zip(submissions, answers, strict=True) if answer is None]
    if not fresh:
        return answers
    names = memory.names
    memory.load_batches(connection, {s.content.batch for s in fresh if s.content.batch})
    deltas: Counter[tuple[int, int]] = Counter()
    waiting: dict[tuple[int, int, int], list[int]] = {}
    lanes: dict[str, int] = {}
    rows: list[Any] = []
    alike: list[tuple[tuple[int | None, ...], list[Any]]] = []
    joined: dict[int, int] = {}
    refused = Steps()
    held = Steps()
    waits: dict[int, dict[Text, list[tuple[int, int]]]] = {}
    stored = 0
    contents: list[Any] = []
    ineligible: list[Any] = []
    for submission in fresh:
        content = submission.content
        account = names.intern(connection, ACCOUNT, content.account)
        if submission.batch is not None:
            _create(transaction, memory, submission, account)
        batch = content.batch
        if batch is not None:
            known = memory.batches.get(batch)
            if known is None or known.account != account:
                raise ValueError(f"account {content.account} has no batch {batch}")
        source = -account if batch is None else batch
        messages = submission.messages
        if batch is None or content.id not in memory.contents:
            first, last = (messages[0].id, messages[-1].id) if messages else (None, None)
            contents += (content.id, pack(content), batch, first, last)
            if content.id not in memory.contents:
                memory.contents.put(content)
                transaction.on_rollback(partial(memory.contents.forget, content.id))
        for shape, each in _alike(messages):
            name, status, due, deadline, parts, encoding, reason, closes, zone = shape
            lane = lanes.get(name)
            if lane is None:
                lane = lanes[name] = names.intern(connection, LANE, name)
            kept, sequence = True, 0
            if status == REFUSED:
                kept, status = False, Status.ACCEPTED  # until `refused` is written, below
                for m in each:
                    row = Row(m.id, account, source, content.id, m.number, lane, status, 0, m.parts,
                              now, None, m.client_ref)  # fmt: skip
                    refused.add(row, REFUSED, now, reason=reason)
            elif status in TOLD:
                sequence = 1
                for m in each:
                    row = Row(m.id, account, source, content.id, m.number, lane, Status.ACCEPTED, 0,
                              m.parts, now, None, m.client_ref)  # fmt: skip
                    held.add(row, status, now, reason=reason)
                if status == HELD:
                    lane = -lane
                    texts = waits.setdefault(account, {})
                    for m in each:
                        assert m.text is not None
                        texts.setdefault(submission.texts[m.text], []).append((m.id, due))
            shared: tuple[int | None, ...]
            shared = (account, source, content.id, lane, status, due, deadline, parts, encoding,
                      reason_number(reason), closes,
                      None if zone is None else names.intern(connection, ZONE, zone),
                      sequence)  # fmt: skip
            if len(each) > FEW:
                alike.append((shared, list(chain.from_iterable(map(_own, each)))))
            else:
                for m in each:
                    rows += (m.id, m.number, m.vars, m.client_ref, *shared)
            stored += len(each)
            if batch is not None:
                deltas[batch, status] += len(each)
            if not kept:
                continue
            group = waiting.get((lane, account, source))
            if group is None:
                waiting[lane, account, source] = [len(each), due]
            else:
                group[0] += len(each)
                group[1] = min(group[1], due)
        if submission.joined:
            (message,) = messages
            joined |= dict.fromkeys(submission.joined, message.id)
        if batch is not None:
            for one in submission.ineligible:
                ineligible += (batch, one.position, one.to, one.code, one.detail, one.client_ref)
            if submission.ineligible:
                tell_excluded(transaction, memory, content.account, batch, submission.ineligible,
                              now)  # fmt: skip
            _grow(transaction, memory, submission, batch, now)
    if contents:
        CONTENTS.run(connection, contents)
    for same, own in alike:
        ALIKE.run(connection, own, before=(*same, now))
    if rows:
        MESSAGES.run(connection, rows, before=(now,))
    if ineligible:
        INELIGIBLE.run(connection, ineligible)
    if joined:
        told.join(connection, joined)
    for owner, texts in waits.items():
        moderation.hold(transaction, memory, owner, texts, now)
    transitions.announce(transaction, memory, held.values())
    transitions.write(transaction, memory, refused, deltas)
    transitions.count(connection, deltas)
    for (lane, account, source), (count, due) in waiting.items():
        memory.sources.arrive(lane, account, source, count, due)
        transaction.on_rollback(partial(memory.sources.leave, lane, source, count))
    memory.work = memory.work or bool(waiting)

    def committed() -> None:
        memory.unindexed += stored
        memory.moved += stored

    transaction.after_commit(committed)
    return answers


def _alike(messages: Sequence[NewMessage]) -> Iterable[tuple[Any, list[NewMessage]]]:
    """Messages by what they share, wherever they stand: recipients of several countries come mixed,
    and their windows close at different hours."""
    groups: dict[Any, list[NewMessage]] = {}
    for message, shape in zip(messages, map(_shape, messages), strict=True):
        own = groups.get(shape)
        if own is None:
            groups[shape] = [message]
        else:
            own.append(message)
    return groups.items()


def _answers(
    connection: sqlite3.Connection,
    memory: Memory,
    submissions: Sequence[Submission],
    now: int,
) -> list[StoredAnswer | None]:
    """What was answered before; None for new keys, which are kept here."""
    answers: list[StoredAnswer | None] = [None] * len(submissions)
    seen: dict[tuple[int, str, str], StoredAnswer] = {}
    keys: dict[int, tuple[int, str, str]] = {}
    for index, submission in enumerate(submissions):
        one = submission.idempotency
        if one is None:
            continue
        key = (memory.names.intern(connection, ACCOUNT, one.account), one.scope, one.key)
        earlier = seen.get(key)
        if earlier is None:
            keys[index] = key
            seen[key] = StoredAnswer(one.fingerprint, one.status, one.body)
        else:
            answers[index] = earlier
    if not keys:
        return answers
    indexes = list(keys)
    used = unpack(connection, _indexes, USED, pack(list(keys.values())), now - KEPT)
    for position in used:
        index = indexes[position]
        stored = StoredAnswer(*connection.execute(ANSWER, keys.pop(index)).fetchone())
        answers[index] = stored
    flat: list[Any] = []
    for index, key in keys.items():
        one = submissions[index].idempotency
        assert one is not None
        flat += (*key, one.fingerprint, one.status, one.body)
    if flat:
        KEEP.run(connection, flat, before=(now,))
    return answers


def _create(transaction: Transaction, memory: Memory, submission: Submission, account: int) -> None:
    batch = submission.batch
    assert batch is not None
    transaction.connection.execute(
        BATCH,
        (batch.id, account, batch.content.id, batch.state, batch.created, batch.created,
         pack(batch.options)),
    )  # fmt: skip
    memory.add_batch(batch.id, account, batch.state)

    def undo() -> None:
        del memory.batches[batch.id]
        memory.sources.paused.discard(batch.id)

    transaction.on_rollback(undo)


def _grow(
    transaction: Transaction, memory: Memory, submission: Submission, batch: int, now: int
) -> None:
    """Recipients were added to a campaign; a finished one runs again."""
    connection = transaction.connection
    messages = submission.messages
    if not messages and not submission.ineligible:
        return
    connection.execute(GROWN, (len(messages), len(submission.ineligible), now, batch))
    if messages:
        connection.execute(RANGE, (batch, messages[0].id, messages[-1].id))
    known = memory.batches.get(batch)

    def committed() -> None:
        memory.touched.add(batch)
        if known is not None:
            known.finished = False
            if known.state == BatchState.FINISHED:
                known.state = BatchState.RUNNING

    transaction.after_commit(committed)
