"""A person's rights: what is kept of a number, and the end of it.

In: calls. Out: everything as one stream, an object a line, a page in memory at a time; or what was
erased. Both are in the audit trail. Knows the store's contract.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway import ids
from gateway.ingress.http import answers_people as a
from gateway.ingress.http.call import STALL, Answer, Call, answer
from gateway.ingress.http.people import consent_out
from gateway.ingress.http.values import instant, maybe_instant
from gateway.ingress.http.views import inbound_out, ineligible_out, message_out
from gateway.model import mask_number
from gateway.store.ledgers import Excluded, OptOutView
from gateway.store.records import MessageFilter
from gateway.store.registry import Audit

NDJSON: Final = "application/x-ndjson"
_PAGE: Final = 500

_encode_lines: Any = msgspec.json.Encoder().encode_lines


async def export(call: Call) -> web.StreamResponse:
    """Everything kept of a number for the account."""
    number = call.number()
    name, now = call.account.name, call.now
    entry = Audit(name, call.actor, "subject.export", mask_number(number), now)
    await call.service.store.note_audit([entry])
    response = web.StreamResponse(headers={**call.headers, "Content-Type": NDJSON})
    await response.prepare(call.request)
    async for lines in _lines(call, number):
        if not lines:
            continue
        # Whoever takes nothing for so long would hold one of `http.max_concurrent` for ever.
        try:
            async with asyncio.timeout(STALL):
                await response.write(_encode_lines(lines))
        except TimeoutError:
            raise ConnectionResetError("the caller does not read") from None
    await response.write_eof()
    return response


async def _lines(call: Call, number: int) -> AsyncIterator[list[a.SubjectLine]]:
    store, account = call.service.store, call.account.name
    subject = await store.subject(account, number)
    head = a.SubjectOut(
        f"+{number}",
        instant(call.now),
        subject.failures,
        maybe_instant(subject.failed_at),
        subject.suppressed,
    )
    yield [a.SubjectLine("subject", subject=head)]
    yield [a.SubjectLine("opt_out", opt_out=_opt_out(one)) for one in subject.opt_outs]
    yield [a.SubjectLine("consent", consent=consent_out(one)) for one in subject.consents]
    cursor: int | None = None
    while True:
        views = await store.search(MessageFilter(account, number), _PAGE, cursor)
        yield [a.SubjectLine("message", message=message_out(view)) for view in views]
        if len(views) < _PAGE:
            break
        cursor = views[-1].id
    cursor = None
    while True:
        replies = await store.replies(account, number, _PAGE, cursor)
        yield [a.SubjectLine("reply", reply=inbound_out(one)) for one in replies]
        if len(replies) < _PAGE:
            break
        cursor = replies[-1].id
    excluded = await _excluded(call, number)
    yield [
        a.SubjectLine("ineligible", ineligible=ineligible_out(one.recipient),
                      batch_id=ids.encode("bat", one.batch))
        for one in excluded
    ]  # fmt: skip


async def _excluded(call: Call, number: int) -> Sequence[Excluded]:
    """Those recipients that are the number as their batch read it; the store's may be others that
    end like it."""
    store, account = call.service.store, call.account
    regions: dict[int, str | None] = {}
    found: list[Excluded] = []
    for one in await store.excluded(account.name, number):
        if one.batch not in regions:
            batch = await store.batch(account.name, one.batch)
            region = None if batch is None else batch.options.get("default_region")
            regions[one.batch] = region or account.default_region
        read, *_ = call.service.numbering.look(one.recipient.to, regions[one.batch])
        if read == number:
            found.append(one)
    return found


def _opt_out(one: OptOutView) -> a.SubjectOptOut:
    return a.SubjectOptOut(
        one.sender, one.category, instant(one.at), one.source, one.proof, maybe_instant(one.removed)
    )


async def erase(call: Call) -> Answer:
    """Remove what is kept of a number; its refusals still stop messages."""
    number = call.number()
    gone = await call.service.store.erase(call.account.name, number, call.actor, call.now)
    return answer(
        200,
        a.SubjectErased(
            gone.messages,
            gone.canceled,
            gone.under_way,
            gone.replies,
            gone.excluded,
            gone.consents,
            gone.opt_outs_kept,
        ),
    )
