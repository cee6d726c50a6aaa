"""The parts of a measurement as processes of their own, and what they cost.

In: command lines. Out: their ports, CPU time and memory, read from /proc. Every process started
here is ended here, whatever happens in between.
"""

import asyncio
import ctypes
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

REPOSITORY: Final = Path(__file__).resolve().parent.parent
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_START_TIMEOUT: Final = 20.0
_STOP_TIMEOUT: Final = 40.0  # a gateway may drain for 30 s
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)


def _die_with_parent() -> None:
    """Nothing stays behind even if we are killed ourselves (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """One process in a group of its own; `async with` ends it."""

    def __init__(self, arguments: Sequence[str], *, log: Path | None = None) -> None:
        self.arguments = list(arguments)
        self.log = log
        self._process: Process | None = None

    @property
    def pid(self) -> int:
        """Of the process now running."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it; its standard error goes to `log`, or to ours."""
        stderr = self.log.open("ab") if self.log is not None else None
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self.arguments,
                stdout=PIPE,
                stderr=stderr,
                cwd=REPOSITORY,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        finally:
            if stderr is not None:
                stderr.close()

    async def line(self) -> bytes:
        """The next line it prints."""
        assert self._process is not None
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), _START_TIMEOUT)
        if not line:
            raise RuntimeError(f"{self.arguments} ended without a word; see {self.log}")
        return line

    def kill(self) -> None:
        """SIGKILL to it and what it started."""
        if self.running:
            os.killpg(self.pid, signal.SIGKILL)

    async def ended(self) -> int:
        """Wait for its end; its exit status."""
        assert self._process is not None
        await self._process.communicate()
        assert self._process.returncode is not None
        return self._process.returncode

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL if that does not do."""
        if not self.running:
            return
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.ended(), _STOP_TIMEOUT)
        except TimeoutError:
            self.kill()
            await self.ended()

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def __aenter__(self) -> "Child":
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self.running and exc[0] is not None:
            self.kill()
            await self.ended()
        await self.stop()


class Listening(Child):
    """A program of ours that prints its ports as JSON once it listens."""

    def __init__(self, module: str, *options: str, log: Path | None = None) -> None:
        super().__init__(["-m", module, *options], log=log)
        self.port = 0
        self.stats_port = 0

    async def start(self) -> None:
        await super().start()
        ports = msgspec.json.decode(await self.line())
        self.port = ports["port"]
        self.stats_port = ports.get("stats_port", self.port)


class Smsc(Listening):
    """`python -m bench.smsc`."""

    def __init__(self, *options: str, log: Path | None = None) -> None:
        super().__init__("bench.smsc", "--port=0", "--stats-port=0", *options, log=log)

    async def __aenter__(self) -> "Smsc":
        await self.start()
        return self


class Sink(Listening):
    """`python -m bench.sink`."""

    def __init__(self, *options: str, log: Path | None = None) -> None:
        super().__init__("bench.sink", "--port=0", *options, log=log)

    async def __aenter__(self) -> "Sink":
        await self.start()
        return self


class Customers(Listening):
    """`python -m bench.esme`: does nothing before it is told to."""

    def __init__(self, gateway_port: int, *options: str, log: Path | None = None) -> None:
        super().__init__("bench.esme", f"--gateway={gateway_port}", *options, log=log)

    async def tell(self, order: str) -> None:
        """`bind`, `start`, `visit` or `quiet`."""
        status, _ = await request(self.port, "POST", f"/{order}")
        if status != 204:
            raise RuntimeError(f"{order}: {status}")

    async def stats(self) -> dict[str, Any]:
        """Its counts."""
        stats: dict[str, Any] = await get_json(self.port, "/stats")
        return stats

    async def figures(self) -> dict[str, Any]:
        """Delays and shares."""
        figures: dict[str, Any] = await get_json(self.port, "/figures")
        return figures

    async def __aenter__(self) -> "Customers":
        await self.start()
        return self


# ---- what a process costs


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, its threads, and the children it has waited for."""
    return sum(_times(f"/proc/{pid}/stat")) / _TICKS


def loop_seconds(pid: int) -> float:
    """User and system time of a process's first thread, the one with the event loop."""
    return sum(_times(f"/proc/{pid}/task/{pid}/stat")[:2]) / _TICKS


def _times(path: str) -> list[int]:
    """utime, stime, cutime, cstime: the 14th to 17th field of proc(5), two stand before ")"."""
    return [int(field) for field in Path(path).read_text().rpartition(")")[2].split()[11:15]]


def memory(pid: int) -> dict[str, int]:
    """`rss` and `peak` (VmHWM), octets."""
    found = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("VmRSS", "VmHWM"):
            found["peak" if name == "VmHWM" else "rss"] = int(value.split()[0]) << 10
    return found


# ---- their HTTP ports


async def request(
    port: int, method: str, path: str, body: bytes = b"", headers: str = ""
) -> tuple[int, bytes]:
    """One request to a local port; status and body. `headers` are lines, each with its CRLF."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = await reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        return int(head.split(b" ", 2)[1]), await reader.readexactly(length)
    finally:
        writer.close()


async def get_json(port: int, path: str) -> Any:
    """GET as JSON."""
    status, body = await request(port, "GET", path)
    if status != 200:
        raise RuntimeError(f"GET {path} on port {port}: {status}")
    return msgspec.json.decode(body)
