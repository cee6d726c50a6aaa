"""The OpenAPI 3.1 document, made from the route table and the structs that serve it.

In: routes. Out: the document as a dict, and the handler that serves it. Knows no handler's inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from gateway.ingress.http import answers
from gateway.ingress.http.call import JSON, Answer, Call
from gateway.ingress.http.problem import CONTENT_TYPE, STATUSES, TITLES, ProblemDetails
from gateway.ingress.http.route import Route

NDJSON: Final = "application/x-ndjson"
REF: Final = "#/components/schemas/{name}"
_IN_PATH: Final = {
    "msg": "Message id, `msg_` and 13 characters.",
    "bat": "Batch id, `bat_` and 13 characters.",
    "whk": "Endpoint id, `whk_` and 13 characters.",
    "number": "A number in international form, its plus escaped or left out.",
    "key": "Key id, `key_` and 13 characters.",
    "stopwords": "The list's name.",
    "itm": "Item id, `itm_` and 13 characters.",
    "sender": "The entry's name.",
    "keyword": "The keyword's name.",
    "template": "The template's name.",
}

INTRODUCTION: Final = """\
Submit messages, follow them, receive events. JSON in UTF-8; times are RFC 3339 with an offset;
numbers are E.164.

**Errors** are `application/problem+json` (RFC 9457). `code` is stable and explained below;
`errors` points at the fields at fault. Unknown fields and parameters are refused by name.

**Idempotency.** Send `Idempotency-Key` (1 to 255 printable ASCII characters, with or without
quotes) with a POST that stores. The same key and body get the first answer again for 24 hours,
with `Idempotency-Replayed: true`; another body gets 422; a request still being worked on 409.
Refused requests leave no trace under the key.

**Limits.** `RateLimit` and `RateLimit-Policy` on every answer to a known key; 429 with
`Retry-After` beyond. 503 with `Retry-After` means nothing was stored.

**Paging.** `limit` up to 1000, then follow `Link: rel="next"` or `next_cursor`.
"""


async def get(call: Call) -> Answer:
    """The document."""
    return Answer(200, call.service.document)


def document(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """The whole OpenAPI document."""
    paths: dict[str, dict[str, Any]] = {}
    components = _schemas(routes)
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Aldis", "version": version, "description": INTRODUCTION},
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key, `ak_…`."}
            },
            "headers": _HEADERS,
            "responses": {_problem_name(status): _problem(status) for status in ERRORS},
        },
        "x-problems": [
            {"code": code, "status": STATUSES[code], "title": title}
            for code, title in TITLES.items()
        ],
    }


def _schemas(routes: Sequence[Route]) -> dict[str, Any]:
    types: dict[type, None] = {ProblemDetails: None, answers.MessageOut: None}
    for route in routes:
        for given in (route.request, route.request_line, *route.responses.values(), route.lines):
            for kind in given if isinstance(given, tuple) else (given,):
                if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
                    types[kind] = None
    _, components = msgspec.json.schema_components(types, ref_template=REF)
    return components


def _ref(kind: type | tuple[type, ...]) -> dict[str, Any]:
    if isinstance(kind, tuple):
        return {"anyOf": [_ref(one) for one in kind]}
    if issubclass(kind, msgspec.Struct):
        return {"$ref": REF.format(name=kind.__name__)}
    return {"type": "object"} if kind is dict else {"type": "string"}


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _name(route),
        "summary": route.summary,
        "tags": [route.tag],
        "responses": {str(status): body for status, body in _responses(route)},
    }
    if route.description:
        operation["description"] = route.description
    if route.scope is not None:
        operation["security"] = [{"key": []}]
        operation["x-scope"] = route.scope
    parameters = list(_parameters(route))
    if parameters:
        operation["parameters"] = parameters
    if route.takes_body:
        operation["requestBody"] = {
            "required": not route.body_optional,
            "content": {media: {"schema": _body(route, media)} for media in route.media},
        }
    return operation


def _body(route: Route, media: str) -> dict[str, Any]:
    if route.request is not None and media == JSON:
        one = _ref(route.request)
        if not route.many:
            return one
        return {"anyOf": [one, {"type": "array", "items": one, "maxItems": route.many}]}
    if media == NDJSON and route.request_line is not None:
        return _ref(route.request_line)
    return {"type": "string"}


def _name(route: Route) -> str:
    steps = [step for step in route.path.strip("/").split("/") if step not in ("v1", "{id}")]
    one = "_one" if route.path.endswith("{id}") else ""
    return f"{route.method.lower()}_{'_'.join(steps)}{one}".replace("-", "_").replace(".", "_")


def _parameters(route: Route) -> Iterable[dict[str, Any]]:
    if route.item:
        yield {
            "name": "id",
            "in": "path",
            "required": True,
            "description": _IN_PATH[route.item],
            "schema": {"type": "string"},
        }
    for parameter in route.parameters:
        yield {
            "name": parameter.name,
            "in": "query",
            "description": parameter.description,
            "schema": parameter.schema,
        }
    if route.idempotent:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "Makes repeating the request safe.",
            "schema": {"type": "string", "maxLength": 257},
        }


ERRORS: Final = (400, 401, 402, 403, 404, 408, 409, 413, 415, 422, 429, 431, 500, 503)
"""Every error status some route can answer with."""


def error_statuses(route: Route) -> list[int]:
    """The error statuses a route can answer with."""
    statuses = {400, 429, 431, 500, 503} if route.scope is not None else {400, 431, 500, 503}
    if route.scope is not None:
        statuses |= {401, 403}
    if route.item:
        statuses.add(404)
    if route.takes_body:
        statuses |= {408, 413, 415, 422}
    if route.conflicts or route.idempotent:
        statuses.add(409)
    if route.reasons:
        statuses.add(402)
    return sorted(statuses)


def _responses(route: Route) -> Iterable[tuple[int, dict[str, Any]]]:
    for status, kind in route.responses.items():
        content: dict[str, Any] = {}
        if kind is not None:
            content[route.plain or "application/json"] = {"schema": _ref(kind)}
        if route.lines:
            content[NDJSON] = {"schema": _ref(route.lines)}
        if route.csv:
            content["text/csv"] = {"schema": {"type": "string"}}
        for media in route.exports:
            content[media] = {"schema": {"type": "string"}}
        response: dict[str, Any] = {
            "description": HTTPStatus(status).phrase,
            "headers": _headers(route),
        }
        if content:
            response["content"] = content
        yield status, response
    for status in error_statuses(route):
        yield status, {"$ref": f"#/components/responses/{_problem_name(status)}"}


def _problem_name(status: int) -> str:
    return f"Problem{status}"


def _problem(status: int) -> dict[str, Any]:
    """One error status, whichever route answers with it."""
    headers = ["X-Request-Id"]
    if status == 401:
        headers.append("WWW-Authenticate")
    else:
        headers += _LIMITS
    if status in (409, 429, 503):
        headers.append("Retry-After")
    return {
        "description": HTTPStatus(status).phrase,
        "headers": _header_refs(headers),
        "content": {CONTENT_TYPE: {"schema": _ref(ProblemDetails)}},
    }


_HEADERS: Final[dict[str, Any]] = {
    "X-Request-Id": {
        "description": "The request's name, the caller's own if it sent one.",
        "required": True,
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": 'Requests (q) the key may make in a window (w, seconds): `"default";q=…`.',
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "Requests left (r) and seconds until all are back (t).",
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "The challenge.", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "`true`: this is the first answer again.",
        "schema": {"type": "string", "const": "true"},
    },
    "Link": {"description": 'The next page, `rel="next"`.', "schema": {"type": "string"}},
}


_LIMITS: Final = ("RateLimit-Policy", "RateLimit")


def _headers(route: Route) -> dict[str, Any]:
    """Header fields of a good answer."""
    names = ["X-Request-Id"]
    if route.scope is not None:
        names += _LIMITS
    if route.idempotent:
        names.append("Idempotency-Replayed")
    if any(parameter.name == "cursor" for parameter in route.parameters):
        names.append("Link")
    return _header_refs(names)


def _header_refs(names: Sequence[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
