"""Keywords of everybody: what a reply means, whatever it looks like.

In: the words of `config/policy/*keywords.toml`, and texts. Out: STOP, HELP, START or YES with the
word that said so and its language; nothing for any other text. Pure; knows no account, number or
answer.

A word counts as the whole text or as its first word ("STOP, please"; "stop by the shop tomorrow"
too: an opt-out too many is told to the recipient and taken back with one word, one that was missed
is a fine and a complaint). Words that begin everyday sentences count as the whole text only.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from hashlib import blake2b
from typing import Final, NamedTuple

from config.keyword_files import KeywordFile, MandatoryFile, Words

LONGEST: Final = 640
"""Characters of a text that are looked at: four parts. A keyword stands in the first line."""

_LOOK_ALIKES: Final = str.maketrans(
    # Letters of other alphabets whose capital or small form looks like a Latin one, lower case:
    # Unicode's confusables.txt (UTS #39), as far as the letters of the keywords go. What reaches
    # this table has been case-folded.
    {
        "а": "a", "в": "b", "с": "c", "ԁ": "d", "е": "e", "ғ": "f", "һ": "h", "н": "h", "і": "i",
        "ј": "j", "к": "k", "ӏ": "l", "м": "m", "о": "o", "р": "p", "ԛ": "q", "ѕ": "s", "т": "t",
        "у": "y", "ү": "y", "ѵ": "v", "ԝ": "w", "х": "x", "ъ": "b", "ь": "b",
        "α": "a", "β": "b", "ε": "e", "ζ": "z", "η": "h", "ι": "i", "κ": "k", "μ": "m", "ν": "n",
        "ο": "o", "ρ": "p", "τ": "t", "υ": "y", "χ": "x", "ϲ": "c", "σ": "s", "γ": "y",
    }
)  # fmt: skip

_EXTRA: Final = str.maketrans({"ı": "i", "ø": "o", "ł": "l", "đ": "d"})
"""Letters with a stroke, or without a dot, that Unicode does not take apart."""

_SCRIPTS: Final = ("LATIN", "CYRILLIC", "GREEK")


class Kind(StrEnum):
    """What a keyword means."""

    STOP = "stop"
    HELP = "help"
    START = "start"
    YES = "yes"
    JOIN = "join"
    """The account's own words of subscription."""
    RULE = "rule"
    """A rule of the account's own."""


class Found(NamedTuple):
    """A keyword in a text."""

    kind: Kind
    word: str
    """As its file spells it."""
    language: str | None
    """ISO 639-1; None if the word does not tell."""


def fold(text: str) -> str:
    """Lower-case words with single spaces between them: without accents, punctuation, quotes,
    emoji and invisible characters; digits for letters only as `0` in a word."""
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    kept: list[str] = []
    for character in decomposed:
        category = unicodedata.category(character)
        if category[0] in "LN":
            kept.append(character)
        elif category[0] != "M" and category != "Cf":  # accents and zero-width: as if not there
            kept.append(" ")
    words = "".join(kept).translate(_EXTRA).casefold().split()
    return " ".join([_letters(word) for word in words])


def _letters(word: str) -> str:
    if "0" in word and not word.isdecimal():
        return word.replace("0", "o")
    return word


def digest(text: str) -> bytes:
    """What tells two texts apart that a person would (8 octets)."""
    return blake2b(fold(text).encode(), digest_size=8).digest()


def skeleton(folded: str) -> str:
    """What a folded text looks like, in Latin letters where there is one that looks the same."""
    return folded.translate(_LOOK_ALIKES)


def mixed(folded: str) -> bool:
    """Whether it has letters of several alphabets: only then some are others in disguise. (Dutch
    `HET` looks like Russian `НЕТ`, and neither means the other.)"""
    scripts: set[str] = set()
    for character in folded:
        if character.isalpha():
            name = unicodedata.name(character, "")
            scripts.update(script for script in _SCRIPTS if name.startswith(script))
    return len(scripts) > 1


class _Index:
    """Words under what they fold to."""

    __slots__ = ("_first", "_whole", "longest")

    def __init__(self) -> None:
        self._first: dict[str, Found] = {}
        self._whole: dict[str, Found] = {}
        self.longest = 1
        """Words of the longest keyword (OPT OUT)."""

    def add(self, folded: str, found: Found, whole: bool) -> None:
        self._whole.setdefault(folded.replace(" ", ""), found)
        if not whole:
            self._first.setdefault(folded, found)
            self.longest = max(self.longest, folded.count(" ") + 1)

    def find(self, folded: str) -> Found | None:
        # Without spaces: "s t o p", "S.T.O.P.", "un-subscribe", "OPT-OUT".
        found = self._whole.get(folded.replace(" ", ""))
        if found is not None:
            return found
        words = folded.split(" ", self.longest)
        for count in range(min(self.longest, len(words)), 0, -1):
            found = self._first.get(" ".join(words[:count]))
            if found is not None:
                return found
        return None


class _Words:
    """Some words, exactly and by their looks."""

    __slots__ = ("_exact", "_looks")

    def __init__(self, lists: Iterable[Words], anywhere: frozenset[str]) -> None:
        self._exact = _Index()
        self._looks = _Index()
        lists = list(lists)
        languages: dict[str, set[str]] = {}
        for one in lists:
            for word in (*one.words, *one.whole):
                languages.setdefault(fold(word), set()).add(one.language)
        for one in lists:
            for words, whole in ((one.words, False), (one.whole, True)):
                for word in words:
                    folded = fold(word)
                    tells = folded not in anywhere and len(languages[folded]) == 1
                    found = Found(Kind(one.kind), word, one.language if tells else None)
                    self._exact.add(folded, found, whole)
                    self._looks.add(skeleton(folded), found, whole)

    def find(self, folded: str, disguised: str | None) -> Found | None:
        found = self._exact.find(folded)
        if found is None and disguised is not None:
            found = self._looks.find(disguised)
        return found


class Vocabulary:
    """The keywords of everybody."""

    __slots__ = ("_mandatory", "_words")

    def __init__(self, file: KeywordFile, mandatory: MandatoryFile) -> None:
        anywhere = frozenset(fold(word) for word in file.anywhere)
        self._words = _Words(file.words, anywhere)
        self._mandatory = [(one.prefixes, _Words([one], anywhere)) for one in mandatory.words]

    def find(self, text: str, number: int | None = None) -> Found | None:
        """The keyword in a text from a phone (E.164 digits; None if it has none)."""
        folded = fold(text[:LONGEST])
        if not folded:
            return None
        disguised = skeleton(folded) if mixed(folded) else None
        # The law first: a file that calls CANCEL help does not make it so.
        digits = "" if number is None else str(number)
        for prefixes, words in self._mandatory:
            if digits.startswith(prefixes):
                found = words.find(folded, disguised)
                if found is not None:
                    return found
        return self._words.find(folded, disguised)
