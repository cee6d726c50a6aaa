"""Writing what became of leased messages.

In: results from the carriers' links, and answers that came late. Out: statuses, parts with the
operator's ids, events; receipts that were waiting for these ids are applied at once.

The caller owns what it leased, and the set of leases is in memory, so nothing is read before the
write. A result for a message that is not leased is a fault of ours: counted and left alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import msgspec

from gateway.model import TRANSITIONS, Status
from gateway.store.contract import LateAnswer, Outcome, Settled
from gateway.store.sqlite import receive, transitions
from gateway.store.sqlite.memory import Memory
from gateway.store.sqlite.names import ACCOUNT, CARRIER, LANE
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.rows import Row, read
from gateway.store.sqlite.transitions import Steps, reason_number
from gateway.store.sqlite.values import Values
from gateway.store.sqlite.writer import Transaction

PARTS: Final = Values(
    """
INSERT INTO parts (message, carrier, operator_id, part, sent_at)
SELECT column1, column2, column3, column4, column5 FROM """,
    5,
    " WHERE column1 IS NOT NULL",
)
REQUEUE: Final = Values(
    f"""
UPDATE messages SET status = {int(Status.QUEUED)}, due = column2, lane = column3,
    attempts = column4, updated = column5, carrier = column6, reason = column7,
    carrier_code = column8, sequence = sequence + 1
FROM """,
    8,
    " WHERE messages.id = column1",
)
KNOWN_PARTS: Final = """
SELECT json_group_array(json_array(p.message, p.part))
FROM json_each(?) AS j CROSS JOIN parts AS p ON p.message = j.value
"""
_known_parts: Final = msgspec.json.Decoder(list[tuple[int, int]])
_ENDINGS: Final = TRANSITIONS[Status.SENDING]
_MAY_BE_HEARD_OF: Final = frozenset({Status.SENT, Status.UNKNOWN})


def settle(transaction: Transaction, memory: Memory, results: Sequence[Settled]) -> None:
    """See the contract."""
    connection = transaction.connection
    names = memory.names
    owned = _owned(transaction, memory, results)
    accounts = {
        name: names.intern(connection, ACCOUNT, name)
        for name in {result.message.account for result in owned}
    }
    carriers = {
        name: names.intern(connection, CARRIER, name)
        for name in {result.carrier for result in owned}
    }
    steps = Steps()
    requeued: list[Settled] = []
    parts: list[Any] = []
    again: list[int] = []
    queued = Status.QUEUED
    for result in owned:
        message = result.message
        carrier = carriers[result.carrier]
        if result.operator_ids:
            at = result.at
            for part, operator_id in enumerate(result.operator_ids, start=1):
                if operator_id:
                    parts += (message.id, carrier, operator_id, part, at)
        status = result.status
        if status == queued:
            requeued.append(result)
            continue
        reason, attempts, outcome = result.reason, 1, result.outcome
        if outcome is Outcome.SENT:
            if not result.receipts:
                status, reason = Status.UNKNOWN, "outcome_unknown"
        elif outcome is Outcome.FAILED:
            attempts = max(0, result.attempts - message.attempts)
        if message.attempts and status in _MAY_BE_HEARD_OF:
            again.append(message.id)
        account = accounts[message.account]
        source = message.batch
        steps[
            account, -account if source is None else source, 5, status, result.at, carrier,
            attempts, reason, result.carrier_code
        ].subjects.append(message)  # fmt: skip
    if parts:
        record(transaction, memory, parts)
    deltas: Counter[tuple[int, int]] = Counter()
    transitions.write(transaction, memory, steps, deltas)
    if requeued:
        _requeue(transaction, memory, requeued, deltas)
    transitions.count(connection, deltas)
    if parts:
        receive.unpark(transaction, memory, parts)
    if again:
        receive.heard_before(transaction, memory, again)


def settle_late(transaction: Transaction, memory: Memory, answers: Sequence[LateAnswer]) -> None:
    """See the contract.

    A resend is taken back once every part is known to have been taken; of a message that is on
    its way again, or over, only the ids are kept.
    """
    connection = transaction.connection
    intern = memory.names.intern
    parts: list[Any] = []
    last: dict[int, LateAnswer] = {}
    known: dict[int, set[int]] = {}
    for answer in answers:
        if answer.operator_id:
            carrier = intern(connection, CARRIER, answer.carrier)
            parts += (answer.message, carrier, answer.operator_id, answer.part, answer.at)
        last[answer.message] = answer
        known.setdefault(answer.message, set()).add(answer.part)
    if parts:
        record(transaction, memory, parts)
    queued = [row for row in read(connection, list(last)) if row.status == Status.QUEUED]
    if queued:
        ids = pack([row.id for row in queued])
        for message, part in unpack(connection, _known_parts, KNOWN_PARTS, ids):
            known[message].add(part)
        taken_back = [row for row in queued if len(known[row.id]) >= row.parts]
        leave(transaction, memory, taken_back)
        steps = Steps()
        for row in taken_back:
            answer = last[row.id]
            carrier = intern(connection, CARRIER, answer.carrier)
            steps.add(row, Status.SENT, answer.at, carrier=carrier)
        transitions.write(transaction, memory, steps)
    if parts:
        receive.unpark(transaction, memory, parts)


def record(transaction: Transaction, memory: Memory, parts: list[Any]) -> None:
    """Keep what operators call parts: flat rows of (message, carrier, id, part, time)."""
    PARTS.run(transaction.connection, parts)
    undo = memory.correlation.add(parts[0::5], parts[1::5], parts[2::5], parts[3::5])
    transaction.on_rollback(undo)


def leave(transaction: Transaction, memory: Memory, rows: Sequence[Row]) -> None:
    """Take waiting messages out of the lease index."""
    sources = memory.sources
    for row in rows:
        sources.leave(row.lane, row.source, 1)

    def undo() -> None:
        for row in rows:
            sources.arrive(row.lane, row.account, row.source, 1, 0)

    transaction.on_rollback(undo)


def _owned(
    transaction: Transaction, memory: Memory, results: Sequence[Settled]
) -> Sequence[Settled]:
    """Results of messages that are leased and end as the table allows; these leases are over."""
    leased = memory.leased
    ids = {result.message.id for result in results}
    if len(ids) < len(results) or not ids <= leased or not {r.status for r in results} <= _ENDINGS:
        left = leased.copy()
        owned = []
        for result in results:
            if result.message.id in left and result.status in _ENDINGS:
                left.remove(result.message.id)
                owned.append(result)
            else:
                memory.illegal(Status.SENDING, result.status)
        ids = {result.message.id for result in owned}
        results = owned
    leased -= ids
    transaction.on_rollback(partial(leased.update, ids))
    return results


def _requeue(
    transaction: Transaction,
    memory: Memory,
    results: Sequence[Settled],
    deltas: Counter[tuple[int, int]],
) -> None:
    """Back to a lane. After an unknown outcome that is news; after a throttle it is not."""
    connection = transaction.connection
    names = memory.names
    sources = memory.sources
    rows: list[Any] = []
    news = Steps()
    arrivals: Counter[tuple[int, int, int]] = Counter()
    dues: dict[tuple[int, int, int], int] = {}
    for result in results:
        message = result.message
        account = names.intern(connection, ACCOUNT, message.account)
        source = -account if message.batch is None else message.batch
        lane = names.intern(connection, LANE, result.lane or message.lane)
        due = result.due or result.at
        unknown = result.outcome is Outcome.UNKNOWN
        attempts = result.attempts or message.attempts + unknown
        carrier = names.intern(connection, CARRIER, result.carrier)
        reason = result.reason or ("outcome_unknown" if unknown else None)
        rows += (message.id, due, lane, attempts, result.at, carrier, reason_number(reason),
                 result.carrier_code)  # fmt: skip
        key = (lane, account, source)
        arrivals[key] += 1
        dues[key] = min(dues.get(key, due), due)
        if source > 0:
            deltas[source, Status.SENDING] -= 1
            deltas[source, Status.QUEUED] += 1
        if unknown:
            news[
                account, source, Status.SENDING, Status.QUEUED, result.at, carrier, 0, reason,
                result.carrier_code,
            ].subjects.append(message)  # fmt: skip
    REQUEUE.run(connection, rows)
    transitions.announce(transaction, memory, news.values())
    for (lane, account, source), count in arrivals.items():
        sources.arrive(lane, account, source, count, dues[lane, account, source])
        transaction.on_rollback(partial(sources.leave, lane, source, count))
    memory.work = True
