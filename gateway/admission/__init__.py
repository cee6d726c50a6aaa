"""Admission: a submission -> messages that may be sent, and refusals with their reasons.

In: an `Ask` and its `Draft`s. Out: the drafts that passed, each with number, country, parts,
time and lane; the others with a reason code. Stores nothing, sends nothing, charges nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from gateway.admission import (
    consent,
    country,
    duplicate,
    encode,
    frequency,
    local_time,
    moderation,
    number,
    opt_out,
    quiet,
    render,
    route,
    schedule,
    sender,
    sender_country,
    suppressed,
    template,
    template_match,
)
from gateway.admission.explain import explain
from gateway.admission.world import Check, World
from gateway.draft import Ask, Draft, Step

ORDER: Final[tuple[Check, ...]] = (
    template.check,
    sender.check,
    schedule.check,
    number.check,
    country.check,
    sender_country.check,
    template_match.check,
    local_time.check,
    suppressed.check,
    consent.check,
    opt_out.check,
    render.check,
    encode.check,
    moderation.check,
    quiet.check,
    route.check,
    duplicate.check,
    frequency.check,
)
"""The order is the policy: what refuses the whole submission first, then what refuses most for
least work. Duplicates come last, so that a recipient refused for another reason does not bar a
later, better entry with the same number; then how often a number is written to, because it
remembers what it lets pass. A new check is a file and a line here."""

ANSWER: Final[tuple[Check, ...]] = (
    schedule.check,
    number.check,
    country.check,
    sender_country.check,
    template_match.check,
    render.check,
    encode.check,
    route.check,
)
"""What an answer to a keyword passes. Its sender is the number that was written to (which still has
to be one that country and carriers take, as its text has to be one they have approved), its
recipient has just asked, and it may be the confirmation of an opt-out: no ledger, hour or
moderator."""

REPLY: Final[tuple[Check, ...]] = tuple(check for check in ORDER if check is not sender.check)
"""What the reply of an account's own keyword passes: all but whether the account may use the
sender, which is the number that was written to."""


class Checks:
    """`draft.Admission`: every check in order."""

    __slots__ = ("_order", "world")

    def __init__(self, world: World, order: tuple[Check, ...] = ORDER) -> None:
        self.world = world
        self._order = order

    def apart(self, account: str) -> bool:
        """See `draft.Admission.apart`."""
        world = self.world
        return world.routing.wants_templates(account) or world.registered.templates.concern(account)

    async def admit(self, ask: Ask, drafts: list[Draft]) -> list[Draft]:
        """Run the checks; see `draft.Admission.admit`."""
        try:
            for check in self._order:
                result = check(ask, drafts, self.world)
                drafts = await result if isinstance(result, Awaitable) else result
        except BaseException:
            ask.take_back()
            raise
        return drafts

    async def explain(self, ask: Ask, draft: Draft) -> list[Step]:
        """What each check does with one draft; see `draft.Admission.explain`."""
        return await explain(self._order, ask, draft, self.world)
