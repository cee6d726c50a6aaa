"""Opt-outs: recorded, taken back, listed, exported.

In: calls. Out: answers; the ledger as one stream of NDJSON or CSV for whoever asks for it. Numbers
come in bodies, not in paths. Knows the store's contract.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway import ids
from gateway.ingress.http import answers_optouts as a
from gateway.ingress.http import values
from gateway.ingress.http.call import Answer, Call, answer, page_link
from gateway.ingress.http.decode import decoder, refuse_nul
from gateway.ingress.http.exports import NDJSON, streamed
from gateway.ingress.http.parameters import ADMIN
from gateway.ingress.http.people import CLOCKS_DIFFER
from gateway.ingress.http.problem import Problem, field_problem, parameter_problem
from gateway.ingress.http.shapes_optouts import OptOutRemoval, OptOutRequest
from gateway.model import mask_number
from gateway.store.ledgers import ALL, OptOutView
from gateway.store.messages import OptOut

CSV: Final = "text/csv"
LIST: Final = frozenset({"since", "limit", "cursor", "number", "removed", "account"})
LEDGER: Final = frozenset({"account"})
PAGE: Final = 1_000
"""Entries in memory at a time while the ledger is exported."""
COLUMNS: Final = ("number", "sender", "category", "at", "source", "proof", "removed_at")
"""Of an export in CSV; an import takes the same."""

_decode_request: Final = decoder(OptOutRequest)
_decode_removal: Final = decoder(OptOutRemoval)
_lines: Any = msgspec.json.Encoder().encode_lines
_encode: Final = msgspec.json.Encoder().encode


class WrongNumber(Exception):
    """No number in international form; `detail` says so without repeating it."""

    def __init__(self, given: str) -> None:
        digits = given.strip().lstrip("+")
        shown = f" ({mask_number(digits)})" if digits.isascii() and digits.isdigit() else ""
        self.detail = f"`number`: {len(given)} characters{shown}; it is not in international form"
        super().__init__(self.detail)


def entry(
    ledger: str, request: OptOutRequest, number: int, now: int, source: str, proof: dict[str, Any]
) -> OptOut:
    """What is recorded of a request; `proof` as it is if the request has none of its own."""
    if request.proof or request.source:
        own = {"text": request.proof, "where": request.source}
        proof = {**{name: value for name, value in own.items() if value}, **proof}
    at = now if request.at is None else values.microseconds(request.at)
    return OptOut(ledger, number, request.sender, request.category, at, source, proof)


def number_of(request: OptOutRequest | OptOutRemoval) -> int:
    """Raises `WrongNumber`."""
    number = values.e164(request.number)
    if number is None:
        raise WrongNumber(request.number)
    return number


def in_future(request: OptOutRequest, now: int) -> bool:
    """Whether it was said later than clocks differ."""
    return request.at is not None and values.microseconds(request.at) > now + CLOCKS_DIFFER


def ledger_of(call: Call, query: Mapping[str, str]) -> str:
    """Whose refusals: the account's, or everyone's for whoever may say so."""
    given = query.get("account")
    if given is None:
        return call.account.name
    if given != ALL:
        raise parameter_problem("account", "`account` is `*` or left out: a key has one account")
    if ADMIN not in call.identity.scopes:
        raise Problem("missing_scope", f"everyone's opt-outs need the scope `{ADMIN}` as well")
    return ALL


# --- recording and taking back


async def record(call: Call) -> Answer:
    """Record a recipient's no and cancel what waits for them."""
    ledger = ledger_of(call, call.query(LEDGER))
    body = await call.body()
    request = _decode_request(body)
    refuse_nul(body)
    number = _number(request)
    if in_future(request, call.now):
        raise field_problem("invalid_value", "#/at", "`at` is in the future")
    one = entry(ledger, request, number, call.now, "api", {"actor": call.actor})
    canceled = await call.service.store.opt_out([one])
    return answer(200, a.OptOutOut(f"+{number}", request.sender, request.category, canceled))


async def remove(call: Call) -> Answer:
    """Take back what a recipient refused."""
    ledger = ledger_of(call, call.query(LEDGER))
    body = await call.body()
    request = _decode_removal(body)
    refuse_nul(body)
    number = _number(request)
    removed = await call.service.store.opt_in(
        ledger, [number], request.sender, request.category, call.now, "api"
    )
    return answer(200, a.OptOutRemoved(f"+{number}", request.sender, request.category, removed))


def _number(request: OptOutRequest | OptOutRemoval) -> int:
    try:
        return number_of(request)
    except WrongNumber as error:
        raise field_problem("invalid_number", "#/number", error.detail) from None


# --- reading


async def entries(call: Call) -> Answer | web.StreamResponse:
    """Refusals in order of their last change: a page, or all."""
    query = call.query(LIST)
    limit = values.limit_of(query)
    ledger = ledger_of(call, query)
    since = values.cursor_of(query)
    if since is None:
        since = _since(query)
    number = values.number_of(query, "number")
    removed = _removed(query)
    store = call.service.store

    async def some(most: int, after: int) -> list[OptOutView]:
        return await store.opt_outs(ledger, most, after, number=number, removed=removed)

    accepted = call.request.headers.get("Accept", "")
    for media, write in (NDJSON, _ndjson), (CSV, _csv):
        if media in accepted:
            return await _export(call, media, write, some, since)
    found = await some(limit + 1, since)
    cursor = values.spell_cursor(found[limit - 1].position) if len(found) > limit else None
    page = a.OptOutPage([_out(one) for one in found[:limit]], cursor)
    return answer(200, page, *page_link(call, query, cursor))


async def _export(
    call: Call,
    media: str,
    write: Callable[[Sequence[OptOutView], bool], bytes],
    some: Callable[[int, int], Awaitable[list[OptOutView]]],
    since: int,
) -> web.StreamResponse:
    async with streamed(call, media) as stream:
        first = True
        while True:
            found = await some(PAGE, since)
            octets = write(found, first)
            if octets:
                await stream.send(octets)
            if len(found) < PAGE:
                return stream.response
            first = False
            since = found[-1].position


def _ndjson(found: Sequence[OptOutView], first: bool) -> bytes:
    octets: bytes = _lines([_out(one) for one in found])
    return octets


def _csv(found: Sequence[OptOutView], first: bool) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    if first:
        writer.writerow(COLUMNS)
    writer.writerows([
        (
            "" if one.number is None else f"+{one.number}",
            one.sender,
            one.category,
            values.instant(one.at).isoformat(),
            one.source,
            _encode(one.proof).decode() if one.proof else "",
            "" if one.removed is None else values.instant(one.removed).isoformat(),
        )
        for one in found
    ])  # fmt: skip
    return text.getvalue().encode()


def _out(one: OptOutView) -> a.OptOutEntry:
    return a.OptOutEntry(
        values.spell_cursor(one.position),
        None if one.number is None else f"+{one.number}",
        one.sender,
        one.category,
        values.instant(one.at),
        one.source,
        one.proof,
        values.maybe_instant(one.removed),
    )


def _since(query: Mapping[str, str]) -> int:
    value = query.get("since")
    if value is None:
        return 0
    position = ids.decode("cur", value)
    if position is None:
        raise parameter_problem("since", "`since` is a `position` an entry had")
    return position


def _removed(query: Mapping[str, str]) -> bool:
    value = query.get("removed", "false")
    if value not in ("true", "false"):
        raise parameter_problem("removed", "`removed` is `true` or `false`")
    return value == "true"
