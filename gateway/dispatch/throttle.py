"""How fast a carrier may be fed: a token bucket in PDU/s, and what its complaints have taught us.

In: moments (seconds of any monotonic origin), PDUs sent, complaints, congestion_state. Out: how
many PDUs may leave now, and when the next may. Pure; knows no clock, no link and no message.
"""

from __future__ import annotations

from math import inf
from typing import Final

FIRST_PAUSE: Final = 0.5
"""Seconds of silence after a first complaint: operators count PDUs per second, so half of one lets
at least half of the next second's allowance through."""
LONGEST_PAUSE: Final = 30.0
REGAIN: Final = 60.0
"""Seconds in which a rate grows from nothing to the configured one, in a straight line: a halved
rate is whole again after 30 s. Probing faster would be complained about every few seconds."""
LEAST_SHARE: Final = 1 / 64
"""Of the configured rate, how little the slow-down leaves: something must leave to learn that the
operator has recovered."""

OPTIMUM: Final = 80
NEARING: Final = 90
CONGESTED: Final = 100
"""congestion_state (SMPP 5.0 §4.8.4.18): 0 idle, up to 79 low, medium and high load, 80-89 the
optimum, 90-99 nearing congestion, 100 congested; the rest is reserved."""
STRONGEST_BRAKE: Final = 0.5
"""What a state of 100 leaves of the rate: as much as a complaint does."""


def brake(congestion_state: int) -> float | None:
    """The share of the present rate that a congestion_state leaves; None if it asks for nothing.

    Below the optimum the operator could take more, which the rate's own growth finds out. At the
    optimum (1.0) the rate is right as it is. From 90 to 100 it falls in a straight line, so that
    an operator that says so early is slowed early and gently, and never has to refuse anything.
    """
    if congestion_state < OPTIMUM or congestion_state > CONGESTED:
        return None
    if congestion_state < NEARING:
        return 1.0
    steps = congestion_state - NEARING + 1
    return 1.0 - (1.0 - STRONGEST_BRAKE) * steps / (CONGESTED - NEARING + 1)


class Throttle:
    """The pace of one carrier. `rate` is PDU/s, `burst` how many may leave at once after a rest."""

    __slots__ = (
        "_at",
        "_held",
        "_pause",
        "_rate_at",
        "_slow_at",
        "_slow_rate",
        "_slowed_at",
        "_tokens",
        "_until",
        "burst",
        "rate",
    )

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = max(1.0, burst)
        self._tokens = self.burst
        self._at = now
        self._rate_at = rate  # the rate in force at `_at`
        self._slow_rate = rate  # the rate from which it grows since `_slow_at`
        self._slow_at = now
        # What left before, or in the same tick of the loop's clock, has nothing to say about the
        # pace since: ten answers that came back within the millisecond once meant 30 s of silence.
        self._slowed_at = -inf
        self._held = False  # the operator is loaded as it likes: no growth
        self._until = now  # silence until here
        self._pause = 0.0  # how long the last silence was meant to be

    def rate_now(self, now: float) -> float:
        """The rate in force: the configured one, less what complaints have taken from it."""
        regained = self._slow_rate + max(0.0, now - self._slow_at) * self.rate / REGAIN
        return min(self.rate, regained)

    def paused(self, now: float) -> float:
        """Seconds of silence that are left; 0 when PDUs may leave."""
        return max(0.0, self._until - now)

    def available(self, now: float) -> int:
        """How many PDUs may leave now."""
        if now < self._until:
            return 0
        self._refill(now)
        return max(0, int(self._tokens + 1e-9))

    def take(self, count: int, now: float) -> None:
        """Note `count` PDUs as sent.

        The bucket may go into debt: the parts of a message leave together (promise 5), and the
        debt makes what follows wait, so the average holds.
        """
        self._refill(now)
        self._tokens -= count

    def ready_at(self, now: float) -> float:
        """When the next PDU may leave; not before `now`."""
        self._refill(now)
        at = max(now, self._until)
        missing = 1.0 - self._tokens
        if missing <= 1e-9:
            return at
        return max(at, now + missing / self.rate_now(now))

    def complain(self, sent_at: float, now: float) -> None:
        """The operator said "slower" to a PDU sent at `sent_at`.

        One complaint for each round trip counts: a window full of them is one opinion, and what
        left before the last slow-down says nothing about the pace since.
        """
        if sent_at <= self._slowed_at:
            return
        self._slow_down(0.5, now)
        self._tokens = min(self._tokens, 1.0)
        self._pause = min(LONGEST_PAUSE, self._pause * 2 or FIRST_PAUSE)
        self._until = now + self._pause

    def congestion(self, congestion_state: int, sent_at: float, now: float) -> None:
        """The response to a PDU sent at `sent_at` told how loaded the operator is.

        Nothing was refused, so there is no silence; once for each round trip, as with complaints.
        """
        left = brake(congestion_state)
        if left is None:
            self._held = False
        elif left == 1.0:
            self._hold(now)
        elif sent_at > self._slowed_at:
            self._slow_down(left, now)

    def _hold(self, now: float) -> None:
        """Grow no further; what has grown since the last time we were told goes again. Once we are
        told no more, it grows on from here."""
        self._refill(now)
        if not self._held:
            self._slow_rate = self.rate_now(now)
            self._held = True
        self._slow_at = now
        self._rate_at = self._slow_rate

    def _slow_down(self, left: float, now: float) -> None:
        self._refill(now)
        self._slow_rate = max(self.rate_now(now) * left, self.rate * LEAST_SHARE)
        self._slow_at = self._slowed_at = now
        self._rate_at = self._slow_rate
        self._held = False

    def accepted(self, sent_at: float) -> None:
        """A PDU sent at `sent_at` was taken: if it left after the last silence, the silence was
        long enough and the next one starts small again."""
        if self._pause and sent_at >= self._until:
            self._pause = 0.0

    def _refill(self, now: float) -> None:
        if now <= self._at:
            return
        rate = self.rate_now(now)
        # The rate grows in a straight line between complaints, so the mean of its ends is exact
        # up to the moment it is whole again.
        start = max(self._at, min(self._until, now))  # nothing accrues in silence
        self._tokens = min(self.burst, self._tokens + (now - start) * (self._rate_at + rate) / 2)
        self._at = now
        self._rate_at = rate


class Pace:
    """PDUs answered per second lately: what a carrier really takes, whatever it would be allowed.

    A prefetch measured by the allowance alone would hoard for minutes in front of a slow SMSC
    with a generous contract.
    """

    __slots__ = ("_count", "_since", "per_second")

    _SAMPLE: Final = 0.1

    def __init__(self, now: float) -> None:
        self.per_second = 0.0
        self._count = 0
        self._since = now

    def add(self, count: int, now: float) -> None:
        """`count` PDUs were answered at `now`."""
        self._count += count
        elapsed = now - self._since
        if elapsed >= self._SAMPLE:
            # The weight of the past fades with the time since: a night's silence is forgotten.
            kept = 0.5 if elapsed < 1.0 else 0.0
            self.per_second = kept * self.per_second + (1 - kept) * self._count / elapsed
            self._count = 0
            self._since = now
