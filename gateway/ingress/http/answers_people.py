"""What the API answers about people.

In: nothing. Out: types, as in `answers`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

ConsentName = Literal["granted", "denied", "unknown"]


class ConsentOut(msgspec.Struct):
    """One statement, as it was recorded."""

    number: str
    brand: str
    """In lower case and without `+`, as senders are compared; `*` for all."""
    state: ConsentName
    at: datetime
    """When it was said."""
    wording: str
    source: str
    actor: str
    """Who recorded it: a key's prefix and name, or `keyword`."""


class ConsentPage(msgspec.Struct):
    """Statements, the last recorded first."""

    data: list[ConsentOut]
    next_cursor: str | None


class ConsentsRecorded(msgspec.Struct):
    """How many statements were recorded."""

    recorded: int
