"""Senders: the registry's precedence, countries' rules, and the carriers a message is kept from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from config.sender_rules import read_sender_rules
from config.settings import Carrier, Route
from gateway.admission import Checks
from gateway.admission.world import World
from gateway.draft import Ask
from gateway.errors import Refused
from gateway.model import Category
from gateway.policy.senders import CountryRules, RegisteredSender, Senders, kind_of
from gateway.routing import RoutingTable
from tests.admission.conftest import NOW, drafts

MakeAsk = Callable[..., Ask]
RU, US, FR, IN, SG = "+79161234567", "+12025550123", "+33612345678", "+919876543210", "+6581234567"


def entry(**fields: Any) -> tuple[str, RegisteredSender]:
    account = fields.pop("account", "shop")
    return account, RegisteredSender(**{"sender": "ACME", "status": "approved", **fields})


@pytest.mark.parametrize(
    ("sender", "kind"),
    [
        ("ACME", "alphanumeric"), ("A1", "alphanumeric"), ("12345", "short_code"),
        ("1234567", "short_code"), ("+1234567", "numeric"), ("12345678", "numeric"),
        ("123456789012345", "numeric"), ("1234567890123456", None), ("12", None), ("Банк", None),
    ],
)  # fmt: skip
def test_kinds(sender: str, kind: str | None) -> None:
    assert kind_of(sender) == kind


@pytest.mark.parametrize(
    ("entries", "approved"),
    [
        ([], False),
        ([entry()], True),
        ([entry(carrier="op1")], True),
        ([entry(carrier="op2")], False),
        ([entry(), entry(carrier="op1", status="suspended")], False),
        ([entry(status="rejected"), entry(carrier="op1")], True),
        ([entry(), entry(account="*", status="suspended")], False),
        ([entry(account="*")], True),
        ([entry(account="other")], False),
        ([entry(), entry(carrier="op1", status="pending")], True),
        ([entry(), entry(carrier="op1", status="rejected", valid_to=NOW)], True),
        ([entry(valid_from=NOW)], True),
        ([entry(valid_from=NOW + 1)], False),
        ([entry(countries=("RU",))], True),
        ([entry(countries=("FR",))], False),
        ([entry(), entry(countries=("RU",), status="suspended")], False),
        ([entry(), entry(countries=("FR",), status="suspended")], True),
    ],
)
def test_what_decides(entries: list[tuple[str, RegisteredSender]], approved: bool) -> None:
    assert Senders(entries).approved("shop", "ACME", NOW, "op1", "RU") is approved


def test_a_number_is_the_same_with_and_without_its_plus() -> None:
    senders = Senders([entry(sender="33612345678")])
    assert senders.approved("shop", "+33612345678", NOW)
    assert not senders.approved("shop", "acme", NOW)


@pytest.fixture
def ruled(world: World) -> World:
    world.sender_rules = CountryRules(read_sender_rules("senders"))
    return world


async def test_each_recipient_is_held_to_its_own_country(ruled: World, ask: MakeAsk) -> None:
    given = drafts(US, RU, "+14165550123")
    passed = await Checks(ruled).admit(ask(sender="KESTREL"), given)
    assert [draft.to for draft in passed] == [RU]
    assert [draft.code for draft in given] == ["sender_not_allowed", None, "sender_not_allowed"]
    assert given[0].pointer == "#/from"
    assert given[0].detail.startswith("US: alphanumeric senders are not taken there")
    assert "10DLC" in given[0].detail
    numbers = ask(sender="12025550199")
    assert len(await Checks(ruled).admit(numbers, drafts(US, RU))) == 2


@pytest.mark.parametrize(
    ("to", "sender", "category", "code"),
    [
        (IN, "KESTREL", "service", "sender_not_allowed"),
        (IN, "KESTRL", "service", None),
        (FR, "33612345679", "advertising", "sender_not_allowed"),
        (FR, "33612345679", "service", None),
        (FR, "36123", "advertising", None),
        (SG, "KESTREL", "service", None),
    ],
)
async def test_rules(
    ruled: World, ask: MakeAsk, to: str, sender: str, category: Any, code: str | None
) -> None:
    (draft,) = given = drafts(to)
    await Checks(ruled).admit(ask(sender=sender, category=Category(category)), given)
    assert draft.code == code


async def test_where_names_are_registered_a_careful_account_needs_the_country_named(
    ruled: World, ask: MakeAsk
) -> None:
    account = {"senders_registered": True}
    ruled.registered.senders = Senders([entry()])
    given = drafts(SG, FR)
    await Checks(ruled).admit(ask(account=account), given)
    assert [draft.code for draft in given] == ["sender_not_allowed", None]
    assert "SSIR" not in given[0].detail and "add the country" in given[0].detail
    ruled.registered.senders = Senders([entry(countries=("SG",))])
    given = drafts(SG, FR)
    await Checks(ruled).admit(ask(account=account), given)
    assert [draft.code for draft in given] == [None, "sender_not_allowed"]


async def test_what_is_advice_is_shown_to_whoever_asks(ruled: World, ask: MakeAsk) -> None:
    (draft,) = given = drafts(SG)
    draft.notes = []
    await Checks(ruled).admit(ask(), given)
    assert any("not enforced" in note.rule and "SSIR" in note.source for note in draft.notes)


def demanding(world: World) -> None:
    world.routing = RoutingTable(
        [Route(name="main", carriers=("op1", "op2"))],
        [Carrier(name="op1", senders_registered=True), Carrier(name="op2")],
    )


async def test_a_message_is_kept_from_carriers_that_do_not_know_its_sender(
    world: World, ask: MakeAsk
) -> None:
    demanding(world)
    (draft,) = await Checks(world).admit(ask(), drafts(RU))
    assert draft.lane == "main/service/!op1"
    world.registered.senders = Senders([entry(carrier="op1", countries=("RU",))])
    passed = await Checks(world).admit(ask(), drafts(RU, FR))
    assert [draft.lane for draft in passed] == ["main/service", "main/service/!op1"]


async def test_without_demands_no_lane_changes(world: World, ask: MakeAsk) -> None:
    (draft,) = await Checks(world).admit(ask(), drafts(RU))
    assert (draft.lane, dict(draft.without)) == ("main/service", {})


async def test_a_forced_sender_is_named_for_whoever_asks(world: World, ask: MakeAsk) -> None:
    account = {"senders": ("SHOP",), "default_sender": "SHOP", "foreign_sender": "force"}
    (draft,) = given = drafts(RU)
    draft.notes = []
    request = ask(account=account)
    await Checks(world).admit(request, given)
    assert request.sender == "SHOP"
    assert "default_sender" in draft.notes[0].rule
    account["foreign_sender"] = "reject"
    with pytest.raises(Refused):
        await Checks(world).admit(ask(account=account), drafts(RU))
