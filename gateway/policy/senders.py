"""Senders: what shape they have, whether the registry lets them be used, what countries allow.

In: a sender, entries of the registry, rules of countries, the time. Out: whether it may be used,
and if not why, in words for whoever asked. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from config.sender_rules import SenderKind, SenderRule, SenderRules

ANYBODY: Final = "*"
"""The account of entries that hold for all accounts; the carrier of those that hold for all."""

SHORT_CODE: Final = 7
"""Digits of a short code at most: a number with its country code has more (ITU-T E.164), but for
a few islands', which are written with their plus."""

_NUMERIC: Final = re.compile(r"\+?[0-9]{3,15}\Z")
# An alphanumeric address is at most 11 septets. Operators take printable ASCII; the characters
# left out here need an escape in the GSM alphabet or arrive as something else.
_ALPHANUMERIC: Final = re.compile(r"[A-Za-z0-9 !\"#%&'()*+,\-./:;<=>?_]{1,11}\Z")
_LETTER: Final = re.compile(r"[A-Za-z]")

SenderStatus = Literal["pending", "approved", "rejected", "suspended"]
"""pending is what somebody has asked for; the others are what was decided."""


class RegisteredSender(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry of the sender registry: what one operator, or all, said of one sender."""

    sender: str
    """Digits without a plus, or a name as it is written."""
    carrier: str = ANYBODY
    """The `[[carrier]]` it is registered with."""
    status: SenderStatus = "pending"
    valid_from: int | None = None
    """UTC µs."""
    valid_to: int | None = None
    """UTC µs; from then on the entry says nothing."""
    countries: tuple[Annotated[str, Meta(pattern="^[A-Z]{2}$")], ...] = ()
    """ISO 3166 codes it is for; empty for any."""
    note: str = ""


def kind_of(sender: str) -> SenderKind | None:
    """What kind of sender it is (3GPP TS 23.040 §9.1.2.5); None: it can be none."""
    if _NUMERIC.match(sender):
        return "short_code" if sender[0] != "+" and len(sender) <= SHORT_CODE else "numeric"
    if _ALPHANUMERIC.match(sender) and _LETTER.search(sender) and sender == sender.strip():
        return "alphanumeric"
    return None


def complaint(sender: str) -> str:
    """What is wrong with a sender that `kind_of` knows no kind for."""
    if _ALPHANUMERIC.match(sender):
        return "an alphanumeric sender has at least one letter and no space at its ends"
    return (
        f"{len(sender)} characters; a sender is 3 to 15 digits, or 1 to 11 letters, "
        "digits, spaces and common punctuation of ASCII"
    )


def plain(sender: str) -> str:
    """As the registry keeps it: a number without its plus."""
    return sender[1:] if sender.startswith("+") and _NUMERIC.match(sender) else sender


class Senders:
    """The registry at one moment.

    What was decided for one carrier outweighs what was decided for all of them; at the same level
    one no outweighs any number of approvals, whichever account (an own one or `*`) it stands under.
    Entries that are pending, or out of their dates, say nothing.
    """

    __slots__ = ("_entries",)

    def __init__(self, entries: Iterable[tuple[str, RegisteredSender]] = ()) -> None:
        """`entries`: (account, what its registry says)."""
        self._entries: dict[tuple[str, str], list[RegisteredSender]] = {}
        for account, entry in entries:
            self._entries.setdefault((account, plain(entry.sender)), []).append(entry)

    def approved(
        self,
        account: str,
        sender: str,
        now: int,
        carrier: str | None = None,
        country: str | None = None,
        *,
        named: bool = False,
    ) -> bool:
        """Whether the account may use the sender over a carrier (None: over any) towards a
        country (None: any). `named`: only entries that name the country count."""
        found = self._of(account, sender)
        if not found:
            return False
        carriers = {entry.carrier for entry in found} if carrier is None else {carrier}
        return any(_approved(found, now, each, country, named) for each in carriers)

    def why_not(self, account: str, sender: str, now: int) -> str:
        """The registry's word on a sender that is not approved."""
        found = self._of(account, sender)
        for entry in found:
            if entry.status in ("rejected", "suspended"):
                return f"it is {entry.status}"
        for entry in found:
            if entry.status == "pending":
                return "it is pending"
            if entry.valid_to is not None and entry.valid_to <= now:
                return "its registration is over (valid_to)"
            if entry.valid_from is not None and entry.valid_from > now:
                return "its registration has not begun (valid_from)"
        return "it is not approved there" if found else "it has no entry"

    def _of(self, account: str, sender: str) -> Sequence[RegisteredSender]:
        if not self._entries:
            return ()
        name = plain(sender)
        own = self._entries.get((account, name), [])
        return own + self._entries.get((ANYBODY, name), [])


def in_force(valid_from: int | None, valid_to: int | None, now: int) -> bool:
    """Whether a time lies between two dates, either of which may be open."""
    return (valid_from is None or valid_from <= now) and (valid_to is None or now < valid_to)


def _approved(
    entries: Sequence[RegisteredSender], now: int, carrier: str, country: str | None, named: bool
) -> bool:
    for level in (carrier, ANYBODY):
        said = [
            entry.status == "approved"
            for entry in entries
            if entry.carrier == level
            and entry.status != "pending"
            and in_force(entry.valid_from, entry.valid_to, now)
            and _concerns(entry, country, named)
        ]
        if said:
            return all(said)
    return False


def _concerns(entry: RegisteredSender, country: str | None, named: bool) -> bool:
    if country is None or country in entry.countries:
        return True
    # A refusal for every country is one for this country, whether it names it or not.
    return not entry.countries and (not named or entry.status != "approved")


class Forbidden(NamedTuple):
    """A country's rule a sender does not meet."""

    rule: SenderRule
    why: str


class CountryRules:
    """What countries allow; see `config/policy/senders.toml`."""

    __slots__ = ("_cache", "_rules", "date")

    def __init__(self, rules: SenderRules) -> None:
        self._rules = rules.rule
        self.date = rules.date
        self._cache: dict[tuple[str, str], tuple[SenderRule, ...]] = {}

    def of(self, country: str, category: str) -> tuple[SenderRule, ...]:
        """The rules for messages of a category to a country."""
        key = (country, category)
        found = self._cache.get(key)
        if found is None:
            found = self._cache[key] = tuple(
                rule
                for rule in self._rules
                if country in rule.countries
                and (not rule.categories or category in rule.categories)
            )
        return found

    def forbids(self, country: str, category: str, sender: str) -> Forbidden | None:
        """The first rule the sender does not meet."""
        for rule in self.of(country, category):
            why = _breach(rule, sender)
            if why:
                return Forbidden(rule, why)
        return None


def _breach(rule: SenderRule, sender: str) -> str:
    kind = kind_of(sender)
    if kind is not None and kind not in rule.kinds:
        allowed = " or ".join(each.replace("_", " ") for each in rule.kinds)
        return f"{kind.replace('_', ' ')} senders are not taken there, only {allowed} ones"
    if kind == "alphanumeric" and len(sender) > rule.max_alphanumeric:
        return f"{len(sender)} characters; a name has at most {rule.max_alphanumeric} there"
    if kind == "numeric" and rule.not_from and plain(sender).startswith(rule.not_from):
        return f"numbers that begin with +{' or +'.join(rule.not_from)} may not send it"
    return ""


NO_RULES: Final = CountryRules(SenderRules(date="2026-11"))
"""Everything is allowed everywhere."""
