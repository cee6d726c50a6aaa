"""A caller of the HTTP API that costs little: kept connections, one request at a time on each.

In: whole requests as octets. Out: status and body. aiohttp's client takes 150 µs a request; on a
machine that the gateway shares, that would measure the client.
"""

import asyncio
from typing import Final, cast

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


class Caller(asyncio.Protocol):
    """One connection; `connect` opens it, and opens it again after it was lost."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._key = key
        self._buffer = b""
        self._waiter: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None

    async def connect(self) -> None:
        """Open the connection; OSError when nobody listens."""
        self._buffer = b""
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._port)

    def close(self) -> None:
        """Close it."""
        if self._transport is not None:
            self._transport.close()

    async def post(self, path: str, body: bytes, idempotency_key: str = "") -> tuple[int, bytes]:
        """POST JSON; ConnectionError when the connection is lost before the whole answer."""
        if self._transport is None:
            raise ConnectionResetError("not connected")
        again = f'Idempotency-Key: "{idempotency_key}"\r\n' if idempotency_key else ""
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self._key}\r\n"
            f"{again}Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        try:
            return await self._waiter
        finally:
            self._waiter = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer = self._buffer + data if self._buffer else data
        end = buffer.find(_HEAD_END)
        if end < 0:
            return
        head = buffer[:end].lower()
        at = head.find(_LENGTH)
        if at < 0:
            raise RuntimeError(f"an answer without Content-Length: {head!r}")
        line_end = head.find(b"\r\n", at)
        length = int(head[at + len(_LENGTH) : line_end if line_end > 0 else None])
        stop = end + len(_HEAD_END) + length
        if len(buffer) < stop:
            return
        self._buffer = buffer[stop:]
        if self._waiter is not None and not self._waiter.done():
            status = int(buffer[9:12])
            self._waiter.set_result((status, buffer[stop - length : stop]))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionResetError("the gateway hung up"))


async def callers(count: int, port: int, key: str) -> list[Caller]:
    """So many open connections."""
    opened = [Caller(port, key) for _ in range(count)]
    for caller in opened:
        await caller.connect()
    return opened
