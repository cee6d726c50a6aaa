"""Opt-out: who said STOP to this sender hears no more of it (policy; the lease asks again)."""

from __future__ import annotations

from gateway.admission.world import World, standing
from gateway.draft import Ask, Draft


async def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
    """Refuse recipients in the opt-out ledger."""
    refusing = await world.opt_outs.opted_out(
        ask.account.name,
        ask.sender or "",
        ask.category.value,
        [draft.number for draft in drafts],
    )
    if not refusing:
        return drafts
    for draft in drafts:
        if draft.number in refusing:
            draft.refuse("opted_out", "the recipient has opted out of this sender")
    return standing(drafts)
