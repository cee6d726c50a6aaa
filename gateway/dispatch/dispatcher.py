"""The pump: asks the store for what the carriers can take, and hands it out.

In: room at carriers, work in the store, time. Out: one `lease` for all carriers at once. Carriers
pull: nothing is assigned to a link that is down, and fail-over is just another carrier pulling.

It knows lanes, shares and carriers; nothing of PDUs.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Final

from config.settings import Settings
from gateway import metrics as m
from gateway.dispatch.allowances import Allowances
from gateway.dispatch.campaigns import campaigns_of
from gateway.dispatch.carrier import Carrier
from gateway.dispatch.deliveries import OnDeliver
from gateway.dispatch.encode import References
from gateway.dispatch.gate import gate_of
from gateway.dispatch.holding import Holding
from gateway.dispatch.lanes import Routes, parse
from gateway.dispatch.limits import Limits
from gateway.dispatch.profile import Profile
from gateway.dispatch.settler import Settler
from gateway.dispatch.shares import Shares, Taker
from gateway.dispatch.standing import CarrierStatus
from gateway.errors import StoreUnavailable
from gateway.link import Watch, unwatched
from gateway.metrics import Metrics
from gateway.policy.caps import Usage
from gateway.store.contract import Store
from gateway.store.messages import Demand, Lease

HEARTBEAT: Final = 1.0
"""Seconds between looks at the store without being told: a lost wake-up costs a second and not a
message."""
LEASE_RETRY: Final = 0.5
"""Seconds before leasing from a store that was away is tried again."""

_log = logging.getLogger("aldis.dispatch")


class Dispatcher:
    """The stage. Construct it inside the running event loop.

    store       the messages; opened, and recovered from a crash, before `start`
    on_deliver  the port for the operators' requests (see deliveries.py)
    clock       UTC in microseconds
    jitter      a random number 0..1, for pauses
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        metrics: Metrics,
        on_deliver: OnDeliver,
        clock: Callable[[], int],
        *,
        jitter: Callable[[], float] = random.random,
        watch: Watch = unwatched,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._on_deliver = on_deliver
        self._clock = clock
        self._jitter = jitter
        self._watch = watch
        self._references = References()
        self._wake = asyncio.Event()
        self._settler = Settler(store, metrics, self._look_again)
        self._allowances = Allowances(store, metrics, clock, self._more_room)
        self._limits = Limits(
            settings.account, self._allowances, metrics, asyncio.get_running_loop().time
        )
        self._routes = Routes(settings.route)
        self._shares = Shares(self._routes)
        self._up: frozenset[str] = frozenset()
        self._carriers: dict[str, Carrier] = {}
        for carrier in settings.carrier:
            self._carriers[carrier.name] = self._carrier(Profile(carrier))
        self._order = [carrier.name for carrier in settings.carrier]
        self._drain_timeout = settings.gateway.drain_timeout
        self._next: asyncio.TimerHandle | None = None
        self._next_at = 0.0
        self._pumping: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None
        self._applying = asyncio.Lock()
        self._draining = False
        self._reported: set[str] = set()
        self._turns = 0

    # ---- life

    async def start(self) -> None:
        """Learn what caps were used before, bind, and begin to lease; `status` tells when binds are
        up."""
        loop = asyncio.get_running_loop()
        await self._allowances.start()
        self._settler.start()
        self._store.on_work(self._look_again)
        for carrier in self._carriers.values():
            carrier.start()
        self._pumping = loop.create_task(self._pump(), name="dispatch pump")
        self._beating = loop.create_task(self._heartbeat(), name="dispatch heartbeat")

    async def apply(self, settings: Settings) -> None:
        """Take other settings into use; returns when what they end has ended.

        Routes change at once. A carrier whose settings are equal keeps its links untouched; one
        that changed drains and starts anew (an operator counts binds, so not before); one that is
        gone drains. Raises ConfigError, changing nothing, if a carrier's settings cannot be used.
        """
        async with self._applying:
            wanted = {
                carrier.name: Profile(carrier)
                for carrier in settings.carrier
                if carrier.name not in self._carriers
                or self._carriers[carrier.name].profile.carrier != carrier
            }
            names = {carrier.name for carrier in settings.carrier}
            ending = {
                name: carrier
                for name, carrier in self._carriers.items()
                if name in wanted or name not in names
            }
            self._limits.configure(settings.account)
            self._routes = Routes(settings.route)
            self._shares = Shares(self._routes)
            self._drain_timeout = settings.gateway.drain_timeout
            self._order = [carrier.name for carrier in settings.carrier]
            for name in ending:
                del self._carriers[name]
            for carrier in (*self._carriers.values(), *ending.values()):
                carrier.reroute(self._routes)
            self._changed()
            await asyncio.gather(
                *(self._replace(name, ending.get(name), wanted.get(name))
                  for name in {*ending, *wanted})
            )  # fmt: skip

    async def drain(self, timeout: float) -> None:
        """Stop leasing, give back what has not left, wait for answers, unbind, close.

        Everything within `timeout` seconds; what is unanswered by then is settled as unknown.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        self._draining = True
        if self._next is not None:
            self._next.cancel()
        if self._beating is not None:
            self._beating.cancel()
        self._wake.set()
        await asyncio.gather(
            self._pump_ended(timeout),
            self._reload_ended(timeout),
            *(carrier.drain(timeout) for carrier in self._carriers.values()),
        )
        try:
            async with asyncio.timeout_at(deadline + 1.0):
                await self._settler.written()
        except TimeoutError:
            _log.error("results left unwritten", extra={"reason": "the store is away"})
        await self._allowances.stop(max(1.0, deadline - asyncio.get_running_loop().time()))
        await self._settler.stop()

    def status(self) -> list[CarrierStatus]:
        """How each carrier stands, in the order of the configuration."""
        return [self._carriers[name].status() for name in self._order if name in self._carriers]

    def usage(self, account: str) -> list[Usage]:
        """How an account's caps stand; empty if it has none."""
        return self._limits.usage(account, self._clock())

    # ---- the pump

    async def _pump(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._draining:
                return
            if self._settler.blocked:
                continue  # the settler wakes us when it is not
            try:
                await self._turn()
            except StoreUnavailable as error:
                self._metrics.count(m.STORE_ERRORS, 1, "lease", type(error).__name__)
                await self._rest()
            except Exception:  # noqa: BLE001  (the task's edge: logged, counted, tried again)
                _log.exception("lease failed")
                self._metrics.count(m.TASK_ERRORS, 1, "dispatch pump")
                await self._rest()

    async def _turn(self) -> None:
        """One lease for all carriers that can take something."""
        asking, demands = self._demands(asyncio.get_running_loop().time())
        if not demands:
            return
        # Noted before the call: work that arrives while it runs must not go unseen.
        for carrier in asking:
            carrier.ready = carrier.eager = False
        at = self._clock()
        try:
            lease = await self._store.lease(demands, at)
        except BaseException:
            for carrier in asking:
                carrier.ready = True
            raise
        self._hand_out(asking, demands, lease, at)

    def _demands(self, now: float) -> tuple[list[Carrier], list[Demand]]:
        waiting = {depth.lane: depth.waiting for depth in self._store.depths() if depth.waiting}
        lanes_waiting = frozenset(waiting)
        self._turns += 1
        takers: list[Taker] = []
        carriers: list[Carrier] = []
        for name, carrier in self._carriers.items():
            parts = carrier.capacity(now) if carrier.ready else 0
            lanes: tuple[str, ...] = ()
            if parts > 0:
                lanes = self._routes.lanes(name, self._up, lanes_waiting, self._turns)
            if lanes:
                takers.append(Taker(name, parts, lanes))
                carriers.append(carrier)
        if not takers:
            return [], []
        asking: list[Carrier] = []
        demands: list[Demand] = []
        for index, parts in self._shares.plan(takers, waiting):
            taker, carrier = takers[index], carriers[index]
            asking.append(carrier)
            demands.append(Demand(taker.carrier, taker.lanes, parts, idle=carrier.empty))
        return asking, demands

    def _hand_out(
        self, asking: list[Carrier], demands: list[Demand], lease: Lease, at: int
    ) -> None:
        # Against the moment the store was asked about: what has become due since was not seen.
        more_waits = lease.next_due is not None and lease.next_due <= at
        for carrier, demand, messages in zip(asking, demands, lease.taken, strict=True):
            if messages:
                self._shares.served(demand.carrier, messages)
                carrier.give(messages, lease.contents)
            if sum([message.parts for message in messages]) >= demand.parts:
                carrier.ready = True
            elif more_waits:
                # Its lanes are empty, or begin with a message too long for the room there was:
                # asking again before something has changed would be asking for ever.
                carrier.eager = True
                if lease.more or (carrier.empty and not demand.idle):
                    carrier.ready = True
        if any(carrier.ready for carrier in asking):
            self._wake.set()
        if lease.next_due is not None and not more_waits:
            self._look_at(lease.next_due)

    def _look_at(self, due: int) -> None:
        """Look again when the next message becomes due."""
        loop = asyncio.get_running_loop()
        # By the loop's clock: UTC may be set, and what was next by it is not next any more.
        at = loop.time() + max(0.0, (due - self._clock()) / 1_000_000)
        if self._next is not None:
            if self._next_at <= at:
                return
            self._next.cancel()
        self._next_at = at
        self._next = loop.call_at(at, self._due)

    def _due(self) -> None:
        self._next = None
        self._look_again()

    def _look_again(self) -> None:
        """There may be work for any carrier."""
        for carrier in self._carriers.values():
            carrier.ready = True
        self._wake.set()

    def _changed(self) -> None:
        """A carrier came up or went down, or its windows opened or closed: others may take its
        lanes, or leave them to it."""
        self._up = frozenset(name for name, carrier in self._carriers.items() if carrier.takes)
        self._look_again()

    def _more_room(self) -> None:
        """More of the caps is written down."""
        for carrier in self._carriers.values():
            carrier.refresh()
        self._look_again()

    def _elsewhere(self, lane: str, name: str, category: str) -> bool:
        """Whether a carrier of the lane other than `name` takes the category now."""
        parsed = parse(lane)
        return any(
            place.carrier != name
            and place.carrier not in parsed.without
            and place.carrier in self._carriers
            and self._carriers[place.carrier].takes_category(category)
            for place in self._routes.places.get(parsed.route, ())
        )

    # ---- within

    async def _pump_ended(self, timeout: float) -> None:
        """Wait for a lease under way: its messages are `sending` and have to go back, which
        carriers that drain do with whatever they are given."""
        if self._pumping is not None:
            await asyncio.wait({self._pumping}, timeout=timeout)
            self._pumping.cancel()

    async def _reload_ended(self, timeout: float) -> None:
        """Wait for a reload under way: the carriers it ends are no longer among ours, and still
        wait for answers."""
        try:
            async with asyncio.timeout(timeout), self._applying:
                pass
        except TimeoutError:
            pass  # what is unanswered stays `sending`, and is settled at the next start

    async def _rest(self) -> None:
        await asyncio.sleep(LEASE_RETRY)
        self._look_again()

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            try:
                self.beat()
            except Exception:  # noqa: BLE001  (the task's edge)
                _log.exception("heartbeat failed")
                self._metrics.count(m.TASK_ERRORS, 1, "dispatch heartbeat")

    def beat(self) -> None:
        """Once a second: gauges, windows and caps by the clock as it is, a look at the store."""
        for carrier in list(self._carriers.values()):
            carrier.tick()
        self._limits.tick(self._clock())
        self._report_unknown_routes()
        self._look_again()

    def _report_unknown_routes(self) -> None:
        """Messages whose route, or whose last permitted carrier, a reload has removed wait until it
        is back; said once."""
        waiting = [depth.lane for depth in self._store.depths() if depth.waiting]
        for route in sorted(self._routes.unknown(waiting) - self._reported):
            self._reported.add(route)
            _log.warning("messages wait in a route that is not configured", extra={"route": route})
        for lane in sorted(self._routes.forsaken(waiting) - self._reported):
            self._reported.add(lane)
            _log.warning(
                "messages wait that no carrier of the route may have", extra={"lane": lane}
            )

    async def _replace(self, name: str, old: Carrier | None, new: Profile | None) -> None:
        if old is not None:
            await old.drain(self._drain_timeout)
            if new is None:
                self._allowances.drop(f"carrier/{name}")
                self._allowances.drop_all(f"campaign/{name}/")
        if new is not None and not self._draining:
            carrier = self._carriers[name] = self._carrier(new)
            carrier.start()

    def _carrier(self, profile: Profile) -> Carrier:
        holding = Holding(
            profile.name,
            gate_of(profile.carrier, self._allowances),
            campaigns_of(profile.carrier, self._allowances),
            self._limits,
            self._routes,
            self._metrics,
            self._elsewhere,
        )
        return Carrier(
            profile,
            holding=holding,
            routes=self._routes,
            references=self._references,
            settler=self._settler,
            metrics=self._metrics,
            on_deliver=self._on_deliver,
            clock=self._clock,
            jitter=self._jitter,
            wake=self._wake.set,
            on_change=self._changed,
            watch=self._watch,
        )
