"""The recipients of a batch, a page at a time or all as one stream.

In: a batch and a wanted status. Out: JSON pages, or NDJSON in constant memory for whoever asks
with `Accept: application/x-ndjson`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway.ingress.http import answers as a
from gateway.ingress.http import values
from gateway.ingress.http.batches import own_batch
from gateway.ingress.http.call import STALL, Answer, Call, answer, page_link
from gateway.ingress.http.views import ineligible_out, message_out

NDJSON: Final = "application/x-ndjson"
INELIGIBLE: Final = "ineligible"
RECIPIENTS: Final = frozenset({"status", "limit", "cursor"})
_PAGE: Final = 1_000

_lines: Any = msgspec.json.Encoder().encode_lines

Rows = Sequence[a.MessageOut] | Sequence[a.IneligibleOut]


async def recipients(call: Call) -> Answer | web.StreamResponse:
    """Messages of a batch in order of acceptance; with `status=ineligible`, who was excluded."""
    query = call.query(RECIPIENTS)
    limit = values.limit_of(query)
    cursor = values.cursor_of(query)
    excluded = query.get("status") == INELIGIBLE
    statuses = None if excluded else values.statuses_of(query)
    batch = await own_batch(call)
    if NDJSON in call.request.headers.get("Accept", ""):
        return await _stream(call, batch.id, excluded, statuses, cursor)
    rows, cursor = await _slice(call, batch.id, excluded, statuses, limit, cursor)
    spelt = None if cursor is None else values.spell_cursor(cursor)
    page = {"data": rows, "next_cursor": spelt}
    return answer(200, page, *page_link(call, query, spelt))


async def _slice(
    call: Call,
    batch: int,
    excluded: bool,
    statuses: Sequence[int] | None,
    limit: int,
    cursor: int | None,
) -> tuple[Rows, int | None]:
    """Some rows, and the cursor of the next slice if there are more."""
    store = call.service.store
    if excluded:
        found = await store.ineligible(batch, limit + 1, cursor)
        following = found[limit - 1].position if len(found) > limit else None
        return [ineligible_out(one) for one in found[:limit]], following
    views = await store.batch_messages(batch, statuses, limit + 1, cursor)
    following = views[limit - 1].id if len(views) > limit else None
    return [message_out(view) for view in views[:limit]], following


async def _stream(
    call: Call, batch: int, excluded: bool, statuses: Sequence[int] | None, cursor: int | None
) -> web.StreamResponse:
    """All rows, a thousand in memory at a time."""
    async with streamed(call, NDJSON) as stream:
        while True:
            rows, cursor = await _slice(call, batch, excluded, statuses, _PAGE, cursor)
            if rows:
                await stream.send(_lines(rows))
            if cursor is None:
                return stream.response


class Stream:
    """An answer that is written while it is made."""

    def __init__(self, response: web.StreamResponse) -> None:
        self.response = response

    async def send(self, octets: bytes) -> None:
        """Wait until they are on their way."""
        # Whoever takes nothing for so long would hold one of `http.max_concurrent` for ever.
        try:
            async with asyncio.timeout(STALL):
                await self.response.write(octets)
        except TimeoutError:
            raise ConnectionResetError("the caller does not read") from None


@asynccontextmanager
async def streamed(call: Call, media: str) -> AsyncIterator[Stream]:
    """An answer of any length. A failure on the way breaks the connection: a chunked body without
    its last chunk cannot be taken for a complete one."""
    response = web.StreamResponse(headers={**call.headers, "Content-Type": media})
    await response.prepare(call.request)
    yield Stream(response)
    await response.write_eof()
