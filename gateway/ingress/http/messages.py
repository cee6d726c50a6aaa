"""Single messages: submit, look up, search, cancel.

In: calls. Out: answers. Knows the store's contract and admission's port.
"""

from __future__ import annotations

import time
from typing import Final

from gateway.draft import Ask, Draft, undone_on_error
from gateway.ingress.http import answers as a
from gateway.ingress.http import values
from gateway.ingress.http.asking import ask_for
from gateway.ingress.http.call import JSON, Answer, Call, answer, not_found, page_link
from gateway.ingress.http.decode import decoder, refuse_nul
from gateway.ingress.http.gather import ACCEPTED
from gateway.ingress.http.problem import Problem, reason_problem
from gateway.ingress.http.shapes import MessageRequest
from gateway.ingress.http.views import message_out, status_name
from gateway.model import WAITING, Status
from gateway.store.messages import StoredAnswer
from gateway.store.records import MessageFilter, MessageView

SEARCH: Final = frozenset(
    {"client_ref", "to", "batch", "status", "from_time", "to_time", "limit", "cursor"}
)

_decode: Final = decoder(MessageRequest)
_CANCELABLE: Final = WAITING | {Status.CANCELED}
"""Cancelling twice is no error."""


async def create(call: Call) -> Answer:
    """Check, store, answer: 202 means on disk."""
    body = await call.body()
    message = _decode(body)
    refuse_nul(body)
    service = call.service
    ask = ask_for(call, message, message.text)
    draft = Draft(message.to, message.vars, message.client_ref)
    passed = await service.admission.admit(ask, [draft])
    if not passed:
        # What was accepted the first time may count against it now.
        before = await call.answered_before()
        if before is not None:
            return before
        code = draft.code or "invalid_number"
        service.tally.ineligible(call.account.name, [code])
        raise reason_problem(code, draft.detail, draft.pointer)
    with undone_on_error(ask):
        return await _store(call, ask, passed)


async def _store(call: Call, ask: Ask, passed: list[Draft]) -> Answer:
    """Store the message; the answer it has, or had the first time."""
    service = call.service
    try:
        call.refuse_beyond_waiting(1)
    except Problem:
        # A request that was served already is told so however much waits by now.
        before = await call.answered_before()
        if before is not None:
            ask.take_back()
            return before
        raise
    stored = await service.gathering.put(ask, passed, call.claim)
    if isinstance(stored, StoredAnswer):
        ask.take_back()
        return call.replay(stored)
    service.tally.accepted(call.account.name, passed)
    service.tally.committed(call.label, time.perf_counter() - call.started)
    return Answer(ACCEPTED, stored, JSON)


async def get(call: Call) -> Answer:
    """One message."""
    return answer(200, message_out(await _own(call, call.id("msg"))))


async def search(call: Call) -> Answer:
    """Messages of the account, newest first."""
    query = call.query(SEARCH)
    limit = values.limit_of(query)
    where = MessageFilter(
        call.account.name,
        values.number_of(query, "to"),
        query.get("client_ref"),
        values.id_of(query, "batch", "bat"),
        values.statuses_of(query),
        values.time_of(query, "from_time"),
        values.time_of(query, "to_time"),
    )
    found = await call.service.store.search(where, limit + 1, values.cursor_of(query))
    cursor = values.spell_cursor(found[limit - 1].id) if len(found) > limit else None
    page = a.MessagePage([message_out(view) for view in found[:limit]], cursor)
    return answer(200, page, *page_link(call, query, cursor))


async def cancel(call: Call) -> Answer:
    """Cancel a message that has not left; cancelling twice is no error."""
    identifier = call.id("msg")
    (before,) = await call.service.store.cancel(call.account.name, [identifier], call.now)
    if before is None:
        raise not_found("msg")
    if before not in _CANCELABLE:
        raise Problem("not_cancelable", f"the message is `{status_name(before)}`")
    return answer(200, message_out(await _own(call, identifier)))


async def _own(call: Call, identifier: int) -> MessageView:
    (view,) = await call.service.store.messages(call.account.name, [identifier])
    if view is None:
        raise not_found("msg")
    return view
