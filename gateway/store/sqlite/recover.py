"""What a crash left behind: leases whose outcome nobody knows.

In: the (lane, source) pairs that have leases when the store is opened. Out: each message queued
again or ended as `unknown`, as the policy says, with an event. Nothing is resent or dropped in
silence (architecture, promise 3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from gateway.model import OnUnknown, Status
from gateway.store.records import Recovered
from gateway.store.sqlite import transitions
from gateway.store.sqlite.memory import Memory
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.rows import Row, read
from gateway.store.sqlite.transitions import Steps, reason_number
from gateway.store.sqlite.writer import Transaction

LEASED: Final = """
SELECT json_group_array(id) FROM (
    SELECT id FROM messages INDEXED BY messages_due WHERE lane = ? AND source = ? AND due < 0
)
"""
RESEND: Final = f"""
UPDATE messages SET status = {int(Status.QUEUED)}, due = ?1, updated = ?1, reason = ?2,
    attempts = attempts + 1, sequence = sequence + 1
WHERE id IN (SELECT value FROM json_each(?3))
"""
_ids: Final = msgspec.json.Decoder(list[int])


def recover(
    transaction: Transaction,
    memory: Memory,
    leased: Sequence[tuple[int, int]],
    policy: Callable[[str, str], OnUnknown],
    now: int,
) -> Recovered:
    """Settle every lease of the dead process as outcome unknown."""
    connection = transaction.connection
    recovered = Recovered()
    for lane, source in leased:
        ids: list[int] = unpack(connection, _ids, LEASED, lane, source)
        rows = read(connection, ids)
        contents = memory.contents.get(connection, {row.content for row in rows})
        again: list[Row] = []
        over: list[Row] = []
        for row in rows:
            carrier = "" if row.carrier is None else memory.names.name(row.carrier)
            resend = policy(carrier, contents[row.content].category) is OnUnknown.RESEND
            (again if resend else over).append(row)
        deltas: Counter[tuple[int, int]] = Counter()
        if again:
            connection.execute(
                RESEND, (now, reason_number("outcome_unknown"), pack([row.id for row in again]))
            )
            if source > 0:
                deltas[source, Status.SENDING] -= len(again)
                deltas[source, Status.QUEUED] += len(again)
            news = Steps()
            for row in again:
                news.add(row, Status.QUEUED, now, reason="outcome_unknown")
            transitions.announce(transaction, memory, news.values())
            memory.sources.arrive(lane, again[0].account, source, len(again), now)
        steps = Steps()
        for row in over:
            steps.add(row, Status.UNKNOWN, now, reason="outcome_unknown")
        transitions.write(transaction, memory, steps, deltas)
        transitions.count(connection, deltas)
        recovered.resent += len(again)
        recovered.unknown += len(over)
    return recovered
