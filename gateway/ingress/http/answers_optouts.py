"""What the API answers about opt-outs.

In: nothing. Out: types, as in `answers`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from gateway.ingress.http.answers import LineProblem


class OptOutEntry(msgspec.Struct):
    """One refusal as it stands."""

    position: str
    """Where it stands in the order of changes: `since` of what came after it."""
    number: str | None
    """Null once the person was erased: a keyed hash is kept, which still stops messages."""
    sender: str
    """In lower case and without `+`, as senders are compared; `*` for all."""
    category: str
    at: datetime
    """When it was said."""
    source: str
    """`mo` (a reply), `api`, `import`, `smpp`; `erased` for erased people's."""
    proof: dict[str, Any]
    """What was said and who recorded it."""
    removed_at: datetime | None
    """When it was taken back."""


class OptOutPage(msgspec.Struct):
    """Refusals in order of their last change."""

    data: list[OptOutEntry]
    next_cursor: str | None


class OptOutOut(msgspec.Struct):
    """A recorded refusal and how many waiting messages it cancelled."""

    number: str
    sender: str
    category: str
    canceled: int


class OptOutRemoved(msgspec.Struct):
    """How many refusals were taken back; none if none was left."""

    number: str
    sender: str
    category: str
    removed: int


class ImportCounts(msgspec.Struct):
    """Exact counts of one import."""

    recorded: int
    """Refusals that are new."""
    known: int
    """Refusals that stood already."""
    malformed: int
    """Lines that are none."""


class OptOutImport(msgspec.Struct):
    """What became of every line."""

    counts: ImportCounts
    canceled: int
    """Waiting messages that were cancelled."""
    problems: list[LineProblem]
    """The first hundred."""
