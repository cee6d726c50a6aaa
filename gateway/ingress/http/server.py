"""The HTTP server: finds the route, asks who calls, runs the handler, tells failures as problems.

In: octets on a port. Out: answers, each with a request id and, to a known key, its rate limit.
Built on aiohttp's low-level server: an `Application` with its router and middlewares costs 25 us a
request more and would hide the order of the checks below. Knows handlers only through the table.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import secrets
import ssl
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from config.settings import Settings
from gateway import metrics as m
from gateway.draft import Admission
from gateway.errors import AldisError
from gateway.ingress.http import ports
from gateway.ingress.http.auth import Identity, Keyring
from gateway.ingress.http.call import Answer, Call, Service
from gateway.ingress.http.idempotency import Claims
from gateway.ingress.http.openapi import document
from gateway.ingress.http.problem import (
    CONTENT_TYPE,
    Problem,
    body_of,
    busy_problem,
    problem_for,
)
from gateway.ingress.http.route import Route
from gateway.ingress.http.routes import ROUTES
from gateway.policy.caps import Usage
from gateway.store.contract import Store

log = logging.getLogger("aldis.ingress")

KEEP_ALIVE: Final = 75.0
"""Seconds an idle connection stays open; nginx's default, longer than most clients pool."""
HEADER: Final = 16_384
"""Octets of the request line or of one header field; a search's query fits well."""
FLUSH: Final = 1.0
"""Seconds between hand-overs to the metrics."""
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}\Z")
_NO_ROUTE: Final = "none"
"""Metrics label of requests that match no route: paths of strangers are no labels."""


class _Protocol(web.RequestHandler):
    """aiohttp's connection, except that what is not HTTP is answered as a problem, too."""

    __slots__ = ("on_bad_request",)

    on_bad_request: Callable[[BaseException | None], web.StreamResponse]

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to a request that could not be parsed. `exc` quotes it: it is not logged."""
        if request.writer.output_size > 0:
            raise ConnectionError("part of an answer has been sent")
        return self.on_bad_request(exc)


class _Server(web.Server):
    """Makes our connections."""

    on_bad_request: Callable[[BaseException | None], web.StreamResponse]

    def __call__(self) -> web.RequestHandler:
        protocol = _Protocol(self, loop=self._loop, **self._kwargs)
        protocol.on_bad_request = self.on_bad_request
        return protocol


def _unlimited(account: str) -> Sequence[Usage]:
    """Nobody counts."""
    return ()


@lru_cache(maxsize=1)
def _description(version: str) -> bytes:
    """`/openapi.json`: a tenth of a second to make, and the same for every API of a process."""
    return msgspec.json.encode(document(ROUTES, version))


class HttpApi:
    """The customers' HTTP API on its port."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        admission: Admission,
        uploads: ports.Uploads,
        webhooks: ports.Webhooks,
        carriers: ports.Carriers,
        clock: ports.Clock,
        metrics: m.Metrics,
        *,
        numbering: ports.Numbering,
        registries: ports.Registries,
        keywords: ports.Keywords,
        words: ports.StopWords,
        usage: ports.Usages = _unlimited,
        version: str = "0",
        routes: Sequence[Route] = ROUTES,
    ) -> None:
        """Nothing is opened before `start`. Raises `ConfigError` when a key's variable is unset."""
        self._clock = clock
        self._metrics = metrics
        self._keyring = Keyring(settings, store, clock)
        self._service = Service(
            settings,
            store,
            admission,
            uploads,
            webhooks,
            carriers,
            clock,
            self._keyring,
            numbering,
            registries,
            keywords,
            words,
            usage,
        )
        self._service.document = (
            _description(version)
            if routes is ROUTES
            else msgspec.json.encode(document(routes, version))
        )
        self._claims = Claims()
        self._routes: dict[str, dict[str, Route]] = {}
        for route in routes:
            self._routes.setdefault(route.path, {})[route.method] = route
        self.active = 0
        """Requests being worked on."""
        self._ids = itertools.count()
        self._id_prefix = f"req_{secrets.token_hex(5)}"
        self._runner: web.ServerRunner | None = None
        self._site: web.TCPSite | None = None
        self._flusher: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Listen. Raises `OSError` when the port is taken."""
        http = self._service.settings.http
        server = _Server(
            self._handle,
            access_log=None,
            keepalive_timeout=KEEP_ALIVE,
            max_line_size=HEADER,
            max_field_size=HEADER,
        )
        server.on_bad_request = self._bad_request
        context = None
        if http.tls is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(http.tls.certificate, http.tls.key)
        self._runner = web.ServerRunner(server)
        await self._runner.setup()
        self._site = web.TCPSite(
            self._runner, http.host, http.port, backlog=1024, ssl_context=context
        )
        await self._site.start()
        self._flush_later()

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._runner is None:
            raise RuntimeError("the HTTP API has not been started")
        return int(self._runner.addresses[0][1])

    def configure(self, settings: Settings) -> None:
        """Take accounts, keys and limits from new settings; the listening address stays."""
        self._keyring.configure(settings)
        self._service.settings = settings

    async def stop(self, timeout: float) -> None:
        """Listen no more, let requests under way finish within `timeout` seconds."""
        if self._flusher is not None:
            self._flusher.cancel()
        if self._runner is not None and self._site is not None:
            await self._site.stop()
            server = self._runner.server
            if server is not None:
                server.pre_shutdown()
                await server.shutdown(timeout)
            await self._runner.cleanup()
            self._runner = None
        self.flush()

    def flush(self) -> None:
        """Hand counts over to the metrics; also done every second."""
        self._service.tally.flush(self._metrics)

    def _flush_later(self) -> None:
        self.flush()
        self._flusher = asyncio.get_running_loop().call_later(FLUSH, self._flush_later)

    # --- one request

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        started = time.perf_counter()
        headers = {"Server": "aldis", "X-Request-Id": self._request_id(request)}
        method = request.method
        label, status = _NO_ROUTE, 500
        call: Call | None = None
        self.active += 1
        try:
            if self.active > self._service.settings.http.max_concurrent:
                raise busy_problem("overloaded", "too many requests are being worked on", 1.0)
            route, item = self._find(request.path, method)
            label, method = route.path, route.method
            call = Call(self._service, request, label, item, "", self._clock(), started, headers)
            result = await self._serve(route, call)
            status = result.status
            if isinstance(result, Answer):
                return self._respond(result, headers)
            return result
        except Problem as problem:
            status = problem.status
            return await self._tell(problem, call, headers)
        except AldisError as error:
            told = problem_for(error)
            status = told.status
            return await self._tell(told, call, headers)
        except web.RequestPayloadError:
            # Its chunks or its compression are broken. aiohttp's text may quote the body.
            refused = Problem("bad_request", "the body breaks off or is coded wrongly", close=True)
            status = refused.status
            return self._problem(refused, headers)
        except ConnectionError:
            # The caller went away; whatever was committed stays, and nobody waits for an answer.
            status = 499
            raise
        except Exception:  # the task's outermost edge
            self._metrics.count(m.TASK_ERRORS, 1, "http")
            log.exception("request failed", extra={"request_id": headers["X-Request-Id"]})
            if request.writer.output_size > 0:
                raise ConnectionResetError("a stream broke off") from None
            return self._problem(Problem("internal_error", "the request was not carried out"),
                                 headers)  # fmt: skip
        finally:
            self.active -= 1
            self._service.tally.request(label, method, status, time.perf_counter() - started)

    def _find(self, path: str, method: str) -> tuple[Route, str]:
        """The route and what stands for `{id}`."""
        item = ""
        methods = self._routes.get(path)
        if methods is None:
            steps = path.split("/")
            for place in range(3, min(len(steps), 5)):
                if methods is None and steps[place]:
                    item, steps[place] = steps[place], "{id}"
                    methods = self._routes.get("/".join(steps))
                    steps[place] = item
        if methods is None:
            raise Problem("not_found", "there is no such path; /docs lists those there are")
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            allowed = sorted(methods) + (["HEAD"] if "GET" in methods else [])
            raise Problem(
                "method_not_allowed",
                f"the path takes {', '.join(allowed)}",
                headers=[("Allow", ", ".join(allowed))],
            )
        return route, item

    async def _serve(self, route: Route, call: Call) -> Answer | web.StreamResponse:
        """The checks every request passes, in order, and then its handler."""
        request = call.request
        if route.scope is not None:
            await self._admit_key(route.scope, call, admin=route.admin)
        if not route.takes_body:
            return await route.handler(call)
        call.media = _media(request, route)
        field = request.headers.get("Idempotency-Key") if route.idempotent else None
        if field is None:
            return await route.handler(call)
        scope = f"{route.method} {request.path}"
        with self._claims.claim(call.account.name, scope, field) as claim:
            call.claim = claim
            return await route.handler(call)

    async def _admit_key(self, scope: str, call: Call, *, admin: bool) -> None:
        request, now = call.request, call.now
        try:
            known = self._keyring.recall(request.headers.get("Authorization"), now)
            identity = known if isinstance(known, Identity) else await self._keyring.ask(known, now)
            identity.check(request.remote, now)
        except Problem as problem:
            self._metrics.count(m.AUTH_FAILURES, 1, problem.code)
            problem.close = True
            raise
        call.identity = identity
        bucket = identity.bucket
        allowed = bucket.take(now)
        call.headers["RateLimit-Policy"] = bucket.policy
        call.headers["RateLimit"] = bucket.field
        if not allowed:
            raise busy_problem(
                "too_many_requests", "the key's requests of this second are used up", bucket.wait
            )
        if scope not in identity.scopes and not (admin and "admin" in identity.scopes):
            self._metrics.count(m.AUTH_FAILURES, 1, "missing_scope")
            raise Problem("missing_scope", f"the key lacks the scope `{scope}`")

    async def _tell(
        self, problem: Problem, call: Call | None, headers: dict[str, str]
    ) -> web.Response:
        """A problem - unless the same request has been answered before.

        A repetition must get the first answer even if the world has changed since: the recipient
        may have opted out, the limit may have been lowered. Asked only here, so that a good
        request costs no look-up.
        """
        if call is not None and call.claim is not None and problem.status in (402, 422):
            before = None
            try:
                if call.claim.complete and problem.code != "idempotency_key_reused":
                    before = await call.answered_before()
            except Problem as other:
                problem = other
            except AldisError as error:
                problem = problem_for(error)
            if before is not None:
                return self._respond(before, headers)
        return self._problem(problem, headers)

    # --- answers

    def _respond(self, result: Answer, headers: dict[str, str]) -> web.Response:
        if result.body:
            headers["Content-Type"] = result.media
        headers.update(result.headers)
        return web.Response(status=result.status, body=result.body, headers=headers)

    def _problem(self, problem: Problem, headers: dict[str, str]) -> web.Response:
        headers["Content-Type"] = CONTENT_TYPE
        headers.update(problem.headers)
        body = body_of(problem, headers["X-Request-Id"])
        response = web.Response(status=problem.status, body=body, headers=headers)
        if problem.close:
            response.force_close()
        return response

    def _bad_request(self, exc: BaseException | None) -> web.Response:
        headers = {"Server": "aldis", "X-Request-Id": f"{self._id_prefix}{next(self._ids):x}"}
        if isinstance(exc, LineTooLong):
            detail = f"the request line or a header has more than {HEADER} octets"
            problem = Problem("header_too_large", detail, close=True)
        else:
            problem = Problem("bad_request", "the request is not HTTP we understand", close=True)
        self._service.tally.request(_NO_ROUTE, "other", problem.status, 0.0)
        return self._problem(problem, headers)

    def _request_id(self, request: web.BaseRequest) -> str:
        given = request.headers.get("X-Request-Id")
        if given is not None and _REQUEST_ID.match(given):
            return given
        return f"{self._id_prefix}{next(self._ids):x}"


def _media(request: web.BaseRequest, route: Route) -> str:
    """The body's media type, if the route takes it. JSON may go unnamed."""
    field = request.headers.get("Content-Type", "")
    media, _, parameters = field.partition(";")
    media = media.strip().lower() or route.media[0]
    if media not in route.media:
        raise Problem(
            "unsupported_media_type",
            f"the path takes {' or '.join(route.media)}",
            headers=[("Accept", ", ".join(route.media))],
            close=True,
        )
    charset = parameters.lower().replace('"', "").replace(" ", "")
    if "charset=" in charset and "charset=utf-8" not in charset:
        raise Problem("unsupported_media_type", "the charset is UTF-8", close=True)
    return media
