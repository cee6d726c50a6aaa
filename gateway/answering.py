"""Answers to keywords: from what is to be said to messages in the queue.

In: answers that returns wants given. Out: accepted messages; those of everybody's keywords are
marked as answers, so that neither the hour nor the opt-out they confirm holds them back. Knows
admission's port and the store's contract.

What was said has taken effect before anything comes here; an answer that cannot be given is counted
and is no more. So answers wait in a list of their own, and no reply waits for one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import msgspec
from msgspec import structs

from config.keyword_references import MOST_PARTS
from config.settings import Account
from gateway import metrics as m
from gateway.draft import Admission, Ask, Draft, content, new_messages, texts_of
from gateway.errors import AldisError, Busy, Refused, StoreError
from gateway.metrics import Metrics
from gateway.model import Category
from gateway.policy.keywords import Kind
from gateway.store.messages import StoredAnswer, Submission

logger = logging.getLogger(__name__)

MOST: Final = 10_000
"""Answers that may wait to be stored: some seconds of a campaign whose every recipient says STOP at
once. More are not given."""
LIST: Final = 500
"""Answers stored in one call."""


REFUSABLE: Final = frozenset({Kind.START.value, Kind.JOIN.value})
"""Answers that say that messages will come; see `messages.Content.refusable`."""

_Admitted = tuple[Ask, list[Draft], str]
"""What passed, and which kind of keyword it answers."""


class Wanted(msgspec.Struct, frozen=True):
    """One answer to be given."""

    account: str
    kind: str
    number: int
    sender: str
    """The number the reply came to."""
    text: str


class AnsweringStore(Protocol):
    """The part of the store asked here."""

    def new_ids(self, count: int, now: int) -> list[int]:
        """Ascending ids."""
        ...

    async def accept(self, submissions: Sequence[Submission]) -> list[StoredAnswer | None]:
        """Store submissions."""
        ...


class Answering:
    """The answers that are to be given, and the one task that gives them."""

    def __init__(
        self,
        store: AnsweringStore,
        answers: Admission,
        replies: Admission,
        metrics: Metrics,
        clock: Callable[[], int],
    ) -> None:
        """`answers` has the checks the operator's own sentences pass (STOP, HELP ...), `replies`
        those of texts an account has put through the API: a moderator may have to see them."""
        self._store = store
        self._answers = answers
        self._replies = replies
        self._metrics = metrics
        self._clock = clock
        self._accounts: Mapping[str, Account] = {}
        self._waiting: deque[Wanted] = deque()
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def apply(self, accounts: Sequence[Account]) -> None:
        """Take a configuration into use."""
        self._accounts = {account.name: account for account in accounts}

    def put(self, wanted: Sequence[Wanted]) -> None:
        """Have answers given soon; those beyond `MOST` are not."""
        room = max(0, MOST - len(self._waiting))
        self._waiting.extend(wanted[:room])
        self._count(wanted[room:], "overflow")
        if wanted:
            self._wake.set()

    def start(self) -> None:
        """Begin to give answers."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="answers")

    async def stop(self, timeout: float) -> None:
        """Give what waits, for at most `timeout` seconds; then the store may close."""
        task, self._task = self._task, None
        if task is None:
            return
        self._stopping = True
        self._wake.set()
        await asyncio.wait([task], timeout=timeout)
        if not task.done():
            task.cancel()
            self._count(list(self._waiting), "stopped")

    async def drain(self) -> None:
        """Give all that waits."""
        while self._waiting:
            some = [self._waiting.popleft() for _ in range(min(LIST, len(self._waiting)))]
            await self._give(some)

    async def _run(self) -> None:
        while not self._stopping:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self.drain()
            except Exception:  # the task's outermost edge
                logger.exception("answers failed")
                self._metrics.count(m.TASK_ERRORS, 1, "answers")

    async def _give(self, answers: Sequence[Wanted]) -> None:
        groups: dict[tuple[str, str, str, str], list[Wanted]] = {}
        for one in answers:
            groups.setdefault((one.account, one.sender, one.text, one.kind), []).append(one)
        admitted: list[_Admitted] = []
        given: list[Wanted] = []
        for (account, sender, text, kind), own in groups.items():
            own_rule = kind == Kind.RULE
            settings = self._accounts.get(account)
            if settings is None:
                self._count(own, "no_account")
                continue
            ask = Ask(
                settings,
                text,
                self._clock(),
                sender=sender,
                category=Category.TRANSACTIONAL,
                max_parts=MOST_PARTS,
                answer=not own_rule,
            )
            drafts = [Draft(f"+{one.number}", position=place) for place, one in enumerate(own)]
            try:
                admission = self._replies if own_rule else self._answers
                passed = await admission.admit(ask, drafts)
            except Refused as refused:
                self._count(own, refused.reason.code)
                continue
            except (Busy, StoreError) as error:
                logger.warning("answers not given: %s", error, extra={"count": len(own)})
                self._count(own, "store")
                continue
            for draft in drafts:
                if draft.code is not None:
                    self._count([own[draft.position]], draft.code)
            if passed:
                admitted.append((ask, passed, kind))
                given += [own[draft.position] for draft in passed]
        if admitted:
            await self._accept(admitted, given)

    async def _accept(self, admitted: Sequence[_Admitted], given: Sequence[Wanted]) -> None:
        now = self._clock()
        submissions: list[Submission] = []
        for ask, drafts, kind in admitted:
            shared, *ids = self._store.new_ids(len(drafts) + 1, now)
            texts = texts_of(drafts)
            messages = new_messages(ask, drafts, ids, texts)
            own = structs.replace(content(ask, shared), refusable=kind in REFUSABLE)
            submissions.append(Submission(own, messages, texts=texts))
        try:
            await self._store.accept(submissions)
        except AldisError as error:
            logger.warning("answers not stored: %s", error, extra={"count": len(given)})
            self._count(given, "store")
            for ask, _, _ in admitted:
                ask.take_back()
            return
        self._count(given, "accepted")

    def _count(self, answers: Sequence[Wanted], fate: str) -> None:
        for one in answers:
            self._metrics.count(m.KEYWORD_ANSWERS, 1, one.account, one.kind, fate)
