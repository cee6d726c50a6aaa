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
from gateway.policy.misread import readings

LONGEST: Final = 5_000
"""Characters of a text that are looked at; further ones can only tell that a keyword is not the
whole text."""

BEGINNING: Final = 160
"""Characters that are looked at first: nearly all texts have no keyword there, and are done with
after 20 us instead of 150."""

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


class _Kept(dict[int, str]):
    """What is left of a decomposed, case-folded character; filled as they come."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if category[0] in "LN":
            kept = _EXTRA.get(character, character)
        else:  # accents and zero-width: as if not there
            kept = "" if category[0] == "M" or category == "Cf" else " "
        if len(self) < REMEMBERED:
            self[code] = kept
        return kept


REMEMBERED: Final = 5_000
"""Characters whose fate is remembered: the alphabets of a continent. It takes 0.5 MB."""
_EXTRA: Final = {"ı": "i", "ø": "o", "ł": "l", "đ": "d"}
"""Letters with a stroke, or without a dot, that Unicode does not take apart."""
_KEPT: Final = _Kept()


def fold(text: str) -> str:
    """Lower-case words with single spaces between them: without accents, punctuation, quotes,
    emoji and invisible characters; digits for letters only as `0` in a word."""
    if text.isascii():
        plain = text.lower()
    else:
        plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    words = plain.translate(_KEPT).casefold().split()
    if "0" in plain:
        words = [_letters(word) for word in words]
    return " ".join(words)


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

    def find(self, folded: str) -> tuple[Found, str] | None:
        """The keyword, and the words of the text it is."""
        # Without spaces: "s t o p", "S.T.O.P.", "un-subscribe", "OPT-OUT".
        found = self._whole.get(folded.replace(" ", ""))
        if found is not None:
            return found, folded
        words = folded.split(" ", self.longest)
        for count in range(min(self.longest, len(words)), 0, -1):
            first = " ".join(words[:count])
            found = self._first.get(first)
            if found is not None:
                return found, first
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

    def find(self, folded: str, looks: str | None) -> Found | None:
        """`looks` is the skeleton of `folded`, letter by letter; None if that cannot differ."""
        hit = self._exact.find(folded)
        if hit is not None:
            return hit[0]
        hit = None if looks is None else self._looks.find(looks)
        return hit[0] if hit is not None and mixed(folded[: len(hit[1])]) else None


class Vocabulary:
    """The keywords of everybody."""

    __slots__ = ("_mandatory", "_words")

    def __init__(self, file: KeywordFile, mandatory: MandatoryFile) -> None:
        anywhere = frozenset(fold(word) for word in file.anywhere)
        self._words = _Words(file.words, anywhere)
        self._mandatory = [(one.prefixes, _Words([one], anywhere)) for one in mandatory.words]

    def find(self, text: str, number: int | None = None) -> Found | None:
        """The keyword in a text from a phone (E.164 digits; None if it has none)."""
        found = self._find(fold(text[:BEGINNING]), number)
        if found is not None and len(text) > BEGINNING:  # was it the whole text?
            found = self._find(fold(text[:LONGEST]), number)
        if found is None:
            for other in readings(text):
                found = found or self._find(fold(other), number)
        return found

    def _find(self, folded: str, number: int | None) -> Found | None:
        if not folded:
            return None
        looks = None if folded.isascii() else skeleton(folded)
        # The law first: a file that calls CANCEL help does not make it so.
        digits = "" if number is None else str(number)
        for prefixes, words in self._mandatory:
            if digits.startswith(prefixes):
                found = words.find(folded, looks)
                if found is not None:
                    return found
        return self._words.find(folded, looks)
