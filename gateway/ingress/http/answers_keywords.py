"""What the API answers about keywords.

In: nothing. Out: types, as those of `answers`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from gateway.ingress.http.shapes_keywords import MatchName


class KeywordOut(msgspec.Struct):
    """A keyword of the account's own. `disabled` says why it is not tried any more, if so."""

    name: str
    match: MatchName
    pattern: str
    senders: list[str]
    language: str | None
    reply: str | None
    webhook: bool
    priority: int
    disabled: str | None
    version: int
    updated_at: datetime
    updated_by: str


class KeywordList(msgspec.Struct):
    """All of the account's, by name."""

    data: list[KeywordOut]


class KeywordOutcome(msgspec.Struct):
    """What a reply would do. `when`: `asked` if the number was asked to confirm a subscription
    within a day, `refusing` if it has opted out of the sender, `otherwise`."""

    when: Literal["asked", "refusing", "otherwise"]
    kind: str
    word: str
    language: str | None
    answer: str | None
    unanswered: str | None
    """Why `answer` would not be sent, whatever was said before (`own_sender`, `short_code` ...)."""
    event: bool


class KeywordTrialOut(msgspec.Struct):
    """The outcomes of a reply, the first that applies; none if it is no keyword."""

    outcomes: list[KeywordOutcome]
    refusing: bool
    """Whether the number has opted out of the sender now."""
