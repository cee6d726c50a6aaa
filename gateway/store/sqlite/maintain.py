"""Housekeeping, a step at a time.

In: the time. Out: at most some ten milliseconds of the writer's thread, spent on whatever is due:
what callers wait for first, then indexes, then retention. Everything here can be interrupted and
taken up again, also by another process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from gateway.metrics import SMPP_LOST, WEBHOOK_LOST
from gateway.store.sqlite import (
    batches,
    expire,
    failures,
    hearing,
    idempotency,
    inbound,
    judging,
    log_retention,
    number_index,
    registry,
    subjects,
)
from gateway.store.sqlite.correlation import RECENT
from gateway.store.sqlite.memory import MICROS, Memory
from gateway.store.sqlite.own_retention import OwnRetention
from gateway.store.sqlite.retention import Retention
from gateway.store.sqlite.writer import Transaction

BUDGET: Final = 0.010
"""Seconds after which no further step is begun: what a commit takes anyway."""

RETENTION_PERIOD: Final = 60 * MICROS
"""How often each kind of retention looks for work, in µs; while there is some, it goes on."""


class _Task(msgspec.Struct):
    step: Callable[[Transaction, int], bool]
    period: int
    due: int = 0


class Maintenance:
    """The tasks and when each is due. `due` lives in memory: a restart looks at everything."""

    def __init__(self, memory: Memory, new_ids: Callable[[int, int], list[int]]) -> None:
        self._memory = memory
        self._new_ids = new_ids
        self._first = 0
        """The task to begin with: where the last step ran out of time."""
        self._erased_to = 0
        """How far the walk over messages that wait for their erasure has come."""
        kept = Retention(memory)
        self._tasks = [
            _Task(lambda t, now: batches.end_canceled(t, memory, now), 0),
            _Task(lambda t, now: expire.expire(t, memory, now), 0),
            _Task(lambda t, now: batches.finish(t, memory, now), 0),
            _Task(self._correlation, 0),
            _Task(self._replies, MICROS),
            _Task(number_index.Schedule(memory).step, 0),
            _Task(kept.orphans, RETENTION_PERIOD),
            _Task(self._idempotency, RETENTION_PERIOD),
            _Task(self._events, RETENTION_PERIOD),
            _Task(self._inbound, RETENTION_PERIOD),
            _Task(kept.texts, RETENTION_PERIOD),
            _Task(kept.parts, RETENTION_PERIOD),
            _Task(kept.messages, RETENTION_PERIOD),
            _Task(kept.index, RETENTION_PERIOD),
            _Task(kept.told, RETENTION_PERIOD),
            _Task(kept.mailboxes, RETENTION_PERIOD),
            _Task(kept.batches, RETENTION_PERIOD),
            _Task(self._audit, RETENTION_PERIOD),
            _Task(lambda t, now: judging.erase(t, memory, now), RETENTION_PERIOD),
            _Task(lambda t, now: judging.prune(t, memory, now), RETENTION_PERIOD),
            _Task(self._erasing, MICROS),
            _Task(self._failures, RETENTION_PERIOD),
            _Task(OwnRetention(memory).step, RETENTION_PERIOD),
            _Task(self._keywords, RETENTION_PERIOD),
        ]

    def step(self, transaction: Transaction, now: int) -> bool:
        """Do some of what is due; True if more is."""
        started = time.perf_counter()
        more = False
        dues: list[tuple[_Task, int]] = []
        tasks = self._tasks
        first, self._first = self._first, 0
        for place in range(len(tasks)):
            index = (first + place) % len(tasks)
            task = tasks[index]
            if task.due > now:
                continue
            if dues and time.perf_counter() - started > BUDGET:
                self._first = index
                more = True
                break
            again = task.step(transaction, now)
            more = more or again
            dues.append((task, now if again else now + task.period))

        def committed() -> None:
            for task, due in dues:
                task.due = due

        transaction.after_commit(committed)
        return more

    def _correlation(self, transaction: Transaction, now: int) -> bool:
        correlation = self._memory.correlation
        if correlation.size <= RECENT:
            return False
        parts, last = correlation.move(transaction.connection)
        transaction.after_commit(lambda: correlation.moved(parts, last))
        return correlation.size - len(parts) > RECENT

    def _replies(self, transaction: Transaction, now: int) -> bool:
        memory = self._memory
        given_up, more = inbound.expire(
            transaction.connection,
            now,
            memory.names,
            memory.events,
            self._new_ids,
            partial(hearing.hear, transaction, memory),
        )
        keywords = [message for message in given_up if message.heard is not None]
        if keywords:
            transaction.after_commit(lambda: memory.late_keywords.extend(keywords))
        return more

    def _keywords(self, transaction: Transaction, now: int) -> bool:
        return hearing.prune(transaction.connection, now)

    def _idempotency(self, transaction: Transaction, now: int) -> bool:
        return idempotency.prune(transaction.connection, now)

    def _events(self, transaction: Transaction, now: int) -> bool:
        memory = self._memory
        before = now - int(memory.settings.keep_events * MICROS)
        pruned = log_retention.prune(transaction.connection, before, now, memory.names)

        def committed() -> None:
            for account, events in pruned.lost.items():
                memory.metrics.count(WEBHOOK_LOST, events, account)
            for account, events in pruned.untaken.items():
                memory.metrics.count(SMPP_LOST, events, account)

        transaction.after_commit(committed)
        return pruned.more

    def _audit(self, transaction: Transaction, now: int) -> bool:
        before = now - int(self._memory.keep_audit * MICROS)
        return registry.prune(transaction.connection, before)

    def _erasing(self, transaction: Transaction, now: int) -> bool:
        stand, more = subjects.finish(transaction, self._memory, self._erased_to, now)

        def committed() -> None:
            self._erased_to = stand

        transaction.after_commit(committed)
        return more

    def _failures(self, transaction: Transaction, now: int) -> bool:
        before = now - int(self._memory.settings.keep_messages * MICROS)
        return failures.prune(transaction.connection, before)

    def _inbound(self, transaction: Transaction, now: int) -> bool:
        settings = self._memory.settings
        return inbound.prune(
            transaction.connection,
            now - int(settings.keep_text * MICROS),
            now - int(settings.keep_messages * MICROS),
        )
