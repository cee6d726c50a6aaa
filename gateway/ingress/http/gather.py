"""Single messages of concurrent requests, stored as one list.

In: admitted messages, one from each request. Out: the answer of each, made before the commit and
given back after it. Requests that come while a list is being written form the next one, so the
busier the gateway, the less a message costs: 310 us with a store call for each, 170 in lists of
what is there (64 connections). Nobody waits for company: an idle gateway writes lists of one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gateway.draft import Ask, Draft, content, new_messages, texts_of
from gateway.ingress.http.idempotency import Claim
from gateway.ingress.http.ports import Clock
from gateway.ingress.http.views import draft_accepted
from gateway.store.contract import Store
from gateway.store.messages import StoredAnswer, Submission

LIST: Final = 1_000
"""Messages in one list; as an upload's."""
UNDER_WAY: Final = 2
"""Lists in the store's hands: one being written, one ready to follow it without a pause."""
ACCEPTED: Final = 202

_encode: Any = msgspec.json.Encoder().encode


class _Waiting:
    """One message and who waits for it."""

    __slots__ = ("ask", "body", "claim", "drafts", "future")

    def __init__(
        self,
        ask: Ask,
        drafts: Sequence[Draft],
        claim: Claim | None,
        future: asyncio.Future[bytes | StoredAnswer],
    ) -> None:
        self.ask = ask
        self.drafts = drafts
        self.claim = claim
        self.future = future
        self.body = b""


class Gathering:
    """Messages on their way to the store."""

    __slots__ = ("_clock", "_scheduled", "_store", "_tasks", "_waiting")

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: list[_Waiting] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._scheduled = False

    def put(
        self, ask: Ask, drafts: Sequence[Draft], claim: Claim | None
    ) -> asyncio.Future[bytes | StoredAnswer]:
        """Store one admitted draft. The body of its 202 once it is on disk, or what had been
        answered under the same key. Raises what `Store.accept` raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bytes | StoredAnswer] = loop.create_future()
        self._waiting.append(_Waiting(ask, drafts, claim, future))
        if not self._scheduled and len(self._tasks) < UNDER_WAY:
            # At the end of this turn of the loop: other requests of the same turn come along.
            self._scheduled = True
            loop.call_soon(self._send)
        return future

    def _send(self) -> None:
        self._scheduled = False
        while self._waiting and len(self._tasks) < UNDER_WAY:
            taken, self._waiting = self._waiting[:LIST], self._waiting[LIST:]
            task = asyncio.create_task(self._write(taken), name="single messages")
            self._tasks.add(task)
            task.add_done_callback(self._written)

    def _written(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._send()

    async def _write(self, taken: list[_Waiting]) -> None:
        try:
            answers = await self._store.accept(self._submissions(taken))
        except BaseException as error:
            # Each request is told, and its own edge counts and logs it.
            for one in taken:
                if not one.future.done():
                    one.future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for one, stored in zip(taken, answers, strict=True):
            if not one.future.done():
                one.future.set_result(one.body if stored is None else stored)

    def _submissions(self, taken: list[_Waiting]) -> list[Submission]:
        """Takes the ids; the caller must not await before `accept` (see `Submission`)."""
        ids = self._store.new_ids(2 * len(taken), self._clock())
        submissions: list[Submission] = []
        for one, shared, identifier in zip(taken, ids[::2], ids[1::2], strict=True):
            one.body = _encode(draft_accepted(one.ask, one.drafts[0], identifier))
            claim, texts = one.claim, texts_of(one.drafts)
            submissions.append(
                Submission(
                    content(one.ask, shared),
                    new_messages(one.ask, one.drafts, (identifier,), texts),
                    idempotency=None if claim is None else claim.record(ACCEPTED, one.body),
                    texts=texts,
                )
            )
        return submissions
