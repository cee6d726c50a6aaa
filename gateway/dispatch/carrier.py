"""One carrier: its sessions, its pace, its short buffer, and what its answers amount to.

In: leased messages, the events of its links, time. Out: submits, results for the settler, the
operator's requests for the port. It asks for nothing itself: the pump reads `capacity`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

from gateway import metrics as m
from gateway.dispatch.bind import Bind
from gateway.dispatch.deliveries import Deliveries, OnDeliver
from gateway.dispatch.encode import Encoder, References
from gateway.dispatch.fates import Fates, Harvest
from gateway.dispatch.feed import UNLIMITED, Feed
from gateway.dispatch.holding import Holding
from gateway.dispatch.lanes import Routes
from gateway.dispatch.link import Link
from gateway.dispatch.outbind import Calls
from gateway.dispatch.outgoing import Outgoing
from gateway.dispatch.profile import Profile
from gateway.dispatch.settler import Settler
from gateway.dispatch.standing import CAMPAIGNS_SHOWN, CarrierStatus, show
from gateway.dispatch.throttle import Pace, Throttle
from gateway.dispatch.verdict import LONGEST_HOLD, given_back, unsendable
from gateway.link import Watch, unwatched
from gateway.metrics import Metrics
from gateway.store.messages import Content, Leased, Settled
from gateway.tally import Tally
from protocol.events import Event

PREFETCH: Final = 0.05
"""Seconds of a carrier's pace that may wait in its buffer: the time a commit of the lease takes on
a slow disk. More would only make one-time codes and fail-over wait."""
TURNED_AWAY: Final = 1_000
"""Messages taken at once only to be ended, because a cap is reached that is not waited for."""
UNBIND_GRACE: Final = 1.0
"""Of the time a drain has, seconds kept for taking leave; a tenth if it is short."""

_log = logging.getLogger("aldis.dispatch")


class Carrier:
    """Serves one `Profile`. `wake` is called when it could take more than before, `on_change` when
    it came up or went down; `clock` is UTC in microseconds."""

    def __init__(
        self,
        profile: Profile,
        *,
        routes: Routes,
        references: References,
        settler: Settler,
        metrics: Metrics,
        on_deliver: OnDeliver,
        clock: Callable[[], int],
        jitter: Callable[[], float],
        wake: Callable[[], None],
        on_change: Callable[[], None],
        holding: Holding,
        watch: Watch = unwatched,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self.profile: Final = profile
        self.ready = True
        """Whether asking for messages may bring some; the pump's note."""
        self.eager = False
        """Whether to ask again as soon as something has been answered; the pump's note."""
        self._settler = settler
        self._metrics = metrics
        self._clock = clock
        self._wake = wake
        self._on_change = on_change
        self._tally = Tally(metrics)
        self._throttle = Throttle(profile.carrier.rate, profile.burst, now)
        self._pace = Pace(now)
        self._encoder = Encoder(profile, references)
        self._fates = Fates(profile, routes, self._throttle, self._pace, self._tally, jitter)
        self._feed = Feed(self._throttle)
        self._holding = holding
        self._gate = holding.gate
        if self._gate is not None:
            self._gate.look(clock())
        self._fed_since = 0
        """UTC µs since when something has been in the buffer."""
        self._deliveries = Deliveries(profile, on_deliver, self._tally)
        outbind = profile.carrier.outbind
        self._calls = None if outbind is None else Calls(profile, outbind, self, self._tally)
        kinds = profile.carrier.bind.split("+")
        self._binds = [
            Bind(profile, kind, self, self._tally, jitter, watch)
            for _ in range(profile.carrier.binds)
            for kind in kinds
        ]
        self._timer: asyncio.Handle | None = None
        self._timer_at = 0.0  # uvloop's handle of a time already reached does not tell it
        self._draining = False
        self._answered = asyncio.Event()

    def start(self) -> None:
        """Begin to bind."""
        for bind in self._binds:
            bind.start()
        if self._calls is not None:
            self._calls.start()

    # ---- what the pump asks

    @property
    def up(self) -> bool:
        """Whether some link carries submit_sm."""
        return any(link.submits for link in self._feed.links)

    @property
    def takes(self) -> bool:
        """Whether it is up and its windows let it send something."""
        return self.up and not (self._gate is not None and self._gate.shut)

    def takes_category(self, category: str) -> bool:
        """Whether it is up and takes the category now."""
        return self.up and not (self._gate is not None and category in self._gate.closed)

    @property
    def empty(self) -> bool:
        """Whether nothing is buffered, so that even a message longer than the window may come."""
        return not self._feed.parts

    def reroute(self, routes: Routes) -> None:
        """Use other routes from now on."""
        self._fates.routes = self._holding.routes = routes

    def capacity(self, now: float) -> int:
        """How many PDUs it can take: what may leave at once and a short prefetch."""
        if self._draining or self._throttle.paused(now) or not self.up:
            return 0
        feed = self._feed
        allowed = UNLIMITED
        if self._gate is not None:
            at = self._clock()
            if self._gate.shut:
                return 0
            if self._gate.spent(at):
                return TURNED_AWAY if self._gate.fails else 0
            waiting = sum([len(link.waiting) for link in feed.links])
            allowed = self._gate.left(at) - feed.parts - waiting
        window = len(feed.links) * self.profile.carrier.window
        pace = min(
            self._throttle.rate_now(now) * PREFETCH,
            max(window, self._pace.per_second * PREFETCH * 2),
        )
        prefetch = max(1, int(pace))
        if feed.parts > prefetch // 2:
            return 0  # lease by the handful: a lease is a commit
        able = min(feed.room(), self._throttle.available(now)) + prefetch - feed.parts
        return max(0, min(able, allowed))

    def give(self, messages: list[Leased], contents: Mapping[int, Content]) -> None:
        """Take leased messages; they leave as window and pace allow."""
        at = self._clock()
        if self._draining or not self.up:
            self._give_back(messages, at)
            return
        if self._gate is not None and self._gate.fails and self._gate.spent(at):
            self._settle(self._holding.turned_away(messages, at))
            return
        ready, refused = self._encode(messages, contents, at)
        name, routes = self.profile.name, self._fates.routes
        results = [unsendable(each, name, at, why, routes) for each, why in refused]
        ready, held = self._holding.admit(ready, contents, at)
        self._settle(results + held)
        if not self._feed.parts:
            self._fed_since = at
        self._feed.add(ready)
        self._pump()

    def _encode(
        self, messages: list[Leased], contents: Mapping[int, Content], at: int
    ) -> tuple[list[Outgoing], list[tuple[Leased, str]]]:
        """As the encoder does. A message it fails on (a mistake of ours, none is known) ends, and
        the others go on: leased and forgotten, all of them would be `sending` until a restart."""
        try:
            return self._encoder.encode(messages, contents, at)
        except Exception:  # noqa: BLE001  (the others must not wait for a restart)
            _log.exception("a message cannot be encoded", extra={"carrier": self.profile.name})
            self._metrics.count(m.TASK_ERRORS, 1, "encode")
        ready: list[Outgoing] = []
        refused: list[tuple[Leased, str]] = []
        for message in messages:
            try:
                one, bad = self._encoder.encode([message], contents, at)
            except Exception:  # noqa: BLE001  (told above)
                one, bad = [], [(message, "invalid_text")]
            ready += one
            refused += bad
        return ready, refused

    def refresh(self) -> None:
        """More may leave than before, or less."""
        self._pump()

    def tick(self) -> None:
        """Once a second: pass the numbers on."""
        self._tally.count(m.UNKNOWN_TLVS, self._encoder.take_unknown_tlvs(), self.profile.name)
        for bind in self._binds:
            if bind.link is not None:
                self._count_enquiries(bind.link)
        self._tally.flush()
        now, name, status = self._loop.time(), self.profile.name, self.status()
        self._metrics.set(m.BINDS_UP, status.bound, name)
        self._metrics.set(m.BINDS_WANTED, status.wanted, name)
        self._metrics.set(m.WINDOW_SIZE, status.window, name)
        self._metrics.set(m.WINDOW_USED, status.outstanding, name)
        self._metrics.set(m.RATE_NOW, self._throttle.rate_now(now), name)
        if self._gate is not None:
            at = self._clock()
            if self._gate.look(at, anew=True):
                self._on_change()
            show(self._metrics, status)
            self._pump()
        if self._calls is not None:
            self._metrics.set(m.OUTBINDS_UP, self._calls.up, name)
        if self._fates.congestion_state is not None:
            self._metrics.set(m.CONGESTION_STATE, self._fates.congestion_state, name)

    def status(self) -> CarrierStatus:
        """How it stands."""
        now, at = self._loop.time(), self._clock()
        links = self._feed.links
        rate_now = self._throttle.rate_now(now)
        gate, campaigns = self._gate, self._holding.campaigns
        return CarrierStatus(
            name=self.profile.name,
            bound=sum(bind.up for bind in self._binds),
            wanted=len(self._binds),
            window=len(links) * self.profile.carrier.window,
            outstanding=sum(link.outstanding for link in links),
            buffered=self._feed.parts,
            rate=self.profile.carrier.rate,
            rate_now=0.0 if self._throttle.paused(now) else rate_now,
            last_error=next((b.last_error for b in self._binds if not b.up and b.last_error), ""),
            slowed=rate_now < self.profile.carrier.rate,
            windows=[] if gate is None else gate.windows(),
            caps=[] if gate is None else gate.usage(at),
            campaigns=[] if campaigns is None else campaigns.usage(at, CAMPAIGNS_SHOWN),
        )

    # ---- what the links tell

    def on_events(self, link: Link, events: list[Event], now: float) -> list[Event]:
        """One read's events: results to the settler, requests to the port, room to the feed."""
        harvest = self._fates.take(events, self._clock(), now, link_up=not self._draining)
        self._reap(harvest)
        if harvest.again:
            link.waiting += harvest.again
        if harvest.requests:
            self._deliveries.hand_over(link, harvest.requests)
        if self._feed.parts and (self._throttle.paused(now) > LONGEST_HOLD or not self.up):
            self._empty(self._clock())
        self._pump()
        return harvest.others

    def on_writable(self, link: Link) -> None:
        """The peer reads again."""
        self._pump()

    def on_up(self, link: Link) -> None:
        """A bind is up."""
        if link.submits:
            self._feed.links.append(link)
        self._state_changed("bind up", "")

    def on_down(self, link: Link, reason: str) -> None:
        """A bind is down; its outstanding submits have been settled with the events before."""
        if link in self._feed.links:
            self._feed.links.remove(link)
        self._abandon(link)
        if not self.up:
            self._empty(self._clock())
        self._count_enquiries(link)
        self._tally.count(m.LINK_ENDS, 1, self.profile.name, reason)
        self._state_changed("bind down", reason)
        self._answered.set()
        self._pump()

    # ---- the end

    async def drain(self, timeout: float) -> None:
        """Send nothing more, wait for the answers due, take leave; all within `timeout` seconds.

        What is unanswered by then is settled as unknown.
        """
        deadline = self._loop.time() + timeout - min(UNBIND_GRACE, timeout / 10)
        self._draining = True
        for ending in self._sessions():
            ending.give_up()
        self._empty(self._clock())
        for link in self._feed.links:
            self._abandon(link)
        try:
            async with asyncio.timeout_at(deadline):
                while any(link.outstanding for link in self._feed.links):
                    self._answered.clear()
                    await self._answered.wait()
                await self._deliveries.finished()
        except TimeoutError:
            pass  # the deadline decides, and what is left has its policy
        grace = max(0.0, deadline - self._loop.time()) + min(UNBIND_GRACE, timeout / 10)
        await asyncio.gather(*(ending.stop(grace) for ending in self._sessions()))
        if self._timer is not None:
            self._timer.cancel()
        self.tick()

    # ---- within

    def _sessions(self) -> list[Bind | Calls]:
        return [*self._binds, *([] if self._calls is None else [self._calls])]

    def _pump(self) -> None:
        """Send what may leave, and tell the pump when there is room again."""
        now = self._loop.time()
        again_at = self._feed.send(now) if self._gate is None else self._send_gated(now)
        if again_at is None and self._throttle.paused(now):
            again_at = self._throttle.ready_at(now)  # nothing is leased before the silence is over
        if again_at is not None:
            self._arm(again_at)
        if self._draining:
            self._answered.set()
        elif (self.ready or self.eager) and self.capacity(now) > 0:
            self.ready, self.eager = True, False
            self._wake()

    def _arm(self, at: float) -> None:
        """Keep one timer, never later than `at`; an early one only looks again."""
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._on_timer)
        self._timer_at = at

    def _on_timer(self) -> None:
        self._timer = None
        self._pump()

    def _reap(self, harvest: Harvest) -> None:
        self._settler.put(harvest.settled, harvest.late, harvest.sent)

    def _count_enquiries(self, link: Link) -> None:
        enquiries = link.take_enquiries()
        if enquiries:
            self._tally.count(m.ENQUIRIES, enquiries, self.profile.name)

    def _abandon(self, link: Link) -> None:
        """Parts that wait at a link will not leave over it."""
        if link.waiting:
            contexts = list(link.waiting)
            link.waiting.clear()
            self._reap(self._fates.unsent(contexts, self._clock(), self._loop.time()))

    def _send_gated(self, now: float) -> float | None:
        """Send what windows and caps allow; returns as `Feed.send`."""
        gate, feed, at = self._gate, self._feed, self._clock()
        assert gate is not None
        if gate.look(at):
            self._on_change()
        if gate.closed:
            self._settle(self._holding.clear_out(feed, self._fed_since, at))
        left, before = gate.left(at), feed.sent
        again_at = feed.send(now, left)
        if feed.sent > before:
            gate.take(feed.sent - before, at)
            left -= feed.sent - before
        waiting = any(link.waiting for link in feed.links)
        pdus = 1 if waiting else feed.next_parts
        if pdus > left:
            gate.want(pdus, at)
            if gate.spent(at):
                # Not before the period is over: others may take it, and it is asked for again then.
                for link in feed.links:
                    self._abandon(link)
                if gate.fails:
                    self._settle(self._holding.turned_away(self._taken_back(), at))
                else:
                    self._empty(at)
        changes_at = gate.next_change(at)
        if changes_at is not None:
            self._arm(now + max(0.001, (changes_at - at) / 1_000_000))
        return again_at

    def _taken_back(self) -> list[Leased]:
        """Empty the buffer, whose messages used nothing of anybody's limits."""
        unsent = self._feed.take_back()
        self._holding.refund(unsent, self._fed_since)
        return [outgoing.message for outgoing in unsent]

    def _empty(self, at: int) -> None:
        """What is buffered goes back to its lanes."""
        self._give_back(self._taken_back(), at)

    def _settle(self, results: list[Settled]) -> None:
        """Results that no answer has brought."""
        name = self.profile.name
        for result in results:
            lane, outcome = result.message.lane, result.outcome.value
            self._tally.count(m.SETTLED, 1, name, lane, outcome, result.reason or "")
        if results:
            self._settler.put(results, [])

    def _give_back(self, messages: list[Leased], at: int) -> None:
        """Unsent messages return to their lanes, due at once: another carrier may take them."""
        name = self.profile.name
        self._settle([given_back(message, name, at, at) for message in messages])

    def _state_changed(self, what: str, reason: str) -> None:
        bound = sum(bind.up for bind in self._binds)
        name = self.profile.name
        self._metrics.set(m.BINDS_UP, bound, name)
        _log.info(
            what,
            extra={
                "carrier": name,
                "bound": bound,
                "wanted": len(self._binds),
                **({"reason": reason} if reason else {}),
            },
        )
        self._on_change()
