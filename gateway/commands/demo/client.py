"""The gateway's HTTP API as a campaign platform uses it.

In: an address and a key. Out: answers, as the structs the API documents them with; a refusal
raises with the problem's own words. Knows nothing of what is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from time import monotonic
from typing import Any, Final, TypeVar

import aiohttp
import msgspec

from gateway.ingress.http import answers as a

T = TypeVar("T")

NDJSON: Final = "application/x-ndjson"
TIMEOUT: Final = aiohttp.ClientTimeout(total=30)
"""For one answer; the largest upload takes a tenth of a second."""
READY: Final = 15.0
"""Seconds until an operator is bound; `connect_timeout` is ten."""


class Refusal(Exception):
    """An answer that is no 2xx."""


class Client:
    """One customer's connection; `async with`."""

    def __init__(self, base: str, key: str) -> None:
        self.base = base
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT
        )

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._session.close()

    async def ready(self, ops: str) -> None:
        """Wait for `/readyz` of the gateway's other port: store open, an operator bound."""
        end = monotonic() + READY
        while True:
            async with self._session.get(f"{ops}/readyz") as response:
                if response.ok:
                    return
                if monotonic() > end:
                    raise Refusal(f"not ready after {READY:.0f} s: {await response.text()}")
            await asyncio.sleep(0.05)

    async def opt_out(self, number: str) -> None:
        """Enter a refusal to any sender."""
        await self._ask("POST", "/v1/optouts", json={"number": number})

    async def create(self, batch: dict[str, Any]) -> str:
        """A batch; its id."""
        return _read(a.BatchAccepted, await self._ask("POST", "/v1/batches", json=batch)).id

    async def upload(self, batch: str, rows: AsyncIterator[bytes]) -> a.UploadResult:
        """Stream CSV into a batch."""
        path = f"/v1/batches/{batch}/recipients"
        headers = {"Content-Type": "text/csv; charset=utf-8"}
        return _read(a.UploadResult, await self._ask("POST", path, data=rows, headers=headers))

    async def start(self, batch: str) -> None:
        """Let a batch go."""
        await self._ask("POST", f"/v1/batches/{batch}/start")

    async def stats(self, batch: str) -> a.BatchStats:
        """How a batch stands."""
        return _read(a.BatchStats, await self._ask("GET", f"/v1/batches/{batch}/stats"))

    async def messages(self, batch: str) -> list[a.MessageOut]:
        """Every message of a batch."""
        return await self._export(f"/v1/batches/{batch}/recipients", a.MessageOut)

    async def ineligible(self, batch: str) -> list[a.IneligibleOut]:
        """Every recipient of a batch that cannot be served."""
        return await self._export(
            f"/v1/batches/{batch}/recipients?status=ineligible", a.IneligibleOut
        )

    async def _export(self, path: str, shape: type[T]) -> list[T]:
        body = await self._ask("GET", path, headers={"Accept": NDJSON})
        return msgspec.json.Decoder(shape).decode_lines(body)

    async def _ask(self, method: str, path: str, **options: Any) -> bytes:
        async with self._session.request(method, self.base + path, **options) as response:
            body = await response.read()
            if not response.ok:
                raise Refusal(f"{method} {path}: {response.status} {body.decode(errors='replace')}")
            return body


def _read(shape: type[T], body: bytes) -> T:
    return msgspec.json.decode(body, type=shape)
