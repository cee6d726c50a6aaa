"""One POST to an endpoint, and what came of it.

In: a URL, headers, a body. Out: a `Reply`, always: whatever a stranger's server does is an answer,
not an error of ours. Knows HTTP through aiohttp's client; no delivery, no retry, no store.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from typing import Final

import aiohttp
import msgspec
from aiohttp.client_exceptions import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientConnectorSSLError,
)
from yarl import URL

from gateway.events.guard import ForbiddenAddress, GuardedResolver, guarded_socket

MOST_RESPONSE: Final = 64 << 10
"""Octets of an answer that are read so that its connection can serve again. Nobody looks at them;
more than that and the connection is closed instead."""

MOST_HEADER: Final = 8_190
"""Octets of a status or header line; what nginx and Apache allow in requests."""

KEEP_ALIVE: Final = 30.0
"""Seconds an idle connection is kept."""

STALE: Final = 1.0
"""Seconds within which a closed connection is taken for one that had been closed before."""

_RESULTS: Final = {3: "redirect", 4: "client_error"}

HEADERS: Final = {"Content-Type": "application/json", "User-Agent": "Aldis-Webhooks"}


class Reply(msgspec.Struct, frozen=True):
    """How one POST ended."""

    result: str
    """For the metric: ok, redirect, client_error, server_error, or what kept an answer away:
    timeout, forbidden, dns, tls, connect, disconnect, invalid."""
    status: int = 0
    """HTTP status; 0 when there was no answer."""
    error: str = ""
    """For the customer: why it did not count. Names no host and quotes no answer."""
    retry_after: str | None = None
    """The header, as it came."""
    seconds: float = 0.0
    """How long it took."""


class Poster:
    """The stage's HTTP client: one pool of connections for all endpoints.

    The pool has no limit of its own. Each endpoint has at most `concurrency` POSTs under way, and
    a shared limit would be the place where customers that do not answer stall those that do.
    """

    def __init__(self, timeout: float, *, allow_private: bool) -> None:
        """`timeout` is for everything from the name's look-up to the answer's header, seconds."""
        self._timeout = timeout
        self._allow_private = allow_private
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the session, in the loop that will use it."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                keepalive_timeout=KEEP_ALIVE,
                resolver=GuardedResolver(allow_private=self._allow_private),
                socket_factory=None if self._allow_private else guarded_socket,
            ),
            headers=HEADERS,
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=MOST_HEADER,
            max_field_size=MOST_HEADER,
            # A compressed answer is not unpacked: 64 KiB of it could be 64 MiB of nothing.
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Let go of all connections."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def post(self, url: URL, headers: Mapping[str, str], body: bytes) -> Reply:
        """POST once; never raises for what the other side does.

        A kept connection may have been closed while the request was on its way. That says
        nothing about the endpoint, so such a request goes out once more on a new connection;
        `webhook-id` lets the receiver see a double.
        """
        started = time.perf_counter()
        for first in (True, False):
            try:
                reply = await self._exchange(url, headers, body)
            except (aiohttp.ClientError, OSError, ValueError) as error:
                reply = self._failure(error)
            seconds = time.perf_counter() - started
            if not first or reply.result != "disconnect" or seconds > STALE:
                break
        return msgspec.structs.replace(reply, seconds=seconds)

    async def _exchange(self, url: URL, headers: Mapping[str, str], body: bytes) -> Reply:
        assert self._session is not None, "the stage has not started"
        response = await self._session.post(url, data=body, headers=headers, allow_redirects=False)
        # The status decides. What follows it is read for the connection's sake alone, so an
        # endless or broken body takes nothing back.
        try:
            length = response.content_length
            if length is None or length <= MOST_RESPONSE:
                await _read_away(response)
        except (aiohttp.ClientError, OSError):
            pass
        finally:
            if response.content.at_eof():
                response.release()
            else:
                response.close()
        status = response.status
        if 200 <= status < 300:
            return Reply("ok", status)
        result = _RESULTS.get(status // 100, "server_error")
        error = "redirects are not followed" if result == "redirect" else f"HTTP {status}"
        return Reply(result, status, error, response.headers.get("Retry-After"))

    def _failure(self, error: Exception) -> Reply:
        if isinstance(error, asyncio.TimeoutError):
            return Reply("timeout", error=f"no answer within {self._timeout:g} s")
        if isinstance(error, ClientConnectorCertificateError):
            return Reply("tls", error="the certificate is not valid for this address")
        if isinstance(error, ClientConnectorSSLError):
            return Reply("tls", error="no TLS connection")
        if isinstance(error, ClientConnectorError):
            cause = error.os_error
            if isinstance(cause, ForbiddenAddress):
                return Reply("forbidden", error=cause.strerror or "")
            if isinstance(error, aiohttp.ClientConnectorDNSError):
                return Reply("dns", error="the name does not resolve")
            why = os.strerror(cause.errno) if cause.errno else "no connection"
            return Reply("connect", error=why.lower())
        if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
            return Reply("invalid", error="not a usable URL")
        if isinstance(error, aiohttp.ClientConnectionError | OSError):
            return Reply("disconnect", error="the connection was closed before an answer")
        return Reply("invalid", error="the answer is not HTTP")


async def _read_away(response: aiohttp.ClientResponse) -> None:
    left = MOST_RESPONSE
    while left > 0 and (chunk := await response.content.read(left)):
        left -= len(chunk)
