"""Duplicates: one message per number in a batch, over all of its uploads."""

from __future__ import annotations

from gateway.admission.world import World, standing
from gateway.draft import Ask, Draft


def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
    """Refuse every further recipient with a number the batch already has."""
    if ask.seen is None or not drafts:
        return drafts
    fresh = ask.seen.add_new([draft.number for draft in drafts])
    if all(fresh):
        return drafts
    for draft, new in zip(drafts, fresh, strict=True):
        if not new:
            draft.refuse("duplicate", "an earlier recipient of this batch has the number")
    return standing(drafts)
