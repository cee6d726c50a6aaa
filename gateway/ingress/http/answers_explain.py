"""What an explanation says, as structs.

In: nothing. Out: types, as in `answers`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from gateway.ingress.http.answers import MessageOut, ReasonOut, StatusName


class RuleOut(msgspec.Struct):
    """One rule a step went by."""

    rule: str
    source: str
    """Where it stands: a setting, a file with its date, a law."""


class StepOut(msgspec.Struct):
    """One check of admission."""

    check: str
    decision: Literal["passes", "changes", "holds", "puts off", "drops", "refuses", "not reached"]
    reason: ReasonOut | None
    changes: dict[str, str]
    """What it wrote on the message, by name; the number masked, the text left out."""
    rules: list[RuleOut]


class CarrierChoice(msgspec.Struct):
    """One carrier of the route, as it stands now."""

    name: str
    takes: bool
    why: str


class Explanation(msgspec.Struct):
    """Why a message would, or would not, leave now."""

    at: datetime
    verdict: str
    """One sentence."""
    status: StatusName | None
    """What it would be accepted as; null where it would be refused."""
    reason: ReasonOut | None
    send_at_effective: datetime | None
    steps: list[StepOut]
    route: str | None
    carriers: list[CarrierChoice]
    """Who could take it, in the route's order; empty where it never gets there."""
    message: MessageOut | None = None
    """The message that was asked about by id, as it stands."""
