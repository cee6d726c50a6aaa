"""Country: the account's allow-list."""

from __future__ import annotations

from gateway.admission.world import World, standing
from gateway.draft import Ask, Draft


def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
    """Refuse numbers of countries the account may not send to."""
    allowed = ask.account.countries
    if "*" in allowed:
        return drafts
    permitted = frozenset(allowed)
    for draft in drafts:
        if draft.notes is not None:
            draft.note(f"allowed: {', '.join(allowed)}", "account.countries")
        if draft.country not in permitted:
            where = draft.country or "a number of no country"
            draft.refuse("country_not_allowed", f"{where} is not among the account's countries")
    return standing(drafts)
