"""What replies mean, between who reads them and the store that acts on it.

In: a reply as it became whole. Out: its meanings, one of which the store chooses by what it knows
of the number, and what it did. All of it happens in the transaction that stores the reply: an
operator repeats no deliver_sm that was answered, so a STOP that is read later may be read never.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from gateway.policy.keywords import Kind
from gateway.store.messages import InboundMessage, Keyword

HOUR: Final = 3600 * 1_000_000
DAY: Final = 24 * HOUR

CONFIRMED_FOR: Final = DAY
"""One confirmation of a STOP per number and sender in this time, µs (policy: 24 h)."""
ASKED_FOR: Final = DAY
"""How long a YES to the question of a double opt-in counts, µs."""
TALKED_FOR: Final = HOUR
"""The time in which a number and sender get at most `Meaning.most` answers, µs."""


NO_NUMBER: Final = "no_number"
"""Why nothing is answered to a name."""


class Meaning(msgspec.Struct, frozen=True):
    """One thing a reply may mean."""

    kind: Kind
    keyword: Keyword
    """What the events say."""
    answer: str | None = None
    """What is answered; None: nothing."""
    silent: str | None = None
    """Why nothing may be answered (`own_sender`, `short_code` ...)."""
    most: int = 5
    """Answers to this number from this sender in `TALKED_FOR`; a STOP's own limit is
    `CONFIRMED_FOR`."""
    digest: bytes = b""
    """`keywords.digest` of the reply: one that says what we answered last is no reply."""
    question: bool = False
    """JOIN: whether a YES has to follow."""
    wording: str = ""
    """JOIN: what the person agrees to."""
    brands: tuple[str, ...] = ()
    """JOIN: brands the consent is for, beside the number the reply came to."""
    webhook: bool = False
    """RULE: whether it is an event `keyword.matched`."""


class Meanings(msgspec.Struct, frozen=True):
    """What a reply means, by what is known of its number."""

    plain: Meaning | None = None
    """In any other case."""
    asked: Meaning | None = None
    """If the number was asked to confirm a subscription to this sender lately (kind JOIN)."""
    refusing: Meaning | None = None
    """If the number refuses this sender (kind START)."""


Hear = Callable[[InboundMessage, "str | None"], "Meanings | None"]
"""The meanings of a reply, given the alphanumeric sender it may be meant for: names cannot receive,
so who wants no more of them answers from a number. None: it is no keyword. Called on the store's
thread; must not depend on anything but its arguments and what was configured."""
