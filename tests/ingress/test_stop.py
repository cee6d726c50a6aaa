"""How the API ends, and how it is served with TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from config.settings import Tls
from gateway.admission.numbering import Numbering
from gateway.ingress.http import exports, server
from gateway.store.messages import StoredAnswer, Submission
from tests.ingress.client import KEY, Client, Reply
from tests.ingress.conftest import Rig

MESSAGE = {"from": "ACME", "to": "+79161234567", "text": "Hello"}


async def connects(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def test_requests_under_way_are_finished(client: Client, rig: Rig) -> None:
    arrived, go = asyncio.Event(), asyncio.Event()
    accept = rig.store.accept

    async def slow(submissions: Sequence[Submission]) -> list[StoredAnswer | None]:
        arrived.set()
        await go.wait()
        return await accept(submissions)

    rig.store.accept = slow  # type: ignore[method-assign]
    port = rig.api.port
    under_way: asyncio.Task[Reply] = asyncio.ensure_future(client.post("/v1/messages", MESSAGE))
    await arrived.wait()
    stopping = asyncio.ensure_future(rig.api.stop(10.0))
    # Once the listening socket is closed, no new connection is taken.
    while await connects(port):
        pass
    go.set()
    assert (await under_way).status == 202
    await stopping


async def test_a_caller_that_takes_forever_over_its_head_is_let_go(
    tmp_path: Path, numbering: Numbering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "KEEP_ALIVE", 0.1)
    rig = Rig(tmp_path, numbering, {})
    await rig.start()
    silent, _ = await asyncio.open_connection("127.0.0.1", rig.api.port)
    slow, writer = await asyncio.open_connection("127.0.0.1", rig.api.port)
    writer.write(b"POST /v1/messages HTTP/1.1\r\nX-Slow: ")
    async with asyncio.timeout(5.0):
        assert await silent.read() == b""
        assert await slow.read() == b""
    await rig.stop()


async def test_a_caller_that_does_not_read_its_export_is_let_go(
    client: Client, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "STALL", 0.1)
    recipients = [{"to": f"+7916{n:07d}"} for n in range(1000)]
    made = await client.post(
        "/v1/batches", {"from": "ACME", "text": "Hello", "recipients": recipients}
    )
    path = f"/v1/batches/{made.json['id']}/recipients"

    # A page a thousand times over is more than any socket's buffers take.
    slice_of = exports._slice

    async def endless(*given: Any) -> tuple[exports.Rows, int | None]:
        call, batch, excluded, statuses, limit, _ = given
        rows, _ = await slice_of(call, batch, excluded, statuses, limit, None)
        return rows, 1

    monkeypatch.setattr(exports, "_slice", endless)
    _, writer = await asyncio.open_connection("127.0.0.1", rig.api.port, limit=1024)
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n"
        f"Authorization: Bearer {KEY}\r\n\r\n".encode()
    )
    async with asyncio.timeout(10.0):
        while not rig.api.active:  # noqa: ASYNC110
            await asyncio.sleep(0)
        while rig.api.active:  # noqa: ASYNC110  (it ends by itself, and tells nobody)
            await asyncio.sleep(0.01)
    writer.close()


async def test_tls(tmp_path: Path, numbering: Numbering) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    openssl = await asyncio.create_subprocess_exec(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-keyout", key, "-out", certificate, "-days", "1", "-subj", "/CN=localhost",
        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await openssl.wait() == 0
    rig = Rig(tmp_path, numbering, {"tls": Tls(certificate=str(certificate), key=str(key))})
    await rig.start()
    context = ssl.create_default_context(cafile=str(certificate))
    url = f"https://127.0.0.1:{rig.api.port}/openapi.json"
    async with aiohttp.ClientSession() as session, session.get(url, ssl=context) as reply:
        assert reply.status == 200
    await rig.stop()
