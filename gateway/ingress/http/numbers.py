"""Numbers: what they are, before anything is sent to them; and another try for suppressed ones.

In: calls. Out: answers. Asks the numbering plans and the store; sends nothing, keeps nothing.
"""

from __future__ import annotations

import asyncio
from typing import Final

from gateway.ingress.http import answers_people as a
from gateway.ingress.http.call import Answer, Call, answer
from gateway.ingress.http.decode import decoder, refuse_nul
from gateway.ingress.http.people import refuse_too_many
from gateway.ingress.http.shapes_people import ValidateRequest
from gateway.ingress.http.views import reason_out

STEP: Final = 500
"""Numbers looked at before others get their turn: national forms ask the library, 50 us each."""

_decode: Final = decoder(ValidateRequest)


async def validate(call: Call) -> Answer:
    """What each number is, and whether it may be written to."""
    body = await call.body()
    request = _decode(body)
    refuse_nul(body)
    refuse_too_many(request.numbers, "#/numbers")
    region = request.default_region or call.account.default_region
    looked: list[tuple[int, a.NumberOut]] = []
    for first in range(0, len(request.numbers), STEP):
        looked += [_look(call, raw, region) for raw in request.numbers[first : first + STEP]]
        await asyncio.sleep(0)
    store, account = call.service.store, call.account.name
    numbers = list({number for number, _ in looked if number})
    refusing = await store.opted_out(account, request.sender, request.category, numbers)
    failing = await store.suppressed(account, numbers)
    for number, one in looked:
        one.opted_out = number in refusing
        one.suppressed = number in failing
    return answer(200, a.NumberList([one for _, one in looked]))


def _look(call: Call, raw: str, region: str | None) -> tuple[int, a.NumberOut]:
    numbering, account = call.service.numbering, call.account
    number, country, code, detail = numbering.look(raw, region)
    if code == "not_mobile" and not account.mobile_only:
        code = None
    if code is None and "*" not in account.countries and country not in account.countries:
        where = country or "a number of no country"
        code, why = "country_not_allowed", f"{where} is not among the account's countries"
    else:
        why = detail
    return number, a.NumberOut(
        code is None,
        f"+{number}" if number else None,
        country,
        numbering.kind_of(detail) if number else None,
        list(numbering.zones(number)) if number else [],
        None if code is None else reason_out(code, why),
    )


async def unsuppress(call: Call) -> Answer:
    """Forget a number's failures, so that it is tried again."""
    number = call.number()
    lifted = await call.service.store.unsuppress(call.account.name, number, call.actor, call.now)
    return answer(200, a.SuppressionLifted(f"+{number}", lifted))
