"""How often a number was written to in a period, for millions of numbers in 17 octets a message.

In: numbers, moments (UTC µs). Out: which of them may be written to once more. Pure; knows neither
accounts nor senders: a table is what counts together.

Open addressing in arrays of 64-bit integers: a number of up to 15 digits takes 50 bits, the time
14. The time is a slot, a 8,192th of the period, on a dial of 16,384; what has gone out of date is
told from what has not as long as it is taken out before the dial has come round, which is what
`_rebuild` does. A table is cut into segments so that growing stops nobody for more than
milliseconds.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Final

SLOT_BITS: Final = 14
_DIAL: Final = (1 << SLOT_BITS) - 1
SLOTS: Final = 1 << 13
"""Slots of a period. One message may count for a slot longer than the period, never shorter: five
minutes in a month, ten seconds in a day."""
_SWEEP: Final = SLOTS // 2
"""Slots after which a segment is swept when it is next looked at."""
SEGMENTS: Final = 512
"""Segments of a table: of a million numbers each has 2,000, which are rebuilt in a millisecond."""
_PLACES: Final = SEGMENTS - 1
_TENDED: Final = 16_384
"""Entries swept at a time: some ten milliseconds at most."""
LEAST: Final = 8
"""Entries a segment has room for at first."""

_PRIME: Final = 1_073_741_789
_FACTOR: Final = 0x2545F491
"""Numbers modulo a prime that fits one of Python's digits, times an odd factor: multiplying 50 bits
by 64 took as long as all the rest of a look."""
_ANY: Final = 1 << 62
_GONE: Final = 1  # an entry that was taken back; number 0 is nobody's


class Contacts:
    """Who was written to in the last `period` (µs), at most `most` times each."""

    __slots__ = (
        "_latest", "_limits", "_segments", "_swept", "_taken", "_tended", "_width", "entries",
        "most", "period",
    )  # fmt: skip

    def __init__(self, most: int, period: int) -> None:
        self.most = most
        self.period = period
        self.entries = 0
        """Places in use, those out of date included."""
        self._width = max(1, -(-period // SLOTS))
        self._segments: list[array[int] | None] = [None] * SEGMENTS
        self._taken = [0] * SEGMENTS
        self._limits = [0] * SEGMENTS
        self._tended = 0
        self._swept = [0] * SEGMENTS
        self._latest = 0

    def add(self, numbers: Sequence[int], at: int, *, dry: bool = False) -> list[int]:
        """For each number 0 if it may be written to at `at`, which is noted (not if `dry`), else
        when it may be (UTC µs)."""
        return self._add(numbers, at, self.most, dry)

    def note(self, numbers: Sequence[int], at: int) -> None:
        """These were written to at `at`, whether they might be or not."""
        self._add(numbers, at, _ANY, dry=False)

    def _add(self, numbers: Sequence[int], at: int, most: int, dry: bool) -> list[int]:
        # A clock that is put back must not make the past look out of date.
        now = self._latest = max(self._latest, at // self._width)
        slot = now & _DIAL
        segments, swept = self._segments, self._swept
        answers: list[int] = []
        answer = answers.append
        for number in numbers:
            mixed = number % _PRIME * _FACTOR
            place = mixed >> 12 & _PLACES
            segment = segments[place]
            if segment is None:
                segment = segments[place] = array("Q", bytes(8 * LEAST))
                self._limits[place] = LEAST // 2
                swept[place] = now
            elif now - swept[place] > _SWEEP:
                segment = self._rebuild(place)
            mask = len(segment) - 1
            position, step = mixed >> 21 & mask, mixed >> 37 & mask | 1
            count, free = 0, -1
            while entry := segment[position]:
                if entry >> SLOT_BITS == number:
                    if (slot - entry) & _DIAL <= SLOTS:
                        count += 1
                    elif free < 0:
                        free = position
                elif free < 0 and (entry == _GONE or (slot - entry) & _DIAL > SLOTS):
                    free = position
                position = position + step & mask
            if count >= most:
                answer(self._next(segment, number, mixed, now))
                continue
            answer(0)
            if dry:
                continue
            if free >= 0:
                segment[free] = number << SLOT_BITS | slot
                continue
            segment[position] = number << SLOT_BITS | slot
            self.entries += 1
            taken = self._taken[place] = self._taken[place] + 1
            if taken > self._limits[place]:
                self._rebuild(place)
        return answers

    def forget(self, numbers: Sequence[int], at: int) -> None:
        """Take back one note of each number that was made with this `at`."""
        slot = at // self._width & _DIAL
        for number in numbers:
            mixed = number % _PRIME * _FACTOR
            segment = self._segments[mixed >> 12 & _PLACES]
            if segment is None:
                continue
            mask = len(segment) - 1
            position, step = mixed >> 21 & mask, mixed >> 37 & mask | 1
            wanted = number << SLOT_BITS | slot
            while entry := segment[position]:
                if entry == wanted:
                    segment[position] = _GONE
                    break
                position = position + step & mask

    def tend(self, at: int) -> None:
        """Sweep what will have to be soon, a little at a time: call it once a second. Whoever is
        looked for after a quiet night would wait for all segments otherwise."""
        self._latest = max(self._latest, at // self._width)
        rebuilt = 0
        for _ in range(SEGMENTS):
            place = self._tended
            segment = self._segments[place]
            if segment is not None and self._latest - self._swept[place] > _SWEEP // 2:
                if rebuilt + len(segment) > _TENDED and rebuilt:
                    return
                rebuilt += len(segment)
                self._rebuild(place)
            self._tended = (place + 1) % SEGMENTS

    def _next(self, segment: array[int], number: int, mixed: int, now: int) -> int:
        """When so many notes of the number are out of date that one more is allowed."""
        mask = len(segment) - 1
        position, step = mixed >> 21 & mask, mixed >> 37 & mask | 1
        ages: list[int] = []
        while entry := segment[position]:
            if entry >> SLOT_BITS == number and (now - entry) & _DIAL <= SLOTS:
                ages.append((now - entry) & _DIAL)
            position = position + step & mask
        # The `most`th youngest has to go.
        age = sorted(ages)[self.most - 1]
        return (now - age + SLOTS + 1) * self._width

    def _rebuild(self, place: int) -> array[int]:
        """A segment without what is out of date, and with room to grow."""
        old = self._segments[place]
        assert old is not None
        now = self._latest
        since = now - self._swept[place]
        # Nothing was noted here in the last `least` slots: what looks younger has been round.
        least = max(0, since - _SWEEP)
        kept = [entry for entry in old if entry > _DIAL and least <= (now - entry) & _DIAL <= SLOTS]
        size = LEAST
        while size * 7 < len(kept) * 16:
            size *= 2
        segment = array("Q", bytes(8 * size))
        mask = size - 1
        for entry in kept:
            mixed = (entry >> SLOT_BITS) % _PRIME * _FACTOR
            position, step = mixed >> 21 & mask, mixed >> 37 & mask | 1
            while segment[position]:
                position = position + step & mask
            segment[position] = entry
        self.entries += len(kept) - self._taken[place]
        self._segments[place] = segment
        self._taken[place] = len(kept)
        self._swept[place] = now
        # Segments fill alike; each grows at a load of its own, between a half and three quarters,
        # or all would in the same moment.
        self._limits[place] = size * (2 * SEGMENTS + place) // (4 * SEGMENTS)
        return segment
