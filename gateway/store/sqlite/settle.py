"""Writing what became of leased messages.

In: results from the carriers' links, lists of what was simply sent, and answers that came late.
Out: statuses, parts with the operator's ids, events; receipts that were waiting for these ids are
applied at once.

The caller owns what it leased, and the set of leases is in memory, so nothing is read before the
write. A result for a message that is not leased is a fault of ours: counted and left alone.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial
from itertools import repeat
from operator import attrgetter
from typing import Any, Final

import msgspec

from gateway.model import TRANSITIONS, Status
from gateway.store.messages import LateAnswer, Leased, Outcome, Sent, Settled
from gateway.store.sqlite import moderation, receive, transitions
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
SINGLE_PARTS: Final = """
INSERT INTO parts (message, carrier, operator_id, part, sent_at)
SELECT key, ?, value, 1, ? FROM json_each(?)
"""
"""Of messages of one part: a JSON object, message to operator's id. 0.7 us a row, where five
columns as VALUES take 1.3: reading `key` and `value` is cheap, unlike a path into either."""
REQUEUE: Final = Values(
    f"""
UPDATE messages SET status = {int(Status.QUEUED)}, due = column2, lane = column3,
    attempts = column4, updated = column5, carrier = column6, reason = column7,
    carrier_code = column8, sequence = sequence + 1
FROM """,
    8,
    " WHERE messages.id = column1",
)
RESIZE: Final = """
UPDATE messages SET parts = j.value
FROM json_each(?) AS j WHERE messages.id = CAST(j.key AS INTEGER)
"""
"""Where a carrier took other parts than admission counted: its alphabet or its long_message mode
differ, and receipts come for what was sent."""
KNOWN_PARTS: Final = """
SELECT json_group_array(json_array(p.message, p.part))
FROM json_each(?) AS j CROSS JOIN parts AS p ON p.message = j.value
"""
_known_parts: Final = msgspec.json.Decoder(list[tuple[int, int]])
_ENDINGS: Final = TRANSITIONS[Status.SENDING]
_MAY_BE_HEARD_OF: Final = frozenset({Status.SENT, Status.UNKNOWN})
_COUNTS_AS_ATTEMPT: Final = frozenset({Outcome.SENT, Outcome.UNKNOWN})
_batch_of: Final = attrgetter("batch")


def settle(
    transaction: Transaction,
    memory: Memory,
    results: Sequence[Settled],
    sent: Sequence[Sent] = (),
) -> None:
    """See the contract."""
    connection = transaction.connection
    names = memory.names
    results, sent = _owned(transaction, memory, results, sent)
    results, arrived = _believe_deliveries(connection, results)
    accounts = {
        name: names.intern(connection, ACCOUNT, name)
        for name in {result.message.account for result in results}
    }
    carriers = {
        name: names.intern(connection, CARRIER, name)
        for name in {result.carrier for result in results}
    }
    steps = Steps()
    requeued: list[Settled] = []
    parts: list[Any] = []
    again: list[int] = []
    resized: dict[int, int] = {}
    queued = Status.QUEUED
    for result in results:
        message = result.message
        carrier = carriers[result.carrier]
        if result.operator_ids:
            if len(result.operator_ids) != message.parts:
                resized[message.id] = len(result.operator_ids)
            at = result.at
            for part, operator_id in enumerate(result.operator_ids, start=1):
                if operator_id:
                    parts += (message.id, carrier, operator_id, part, at)
        status = result.status
        if status == queued:
            requeued.append(result)
            continue
        reason = result.reason
        if result.outcome is Outcome.SENT and not result.receipts:
            status, reason = Status.UNKNOWN, "outcome_unknown"
        if status in _MAY_BE_HEARD_OF and (message.attempts or message.id in arrived):
            again.append(message.id)
        account = accounts[message.account]
        source = message.batch
        steps[
            account, -account if source is None else source, 5, status, result.at, carrier,
            attempts_of(result) - message.attempts, reason, result.carrier_code
        ].subjects.append(message)  # fmt: skip
    early: list[Any] = []
    for each in sent:
        _step(transaction, memory, steps, each)
        if len(sent) <= transitions.FEW_STEPS:
            early += _record_single(transaction, memory, each)
        else:  # of many short reads: a statement each costs more than a row each
            carrier = names.intern(connection, CARRIER, each.carrier)
            parts += _rows_of(carrier, each.at, each.messages, each.operator_ids)
        again += [message.id for message in each.messages if message.attempts]
        resized |= {message.id: 1 for message in each.messages if message.parts != 1}
    if resized:
        connection.execute(RESIZE, (pack(resized),))
    if parts:
        record(transaction, memory, parts)
    deltas: Counter[tuple[int, int]] = Counter()
    transitions.write(transaction, memory, steps, deltas)
    if requeued:
        _requeue(transaction, memory, requeued, deltas)
    transitions.count(connection, deltas)
    if parts or early:
        receive.unpark(transaction, memory, parts + early)
    if again:
        receive.heard_before(transaction, memory, again)


def _believe_deliveries(
    connection: sqlite3.Connection, results: Sequence[Settled]
) -> tuple[Sequence[Settled], set[int]]:
    """What an operator refused, or could not take now, after an earlier attempt at it had been
    delivered: the person has it, so it is `sent` and ends by that receipt (`heard_before`)."""
    doubtful = {
        result.message.id
        for result in results
        # Leased before: a first lease is the first change of status.
        if result.message.sequence > 1 and result.status not in _MAY_BE_HEARD_OF
    }
    arrived: set[int] = set()
    if not doubtful:
        return results, arrived
    parts = receive.load_parts(connection, list(doubtful))
    for row in read(connection, [identifier for identifier in doubtful if identifier in parts]):
        worst, _, complete = receive.verdict(row, parts[row.id])
        if complete and worst is not None and worst.status == Status.DELIVERED:
            arrived.add(row.id)
    if not arrived:
        return results, arrived
    believed = [
        Settled(result.message, result.carrier, Outcome.SENT, result.at, Status.SENT,
                attempts=attempts_of(result))
        if result.message.id in arrived
        else result
        for result in results
    ]  # fmt: skip
    return believed, arrived


def attempts_of(result: Settled) -> int:
    """Submissions begun so far."""
    if result.attempts is not None:
        return result.attempts
    return result.message.attempts + (result.outcome in _COUNTS_AS_ATTEMPT)


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
        taken_back = [row for row in queued if len(known[row.id]) >= last[row.id].parts]
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
    """Take waiting messages out of the lease index, and from what moderators have to see."""
    sources = memory.sources
    gone = Counter([(row.lane, row.account, row.source) for row in rows])
    for (lane, _, source), count in gone.items():
        sources.leave(lane, source, count)
    held = [row.id for row in rows if row.lane < 0]
    if held:
        moderation.let_go(transaction, memory, held)

    def undo() -> None:
        for (lane, account, source), count in gone.items():
            sources.arrive(lane, account, source, count, 0)

    transaction.on_rollback(undo)


def _owned(
    transaction: Transaction, memory: Memory, results: Sequence[Settled], sent: Sequence[Sent]
) -> tuple[Sequence[Settled], Sequence[Sent]]:
    """Results of messages that are leased and end as the table allows; these leases are over."""
    leased = memory.leased
    listed = [result.message.id for result in results]
    for each in sent:
        listed += [message.id for message in each.messages]
    ids = set(listed)
    if len(ids) < len(listed) or not ids <= leased or not {r.status for r in results} <= _ENDINGS:
        left = leased.copy()
        owned = []
        for result in [*results, *(one for each in sent for one in each.spelt_out())]:
            if result.message.id in left and result.status in _ENDINGS:
                left.remove(result.message.id)
                owned.append(result)
            else:
                memory.illegal(Status.SENDING, result.status)
        ids = {result.message.id for result in owned}
        results, sent = owned, ()
    leased -= ids
    transaction.on_rollback(partial(leased.update, ids))
    return results, sent


def _step(transaction: Transaction, memory: Memory, steps: Steps, sent: Sent) -> None:
    """Add the step of messages that were sent."""
    intern, connection = memory.names.intern, transaction.connection
    carrier = intern(connection, CARRIER, sent.carrier)
    status, reason = Status.SENT, None
    if not sent.receipts:
        status, reason = Status.UNKNOWN, "outcome_unknown"
    messages = sent.messages
    groups: dict[tuple[int | None, str], list[Leased]]
    batches = set(map(_batch_of, messages))
    if len(batches) == 1 and None not in batches:  # one campaign, which is one account's
        groups = {(messages[0].batch, messages[0].account): messages}
    else:
        groups = defaultdict(list)
        for message in messages:
            groups[message.batch, message.account].append(message)
    for (batch, name), own in groups.items():
        account = intern(connection, ACCOUNT, name)
        steps[
            account, -account if batch is None else batch, Status.SENDING, status, sent.at, carrier,
            1, reason, None,
        ].subjects += own  # fmt: skip


def _record_single(transaction: Transaction, memory: Memory, sent: Sent) -> list[Any]:
    """Keep what the operator calls these messages.

    Returns those whose receipts may have come before, in flat rows as `receive.unpark` takes them.
    """
    connection, at, operator_ids = transaction.connection, sent.at, sent.operator_ids
    carrier = memory.names.intern(connection, CARRIER, sent.carrier)
    messages = [message.id for message in sent.messages]
    if "" in operator_ids:
        named = [one for one in zip(messages, operator_ids, strict=True) if one[1]]
        if not named:
            return []
        messages, operator_ids = map(list, zip(*named, strict=True))
    parts = dict(zip(messages, operator_ids, strict=True))
    connection.execute(SINGLE_PARTS, (carrier, at, pack(parts)))
    transaction.on_rollback(memory.correlation.add_single(carrier, messages, operator_ids))
    parked = memory.parked_keys
    if parked is not None and (
        not parked or parked.isdisjoint(map(hash, zip(repeat(carrier), operator_ids)))
    ):
        return []
    return [
        value
        for message, operator_id in parts.items()
        if parked is None or hash((carrier, operator_id)) in parked
        for value in (message, carrier, operator_id, 1, at)
    ]


def _rows_of(
    carrier: int, at: int, messages: Sequence[Leased], operator_ids: Sequence[str]
) -> list[Any]:
    """Parts as `record` takes them."""
    rows: list[Any] = []
    for message, operator_id in zip(messages, operator_ids, strict=True):
        if operator_id:
            rows += (message.id, carrier, operator_id, 1, at)
    return rows


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
        carrier = names.intern(connection, CARRIER, result.carrier)
        reason = result.reason or ("outcome_unknown" if unknown else None)
        rows += (message.id, due, lane, attempts_of(result), result.at, carrier,
                 reason_number(reason), result.carrier_code)  # fmt: skip
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
