"""How the API ends, and how it is served with TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from config.settings import Tls
from gateway.admission.numbering import Numbering
from gateway.store.contract import StoredAnswer, Submission
from tests.ingress.client import Client, Reply
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
