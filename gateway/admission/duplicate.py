"""Duplicates: one message per number in a batch, over all of its uploads."""

from __future__ import annotations

from functools import partial

from gateway.admission.world import World, standing
from gateway.draft import Ask, Draft


def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
    """Refuse every further recipient with a number the batch already has."""
    if ask.seen is None or not drafts:
        for draft in drafts:
            draft.note("single messages have no duplicates to look for", "")
        return drafts
    numbers = [draft.number for draft in drafts]
    fresh = ask.seen.add_new(numbers)
    if not all(fresh):
        for draft, new in zip(drafts, fresh, strict=True):
            if not new:
                draft.refuse("duplicate", "an earlier recipient of this batch has the number")
        drafts = standing(drafts)
        numbers = [draft.number for draft in drafts]
    ask.undo.append(partial(ask.seen.forget, numbers))
    return drafts
