"""A whole gateway in a process of its own, between operators and an endpoint of the test's."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bench.load.site import free_port
from bench.processes import Child
from bench.sink import Sink
from bench.smsc import Behaviour, SimulatedSmsc

KEY = "ak_whole"
SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()


class Rig:
    """One gateway's directory, its processes and its API."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.http_port = free_port()
        self.ops_port = free_port()
        self.config = directory / "aldis.toml"
        self.log = directory / "gateway.log"
        self.sink = Sink(secret=SECRET, keep_bodies=50)
        self.north = SimulatedSmsc(Behaviour(), record=True)
        self.south = SimulatedSmsc(Behaviour(), record=True)
        self.gateway = Child(["-m", "gateway", "serve", f"--config={self.config}"], log=self.log)
        self.session: aiohttp.ClientSession

    def write_config(self, *, north: str = "", south: str = "", extra: str = "") -> None:
        """The configuration; `north` and `south` are lines for their tables."""
        self.config.write_text(
            f"""
[http]
port = {self.http_port}
[ops]
port = {self.ops_port}
[store]
path = "{self.directory}/aldis.db"
[webhooks]
allow_private = true
max_wait = "50ms"
[[account]]
name = "shop"
webhooks = [{{ url = "{self.sink.url}", secret = "{SECRET}" }}]
inbound_numbers = ["2020"]
quiet_hours = "none"  # tests run at any hour
[[account.keys]]
value = "{KEY}"
scopes = ["messages:write", "messages:read", "moderation", "optouts", "admin"]
[[carrier]]
name = "north"
hosts = ["127.0.0.1:{self.north.port}"]
system_id = "aldis"
password = "secret"
window = 100
rate = 5000.0
reconnect_min = "100ms"
reconnect_max = "200ms"
{north}
[[carrier]]
name = "south"
hosts = ["127.0.0.1:{self.south.port}"]
system_id = "aldis"
password = "secret"
window = 100
rate = 5000.0
reconnect_min = "100ms"
reconnect_max = "200ms"
{south}
[[route]]
name = "main"
carriers = ["north", {{ name = "south", rank = 1 }}]
{extra}
""",
            "utf-8",
        )

    async def start(self) -> None:
        """Start the gateway and wait until it serves and is bound."""
        await self.gateway.start()
        async with asyncio.timeout(20):
            while True:
                assert self.gateway.running, self.log.read_text()
                try:
                    async with self.session.get(
                        f"http://127.0.0.1:{self.ops_port}/readyz"
                    ) as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientConnectorError:
                    pass
                await asyncio.sleep(0.05)

    def signal(self, number: signal.Signals) -> None:
        """Send the gateway a signal."""
        os.kill(self.gateway.pid, number)

    async def call(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        """One API call; the decoded answer."""
        async with self.session.request(
            method,
            f"http://127.0.0.1:{self.http_port}{path}",
            headers={"Authorization": f"Bearer {KEY}", **options.pop("headers", {})},
            **options,
        ) as answer:
            body = await answer.json()
            assert answer.status == status, body
            return body

    async def post(self, to: str, text: str = "Hello", **fields: Any) -> Any:
        """One message; its answer."""
        body = {"from": "ACME", "to": to, "text": text, **fields}
        return await self.call("POST", "/v1/messages", 202, json=body)

    async def metric(self, name: str, *having: str) -> float:
        """The sum of a metric over the series whose labels contain all of `having`."""
        async with self.session.get(f"http://127.0.0.1:{self.ops_port}/metrics") as answer:
            text = await answer.text()
        return sum(
            float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if line.startswith((name + "{", name + " ")) and all(part in line for part in having)
        )

    async def until(self, condition: Any, timeout: float = 15.0) -> None:
        """Wait for something another process does: there is nothing here to be told by."""
        async with asyncio.timeout(timeout):
            while not await condition():  # noqa: ASYNC110  (it happens in another process)
                await asyncio.sleep(0.03)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    found = Rig(tmp_path)
    async with found.sink, found.north, found.south, aiohttp.ClientSession() as session:
        found.session = session
        found.write_config()
        try:
            yield found
        finally:
            found.gateway.kill()
            if found.gateway._process is not None:
                await found.gateway.ended()
