"""What a category decides, end to end: each cell of the table of docs/senders.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.policies import FrequencyCap, ModerationOverride, Policy
from config.policies import Moderation as ModerationSettings
from config.settings import Account, Carrier, Duration, Route, StoreSettings
from gateway.admission import Checks
from gateway.admission.contacts import Ledger as Contacts
from gateway.admission.world import Strangers, World
from gateway.draft import Ask, Draft
from gateway.metrics import Metrics
from gateway.model import UNKNOWN_POLICY, Category, OnUnknown, Priority, Status
from gateway.policy.quiet import QuietHours
from gateway.policy.templates import Approval, RegisteredTemplate, Templates
from gateway.routing import RoutingTable
from gateway.store.ledgers import ConsentState
from gateway.store.sqlite import SqliteStore
from tests.admission.conftest import NOW, Ledger

PAGE = Path(__file__).parents[2] / "docs" / "senders.md"
US = "+12025550123"
"""A number of one time zone, where it is six in the morning at NOW."""


def page() -> dict[str, dict[str, str]]:
    """The page's table: category -> what -> how."""
    lines = PAGE.read_text("utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("| what it decides |"))
    heads, *rows = [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in lines[start:]
        if line.startswith("|")
    ]
    return {
        name: {row[0]: row[place] for row in rows[1:]} for place, name in enumerate(heads[1:], 1)
    }


TABLE = page()


class Recorded(Strangers):
    """A consent ledger that says one thing of everybody."""

    def __init__(self, state: ConsentState | None) -> None:
        self.state = state

    async def consent_states(self, account: str, brand: str, numbers: Any) -> dict[int, Any]:
        return {} if self.state is None else dict.fromkeys(numbers, self.state)


Try = Callable[..., Any]


@pytest.fixture
def attempt(world: World) -> Try:
    async def tried(category: str, to: str = "+79161234567", **account: Any) -> Draft:
        fields = account.pop("ask", {})
        ask = Ask(
            Account(name="shop", **account),
            fields.pop("text", "Order 17 is ready"),
            fields.pop("now", NOW),
            sender=fields.pop("sender", "ACME"),
            category=Category(category),
            **fields,
        )
        draft = Draft(to)
        await Checks(world).admit(ask, [draft])
        return draft

    return tried


@pytest.fixture(params=list(Category), ids=str)
def category(request: pytest.FixtureRequest) -> str:
    return str(request.param.value)


def test_the_page_names_every_category() -> None:
    assert set(TABLE) == {each.value for each in Category}
    assert len({tuple(rows) for rows in TABLE.values()}) == 1


async def test_lane(attempt: Try, category: str) -> None:
    said = TABLE[category]["class"]
    assert (await attempt(category)).lane == f"main/{said}"


async def test_lane_with_high_priority(attempt: Try, category: str) -> None:
    draft = await attempt(category, ask={"priority": Priority.HIGH})
    assert draft.lane == f"main/{TABLE[category]['class with high priority']}"


def test_unknown_outcome(category: str) -> None:
    assert UNKNOWN_POLICY[Category(category)].value == TABLE[category]["outcome unknown"]


async def test_quiet_hours(world: World, attempt: Try, category: str) -> None:
    world.quiet = QuietHours.read(Policy())
    draft = await attempt(category, US, ask={"sender": "12025550199"})
    held = draft.status == Status.HELD_QUIET
    assert ("wait" if held else "none") == TABLE[category]["quiet hours"]


@pytest.mark.parametrize(
    ("row", "strict", "state"),
    [
        ("no consent on record, strict account", True, None),
        ("no consent on record", False, None),
        ("consent denied", False, ConsentState.DENIED),
    ],
)
async def test_consent(
    world: World, attempt: Try, category: str, row: str, strict: bool, state: ConsentState | None
) -> None:
    world.people = Recorded(state)
    draft = await attempt(category, strict_consent=strict)
    assert (draft.code or "sent") == TABLE[category][row]


async def test_opted_out(world: World, ledger: Ledger, attempt: Try, category: str) -> None:
    ledger.numbers = {79161234567}
    assert (await attempt(category)).code == TABLE[category]["opted out"]


@pytest.mark.parametrize("fallback", ["reject", "advertising"])
async def test_templates(world: World, attempt: Try, category: str, fallback: Any) -> None:
    """A carrier that demands what operators do: templates of service and transactional texts."""
    carrier = Carrier(
        name="op", templates_required=("service", "transactional"), template_fallback=fallback
    )
    world.routing = RoutingTable([Route(name="main", carriers=("op",))], [carrier])
    draft = await attempt(category)
    said = TABLE[category]["no template, where the carrier demands one"]
    if fallback == "reject" or said == "sent":
        assert (draft.code or "sent") == said
    else:
        assert (draft.code, draft.lane) == (None, "main/bulk")
    approved = RegisteredTemplate(
        "Order {{n}} is ready",
        category,  # type: ignore[arg-type]
        approvals=(Approval("op", "approved"),),
    )
    world.registered.templates = Templates([("shop", "t", approved)])
    draft = await attempt(category)
    assert (draft.code, draft.lane) == (None, f"main/{TABLE[category]['class']}")


async def test_moderation(attempt: Try, category: str) -> None:
    """By itself no category is trusted; an override names those that are."""
    manual = ModerationSettings(mode="manual")
    draft = await attempt(category, moderation=manual)
    assert draft.status == Status.HELD_MODERATION
    trusted = ModerationSettings(
        mode="manual", overrides=(ModerationOverride(mode="none", categories=("transactional",)),)
    )
    draft = await attempt(category, moderation=trusted)
    held = draft.status == Status.HELD_MODERATION
    assert ("held" if held else "sent") == TABLE[category][
        "manual moderation, `transactional` overridden".replace("`", "")
    ]


async def test_frequency(world: World, attempt: Try, category: str, tmp_path: Path) -> None:
    settings = StoreSettings(path=str(tmp_path / "aldis.db"), synchronous="NORMAL")
    metrics = Metrics()
    store = SqliteStore(settings, 0, metrics, lambda: NOW, strict=True)
    await store.open(lambda carrier, category: OnUnknown.RESEND, NOW)
    world.contacts = ledger = Contacts(store, metrics, lambda: NOW)
    caps = (FrequencyCap(messages=1, period=Duration(60)),)
    ledger.configure([Account(name="shop", frequency=caps)])
    try:
        await ledger.ready()
        codes = [(await attempt(category, frequency=caps)).code for _ in range(2)]
    finally:
        await ledger.stop()
        await store.close()
    assert [code or "sent" for code in codes] == [
        "sent", TABLE[category]["frequency cap without categories, second message"],
    ]  # fmt: skip
