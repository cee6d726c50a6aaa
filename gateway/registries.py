"""Registries in memory: read as a whole at the start and again whenever one changes.

In: the store's registries. Out: each kind's entries, handed as one list to whoever keeps what they
come to; a kind is replaced whole, so nobody ever sees half of a change. Knows no kind's meaning.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from gateway import metrics as m
from gateway.errors import StoreError
from gateway.store.registry import Entry, Kind, RegistryStore

AGAIN: Final = 1.0
"""Seconds until a registry that could not be read is read again; until then the last one holds."""
SETTLE: Final = 5.0
"""Seconds whoever changed a registry waits at most to see the change in force."""

Take = Callable[[Sequence[Entry]], None]

log = logging.getLogger("aldis.registries")


class Registries:
    """Who is told of which kind."""

    def __init__(self, store: RegistryStore, metrics: m.Metrics) -> None:
        self._store = store
        self._metrics = metrics
        self._takers: dict[Kind, list[Take]] = {}
        self._stale: set[Kind] = set()
        self._reading: asyncio.Task[None] | None = None
        self._later: asyncio.TimerHandle | None = None
        self._stopped = False

    def tell(self, kind: Kind, take: Take) -> None:
        """Hand `take` all entries of a kind, at the start and after every change."""
        self._takers.setdefault(kind, []).append(take)

    async def start(self) -> None:
        """Read everything; raises what the store raises."""
        self._store.on_registry(self._changed)
        for kind in self._takers:
            await self._read(kind)

    async def stop(self) -> None:
        """Read no more."""
        self._stopped = True
        if self._later is not None:
            self._later.cancel()
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=SETTLE)

    async def settled(self) -> None:
        """Wait until every change committed so far is in force, or for `SETTLE` seconds: a store
        that is away must not keep whoever changed something waiting."""
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=SETTLE)

    def _changed(self, kind: Kind) -> None:
        if kind in self._takers:
            self._stale.add(kind)
            self._again()

    def _again(self) -> None:
        self._later = None
        if self._reading is None and not self._stopped:
            loop = asyncio.get_running_loop()
            self._reading = loop.create_task(self._read_stale(), name="registries")

    async def _read_stale(self) -> None:
        try:
            while self._stale:
                kind = self._stale.pop()
                try:
                    await self._read(kind)
                except BaseException:
                    self._stale.add(kind)
                    raise
        except Exception as error:  # the task's edge
            if not isinstance(error, StoreError):
                log.exception("a registry was not read")
            self._metrics.count(m.TASK_ERRORS, 1, "registries")
            if self._later is None and not self._stopped:
                self._later = asyncio.get_running_loop().call_later(AGAIN, self._again)
        finally:
            self._reading = None

    async def _read(self, kind: Kind) -> None:
        entries = await self._store.entries(kind)
        for take in self._takers[kind]:
            take(entries)
