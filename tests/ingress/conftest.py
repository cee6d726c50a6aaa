"""A real API: real TCP, real SQLite file, real admission. Only time and the
operators' binds are stood in for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from config.settings import Account, Http, Key, Route, Scope, Settings, StoreSettings, Webhooks
from gateway.admission import Checks
from gateway.admission.judging import Moderation
from gateway.admission.numbering import Numbering
from gateway.admission.numbers import Numbers
from gateway.admission.registered import Registered
from gateway.admission.uploads import Uploads
from gateway.admission.word_lists import WordLists
from gateway.admission.world import World
from gateway.app import account_rules
from gateway.dispatch.standing import CarrierStatus
from gateway.events import Events
from gateway.ingress.http import HttpApi
from gateway.metrics import Metrics
from gateway.model import OnUnknown
from gateway.policy.caps import Usage
from gateway.registries import Registries
from gateway.returns import Returns
from gateway.routing import RoutingTable
from gateway.store.registry import Kind
from gateway.store.sqlite.store import SqliteStore
from tests.ingress.client import KEY, Client

NOW = 1_795_000_000_000_000
"""2026-11-18T11:06:40Z"""
SECOND = 1_000_000

READER = "ak_reader_may_not_write"
ADMIN = "ak_admin_of_the_tests"
OTHER = "ak_of_another_account"
BARE = "ak_optouts_and_nothing_else"
NETWORKED = "ak_only_from_elsewhere"
MODERATOR = "ak_moderator_of_shop"
CHIEF = "ak_moderator_of_all"


class Clock:
    """Time that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


def carrier(name: str, bound: int, wanted: int, last_error: str = "") -> CarrierStatus:
    """A carrier as dispatch would tell of it."""
    return CarrierStatus(
        name=name,
        bound=bound,
        wanted=wanted,
        window=10 * bound,
        outstanding=3,
        buffered=0,
        rate=100.0,
        rate_now=50.0,
        last_error=last_error,
    )


class Rig:
    """The API and everything around it."""

    def __init__(
        self,
        directory: Path,
        numbering: Numbering,
        http: dict[str, Any],
        webhooks: Webhooks | None = None,
    ) -> None:
        self.directory = directory
        self.clock = Clock()
        self.metrics = Metrics()
        both: tuple[Scope, Scope] = ("messages:write", "messages:read")
        self.settings = Settings(
            http=Http(port=0, **http),
            store=StoreSettings(path=str(directory / "aldis.db"), synchronous="NORMAL"),
            webhooks=webhooks or Webhooks(),
            account=(
                Account(
                    name="shop",
                    keys=(
                        Key(value=KEY, scopes=(*both, "optouts")),
                        Key(value=READER, scopes=("messages:read",)),
                        Key(value=NETWORKED, scopes=both, networks=("192.0.2.0/24",)),
                        Key(value=ADMIN, scopes=("admin",)),
                        Key(value=MODERATOR, scopes=("moderation",)),
                        Key(value=CHIEF, scopes=("moderation", "admin")),
                        Key(value=BARE, scopes=("optouts",)),
                    ),
                ),
                Account(name="other", keys=(Key(value=OTHER, scopes=both),)),
            ),
            route=(Route(name="main", carriers=("op",)),),
        )
        self.store = SqliteStore(self.settings.store, 0, self.metrics, self.clock, strict=True)
        routing = RoutingTable(self.settings.route)
        registered = Registered()
        self.words = WordLists(self.store, self.metrics)
        self.store.on_registry(self.words.changed)
        self.world = World(
            numbering,
            routing,
            self.store,
            people=self.store,
            registered=registered,
            moderation=Moderation(self.words, self.store),
        )
        self.admission = Checks(self.world)
        self.registries = Registries(self.store, self.metrics)
        self.registries.tell(Kind.SENDER, registered.take_senders)
        self.returns = Returns(self.store, self.metrics, self.clock)
        self.registries.tell(Kind.KEYWORD, self.returns.listening.take_rules)
        self.registries.tell(Kind.TEMPLATE, registered.take_templates)
        # Not started: nothing is delivered to the endpoints tests make up.
        self.events = Events(self.store, self.metrics, self.settings.webhooks, self.clock)
        self.carriers = [carrier("op", 1, 2)]
        self.usage: dict[str, list[Usage]] = {}
        self.api = HttpApi(
            self.settings,
            self.store,
            self.admission,
            Uploads(self.store),
            self.events,
            lambda: self.carriers,
            self.clock,
            self.metrics,
            numbering=Numbers(self.world),
            registries=self.registries,
            keywords=self.returns.listening,
            words=self.words,
            usage=lambda account: self.usage.get(account, []),
            version="1.2.3",
        )

    async def start(self) -> None:
        self.store.rule_accounts(account_rules(self.settings.account))
        await self.store.open(lambda carrier, category: OnUnknown.RESEND, self.clock())
        await self.registries.start()
        await self.returns.apply((), self.settings.account)
        await self.words.apply(self.settings.policy)
        await self.api.start()

    async def stop(self) -> None:
        await self.api.stop(1.0)
        await self.registries.stop()
        await self.words.stop()
        await self.store.close()

    def client(self, key: str | None = KEY) -> Client:
        return Client(self.api.port, key)


@pytest.fixture(scope="session")
def numbering() -> Numbering:
    return Numbering()


@pytest.fixture
def http() -> dict[str, Any]:
    """Settings of `[http]`; a test module may have its own."""
    return {}


@pytest.fixture
async def rig(tmp_path: Path, numbering: Numbering, http: dict[str, Any]) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path, numbering, http)
    await rig.start()
    yield rig
    await rig.stop()


@pytest.fixture
async def client(rig: Rig) -> AsyncIterator[Client]:
    async with rig.client() as client:
        yield client
