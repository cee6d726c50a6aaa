"""Carrying decisions out: what decided items held is released or ends.

In: the time; `memory.moderation` says which items hold something yet. Out: a step of about ten
milliseconds, in which messages go to their lanes or end as rejected, each with its event. A crash
between steps leaves the rest in `held`, where the next start finds it.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Final

import msgspec

from gateway.errors import REASON_BY_NUMBER, REASONS
from gateway.metrics import MODERATION_CARRIED
from gateway.model import Status
from gateway.store.moderation import ItemState
from gateway.store.sqlite import transitions
from gateway.store.sqlite.memory import Memory
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.rows import Row
from gateway.store.sqlite.transitions import Steps
from gateway.store.sqlite.writer import Transaction

HELD: Final = Status.HELD_MODERATION

BUDGET: Final = 0.008
"""Seconds after which a step begins no other list: what a commit takes anyway, so a one-time code
behind it waits no longer than behind a campaign's acceptance."""

LIST: Final = 200
"""Messages in one list of a step: some 2 ms, so that a step ends near its budget."""

ITEMS: Final = 100
"""Items looked at in one step."""

ITEM: Final = "SELECT state, account FROM items WHERE id = ?"
NEXT: Final = """
SELECT json_group_array(json_array(m.id, m.account, m.source, m.content, m.number, m.lane, m.status,
    m.sequence, m.parts, m.updated, m.carrier, m.client_ref, m.due, m.deadline, m.reason))
FROM (SELECT message FROM held INDEXED BY held_by_item WHERE item = ? ORDER BY message LIMIT ?)
AS h CROSS JOIN messages AS m ON m.id = h.message
"""
DONE: Final = """
DELETE FROM held WHERE message IN (
    SELECT message FROM held INDEXED BY held_by_item WHERE item = ? ORDER BY message LIMIT ?
)
"""
_WHY_HELD: Final = {REASONS[code].number for code in ("stop_word", "awaiting_moderation")}
_SET: Final = f"""SET status = iif(due > ?1, {int(Status.SCHEDULED)}, {int(Status.QUEUED)}),
    due = max(due, ?1), lane = -lane, sequence = sequence + 1, updated = ?1,
    reason = iif(reason IN ({", ".join(map(str, sorted(_WHY_HELD)))}), NULL, reason)"""
"""Why it was held no longer holds; that it is put off for a window does."""
RELEASE: Final = f"""
UPDATE messages {_SET} WHERE id IN (SELECT value FROM json_each(?2))
"""
RELEASE_LATER: Final = f"""
UPDATE messages {_SET}, deadline = max(due, ?1) + coalesce(
    (SELECT rest FROM held WHERE message = messages.id), deadline - max(updated, due))
WHERE id IN (SELECT value FROM json_each(?2))
"""
"""With the time given back that it was held."""


class _Held(Row):
    """A message, and what its release must know."""

    due: int
    deadline: int
    reason: int | None


_alike: Final = attrgetter("lane", "account", "source", "carrier", "reason")
_place: Final = attrgetter("lane", "account", "source")
_rows: Final = msgspec.json.Decoder(list[_Held])


def carry_out(transaction: Transaction, memory: Memory, now: int) -> bool:
    """See the contract."""
    started = time.perf_counter()
    queue = memory.moderation
    first = queue.undone(ITEMS)
    turn = deque(first)
    had: dict[int, None] = {}
    while turn:
        item = turn.popleft()
        had[item] = None
        if _list(transaction, memory, item, now):
            turn.append(item)
        if time.perf_counter() - started > BUDGET:
            break
    left = set(turn)

    def committed() -> None:
        for item in had:
            if item in left:
                queue.served(item)
            else:
                queue.done(item)

    transaction.after_commit(committed)
    return bool(left) or len(first) == ITEMS


def _list(transaction: Transaction, memory: Memory, item: int, now: int) -> bool:
    """Some messages of one item; True if it may hold more."""
    connection = transaction.connection
    decided = connection.execute(ITEM, (item,)).fetchone()
    if decided is None:  # all it held ended otherwise, and it was forgotten before its turn came
        return False
    state, account = decided
    rows = unpack(connection, _rows, NEXT, item, LIST)
    # What ended otherwise is in `held` no longer; should it be, its status has the last word.
    held = [row for row in rows if row.status == HELD]
    counts = memory.validity_counts(memory.names.name(account))
    over = [row for row in held if counts and row.deadline <= now]
    kept = held if not over else [row for row in held if row.deadline > now]
    fates: Counter[str] = Counter()
    deltas: Counter[tuple[int, int]] = Counter()
    ended = Steps()
    for row in over:  # the sweep for expired ones has not come to it yet
        ended.add(row, Status.EXPIRED, now, reason="validity_expired")
    if state == ItemState.APPROVED:
        _release(transaction, memory, kept, counts, now, deltas)
        fates["released"] += len(kept)
    else:
        for row in kept:
            ended.add(row, Status.REJECTED, now, reason="moderation_rejected")
        over = held
        fates["rejected"] += len(kept)
    _leave(transaction, memory, over)
    transitions.write(transaction, memory, ended, deltas)
    transitions.count(connection, deltas)
    gone = connection.execute(DONE, (item, LIST)).rowcount

    def committed() -> None:
        for fate, n in fates.items():
            memory.metrics.count(MODERATION_CARRIED, n, memory.names.name(account), fate)

    transaction.after_commit(committed)
    return gone == LIST


def _release(
    transaction: Transaction,
    memory: Memory,
    rows: Sequence[_Held],
    counts: bool,
    now: int,
    deltas: Counter[tuple[int, int]],
) -> None:
    """Into their lanes, where a lease finds them."""
    if not rows:
        return
    connection = transaction.connection
    connection.execute(RELEASE if counts else RELEASE_LATER, (now, pack([row.id for row in rows])))
    news = Steps()
    arrivals: list[tuple[int, int, int, int, int]] = []
    later = [row for row in rows if row.due > now]
    soon = rows if not later else [row for row in rows if row.due <= now]
    for after, some in ((Status.QUEUED, soon), (Status.SCHEDULED, later)):
        # Runs, not messages: a campaign's differ in nothing that counts here.
        for (lane, account, source, carrier, number), run in groupby(some, _alike):
            own = list(run)
            reason = None
            if number is not None and number not in _WHY_HELD:
                reason = REASON_BY_NUMBER[number].code
            key = (account, source, int(HELD), int(after), now, carrier, 0, reason, None)
            news[key].subjects.extend(own)
            due = now if after is Status.QUEUED else min([row.due for row in own])
            arrivals.append((-lane, account, source, len(own), due))
            if source > 0:
                deltas[source, HELD] -= len(own)
                deltas[source, after] += len(own)
    transitions.announce(transaction, memory, news.values())
    _leave(transaction, memory, rows)
    sources = memory.sources
    for lane, account, source, n, due in arrivals:
        sources.arrive(lane, account, source, n, due)
        transaction.on_rollback(partial(sources.leave, lane, source, n))
    memory.work = True


def _leave(transaction: Transaction, memory: Memory, rows: Sequence[_Held]) -> None:
    """Out of the lanes of what is held. `settle.leave` would look each up in `held` again."""
    sources = memory.sources
    for (lane, account, source), n in Counter(map(_place, rows)).items():
        sources.leave(lane, source, n)
        transaction.on_rollback(partial(sources.arrive, lane, account, source, n, 0))
