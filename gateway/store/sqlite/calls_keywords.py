"""The calls about replies, and what they mean."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from gateway.store.keywords import Hear
from gateway.store.messages import InboundMessage, InboundPart
from gateway.store.sqlite import hearing, inbound
from gateway.store.sqlite.calls_opt_outs import OptOutCalls
from gateway.store.sqlite.linking import Links, askers


class ReplyCalls(OptOutCalls):
    """Replies and keywords."""

    _replies: asyncio.Lock
    _told: Callable[[Sequence[InboundMessage]], None]

    async def inbound(self, parts: Sequence[InboundPart]) -> list[InboundMessage]:
        """See the contract."""
        if not parts:
            return []
        memory = self._memory
        memory.sought = True
        links = Links(askers(parts), max(part.at for part in parts), self._names)
        async with self._replies:  # a STOP and the START after it stay in order
            while not await self._reader.call("inbound", links.step):
                pass
            stored = self._writer.call(
                "inbound",
                lambda t: inbound.inbound(
                    t.connection,
                    parts,
                    links,
                    self._names,
                    memory.events,
                    self.new_ids,
                    partial(hearing.hear, t, memory),
                ),
                len(parts),
            )
        messages = await stored
        await self._grow()
        return messages

    def on_reply(
        self, hear: Hear, told: Callable[[Sequence[InboundMessage]], None] = lambda messages: None
    ) -> None:
        """See the contract."""
        self._memory.hear = hear
        self._told = told

    def _tell_late(self) -> None:
        """On the event loop, after `maintain`."""
        late, self._memory.late_keywords = self._memory.late_keywords, []
        if late:
            self._told(late)

    async def inbound_messages(
        self, account: str, limit: int, cursor: int | None = None
    ) -> list[InboundMessage]:
        """See the contract."""
        return await self._reader.call(
            "inbound_messages",
            lambda c: inbound.inbound_messages(c, account, limit, cursor, self._names),
        )
