"""Opt-out: who said STOP to this sender hears no more of it (policy; the lease asks again)."""

from __future__ import annotations

from collections.abc import Awaitable

from gateway.admission.world import World, standing
from gateway.draft import Ask, Draft


def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft] | Awaitable[list[Draft]]:
    """Refuse recipients in the opt-out ledger, whatever the category: a hard block is a hard
    block. The one answer to a keyword may reach who has just said STOP."""
    return drafts if ask.answer else _check(ask, drafts, world)


async def _check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
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
            draft.note(draft.detail, "the opt-out ledger")
    return standing(drafts)
