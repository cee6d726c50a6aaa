"""What the API answers about stop-words.

In: nothing. Out: types.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

import msgspec
from msgspec import field

from gateway.policy.stopwords.lists import OnMatch, WordClass

Outcome = Literal["pass", "hold", "reject"]
Where = Literal["text", "from"]


class StopClassOut(msgspec.Struct):
    """A class of a list, in figures."""

    name: str
    entries: int
    exceptions: int
    as_of: date | None
    source: str


class StopListOut(msgspec.Struct):
    """A list, without its entries."""

    name: str
    account: str
    """`*`: for all accounts."""
    origin: Literal["file", "api"]
    language: str
    about: str
    version: str
    on_match: OnMatch
    entries: int
    applies: bool
    """Whether texts of the account are held to it (`[account.moderation] lists`)."""
    classes: list[StopClassOut]


class StopLists(msgspec.Struct):
    """The lists in force."""

    data: list[StopListOut]


class StopListWhole(msgspec.Struct):
    """A list with its entries; all but the first four can be put again."""

    name: str
    account: str
    origin: Literal["file", "api"]
    version: str
    language: str
    about: str
    on_match: OnMatch
    classes: list[WordClass]


class StopListStored(msgspec.Struct):
    """A list that is on disk and in force."""

    name: str
    account: str
    version: int
    entries: int
    updated_at: datetime


class StopWordFound(msgspec.Struct):
    """An entry that was found."""

    list: str
    cls: str = field(name="class")
    entry: str
    where: Where
    on_match: OnMatch


class StopWordsFound(msgspec.Struct):
    """What a text and a sender have, and what becomes of a message in mode `automatic`, if no
    moderator has decided about its text."""

    outcome: Outcome
    data: list[StopWordFound]
