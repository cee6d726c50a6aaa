"""Counting PDUs against caps per minute, hour and day, and finding room for what is over them.

In: caps, a zone, moments (UTC µs), PDUs. Out: how many may leave, when a cap begins anew, what has
to be written down before it may be used. Pure; knows neither carriers nor accounts nor a store.

A count must outlive the process, or a crash would allow what was used once more. Writing each
would cost a commit a message, so a meter *reserves*: it asks for a block ahead to be written down
and lets no more leave than is. After a crash what was reserved counts as used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, time, timedelta
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

MINUTE: Final = 60 * 1_000_000
HOUR: Final = 60 * MINUTE
_SECOND: Final = 1_000_000

Period = Literal["minute", "hour", "day"]
PERIODS: Final[tuple[Period, ...]] = ("minute", "hour", "day")
BLOCKS: Final = {"minute": 20, "hour": 100, "day": 200}
"""Blocks a cap is reserved in. A crash costs at most two of them; a day's cap of a million is
written down every 5,000 PDUs."""
LEAST_BLOCK: Final = 10
"""PDUs of a block where the cap is small: a commit for each message is what this is to avoid."""


class Reservation(NamedTuple):
    """PDUs of one period that are written down as used."""

    period: str
    start: int
    """UTC µs, as `until`, the first moment that is not part of the period."""
    until: int
    pdus: int


class Usage(NamedTuple):
    """How one cap stands."""

    period: Period
    limit: int
    used: int
    resets_at: int


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """The zone of this name; raises as `ZoneInfo` does."""
    return ZoneInfo(name)


def bounds(period: str, zone: ZoneInfo, at: int) -> tuple[int, int]:
    """Beginning and end (UTC µs) of the minute, hour or calendar day `at` lies in.

    Minutes are the same everywhere; hours begin where the zone's do (at :30 in India); a day has
    23 or 25 hours where the clock is changed.
    """
    if period == "minute":
        start = at - at % MINUTE
        return start, start + MINUTE
    local = datetime.fromtimestamp(at // _SECOND, zone)
    if period == "hour":
        offset = int((local.utcoffset() or timedelta()).total_seconds()) * _SECOND
        start = at - (at + offset) % HOUR
        return start, start + HOUR
    midnight = datetime.combine(local.date(), time(), zone)
    following = datetime.combine(local.date() + timedelta(days=1), time(), zone)
    return int(midnight.timestamp()) * _SECOND, int(following.timestamp()) * _SECOND


class _Count:
    """One cap in its present period."""

    __slots__ = ("asked", "block", "cap", "kept", "period", "start", "until", "used")

    def __init__(self, period: Period, cap: int) -> None:
        self.period = period
        self.cap = cap
        self.block = max(cap // BLOCKS[period], min(cap, LEAST_BLOCK))
        self.start = self.until = 0
        self.used = 0
        self.kept = 0
        """Written down as used; nothing beyond it leaves."""
        self.asked = 0
        """Asked to be written down."""

    def follow(self, other: _Count) -> None:
        """Stand where another count of the same period stands."""
        self.start, self.until = other.start, other.until
        self.used, self.kept, self.asked = other.used, other.kept, other.asked


class Meter:
    """What one owner has sent, against its caps. `name` is whose they are, for the store.

    `reserving`: whether counts are to outlive the process; without it all of a cap may be used.
    """

    __slots__ = ("_counts", "_known", "_zone", "failing", "name", "reserving", "until")

    def __init__(
        self,
        name: str,
        caps: Mapping[str, int],
        zone: str,
        known: Iterable[Reservation] = (),
        *,
        reserving: bool = True,
    ) -> None:
        self.name = name
        self.reserving = reserving
        self._known = list(known)
        self._zone = zone_of(zone)
        self._counts = [_Count(period, caps[period]) for period in PERIODS if caps.get(period)]
        self.failing = False
        """Whether the last that was to be written down could not be."""
        self.until = 0
        """When the first of its periods ends."""

    def configure(self, caps: Mapping[str, int], zone: str) -> None:
        """Hold other caps from now on; what has been used stays used."""
        before = {count.period: count for count in self._counts}
        same = self._zone is zone_of(zone)
        self._zone = zone_of(zone)
        self._counts = [_Count(period, caps[period]) for period in PERIODS if caps.get(period)]
        self.until = 0
        for count in self._counts:
            old = before.get(count.period)
            if old is None or not old.start:
                continue
            if same:
                count.follow(old)
            else:
                self._known.append(Reservation(old.period, old.start, old.until, old.used))

    def copy(self, other: Meter, at: int) -> None:
        """Stand where a meter of the same caps stands."""
        if at >= other.until:
            other._roll(at)
        for count in self._counts:
            for its in other._counts:
                if its.period == count.period:
                    count.follow(its)
        self.until = other.until

    @property
    def largest(self) -> int:
        """PDUs of the longest message that ever fits."""
        return min((count.cap for count in self._counts), default=1 << 62)

    def room(self, at: int) -> int:
        """PDUs the caps leave, written down or not."""
        if at >= self.until:
            self._roll(at)
        return min([count.cap - count.used for count in self._counts], default=1 << 62)

    def left(self, at: int) -> int:
        """PDUs that may leave now: what the caps leave, as far as it is written down."""
        if at >= self.until:
            self._roll(at)
        if not self.reserving:
            return self.room(at)
        return min(
            [min(count.kept, count.cap) - count.used for count in self._counts], default=1 << 62
        )

    def take(self, pdus: int, at: int) -> None:
        """Note PDUs as sent."""
        if at >= self.until:
            self._roll(at)
        for count in self._counts:
            count.used += pdus

    def refund(self, pdus: int, since: int) -> None:
        """PDUs noted at `since` or later have not been sent after all. Periods that have begun
        since then keep them: whether they were noted in this one is not known."""
        for count in self._counts:
            if count.start <= since:
                count.used = max(0, count.used - pdus)

    def resets_at(self, at: int, pdus: int = 1) -> int:
        """When every period without room for `pdus` has ended; `at` if all have it."""
        if at >= self.until:
            self._roll(at)
        return max(
            [count.until for count in self._counts if count.cap - count.used < pdus], default=at
        )

    def use_up(self, at: int, pdus: int) -> int:
        """Give up what is left of the periods that have no room for `pdus`; returns when they
        end. A remainder no message fits into would be asked for again and again."""
        until = self.resets_at(at, pdus)
        for count in self._counts:
            if count.cap - count.used < pdus:
                count.used = max(count.used, count.cap)
        return until

    def usage(self, at: int) -> list[Usage]:
        """How each cap stands."""
        if at >= self.until:
            self._roll(at)
        return [Usage(c.period, c.cap, c.used, c.until) for c in self._counts]

    # ---- what has to be written down

    def learn(self, known: Iterable[Reservation]) -> None:
        """What was written down before; to be told before anything is counted."""
        self._known = list(known)
        self.until = 0
        for count in self._counts:
            count.until = 0

    def short(self, at: int, pdus: int = 0) -> bool:
        """Whether `wanted` has something."""
        if at >= self.until:
            self._roll(at)
        if not self.reserving:
            return False
        for count in self._counts:
            ahead = count.asked - count.used
            if ahead < max(count.block, pdus) and count.asked < count.cap:
                return True
        return False

    def wanted(self, at: int, pdus: int = 0) -> list[Reservation]:
        """What is to be written down so that sending may go on, `pdus` at least; each is asked for
        once. Empty most of the time."""
        if at >= self.until:
            self._roll(at)
        found: list[Reservation] = []
        if not self.reserving:
            return found
        for count in self._counts:
            ahead = count.asked - count.used
            if ahead < max(count.block, pdus) and count.asked < count.cap:
                more = max(2 * count.block, pdus + count.block)
                count.asked = min(count.cap, count.used + more)
                found.append(Reservation(count.period, count.start, count.until, count.asked))
        return found

    def confirm(self, written: Iterable[Reservation]) -> None:
        """These are on disk."""
        self.failing = False
        for each in written:
            for count in self._counts:
                if count.period == each.period and count.start == each.start:
                    count.kept = max(count.kept, each.pdus)

    def failed(self) -> None:
        """What was asked for could not be written; ask again."""
        self.failing = True
        for count in self._counts:
            count.asked = count.kept

    def exact(self) -> list[Reservation]:
        """What has been used, to be written at a stop: nothing of a block is lost."""
        return [
            Reservation(count.period, count.start, count.until, count.used)
            for count in self._counts
            if count.start
        ]

    def _roll(self, at: int) -> None:
        """Begin the periods that `at` lies in. A clock that is put back leaves them as they are:
        what has been used then was used in one period or the other."""
        for count in self._counts:
            if at >= count.until:
                count.start, count.until = bounds(count.period, self._zone, at)
                before = [
                    each.pdus
                    for each in self._known
                    if each.period == count.period and each.start <= at < each.until
                ]
                count.used = count.kept = count.asked = max(before, default=0)
        self._known = [each for each in self._known if at < each.until]
        self.until = min([count.until for count in self._counts], default=1 << 62)


class Bookings:
    """Where messages go that there was no room for: each into the first period that still has some,
    behind those that were put off before it.

    Put off to the next period only, a backlog would be taken up and put off again in each of them.
    What was booked is not told from what comes anew: whoever comes first takes the room there is,
    and for each that comes in between one goes to the end, so that on the whole each message is
    put off once.
    """

    __slots__ = ("_at", "_meter", "_rate")

    def __init__(self, caps: Mapping[str, int], zone: str, rate: float | None = None) -> None:
        """`rate`: PDU/s that those put off leave with, or None."""
        self._meter = Meter("", caps, zone, reserving=False)
        self._rate = rate
        self._at = 0

    def book(self, pdus: int, at: int, real: Meter | None, ready: int) -> int:
        """When a message of `pdus` may leave (UTC µs); `ready` is when the rate lets it at the
        earliest, `real` what counts what has left. Raises ValueError for what fits no period."""
        if pdus > self._meter.largest:
            raise ValueError(f"{pdus} PDUs fit no period of a cap of {self._meter.largest}")
        moment = max(self._at, ready)
        if self._at < at and real is not None:
            self._meter.copy(real, at)
        meter = self._meter
        while (until := meter.resets_at(moment, pdus)) > moment:
            moment = until
        meter.take(pdus, moment)
        self._at = moment
        if self._rate:
            self._at += int(pdus / self._rate * _SECOND)
        return moment
