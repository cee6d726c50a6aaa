"""How fast one login may submit: a bucket in messages, and how late a burst is answered.

In: moments (seconds of any monotonic origin) and how many messages came. Out: how many are taken at
once, how many after a delay and which, and how many have to be refused. Pure.

A customer that sends two messages back to back at one a second gets two answers, the second a
second late (Jasmin #648 refuses it). Only what would wait longer than `max_delay` is throttled.
"""

from __future__ import annotations

from typing import NamedTuple


class Verdict(NamedTuple):
    """What becomes of a list of messages: the first `now` at once, the next `late` after `delay`
    seconds, the rest not at all."""

    now: int
    late: int
    delay: float


class Pace:
    """`rate` messages a second on average; a second's worth may come at once."""

    __slots__ = ("_at", "_max_delay", "_rate", "_tokens")

    def __init__(self, rate: float, max_delay: float, now: float) -> None:
        self._at = now
        self._tokens = max(1.0, rate)
        self.limit(rate, max_delay)

    def limit(self, rate: float, max_delay: float) -> None:
        """Take (new) limits."""
        self._rate = rate
        self._max_delay = max_delay
        self._tokens = min(self._tokens, max(1.0, rate))

    def take(self, count: int, now: float) -> Verdict:
        """`count` messages have come."""
        rate = self._rate
        elapsed = max(0.0, now - self._at)
        self._at = max(self._at, now)
        tokens = min(max(1.0, rate), self._tokens + elapsed * rate)
        at_once = min(count, max(0, int(tokens + 1e-9)))
        # Debt is what waits already; it may grow to what max_delay lets through.
        late = min(count - at_once, max(0, int(tokens - at_once + self._max_delay * rate + 1e-9)))
        tokens -= at_once + late
        self._tokens = tokens
        return Verdict(at_once, late, max(0.0, -tokens / rate))
