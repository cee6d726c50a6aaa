"""The calls of `moderation.ModerationStore`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gateway.store.moderation import Claimed, Decision, Item, ItemState, ItemsWaiting
from gateway.store.sqlite import carrying, judging
from gateway.store.sqlite.calls import Calls
from gateway.store.sqlite.names import ACCOUNT

DECIDE_STEP = 100
"""Decisions in one call to the writer: 5 ms with their events and places in the trail, so that one
moderator's thousand let one-time codes in between."""


class ModerationCalls(Calls):
    """The queue of moderators."""

    _decided_listeners: list[Callable[[], None]]

    async def judged(self, fingerprints: Sequence[bytes]) -> dict[bytes, ItemState]:
        """See the contract."""
        return await self._reader.call(
            "judged", lambda c: judging.judged(c, self._memory, fingerprints)
        )

    async def items(
        self,
        account: str | None,
        states: Sequence[ItemState] | None,
        limit: int,
        cursor: int | None = None,
    ) -> list[Item]:
        """See the contract."""
        return await self._reader.call(
            "items", lambda c: judging.items(c, self._names, account, states, limit, cursor)
        )

    async def item(self, account: str | None, item: int) -> Item | None:
        """See the contract."""
        return await self._reader.call(
            "item", lambda c: judging.item(c, self._names, account, item)
        )

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
        """See the contract."""
        return await self._writer.call(
            "claim",
            lambda t: judging.claim(t, self._memory, account, item, moderator, now, until, release),
        )

    async def decide(
        self, account: str | None, decisions: Sequence[Decision]
    ) -> list[tuple[Claimed, Item | None]]:
        """See the contract."""
        answers: list[tuple[Claimed, Item | None]] = []
        for first in range(0, len(decisions), DECIDE_STEP):
            some = decisions[first : first + DECIDE_STEP]
            answers += await self._decide(account, some)
        return answers

    async def _decide(
        self, account: str | None, decisions: Sequence[Decision]
    ) -> list[tuple[Claimed, Item | None]]:
        return await self._writer.call(
            "decide",
            lambda t: judging.decide(t, self._memory, account, decisions),
            3 * len(decisions),
        )

    async def carry_out(self, now: int) -> bool:
        """See the contract."""
        return await self._writer.call(
            "carry_out", lambda t: carrying.carry_out(t, self._memory, now), 3 * carrying.LIST
        )

    def on_decided(self, listener: Callable[[], None]) -> None:
        """See the contract."""
        self._decided_listeners.append(listener)

    def items_waiting(self) -> Mapping[str, ItemsWaiting]:
        """See the contract."""
        return {
            self._names.name(account): ItemsWaiting(*figures)
            for account, figures in self._memory.moderation.waiting().items()
        }

    def texts_room(self, account: str) -> int:
        """See the contract."""
        memory = self._memory
        known = self._names.known(ACCOUNT, account)
        return memory.moderation.room(known, memory.most_waiting_items)

    def set_moderation(self, validity_counts: Callable[[str], bool], most_waiting: int) -> None:
        """See the contract."""
        self._memory.validity_counts = validity_counts
        self._memory.most_waiting_items = most_waiting
