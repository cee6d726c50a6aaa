"""The SQLite store: one file, one node.

In and out: `gateway.store.contract`. This module only puts the parts together: the thread that
writes, the thread that reads, what is kept in memory, and which module does what.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock

from config.settings import StoreSettings
from gateway.errors import StoreUnavailable
from gateway.ids import IdSource
from gateway.metrics import Metrics
from gateway.model import BatchState, OnUnknown
from gateway.store.contract import (
    ApiKey,
    BatchView,
    Delivered,
    Delivery,
    Demand,
    Ineligible,
    InboundMessage,
    InboundPart,
    LateAnswer,
    Lease,
    MessageFilter,
    MessageView,
    OptOut,
    QueueDepth,
    ReceiptFate,
    ReceiptNews,
    Recovered,
    Settled,
    StoredAnswer,
    Submission,
    Webhook,
)
from gateway.store.sqlite import deliveries, inbound, keys, queries, schema, webhooks
from gateway.store.sqlite.event_log import EventLog
from gateway.store.sqlite.names import Names
from gateway.store.sqlite.writer import Reader, Writer


class SqliteStore:
    """The contract, on one SQLite file."""

    def __init__(
        self,
        settings: StoreSettings,
        node: int,
        metrics: Metrics,
        clock: Callable[[], int],
        *,
        strict: bool = False,
    ) -> None:
        """`clock` gives UTC in µs; `strict` raises illegal transitions instead of counting them."""
        self._settings = settings
        self._node = node
        self._metrics = metrics
        self._clock = clock
        self._strict = strict
        self._names = Names()
        self._events = EventLog(self._names)
        self._ids = IdSource(node)
        self._ids_lock = Lock()  # the loop and the writer's thread both take ids
        self._event_listeners: list[Callable[[set[str]], None]] = []
        self._work_listeners: list[Callable[[], None]] = []

    def new_ids(self, count: int, now: int) -> list[int]:
        """Ascending ids (see `Submission`)."""
        with self._ids_lock:
            return self._ids.block(count, now)

    # idempotency, queries: the reader's thread

    async def answered(self, account: str, scope: str, key: str) -> StoredAnswer | None:
        return await self._reader.call(
            "answered", lambda c: queries.answered(c, account, scope, key, self._names)
        )

    async def messages(self, account: str | None, ids: Sequence[int]) -> list[MessageView | None]:
        return await self._reader.call(
            "messages", lambda c: queries.messages(c, account, ids, self._names)
        )

    async def search(
        self, where: MessageFilter, limit: int, cursor: int | None = None
    ) -> list[MessageView]:
        return await self._reader.call(
            "search", lambda c: queries.search(c, where, limit, cursor, self._names)
        )

    async def batch(self, account: str, batch: int) -> BatchView | None:
        return await self._reader.call(
            "batch", lambda c: queries.batch(c, account, batch, self._names)
        )

    async def batches(self, account: str, limit: int, cursor: int | None = None) -> list[BatchView]:
        return await self._reader.call(
            "batches", lambda c: queries.batches(c, account, limit, cursor, self._names)
        )

    async def batch_messages(
        self, batch: int, statuses: Sequence[int] | None, limit: int, cursor: int | None = None
    ) -> list[MessageView]:
        return await self._reader.call(
            "batch_messages",
            lambda c: queries.batch_messages(c, batch, statuses, limit, cursor, self._names),
        )

    async def ineligible(
        self, batch: int, limit: int, cursor: int | None = None
    ) -> list[Ineligible]:
        return await self._reader.call(
            "ineligible", lambda c: queries.ineligible(c, batch, limit, cursor)
        )

    async def inbound_messages(
        self, account: str, limit: int, cursor: int | None = None
    ) -> list[InboundMessage]:
        return await self._reader.call(
            "inbound_messages",
            lambda c: inbound.inbound_messages(c, account, limit, cursor, self._names),
        )

    # replies

    async def inbound(self, parts: Sequence[InboundPart]) -> list[InboundMessage]:
        return await self._writer.call(
            "inbound",
            lambda t: inbound.inbound(
                t.connection, parts, self._names, self._events, self.new_ids
            ),
            len(parts),
        )

    # the outbox

    async def webhooks(self, account: str | None = None) -> list[Webhook]:
        return await self._reader.call(
            "webhooks", lambda c: webhooks.webhooks(c, account, self._names)
        )

    async def put_webhook(self, webhook: Webhook) -> None:
        await self._writer.call(
            "put_webhook", lambda t: webhooks.put_webhook(t.connection, webhook, self._names)
        )

    async def delete_webhook(self, webhook: int) -> None:
        await self._writer.call(
            "delete_webhook", lambda t: webhooks.delete_webhook(t.connection, webhook)
        )

    async def next_deliveries(self, wanted: Mapping[int, int], now: int) -> list[Delivery]:
        return await self._writer.call(
            "next_deliveries",
            lambda t: deliveries.next_deliveries(
                t.connection, wanted, now, self._names, self.new_ids
            ),
            sum(wanted.values()),
        )

    async def due_deliveries(self, webhook: int, now: int, limit: int) -> list[Delivery]:
        return await self._reader.call(
            "due_deliveries", lambda c: deliveries.due_deliveries(c, webhook, now, limit)
        )

    async def settle_deliveries(self, results: Sequence[Delivered]) -> None:
        await self._writer.call(
            "settle_deliveries",
            lambda t: deliveries.settle_deliveries(t.connection, results),
            len(results),
        )

    async def deliveries(
        self, webhook: int, state: str | None, limit: int, cursor: int | None = None
    ) -> list[Delivery]:
        return await self._reader.call(
            "deliveries", lambda c: deliveries.deliveries(c, webhook, state, limit, cursor)
        )

    async def replay(
        self, webhook: int, now: int, *, ids: Sequence[int] | None = None, since: int | None = None
    ) -> int:
        return await self._writer.call(
            "replay", lambda t: deliveries.replay(t.connection, webhook, now, ids, since)
        )

    def on_event(self, listener: Callable[[set[str]], None]) -> None:
        """Call `listener(accounts)` on the event loop after a commit that wrote events."""
        self._event_listeners.append(listener)

    def on_work(self, listener: Callable[[], None]) -> None:
        """Call `listener()` on the event loop after a commit that made messages leasable."""
        self._work_listeners.append(listener)

    # keys

    async def put_key(self, key: ApiKey) -> None:
        await self._writer.call("put_key", lambda t: keys.put_key(t.connection, key))

    async def key(self, digest: bytes) -> ApiKey | None:
        return await self._reader.call("key", lambda c: keys.key(c, digest))

    async def keys(self, account: str | None = None) -> list[ApiKey]:
        return await self._reader.call("keys", lambda c: keys.keys(c, account))
