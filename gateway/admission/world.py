"""What the checks may know besides the submission itself.

Built once by the composition root; a reload replaces `routing` and rules. A check reads it and
writes nothing here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from gateway.admission.contacts import Ledger
from gateway.admission.judging import Moderation
from gateway.admission.numbering import Numbering
from gateway.admission.registered import Registered
from gateway.draft import Ask, Draft
from gateway.policy.quiet import QuietHours
from gateway.policy.senders import NO_RULES, CountryRules
from gateway.routing import RoutingTable
from gateway.store.ledgers import ConsentState


class OptOuts(Protocol):
    """The part of the store the opt-out check asks."""

    async def opted_out(
        self, account: str, sender: str, category: str, numbers: Sequence[int]
    ) -> set[int]:
        """Those of `numbers` that refuse this sender and category of this account."""
        ...


class People(Protocol):
    """The part of the store that knows what recipients agreed to, and which numbers fail."""

    async def consent_states(
        self, account: str, brand: str, numbers: Sequence[int]
    ) -> dict[int, ConsentState]:
        """What holds for each of `numbers` and this brand; those that said nothing are left
        out."""
        ...

    async def suppressed(self, account: str, numbers: Sequence[int]) -> set[int]:
        """Those of `numbers` that failed for good too often in a row."""
        ...


class Strangers:
    """`People` of a gateway that has nothing on record: strict accounts get no yes from it."""

    async def consent_states(
        self, account: str, brand: str, numbers: Sequence[int]
    ) -> dict[int, ConsentState]:
        """Nothing is on record."""
        return {}

    async def suppressed(self, account: str, numbers: Sequence[int]) -> set[int]:
        """Nobody failed."""
        return set()


class World:
    """Numbering plans, routes, the opt-out ledger, what is on record of recipients, registries,
    moderation, the hours."""

    __slots__ = (
        "contacts",
        "moderation",
        "numbering",
        "opt_outs",
        "people",
        "quiet",
        "registered",
        "routing",
        "sender_rules",
    )

    def __init__(
        self,
        numbering: Numbering,
        routing: RoutingTable,
        opt_outs: OptOuts,
        *,
        people: People | None = None,
        registered: Registered | None = None,
        sender_rules: CountryRules = NO_RULES,
        moderation: Moderation | None = None,
        quiet: QuietHours | None = None,
        contacts: Ledger | None = None,
    ) -> None:
        self.contacts = contacts
        self.numbering = numbering
        self.routing = routing
        self.opt_outs = opt_outs
        self.people: People = people or Strangers()
        self.registered = registered or Registered()
        self.sender_rules = sender_rules
        self.moderation = moderation or Moderation()
        self.quiet = quiet or QuietHours.without_rules()


Check = Callable[[Ask, list[Draft], World], "list[Draft] | Awaitable[list[Draft]]"]
"""One step of admission: takes the drafts that are still standing and returns those that go on.

It passes a draft, changes it, or refuses it (`draft.refuse`); it raises `errors.Refused` when the
submission cannot be served whoever the recipient is.
"""


def standing(drafts: list[Draft]) -> list[Draft]:
    """The drafts no check has refused."""
    return [draft for draft in drafts if draft.code is None]
