"""Sender: its shape (3GPP TS 23.040 §9.1.2.5) and whether the account may use it."""

from __future__ import annotations

import re
from typing import Final

from gateway.admission.world import World
from gateway.draft import Ask, Draft
from gateway.errors import Refused

POINTER: Final = "#/from"
_NUMERIC: Final = re.compile(r"\+?[0-9]{3,15}\Z")
# An alphanumeric address is at most 11 septets. Operators take printable ASCII; the characters
# left out here need an escape in the GSM alphabet or arrive as something else.
_ALPHANUMERIC: Final = re.compile(r"[A-Za-z0-9 !\"#%&'()*+,\-./:;<=>?_]{1,11}\Z")
_LETTER: Final = re.compile(r"[A-Za-z]")


def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
    """Refuse the submission unless its sender is well formed and allowed."""
    sender = ask.sender
    if not sender:
        raise Refused(
            "sender_not_allowed",
            "no sender given, and the account has no default_sender",
            POINTER,
        )
    if not _NUMERIC.match(sender):
        if not _ALPHANUMERIC.match(sender):
            raise Refused(
                "sender_not_allowed",
                f"{len(sender)} characters; a sender is 3 to 15 digits, or 1 to 11 letters, "
                "digits, spaces and common punctuation of ASCII",
                POINTER,
            )
        if not _LETTER.search(sender) or sender != sender.strip():
            raise Refused(
                "sender_not_allowed",
                "an alphanumeric sender has at least one letter and no space at its ends",
                POINTER,
            )
    allowed = ask.account.senders
    if "*" not in allowed and sender not in allowed and sender.lstrip("+") not in allowed:
        raise Refused("sender_not_allowed", "the account may not use this sender", POINTER)
    return drafts
