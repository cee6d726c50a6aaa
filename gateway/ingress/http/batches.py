"""Batches: create, look up, count, start, pause, resume, cancel.

In: calls. Out: answers. Recipients in bulk arrive in `uploads` and leave in `exports`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from gateway import ids
from gateway.draft import Ask, Draft, content, ineligible, new_messages, texts_of, undone_on_error
from gateway.ingress.http import answers as a
from gateway.ingress.http import values
from gateway.ingress.http.asking import ask_for, batch_options, drafts_of, without_nul
from gateway.ingress.http.call import JSON, Answer, Call, answer, not_found, page_link
from gateway.ingress.http.decode import decoder, has_nul, refuse_nul
from gateway.ingress.http.problem import Problem, field_problem
from gateway.ingress.http.shapes import MAX_RECIPIENTS, BatchRequest, Recipient
from gateway.ingress.http.views import batch_out, batch_stats, ineligible_out
from gateway.model import BatchState
from gateway.store.messages import NewBatch, Submission
from gateway.store.records import BatchView

PAGE: Final = frozenset({"limit", "cursor"})

_decode: Final = decoder(BatchRequest)
_encode: Any = msgspec.json.Encoder().encode


class FirstNumbers:
    """The numbers of a batch that is only now being made (`draft.SeenNumbers`)."""

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        self._numbers: set[int] = set()

    def add_new(self, numbers: Sequence[int]) -> list[bool]:
        """For each number, whether it is new; new ones are remembered."""
        seen = self._numbers
        # set.add returns None, so the second half is True and remembers in the same pass.
        return [number not in seen and not seen.add(number) for number in numbers]  # type: ignore[func-returns-value]

    def forget(self, numbers: Iterable[int]) -> None:
        """Take numbers back."""
        self._numbers.difference_update(numbers)


def refuse_too_many(recipients: Sequence[Recipient]) -> None:
    """422 for a JSON body with more recipients than one body may have."""
    if len(recipients) > MAX_RECIPIENTS:
        raise field_problem(
            "too_many_recipients",
            "#/recipients",
            f"{len(recipients)} recipients; a body has at most {MAX_RECIPIENTS}, more belong in "
            "POST /v1/batches/{id}/recipients",
        )


async def create(call: Call) -> Answer:
    """Check every recipient, store the batch whole, list who cannot be served."""
    body = await call.body()
    request = _decode(body)
    refuse_nul(body, apart="recipients")
    refuse_too_many(request.recipients)
    before = await call.answered_before()
    if before is not None:
        return before
    service = call.service
    ask = ask_for(call, request, request.text, FirstNumbers())
    drafts = drafts_of(request.recipients, 0)
    passed = await service.admission.admit(ask, without_nul(drafts) if has_nul(body) else drafts)
    with undone_on_error(ask):
        return await _store(call, ask, request, drafts, passed)


async def _store(
    call: Call, ask: Ask, request: BatchRequest, drafts: list[Draft], passed: list[Draft]
) -> Answer:
    """Store the batch; the answer it has, or had the first time."""
    service = call.service
    call.refuse_beyond_waiting(len(passed))
    excluded = ineligible(drafts) if len(passed) < len(drafts) else []
    state = BatchState.RUNNING if request.start and drafts else BatchState.DRAFT
    now = service.clock()
    batch_id, content_id, *message_ids = service.store.new_ids(2 + len(passed), now)
    ask.batch = batch_id
    texts = texts_of(passed)
    shared = content(ask, content_id)
    encoded: bytes = _encode(
        a.BatchAccepted(
            ids.encode("bat", batch_id),
            state.value,
            a.BatchCounts(len(passed), len(excluded)),
            [ineligible_out(one) for one in excluded],
            values.instant(now),
        )
    )
    (stored,) = await service.store.accept(
        [
            Submission(
                shared,
                new_messages(ask, passed, message_ids, texts),
                excluded,
                NewBatch(batch_id, call.account.name, shared, state, now, batch_options(ask)),
                call.idempotency(202, encoded),
                texts=texts,
            )
        ]
    )
    if stored is not None:
        ask.take_back()
        return call.replay(stored)
    service.tally.accepted(call.account.name, passed)
    service.tally.ineligible(call.account.name, [one.code for one in excluded])
    service.tally.committed(call.label, time.perf_counter() - call.started)
    return Answer(202, encoded, JSON)


async def get(call: Call) -> Answer:
    """One batch."""
    return answer(200, batch_out(await own_batch(call)))


async def stats(call: Call) -> Answer:
    """One batch in figures."""
    return answer(200, batch_stats(await own_batch(call)))


async def page(call: Call) -> Answer:
    """Batches of the account, newest first."""
    query = call.query(PAGE)
    limit = values.limit_of(query)
    found = await call.service.store.batches(call.account.name, limit + 1, values.cursor_of(query))
    cursor = values.spell_cursor(found[limit - 1].id) if len(found) > limit else None
    views = [batch_out(view) for view in found[:limit]]
    return answer(200, a.BatchPage(views, cursor), *page_link(call, query, cursor))


async def own_batch(call: Call) -> BatchView:
    """The batch the path names, if it is the caller's."""
    view = await call.service.store.batch(call.account.name, call.id("bat"))
    if view is None:
        raise not_found("bat")
    return view


def _step(
    verb: str, after: BatchState, *allowed: BatchState
) -> Callable[[Call], Awaitable[Answer]]:
    async def step(call: Call) -> Answer:
        view = await own_batch(call)
        if view.state is not after:
            # The state is read before it is set: `start` and `resume` lead to the same state and
            # must not stand in for each other. Two callers at once meet the store's own table.
            if view.state not in allowed:
                raise Problem("wrong_state", f"the batch is `{view.state}`: it cannot {verb}")
            await call.service.store.set_batch_state(call.account.name, view.id, after, call.now)
            view = await own_batch(call)
        return answer(200, batch_out(view))

    step.__doc__ = f"`{verb}`: done twice it is no error."
    return step


start: Final = _step("start", BatchState.RUNNING, BatchState.DRAFT)
pause: Final = _step("pause", BatchState.PAUSED, BatchState.RUNNING)
resume: Final = _step("resume", BatchState.RUNNING, BatchState.PAUSED)
cancel: Final = _step(
    "cancel", BatchState.CANCELED, BatchState.DRAFT, BatchState.RUNNING, BatchState.PAUSED
)
