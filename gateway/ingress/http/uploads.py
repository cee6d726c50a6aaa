"""Recipients in bulk: a stream of any length into an existing batch, in constant memory.

In: NDJSON or CSV. Out: lists of a thousand recipients, each admitted and stored by itself, and
the counts. What was stored before a failure stays stored; because a batch has each number once,
sending the whole stream again adds only what is missing. The Idempotency-Key is written with the
last list: a repetition of a complete upload gets the first answer, one of an incomplete upload
completes it.
"""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec

from gateway import ids
from gateway.draft import Draft, SeenNumbers, ineligible, new_messages, texts_of, undone_on_error
from gateway.errors import AldisError
from gateway.ingress.http import answers as a
from gateway.ingress.http.asking import ask_again, drafts_of
from gateway.ingress.http.batches import own_batch
from gateway.ingress.http.call import JSON, Answer, Call
from gateway.ingress.http.lines import Parsed, Reader
from gateway.ingress.http.problem import Problem, UploadProgress, problem_for
from gateway.ingress.http.recipients import READERS
from gateway.ingress.http.shapes import Recipient
from gateway.model import BatchState
from gateway.store.messages import Submission
from gateway.store.records import BatchView

LIST: Final = 1_000
"""Recipients in one transaction: enough to make its fixed costs vanish, 10 ms of work."""
SHOWN: Final = 100
"""Problems listed in the answer; the counts go on."""

_encode: Any = msgspec.json.Encoder().encode


class Upload:
    """One stream on its way into a batch."""

    __slots__ = (
        "_ask",
        "_batch",
        "_call",
        "_counts",
        "_lines",
        "_position",
        "_problems",
        "_recipients",
    )

    def __init__(self, call: Call, batch: BatchView, numbers: SeenNumbers) -> None:
        self._call = call
        self._batch = batch
        self._ask = ask_again(call, batch, numbers)
        self._position = batch.recipients
        self._recipients: list[Recipient] = []
        self._lines: list[int] = []
        self._counts = a.UploadCounts(0, 0, 0)
        self._problems: list[a.LineProblem] = []

    async def run(self, reader: Reader[Recipient]) -> Answer:
        """Read to the end; the answer tells what became of every line."""
        call = self._call
        octets = 0
        try:
            async for chunk in call.chunks():
                octets += len(chunk)
                if call.claim is not None:
                    call.claim.digest.update(chunk)
                self._take(reader.feed(chunk))
                # More than, not at least: the last list is kept back for the idempotency answer.
                while len(self._recipients) > LIST:
                    await self._store_list()
            if not octets:
                raise Problem("empty_body", "the request has no body")
            self._take(reader.finish())
            while len(self._recipients) > LIST:
                await self._store_list()
            return await self._finish()
        except AldisError as error:
            raise self._told(problem_for(error)) from error
        except Problem as problem:
            raise self._told(problem) from None

    def _told(self, problem: Problem) -> Problem:
        counts = self._counts
        problem.counts = UploadProgress(counts.accepted, counts.ineligible, counts.malformed)
        # A refusal in the middle leaves the rest of the stream unread, and it may be endless.
        problem.close = True
        return problem

    def _take(self, parsed: Parsed[Recipient]) -> None:
        self._recipients += parsed.entries
        self._lines += parsed.lines
        self._counts.malformed += len(parsed.problems)
        self._report(parsed.problems)

    def _report(self, problems: list[a.LineProblem]) -> None:
        room = SHOWN - len(self._problems)
        if room > 0:
            self._problems += problems[:room]

    async def _store_list(self, *, last: bool = False) -> a.UploadResult:
        call, service, ask = self._call, self._call.service, self._ask
        recipients, self._recipients = self._recipients[:LIST], self._recipients[LIST:]
        lines, self._lines = self._lines[:LIST], self._lines[LIST:]
        # Before admission, which remembers the numbers: at most a list's worth too careful.
        call.refuse_beyond_waiting(len(recipients))
        started = time.perf_counter()
        ask.now = service.clock()
        first = self._position
        drafts = drafts_of(recipients, first)
        passed = await service.admission.admit(ask, drafts)
        excluded = ineligible(drafts) if len(passed) < len(drafts) else []
        counts = self._counts
        counts.accepted += len(passed)
        counts.ineligible += len(excluded)
        self._report(
            [a.LineProblem(lines[one.position - first], one.code, one.detail) for one in excluded]
        )
        result = self._result()
        kept = call.idempotency(200, _encode(result)) if last else None
        texts = texts_of(passed)
        message_ids = service.store.new_ids(len(passed), service.clock())
        submission = Submission(
            self._batch.content,
            new_messages(ask, passed, message_ids, texts),
            excluded,
            idempotency=kept,
            texts=texts,
        )
        try:
            with undone_on_error(ask):
                (stored,) = await service.store.accept([submission])
        except AldisError:
            counts.accepted -= len(passed)
            counts.ineligible -= len(excluded)
            raise
        if stored is not None:
            raise AssertionError("a key claimed by this request was answered by another")
        self._position += len(drafts)
        self._tally(passed, [one.code for one in excluded], started)
        return result

    def _tally(self, passed: list[Draft], codes: list[str], started: float) -> None:
        tally, account = self._call.service.tally, self._call.account.name
        tally.accepted(account, passed)
        tally.ineligible(account, codes)
        tally.committed(self._call.label, time.perf_counter() - started)

    def _result(self) -> a.UploadResult:
        state = self._batch.state
        if state is BatchState.FINISHED:
            # The store sets it going again with the first list (`BATCH_TRANSITIONS`).
            state = BatchState.RUNNING
        return a.UploadResult(
            ids.encode("bat", self._batch.id), state.value, self._counts, self._problems
        )

    async def _finish(self) -> Answer:
        if not self._recipients:
            return Answer(200, _encode(self._result()), JSON)
        return Answer(200, _encode(await self._store_list(last=True)), JSON)


async def upload(call: Call) -> Answer:
    """Add recipients to a batch that is not cancelled."""
    service = call.service
    batch = await own_batch(call)
    reader = READERS[call.media]()
    if call.claim is not None:
        stored = await service.store.answered(*call.claim.slot)
        if stored is not None:
            async for chunk in call.chunks():
                call.claim.digest.update(chunk)
            return call.replay(stored)
    if batch.state is BatchState.CANCELED:
        raise Problem("wrong_state", "the batch is `canceled`: it takes no recipients", close=True)
    if batch.id in service.uploading:
        raise Problem(
            "upload_in_flight",
            "wait for the other upload to this batch to end",
            headers=[("Retry-After", "1")],
            close=True,
        )
    service.uploading.add(batch.id)
    try:
        # Read again: another upload may have ended while this one waited for the store.
        batch = await own_batch(call)
        return await Upload(call, batch, await service.uploads.seen(batch.id)).run(reader)
    finally:
        service.uploading.discard(batch.id)
