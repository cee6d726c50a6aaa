"""The meters of dispatch, and the writing down of what they reserve.

In: who is capped by what; the store. Out: meters that know what was used before a restart, and one
store call now and then for whatever they want written, all in one list. While the store is away
nothing is confirmed, so nothing leaves that a crash could forget.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

from config.policies import AccountCaps, Caps
from gateway import metrics as m
from gateway.errors import StoreUnavailable
from gateway.metrics import Metrics
from gateway.policy.caps import Meter, Reservation
from gateway.store.rates import RatesStore

RETRY: Final = 0.5
"""Seconds before the store is tried again."""

_log = logging.getLogger("aldis.dispatch")


def caps_of(caps: Caps | AccountCaps) -> dict[str, int]:
    """The caps that are set, by period."""
    given = {"minute": caps.minute, "hour": caps.hour, "day": caps.day}
    return {period: cap for period, cap in given.items() if cap}


class Allowances:
    """All meters of a node. `on_room` is called when more may leave than before."""

    def __init__(
        self,
        store: RatesStore,
        metrics: Metrics,
        clock: Callable[[], int],
        on_room: Callable[[], None],
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._on_room = on_room
        self._meters: dict[str, Meter] = {}
        self._known: dict[str, list[Reservation]] = {}
        self._wanting: dict[Meter, int] = {}
        self._work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Learn what has been used; before anything is sent."""
        for owner, reservation in await self._store.reserved(self._clock()):
            self._known.setdefault(owner, []).append(reservation)
        for owner, known in self._known.items():
            if owner in self._meters:
                self._meters[owner].learn(known)
        self._task = asyncio.get_running_loop().create_task(self._run(), name="dispatch allowances")

    def meter(self, owner: str, caps: Mapping[str, int], zone: str) -> Meter:
        """The meter of an owner, which holds these caps from now on."""
        meter = self._meters.get(owner)
        if meter is None:
            known = self._known.get(owner, ())
            meter = self._meters[owner] = Meter(owner, caps, zone, known)
        else:
            meter.configure(caps, zone)
        return meter

    def known(self, prefix: str) -> list[str]:
        """Owners of this prefix whose uses were on disk at the start."""
        return [owner for owner in self._known if owner.startswith(prefix)]

    def drop(self, owner: str) -> None:
        """An owner nobody asks about any more; what it used stays written."""
        meter = self._meters.pop(owner, None)
        if meter is not None:
            self._known[owner] = meter.exact()
            self._wanting.pop(meter, None)

    def drop_all(self, prefix: str) -> None:
        """All owners of this prefix."""
        for owner in [owner for owner in self._meters if owner.startswith(prefix)]:
            self.drop(owner)

    def look(self, meter: Meter, at: int, pdus: int = 0) -> None:
        """Have more written down if the meter runs short of it; `pdus` are waiting for it."""
        if meter.short(at, pdus):
            self._wanting[meter] = max(pdus, self._wanting.get(meter, 0))
            self._work.set()

    async def stop(self, timeout: float) -> None:
        """Write down what was really used, so that a planned stop costs nothing of a cap."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        exact = [(name, each) for name, meter in self._meters.items() for each in meter.exact()]
        try:
            async with asyncio.timeout(timeout):
                await self._store.reserve(exact, self._clock())
        except (StoreUnavailable, TimeoutError):
            _log.warning("uses of caps not written", extra={"reason": "the store is away"})

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            wanting, self._wanting = self._wanting, {}
            at = self._clock()
            asked = [(meter, meter.wanted(at, pdus)) for meter, pdus in wanting.items()]
            rows = [(meter.name, each) for meter, wanted in asked for each in wanted]
            if not rows:
                continue
            try:
                await self._store.reserve(rows, at)
            except StoreUnavailable as error:
                self._metrics.count(m.STORE_ERRORS, 1, "reserve", type(error).__name__)
                self._again(wanting)
                await asyncio.sleep(RETRY)
            except Exception:  # noqa: BLE001  (the task's edge: logged, counted, tried again)
                _log.exception("uses of caps not written")
                self._metrics.count(m.TASK_ERRORS, 1, "dispatch allowances")
                self._again(wanting)
                await asyncio.sleep(RETRY)
            else:
                for meter, wanted in asked:
                    meter.confirm(wanted)
                self._on_room()

    def _again(self, wanting: Mapping[Meter, int]) -> None:
        for meter, pdus in wanting.items():
            meter.failed()
            self._wanting[meter] = max(pdus, self._wanting.get(meter, 0))
        self._work.set()
