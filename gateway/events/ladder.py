"""What a try came to: taken, to be tried again (when), or given up. Pure.

In: the answer of an endpoint and how often and how long its delivery has been tried. Out: a
verdict. Knows no HTTP client, no store and no clock.
"""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from gateway.store.records import DeliveryState

RUNGS: Final = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds before each try: the schedule Standard Webhooks recommends."""

LIFE: Final = sum(RUNGS)
"""Seconds a delivery is tried at least: a little over three days."""

JITTER: Final = 0.1
"""Each pause grows by up to this share, so that what failed together does not return together."""

LONGEST_RETRY_AFTER: Final = 86_400.0
"""An endpoint cannot ask for more than a day: a slip (milliseconds for seconds) heals itself."""

SHORTEST_RETRY_AFTER: Final = 1.0
"""`Retry-After: 0` shall not become a busy loop."""

GONE: Final = 410
_RETRY_AFTER: Final = frozenset({429, 503})


class Verdict(msgspec.Struct, frozen=True):
    """What becomes of a delivery."""

    state: DeliveryState
    pause: float = 0.0
    """PENDING: seconds until the next try."""
    asked: float | None = None
    """Seconds the endpoint asked us to stay away, if it did."""
    disable: bool = False
    """The endpoint said it is gone for good."""


_DELIVERED: Final = Verdict(DeliveryState.DELIVERED)
_GONE: Final = Verdict(DeliveryState.DEAD, disable=True)
_DEAD: Final = Verdict(DeliveryState.DEAD)


def judge(
    status: int, retry_after: str | None, attempts: int, age: float, now: int, jitter: float
) -> Verdict:
    """The verdict on one try.

    `status` is the HTTP status (0: none), `retry_after` the header as it came, `attempts` the
    tries made, this one included, `age` the seconds since the delivery was cut, `now` UTC in µs,
    `jitter` 0..1.

    A delivery is given up when it has had all its tries *and* all their time: an endpoint that
    says 429 with `Retry-After: 1` ten times in a row has not refused it for three days.
    """
    if 200 <= status < 300:
        return _DELIVERED
    if status == GONE:
        return _GONE
    if attempts >= len(RUNGS) and age >= LIFE:
        return _DEAD
    spread = 1.0 + JITTER * jitter
    asked = _seconds(retry_after, now) if status in _RETRY_AFTER else None
    if asked is not None:
        return Verdict(DeliveryState.PENDING, asked * spread, asked)
    return Verdict(DeliveryState.PENDING, RUNGS[min(attempts, len(RUNGS) - 1)] * spread)


def _seconds(retry_after: str | None, now: int) -> float | None:
    """RFC 9110 §10.2.3: a number of seconds or a date. None if it is neither."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdecimal():
        # More digits than a day has are the longest pause whatever they say.
        seconds = float(text) if len(text) < 9 else LONGEST_RETRY_AFTER
    else:
        try:
            at = parsedate_to_datetime(text)
        except (TypeError, ValueError):
            return None
        # A date without a zone is in UTC (RFC 9110 §5.6.7).
        at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        seconds = at.timestamp() - now / 1_000_000
    return min(max(seconds, SHORTEST_RETRY_AFTER), LONGEST_RETRY_AFTER)
