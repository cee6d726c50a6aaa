"""What the API answers about people.

In: nothing. Out: types, as in `answers`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from gateway.ingress.http.answers import InboundOut, IneligibleOut, MessageOut, ReasonOut

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
    zones: list[str] = []
    """Time zones it can be in; quiet hours keep to all of them."""
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


class SubjectOut(msgspec.Struct):
    """The first line of an export."""

    number: str
    exported_at: datetime
    failures: int
    """Permanent failures in a row."""
    failed_at: datetime | None
    suppressed: bool


class SubjectOptOut(msgspec.Struct):
    """A refusal; `removed_at` tells when it was taken back."""

    sender: str
    category: str
    at: datetime
    source: str
    proof: dict[str, Any]
    removed_at: datetime | None


class SubjectLine(msgspec.Struct, omit_defaults=True):
    """One thing kept of a number: `kind` names the field that has it."""

    kind: Literal["subject", "opt_out", "consent", "message", "reply", "ineligible"]
    subject: SubjectOut | None = None
    opt_out: SubjectOptOut | None = None
    consent: ConsentOut | None = None
    message: MessageOut | None = None
    reply: InboundOut | None = None
    ineligible: IneligibleOut | None = None
    """Its place in the recipients of `batch_id` that could not be served."""
    batch_id: str | None = None


class SubjectErased(msgspec.Struct):
    """What an erasure took away."""

    messages: int
    """Messages whose number, text, values and reference are gone; they are listed without."""
    canceled: int
    """Those of them that had not left."""
    under_way: int
    """Messages that have left: they are erased as soon as their fate is known."""
    replies: int
    ineligible: int
    """Places in batches' lists of recipients that could not be served."""
    consents: int
    opt_outs_kept: int
    """Refusals kept as keyed hashes: they still stop messages."""
