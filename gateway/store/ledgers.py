"""What recipients have said: refusals, consents, failures; values and their part of the contract.

In: nothing. Out: values and protocols. Senders are compared without a leading `+`; `ALL` (`*`)
stands for every sender, category or account.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, Protocol

import msgspec

from gateway.store.messages import InboundMessage, Ineligible, OptOut

ALL: Final = "*"


def spelt(sender: str) -> str:
    """A sender as the ledgers compare it: numbers without `+`, names in lower case, no space at the
    ends. (None has one: ` ACME` from a spreadsheet is ACME, and would else stop nothing.)"""
    return sender.strip().lstrip("+").casefold()


# --- opt-outs


class OptOutView(msgspec.Struct):
    """One refusal as it stands."""

    position: int
    """Grows with every change: `since` of the listing."""
    account: str
    number: int | None
    """None once the subject was erased: a keyed hash is kept, which still stops messages."""
    sender: str
    category: str
    at: int
    source: str
    """`mo` (a reply), `api`, `import`, `smpp`, `erased`."""
    proof: dict[str, Any]
    """The keyword and the reply's id, or what the caller said."""
    removed: int | None = None
    """When it was taken back, UTC µs."""


class OptOutStore(Protocol):
    """The opt-out ledger.

    Whoever refuses is refused from the commit on: by `opted_out`, and by the lease. Waiting
    messages are then looked for and cancelled, some at a time; the calls return when that is done.
    The answers to STOP and HELP (`Content.answer`) are let through.
    """

    async def opt_out(self, entries: Sequence[OptOut]) -> int:
        """Record refusals and cancel what waits for them (scheduled and held messages too);
        returns messages cancelled. Each new one is an event `optout.created`; what stands already
        stays as it is."""

    async def import_opt_outs(self, entries: Sequence[OptOut]) -> int:
        """Record many; returns how many are new. Waiting messages they concern are left to
        `cancel_opted_out`. One event `optout.imported` tells of some hundred: whoever wants to know
        which reads `opt_outs`."""

    async def cancel_opted_out(
        self, account: str, now: int, numbers: Sequence[int] | None = None
    ) -> int:
        """Cancel what waits for recipients in the ledger (`numbers` None: for all of them);
        returns messages cancelled."""

    async def opt_in(
        self,
        account: str,
        numbers: Sequence[int],
        sender: str,
        category: str,
        now: int,
        source: str,
    ) -> int:
        """Take back refusals that `sender` and `category` cover (`*` covers all); returns how
        many. Each is an event `optout.removed`. Only the account's own: not those of `*`."""

    async def opted_out(
        self, account: str, sender: str, category: str, numbers: Sequence[int]
    ) -> set[int]:
        """Those of `numbers` that refuse this sender and category of this account, or of all."""

    async def opt_outs(
        self, account: str, limit: int, since: int = 0, *, number: int | None = None,
        removed: bool = False,
    ) -> list[OptOutView]:  # fmt: skip
        """In order of their last change, from beyond position `since`; with `removed`, those taken
        back too."""


# --- consents


class ConsentState(StrEnum):
    """What a recipient said."""

    GRANTED = "granted"
    DENIED = "denied"
    UNKNOWN = "unknown"


class Consent(msgspec.Struct, frozen=True):
    """One statement of a recipient; never changed, the newest holds."""

    account: str
    number: int
    brand: str
    """Sender or brand it was given to; `*` for all of the account's."""
    state: ConsentState
    at: int
    """When it was given, UTC µs."""
    wording: str
    """What the person agreed to, word for word."""
    source: str
    """Where: a form's address, a shop, `keyword`."""
    actor: str
    """Who recorded it."""
    id: int = 0
    """Given by the store."""


class ConsentStore(Protocol):
    """The consent ledger.

    Of the statements of a number to a brand and to `*` the newest holds, whichever of the two it
    was made to: newest by the time it was given, then by the order of recording, so that an import
    of old consents never undoes a later refusal. It says nothing of opt-outs: those hold whatever
    was consented to.
    """

    async def record_consents(self, statements: Sequence[Consent]) -> list[Consent]:
        """Add statements; returns them with their ids and with brands as the ledger spells them.
        Long lists are written in steps: after a failure the beginning may stand."""

    async def consents(
        self, account: str, limit: int, cursor: int | None = None, *, number: int | None = None
    ) -> list[Consent]:
        """In the order of recording, newest first; `cursor` is the last id seen."""

    async def consent_states(
        self, account: str, brand: str, numbers: Sequence[int]
    ) -> dict[int, ConsentState]:
        """What holds for each of `numbers` and this brand; those that said nothing are left out.
        Costs nothing where the account has no statements."""


# --- what differs by account


class AccountRules(msgspec.Struct, frozen=True):
    """What a store must know of an account's settings."""

    suppress_after: int = 0
    """Permanent failures in a row after which a number is suppressed; 0: never."""
    keep_text: float | None = None
    """Seconds texts stay after a message ended; None: as long as the store keeps them."""
    keep_messages: float | None = None
    """Seconds messages and numbers stay after they ended."""


# --- numbers that fail, people who want to be forgotten


class FailureStore(Protocol):
    """Numbers that fail for good, and what else differs by account."""

    def rule_accounts(self, rules: Mapping[str, AccountRules]) -> None:
        """What differs by account; one that is not named suppresses nothing and keeps what the
        store keeps."""

    async def suppressed(self, account: str, numbers: Sequence[int]) -> set[int]:
        """Those of `numbers` that failed for good too often in a row. Costs nothing where none of
        them ever failed."""

    async def unsuppress(self, account: str, number: int, actor: str, now: int) -> bool:
        """Forget the failures of a number; whether it was suppressed. It is in the trail,
        masked."""


class Subject(msgspec.Struct):
    """What is kept of one number for one account beside its messages and replies."""

    number: int
    opt_outs: list[OptOutView]
    consents: list[Consent]
    failures: int = 0
    """Permanent failures in a row."""
    failed_at: int | None = None
    """When the last of them was."""
    suppressed: bool = False


class Excluded(msgspec.Struct, frozen=True):
    """A recipient of a campaign that could not be served."""

    batch: int
    recipient: Ineligible


class Erased(msgspec.Struct, frozen=True):
    """What an erasure took away."""

    messages: int
    """Messages whose number, text, values and reference are gone, the cancelled ones included."""
    canceled: int
    """Those of them that waited to leave."""
    under_way: int
    """Messages that have left and whose fate is not known yet: they are erased when it is."""
    replies: int
    excluded: int
    """Places in campaigns' lists of recipients that could not be served."""
    consents: int
    opt_outs_kept: int
    """Refusals kept as keyed hashes."""


class SubjectStore(Protocol):
    """The rights of a person."""

    async def subject(self, account: str, number: int) -> Subject:
        """What is kept of a number; its messages are found by `search`, its replies by
        `replies`."""

    async def replies(
        self, account: str, number: int, limit: int, cursor: int | None = None
    ) -> list[InboundMessage]:
        """What a number sent to the account, newest first; `cursor` is the last id seen."""

    async def excluded(self, account: str, number: int) -> list[Excluded]:
        """Recipients of campaigns that could not be served and may be this number: they are kept
        as they were written, so those whose last eight digits are the same count."""

    async def erase(self, account: str, number: int, actor: str, now: int) -> Erased:
        """Remove what is kept of a number; what waits for it is cancelled first, with an event.

        Of a message stays that there was one: its status, times and carrier, without the number,
        text, values, reference and operator's ids. Refusals stay as keyed hashes with their proof
        and still stop messages. It is in the trail, masked.
        """
