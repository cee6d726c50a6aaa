"""A very small HTTP/1.1 server, so that a sink or a statistics port costs next to nothing.

In: requests with Content-Length or without a body. Out: what one function answers, in order, on
kept connections. Chunked bodies are refused (411); nothing here is meant for the open network.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple, cast

_MAX_HEAD: Final = 64 << 10
_MAX_BODY: Final = 64 << 20
_REASONS: Final = {
    200: "OK",
    204: "No Content",
    400: "Bad Request",
    404: "Not Found",
    410: "Gone",
    411: "Length Required",
    429: "Too Many Requests",
    503: "Service Unavailable",
}


class Request(NamedTuple):
    """One request; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Response(NamedTuple):
    """What to answer. `headers` are extra lines, each with its CRLF."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: str = ""


Answer = Callable[[Request], Response | Awaitable[Response]]


class WebProtocol(asyncio.Protocol):
    """One connection. An answer that is awaited holds back those behind it."""

    def __init__(self, answer: Answer, connections: set["WebProtocol"]) -> None:
        self._answer = answer
        self._connections = connections
        self._buffer = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        if self._task is not None:
            self._task.cancel()

    def abort(self) -> None:
        """Break the connection."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._task is None:
            self._work()

    def _work(self) -> None:
        while not self._transport.is_closing():
            request = self._next()
            if request is None:
                return
            response = self._answer(request)
            if not isinstance(response, Response):
                self._task = asyncio.ensure_future(self._wait(response))
                return
            self._write(response)

    async def _wait(self, response: Awaitable[Response]) -> None:
        self._write(await response)
        self._task = None
        self._work()

    def _next(self) -> Request | None:
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(buffer) > _MAX_HEAD:
                self._refuse(400)
            return None
        first, *lines = buffer[:end].decode("latin-1").split("\r\n")
        try:
            method, path, _ = first.split(" ")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines)
            }
            length = int(headers.get("content-length", "0"))
        except ValueError:
            self._refuse(400)
            return None
        if "transfer-encoding" in headers:
            self._refuse(411)
            return None
        if not 0 <= length <= _MAX_BODY:
            self._refuse(400)
            return None
        stop = end + 4 + length
        if len(buffer) < stop:
            return None
        body = bytes(buffer[end + 4 : stop])
        del buffer[:stop]
        return Request(method, path, headers, body)

    def _refuse(self, status: int) -> None:
        self._write(Response(status))
        self._transport.close()

    def _write(self, response: Response) -> None:
        self._transport.write(
            f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Status')}\r\n"
            f"Content-Type: {response.content_type}\r\n"
            f"{response.headers}"
            f"Content-Length: {len(response.body)}\r\n\r\n".encode()
            + response.body
        )


class WebServer:
    """`answer` on one port, from `start` to `stop`."""

    def __init__(self, answer: Answer, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host = host
        self.port = port
        self._answer = answer
        self._connections: set[WebProtocol] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; with port 0 the system chooses, and `port` says what."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: WebProtocol(self._answer, self._connections), self.host, self.port
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and break every connection."""
        if self._server is not None:
            self._server.close()
            for connection in list(self._connections):
                connection.abort()
            await self._server.wait_closed()
            self._server = None
