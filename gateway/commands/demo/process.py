"""The gateway as a process of its own: started, awaited, ended, in every case.

In: a configuration file. Out: its ports, as its log tells them, and its last words. It ends with
us whatever happens to us: by SIGTERM when we end in order, by the kernel's hand when we are killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

START: Final = 30.0
"""Seconds until it serves; a first start on a slow disk compiles and creates the store."""
STOP: Final = 40.0
"""Seconds for its drain, which has 30 of its own."""
_TAIL: Final = 15
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)


class GatewayEnded(Exception):
    """It ended without having been asked to, or never served; `tail` is the end of its log."""

    def __init__(self, what: str, tail: Sequence[str]) -> None:
        super().__init__(what)
        self.tail = list(tail)


class Gateway:
    """`aldis serve`; `async with`."""

    def __init__(self, path: Path, environment: Mapping[str, str], log: Path) -> None:
        self._path = path
        self._environment = environment
        self._log = log
        self._tail: deque[str] = deque(maxlen=_TAIL)
        self.errors: list[str] = []
        """What it logged as errors: in a demonstration there is no reason for one."""
        self._serving: asyncio.Future[tuple[int, int, int]]
        self._process: Process
        self._reading: asyncio.Task[None]
        self.http_port = 0
        self.ops_port = 0
        self.smpp_port = 0

    async def __aenter__(self) -> Gateway:
        self._serving = asyncio.get_running_loop().create_future()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway",
            "serve",
            "--config",
            str(self._path),
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=PIPE,
            limit=1 << 20,  # a line of the log may hold a traceback
            env={**os.environ, **self._environment},
            # Ctrl-C at the terminal is for us: operators must outlive the gateway's drain.
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        self._reading = asyncio.create_task(self._read())
        try:
            ports = await asyncio.wait_for(self._serving, START)
            self.http_port, self.ops_port, self.smpp_port = ports
        except TimeoutError:
            await self._end()
            raise GatewayEnded(f"no gateway serves after {START:.0f} s", self._tail) from None
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._end()

    async def ended(self) -> None:
        """Return never; raise `GatewayEnded` when it ends by itself."""
        await asyncio.shield(self._reading)
        raise await self._ended()

    def kill(self) -> None:
        """At once, without a drain."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def _end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP)
        except TimeoutError:
            self.kill()
            await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        """Keep its log, and find in it where it serves."""
        stderr = self._process.stderr
        if stderr is None:
            raise AssertionError("started without a pipe")
        with self._log.open("wb") as log:
            async for line in stderr:
                log.write(line)
                log.flush()
                self._tail.append(line.decode(errors="replace").rstrip())
                if b'"level":"error"' in line:
                    self.errors.append(msgspec.json.decode(line)["message"])
                if not self._serving.done() and b'"serving"' in line:
                    self._serving.set_result(_ports(line))
        if not self._serving.done():
            self._serving.set_exception(await self._ended())

    async def _ended(self) -> GatewayEnded:
        code = await self._process.wait()
        return GatewayEnded(f"the gateway ended with exit code {code}", self._tail)


def _ports(line: bytes) -> tuple[int, int, int]:
    entry: dict[str, Any] = msgspec.json.decode(line)
    return entry["http_port"], entry["ops_port"], entry["smpp_ports"][0]


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
