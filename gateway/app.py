"""The composition root: which parts there are, in what order they start, reload and stop.

Reads as the table of contents of the product. Owns the only clock. Everything below gets what it
needs as an argument.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import platform
import resource
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import uvloop

from config.load import ConfigProblems, load
from config.sender_rules import read_sender_rules
from config.settings import Account, Carrier, Settings
from gateway import VERSION, log
from gateway import metrics as m
from gateway.admission import ANSWER, REPLY, Checks
from gateway.admission.contacts import Ledger
from gateway.admission.judging import Moderation
from gateway.admission.numbering import Numbering
from gateway.admission.numbers import Numbers
from gateway.admission.registered import Registered
from gateway.admission.uploads import Uploads
from gateway.admission.word_lists import WordLists
from gateway.admission.world import World
from gateway.answering import Answering
from gateway.capture import Taps
from gateway.dispatch.dispatcher import Dispatcher
from gateway.dispatch.profile import Profile
from gateway.errors import AldisError, StoreTooNew, StoreUnavailable
from gateway.events import Events
from gateway.events.mailboxes import Mailboxes
from gateway.housekeeping import Housekeeping
from gateway.ingress.http import HttpApi
from gateway.ingress.ops import OpsServer
from gateway.ingress.smpp import SmppServer
from gateway.model import UNKNOWN_POLICY, Category, OnUnknown
from gateway.policy.quiet import QuietHours
from gateway.policy.senders import CountryRules
from gateway.registries import Registries
from gateway.reopening import reopen
from gateway.returns import Returns
from gateway.routing import RoutingTable
from gateway.store.ledgers import AccountRules
from gateway.store.registry import Kind
from gateway.store.sqlite import SqliteStore
from protocol.pdu import Pdu

SWITCH_INTERVAL: Final = 0.0005
"""Seconds between offers of the interpreter lock. The store's thread waits for it behind a busy
loop: at Python's default of 5 ms its rate falls to a tenth."""
GC_THRESHOLD: Final = (50_000, 20, 100)
"""Garbage collections by number of new objects. The default of 700 runs a hundred times in a list
of 10,000 messages, none of which holds a cycle."""

MALLOPT: Final = ((-3, 32 << 20), (-1, 64 << 20), (-2, 1 << 20))
"""M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD. glibc returns every large buffer to the system
and asks for it back with page faults: 45 for each POST of 500 events, a third of its cost."""

logger = logging.getLogger("aldis")


def clock() -> int:
    """UTC in microseconds."""
    return time.time_ns() // 1000


class App:
    """One gateway."""

    def __init__(self, settings: Settings) -> None:
        """Puts the parts together; opens nothing. Construct it inside the event loop."""
        self.settings = settings
        self.metrics = m.Metrics()
        self.store = SqliteStore(settings.store, settings.gateway.node, self.metrics, clock)
        registered = Registered()
        self.contacts = Ledger(self.store, self.metrics, clock)
        self.words = WordLists(self.store, self.metrics)
        self.store.on_registry(self.words.changed)
        self.world = World(
            Numbering(),
            RoutingTable(settings.route, settings.carrier),
            self.store,
            people=self.store,
            registered=registered,
            sender_rules=CountryRules(read_sender_rules(settings.policy.senders)),
            moderation=Moderation(self.words, self.store),
            contacts=self.contacts,
        )
        self.registries = Registries(self.store, self.metrics)
        self.registries.tell(Kind.SENDER, registered.take_senders)
        self.registries.tell(Kind.TEMPLATE, registered.take_templates)
        self._moderate(settings)
        self.answering = Answering(
            self.store,
            Checks(self.world, ANSWER),
            Checks(self.world, REPLY),
            self.metrics,
            clock,
        )
        self.returns = Returns(self.store, self.metrics, clock, self.answering.put)
        self.registries.tell(Kind.KEYWORD, self.returns.listening.take_rules)
        self.registries.tell(Kind.SENDER, self.returns.listening.take_senders)
        self._keep_hours(self._read_hours(settings))
        self.taps = Taps(settings, self.metrics, clock)
        self.dispatcher = Dispatcher(
            settings,
            self.store,
            self.metrics,
            self._on_deliver,
            clock,
            watch=partial(self.taps.watch, "carrier"),
        )
        self.events = Events(self.store, self.metrics, settings.webhooks, clock)
        checks = Checks(self.world)
        self.smpp = SmppServer(
            settings,
            self.store,
            checks,
            clock,
            self.metrics,
            watch=partial(self.taps.watch, "account"),
        )
        self.mailboxes = Mailboxes(self.store, self.smpp, self.metrics)
        self.smpp.deliveries = self.mailboxes
        self.http = HttpApi(
            settings,
            self.store,
            checks,
            Uploads(self.store),
            self.events,
            self.dispatcher.status,
            clock,
            self.metrics,
            numbering=Numbers(self.world),
            registries=self.registries,
            keywords=self.returns.listening,
            words=self.words,
            usage=self.dispatcher.usage,
            version=VERSION,
        )
        self.ops = OpsServer(
            settings.ops,
            self.metrics,
            self._check_store,
            self.dispatcher.status,
            [self.http.flush, self.smpp.flush, self.mailboxes.flush, self.contacts.tick],
            self.taps,
        )
        self.housekeeping = Housekeeping(self.store, self.metrics, clock)

    async def start(self) -> None:
        """From the inside out: nobody is let in before what they need is there."""
        self.store.rule_accounts(account_rules(self.settings.account))
        recovered = await self.store.open(unknown_policy(self.settings.carrier), clock())
        self._count_recovered(recovered.resent, recovered.unknown)
        self.contacts.configure(self.settings.account)
        await self.registries.start()
        await self.words.apply(self.settings.policy, self.settings.account)
        self.answering.apply(self.settings.account)
        self.answering.start()
        await self.returns.apply(self.settings.carrier, self.settings.account, self.settings.policy)
        await self.events.apply(self.settings.account)
        await self.events.start()
        await self.dispatcher.start()
        self.housekeeping.start()
        await self.mailboxes.start(self.settings.account)
        await self.ops.start()
        await self.smpp.start()
        await self.http.start()
        self.ops.serving = True
        self.metrics.set(m.BUILD_INFO, 1, VERSION, platform.python_version())
        # What lives now lives long: collections need not look at it again.
        gc.collect()
        gc.freeze()
        logger.info(
            "serving",
            extra={
                "http_port": self.http.port,
                "smpp_ports": self.smpp.ports,
                "ops_port": self.ops.port,
                "version": VERSION,
            },
        )

    async def reload(self, settings: Settings) -> None:
        """Apply accounts, carriers, routes and policy; addresses and the store stay until a
        restart."""
        # First: a file that cannot be used changes nothing.
        hours = self._read_hours(settings)
        await self.words.apply(settings.policy, settings.account)
        self.settings = settings
        self.taps.configure(settings)
        self.http.configure(settings)
        self.smpp.configure(settings)
        self._moderate(settings)
        self.store.rule_accounts(account_rules(settings.account))
        self.world.routing = RoutingTable(settings.route, settings.carrier)
        self.world.sender_rules = CountryRules(read_sender_rules(settings.policy.senders))
        self.contacts.configure(settings.account)
        self.answering.apply(settings.account)
        await self.returns.apply(settings.carrier, settings.account, settings.policy)
        self._keep_hours(hours)
        await self.events.apply(settings.account)
        await self.mailboxes.apply(settings.account)
        await self.dispatcher.apply(settings)
        logger.info("configuration applied")

    async def stop(self) -> None:
        """From the outside in, under one deadline; nothing accepted is lost at any point."""
        deadline = asyncio.get_running_loop().time() + self.settings.gateway.drain_timeout

        def left() -> float:
            return max(0.5, deadline - asyncio.get_running_loop().time())

        logger.info("draining")
        self.ops.draining = True
        self.taps.stop()
        await asyncio.gather(self.http.stop(min(5.0, left())), self.smpp.stop(min(5.0, left())))
        await self.mailboxes.stop()
        await self.dispatcher.drain(left() * 0.8)
        await self.answering.stop(min(5.0, left()))
        await self.events.drain(min(5.0, left()))
        await self.housekeeping.stop()
        await self.registries.stop()
        await self.words.stop()
        await self.contacts.stop()
        await self.ops.stop()
        await self.store.close()
        logger.info("stopped")

    def _read_hours(self, settings: Settings) -> QuietHours:
        return QuietHours.read(settings.policy, self._count_quiet)

    def _keep_hours(self, hours: QuietHours) -> None:
        """The same rules at admission and in the lease."""
        self.world.quiet = hours
        self.store.on_closed(partial(reopen, hours))

    def _count_quiet(self, rule: str, outcome: str, messages: int) -> None:
        self.metrics.count(m.QUIET_HOURS, messages, rule, outcome)

    async def _on_deliver(self, profile: Profile, pdus: list[Pdu]) -> list[int]:
        return await self.returns.take(profile.name, pdus)

    def _moderate(self, settings: Settings) -> None:
        """What the store must know of moderation."""
        counts = {one.name: one.moderation.validity_counts for one in settings.account}
        self.store.set_moderation(
            lambda account: counts.get(account, True), settings.policy.most_waiting_items
        )

    async def _check_store(self) -> object:
        return await self.store.recall("readiness")

    def _count_recovered(self, resent: int, unknown: int) -> None:
        if not resent and not unknown:
            return
        logger.warning("leases of the last run", extra={"resent": resent, "unknown": unknown})
        self.metrics.count(m.POSSIBLE_DUPLICATES, resent, "before restart")
        self.metrics.count(m.OUTCOME_UNKNOWN, resent + unknown, "before restart", "restart")


def account_rules(accounts: tuple[Account, ...]) -> dict[str, AccountRules]:
    """What the store must know of the accounts' settings."""
    return {
        account.name: AccountRules(account.suppress_after, account.keep_text, account.keep_messages)
        for account in accounts
    }


def unknown_policy(carriers: tuple[Carrier, ...]) -> Callable[[str, str], OnUnknown]:
    """What to do with a submission nobody answered: the carrier's word, else the category's."""
    words = {carrier.name: carrier.on_unknown for carrier in carriers}

    def policy(carrier: str, category: str) -> OnUnknown:
        for name, word in words.get(carrier, {}).items():
            if name == category:
                return OnUnknown(word)
        return UNKNOWN_POLICY[Category(category)]

    return policy


async def serve(settings: Settings, path: Path | None) -> int:
    """Start, wait for signals, stop; returns the exit code."""
    app = App(settings)
    try:
        await app.start()
    except (AldisError, OSError) as error:
        logger.error("cannot start: %s", error)
        return 3 if isinstance(error, StoreTooNew | StoreUnavailable) else 1
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[None]] = set()
    one_at_a_time = asyncio.Lock()

    def end() -> None:
        if stopping.is_set():
            logger.warning("second signal: leaving at once")
            # Accepted messages are on disk; what is on the wire is unknown, as after a crash.
            sys.stderr.flush()
            loop.stop()
        stopping.set()

    def again() -> None:
        task = loop.create_task(_reload(app, path, one_at_a_time, stopping))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGTERM, end)
    loop.add_signal_handler(signal.SIGINT, end)
    loop.add_signal_handler(signal.SIGHUP, again)
    await stopping.wait()
    await app.stop()
    return 0


async def _reload(
    app: App, path: Path | None, one_at_a_time: asyncio.Lock, stopping: asyncio.Event
) -> None:
    """Two signals in a row are two reloads, the second with what the file says by then: beside each
    other the older settings could be the last to arrive at some part."""
    if path is None:
        return
    try:
        async with one_at_a_time:
            if not stopping.is_set():
                await app.reload(load(path))
    except ConfigProblems as error:
        # The configuration in force stays: a typing error must not stop traffic.
        for problem in error.problems:
            logger.error("configuration refused: %s", problem)
    except AldisError as error:
        logger.error("configuration refused: %s", error)
    except Exception:
        logger.exception("reload failed")
        app.metrics.count(m.TASK_ERRORS, 1, "reload")


def run(settings: Settings, path: Path | None = None) -> int:
    """`aldis serve`."""
    log.set_up(settings.log.level, settings.log.format)
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.set_threshold(*GC_THRESHOLD)
    _keep_memory()
    _raise_descriptors()
    try:
        return uvloop.run(serve(settings, path))
    except RuntimeError as error:
        if "stopped" in str(error):  # the second signal
            return 130
        raise


def _keep_memory() -> None:
    """Tell glibc not to give large buffers back at once; other C libraries do as they do."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in MALLOPT:
            mallopt(parameter, value)


def _raise_descriptors() -> None:
    """Take as many file descriptors as the system grants: each customer's bind is one, and the soft
    limit is mostly 1,024, for programs that use select(2)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError) as error:  # macOS says infinity and means less
            logger.warning("file descriptors stay at %d: %s", soft, error)
