"""What the modules here share; a gateway is started once in each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.whole.conftest import Rig

TLS = Path(__file__).parent / "tls"
"""`ca.pem` and, signed by it for `smpp.example`, `localhost` and 127.0.0.1, `server.pem` with
`server.key`; both valid until 2126. Made with `openssl req -x509` and `openssl x509 -req -CA`."""


@asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[Rig]:
    """A rig with its gateway started; both ended afterwards."""
    async with rig.sink, rig.north, rig.south, aiohttp.ClientSession() as session:
        rig.session = session
        rig.write_config()
        try:
            await rig.start()
            yield rig
        finally:
            rig.gateway.kill()
            await asyncio.wait_for(rig.gateway.ended(), 10)
