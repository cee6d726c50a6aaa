"""Scopes and query parameters that many routes share.

In: nothing. Out: values for the rows of the route table.
"""

from __future__ import annotations

from typing import Any, Final

from gateway.ingress.http.route import Parameter
from gateway.ingress.http.values import DEFAULT_LIMIT, MAX_LIMIT

WRITE: Final = "messages:write"
READ: Final = "messages:read"
ADMIN: Final = "admin"
OPTOUTS: Final = "optouts"
MODERATION: Final = "moderation"

STRING: Final[dict[str, Any]] = {"type": "string"}

LIMIT: Final = Parameter(
    "limit",
    "Most entries of one page.",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
)
CURSOR: Final = Parameter("cursor", "`next_cursor` of the page before; opaque.", STRING)
