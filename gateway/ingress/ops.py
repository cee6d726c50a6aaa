"""The operators' port: alive, ready, metrics, captures.

In: what `app` knows of its parts. Out: `/healthz`, `/readyz`, `/metrics`, `/capture`, on a port
of their own so that it can stay inside. Knows no stage.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

import msgspec
from aiohttp import web

from config.settings import Ops
from gateway.capture import Taps
from gateway.errors import AldisError
from gateway.ingress.captures import stream
from gateway.metrics import Metrics

log = logging.getLogger("aldis.ops")

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
"""The Prometheus exposition format."""

_encode: Any = msgspec.json.Encoder().encode


class Part(msgspec.Struct):
    """One part of the gateway, as `/readyz` tells it."""

    ready: bool
    detail: str


class Readiness(msgspec.Struct):
    """The body of `/readyz`: 200 when every part is ready, else 503."""

    ready: bool
    parts: dict[str, Part]


class Binds(Protocol):
    """How many sessions a carrier has and wants (dispatch's status has more)."""

    @property
    def name(self) -> str: ...
    @property
    def bound(self) -> int: ...
    @property
    def wanted(self) -> int: ...


def carriers_part(carriers: Sequence[Binds]) -> Part:
    """Ready when at least one carrier is bound, or none is configured: with one operator of three
    away there is still work to be done, with all away there is none."""
    if not carriers:
        return Part(True, "none configured")
    told = ", ".join(f"{one.name} {one.bound}/{one.wanted}" for one in carriers)
    return Part(any(one.bound > 0 for one in carriers), told)


class OpsServer:
    """`/healthz`, `/readyz`, `/metrics` and `/capture`."""

    def __init__(
        self,
        settings: Ops,
        metrics: Metrics,
        check_store: Callable[[], Awaitable[object]],
        binds: Callable[[], Sequence[Binds]],
        refresh: Sequence[Callable[[], None]] = (),
        taps: Taps | None = None,
    ) -> None:
        """`check_store` reads something and raises `AldisError` when it cannot; `refresh` are
        called before the metrics are shown, to bring gauges up to date."""
        self._settings = settings
        self._metrics = metrics
        self._check_store = check_store
        self._binds = binds
        self._refresh = refresh
        self._taps = taps
        self._runner: web.ServerRunner | None = None
        self.serving = False
        """Set once customers' ports are open: until then not ready, though this port answers."""
        self.draining = False
        """Set when the process is asked to stop: not ready, so no new traffic is sent here."""

    async def start(self) -> None:
        """Listen. Raises `OSError` when the port is taken."""
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None))
        await self._runner.setup()
        await web.TCPSite(self._runner, self._settings.host, self._settings.port).start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._runner is None:
            raise RuntimeError("the operators' port has not been opened")
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        if request.path == "/healthz":
            # That this is answered is the health: the event loop turns.
            return web.Response(text="ok\n")
        if request.path == "/readyz":
            readiness = await self.readiness()
            return web.Response(
                status=200 if readiness.ready else 503,
                body=_encode(readiness),
                headers={"Content-Type": "application/json"},
            )
        if request.path == "/metrics":
            for refresh in self._refresh:
                refresh()
            return web.Response(body=self._metrics.exposition(), headers={"Content-Type": TEXT})
        if request.path == "/capture" and self._taps is not None:
            return await stream(request, self._taps)
        return web.Response(status=404, text="/healthz, /readyz, /metrics, /capture\n")

    async def readiness(self) -> Readiness:
        """Whether traffic should come here, part by part."""
        try:
            await self._check_store()
            store = Part(True, "open")
        except AldisError as error:
            store = Part(False, type(error).__name__)
        parts = {"store": store, "carriers": carriers_part(self._binds())}
        if self.draining or not self.serving:
            parts["process"] = Part(False, "stopping" if self.draining else "starting")
        return Readiness(all(part.ready for part in parts.values()), parts)
