"""What countries allow as sender: the shape of `config/policy/senders.toml`.

In: the file a setting names. Out: its rules as values. Which sender they allow is decided in
`gateway.policy.senders`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from config.base import CategoryName, Section
from config.policy_files import read_policy

SenderKind = Literal["alphanumeric", "numeric", "short_code"]
CountryCode = Annotated[str, Meta(pattern="^[A-Z]{2}$")]


class SenderRule(Section, frozen=True, kw_only=True):
    """One rule of a country. All that fit a message must hold."""

    countries: Annotated[tuple[CountryCode, ...], Meta(min_length=1)]
    """ISO 3166 codes it is for."""
    categories: tuple[CategoryName, ...] = ()
    """Categories it is for; empty for all."""
    kinds: tuple[SenderKind, ...] = ("alphanumeric", "numeric", "short_code")
    """Kinds of sender allowed."""
    max_alphanumeric: Annotated[int, Meta(ge=1, le=11)] = 11
    """Most characters of a name."""
    not_from: tuple[Annotated[str, Meta(pattern="^[0-9]{1,15}$")], ...] = ()
    """Prefixes (E.164 digits) of numbers that may not send."""
    registered: bool = False
    """Whether names must be registered in the country: an account with `senders_registered` then
    needs an entry of the registry that names the country; for others the rule is advice, shown when
    a message is explained."""
    remedy: str
    """What to do instead: completes the refusal."""
    source: str
    """Where the rule stands."""
    date: Annotated[str, Meta(pattern="^[0-9]{4}-[0-9]{2}(-[0-9]{2})?$")]
    """When it was last looked at, or since when it holds."""


class SenderRules(Section, frozen=True, kw_only=True):
    """The file."""

    date: Annotated[str, Meta(pattern="^[0-9]{4}-[0-9]{2}(-[0-9]{2})?$")]
    """When the file was last gone through."""
    rule: tuple[SenderRule, ...] = ()
    """Its rules."""


def read_sender_rules(name: str) -> SenderRules:
    """The rules of a file; raises `PolicyFileError`."""
    return read_policy(name, SenderRules).checked()
