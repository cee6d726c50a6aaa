"""One limit over many messages: a rate, caps, and where those go that are over it.

In: PDUs and moments. Out: whether there is room, or when there will be. Pure, but for noting what
was taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from gateway.dispatch.throttle import Throttle
from gateway.policy.caps import Bookings, Meter

TICK: Final = 100_000
"""µs to which the moments of a rate are rounded up: a lease for what falls into a tenth of a second
instead of one for each message."""
STORE_AWAY: Final = 500_000
"""µs a message waits for a store that could not write down what it would use."""


class Limit:
    """An account's or a campaign's. `meter` counts against its caps, `throttle` holds its rate."""

    __slots__ = ("_bookings", "_caps", "_throttle", "_zone", "fails", "kind", "meter")

    def __init__(
        self,
        kind: Literal["account", "campaign"],
        meter: Meter | None,
        caps: Mapping[str, int],
        zone: str,
        *,
        fails: bool,
        throttle: Throttle | None = None,
    ) -> None:
        self.kind: Final = kind
        self.meter: Final = meter
        self.fails: Final = fails
        """Whether what is over a cap does not wait."""
        self._caps = caps
        self._zone = zone
        self._throttle = throttle
        self._bookings: dict[str, Bookings] = {}
        """By urgency: a one-time code is not to wait behind a campaign that was put off."""

    def fits(self, pdus: int, at: int, now: float) -> bool:
        """Whether a message may leave now: `at` is UTC µs, `now` the loop's clock."""
        if self._throttle is not None and self._throttle.available(now) < 1:
            return False
        return self.meter is None or self.meter.left(at) >= pdus

    def holds(self, pdus: int, at: int, now: float) -> bool:
        """Whether so many PDUs of several messages may leave now, with nothing run into debt."""
        if self._throttle is not None and self._throttle.available(now) < pdus:
            return False
        return self.meter is None or self.meter.left(at) >= pdus

    def take(self, pdus: int, at: int, now: float) -> None:
        """It leaves."""
        if self._throttle is not None:
            self._throttle.take(pdus, now)
        if self.meter is not None:
            self.meter.take(pdus, at)

    def refund(self, pdus: int, since: int) -> None:
        """It was taken at `since` or later, and has not left."""
        if self.meter is not None:
            self.meter.refund(pdus, since)

    def cause(self, pdus: int, at: int) -> str:
        """What it has no room by; empty if it only waits for a commit."""
        if self.meter is not None and self.meter.room(at) < pdus:
            return f"{self.kind}_cap"
        if self.meter is not None and self.meter.left(at) < pdus:
            return ""
        return f"{self.kind}_rate"

    def when(self, pdus: int, at: int, now: float, urgency: str) -> int | None:
        """When a message that does not fit may leave (UTC µs); None: it is not to wait."""
        meter = self.meter
        if meter is not None:
            over = meter.room(at) < pdus
            if pdus > meter.largest or (over and self.fails):
                return None
            if not over and meter.left(at) < pdus:
                # At once: by the next lease it is written down, and waiting would let others by.
                return at + STORE_AWAY if meter.failing else at
        bookings = self._bookings.get(urgency)
        throttle = self._throttle
        if bookings is None:
            rate = None if throttle is None else throttle.rate
            bookings = self._bookings[urgency] = Bookings(self._caps, self._zone, rate)
        if throttle is None:
            return bookings.book(pdus, at, meter, at)
        ready = at + int((throttle.ready_at(now) - now) * 1_000_000)
        due = bookings.book(pdus, at, meter, ready)
        return due + -due % TICK
