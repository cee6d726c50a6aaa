"""Checks of policy that concern several settings or a file of rules.

In: settings whose single values are right. Out: (path, sentence) for each problem. Reads the files
the settings name; what is wrong in them is told with their own line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from config import keyword_references
from config import settings as s
from config.hours import read_quiet_hours, read_zones
from config.keyword_files import read_keywords
from config.policy_files import PolicyFileError, stop_list_path
from config.rates_references import check_rates
from config.sender_rules import read_sender_rules

Problem = tuple[str, str]


def check_policy(found: s.Settings) -> Iterator[Problem]:
    """Everything wrong with rules and with which of them apply."""
    yield from _file("policy.quiet_hours", read_quiet_hours, found.policy.quiet_hours)
    yield from _file("policy.zones", read_zones, found.policy.zones)
    yield from _file("policy.senders", read_sender_rules, found.policy.senders)
    for place, account in enumerate(found.account):
        yield from _senders(f"account[{place}]", account)
    for place, carrier in enumerate(found.carrier):
        yield from _templates(f"carrier[{place}]", carrier)
    yield from _kept(found)
    for name in found.policy.stopwords:
        path = stop_list_path(name)
        if not path.is_file():
            shipped = ", ".join(sorted(file.stem for file in stop_list_path("x").parent.iterdir()))
            yield (
                "policy.stopwords",
                f"{path}: no such stop-word list; shipped are {shipped}, anything with a slash is "
                "a path",
            )
    yield from _file("policy.keywords", read_keywords, found.policy.keywords)
    yield from keyword_references.check(found)
    yield from check_rates(found)


def _file(path: str, read: Callable[[str], Any], name: str) -> Iterator[Problem]:
    try:
        read(name)
    except PolicyFileError as error:
        for problem in error.problems:
            yield path, problem


def _senders(path: str, account: s.Account) -> Iterator[Problem]:
    default = account.default_sender
    if account.foreign_sender == "force" and default is None:
        yield (
            f"{path}.foreign_sender",
            'foreign_sender = "force" puts default_sender in place; set default_sender',
        )
    listed = account.senders
    if default is not None and not {"*", default, default.lstrip("+")} & {*listed}:
        yield (
            f"{path}.default_sender",
            "default_sender is not among `senders`: it would be refused; add it there",
        )


def _templates(path: str, carrier: s.Carrier) -> Iterator[Problem]:
    if carrier.template_fallback == "advertising" and "advertising" in carrier.templates_required:
        yield (
            f"{path}.template_fallback",
            'advertising needs templates here, so it is no way out; write "reject", or take '
            "advertising out of templates_required",
        )


def _kept(found: s.Settings) -> Iterator[Problem]:
    """An account cannot keep what the store has thrown away."""
    store = found.store
    for index, account in enumerate(found.account):
        for name, own, most in (
            ("keep_text", account.keep_text, store.keep_text),
            ("keep_messages", account.keep_messages, store.keep_messages),
        ):
            if own is not None and own > most:
                yield (
                    f"account[{index}].{name}",
                    f"{own / 86_400:g} days, but the store keeps them {most / 86_400:g}; raise "
                    f"[store] {name} or lower this",
                )
