"""Consent: who agreed to be written to, and who said no (policy.md, "Consent, opt-out, keywords").

`advertising` needs the recipient's recorded yes where the account is strict (`strict_consent`).
A recorded no stops `advertising` and `informational` on every account: news that nobody has to
send needs nobody's yes, but it is not sent to who declined it (a revocation reaches informational
texts under 47 CFR 64.1200(a)(10), too). `service` and `transactional` answer to something the
recipient did and need no consent. An answer to a keyword answers who just wrote.

A yes takes no opt-out back: `opt_out` asks for itself.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from gateway.admission.world import World, standing
from gateway.draft import Ask, Draft
from gateway.model import Category
from gateway.store.ledgers import ConsentState

NEEDS_YES: Final = frozenset({Category.ADVERTISING})
"""What a strict account may send with a recorded yes only."""
HEEDS_NO: Final = frozenset({Category.ADVERTISING, Category.INFORMATIONAL})
"""What a recorded no stops on every account."""


def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft] | Awaitable[list[Draft]]:
    """Refuse recipients without the consent this message needs."""
    if ask.category not in HEEDS_NO or ask.answer:
        return drafts
    return _check(ask, drafts, world)


async def _check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
    strict = ask.account.strict_consent and ask.category in NEEDS_YES
    states = await world.people.consent_states(
        ask.account.name, ask.sender or "", [draft.number for draft in drafts]
    )
    if not states and not strict:
        return drafts
    source = "the account's strict_consent" if strict else "the consent ledger"
    for draft in drafts:
        state = states.get(draft.number)
        if state is ConsentState.DENIED:
            draft.refuse("no_consent", "the recipient has refused consent to this sender")
        elif strict and state is not ConsentState.GRANTED:
            draft.refuse("no_consent", "no consent of the recipient to this sender is on record")
        elif draft.notes is not None:
            said = "nothing" if state is None else f"`{state.value}`"
            draft.note(f"the recipient's consent to this sender: {said} is on record", source)
            continue
        else:
            continue
        draft.note(draft.detail, source)
    return standing(drafts)
