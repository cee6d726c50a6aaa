"""What a gateway does besides moving messages: upkeep of the store, carrying moderators' decisions
out, gauges, the loop's own pulse.

In: the store. Out: metrics. Nothing on a
message's way waits for anything here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from gateway import metrics as m
from gateway.errors import StoreUnavailable
from gateway.metrics import Metrics
from gateway.store.contract import Store

logger = logging.getLogger(__name__)

UPKEEP_EVERY: Final = 1.0
"""Seconds between looks for what is overdue: how late an expiry may be."""
UPKEEP_PAUSE: Final = 0.01
"""Seconds between steps while more waits: a step takes about as long, so traffic keeps half of
the writer even while a backlog is cleared."""
CARRY_AGAIN: Final = 1.0
"""Seconds until decisions are carried out further after an error."""
GAUGES_EVERY: Final = 1.0
PULSE_EVERY: Final = 0.1


class Housekeeping:
    """Small loops; each survives its own errors, which are counted."""

    def __init__(
        self,
        store: Store,
        metrics: Metrics,
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        self._decided = asyncio.Event()
        self._decided.set()  # a restart may have found some
        store.on_decided(self._decided.set)

    def start(self) -> None:
        """Begin."""
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._repeat(self._upkeep, UPKEEP_EVERY), name="upkeep"),
            loop.create_task(self._repeat(self._carry_out, CARRY_AGAIN), name="decisions"),
            loop.create_task(self._repeat(self._measure, GAUGES_EVERY), name="gauges"),
            loop.create_task(self._pulse(), name="pulse"),
        ]

    async def stop(self) -> None:
        """End; an upkeep step under way is finished by the store."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _repeat(self, step: Callable[[], Awaitable[None]], pause: float) -> None:
        task = asyncio.current_task()
        name = task.get_name() if task is not None else ""
        while True:
            try:
                await step()
            except StoreUnavailable as error:
                self._metrics.count(m.STORE_ERRORS, 1, "maintain", type(error).__name__)
            except Exception:
                logger.exception("housekeeping failed", extra={"task": name})
                self._metrics.count(m.TASK_ERRORS, 1, name)
            await asyncio.sleep(pause)

    async def _upkeep(self) -> None:
        while await self._store.maintain(self._clock()):  # noqa: ASYNC110  (a pause, not a poll)
            await asyncio.sleep(UPKEEP_PAUSE)

    async def _carry_out(self) -> None:
        """Release what decided items held, at full speed: no pause, but every step is a call of its
        own, so that whatever waits for the writer comes in between."""
        while True:
            await self._decided.wait()
            self._decided.clear()
            try:
                while await self._store.carry_out(self._clock()):
                    pass
            except BaseException:
                self._decided.set()
                raise

    async def _measure(self) -> None:
        now = self._clock()
        for account, held in self._store.items_waiting().items():
            self._metrics.set(m.MODERATION_ITEMS, held.items, account)
            self._metrics.set(m.MODERATION_MESSAGES, held.messages, account)
            oldest = (now - min(held.since)) / 1e6 if held.since else 0.0
            self._metrics.set(m.MODERATION_OLDEST, max(0.0, oldest), account)
        for depth in self._store.depths():
            self._metrics.set(m.QUEUE_DEPTH, depth.waiting, depth.lane)
            age = (now - depth.oldest_due) / 1e6 if depth.oldest_due is not None else 0.0
            self._metrics.set(m.OLDEST_DUE, max(0.0, age), depth.lane)

    async def _pulse(self) -> None:
        """How late the loop runs: what every other wait suffers too."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + PULSE_EVERY
            await asyncio.sleep(PULSE_EVERY)
            self._metrics.observe(m.LOOP_LAG, [max(0.0, loop.time() - due)])
