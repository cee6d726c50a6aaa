"""The events stage: one worker for each endpoint there is.

In: the configuration's accounts, news of the event log, changes made through the API. Out: POSTs.
Knows the store and the endpoints' workers; no other stage. Accounts without an endpoint have
nothing here, and news of them ends in one look-up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

import msgspec
from yarl import URL

from config.settings import Account
from config.settings import Webhooks as WebhookSettings
from gateway.errors import StoreUnavailable
from gateway.events import body
from gateway.events.configured import changes
from gateway.events.endpoint import Endpoint, Shared, headers_of
from gateway.events.ports import CallLater, Clock, Outbox
from gateway.events.post import Poster
from gateway.metrics import TASK_ERRORS, Metrics
from gateway.store.records import Webhook

logger = logging.getLogger(__name__)

REFRESH_PAUSE = 1.0
"""Seconds before the endpoints are read again after the store failed."""


class Tested(msgspec.Struct, frozen=True):
    """What a test POST came to."""

    status: int
    """HTTP status; 0 when there was no answer."""
    error: str
    """Why it did not count; empty when it did."""
    seconds: float
    """How long it took."""


class Events:
    """Delivers the outbox."""

    def __init__(
        self,
        store: Outbox,
        metrics: Metrics,
        settings: WebhookSettings,
        clock: Clock,
        call_later: CallLater | None = None,
    ) -> None:
        """`clock` gives UTC in µs; `call_later` is the running loop's unless a test moves time."""
        self._store = store
        self._metrics = metrics
        self._settings = settings
        self._clock = clock
        self._call_later = call_later
        self._poster = Poster(settings.timeout, allow_private=settings.allow_private)
        self._endpoints: dict[int, Endpoint] = {}
        self._by_account: dict[str, list[Endpoint]] = {}
        self._shared: Shared | None = None
        self._refreshing = asyncio.Lock()
        self._changed = asyncio.Event()
        self._look: set[str | None] = set()
        self._watcher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take up the endpoints the store knows; deliveries of before a restart go on."""
        await self._poster.open()
        self._shared = Shared(
            self._store,
            self._poster,
            self._metrics,
            self._settings,
            self._clock,
            self._call_later or asyncio.get_running_loop().call_later,
            held=lambda: sum([endpoint.held for endpoint in self._endpoints.values()]),
        )
        self._store.on_event(self.on_event)
        await self._refresh()
        self._watcher = asyncio.create_task(self._watch(), name="webhooks")

    async def apply(self, accounts: Sequence[Account]) -> None:
        """Make the configured endpoints those of a configuration.

        Before or after `start`. Raises ConfigError, StoreUnavailable.
        """
        put, gone = changes(accounts, await self._store.webhooks(), self._clock())
        for webhook in put:
            await self._store.put_webhook(webhook)
        for identifier in gone:
            await self._store.delete_webhook(identifier)
        if self._shared is not None:
            await self._refresh()

    def on_event(self, counts: Mapping[str, int]) -> None:
        """The log got events: how many for each account; `start` has the store call it."""
        by_account = self._by_account
        for account, count in counts.items():
            for endpoint in by_account.get(account, ()):
                endpoint.news(count)

    def changed(self, account: str | None = None) -> None:
        """Endpoints were made, changed or deleted, or deliveries revived: look again.

        All endpoints ask the store what is due; those of `account` do so even if they had asked
        to be left alone.
        """
        self._look.add(account)
        self._changed.set()

    async def test(self, webhook: int) -> Tested:
        """POST a `webhook.test` to an endpoint now, once. It is no delivery: it is not in the log,
        not repeated, and not metered, so that a customer's attempts raise nobody's alarm."""
        known = {one.id: one for one in await self._store.webhooks()}.get(webhook)
        if known is None:
            return Tested(0, "there is no such endpoint", 0.0)
        now = self._clock()
        octets = body.test_envelope(webhook, now)
        headers = headers_of(known, self._store.new_ids(1, now)[0], now, octets)
        reply = await self._poster.post(URL(known.url), headers, octets)
        return Tested(reply.status, reply.error, reply.seconds)

    async def drain(self, timeout: float) -> None:
        """Stop: nothing new begins, POSTs under way have `timeout` seconds for their answers."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        endpoints, self._endpoints, self._by_account = self._endpoints, {}, {}
        await asyncio.gather(*(endpoint.drain(timeout) for endpoint in endpoints.values()))
        await self._poster.close()

    async def _watch(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._refresh()
            except StoreUnavailable:
                await asyncio.sleep(REFRESH_PAUSE)
                self._changed.set()
            except Exception:
                self._metrics.count(TASK_ERRORS, 1, "webhooks")
                logger.exception("webhooks")

    async def _refresh(self) -> None:
        """Make the workers those of the endpoints the store has."""
        assert self._shared is not None
        async with self._refreshing:
            webhooks = await self._store.webhooks()
            look, self._look = self._look, set()
            gone = dict(self._endpoints)
            for webhook in webhooks:
                endpoint = gone.pop(webhook.id, None)
                if endpoint is None:
                    self._endpoints[webhook.id] = Endpoint(webhook, self._shared)
                else:
                    endpoint.update(webhook)
                    if webhook.account in look:
                        endpoint.forgive()
                    if look:
                        endpoint.look()
            for identifier in gone:
                del self._endpoints[identifier]
            self._by_account = _by_account(webhooks, self._endpoints)
            for endpoint in gone.values():
                await endpoint.stop()


def _by_account(
    webhooks: Sequence[Webhook], endpoints: Mapping[int, Endpoint]
) -> dict[str, list[Endpoint]]:
    found: dict[str, list[Endpoint]] = {}
    for webhook in webhooks:
        found.setdefault(webhook.account, []).append(endpoints[webhook.id])
    return found
