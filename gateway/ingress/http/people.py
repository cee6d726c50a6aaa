"""People: what they consented to.

In: calls. Out: answers. Knows the store's contract.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from gateway.ingress.http import answers_people as a
from gateway.ingress.http import values
from gateway.ingress.http.call import Answer, Call, answer, page_link
from gateway.ingress.http.decode import decoder, refuse_nul
from gateway.ingress.http.problem import field_problem
from gateway.ingress.http.shapes_people import MOST, ConsentRequest
from gateway.ingress.http.values import instant, microseconds
from gateway.store.ledgers import Consent, ConsentState

CONSENTS: Final = frozenset({"number", "limit", "cursor"})

CLOCKS_DIFFER: Final = 300_000_000
"""How far a statement's time may lie ahead of ours, µs. One from next year would outlive every
refusal until then."""

_decode_consents: Final[Callable[[bytes], ConsentRequest | list[ConsentRequest]]] = decoder(
    ConsentRequest | list[ConsentRequest]  # type: ignore[arg-type]
)


async def record_consents(call: Call) -> Answer:
    """Add one statement or a list of them; none if one of them is wrong."""
    body = await call.body()
    given = _decode_consents(body)
    refuse_nul(body)
    if isinstance(given, list):
        refuse_too_many(given, "#")
        consents = [_consent(call, one, f"#/{place}") for place, one in enumerate(given)]
    else:
        consents = [_consent(call, given, "#")]
    stored = await call.service.store.record_consents(consents)
    return answer(200, a.ConsentsRecorded(len(stored)))


def refuse_too_many(entries: Sequence[object], pointer: str) -> None:
    """422 for a body with more entries than one may have."""
    if len(entries) > MOST:
        detail = f"{len(entries)} entries; a body has at most {MOST}"
        raise field_problem("too_many_entries", pointer, detail)


def _consent(call: Call, one: ConsentRequest, pointer: str) -> Consent:
    number = values.e164(one.number)
    if number is None:
        detail = f"`number`: {len(one.number)} characters; it is not in international form"
        raise field_problem("invalid_number", f"{pointer}/number", detail)
    state = ConsentState(one.state)
    if state is ConsentState.GRANTED:
        for name, value in (("wording", one.wording), ("source", one.source)):
            if not value.strip():
                detail = f"`{name}` must say what a consent rests on; `granted` proves nothing else"
                raise field_problem("missing_field", f"{pointer}/{name}", detail)
    at = call.now if one.at is None else microseconds(one.at)
    if at > call.now + CLOCKS_DIFFER:
        raise field_problem("invalid_value", f"{pointer}/at", "`at` is in the future")
    return Consent(
        call.account.name, number, one.brand, state, at, one.wording, one.source, call.actor
    )


async def consents(call: Call) -> Answer:
    """Statements, of one number or all, the last recorded first."""
    query = call.query(CONSENTS)
    limit = values.limit_of(query)
    found = await call.service.store.consents(
        call.account.name,
        limit + 1,
        values.cursor_of(query),
        number=values.number_of(query, "number"),
    )
    cursor = values.spell_cursor(found[limit - 1].id) if len(found) > limit else None
    page = a.ConsentPage([consent_out(one) for one in found[:limit]], cursor)
    return answer(200, page, *page_link(call, query, cursor))


def consent_out(one: Consent) -> a.ConsentOut:
    """A statement as the API shows it."""
    return a.ConsentOut(
        f"+{one.number}",
        one.brand,
        one.state.value,
        instant(one.at),
        one.wording,
        one.source,
        one.actor,
    )
