"""A gateway in a directory of its own, between an operator and a customer's endpoint.

In: how the three are to be set up. Out: running processes, what they cost, what they counted.
Everything is on the loopback interface, and everything is gone when the `async with` ends.
"""

import asyncio
import base64
import random
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.load.client import Caller, callers
from bench.processes import Child, Sink, Smsc, cpu_seconds, get_json, memory, request

KEY: Final = "ak_bench_" + "0" * 24
_READY_TIMEOUT: Final = 60.0
_POLL: Final = 0.05
UNRULED: Final = 'moderation = { mode = "none" }\nquiet_hours = "none"\nsuppress_after = 0'
"""An account that no policy concerns."""
_ports = iter(random.sample(range(15_000, 32_000), 17_000))
"""Below what Linux (32768) and IANA (49152) give outgoing connections; none is given twice."""


class SiteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a scenario may set."""

    synchronous: str = "FULL"
    """SQLite's; NORMAL for comparison only."""
    binds: int = 2
    """Transceivers."""
    window: int = 2_000
    """Unanswered submits of one bind."""
    rate: float = 1_000_000.0
    """PDU/s the carrier grants; the default is no limit."""
    smsc: tuple[str, ...] = ()
    """Options of `bench.smsc`."""
    smsc_at_once: bool = True
    """Whether the operator is there from the start."""
    audit_suffix: str = "00"
    """Destinations whose submission is timed; "" for all."""
    check_every: int = 20
    """One webhook POST in so many has its signature checked by the sink."""
    account: str = ""
    """TOML of the account; by default its texts wait for nobody and leave at any hour, so that
    what is measured does not depend on the time of day."""
    carrier: str = ""
    """TOML added to the carrier."""
    extra: str = ""
    """TOML appended to the gateway's configuration."""
    prepare: Callable[[Path], None] | None = None
    """Called with the site's directory before the gateway starts: files its configuration names,
    a store that is not empty."""


def free_port() -> int:
    """A port nobody listens on now, and no connection is given before somebody does.

    The system's own choice (port 0) comes from the ports it gives outgoing connections: between
    the asking and the listening it may hand that very port to one.
    """
    for port in _ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise RuntimeError("no port is free")


def configuration(
    settings: SiteSettings, *, http: int, ops: int, smsc: int, sink: int, secret: str, store: Path
) -> str:
    """The gateway's TOML."""
    return f"""\
[http]
port = {http}
requests_per_second = 1000000

[ops]
port = {ops}

[store]
path = "{store}"
synchronous = "{settings.synchronous}"

[log]
level = "warning"

[webhooks]
allow_private = true

[[account]]
name = "acme"
keys = [{{ value = "{KEY}" }}]
webhooks = [{{ url = "http://127.0.0.1:{sink}/events", secret = "{secret}" }}]
{settings.account or UNRULED}

[[carrier]]
name = "operator"
hosts = ["127.0.0.1:{smsc}"]
system_id = "aldis"
password = "secret"
binds = {settings.binds}
window = {settings.window}
rate = {settings.rate}
reconnect_min = "200ms"
reconnect_max = "1s"
{settings.carrier}

[[route]]
name = "main"
carriers = ["operator"]
{settings.extra}"""


class Site:
    """The three processes; `async with Site(settings) as site`."""

    def __init__(self, settings: SiteSettings) -> None:
        self.settings = settings
        self.directory = Path(tempfile.mkdtemp(prefix="aldis-bench-"))
        self.http_port = free_port()
        self.ops_port = free_port()
        self.smsc_port = free_port()
        self.gateway: Child
        self.smsc = Smsc(
            f"--port={self.smsc_port}",
            "--audit",
            f"--audit-suffix={settings.audit_suffix}",
            *settings.smsc,
            log=self.directory / "smsc.log",
        )
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        self._secret = secret
        self.sink = Sink(
            "--by-number",
            f"--secret={secret}",
            f"--check-every={settings.check_every}",
            log=self.directory / "sink.log",
        )
        self._used: float = 0.0
        """CPU seconds of gateways that have ended."""
        self._peak = 0

    async def __aenter__(self) -> "Site":
        try:
            await self.sink.start()
            if self.settings.smsc_at_once:
                await self.smsc.start()
            if self.settings.prepare is not None:
                await asyncio.to_thread(self.settings.prepare, self.directory)
            config = self.directory / "gateway.toml"
            config.write_text(
                configuration(
                    self.settings,
                    http=self.http_port,
                    ops=self.ops_port,
                    smsc=self.smsc_port,
                    sink=self.sink.port,
                    secret=self._secret,
                    store=self.directory / "aldis.db",
                )
            )
            self.gateway = Child(
                ["-m", "gateway", "serve", f"--config={config}"],
                log=self.directory / "gateway.log",
            )
            await self.start_gateway()
        except BaseException:
            await self._end(orderly=False)
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        await self._end(orderly=kind is None)

    async def _end(self, orderly: bool) -> None:
        for child in (getattr(self, "gateway", None), self.smsc, self.sink):
            if child is not None and child.running:
                child.kill()
                await child.ended()
        log = self.directory / "gateway.log"
        if not orderly and log.exists():
            print(log.read_text()[-4_000:])
        shutil.rmtree(self.directory, ignore_errors=True)

    # ---- the gateway

    async def start_gateway(self) -> float:
        """Start it; seconds until it serves its API, whether or not a carrier is there."""
        started = time.perf_counter()
        await self.gateway.start()
        while time.perf_counter() - started < _READY_TIMEOUT:
            if not self.gateway.running:
                raise RuntimeError("the gateway ended while starting")
            try:
                status, _ = await request(
                    self.http_port,
                    "GET",
                    "/v1/batches?limit=1",
                    headers=f"Authorization: Bearer {KEY}\r\n",
                )
            except (OSError, asyncio.IncompleteReadError):
                status = 0
            if status == 200:
                return time.perf_counter() - started
            await asyncio.sleep(_POLL)
        raise RuntimeError(f"the gateway did not serve within {_READY_TIMEOUT:.0f} s")

    async def kill_gateway(self) -> None:
        """kill -9."""
        self._note_cost()
        self.gateway.kill()
        await self.gateway.ended()

    async def stop_gateway(self) -> float:
        """SIGTERM; seconds until it has ended."""
        started = time.perf_counter()
        self._note_cost()
        await self.gateway.stop()
        return time.perf_counter() - started

    def _note_cost(self) -> None:
        self._used += cpu_seconds(self.gateway.pid)
        self._peak = max(self._peak, memory(self.gateway.pid)["peak"])

    @property
    def cpu(self) -> float:
        """CPU seconds the gateway has used, over all its lives."""
        running = cpu_seconds(self.gateway.pid) if self.gateway.running else 0.0
        return self._used + running

    @property
    def peak_rss(self) -> int:
        """VmHWM of the gateway, octets, over all its lives."""
        now = memory(self.gateway.pid)["peak"] if self.gateway.running else 0
        return max(self._peak, now)

    @property
    def rss(self) -> int:
        """VmRSS of the gateway now, octets."""
        return memory(self.gateway.pid)["rss"]

    @property
    def store_size(self) -> int:
        """Octets of the database and its log."""
        return sum(file.stat().st_size for file in self.directory.glob("aldis.db*"))

    async def metric(self, name: str) -> float:
        """The sum of a metric over its labels, as Prometheus would see it."""
        _, body = await request(self.ops_port, "GET", "/metrics")
        total = 0.0
        for line in body.decode().splitlines():
            if line.startswith((name + "{", name + " ")):
                total += float(line.rpartition(" ")[2])
        return total

    # ---- the others

    async def callers(self, count: int) -> list[Caller]:
        """Open connections to the HTTP API."""
        return await callers(count, self.http_port, KEY)

    async def sink_stats(self) -> dict[str, Any]:
        """What the customer has heard."""
        stats: dict[str, Any] = await get_json(self.sink.port, "/stats")
        return stats

    async def smsc_stats(self) -> dict[str, Any]:
        """What the operator has seen."""
        stats: dict[str, Any] = await get_json(self.smsc.stats_port, "/stats")
        return stats

    async def submitted(self) -> dict[str, tuple[int, float]]:
        """Destination (no plus) -> (submits taken, time.monotonic() of the first)."""
        _, body = await request(self.smsc.stats_port, "GET", "/audit")
        rows = (line.split() for line in body.decode().splitlines())
        return {to: (int(count), float(first)) for to, count, first in rows}

    async def finals(self) -> dict[str, str]:
        """Number (with plus) -> final status the customer was told."""
        _, body = await request(self.sink.port, "GET", "/finals")
        rows = (line.split() for line in body.decode().splitlines())
        return {number: status for number, status, _ in rows}

    async def all_ended(self, count: int, *, stall: float = 20.0, limit: float = 600.0) -> bool:
        """Wait until the customer knows the end of `count` messages; False when nothing moved for
        `stall` seconds or `limit` is over."""
        best, moved = -1, time.monotonic()
        begun = moved
        while True:
            stats = await self.sink_stats()
            now = time.monotonic()
            if stats["finals"] >= count:
                return True
            if stats["events"] > best:
                best, moved = stats["events"], now
            if now - moved > stall or now - begun > limit:
                return False
            await asyncio.sleep(0.2)

    async def bound(self, timeout: float = 30.0) -> None:
        """Wait until the operator sees every bind."""
        async with asyncio.timeout(timeout):
            while True:
                if (await self.smsc_stats())["bound"] >= self.settings.binds:
                    return
                await asyncio.sleep(_POLL)

    async def settled(self, timeout: float = 300.0) -> float:
        """Wait until what a start does behind its back is done: the opt-out ledger is read into
        memory, the frequency caps know what was sent. Seconds it took from here."""
        started = time.monotonic()
        async with asyncio.timeout(timeout):
            while True:
                _, body = await request(self.ops_port, "GET", "/metrics")
                lines = dict(line.rsplit(b" ", 1) for line in body.splitlines() if line[:1] != b"#")
                unread = lines.get(b"aldis_frequency_caps_unread", b"0")
                if lines[b"aldis_opt_out_filter_ready"] == b"1.0" and float(unread) == 0.0:
                    return time.monotonic() - started
                await asyncio.sleep(_POLL)
