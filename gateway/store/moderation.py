"""Texts that wait for a moderator: values, and the part of the contract that keeps them.

A held message has status HELD_MODERATION and waits for one item; an item is one distinct text
(`messages.Text`) of an account, however many messages say it. A decision is remembered with its
item: later messages with the same fingerprint follow it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from gateway.store.messages import Text


class ItemState(StrEnum):
    """Where an item stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"


class Item(msgspec.Struct):
    """One text to be judged."""

    id: int
    text: Text
    """Its `text` is empty once retention has taken it."""
    state: ItemState
    messages: int
    """Messages that were held for it, those since released, ended or cancelled included."""
    waiting: int
    """Messages that still wait for it or have still to be released."""
    created: int
    first_due: int
    """When the first of its messages would leave, UTC µs: scheduled ones are judged ahead."""
    claimed_by: str | None = None
    """Whoever has it, or had: see `claimed_until`."""
    claimed_until: int | None = None
    decided_by: str | None = None
    decided_at: int | None = None
    reason: str | None = None
    """What the moderator said."""

    def holder(self, now: int) -> str | None:
        """Who has it now; a claim that is over is nobody's."""
        until = self.claimed_until
        undecided = self.state is ItemState.WAITING
        return self.claimed_by if undecided and until is not None and until > now else None


class Decision(msgspec.Struct, frozen=True):
    """A moderator's word on one item."""

    item: int
    approve: bool
    actor: str
    """As in `claim`."""
    at: int
    reason: str = ""


class Claimed(StrEnum):
    """What a claim or a decision met."""

    DONE = "done"
    UNKNOWN = "unknown"
    """There is no such item, or it is another account's."""
    TAKEN = "taken"
    """Another moderator has it."""
    DECIDED = "decided"
    """It is decided already."""


class ItemsWaiting(msgspec.Struct, frozen=True):
    """Of one account, for the metrics."""

    items: int
    """Undecided items some message waits for."""
    messages: int
    since: Sequence[int]
    """When the oldest items (at most 1,000) began to hold messages, UTC µs."""


class ModerationStore(Protocol):
    """The part of the contract that holds texts and carries decisions out.

    `accept` and `replace` make the items of what they hold, in the same transaction; what is held
    for an item that was decided meanwhile is carried out like the rest.

    With `account` a call sees that account's items alone; None sees all.
    """

    async def judged(self, fingerprints: Sequence[bytes]) -> dict[bytes, ItemState]:
        """Of these texts, those there are items of."""

    async def items(
        self,
        account: str | None,
        states: Sequence[ItemState] | None,
        limit: int,
        cursor: int | None = None,
    ) -> list[Item]:
        """Oldest first (who waits longest is served first); `cursor` is the last id seen."""

    async def item(self, account: str | None, item: int) -> Item | None:
        """One item."""

    async def claim(
        self,
        account: str | None,
        item: int,
        moderator: str,
        now: int,
        until: int,
        *,
        release: bool = False,
    ) -> tuple[Claimed, Item | None]:
        """Keep an item for a moderator until then; `release` lets it go again. Claiming what one
        has already renews it; a claim that is over is nobody's. It is in the trail."""

    async def decide(
        self, account: str | None, decisions: Sequence[Decision]
    ) -> list[tuple[Claimed, Item | None]]:
        """Decide items; each that is decided is an event `moderation.decided` and in the trail.

        Returns when the decisions are on disk; their messages are released or rejected by
        `carry_out` in steps. The items are as they are then, or as others have left them.
        """

    async def carry_out(self, now: int) -> bool:
        """One small step (about 10 ms) of releasing or rejecting what decided items held; True if
        more waits."""

    def on_decided(self, listener: Callable[[], None]) -> None:
        """Call `listener()` on the event loop after a commit that left something to carry out.
        What a restart found is not told of: carry out once at the start."""

    def items_waiting(self) -> Mapping[str, ItemsWaiting]:
        """By account, those included that had some since the start; from memory, costs nothing."""

    def texts_room(self, account: str) -> int:
        """How many more texts of an account may be undecided; from memory, costs nothing. `accept`
        and `replace` do not look: what is under way meanwhile comes on top."""

    def set_moderation(self, validity_counts: Callable[[str], bool], most_waiting: int) -> None:
        """Settings: whether the validity of an account's messages runs while they are held, and how
        many items may wait (see `texts_room`). Called from any thread."""
