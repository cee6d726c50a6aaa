"""What registries of senders and templates have in common: whose entry, who may decide.

In: calls. Out: entries found, put, deleted. Whoever may write can ask (`pending`), see and withdraw
what is its own; what operators decided is put on record by keys with the scope `admin`, for any
account. Every change is in the trail, and in force when it is answered.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from gateway.ingress.http.call import Call, not_found
from gateway.ingress.http.problem import Problem, field_problem, parameter_problem
from gateway.store.registry import EVERYBODY, Entry, Kind

ADMIN: Final = "admin"
MOST: Final = 5_000
"""Entries of one kind an account may have: registries are read as a whole, and few people have
more names or texts than this."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\Z")


def is_admin(call: Call) -> bool:
    """Whether the caller may decide."""
    return ADMIN in call.identity.scopes


def whose(call: Call, query: dict[str, str]) -> str:
    """The account meant: the caller's, or for an admin the one `account` names (`*`: all)."""
    account = query.get("account")
    if account is None or account == call.account.name:
        return call.account.name
    if not is_admin(call):
        raise Problem("missing_scope", f"another account's takes the scope `{ADMIN}`")
    if account != EVERYBODY and account not in call.service.keyring.accounts:
        raise parameter_problem("account", "`account`: there is no such account configured")
    return account


async def seen(call: Call, kind: Kind, query: dict[str, str]) -> list[Entry]:
    """Entries the caller may see, by account and name: its own and those for all; of an admin who
    names no account, everybody's."""
    if is_admin(call) and "account" not in query:
        return await call.service.store.entries(kind)
    account = whose(call, query)
    found = await call.service.store.entries(kind, EVERYBODY)
    if account != EVERYBODY:
        found += await call.service.store.entries(kind, account)
    return found


async def own(call: Call, kind: Kind, account: str) -> tuple[str, Entry | None, list[Entry]]:
    """The name in the path, what stands under it, and all of the account's."""
    name = call.item
    if not _NAME.match(name):
        raise Problem(
            "invalid_parameter",
            "the name in the path is 1 to 63 letters, digits, dots, dashes and underscores of "
            "ASCII, a letter or digit first",
        )
    found = await call.service.store.entries(kind, account)
    return name, next((entry for entry in found if entry.name == name), None), found


async def one(call: Call, kind: Kind, account: str) -> Entry:
    """The entry the path names, the account's or one for all."""
    for owner in dict.fromkeys((account, EVERYBODY)):
        _, entry, _ = await own(call, kind, owner)
        if entry is not None:
            return entry
    raise not_found(kind.value)


async def put(
    call: Call, kind: Kind, account: str, name: str, doc: msgspec.Struct, others: list[Entry]
) -> Entry:
    """Put an entry on record."""
    if len(others) >= MOST and all(entry.name != name for entry in others):
        raise Problem("wrong_state", f"the account has {MOST} already; delete what is not used")
    built: dict[str, Any] = msgspec.to_builtins(doc)
    entry = Entry(kind, account, name, built, updated=call.now, actor=call.actor)
    (stored,) = await call.service.store.put_entries([entry])
    await call.service.registries.settled()
    return stored


async def remove(call: Call, kind: Kind, account: str, name: str) -> None:
    """Take an entry away."""
    gone = await call.service.store.delete_entry(kind, account, name, call.actor, call.now)
    if gone is None:
        raise not_found(kind.value)
    await call.service.registries.settled()


def refuse_decided(before: str | None, verb: str) -> None:
    """409 for callers who would undo a decision that is not theirs."""
    if before is not None:
        raise Problem(
            "wrong_state", f"it is `{before}`: to {verb} it takes a key with the scope `{ADMIN}`"
        )


def refuse_deciding(pointer: str) -> None:
    """403 for callers who would decide."""
    raise Problem(
        "missing_scope",
        f"to decide takes the scope `{ADMIN}`; without it write `pending`, or nothing",
        [field_problem("missing_scope", pointer, "only `pending`").errors[0]],
    )


def check_carrier(call: Call, carrier: str, pointer: str) -> None:
    """422 for carriers that are not configured."""
    known = [one.name for one in call.service.carriers()]
    if carrier != "*" and carrier not in known:
        raise field_problem(
            "invalid_value", pointer, "there is no such carrier configured; `*` is all of them"
        )


def check_dates(valid_from: int | None, valid_to: int | None) -> None:
    """422 for dates in the wrong order."""
    if valid_from is not None and valid_to is not None and valid_to <= valid_from:
        raise field_problem("invalid_value", "#/valid_to", "`valid_to` is not after `valid_from`")
