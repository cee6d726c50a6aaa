"""How an endpoint fares, and so how hard it is tried. Pure.

In: what tries came to. Out: how many POSTs may be under way, and from when on new events may be
cut for it. Knows one endpoint, no store and no clock.

An endpoint that fails is not offered its whole backlog: the log keeps what is not cut, and it is
one POST at a time from then on. Retries follow their ladder. Beside them new deliveries go out as
probes, ever more rarely, so that an endpoint that came back is noticed within `LONGEST_PAUSE`
although its retries may be hours away.
"""

from __future__ import annotations

from typing import Final

FIRST_PAUSE: Final = 1_000_000
"""µs after a first failure: a single hiccup costs a second."""

LONGEST_PAUSE: Final = 300_000_000
"""µs between probes of an endpoint that is down."""

MOST_RETRYING: Final = 256
"""Failed deliveries that may wait for a retry before nothing new is cut. At a probe in five
minutes that is 21 hours' worth: by then the retries themselves are spread over the day and
do the probing."""


class Health:
    """The state of one endpoint."""

    __slots__ = ("_failures", "_retrying", "hold_until", "probe_at")

    def __init__(self) -> None:
        self._failures = 0
        self._retrying: set[int] = set()
        self.probe_at = 0
        """From when on a delivery that was never tried may be (UTC µs), while failing."""
        self.hold_until = 0
        """Until when the endpoint asked not to be called at all (UTC µs)."""

    @property
    def failing(self) -> bool:
        """Whether the last try failed."""
        return self._failures > 0

    @property
    def crowded(self) -> bool:
        """Whether so much waits for a retry that nothing new may be cut."""
        return len(self._retrying) >= MOST_RETRYING

    def may_probe(self, now: int) -> bool:
        """Whether an untried delivery may go out."""
        return self._failures == 0 or now >= self.probe_at

    def slots(self, concurrency: int) -> int:
        """POSTs that may be under way."""
        return 1 if self._failures else concurrency

    def failed(self, delivery: int, now: int, asked: float | None) -> bool:
        """A try failed and will be repeated; True if it is the first after a success.

        `asked` is how many seconds the endpoint asked us to stay away.
        """
        self._retrying.add(delivery)
        self._failures += 1
        pause = min(FIRST_PAUSE << min(self._failures - 1, 30), LONGEST_PAUSE)
        self.probe_at = now + pause
        if asked is not None:
            self.hold_until = max(self.hold_until, now + round(asked * 1_000_000))
        return self._failures == 1

    def gave_up(self, delivery: int, now: int) -> bool:
        """A try failed and was the last; True as for `failed`."""
        first = self.failed(delivery, now, None)
        self._retrying.discard(delivery)
        return first

    def succeeded(self, delivery: int) -> bool:
        """A try succeeded; True if it is the first after a failure."""
        self._retrying.discard(delivery)
        recovered = self._failures > 0
        self._failures = 0
        return recovered

    def forgive(self) -> None:
        """The endpoint was changed, or its owner asked for a replay: no pauses for now."""
        self.probe_at = 0
        self.hold_until = 0
