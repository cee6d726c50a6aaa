"""One endpoint: cuts deliveries from the log, posts them, settles what came of them.

In: news of the log, and the clock. Out: POSTs, and lists of results for the store. Knows the store
and the HTTP client through what it was given; no other endpoint, so nothing here can make one
customer wait for another.

One task runs rounds: settle the results there are, load retries that are due, cut what is new.
Sender tasks, at most `concurrency` of them, live while there is something to post. What is in
memory is at most `_capacity` deliveries; what is not is in the store or still in the log, so
nothing here outlives a crash and nothing has to.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec
from yarl import URL

from config.settings import Webhooks as WebhookSettings
from gateway.errors import StoreUnavailable
from gateway.events import body, ladder, sign
from gateway.events.health import Health
from gateway.events.news import News
from gateway.events.ports import CallLater, Clock, Outbox, Timer
from gateway.events.post import Poster, Reply
from gateway.metrics import (
    TASK_ERRORS,
    WEBHOOK_DEAD,
    WEBHOOK_EVENTS,
    WEBHOOK_POSTS,
    WEBHOOK_SECONDS,
    Metrics,
)
from gateway.store.records import Delivered, Delivery, DeliveryState, Webhook

logger = logging.getLogger(__name__)

SECOND: Final = 1_000_000

MOST_EVENTS: Final = 500
"""Events of one batched delivery, as the store cuts them (records.Delivery)."""

AHEAD: Final = 24
"""Deliveries in memory for each POST that may be under way: the next ones are there when one
ends, and the store is asked for several at once. Under full load it answers in 0.1-0.2 s: with two
for each an endpoint got 4,000 events/s beside 25,000 submissions, with 24 it kept up. 96 batches
are 15 MB."""

AHEAD_CROWDED: Final = 2
"""The same once all endpoints together hold `MOST_HELD`: many slow ones must not fill memory."""

MOST_HELD: Final = 400
"""Deliveries in memory of all endpoints before each may only hold a few: 60 MB."""

AHEAD_SINGLE: Final = 16
"""The same for an endpoint that takes events one by one, which are 300 octets each."""

STORE_PAUSE: Final = SECOND
"""Before the store is asked again after it failed."""

FOREVER: Final = (1 << 62) - 1
"""A time after every retry: asks for the next one, due or not."""

NEVER_FULL: Final = 1 << 62

LOG_PAUSE: Final = 60 * SECOND
"""An endpoint that fails now and then is not worth a line each time."""


class Shared(msgspec.Struct, frozen=True):
    """What all endpoints of the stage share."""

    store: Outbox
    poster: Poster
    metrics: Metrics
    settings: WebhookSettings
    clock: Clock
    call_later: CallLater
    jitter: Callable[[], float] = random.random
    held: Callable[[], int] = lambda: 0
    """Deliveries in memory of all endpoints."""


def headers_of(webhook: Webhook, identifier: int, now: int, octets: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks; `now` is UTC in µs."""
    webhook_id, timestamp = body.delivery_id(identifier), now // SECOND
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign.signature(
            sign.keys_of(webhook, now), webhook_id, timestamp, octets
        ),
    }


class Endpoint:
    """The worker of one endpoint."""

    def __init__(self, webhook: Webhook, shared: Shared) -> None:
        self._shared = shared
        self._health = Health()
        self._wake = asyncio.Event()
        self._timer: Timer | None = None
        self._untried: deque[Delivery] = deque()
        self._retries: deque[Delivery] = deque()
        self._held: set[int] = set()
        """Deliveries in memory: waiting, under way, or done and not yet settled. The store still
        calls them pending, so they are what to leave out of what it says is due."""
        self._results: list[Delivered] = []
        self._senders: set[asyncio.Task[None]] = set()
        self._retry_at: int | None = 0
        """When a delivery that is not in memory may be due; at the start any may be."""
        self._gone = False
        self._closing = False
        self._logged_at = -LOG_PAUSE
        self._told = False
        self._take(webhook)
        self._news = self._new_news()
        self._runner = asyncio.create_task(self._run(), name=f"webhook-{webhook.id}")
        self._wake.set()

    @property
    def webhook(self) -> Webhook:
        """The endpoint as it is known here."""
        return self._webhook

    def news(self, count: int) -> None:
        """The log got `count` events of the account."""
        # The first ones arm the timer, a full batch wakes at once; between the two an endpoint
        # under load is left alone.
        arm = self._news.due_at is None
        if self._news.add(count, self._shared.clock()) or arm:
            self._wake.set()

    def update(self, webhook: Webhook) -> None:
        """The endpoint was changed."""
        if webhook == self._webhook:
            return
        self._take(webhook)
        self._news = self._new_news()
        self.forgive()
        self.look()

    def forgive(self) -> None:
        """Its owner did something about it: whatever it asked for or failed at, try now."""
        self._health.forgive()
        self._wake.set()

    def look(self) -> None:
        """Deliveries may have become due."""
        self._retry_at = 0
        self._wake.set()

    async def stop(self) -> None:
        """End at once: the endpoint was deleted."""
        self._close()
        tasks = [self._runner, *self._senders]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def drain(self, timeout: float) -> None:
        """Begin nothing more, wait up to `timeout` seconds for answers, settle what there is.

        What had no answer stays pending in the store, and goes out again after the next start.
        """
        self._close()
        await asyncio.wait({self._runner}, timeout=timeout)
        for sender in self._senders:
            sender.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        self._wake.set()
        await asyncio.wait({self._runner}, timeout=1.0)
        self._runner.cancel()
        await asyncio.gather(self._runner, return_exceptions=True)

    def _take(self, webhook: Webhook) -> None:
        settings = self._shared.settings
        self._webhook = webhook
        self._url = URL(webhook.url)
        self._capacity = settings.concurrency * (AHEAD if webhook.batched else AHEAD_SINGLE)

    def _new_news(self) -> News:
        settings, types = self._shared.settings, self._webhook.types
        full = MOST_EVENTS if self._webhook.batched else 1
        if types and body.STATUS not in types:
            # News do not tell types, and nearly all are of statuses. Where they are not wanted
            # the log is looked into once in `max_wait`, not for every 500 of them.
            full = NEVER_FULL
        return News(full, round(settings.max_wait * SECOND))

    def _close(self) -> None:
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        self._wake.set()

    @property
    def held(self) -> int:
        """Deliveries in memory."""
        return len(self._held)

    # the rounds

    async def _run(self) -> None:
        while not (self._closing and not self._senders and not self._results):
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._round()
            except StoreUnavailable:
                self._arm(self._shared.clock() + STORE_PAUSE)
            except Exception:
                self._shared.metrics.count(TASK_ERRORS, 1, "webhook")
                logger.exception("webhook", extra={"account": self._webhook.account})
                self._arm(self._shared.clock() + STORE_PAUSE)

    async def _round(self) -> None:
        await self._settle()
        if self._gone:
            await self._disable()
        if self._closing or self._webhook.state != "active":
            return
        now = self._shared.clock()
        if now < self._health.hold_until:
            self._arm(self._health.hold_until)
            return
        await self._load_retries(now)
        await self._cut(now)
        self._spawn()
        self._arm(self._next_look(now))

    async def _settle(self) -> None:
        results, self._results = self._results, []
        if not results:
            return
        try:
            await self._shared.store.settle_deliveries(results)
        except StoreUnavailable:
            self._results = results + self._results
            raise
        self._held.difference_update(result.id for result in results)

    async def _load_retries(self, now: int) -> None:
        """Take over pending deliveries that are due, as many as can go out next."""
        if self._retry_at is None or self._retry_at > now:
            return
        room = self._health.slots(self._shared.settings.concurrency) - len(self._retries)
        if room <= 0:
            return
        self._retry_at = None
        limit = len(self._held) + room + 1  # the last one tells when to look again
        try:
            due = await self._shared.store.due_deliveries(self._webhook.id, FOREVER, limit)
        except StoreUnavailable:
            self._retry_at = now
            raise
        for delivery in due:
            if delivery.id in self._held:
                continue
            if delivery.next_at > now or room == 0:
                self._retry_by(max(now, delivery.next_at))
                break
            self._retries.append(delivery)
            self._held.add(delivery.id)
            room -= 1

    async def _cut(self, now: int) -> None:
        """Cut new deliveries: several at once, or one as a probe of an endpoint that fails."""
        if self._health.failing:
            blocked = self._untried or self._health.crowded or not self._health.may_probe(now)
            room = 0 if blocked else 1
        else:
            room = self._capacity - len(self._held)
            if self._shared.held() > MOST_HELD:
                room = self._shared.settings.concurrency * AHEAD_CROWDED - len(self._held)
            if room < min(self._shared.settings.concurrency, self._capacity // AHEAD):
                return
        news = self._news
        asked = news.ask(room, now)
        if not asked:
            return
        try:
            cut = await self._shared.store.next_deliveries({self._webhook.id: asked}, now)
        except StoreUnavailable:
            news.failed()
            raise
        news.answered(asked, [delivery.events for delivery in cut])
        self._untried.extend(cut)
        self._held.update(delivery.id for delivery in cut)

    def _next_look(self, now: int) -> int | None:
        """When a round has something to do that no answer will wake it for."""
        times = [] if self._retry_at is None else [self._retry_at]
        health, news = self._health, self._news.due_at
        if health.failing:
            if self._untried or (news is not None and not health.crowded):
                times.append(max(health.probe_at, 0 if self._untried else news or 0))
        elif news is not None:
            times.append(news)
        # What is due already waits for a POST to end, which wakes the runner by itself; unless
        # there is none, then it came up during this round.
        later = [time for time in times if time > now or not self._held]
        return min(later, default=None)

    def _retry_by(self, at: int) -> None:
        self._retry_at = at if self._retry_at is None else min(self._retry_at, at)

    def _arm(self, at: int | None) -> None:
        """Wake at `at`. There is one timer; each round decides anew what it is for."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at is not None and not self._closing:
            seconds = max(0.0, (at - self._shared.clock()) / SECOND)
            self._timer = self._shared.call_later(seconds, self._wake.set)

    async def _disable(self) -> None:
        """The endpoint said 410 Gone: it gets nothing more until its owner says otherwise."""
        known = await self._shared.store.webhooks(self._webhook.account)
        for webhook in known:  # as it is now, not as it was when the POST began
            if webhook.id == self._webhook.id:
                self._webhook = msgspec.structs.replace(webhook, state="disabled")
                await self._shared.store.put_webhook(self._webhook)
        self._gone = False
        self._log(logging.WARNING, "webhook disabled: 410 Gone")

    # the senders

    def _spawn(self) -> None:
        slots = self._health.slots(self._shared.settings.concurrency)
        waiting = len(self._retries)
        if self._health.may_probe(self._shared.clock()):
            waiting += len(self._untried)
        for _ in range(min(slots - len(self._senders), waiting)):
            sender = asyncio.create_task(self._send(), name=f"webhook-post-{self._webhook.id}")
            self._senders.add(sender)
            sender.add_done_callback(self._sent)

    def _sent(self, sender: asyncio.Task[None]) -> None:
        self._senders.discard(sender)
        self._wake.set()
        if not sender.cancelled() and (error := sender.exception()) is not None:
            # What it held stays held until a restart: better late than in a tight circle.
            self._shared.metrics.count(TASK_ERRORS, 1, "webhook_post")
            logger.error("webhook post", exc_info=error, extra={"account": self._webhook.account})

    def _pick(self) -> Delivery | None:
        now = self._shared.clock()
        health = self._health
        stopped = self._closing or self._gone or self._webhook.state != "active"
        surplus = len(self._senders) > health.slots(self._shared.settings.concurrency)
        if stopped or surplus or now < health.hold_until:
            return None
        if self._retries:
            return self._retries.popleft()
        if self._untried and health.may_probe(now):
            return self._untried.popleft()
        return None

    async def _send(self) -> None:
        while (delivery := self._pick()) is not None:
            octets = body.envelope(delivery)
            headers = headers_of(self._webhook, delivery.id, self._shared.clock(), octets)
            reply = await self._shared.poster.post(self._url, headers, octets)
            self._judge(delivery, reply)
            self._wake.set()

    def _judge(self, delivery: Delivery, reply: Reply) -> None:
        now = self._shared.clock()
        verdict = ladder.judge(
            reply.status,
            reply.retry_after,
            delivery.attempts + 1,
            (now - delivery.created) / SECOND,
            now,
            self._shared.jitter(),
        )
        next_at = now + round(verdict.pause * SECOND)
        self._results.append(
            Delivered(delivery.id, verdict.state, now, next_at, reply.status, reply.error)
        )
        self._count(delivery, verdict.state, reply)
        if verdict.state is DeliveryState.DELIVERED:
            if self._health.succeeded(delivery.id) and self._told:
                self._told = False
                self._log(logging.INFO, "webhook recovered")
            return
        if verdict.state is DeliveryState.DEAD:
            first = self._health.gave_up(delivery.id, now)
            self._gone = self._gone or verdict.disable
        else:
            first = self._health.failed(delivery.id, now, verdict.asked)
            self._retry_by(next_at)
        if first and now - self._logged_at >= LOG_PAUSE:
            self._logged_at, self._told = now, True
            self._log(logging.WARNING, "webhook fails", result=reply.result, status=reply.status)

    def _count(self, delivery: Delivery, state: DeliveryState, reply: Reply) -> None:
        metrics, account = self._shared.metrics, self._webhook.account
        metrics.count(WEBHOOK_POSTS, 1, account, reply.result)
        metrics.observe(WEBHOOK_SECONDS, [reply.seconds], account)
        if state is DeliveryState.DELIVERED:
            metrics.count(WEBHOOK_EVENTS, delivery.events, account, body.event_type(delivery))
        elif state is DeliveryState.DEAD:
            metrics.count(WEBHOOK_DEAD, 1, account)

    def _log(self, level: int, message: str, **more: object) -> None:
        # The host alone: paths and queries of webhooks carry tokens.
        extra = {"account": self._webhook.account, "host": self._url.host, **more}
        logger.log(level, message, extra=extra)
