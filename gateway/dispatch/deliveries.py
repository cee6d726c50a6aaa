"""The operator's requests on their way to whoever understands them, and their answers back.

In: the deliver_sm, data_sm and alert_notification of one read. Out: one call of the port, and when
it returns all responses in one write. What the PDUs mean is the port's business; that an answer
means "stored" is its promise.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from gateway import metrics as m
from gateway.dispatch.link import Link
from gateway.dispatch.profile import Profile
from gateway.errors import StoreUnavailable
from gateway.tally import Tally
from protocol.constants import ESME_RX_T_APPN
from protocol.pdu import Pdu

OnDeliver = Callable[[Profile, list[Pdu]], Awaitable[list[int]]]
"""The port: a carrier's profile and the PDUs of one read in; a command_status for each out, once
what they say is on disk. An alert_notification is not answered; its status is ignored."""

MOST_UNANSWERED: Final = 10_000
"""PDUs of one link in our hands before we stop reading from it. An operator's own window is far
below; this bounds the memory a peer without one can take (10,000 receipts are about 10 MiB)."""


_log = logging.getLogger("aldis.dispatch")


class Deliveries:
    """The requests of one carrier."""

    def __init__(self, profile: Profile, port: OnDeliver, tally: Tally) -> None:
        self._profile = profile
        self._port = port
        self._tally = tally
        self._tasks: set[asyncio.Task[None]] = set()

    def hand_over(self, link: Link, pdus: list[Pdu]) -> None:
        """Pass one read's requests to the port."""
        link.owed += len(pdus)
        if link.owed > MOST_UNANSWERED and link.pause_reading(True):
            self._tally.count(m.READING_PAUSED, 1, self._profile.name)
        task = asyncio.get_running_loop().create_task(self._answer(link, pdus))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finished(self) -> None:
        """Wait until every request taken so far is answered."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _answer(self, link: Link, pdus: list[Pdu]) -> None:
        try:
            statuses = await self._port(self._profile, pdus)
            if len(statuses) != len(pdus):
                raise ValueError(f"{len(statuses)} answers to {len(pdus)} requests")
        except StoreUnavailable:
            # Promise 1: not stored, so the operator must offer it again.
            statuses = [ESME_RX_T_APPN] * len(pdus)
        except Exception:  # noqa: BLE001  (the task's edge: one bad list must not end the link)
            _log.exception("deliver_sm not taken", extra={"carrier": self._profile.name})
            self._tally.count(m.TASK_ERRORS, 1, "on_deliver")
            statuses = [ESME_RX_T_APPN] * len(pdus)
        link.respond(pdus, statuses)
        if link.owed <= MOST_UNANSWERED // 2:
            link.pause_reading(False)
