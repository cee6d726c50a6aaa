"""How fast one key may ask: a token bucket, and the header fields that tell its holder.

In: now (UTC microseconds). Out: whether the request may pass, and `RateLimit` field values
(draft-ietf-httpapi-ratelimit-headers). Knows no request.
"""

from __future__ import annotations

_SECOND = 1_000_000


class TokenBucket:
    """`rate` requests a second on average; a full second's worth may come at once."""

    __slots__ = ("_at", "_rate", "_tokens", "policy")

    def __init__(self, rate: int, now: int) -> None:
        self._rate = rate
        self._tokens = float(rate)
        self._at = now
        self.policy = f'"default";q={rate};w=1'
        """The `RateLimit-Policy` field: q requests in a window of w seconds."""

    def take(self, now: int) -> bool:
        """Take one token if there is one. A clock set back neither gives nor takes."""
        elapsed = now - self._at
        if elapsed:
            self._at = now
            if elapsed > 0:
                tokens = self._tokens + elapsed * self._rate / _SECOND
                self._tokens = tokens if tokens < self._rate else float(self._rate)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    @property
    def field(self) -> str:
        """The `RateLimit` field: r requests left, full again in t seconds at most."""
        return f'"default";r={int(self._tokens)};t=1'

    @property
    def wait(self) -> float:
        """Seconds until the next token."""
        return max(0.0, (1.0 - self._tokens) / self._rate)
