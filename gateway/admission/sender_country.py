"""Sender and country: what the recipient's country allows, and which carriers may carry it there.

Decided once for each country of the list.
"""

from __future__ import annotations

from collections.abc import Mapping

from config.sender_rules import SenderRule
from gateway.admission.world import World, standing
from gateway.draft import Ask, Draft
from gateway.policy.senders import kind_of


def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
    """Refuse recipients in countries that do not allow the sender; keep from carriers with
    `senders_registered` (`draft.without`) what is not registered with them."""
    refused: dict[str, tuple[str, str]] = {}
    barred: dict[str, Mapping[str, str]] = {}
    carriers = world.routing.senders_registered
    for country in {draft.country for draft in drafts}:
        if country is not None:
            why, source = _forbidden(ask, country, world)
            if why:
                refused[country] = (f"{country}: {why}", source)
        if carriers:
            barred[country or ""] = _barred(ask, country, carriers, world)
    if not refused and not any(barred.values()):
        _advise(ask, drafts, world)
        return drafts
    for draft in drafts:
        country = draft.country or ""
        found = refused.get(country)
        if found is not None:
            draft.refuse("sender_not_allowed", found[0], "#/from")
            draft.note(*found)
        elif barred.get(country):
            without = barred[country]
            draft.without = {**draft.without, **without} if draft.without else without
            if draft.notes is not None:
                names = ", ".join(without)
                draft.note(
                    f"the sender is not registered with {names}", "carrier.senders_registered"
                )
    _advise(ask, drafts, world)
    return standing(drafts)


def _forbidden(ask: Ask, country: str, world: World) -> tuple[str, str]:
    """(why, source) if the country does not allow it; else two empty strings."""
    sender, category = ask.sender or "", ask.category.value
    found = world.sender_rules.forbids(country, category, sender)
    if found is not None:
        rule = found.rule
        return f"{found.why}; {rule.remedy}", f"{rule.source}, {rule.date}"
    account = ask.account
    if not account.senders_registered or ask.answer:  # people have just written to it
        return "", ""
    named = next(iter(_registered(ask, country, world)), None)
    registry = world.registered.senders
    if registry.approved(account.name, sender, ask.now, country=country, named=named is not None):
        return "", ""
    if named is None:
        return "the sender is not registered for it (/v1/senders)", "account.senders_registered"
    why = f"names are registered there; {named.remedy}, and add the country to its entry"
    return f"{why} (/v1/senders)", f"{named.source}, {named.date}"


def _registered(ask: Ask, country: str, world: World) -> list[SenderRule]:
    """The country's rules that want the sender registered there."""
    if kind_of(ask.sender or "") != "alphanumeric":
        return []
    rules = world.sender_rules.of(country, ask.category.value)
    return [rule for rule in rules if rule.registered]


def _barred(
    ask: Ask, country: str | None, carriers: frozenset[str], world: World
) -> Mapping[str, str]:
    registry, account, sender = world.registered.senders, ask.account.name, ask.sender or ""
    return {
        carrier: "sender_not_allowed"
        for carrier in sorted(carriers)
        if not registry.approved(account, sender, ask.now, carrier, country)
    }


def _advise(ask: Ask, drafts: list[Draft], world: World) -> None:
    """Tell who asked that a country wants what is not enforced."""
    if ask.account.senders_registered:
        return
    for draft in drafts:
        if draft.notes is not None and draft.country is not None and draft.code is None:
            for rule in _registered(ask, draft.country, world):
                draft.note(
                    f"{draft.country} wants names registered: {rule.remedy} (not enforced: the "
                    "account has no senders_registered)",
                    f"{rule.source}, {rule.date}",
                )
