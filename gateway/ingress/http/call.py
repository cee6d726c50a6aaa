"""One request on its way: what handlers see of it, and what they give back.

In: an aiohttp request, its route, who asks. Out: the body within its limits, path id, query; an
`Answer`. Knows no handler.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web

from config.settings import Account, Settings
from gateway import ids
from gateway.draft import Admission
from gateway.ingress.http import ports, values
from gateway.ingress.http.auth import Identity, Keyring
from gateway.ingress.http.gather import Gathering
from gateway.ingress.http.idempotency import Claim
from gateway.ingress.http.problem import Problem, busy_problem
from gateway.ingress.http.tally import Tally
from gateway.store.contract import Store
from gateway.store.messages import Idempotency, StoredAnswer

T = TypeVar("T")

STALL: Final = 60.0
"""Seconds without an octet of the body before 408; nginx waits as long (client_body_timeout)."""

DRAINING: Final = 5.0
"""Seconds until a caller with too many messages waiting may try again; the store's own limit tells
the same."""

BUFFERED: Final = 256 << 20
"""Octets of bodies gathered at once, over all requests: sixteen of the largest. A thousand slow
callers with 16 MiB each would otherwise be 16 GiB."""

JSON: Final = "application/json"

_encode: Any = msgspec.json.Encoder().encode


class Service:
    """What handlers work with: the ports, and nothing of the server."""

    __slots__ = (
        "admission",
        "buffered",
        "carriers",
        "clock",
        "document",
        "gathering",
        "importing",
        "keyring",
        "keywords",
        "numbering",
        "registries",
        "settings",
        "store",
        "tally",
        "uploading",
        "uploads",
        "usage",
        "webhooks",
        "words",
    )

    def __init__(
        self,
        settings: Settings,
        store: Store,
        admission: Admission,
        uploads: ports.Uploads,
        webhooks: ports.Webhooks,
        carriers: ports.Carriers,
        clock: ports.Clock,
        keyring: Keyring,
        numbering: ports.Numbering,
        registries: ports.Registries,
        keywords: ports.Keywords,
        words: ports.StopWords,
        usage: ports.Usages,
    ) -> None:
        self.settings = settings
        self.store = store
        self.admission = admission
        self.uploads = uploads
        self.webhooks = webhooks
        self.carriers = carriers
        self.clock = clock
        self.keyring = keyring
        self.numbering = numbering
        self.registries = registries
        self.keywords = keywords
        self.words = words
        self.usage = usage
        self.gathering = Gathering(store, clock)
        self.tally = Tally()
        self.buffered = 0
        """Octets of bodies being gathered now."""
        self.uploading: set[int] = set()
        """Batches with an upload under way: positions are counted by one at a time."""
        self.importing: set[str] = set()
        """Accounts whose opt-outs are being imported: each may hold a list in memory."""
        self.document = b""
        """The OpenAPI document, made once."""


class Answer:
    """A complete answer."""

    __slots__ = ("body", "headers", "media", "status")

    def __init__(
        self,
        status: int,
        body: bytes,
        media: str = JSON,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.status = status
        self.body = body
        self.media = media
        self.headers = headers


def answer(status: int, value: Any, *headers: tuple[str, str]) -> Answer:
    """A struct of `answers` as JSON."""
    return Answer(status, _encode(value), JSON, headers)


def replayed(stored: StoredAnswer) -> Answer:
    """What was answered the first time."""
    return Answer(stored.status, stored.body, JSON, (("Idempotency-Replayed", "true"),))


class Call:
    """One request. `headers` are those every answer to it carries."""

    __slots__ = (
        "_identity",
        "claim",
        "headers",
        "item",
        "label",
        "media",
        "now",
        "request",
        "service",
        "started",
    )

    def __init__(
        self,
        service: Service,
        request: web.BaseRequest,
        label: str,
        item: str,
        media: str,
        now: int,
        started: float,
        headers: dict[str, str],
    ) -> None:
        self.service = service
        self.request = request
        self.label = label
        """The route's path template: metrics label."""
        self.item = item
        """What stands for `{id}` in the path, as given."""
        self.media = media
        """Media type of the body, without parameters."""
        self.now = now
        self.started = started
        """`time.perf_counter()` when the request's head had been read."""
        self.headers = headers
        self._identity: Identity | None = None
        self.claim: Claim | None = None

    @property
    def identity(self) -> Identity:
        """Who asks; set for every route with a scope."""
        if self._identity is None:
            raise AssertionError("a route without a scope asked who calls")
        return self._identity

    @identity.setter
    def identity(self, identity: Identity) -> None:
        self._identity = identity

    @property
    def account(self) -> Account:
        """For whom."""
        return self.identity.account

    @property
    def actor(self) -> str:
        """By whom, as the trail names them."""
        return self.identity.actor

    def id(self, prefix: str) -> int:
        """The id in the path, or 404: what is no id names nothing."""
        identifier = ids.decode(prefix, self.item)
        if identifier is None:
            raise not_found(prefix)
        return identifier

    def number(self) -> int:
        """The number in the path, or 404: what is no number names nobody."""
        number = values.e164(self.item)
        if number is None:
            raise Problem("not_found", "there is no number in international form in the path")
        return number

    def query(self, known: frozenset[str]) -> dict[str, str]:
        """The query's parameters."""
        return values.parse_query(self.request.rel_url.raw_query_string, known)

    async def body(self) -> bytes:
        """The whole body, at most `http.max_body` octets of it (after decompression)."""
        most = self.service.settings.http.max_body
        length = self.request.content_length
        if length is not None and length > most:
            raise _too_large(most, str(length))
        content = self.request.content
        if content.is_eof() and not content.at_eof():
            # The usual case: the body came in one piece with the head.
            body = content.read_nowait(-1)
            if len(body) > most:
                raise _too_large(most, str(len(body)))
        else:
            body = await self._gather(most)
        if self.claim is not None:
            self.claim.digest.update(body)
            self.claim.complete = True
        return body

    async def _gather(self, most: int) -> bytes:
        service = self.service
        pieces = bytearray()
        try:
            async for chunk in self.chunks():
                pieces += chunk
                service.buffered += len(chunk)
                if len(pieces) > most:
                    raise _too_large(most, "more")
                if service.buffered > BUFFERED:
                    busy = busy_problem("overloaded", "too many large bodies are coming in", 1.0)
                    busy.close = True
                    raise busy
            return bytes(pieces)
        finally:
            service.buffered -= len(pieces)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes; 408 when it stalls."""
        content = self.request.content
        if self.request.headers.get("Expect", "").lower() == "100-continue":
            # Asked for only now (RFC 9110 §10.1.1): whoever was refused has sent nothing yet.
            await self.request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.request.writer.output_size = 0
        while True:
            try:
                async with asyncio.timeout(STALL):
                    chunk = await content.readany()
            except TimeoutError:
                raise Problem(
                    "request_timeout", f"no octet of the body came for {STALL:.0f} s", close=True
                ) from None
            if not chunk:
                return
            yield chunk

    def idempotency(self, status: int, body: bytes) -> Idempotency | None:
        """What the store keeps with the submission, if the caller sent a key."""
        return None if self.claim is None else self.claim.record(status, body)

    def replay(self, stored: StoredAnswer) -> Answer:
        """The first answer again, if the body is the same."""
        if self.claim is None:
            raise AssertionError("an answer was stored for a request without a key")
        self.claim.check(stored)
        return replayed(stored)

    def refuse_beyond_waiting(self, messages: int) -> None:
        """429 when the account would have more messages waiting than its `max_waiting`. Ask right
        before the store is, with no `await` between."""
        account = self.account
        waiting = self.service.store.waiting(account.name)
        if waiting + messages > account.max_waiting:
            raise busy_problem(
                "too_many_waiting",
                f"{waiting} messages of the account wait, {account.max_waiting} may",
                DRAINING,
            )

    async def answered_before(self) -> Answer | None:
        """The first answer, if the key was used before. Ask after the body was read."""
        if self.claim is None:
            return None
        stored = await self.service.store.answered(*self.claim.slot)
        return None if stored is None else self.replay(stored)


def page_link(call: Call, query: dict[str, str], cursor: str | None) -> tuple[tuple[str, str], ...]:
    """The `Link` header of a page that is not the last (RFC 8288)."""
    if cursor is None:
        return ()
    url = call.request.rel_url.with_query({**query, "cursor": cursor})
    return (("Link", f'<{url}>; rel="next"'),)


_THINGS: Final = {
    "msg": "message",
    "bat": "batch",
    "whk": "webhook",
    "key": "key",
    "stopwords": "stop-word list",
    "itm": "item",
    "sender": "registered sender",
    "keyword": "keyword",
    "template": "template",
}


def not_found(prefix: str) -> Problem:
    """404 for a thing of this account that does not exist, or is another account's."""
    return Problem("not_found", f"there is no such {_THINGS[prefix]}")


def _too_large(most: int, size: str) -> Problem:
    return Problem("body_too_large", f"{size} octets; a body has at most {most}", close=True)
