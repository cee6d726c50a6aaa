"""The shape of the keyword files: words of everybody, and the answers that are shipped.

In: a name as `[policy] keywords` has it. Out: its words and answers, and the words that hold
whatever it says. Knows nothing of texts and replies.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Literal

from msgspec import Meta

from config.base import Section
from config.policy_files import read_policy

MANDATORY: Final = "mandatory_keywords"
"""The shipped file no configuration replaces."""

WordKind = Literal["stop", "help", "start", "yes"]
Language = Annotated[str, Meta(pattern=r"^[a-z]{2}$")]
Sentence = Annotated[str, Meta(min_length=1, max_length=459)]
"""Three parts at most: a confirmation is no letter."""


class Words(Section, frozen=True):
    """Words of one meaning in one language."""

    kind: WordKind
    """What they mean."""
    language: Language
    """ISO 639-1 code."""
    words: tuple[str, ...] = ()
    """Count as the whole text or as its first word."""
    whole: tuple[str, ...] = ()
    """Count as the whole text only: everyday sentences begin with them."""


class Answers(Section, frozen=True):
    """What is answered in one language; `{brand}` is who writes."""

    stop: Sentence
    """Confirms a STOP."""
    help: Sentence
    """Answers HELP."""
    start: Sentence
    """Confirms a START."""
    confirm: Sentence
    """Asks whether a subscription is meant (double opt-in)."""


class KeywordFile(Section, frozen=True):
    """`[policy] keywords`."""

    date: date
    """When it was last checked against its source."""
    source: str
    """What it follows."""
    words: tuple[Words, ...]
    """Keywords by meaning and language."""
    answers: dict[Language, Answers]
    """Answers by language; English must be there, others fall back to it."""
    anywhere: tuple[str, ...] = ()
    """Words that do not tell which language their sender speaks."""


class Mandatory(Words, frozen=True, kw_only=True):
    """Words that count by law."""

    prefixes: tuple[Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,14}$")], ...]
    """Numbers it holds for: E.164 prefixes without `+`."""
    law: str
    """Where it stands, and since when."""


class MandatoryFile(Section, frozen=True):
    """`mandatory_keywords.toml`."""

    date: date
    """When it was last checked against its sources."""
    source: str
    """What it follows."""
    words: tuple[Mandatory, ...]
    """Keywords by law."""


def read_keywords(name: str) -> KeywordFile:
    """A file of keywords; raises `PolicyFileError`."""
    file = read_policy(name, KeywordFile)
    if "en" not in file.content.answers:
        file.complain("answers", "there are none in English (`en`), which others fall back to")
    if not any(one.kind == "stop" and (one.words or one.whole) for one in file.content.words):
        file.complain("words", "none is of kind `stop`; recipients must have a way out")
    return file.checked()


def read_mandatory() -> MandatoryFile:
    """The words that count by law."""
    return read_policy(MANDATORY, MandatoryFile).checked()
