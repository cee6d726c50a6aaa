from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from gateway.admission import consent
from gateway.admission.world import World
from gateway.draft import Ask, Draft
from gateway.model import Category
from gateway.store.ledgers import ConsentState

STRICT = {"strict_consent": True}
EACH = {
    1: ConsentState.GRANTED, 2: ConsentState.DENIED, 3: ConsentState.UNKNOWN,
}  # fmt: skip


class Recorded:
    """A ledger in a dict, and how often it was asked."""

    def __init__(self, states: dict[int, ConsentState]) -> None:
        self.states = states
        self.asked = 0

    async def consent_states(
        self, account: str, brand: str, numbers: Sequence[int]
    ) -> dict[int, ConsentState]:
        self.asked += 1
        return {number: self.states[number] for number in numbers if number in self.states}


@pytest.mark.parametrize(
    ("category", "account", "allowed"),
    [
        ("advertising", STRICT, {1}),
        ("advertising", {}, {1, 3, 4}),
        ("informational", STRICT, {1, 3, 4}),
        ("informational", {}, {1, 3, 4}),
        ("service", STRICT, {1, 2, 3, 4}),
        ("transactional", STRICT, {1, 2, 3, 4}),
    ],
)
async def test_who_may_be_written_to(
    world: World, ask: Callable[..., Ask], category: str, account: Any, allowed: set[int]
) -> None:
    world.people = Recorded(EACH)
    drafts = [Draft("") for _ in range(4)]
    for number, draft in enumerate(drafts, start=1):
        draft.number, draft.notes = number, []
    result = consent.check(ask(account=account, category=Category(category)), drafts, world)
    passed = result if isinstance(result, list) else await result
    assert {draft.number for draft in passed} == allowed
    for draft in drafts:
        if draft.number not in allowed:
            assert draft.code == "no_consent"
            assert draft.notes is not None and draft.notes[0].rule == draft.detail
            assert str(draft.number) not in draft.detail
    heeds = category in ("advertising", "informational")
    assert world.people.asked == heeds


async def test_an_answer_to_a_keyword_needs_no_consent(
    world: World, ask: Callable[..., Ask]
) -> None:
    world.people = Recorded({7: ConsentState.DENIED})
    drafts = [Draft("")]
    drafts[0].number = 7
    asked = ask(account=STRICT, category=Category.ADVERTISING, answer=True)
    assert consent.check(asked, drafts, world) is drafts
