"""Schedule: when a message may leave and when it is given up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from config.zone_names import zone_names, zone_problem
from gateway.admission.world import World, standing
from gateway.draft import Ask, Draft
from gateway.errors import Refused
from gateway.model import Status

SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND
SHORTEST_VALIDITY: Final = 1 * SECOND
LONGEST_VALIDITY: Final = 14 * DAY
"""Beyond two weeks no message centre keeps a message (TS 23.040 allows 63 weeks, none does)."""
FURTHEST: Final = 400 * DAY
"""A year and a month: next year's greetings, but not a typing error in the year."""
SKIPPED: Final = "catch_up is skip: what misses its time by catch_up_late is not sent any more"
_EPOCH: Final = datetime(1970, 1, 1)


def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
    """Write `due`, `deadline`, `status` and `zone`; refuse times that make no sense and zones that
    do not exist.

    `send_at_local` is written later, by `local_time`, once it is known where recipients are.
    """
    now, validity = ask.now, validity_of(ask)
    due = now if ask.send_at is None else ask.send_at
    if due > now + FURTHEST:
        raise Refused("validity_expired", "send_at is more than 400 days ahead", "#/send_at")
    if due + validity <= now:
        raise Refused("validity_expired", "send_at plus validity is in the past", "#/send_at")
    if ask.send_at is not None and ask.send_at <= now - too_late(ask):
        raise Refused("validity_expired", f"send_at is past, and {SKIPPED}", "#/send_at")
    if ask.send_at_local is not None:
        _check_local(ask.send_at_local, now, validity)
    due = max(due, now)
    deadline = due + validity
    status = Status.SCHEDULED if due > now else Status.QUEUED
    shared = ask.timezone
    if shared is not None:
        problem = zone_problem(shared)
        if problem is not None:
            raise Refused("invalid_timezone", problem, "#/timezone")
    known = zone_names()
    wrong = False
    for draft in drafts:
        draft.due, draft.deadline, draft.status = due, deadline, status
        if draft.zone is None:
            draft.zone = shared
        elif draft.zone not in known:
            draft.refuse("invalid_timezone", zone_problem(draft.zone) or "", "#/timezone")
            draft.zone, wrong = None, True
    return standing(drafts) if wrong else drafts


def too_late(ask: Ask) -> int:
    """By how much a message may miss its time, µs."""
    return int(ask.account.catch_up_late * SECOND) if ask.catch_up == "skip" else FURTHEST


def validity_of(ask: Ask) -> int:
    """How long its messages may try to leave, µs; refused if that is no time anyone keeps to."""
    validity = ask.validity
    if validity is None:
        validity = int(ask.account.validity * SECOND)
    if not SHORTEST_VALIDITY <= validity <= LONGEST_VALIDITY:
        raise Refused(
            "validity_expired",
            f"{validity // SECOND} s; a validity is 1 second to 14 days",
            "#/validity",
        )
    return validity


def _check_local(clock: datetime, now: int, validity: int) -> None:
    # Clocks are 14 hours ahead of UTC to 12 behind it: a day's leave is enough for all of them.
    moment = (clock - _EPOCH) // timedelta(microseconds=1)
    if moment - DAY > now + FURTHEST:
        problem = "send_at_local is more than 400 days ahead"
    elif moment + DAY + validity <= now:
        problem = "send_at_local plus validity is in the past"
    else:
        return
    raise Refused("validity_expired", problem, "#/send_at_local")
