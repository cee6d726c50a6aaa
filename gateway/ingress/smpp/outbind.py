"""Calling a customer: an outbind over a connection we make (SMPP 3.4 §2.2.1).

In: a login with an outbind address, and that something waits for its receivers. Out: a connection
on which the customer may bind. Attempts are spaced out; one at a time.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from config.settings import SmppPort
from gateway import metrics as m
from gateway.ingress.smpp.bind import Bind, timers_of
from gateway.ingress.smpp.logins import Login

if TYPE_CHECKING:
    from gateway.ingress.smpp.server import SmppServer

log = logging.getLogger("aldis.ingress")

CONNECT_TIMEOUT: Final = 10.0
FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 300.0
"""Seconds between calls: a customer that is away for the night is not called ten thousand times."""


class Caller:
    """Calls one login."""

    def __init__(
        self, server: SmppServer, login: Login, port: SmppPort, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._server = server
        self._login = login
        self._port = port
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        self._pause = FIRST_PAUSE
        self._not_before = 0.0

    def call(self) -> None:
        """Call, unless a call is under way or the last one was just made."""
        if self._task is None and self._loop.time() >= self._not_before:
            self._task = self._loop.create_task(self._call(), name="outbind")

    def stop(self) -> None:
        """Call no more."""
        self._not_before = float("inf")
        if self._task is not None:
            self._task.cancel()

    async def _call(self) -> None:
        login = self._login
        host, _, port = (login.settings.outbind or "").rpartition(":")
        bind = Bind(self._server, self._port, timers_of(self._port), self._loop, called=login)
        result = "failed"
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._loop.create_connection(
                    lambda: bind, host.removeprefix("[").removesuffix("]"), int(port)
                )
            await asyncio.wait({bind.closed})
            result = "failed" if bind.login is None else "ok"
        except (OSError, TimeoutError) as error:
            log.warning(
                "outbind failed",
                extra={"system_id": login.settings.system_id, "error": type(error).__name__},
            )
        finally:
            self._task = None
            self._server.count(m.SMPP_OUTBINDS, result)
            self._pause = FIRST_PAUSE if result == "ok" else min(LONGEST_PAUSE, 2 * self._pause)
            self._not_before = max(self._not_before, self._loop.time() + self._pause)
