"""Requests on their way: sequence numbers, who waits for which response, and since when.

In: contexts and sequence numbers. Out: the contexts again, each exactly once, with what became of
them. A context is whatever the caller wants back; it is never looked at. The window knows nothing
of octets, states or timers other than the response timer.
"""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import repeat
from math import inf
from typing import Final

from .constants import MAX_SEQUENCE, MIN_SEQUENCE
from .errors import UsageError
from .events import Lost, TimedOut, Unsent
from .timers import after

# So many timed-out requests are remembered for a late response, the oldest forgotten first. At 150
# PDU/s, the most operators grant, and not one answer, that is more than a minute beyond the timer;
# a response later still is `Unexpected`.
LATE_REMEMBERED: Final = 10_000

# What is kept of a request: its context, command_id and the moment it was sent.
Entry = tuple[object, int, float]


class Window:
    """The outstanding requests of one session.

    outstanding  sequence_number -> Entry, in the order sent, so the oldest stands first
    session      the same for bind, unbind and enquire_link, which take no place in the window
    late         the same for requests that timed out
    """

    __slots__ = ("_next", "_queued", "_wrapped", "late", "outstanding", "session", "size")

    def __init__(self, size: int, first_sequence: int = MIN_SEQUENCE) -> None:
        if size < 1:
            raise UsageError(f"a window of {size} lets nothing through")
        if not MIN_SEQUENCE <= first_sequence <= MAX_SEQUENCE:
            raise UsageError(f"sequence_number {first_sequence} is not 1 to 0x7FFFFFFF")
        self.size = size
        self.outstanding: dict[int, Entry] = {}
        self.session: dict[int, Entry] = {}
        self.late: OrderedDict[int, Entry] = OrderedDict()
        self._next = first_sequence
        self._wrapped = False
        self._queued: list[Sequence[int]] = []  # sequence_numbers not yet handed to the socket

    @property
    def free(self) -> int:
        """How many requests may be sent now."""
        return max(0, self.size - len(self.outstanding))

    def number(self, count: int) -> Sequence[int]:
        """The next `count` sequence_numbers: 1 .. 0x7FFFFFFF (3.4 §5.1.4), then from 1 again."""
        first = self._next
        if not self._wrapped and first + count <= MAX_SEQUENCE:
            self._next = first + count
            return range(first, first + count)
        # After the first wrap a number may still belong to a request that was never answered.
        self._wrapped = True
        numbers: list[int] = []
        while len(numbers) < count:
            if first not in self.outstanding and first not in self.session:
                numbers.append(first)
            first = first + 1 if first < MAX_SEQUENCE else MIN_SEQUENCE
        self._next = first
        return numbers

    def add(self, command_id: int, contexts: Sequence[object], now: float) -> Sequence[int]:
        """Enter one request per context and return their sequence_numbers.

        Raises UsageError, entering none, if they do not all fit.
        """
        count = len(contexts)
        if count > self.free:
            raise UsageError(f"{count} requests for a window with {self.free} places free")
        numbers = self.number(count)
        self.outstanding.update(
            zip(numbers, zip(contexts, repeat(command_id), repeat(now)), strict=False)
        )
        self._queued.append(numbers)
        return numbers

    def flushed(self) -> None:
        """What was queued has gone to the socket: from here on its outcome is unknown."""
        self._queued.clear()

    def expires_at(self, response: float) -> float:
        """When the oldest request times out; never, if there is none."""
        for _, _, sent_at in self.outstanding.values():
            return after(sent_at, response)
        return inf

    def expire(self, response: float, now: float) -> list[TimedOut]:
        """Take out the requests older than `response` seconds. They stay known to `late`.

        Requests expire in the order sent, so this looks at one more than it takes.
        """
        expired: list[TimedOut] = []
        for number, (context, command_id, sent_at) in self.outstanding.items():
            if after(sent_at, response) > now:
                break
            expired.append(TimedOut(context, command_id, number, sent_at))
        for timed_out in expired:
            number = timed_out.sequence_number
            self.remember_late(number, self.outstanding.pop(number))
        return expired

    def remember_late(self, number: int, entry: Entry) -> None:
        """Keep a request nobody waits for any more, so that a late response is recognised."""
        self.late.pop(number, None)  # the number's earlier use, if any, makes way
        self.late[number] = entry
        if len(self.late) > LATE_REMEMBERED:
            self.late.popitem(last=False)

    def end(self, discarded: bool) -> list[Unsent | Lost]:
        """The link is over: what becomes of everything outstanding.

        `discarded` says that the octets still queued will not be written.
        """
        unsent: set[int] = set().union(*self._queued) if discarded else set()
        kept: list[object] = []
        lost: list[object] = []
        for number, (context, _, _) in self.outstanding.items():
            (kept if number in unsent else lost).append(context)
        self.outstanding.clear()
        self.session.clear()
        self.late.clear()
        self._queued.clear()
        fates: list[Unsent | Lost] = []
        if kept:
            fates.append(Unsent(kept))
        if lost:
            fates.append(Lost(lost))
        return fates
