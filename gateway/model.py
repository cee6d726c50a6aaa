"""The vocabulary every stage shares: statuses, their transitions, categories, lanes, encodings.

In: nothing. Out: names. This module knows no stage, no store and no wire.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

import msgspec


class Status(IntEnum):
    """Where a message stands. Stored as the number, spoken as the lower-case name."""

    ACCEPTED = 0
    SCHEDULED = 1
    HELD_MODERATION = 2
    HELD_QUIET = 3
    QUEUED = 4
    SENDING = 5
    SENT = 6
    DELIVERED = 7
    UNDELIVERED = 8
    EXPIRED = 9
    REJECTED = 10
    FAILED = 11
    CANCELED = 12
    UNKNOWN = 13

    @property
    def public(self) -> str:
        """The name the API and the events use."""
        return STATUS_NAMES[self]


STATUS_NAMES: Final = tuple(status.name.lower() for status in Status)
"""`STATUS_NAMES[number]` is 20 times cheaper than building the enum member (architecture §9)."""

STATUS_BY_NAME: Final = {status.name.lower(): status for status in Status}

_ENDINGS = frozenset({Status.EXPIRED, Status.REJECTED, Status.FAILED, Status.CANCELED})
_RECEIPT_ENDINGS = frozenset(
    {Status.DELIVERED, Status.UNDELIVERED, Status.EXPIRED, Status.REJECTED, Status.FAILED}
)

TRANSITIONS: Final[dict[Status, frozenset[Status]]] = {
    Status.ACCEPTED: frozenset(
        {Status.SCHEDULED, Status.HELD_MODERATION, Status.HELD_QUIET, Status.QUEUED} | _ENDINGS
    ),
    Status.SCHEDULED: frozenset(
        {Status.QUEUED, Status.SENDING, Status.HELD_MODERATION, Status.HELD_QUIET} | _ENDINGS
    ),
    Status.HELD_MODERATION: frozenset(
        {Status.SCHEDULED, Status.QUEUED, Status.HELD_QUIET} | _ENDINGS
    ),
    # To moderation: with another text (replace_sm) a message is judged anew.
    Status.HELD_QUIET: frozenset(
        {Status.QUEUED, Status.SENDING, Status.HELD_MODERATION} | _ENDINGS
    ),
    Status.QUEUED: frozenset(
        {Status.SENDING, Status.SENT, Status.HELD_MODERATION, Status.HELD_QUIET} | _ENDINGS
    ),
    Status.SENDING: frozenset({Status.QUEUED, Status.SENT, Status.UNKNOWN} | _ENDINGS),
    Status.SENT: _RECEIPT_ENDINGS | {Status.UNKNOWN, Status.CANCELED},
    # `unknown` is where a message ends when nobody told us its fate. Evidence that comes
    # later - a late response, then a receipt - is better than ignorance, so it may still move.
    Status.UNKNOWN: _RECEIPT_ENDINGS,
    Status.DELIVERED: frozenset(),
    Status.UNDELIVERED: frozenset(),
    Status.EXPIRED: frozenset(),
    Status.REJECTED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELED: frozenset(),
}
"""The one transition table. QUEUED -> SENT is a late response to an attempt thought lost."""

FINAL: Final = frozenset(
    {
        Status.DELIVERED,
        Status.UNDELIVERED,
        Status.EXPIRED,
        Status.REJECTED,
        Status.FAILED,
        Status.CANCELED,
        Status.UNKNOWN,
    }
)


WAITING: Final = frozenset(
    {
        Status.ACCEPTED,
        Status.SCHEDULED,
        Status.HELD_MODERATION,
        Status.HELD_QUIET,
        Status.QUEUED,
    }
)
"""Statuses of messages that have not left: they can be cancelled and replaced."""


class IllegalTransition(ValueError):
    """A status change the table does not know."""


def check_transition(before: Status, after: Status) -> None:
    """Raise `IllegalTransition` unless `before -> after` stands in the table."""
    if after not in TRANSITIONS[before]:
        raise IllegalTransition(f"{before.public} -> {after.public}")


class Category(StrEnum):
    """What a message is for. It decides its class, its rules and what a doubtful fate means."""

    TRANSACTIONAL = "transactional"
    SERVICE = "service"
    INFORMATIONAL = "informational"
    ADVERTISING = "advertising"


class Priority(StrEnum):
    """The caller's wish within what its category allows."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class LaneClass(StrEnum):
    """The three speeds of a route, fastest first."""

    OTP = "otp"
    SERVICE = "service"
    BULK = "bulk"


LANE_CLASSES: Final = tuple(LaneClass)

_CLASS_OF_CATEGORY = {
    Category.TRANSACTIONAL: 0,
    Category.SERVICE: 1,
    Category.INFORMATIONAL: 2,
    Category.ADVERTISING: 2,
}
_LIFT = {Priority.HIGH: -1, Priority.NORMAL: 0, Priority.LOW: 1}


def lane_class(category: Category, priority: Priority) -> LaneClass:
    """The class a message travels in.

    `priority` moves it by one; advertising never reaches the one-time codes' class.
    """
    step = _CLASS_OF_CATEGORY[category] + _LIFT[priority]
    return LANE_CLASSES[min(max(step, 0), len(LANE_CLASSES) - 1)]


class Lane(msgspec.Struct, frozen=True, order=True):
    """Route x class, less the carriers that have already failed the message, and less those that
    must not have it.

    Fail-over is just another carrier pulling: a message that one carrier could not take waits in
    the lane every *other* carrier of the route pulls from. Stored and keyed by `str(lane)`:
    `main/bulk`, `main/bulk/op1` (without op1), `main/bulk/op1+op2`, `main/bulk/!op3+op1` (op1 has
    failed, op3 may not: the sender is not registered there). Who has failed may be the last resort;
    who may not never is. No carrier's name begins with an exclamation mark (`config.base.Name`).
    """

    route: str
    lane_class: LaneClass
    without: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()

    def __str__(self) -> str:
        name = f"{self.route}/{self.lane_class}"
        if self.barred:
            less = (*[f"!{carrier}" for carrier in self.barred], *self.without)
            return f"{name}/{'+'.join(less)}"
        return f"{name}/{'+'.join(self.without)}" if self.without else name

    @classmethod
    def parse(cls, name: str) -> Lane:
        """The inverse of `str(lane)`."""
        route, lane_class, *less = name.split("/")
        if not less:
            return cls(route, LaneClass(lane_class))
        names = less[0].split("+")
        without = tuple([each for each in names if each[0] != "!"])
        barred = tuple([each[1:] for each in names if each[0] == "!"])
        return cls(route, LaneClass(lane_class), without, barred)

    def excluding(self, carrier: str) -> Lane:
        """The lane for a message that `carrier` has failed as well."""
        without = tuple(sorted({*self.without, carrier}))
        return Lane(self.route, self.lane_class, without, self.barred)


class Encoding(IntEnum):
    """How a text travels. Stored as the number, spoken as the lower-case name."""

    GSM = 0
    UCS2 = 1
    LATIN1 = 2
    BINARY = 3


ENCODING_NAMES: Final = tuple(encoding.name.lower() for encoding in Encoding)


class BatchState(StrEnum):
    """A campaign's life. Only `running` lets its messages be leased."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELED = "canceled"


BATCH_TRANSITIONS: Final[dict[BatchState, frozenset[BatchState]]] = {
    BatchState.DRAFT: frozenset({BatchState.RUNNING, BatchState.CANCELED}),
    BatchState.RUNNING: frozenset({BatchState.PAUSED, BatchState.FINISHED, BatchState.CANCELED}),
    BatchState.PAUSED: frozenset({BatchState.RUNNING, BatchState.CANCELED}),
    # New recipients reopen a finished campaign.
    BatchState.FINISHED: frozenset({BatchState.RUNNING}),
    BatchState.CANCELED: frozenset(),
}


class OnUnknown(StrEnum):
    """What happens to a message whose submission got no answer (promise 3)."""

    RESEND = "resend"
    FAIL = "fail"


UNKNOWN_POLICY: Final[dict[Category, OnUnknown]] = {
    # A second code is a nuisance, a missing one locks a person out; a second advert is a complaint
    # and a second fee.
    Category.TRANSACTIONAL: OnUnknown.RESEND,
    Category.SERVICE: OnUnknown.RESEND,
    Category.INFORMATIONAL: OnUnknown.FAIL,
    Category.ADVERTISING: OnUnknown.FAIL,
}
"""The default by category; a carrier's profile may say otherwise."""


def mask_number(number: str | int) -> str:
    """`+33681234001` -> `+3368****001`: enough to recognise, too little to call.

    Numbers too short to hide behind their ends are masked whole.
    """
    digits = str(number).lstrip("+")
    if len(digits) < 9:
        return "****"
    return f"+{digits[:4]}****{digits[-3:]}"
