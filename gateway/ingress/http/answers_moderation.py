"""What the API answers moderators.

In: nothing. Out: types, as in `answers`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

StateName = Literal["waiting", "approved", "rejected"]


class ItemOut(msgspec.Struct):
    """A text, however many messages say it. `text` is empty once retention has removed it."""

    id: str
    state: StateName
    account: str
    sender: str
    category: str
    text: str
    words: list[str]
    """Entries of the stop-word lists that were found; none where every text waits."""
    template: str | None
    messages: int
    """Ever held for it."""
    waiting: int
    """Held now."""
    created_at: datetime
    first_due_at: datetime
    """When the first of its messages would leave: scheduled ones are judged ahead."""
    age_seconds: float
    """Until now, or until it was decided."""
    claimed_by: str | None
    """Who has it now; null when the claim is over."""
    claimed_until: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None


class ItemPage(msgspec.Struct):
    """Items, oldest first."""

    data: list[ItemOut]
    next_cursor: str | None


class OutcomeOut(msgspec.Struct):
    """What one decision came to: done; unknown: there is no such item; taken: another moderator has
    it; decided: it was decided already. The other fields tell how the item stands now."""

    id: str
    outcome: Literal["done", "unknown", "taken", "decided"]
    state: StateName | None
    claimed_by: str | None
    decided_by: str | None


class Outcomes(msgspec.Struct):
    """In the order of the decisions."""

    data: list[OutcomeOut]


class AuditOut(msgspec.Struct):
    """Who did what when."""

    at: datetime
    account: str
    """Whose texts it concerned; `*` where they could be anybody's."""
    actor: str
    action: str
    """moderation.list, .view, .claim, .release, .approve, .reject"""
    item: str | None
    detail: dict[str, Any]


class AuditPage(msgspec.Struct):
    """The trail of moderation, newest first."""

    data: list[AuditOut]
    next_cursor: str | None
