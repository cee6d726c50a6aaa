"""What a message's fates amount to, once every part has one.

In: an `Outgoing` without pending parts, its carrier's profile, the routes, the moment. Out: one
`Settled`, or None: the message goes on, some of its parts have to be sent (again). Pure.

The worst part decides. A part refused for now sends the whole message round again, parts already
taken included: only a whole message may go to another carrier, and phones never show the
incomplete first copy.
"""

from __future__ import annotations

from typing import Final

from gateway.dispatch.backoff import retry_pause
from gateway.dispatch.lanes import Routes, parse
from gateway.dispatch.outgoing import Outgoing
from gateway.dispatch.profile import Profile
from gateway.model import OnUnknown, Status
from gateway.store.messages import Leased, Outcome, Settled
from protocol.constants import status_name

LONGEST_HOLD: Final = 1.0
"""Seconds a throttled message waits at its link. Beyond that it goes back to its lane, where
another carrier may find it (Jasmin's head-of-line block)."""

SEVERITY: Final = {"retry": 1, "next_carrier": 2, "fail": 3, "reject": 4}

_ONLY_HERE: Final = frozenset({"missing_tlv"})
"""Reasons that are one carrier's: it never saw the message, and another may take it as it is."""

# Plain ints on the hot path: an attribute of an enum class costs three times a global.
_QUEUED: Final = int(Status.QUEUED)
SENT: Final = int(Status.SENT)


def judge(
    outgoing: Outgoing,
    profile: Profile,
    routes: Routes,
    at: int,
    jitter: float,
    pause: float,
    link_up: bool,
) -> Settled | None:
    """The message's result; None if `outgoing.again` is to be sent on the same link.

    `at` is UTC µs, `pause` how many seconds the carrier's throttle still wants silence, `jitter`
    0..1.
    """
    bad = outgoing.bad
    if bad is not None and SEVERITY[bad[1]] >= SEVERITY["fail"]:
        return refused(outgoing.message, profile.name, at, *bad)
    if outgoing.unknown:
        return _unknown(outgoing, profile, routes, at)
    if bad is not None:
        return _failed_now(outgoing, profile, routes, at, jitter, *bad)
    if outgoing.again:
        if outgoing.taken:
            if link_up:
                return None
            return _again(outgoing.message, profile, routes, at, at, "network_error", None)
        if link_up and pause <= LONGEST_HOLD:
            return None
        return given_back(outgoing.message, profile.name, at, at + int(pause * 1_000_000))
    ids = tuple(each or "" for each in outgoing.ids or ())
    return Settled(
        outgoing.message, profile.name, Outcome.SENT, at, SENT, ids, profile.carrier.receipts
    )


def given_back(message: Leased, carrier: str, at: int, due: int) -> Settled:
    """The lease ends as if it had not been: nothing of the message was taken."""
    return Settled(
        message,
        carrier,
        Outcome.RETRY,
        at,
        _QUEUED,
        due=due,
        lane=message.lane,
        attempts=message.attempts,
    )


def unsendable(message: Leased, carrier: str, at: int, reason: str, routes: Routes) -> Settled:
    """The message cannot be encoded, or its time is over."""
    if reason in _ONLY_HERE and routes.another(message.lane, carrier):
        return _elsewhere(message, carrier, at, reason, None)
    status = Status.EXPIRED if reason == "validity_expired" else Status.FAILED
    return Settled(message, carrier, Outcome.FAILED, at, int(status), reason=reason)


def put_off(message: Leased, carrier: str, at: int, due: int, reason: str | None = None) -> Settled:
    """The message waits: for a window, or for room under a limit. No attempt was made."""
    settled = given_back(message, carrier, at, min(due, message.deadline))
    settled.reason = reason
    return settled


def left_to_others(message: Leased, carrier: str, at: int) -> Settled:
    """Not now over this carrier, and another takes it at once."""
    settled = given_back(message, carrier, at, at)
    settled.lane = str(parse(message.lane).excluding(carrier))
    return settled


def throttled_out(message: Leased, carrier: str, at: int, routes: Routes | None) -> Settled:
    """Over a limit that is not waited for. `routes`: another carrier may have room; None: the limit
    is the account's, whoever carries."""
    if routes is not None and routes.another(message.lane, carrier):
        return _elsewhere(message, carrier, at, "throttled_out", None)
    return Settled(message, carrier, Outcome.FAILED, at, int(Status.FAILED), reason="throttled_out")


def refused(
    message: Leased, carrier: str, at: int, command_status: int, action: str, reason: str
) -> Settled:
    """The operator's last word."""
    status = Status.REJECTED if action == "reject" else Status.FAILED
    return Settled(
        message,
        carrier,
        Outcome.FAILED,
        at,
        int(status),
        attempts=message.attempts + 1,
        reason=reason,
        carrier_code=status_name(command_status),
    )


def _failed_now(
    outgoing: Outgoing,
    profile: Profile,
    routes: Routes,
    at: int,
    jitter: float,
    command_status: int,
    action: str,
    reason: str,
) -> Settled:
    message = outgoing.message
    code = status_name(command_status)
    if action == "retry":
        attempts = message.attempts + 1
        pause = retry_pause(attempts, profile.carrier.retry_delay, jitter)
        return _again(message, profile, routes, at, at + int(pause * 1_000_000), reason, code)
    if routes.another(message.lane, profile.name):
        return _elsewhere(message, profile.name, at, reason, code)
    return refused(message, profile.name, at, command_status, "fail", reason)


def _again(
    message: Leased,
    profile: Profile,
    routes: Routes,
    at: int,
    due: int,
    reason: str,
    code: str | None,
) -> Settled:
    """Once more here, or at the next carrier, or never."""
    attempts = message.attempts + 1
    if attempts < profile.carrier.max_attempts:
        return Settled(
            message,
            profile.name,
            Outcome.RETRY,
            at,
            _QUEUED,
            due=due,
            lane=message.lane,
            attempts=attempts,
            reason=reason,
            carrier_code=code,
        )
    if routes.another(message.lane, profile.name):
        return _elsewhere(message, profile.name, at, reason, code)
    return Settled(
        message,
        profile.name,
        Outcome.FAILED,
        at,
        int(Status.FAILED),
        attempts=attempts,
        reason=reason,
        carrier_code=code,
    )


def _elsewhere(message: Leased, carrier: str, at: int, reason: str, code: str | None) -> Settled:
    return Settled(
        message,
        carrier,
        Outcome.RETRY,
        at,
        _QUEUED,
        due=at,
        lane=str(parse(message.lane).excluding(carrier)),
        attempts=0,
        reason=reason,
        carrier_code=code,
    )


def _unknown(outgoing: Outgoing, profile: Profile, routes: Routes, at: int) -> Settled:
    """Nobody told us. A resend counts as an attempt: a message that cuts every link it is sent
    over must not do so for ever."""
    message = outgoing.message
    lane, attempts, status = message.lane, message.attempts + 1, _QUEUED
    if profile.unknown_policy(outgoing.category) is not OnUnknown.RESEND:
        status = int(Status.UNKNOWN)
    elif attempts >= profile.carrier.max_attempts:
        if routes.another(lane, profile.name):
            lane, attempts = str(parse(lane).excluding(profile.name)), 0
        else:
            status = int(Status.UNKNOWN)
    # What the operator did confirm is kept: its receipts may tell more, and a late answer may
    # complete it.
    ids = tuple(each or "" for each in outgoing.ids or ())
    return Settled(
        message,
        profile.name,
        Outcome.UNKNOWN,
        at,
        status,
        ids,
        due=at,
        lane=lane,
        attempts=attempts,
        reason="outcome_unknown",
    )
