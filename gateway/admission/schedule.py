"""Schedule: when a message may leave and when it is given up."""

from __future__ import annotations

from typing import Final

from gateway.admission.world import World
from gateway.draft import Ask, Draft
from gateway.errors import Refused
from gateway.model import Status

SECOND: Final = 1_000_000
SHORTEST_VALIDITY: Final = 1 * SECOND
LONGEST_VALIDITY: Final = 14 * 86_400 * SECOND
"""Beyond two weeks no message centre keeps a message (TS 23.040 allows 63 weeks, none does)."""
FURTHEST: Final = 400 * 86_400 * SECOND
"""A year and a month: next year's greetings, but not a typing error in the year."""


def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
    """Write `due`, `deadline` and `status`; refuse times that make no sense."""
    now = ask.now
    validity = ask.validity
    if validity is None:
        validity = int(ask.account.validity * SECOND)
    if not SHORTEST_VALIDITY <= validity <= LONGEST_VALIDITY:
        raise Refused(
            "validity_expired",
            f"{validity // SECOND} s; a validity is 1 second to 14 days",
            "#/validity",
        )
    due = now if ask.send_at is None else ask.send_at
    if due > now + FURTHEST:
        raise Refused("validity_expired", "send_at is more than 400 days ahead", "#/send_at")
    if due + validity <= now:
        raise Refused("validity_expired", "send_at plus validity is in the past", "#/send_at")
    due = max(due, now)
    status = Status.SCHEDULED if due > now else Status.QUEUED
    deadline = due + validity
    for draft in drafts:
        draft.due, draft.deadline, draft.status = due, deadline, status
    return drafts
