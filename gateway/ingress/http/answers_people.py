"""What the API answers about people.

In: nothing. Out: types, as in `answers`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from gateway.ingress.http.answers import ReasonOut

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


class NumberOut(msgspec.Struct, omit_defaults=True):
    """One number of a list, in its place."""

    valid: bool
    """Whether the account could write to it, its opt-out and its failures apart."""
    e164: str | None = None
    country: str | None = None
    """ISO 3166 code; left out for numbers of no country."""
    type: str | None = None
    """`mobile`, `fixed_line`, `fixed_line_or_mobile` where the plan does not tell, `voip` ..."""
    reason: ReasonOut | None = None
    """Why it is not valid."""
    opted_out: bool = False
    """Whether it refuses `from` and `category`; without them, whether it refuses everything."""
    suppressed: bool = False
    """Whether it failed for good too often in a row."""


class NumberList(msgspec.Struct):
    """The numbers in the order they were sent."""

    data: list[NumberOut]


class SuppressionLifted(msgspec.Struct):
    """`lifted` is false if the number was not suppressed."""

    number: str
    lifted: bool
