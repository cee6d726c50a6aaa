"""What outlives a restart of rates and caps: how much of each cap is used, who was written to.

In: nothing. Out: values, and the part of the contract that keeps them. What a cap or its owner is,
only those who count know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from gateway.policy.caps import Reservation

Reserved = tuple[str, Reservation]
"""Whose cap it is, and how much of it counts as used in which period."""


class Written(NamedTuple):
    """A message somebody was written, as frequency caps count it."""

    number: int
    at: int
    """When it was accepted, UTC µs, to the millisecond."""
    account: str
    sender: str
    category: str


class RatesStore(Protocol):
    """Uses of caps, and the messages of late."""

    async def reserve(self, reservations: Sequence[Reserved], now: int) -> None:
        """Write down uses; the latest of an owner and a kind of period replaces the one before.
        Periods long over are forgotten."""

    async def reserved(self, now: int) -> list[Reserved]:
        """All uses of periods that are not over at `now`."""

    async def written_since(
        self, accounts: Sequence[str], after: int, limit: int
    ) -> tuple[list[Written], int | None]:
        """What these accounts have written to whom: looks at up to `limit` messages (of anybody)
        with ids beyond `after`, in order of acceptance; with it, the `after` of the next look
        (None: that was all). What was refused and exists for its event alone does not count."""
