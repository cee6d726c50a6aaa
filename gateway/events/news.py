"""When to cut: a full batch at once, a part of one when its oldest event has waited long enough.

In: how many events the log got, and what a cut brought. Out: how many deliveries to cut now, or
when to look again. Pure; knows one endpoint, no store and no clock.

The counts are hints (an endpoint may not want every type, a commit may be heard of after its
events were cut), so nothing hangs on them but the moment: whatever may be in the log is asked for
when `max_wait` is over.
"""

from __future__ import annotations

from collections.abc import Sequence


class News:
    """What the log may hold for one endpoint beyond its cursor."""

    __slots__ = ("_asked", "_count", "_full", "_max_wait", "_more", "_since")

    def __init__(self, full: int, max_wait: int) -> None:
        """`full` events make a batch; none waits longer than `max_wait` µs. At the start there
        may be anything in the log, so the first `ask` does not wait."""
        self._full = full
        self._max_wait = max_wait
        self._count = 0
        self._since: int | None = None
        self._more = True
        self._asked: tuple[bool, int, int | None] = (False, 0, None)

    def add(self, count: int, now: int) -> bool:
        """The log got `count` events; True if they fill a batch that was not full before."""
        if self._since is None:
            self._since = now
        before, self._count = self._count, self._count + count
        return before < self._full <= self._count

    @property
    def due_at(self) -> int | None:
        """When `ask` will say something without further news; None if there is none to tell."""
        if self._more or self._count >= self._full:
            return 0
        return None if self._since is None else self._since + self._max_wait

    def ask(self, most: int, now: int) -> int:
        """How many deliveries to cut, at most `most`. If any, `answered` or `failed` follows."""
        if most <= 0:
            return 0
        all_of_it = self._more or (self._since is not None and now >= self._since + self._max_wait)
        asked = most if all_of_it else min(most, self._count // self._full)
        if asked:
            self._asked = (all_of_it, self._count, self._since)
            self._count, self._since, self._more = 0, None, False
        return asked

    def answered(self, asked: int, sizes: Sequence[int]) -> None:
        """The cut brought deliveries of `sizes` events. What came meanwhile is counted already."""
        if len(sizes) < asked:
            return  # the log is at its end
        all_of_it, count, since = self._asked
        if all_of_it:
            self._more = True
            return
        # A small last batch tells that the count had run ahead of the log; the clock is kept in
        # any case, since small batches also come of large chunks that do not fit together.
        if sizes[-1] * 2 >= self._full:
            self._count += max(0, count - sum(sizes))
        self._since = since

    def failed(self) -> None:
        """The cut did not happen."""
        all_of_it, count, since = self._asked
        self._more = self._more or all_of_it
        self._count += count
        self._since = since if since is not None else self._since
