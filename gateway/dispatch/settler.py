"""Results on their way to the store, in order, none lost.

In: lists of results, and of what was sent, as links produce them. Out: `store.settle` and
`store.settle_late`, one call at a time; what gathers while a commit runs goes with the next. While
the store is away the lists are kept and tried again, and `blocked` tells the pump to stop leasing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from gateway import metrics as m
from gateway.errors import StoreUnavailable
from gateway.metrics import Metrics
from gateway.store.contract import Store
from gateway.store.messages import LateAnswer, Sent, Settled

MOST_KEPT: Final = 50_000
"""Messages whose results are in memory before leasing stops: a second's worth at full speed. What
is on the wire by then still comes, so this bounds growth and not size."""
MOST_AT_ONCE: Final = 10_000
"""Messages in one `settle` call, more or less: a transaction of a tenth of a second."""
RETRY_FIRST: Final = 0.1
RETRY_LONGEST: Final = 5.0

_log = logging.getLogger("aldis.dispatch")


class Settler:
    """Writes results. `on_free` is called when leasing may go on after it had to stop."""

    def __init__(self, store: Store, metrics: Metrics, on_free: Callable[[], None]) -> None:
        self._store = store
        self._metrics = metrics
        self._on_free = on_free
        self._results: list[Settled] = []
        self._sent: list[Sent] = []
        self._kept = 0
        self._late: list[LateAnswer] = []
        self._work = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._failing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin writing."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="dispatch settler")

    @property
    def blocked(self) -> bool:
        """Whether leasing has to wait: the store is away, or too far behind."""
        return self._failing or self._kept > MOST_KEPT

    def put(self, results: list[Settled], late: list[LateAnswer], sent: Sent | None = None) -> None:
        """Take results. A message has one at a time, so their order among each other is free; a
        late answer is written after the result it corrects."""
        if sent is not None:
            self._sent.append(sent)
            self._kept += len(sent.messages)
        elif not results and not late:
            return
        self._results += results
        self._kept += len(results)
        self._late += late
        self._work.set()
        self._empty.clear()

    async def written(self) -> None:
        """Wait until everything taken so far is in the store."""
        await self._empty.wait()

    async def stop(self) -> None:
        """End the task; what is not written by now stays `sending` in the store, and is settled
        as unknown at the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while self._kept or self._late:
                blocked = self.blocked
                results, sent = self._next()
                # A late answer stands behind the result that gave its message up.
                late = [] if self._results else self._late
                if late:
                    self._late = []
                if results or sent:
                    count = len(results) + sum(len(each.messages) for each in sent)
                    write = partial(self._store.settle, results, sent)
                    blocked |= await self._write("settle", write, count)
                if late:
                    write = partial(self._store.settle_late, late)
                    blocked |= await self._write("settle_late", write, len(late))
                if blocked and not self.blocked:
                    self._on_free()
            self._empty.set()

    def _next(self) -> tuple[list[Settled], list[Sent]]:
        """Take what goes with the next call."""
        results = self._results[:MOST_AT_ONCE]
        del self._results[:MOST_AT_ONCE]
        count, lists = len(results), 0
        for each in self._sent:
            if count >= MOST_AT_ONCE:
                break
            count += len(each.messages)
            lists += 1
        sent = self._sent[:lists]
        del self._sent[:lists]
        self._kept -= count
        return results, sent

    async def _write(self, call: str, write: Callable[[], Awaitable[None]], count: int) -> bool:
        """Write one list, however long the store is away; whether it was away."""
        pause = RETRY_FIRST
        while True:
            try:
                await write()
                break
            except StoreUnavailable as error:
                if not self._failing:
                    _log.warning("results wait for the store", extra={"call": call})
                self._failing = True
                self._metrics.count(m.STORE_ERRORS, 1, call, type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(RETRY_LONGEST, pause * 2)
            except Exception:  # noqa: BLE001  (see below; logged with its trace)
                # The writer's edge. Trying a list the store cannot digest again would hold up
                # every other; its messages stay `sending` and are settled at the next start.
                _log.exception("results not written", extra={"call": call, "count": count})
                self._metrics.count(m.TASK_ERRORS, 1, call)
                break
        failed, self._failing = self._failing, False
        return failed
