"""A customer's webhook endpoint that takes anything and remembers little.

In: Standard Webhooks POSTs. Out: counts by event type and status, and the final status of every
message, to find those lost, doubled or contradicted. It can be told to fail. Used by tests in
their own process (`Sink`) and by measurements in another (`python -m bench.sink`).

POST /<anything>  events
GET  /stats       counts as JSON
GET  /finals      `key status sequence` per line, of every message that ended
PUT  /behaviour   a JSON object of the fields to change
"""

import asyncio
import base64
import hashlib
import hmac
import signal
import time
from collections import Counter
from collections.abc import Awaitable
from typing import Any, Final

import click
import msgspec
import uvloop

from bench.web import Request, Response, WebServer
from gateway.model import FINAL, STATUS_BY_NAME, STATUS_NAMES, Status

_STATUS_BITS: Final = 4
_STATUS_MASK: Final = (1 << _STATUS_BITS) - 1
_FINAL_NAMES: Final = frozenset(status.public for status in FINAL)
# Standard Webhooks lets a receiver refuse what is older than five minutes.
_TOLERANCE: Final = 300


class SinkBehaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the endpoint answers."""

    status: int = 204
    """HTTP status of every answer; anything but 2xx takes no event."""
    fail_next: int = 0
    """So many POSTs get `fail_status`, then `status` holds."""
    fail_status: int = 503
    """What `fail_next` POSTs get."""
    retry_after: int = 0
    """Seconds in a Retry-After header beside 429 and 503; 0 for none."""
    delay: float = 0.0
    """Seconds before the answer."""


class Event(msgspec.Struct):
    """What the sink reads of an event; other types than message.status lack these fields."""

    message: str = ""
    status: str = ""
    sequence: int = 0
    to: str = ""


class Envelope(msgspec.Struct):
    """One POST's body."""

    type: str
    data: list[Event] | Event


_decode: Final = msgspec.json.Decoder(Envelope).decode


class Sink:
    """The endpoint; `async with`, or `start` and `stop`.

    secret        `whsec_...`; with it signatures are checked
    check_every   one POST in so many has its signature checked
    by_number     finals are remembered by recipient, for callers that know no message ids
    limit         finals remembered at most (about 200 octets each); beyond it `not_remembered`
    keep_bodies   keep the last so many bodies, for tests
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        secret: str | None = None,
        check_every: int = 1,
        by_number: bool = False,
        limit: int = 3_000_000,
        keep_bodies: int = 0,
    ) -> None:
        self.behaviour = SinkBehaviour()
        self.posts = 0
        self.events = 0
        self.statuses: Counter[str] = Counter()
        self.types: Counter[str] = Counter()
        self.finals: dict[str, int] = {}
        """key -> sequence and status number of its last final event."""
        self.repeated = 0
        """Events of a (message, sequence) that had already come: allowed, but worth knowing."""
        self.revised = 0
        """`unknown` that became something better known."""
        self.contradicted = 0
        """A second, different end. Must stay 0."""
        self.not_remembered = 0
        self.failed = 0
        """POSTs answered with an error on purpose."""
        self.signatures_checked = 0
        self.signatures_bad = 0
        self.malformed = 0
        self.first_at = 0.0
        self.last_at = 0.0
        self.bodies: list[bytes] = []
        self._keep_bodies = keep_bodies
        self._secret = base64.b64decode(secret.removeprefix("whsec_")) if secret else None
        self._check_every = check_every
        self._by_number = by_number
        self._limit = limit
        self._changed = asyncio.Event()
        self._web = WebServer(self._answer, host, port)

    async def start(self) -> None:
        """Listen."""
        await self._web.start()

    async def stop(self) -> None:
        """Stop and break every connection."""
        await self._web.stop()

    async def __aenter__(self) -> "Sink":
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._web.port

    @property
    def url(self) -> str:
        """What to configure as an endpoint."""
        return f"http://{self._web.host}:{self.port}/events"

    async def until(self, events: int, timeout: float = 10.0) -> None:
        """Return once so many events have been taken."""
        async with asyncio.timeout(timeout):
            while self.events < events:
                self._changed.clear()
                await self._changed.wait()

    def statistics(self) -> dict[str, Any]:
        """All counts, for JSON."""
        return {
            "posts": self.posts,
            "events": self.events,
            "types": dict(self.types),
            "statuses": dict(self.statuses),
            "finals": len(self.finals),
            "repeated": self.repeated,
            "revised": self.revised,
            "contradicted": self.contradicted,
            "not_remembered": self.not_remembered,
            "failed": self.failed,
            "signatures_checked": self.signatures_checked,
            "signatures_bad": self.signatures_bad,
            "malformed": self.malformed,
            "first_at": self.first_at,
            "last_at": self.last_at,
            "monotonic": time.monotonic(),
            "cpu": time.process_time(),
        }

    def lines(self) -> bytes:
        """The finals, for a reader in another process."""
        return "".join(
            f"{key} {STATUS_NAMES[last & _STATUS_MASK]} {last >> _STATUS_BITS}\n"
            for key, last in self.finals.items()
        ).encode()

    # ---- HTTP

    def _answer(self, request: Request) -> Response | Awaitable[Response]:
        match request.method, request.path:
            case "POST", _:
                if self.behaviour.delay:
                    return self._receive_slowly(request, self.behaviour.delay)
                return self._receive(request)
            case "GET", "/stats":
                return Response(body=msgspec.json.encode(self.statistics()))
            case "GET", "/finals":
                return Response(body=self.lines(), content_type="text/plain")
            case "PUT", "/behaviour":
                whole = msgspec.structs.asdict(self.behaviour)
                try:
                    whole |= msgspec.json.decode(request.body, type=dict[str, Any])
                    self.behaviour = msgspec.convert(whole, SinkBehaviour)
                except msgspec.MsgspecError as error:
                    return Response(400, str(error).encode(), "text/plain")
                return Response(204)
            case _:
                return Response(404)

    async def _receive_slowly(self, request: Request, delay: float) -> Response:
        await asyncio.sleep(delay)
        return self._receive(request)

    def _receive(self, request: Request) -> Response:
        self.posts += 1
        status = self.behaviour.status
        if self.behaviour.fail_next:
            status = self.behaviour.fail_status
            left = self.behaviour.fail_next - 1
            self.behaviour = msgspec.structs.replace(self.behaviour, fail_next=left)
        if not 200 <= status < 300:
            self.failed += 1
            wait = self.behaviour.retry_after
            return Response(status, headers=f"Retry-After: {wait}\r\n" if wait else "")
        if self._secret is not None and self.posts % self._check_every == 0:
            self.signatures_checked += 1
            if not signed(request, self._secret, time.time()):
                self.signatures_bad += 1
                return Response(400)
        try:
            envelope = _decode(request.body)
        except msgspec.MsgspecError:
            self.malformed += 1
            return Response(400)
        if self._keep_bodies:
            self.bodies = [*self.bodies, request.body][-self._keep_bodies :]
        self._take(envelope)
        return Response(status)

    def _take(self, envelope: Envelope) -> None:
        events = envelope.data if isinstance(envelope.data, list) else [envelope.data]
        self.events += len(events)
        self.types[envelope.type] += len(events)
        self.last_at = time.monotonic()
        self.first_at = self.first_at or self.last_at
        self._changed.set()
        if not envelope.type.startswith("message.status"):
            return
        names = [event.status for event in events]
        self.statuses.update(names)
        finals = self.finals
        for event, name in zip(events, names, strict=True):
            if name not in _FINAL_NAMES:
                continue
            key = event.to if self._by_number else event.message
            now = event.sequence << _STATUS_BITS | STATUS_BY_NAME[name]
            before = finals.get(key)
            if before is None:
                if len(finals) < self._limit:
                    finals[key] = now
                else:
                    self.not_remembered += 1
            elif before == now:
                self.repeated += 1
            elif before & _STATUS_MASK == Status.UNKNOWN:
                self.revised += 1
                finals[key] = now
            else:
                self.contradicted += 1


def signed(request: Request, secret: bytes, now: float) -> bool:
    """Whether one of the request's Standard Webhooks signatures is right and not stale."""
    headers = request.headers
    identifier, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdigit() or abs(int(timestamp) - now) > _TOLERANCE:
        return False
    content = f"{identifier}.{timestamp}.".encode() + request.body
    wanted = base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(f"v1,{wanted}", one) for one in given)


@click.command("sink")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8090, show_default=True, help="Port; 0: any free one.")
@click.option("--secret", help="whsec_...; check signatures with it.")
@click.option("--check-every", default=1, show_default=True, help="Check one POST in so many.")
@click.option("--by-number/--by-message", default=False, help="What finals are remembered by.")
def command(host: str, port: int, secret: str | None, check_every: int, by_number: bool) -> None:
    """Play a customer's webhook endpoint.

    Prints one line of JSON with its port once it listens, and one with its counts at the end.
    """
    uvloop.run(_serve(host, port, secret, check_every, by_number))


async def _serve(
    host: str, port: int, secret: str | None, check_every: int, by_number: bool
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    sink = Sink(host=host, port=port, secret=secret, check_every=check_every, by_number=by_number)
    async with sink:
        click.echo(msgspec.json.encode({"port": sink.port}).decode())
        await stop.wait()
    click.echo(msgspec.json.encode(sink.statistics()).decode())


if __name__ == "__main__":
    command(prog_name="python -m bench.sink")
