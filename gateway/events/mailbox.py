"""What waits for one account's SMPP receivers: read from the log, offered, taken.

In: news of the log, room at receivers, their answers. Out: deliver_sm, and how far the log has been
taken. Everything between the log and a receiver is in memory and may be lost at any moment: until
a receiver has answered, the event stays behind the mailbox's position and is offered again.

Lists, not events: a pump sends what there is room for in one call, an answer list is worked off in
one pass, and the position is written once for whatever was answered meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Final

import msgspec

from config.settings import Account
from gateway import metrics as m
from gateway.errors import AldisError
from gateway.events.ports import CallLater, MailStore, Receivers
from gateway.events.telling import TYPES, Bodies, Teller
from gateway.store.records import Mailbox as Position
from gateway.tally import Tally
from protocol import constants as c

log = logging.getLogger("aldis.events")

READ: Final = 2_000
"""Events read at a time: four full rows of the log."""
LOW: Final = 1_000
"""Events in hand below which more are read: what receivers take while a read is under way."""
MOST_IN_HAND: Final = 100_000
"""Events between the position and the last one read; beyond it nothing is read. Only who says "not
now" to one event for as long as it takes all these comes here; at most 40 MB."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
"""Seconds before an event that a receiver could not take now is offered again: doubles while
nothing else is taken."""
STORE_PAUSE: Final = 1.0
"""Seconds before the store is asked again after it failed."""
TEMPORARY: Final = frozenset(
    {
        c.ESME_RX_T_APPN,
        c.ESME_RMSGQFUL,
        c.ESME_RTHROTTLED,
        c.ESME_RSYSERR,
        c.ESME_RINVBNDSTS,  # it is just unbinding
    }
)
"""Answers that mean "not now"; any other error means that it never will be taken."""


class Chunk:
    """One row of the log in hand: how many deliver_sm each of its events still needs, and how many
    events need any."""

    __slots__ = ("left", "of_event")

    def __init__(self, of_event: list[int]) -> None:
        self.of_event = of_event
        self.left = len(of_event) - of_event.count(0)


class Post(msgspec.Struct, eq=False, gc=False):
    """One deliver_sm on its way; the context it travels with."""

    chunk: Chunk
    index: int
    body: tuple[bytes, bytes]

    def done(self) -> None:
        """It was taken, or never will be."""
        left = self.chunk.of_event
        left[self.index] -= 1
        if not left[self.index]:
            self.chunk.left -= 1


class Mailbox:
    """One account's. `news` says that the log has grown, `pump` that there may be room."""

    def __init__(
        self,
        account: Account,
        store: MailStore,
        receivers: Receivers,
        tally: Tally,
        call_later: CallLater,
    ) -> None:
        self.account = account.name
        self.teller = Teller(account)
        self._store = store
        self._receivers = receivers
        self._tally = tally
        self._call_later = call_later
        self._pending: deque[Post] = deque()
        self._again: list[Post] = []
        self._chunks: OrderedDict[int, Chunk] = OrderedDict()
        self._in_hand = 0
        self._position: Position | None = None
        self._read_to = 0
        self._more = True
        self._reading: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._moved = False
        self._pause = 0.0
        self._timer: object | None = None
        self._stopped = False

    # ---- what happens

    def news(self) -> None:
        """The log has grown."""
        self._more = True
        self.pump()

    def pump(self) -> None:
        """Offer what there is room for; read on when little is left."""
        if self._stopped:
            return
        pending = self._pending
        while pending:
            count = self._receivers.room(self.account, len(pending))
            if not count:
                break
            posts = [pending.popleft() for _ in range(count)]
            sent = self._receivers.deliver(self.account, [post.body for post in posts], posts)
            if sent < count:
                pending.extendleft(reversed(posts[sent:]))
                break
        if not pending and not self._more:
            return
        # Asked even if nothing is to be read: who does not listen may have to be called.
        if self._receivers.listens(self.account) and self._wanting and self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(
                self._read(), name=f"mailbox {self.account}"
            )

    async def look(self) -> None:
        """Find out whether anything waits, so that nobody is called for nothing."""
        self._more = False
        try:
            position = await self._store.mailbox(self.account)
            chunks = await self._store.read_log(self.account, TYPES, position.position, 1)
        except AldisError:
            self._more = True
            raise
        self._more = self._more or bool(chunks)
        self.pump()

    def answered(self, answers: Sequence[tuple[object, int]]) -> None:
        """Receivers have answered: taken, not now, or never."""
        taken = 0
        never: dict[int, int] = {}
        not_now = 0
        for context, status in answers:
            if not isinstance(context, Post):
                continue
            if not status:
                taken += 1
                context.done()
            elif status in TEMPORARY:
                not_now += 1
                self._again.append(context)
            else:
                never[status] = never.get(status, 0) + 1
                context.done()
        if taken:
            self._pause = 0.0
            self._tally.count(m.SMPP_DELIVERIES, taken, self.account, "taken")
        for status, count in never.items():
            self._tally.count(m.SMPP_DELIVERIES, count, self.account, _label(status))
        if not_now:
            self._tally.count(m.SMPP_DELIVERIES, not_now, self.account, "not_now")
        if self._again and self._timer is None:
            self._pause = min(LONGEST_PAUSE, self._pause * 2 or FIRST_PAUSE)
            self._timer = self._call_later(self._pause, self._retry)
        self._advance()
        self.pump()

    def lost(self, contexts: Sequence[object]) -> None:
        """Nobody answered: offered again, before anything else."""
        posts = [context for context in contexts if isinstance(context, Post)]
        self._tally.count(m.SMPP_DELIVERIES, len(posts), self.account, "unanswered")
        self._pending.extendleft(reversed(posts))
        self.pump()

    async def stop(self) -> None:
        """Read no more, and write down how far it went."""
        self._stopped = True
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        if self._position is None:
            return
        done = (
            *(each for each in self._position.done if each[0] not in self._chunks),  # not read yet
            *(
                (position, index)
                for position, chunk in self._chunks.items()
                for index, left in enumerate(chunk.of_event)
                if not left
            ),
        )
        try:
            await self._store.put_mailbox(self.account, Position(self._position.position, done))
        except AldisError as error:
            log.warning("mailbox not written", extra={"account": self.account, "error": str(error)})

    # ---- within

    def _advance(self) -> None:
        """Chunks taken whole, from the front, are behind us."""
        position = self._position
        if position is None:
            return
        last = None
        while self._chunks:
            first, chunk = next(iter(self._chunks.items()))
            if chunk.left:
                break
            del self._chunks[first]
            self._in_hand -= len(chunk.of_event)
            last = first
        if last is not None:
            # What the last run took beyond is still to be read, and not to be told again.
            beyond = tuple([each for each in position.done if each[0] > last])
            self._position = Position(last, beyond)
            self._moved = True
            self._write()

    def _write(self) -> None:
        if self._writing is None and self._moved and not self._stopped:
            self._writing = asyncio.get_running_loop().create_task(self._put())

    async def _put(self) -> None:
        """Write the position, again as long as it moves meanwhile."""
        try:
            while self._moved and self._position is not None:
                self._moved = False
                await self._store.put_mailbox(self.account, self._position)
        except AldisError:
            # It is written with the next step; until then a crash offers more of it again.
            self._moved = True
        finally:
            self._writing = None

    def _retry(self) -> None:
        self._timer = None
        again, self._again = self._again, []
        self._pending.extendleft(reversed(again))
        self.pump()

    async def _read(self) -> None:
        try:
            if self._position is None:
                self._position = await self._store.mailbox(self.account)
                self._read_to = self._position.position
            while self._wanting and not self._stopped:
                self._more = False
                chunks = await self._store.read_log(self.account, TYPES, self._read_to, READ)
                self._more = self._more or bool(chunks)
                done = set(self._position.done)
                for chunk in chunks:
                    self._read_to = chunk.position
                    self._take(chunk.position, self.teller.bodies(chunk), done)
                self.pump()  # which starts no second read while this one is under way
            self._reading = None
            self._advance()
            self.pump()
        except AldisError:
            self._more = True
            self._call_later(STORE_PAUSE, self.pump)
        except Exception:
            # A row that cannot be read would stop everything behind it: it is counted and passed.
            log.exception("mailbox", extra={"account": self.account})
            self._tally.count(m.TASK_ERRORS, 1, "mailbox")
            self._more = True
            self._call_later(STORE_PAUSE, self.pump)
        finally:
            if self._reading is asyncio.current_task():
                self._reading = None

    @property
    def _wanting(self) -> bool:
        return self._more and len(self._pending) < LOW and self._in_hand < MOST_IN_HAND

    def _take(self, position: int, told: Sequence[Bodies], done: set[tuple[int, int]]) -> None:
        if done:  # only after a restart
            told = [() if (position, n) in done else each for n, each in enumerate(told)]
        chunk = Chunk([len(bodies) for bodies in told])
        self._chunks[position] = chunk
        self._in_hand += len(chunk.of_event)
        self._pending += [
            Post(chunk, index, body) for index, bodies in enumerate(told) for body in bodies
        ]


def _label(status: int) -> str:
    """A customer may answer any of four billion numbers: those without a name are one label."""
    return c.status_name(status) if status in c.COMMAND_STATUS else "other"
