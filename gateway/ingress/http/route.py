"""What a row of the route table says.

In: nothing. Out: the types of `routes.ROUTES`. Serving, OpenAPI, scopes, metrics labels and the
tests' checks all read the same rows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from gateway.ingress.http.call import JSON, Answer, Call

Handler = Callable[[Call], Awaitable[Answer | web.StreamResponse]]


class Parameter(msgspec.Struct, frozen=True):
    """A query parameter."""

    name: str
    description: str
    schema: dict[str, Any]


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path."""

    method: str
    path: str
    """With at most one `{id}`, the second or third step after `v1`: `/v1/batches/{id}/stats`,
    `/v1/moderation/items/{id}/claim`."""
    handler: Handler
    summary: str
    description: str = ""
    tag: str
    scope: str | None
    """What the key must be allowed; None: no key is needed."""
    admin: bool = False
    """Whether the scope `admin` will do as well."""
    item: str = ""
    """Prefix of the id in the path."""
    request: type | None = None
    """Struct of the JSON body."""
    many: int = 0
    """Most entries where the body may also be a list of `request`."""
    request_line: type | None = None
    """Struct of one line of an NDJSON body."""
    media: tuple[str, ...] = (JSON,)
    """Media types the body may have."""
    responses: dict[int, type | tuple[type, ...] | None]
    """Struct by status (or one of several); None: an empty body."""
    lines: tuple[type, ...] = ()
    """Structs of the lines, for routes that also answer NDJSON."""
    csv: bool = False
    """Whether it also answers CSV."""
    plain: str | None = None
    """Media type of the answer where it is not made of a struct."""
    exports: tuple[str, ...] = ()
    """Other media types the answer may have, for whoever accepts them."""
    parameters: tuple[Parameter, ...] = ()
    conflicts: bool = False
    """Whether the state of things can forbid it (409)."""
    reasons: bool = False
    """Whether the answer may be a message's reason (402, 422, 503)."""
    idempotent: bool = False
    """Whether it takes an Idempotency-Key."""
    takes_body: bool = False
    body_optional: bool = False
    """Whether no body says the same as an empty object."""
