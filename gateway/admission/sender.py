"""Sender: its shape, and whether the account may use it; or which one takes its place."""

from __future__ import annotations

from typing import Final

from gateway.admission.world import World
from gateway.draft import Ask, Draft
from gateway.errors import Refused
from gateway.policy.senders import complaint, kind_of

POINTER: Final = "#/from"


def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
    """Refuse the submission unless its sender is well formed and allowed.

    Where the account has `foreign_sender = "force"`, one it may not use gives way to its
    `default_sender`; a malformed one is a mistake and refused all the same.
    """
    sender = ask.sender
    if not sender:
        raise Refused(
            "sender_not_allowed",
            "no sender given, and the account has no default_sender",
            POINTER,
        )
    if kind_of(sender) is None:
        raise Refused("sender_not_allowed", complaint(sender), POINTER)
    why = _why_not(ask, sender, world)
    if not why:
        return drafts
    default = ask.account.default_sender
    if ask.account.foreign_sender != "force" or default is None or default == sender:
        raise Refused("sender_not_allowed", why, POINTER)
    why_default = _why_not(ask, default, world) if kind_of(default) else complaint(default)
    if why_default:
        raise Refused(
            "sender_not_allowed", f"{why}; nor its default_sender: {why_default}", POINTER
        )
    ask.sender = default
    for draft in drafts:
        draft.note(f"default_sender takes the sender's place: {why}", "account.foreign_sender")
    return drafts


def _why_not(ask: Ask, sender: str, world: World) -> str:
    account = ask.account
    allowed = account.senders
    if "*" not in allowed and sender not in allowed and sender.lstrip("+") not in allowed:
        return "the account may not use this sender"
    if account.senders_registered:
        registry = world.registered.senders
        if not registry.approved(account.name, sender, ask.now):
            said = registry.why_not(account.name, sender, ask.now)
            return f"the account needs a registered sender: {said} (/v1/senders)"
    return ""
