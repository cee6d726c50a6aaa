"""What recipients have said: refusals, consents, failures; values and their part of the contract.

In: nothing. Out: values and protocols. Senders are compared without a leading `+`; `ALL` (`*`)
stands for every sender, category or account.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final, Protocol

import msgspec

from gateway.store.messages import OptOut
from gateway.store.records import MessageView

ALL: Final = "*"


def spelt(sender: str) -> str:
    """A sender as the ledgers compare it: numbers without `+`, names in lower case."""
    return sender.lstrip("+").casefold()


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
    """The opt-out ledger. `opt_out` and `opted_out` stand in `contract.Store`."""

    async def import_opt_outs(self, entries: Sequence[OptOut]) -> int:
        """Record many at once; returns how many are new. Waiting messages they concern are
        cancelled by `cancel_opted_out`, and none is leased meanwhile."""

    async def cancel_opted_out(self, account: str, now: int) -> int:
        """Cancel what waits for recipients in the ledger; returns messages cancelled."""

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
        many. Each is an event `optout.removed`."""

    async def opt_outs(
        self, account: str, limit: int, since: int = 0, *, number: int | None = None,
        removed: bool = False,
    ) -> list[OptOutView]:  # fmt: skip
        """In order of their last change, from beyond position `since`."""


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
    """The consent ledger."""

    async def record_consents(self, consents: Sequence[Consent]) -> list[Consent]:
        """Add statements."""

    async def consents(
        self, account: str, limit: int, cursor: int | None = None, *, number: int | None = None
    ) -> list[Consent]:
        """Newest first."""

    async def consenting(self, account: str, brand: str, numbers: Sequence[int]) -> set[int]:
        """Those of `numbers` whose newest statement to this brand, or to all brands, is a yes."""


# --- numbers that fail, people who want to be forgotten


class Subject(msgspec.Struct):
    """Everything kept of one number for one account."""

    number: int
    messages: list[MessageView]
    replies: list[dict[str, Any]]
    opt_outs: list[OptOutView]
    consents: list[Consent]
    suppressed_at: int | None = None


class Erased(msgspec.Struct, frozen=True):
    """What an erasure took away."""

    messages: int
    canceled: int
    replies: int
    consents: int
    opt_outs_kept: int
    """Refusals kept as keyed hashes."""


class SubjectStore(Protocol):
    """Suppression, and the rights of a person."""

    async def suppressed(self, account: str, numbers: Sequence[int]) -> set[int]:
        """Those of `numbers` that failed for good too often in a row."""

    async def unsuppress(self, account: str, number: int, actor: str, now: int) -> bool:
        """Forget the failures of a number; whether there were any."""

    async def subject(self, account: str, number: int) -> Subject:
        """What is kept of a number."""

    async def erase(self, account: str, number: int, actor: str, now: int) -> Erased:
        """Remove messages, texts, replies and consents of a number; what waits for it is cancelled
        first. Refusals stay as keyed hashes with their proof. It is in the trail, masked."""
