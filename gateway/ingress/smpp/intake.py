"""Submits on their way to the store, a list for all binds at once.

In: the submits of each read of each bind. Out: one pass of admission and one `store.accept` for
what came together, and after the commit one write a bind with the answers. Submits that come while
a list is being written form the next one, so the busier the server, the less a message costs;
nobody waits for company. Knows binds, admission and the store's contract.

    read -> pace -> asking -> admission -> accept -> answers

What becomes one submission is asking.py's. Only what a customer splits itself takes another way
(split.py), because parts have to be joined in order.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Any, Final

from gateway import metrics as m
from gateway.draft import Admission, Draft, content, ineligible, new_messages, texts_of
from gateway.errors import AldisError, Refused
from gateway.ingress.smpp.answers import Answers, form_of, status_for, status_of, told_body
from gateway.ingress.smpp.asking import Asked, Asking
from gateway.ingress.smpp.bind import Bind
from gateway.ingress.smpp.ids import spell
from gateway.ingress.smpp.logins import Logins
from gateway.ingress.smpp.ports import Clock, Store
from gateway.ingress.smpp.present import replace_present
from gateway.ingress.smpp.split import Split
from gateway.model import BatchState
from gateway.store.messages import NewBatch, Submission
from gateway.tally import Tally
from protocol import constants as c
from protocol.fields import UnsuccessSme
from protocol.pdu import SubmitMultiResp, body

log = logging.getLogger("aldis.ingress")

LIST: Final = 2_000
"""Requests in one list: half of what the store puts into one transaction."""
UNDER_WAY: Final = 2
"""Lists in the store's hands: one being written, one ready to follow it without a pause."""
ROUTE: Final = "smpp"
"""The label of the acceptance histogram."""

_LONGEST_ADDRESS: Final = 20


class Intake:
    """All submits of all binds."""

    def __init__(
        self, logins: Logins, store: Store, admission: Admission, clock: Clock, tally: Tally
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.logins = logins
        self.admission = admission
        self.asking = Asking(clock, admission.apart)
        self._store = store
        self._clock = clock
        self._tally = tally
        self._split = Split(self, store, clock, tally)
        self._waiting: OrderedDict[str, deque[tuple[Bind, list[Any]]]] = OrderedDict()
        """Reads by account, which take turns: whoever floods waits for its own."""
        self._late: dict[asyncio.TimerHandle, tuple[Bind, list[Any]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._replacing: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self._scheduled = False

    # ---- life

    async def start(self) -> None:
        """Take up parts whose others had not come when the last run ended."""
        await self._split.start()

    def tick(self) -> None:
        """Once a second: parts that have waited long enough go as they are."""
        self._split.tick()

    def take_up(self) -> None:
        """Logins may have come back whose parts wait."""
        self._split.take_up()

    @property
    def waiting_parts(self) -> int:
        """Parts whose others have not come."""
        return self._split.waiting

    def keeps_part(self, account: str, identifier: int) -> bool:
        """Whether this is the id of such a part of the account's."""
        return self._split.keeps(account, identifier)

    def drain(self) -> None:
        """Wait no longer for anybody's pace: what was taken is stored and answered."""
        for handle, (bind, pdus) in list(self._late.items()):
            handle.cancel()
            self._wait(bind, pdus)
        self._late.clear()
        self._schedule()

    async def finished(self, timeout: float) -> None:
        """Wait until everything taken so far is answered, at most `timeout` seconds."""
        deadline = self._loop.time() + timeout
        while self._waiting or self._tasks or self._replacing:
            if self._loop.time() >= deadline:
                break
            self._schedule()
            await asyncio.sleep(0)
            if under_way := self._tasks | self._replacing:
                await asyncio.wait(
                    under_way,
                    timeout=max(0.0, deadline - self._loop.time()),
                    return_when=asyncio.FIRST_COMPLETED,
                )
        await self._split.finished(max(0.0, deadline - self._loop.time()))

    # ---- in

    def put(self, bind: Bind, pdus: list[Any]) -> None:
        """The submits of one read. Within the login's pace they are taken at once, a burst above it
        later, and what would wait too long is throttled."""
        login = bind.login
        assert login is not None
        count = len(pdus)
        verdict = login.pace.take(count, self._loop.time())
        now, late = verdict.now, verdict.late
        if now < count:
            if now + late < count:
                answers = Answers(self._tally)
                for pdu in pdus[now + late :]:
                    answers.no(bind, pdu, c.ESME_RTHROTTLED)
                answers.send()
            if late:
                self._tally.count(m.SMPP_DELAYED, late, login.account.name)
                self._later(verdict.delay, bind, pdus[now : now + late])
            pdus = pdus[:now]
        if pdus:
            self._wait(bind, pdus)
            self._schedule()

    def _wait(self, bind: Bind, pdus: list[Any]) -> None:
        assert bind.login is not None
        self._waiting.setdefault(bind.login.account.name, deque()).append((bind, pdus))

    def _later(self, delay: float, bind: Bind, pdus: list[Any]) -> None:
        def due() -> None:
            del self._late[handle]
            self._wait(bind, pdus)
            self._schedule()

        handle = self._loop.call_later(delay, due)
        self._late[handle] = (bind, pdus)

    def _schedule(self) -> None:
        if not self._scheduled and len(self._tasks) < UNDER_WAY:
            # At the end of this turn of the loop: other reads of the same turn come along.
            self._scheduled = True
            self._loop.call_soon(self._send)

    def _send(self) -> None:
        self._scheduled = False
        while self._waiting and len(self._tasks) < UNDER_WAY:
            taken: list[tuple[Bind, list[Any]]] = []
            size = 0
            while self._waiting:
                account, reads = next(iter(self._waiting.items()))
                size += len(reads[0][1])
                if taken and size > LIST:
                    break
                taken.append(reads.popleft())
                if reads:
                    self._waiting.move_to_end(account)
                else:
                    del self._waiting[account]
            task = self._loop.create_task(self._take(taken), name="smpp submits")
            self._tasks.add(task)
            task.add_done_callback(self._taken)

    def _taken(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._waiting:
            self._send()

    # ---- one list

    async def _take(self, taken: list[tuple[Bind, list[Any]]]) -> None:
        begun = time.perf_counter()
        answers = Answers(self._tally)
        parts: set[int] = set()
        try:
            asked = self.asking.read(taken, answers, self._split.put, parts)
            replacing = [one for one in asked if one.replaces]
            if replacing:
                asked = [one for one in asked if not one.replaces]
                parts |= {id(pdu) for one in replacing for _, pdu in one.origins}
                task = self._loop.create_task(self._take_replacing(replacing))
                self._replacing.add(task)
                task.add_done_callback(self._replacing.discard)
            if asked:
                await self.admit(asked, answers)
                await self.accept(asked, answers)
                self._tally.observe(m.ACCEPT_SECONDS, [time.perf_counter() - begun], ROUTE)
        except Exception:  # the task's edge: others are in the list, and all wait for an answer
            log.exception("submits not taken")
            self._tally.count(m.TASK_ERRORS, 1, "smpp submits")
            answered = answers.answered()
            for bind, pdus in taken:
                for pdu in pdus:
                    if id(pdu) not in parts and (bind, pdu.sequence_number) not in answered:
                        answers.no(bind, pdu, c.ESME_RSYSERR)
        answers.send()

    async def _take_replacing(self, asked: list[Asked]) -> None:
        """Those that may take another's place: each has to be looked for, which nobody else is to
        wait for. One list at a time, so that a later one finds what an earlier one has stored."""
        answers = Answers(self._tally)
        async with self._turn:
            try:
                await self.admit(asked, answers)
                for one in asked:
                    await self._replace_present(one, answers)
                await self.accept(asked, answers)
            except Exception:  # the task's edge
                log.exception("submits not taken")
                self._tally.count(m.TASK_ERRORS, 1, "smpp submits")
                answered = answers.answered()
                for one in asked:
                    for bind, pdu in one.origins:
                        if (bind, pdu.sequence_number) not in answered:
                            answers.no(bind, pdu, c.ESME_RSYSERR)
        answers.send()

    async def admit(self, asked: Sequence[Asked], answers: Answers) -> None:
        """Run admission over each submission; who is refused is answered here."""
        for one in asked:
            account = one.ask.account
            try:
                one.passed = await self.admission.admit(one.ask, one.drafts)
            except (AldisError, ValueError) as error:
                one.passed = []
                self._refuse_all(one, answers, status_for(error))
                if isinstance(error, Refused):
                    self._tally.count(
                        m.INELIGIBLE, len(one.drafts), account.name, error.reason.code
                    )
                continue
            if len(one.passed) == len(one.drafts):
                continue
            for draft in one.drafts:
                if draft.code is not None:
                    self._tally.count(m.INELIGIBLE, 1, account.name, draft.code)
                    if not one.multi:
                        answers.no(
                            *one.origins[draft.position], status_of(draft.code, draft.pointer)
                        )
            if one.multi and not one.passed:
                first = one.drafts[0]
                answers.no(*one.origins[0], status_of(first.code or "", first.pointer))

    async def accept(self, asked: Sequence[Asked], answers: Answers) -> None:
        """Store what passed, all in one call, and note the answers."""
        going = []
        for one in asked:
            account = one.ask.account
            if not one.passed:
                continue
            if self._store.waiting(account.name) + len(one.passed) > account.max_waiting:
                one.ask.take_back()
                self._refuse_all(one, answers, c.ESME_RMSGQFUL, one.passed)
                continue
            going.append(one)
        if not going:
            return
        # No await between taking ids and calling accept: the store relies on their order.
        count = sum([len(one.passed) + 2 for one in going])
        ids = iter(self._store.new_ids(count, self._clock()))
        submissions: list[Submission] = []
        told: list[list[int]] = []
        for one in going:
            submission, own = self._submission(one, ids)
            submissions.append(submission)
            told.append(own)
        try:
            await self._store.accept(submissions)
        except Exception as error:
            if not isinstance(error, AldisError):
                log.exception("submits not stored")
                self._tally.count(m.TASK_ERRORS, 1, "smpp submits")
            for one in going:
                one.ask.take_back()
                self._refuse_all(one, answers, status_for(error), one.passed)
            return
        for one, own in zip(going, told, strict=True):
            self._answer(one, own, answers)

    async def _replace_present(self, one: Asked, answers: Answers) -> None:
        try:
            replaced = await replace_present(self._store, one.ask, one.passed, self._clock())
        except AldisError as error:
            one.ask.take_back()
            self._refuse_all(one, answers, status_for(error), one.passed)
            one.passed = []
            return
        for draft, identifier in replaced:
            bind, pdu = one.origins[draft.position]
            answers.ok(bind, pdu, told_body(bind, identifier))
        gone = {id(draft) for draft, _ in replaced}
        one.passed = [draft for draft in one.passed if id(draft) not in gone]

    def _submission(self, one: Asked, ids: Any) -> tuple[Submission, list[int]]:
        """The submission, and the id each draft that passed is told."""
        ask, now = one.ask, one.ask.now
        if one.multi and len(one.passed) > 1:
            batch = next(ids)
            ask.batch = batch
            shared = content(ask, next(ids))
            messages = [next(ids) for _ in one.passed]
            made = NewBatch(
                batch, ask.account.name, shared, BatchState.RUNNING, now, {"priority": ask.priority}
            )
            texts = texts_of(one.passed)
            submission = Submission(
                shared,
                new_messages(ask, one.passed, messages, texts),
                ineligible(one.drafts),
                batch=made,
                texts=texts,
            )
            return submission, [batch] * len(messages)
        shared = content(ask, next(ids))
        own = [next(ids) for _ in one.passed]
        texts = texts_of(one.passed)
        return Submission(shared, new_messages(ask, one.passed, own, texts), texts=texts), own

    def _answer(self, one: Asked, own: list[int], answers: Answers) -> None:
        account = one.ask.account.name
        for lane in {draft.lane for draft in one.passed}:
            count = sum([draft.lane == lane for draft in one.passed])
            self._tally.count(m.ACCEPTED, count, account, lane)
        if one.multi:
            bind, pdu = one.origins[0]
            answers.ok(bind, pdu, _multi_body(bind, pdu, one.drafts, own[0]))
            return
        origins = one.origins
        answers.told([origins[draft.position] for draft in one.passed], own)

    def _refuse_all(
        self, one: Asked, answers: Answers, status: int, drafts: Sequence[Draft] | None = None
    ) -> None:
        if one.multi:
            answers.no(*one.origins[0], status)
            return
        for draft in one.drafts if drafts is None else drafts:
            answers.no(*one.origins[draft.position], status)


def _multi_body(bind: Bind, pdu: Any, drafts: list[Draft], identifier: int) -> bytes:
    failed = []
    for draft in drafts:
        if draft.code is not None:
            ton, npi, addr = pdu.dest_address[draft.position]
            # What is longer than an address may be came in, and could not be said again.
            status = status_of(draft.code, draft.pointer)
            failed.append(UnsuccessSme(ton, npi, addr[:_LONGEST_ADDRESS], status))
    told = spell(identifier, form_of(bind))
    return body(SubmitMultiResp(message_id=told, unsuccess_sme=tuple(failed)))
