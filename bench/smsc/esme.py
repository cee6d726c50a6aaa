"""What the operator keeps for one system_id: its binds, its rate, what is still to be delivered.

In: deliver_sm bodies from sessions and tests. Out: the same, to binds that may receive and have
room in their window. Nothing is lost when no bind is there: bodies wait, up to a limit.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from bench.smsc.record import Counters
from bench.smsc.verdict import Bucket
from bench.smsc.wheel import Wheel

if TYPE_CHECKING:
    from bench.smsc.session import Session

# A body takes about 250 octets; half a gigabyte is what a test machine can spare.
_MAX_PENDING: Final = 2_000_000


class Inbound(bytes):
    """The body of an inbound message; receipts are plain bytes."""


class Esme:
    """One system_id as the operator sees it."""

    def __init__(self, system_id: str, loop: asyncio.AbstractEventLoop, counters: Counters) -> None:
        self.system_id = system_id
        self.bucket = Bucket()
        self.binds: list[Session] = []
        self.pending: deque[bytes] = deque()
        self._counters = counters
        self._turn = 0
        self._delayed: Wheel[tuple[Session | None, Sequence[bytes]]] = Wheel(loop, self._due)

    @property
    def undelivered(self) -> int:
        """Bodies that wait for their moment, a bind or room, and those not acknowledged."""
        waiting = sum(len(bodies) for _, bodies in self._delayed)
        return waiting + len(self.pending) + sum(len(bind.unacknowledged) for bind in self.binds)

    def post(
        self, bodies: Sequence[bytes], delay: float = 0.0, prefer: "Session | None" = None
    ) -> None:
        """Deliver after `delay`, over `prefer` if that bind can take them then."""
        if delay > 0:
            self._delayed.add(delay, ((prefer, bodies),))
            return
        if prefer is not None and not self.pending:
            room = prefer.room
            if room >= len(bodies):
                prefer.deliver(bodies)
                return
            prefer.deliver(bodies[:room])
            bodies = bodies[room:]
        self._queue(bodies)
        self.pump()

    def post_each(
        self, bodies: Sequence[bytes], delays: Sequence[float], prefer: "Session | None"
    ) -> None:
        """Deliver each body after its own delay."""
        for body, delay in zip(bodies, delays, strict=True):
            self._delayed.add(delay, ((prefer, (body,)),))

    def give_back(self, bodies: Iterable[bytes]) -> None:
        """A bind is lost: what it has not acknowledged goes out first on the next one."""
        returned = list(bodies)
        self._counters.delivers_resent += len(returned)
        self.pending.extendleft(reversed(returned))
        self.pump()

    def pump(self) -> None:
        """Share what is pending among the binds that can take it, in turn."""
        pending = self.pending
        while pending:
            ready = [bind for bind in self.binds if bind.room]
            if not ready:
                return
            self._turn += 1
            share = -(-len(pending) // len(ready))
            for offset in range(len(ready)):
                bind = ready[(self._turn + offset) % len(ready)]
                count = min(share, bind.room, len(pending))
                bind.deliver([pending.popleft() for _ in range(count)])
                bind.flush()

    def clear(self) -> None:
        """Forget what is still to be delivered."""
        self._delayed.drop()
        self.pending.clear()

    def _queue(self, bodies: Sequence[bytes]) -> None:
        room = max(0, _MAX_PENDING - len(self.pending))
        self._counters.delivers_dropped += max(0, len(bodies) - room)
        self.pending.extend(bodies[:room])

    def _due(self, items: list[tuple["Session | None", Sequence[bytes]]]) -> None:
        for prefer, bodies in items:
            self.post(bodies, prefer=prefer)
            if prefer is not None:
                prefer.flush()
