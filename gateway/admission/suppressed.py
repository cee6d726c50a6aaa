"""Suppressed: numbers that failed for good too often in a row (the account's `suppress_after`)."""

from __future__ import annotations

from gateway.admission.world import World, standing
from gateway.draft import Ask, Draft


async def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
    """Refuse numbers that do not exist, as far as operators can be believed."""
    after = ask.account.suppress_after
    if not after:
        return drafts
    gone = await world.people.suppressed(ask.account.name, [draft.number for draft in drafts])
    if not gone:
        return drafts
    for draft in drafts:
        if draft.number in gone:
            draft.refuse("suppressed", f"the number failed for good {after} times or more in a row")
            draft.note(draft.detail, "the account's suppress_after")
    return standing(drafts)
