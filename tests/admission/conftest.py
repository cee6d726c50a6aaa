from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from config.settings import Account, Route
from gateway.admission import Checks
from gateway.admission.numbering import Numbering
from gateway.admission.world import World
from gateway.draft import Ask, Draft
from gateway.routing import RoutingTable

NOW = 1_795_000_000_000_000


class Ledger:
    """An opt-out ledger in a set: the store's own is tested with the store."""

    def __init__(self) -> None:
        self.numbers: set[int] = set()

    async def opted_out(
        self, account: str, sender: str, category: str, numbers: Sequence[int]
    ) -> set[int]:
        return self.numbers & set(numbers)


@pytest.fixture(scope="session")
def numbering() -> Numbering:
    return Numbering()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def world(numbering: Numbering, ledger: Ledger) -> World:
    return World(numbering, RoutingTable([Route(name="main", carriers=("op",))]), ledger)


@pytest.fixture
def checks(world: World) -> Checks:
    return Checks(world)


@pytest.fixture
def ask() -> Callable[..., Ask]:
    def make(text: str = "Hello", sender: str | None = "ACME", **options: Any) -> Ask:
        account = Account(name="shop", **options.pop("account", {}))
        return Ask(account, text, NOW, sender=sender, **options)

    return make


def drafts(*numbers: str | list[str]) -> list[Draft]:
    return [Draft(to, position=place) for place, to in enumerate(numbers)]
