"""Another content for messages that have not left.

In: replacements, judged by admission like new messages. Out: the messages under way with the new
text, time and place in the lanes; an event where the status changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from gateway.model import TRANSITIONS, WAITING, Status
from gateway.store.messages import Replacement, Text
from gateway.store.sqlite import forgetting, moderation, transitions
from gateway.store.sqlite.accept import CONTENTS
from gateway.store.sqlite.memory import Memory
from gateway.store.sqlite.names import ACCOUNT
from gateway.store.sqlite.packed import pack
from gateway.store.sqlite.rows import Row, read
from gateway.store.sqlite.transitions import Steps, reason_number
from gateway.store.sqlite.values import Values
from gateway.store.sqlite.writer import Transaction

REPLACE: Final = Values(
    """
UPDATE messages SET content = column2, parts = column3, encoding = column4, status = column5,
    due = column6, deadline = column7, lane = column8, sequence = sequence + column9,
    updated = column10, vars = column11, reason = column12, closes = column13
FROM """,
    13,
    " WHERE messages.id = column1",
)


def replace(
    transaction: Transaction,
    memory: Memory,
    account: str,
    replacements: Sequence[Replacement],
    now: int,
) -> list[int | None]:
    """See the contract. Of several replacements of one message the last counts."""
    connection = transaction.connection
    owner = memory.names.known(ACCOUNT, account)
    last = {one.message: one for one in replacements}
    rows = {row.id: row for row in read(connection, list(last)) if row.account == owner}
    contents: list[Any] = []
    before: set[int] = set()
    flat: list[Any] = []
    steps = Steps()
    deltas: Counter[tuple[int, int]] = Counter()
    waits: dict[Text, list[tuple[int, int]]] = {}
    # What they waited for was the text they had.
    moderation.let_go(transaction, memory, [row.id for row in rows.values() if row.lane < 0])
    for row in rows.values():
        if row.status not in WAITING:
            continue
        one = last[row.id]
        content = one.content
        contents += (content.id, pack(content), None, row.id, row.id)
        memory.contents.put(content)
        transaction.on_rollback(partial(memory.contents.forget, content.id))
        before.add(row.content)
        row.content = content.id
        after = _after(memory, row.status, one.status)
        lane = abs(row.lane) * (-1 if after == Status.HELD_MODERATION else 1)
        flat += (row.id, content.id, one.parts, one.encoding, after, one.due, one.deadline, lane,
                 after != row.status, now, one.vars, reason_number(one.reason),
                 one.closes)  # fmt: skip
        if after == Status.HELD_MODERATION:
            assert one.text is not None
            waits.setdefault(one.text, []).append((row.id, one.due))
        _move(transaction, memory, row, lane, one.due)
        if after != row.status:
            steps.add(row, after, now, reason=one.reason)
            if row.source > 0:
                deltas[row.source, row.status] -= 1
                deltas[row.source, after] += 1
    if flat:
        CONTENTS.run(connection, contents)
        REPLACE.run(connection, flat)
        forgetting.drop_unused(transaction, memory, list(before))
        if waits and owner is not None:
            moderation.hold(transaction, memory, owner, waits, now)
        transitions.count(connection, deltas)
        transitions.announce(transaction, memory, steps.values())
        memory.work = True
    return [rows[one.message].status if one.message in rows else None for one in replacements]


def _after(memory: Memory, before: int, wanted: int) -> int:
    """The status a message has now.

    A time alone needs no other status: a queued message, or one held for the night, that is put
    off waits in its lane until it is due, so where the table has no way to `scheduled` the status
    stays.
    """
    if wanted == before or wanted in TRANSITIONS[Status(before)] & WAITING:
        return wanted
    if wanted not in (Status.SCHEDULED, Status.ACCEPTED):
        memory.illegal(before, wanted)
    return before


def _move(transaction: Transaction, memory: Memory, row: Row, lane: int, due: int) -> None:
    """Tell the lease index where and when the message waits."""
    sources = memory.sources
    if lane == row.lane:
        sources.arrive(lane, row.account, row.source, 0, due)
        return
    sources.arrive(lane, row.account, row.source, 1, due)
    sources.leave(row.lane, row.source, 1)
    transaction.on_rollback(partial(sources.leave, lane, row.source, 1))
    transaction.on_rollback(partial(sources.arrive, row.lane, row.account, row.source, 1, 0))
