"""Many lists, one pass over a text: which of their entries it has.

In: lists. Out: a `Matcher`, whose `find` gives the hits of a text. An automaton finds entries among
the letters of the text run together; what it finds is then held to the rules of words, because
run-together letters make words nobody wrote:

- an entry begins and ends where a word does, a stem only begins there; digits and signs end words;
- white space within a word is allowed if every letter of it stands alone (`к р е д и т`), any other
  separator always (`кре-дит`, `кре.дит`); `скреди тебе` is no `кредит`;
- digits are letters where they are few among letters (`CASlN0`, `ка3ино`): `60г`, `10:30` are not;
- a word of fewer than five letters that touches further digits is a code (`A3LSD9`);
- a word written wholly in another alphabet is a word of another language that looks alike (`рот` is
  no `pot`), unless the text around it is in the entry's own.

Pure. Building takes 5 us an entry; use a thread for long lists.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any, Final

import ahocorasick
import msgspec

from gateway.policy.stopwords.entries import Pattern
from gateway.policy.stopwords.folding import (
    DIGITS,
    GAPS,
    SPACE,
    SYMBOLS,
    fold,
    letters,
    places,
    scripts,
)
from gateway.policy.stopwords.lists import StopList

REMEMBERED: Final = 8_192
"""Texts whose hits are kept: as many as admission remembers the parts of (`encode.measure`)."""
LONGEST: Final = 1_000
"""Characters of texts whose hits are kept: texts longer than 6 parts are few, and 8,192 of the
longest would be 600 MB."""
_CODE: Final = 5
"""Letters from which a word that touches digits is a word: `casino777`, but not `A3LSD9`."""
_NUMERIC: Final = DIGITS + SYMBOLS
_EDGE: Final = GAPS[0] + DIGITS
"""What a word may begin after and end before."""
_UNSPACED: Final = "\u0e00"
"""From here on scripts do not part words with spaces (Thai, Chinese, Japanese ...)."""

Span = tuple[int, int]
"""First and last place in the folded text."""


class Hit(msgspec.Struct, frozen=True, gc=False):
    """One entry that was found."""

    list: str
    cls: str
    entry: str
    reject: bool
    """Whether the list rejects what has it instead of holding it."""
    own: bool = False
    """Whether the list is the account's own."""

    @property
    def label(self) -> str:
        """`ru/credit: кредит*`"""
        return f"{self.list}/{self.cls}: {self.entry}"


class _Sought(msgspec.Struct, frozen=True, gc=False):
    """A pattern and whose it is."""

    pattern: Pattern
    hit: Hit
    exception: bool


class Matcher:
    """Lists of one owner, compiled."""

    __slots__ = ("_find", "_search", "lists")

    def __init__(self, lists: Sequence[StopList], *, own: bool = False) -> None:
        self.lists = tuple(lists)
        self._search = Search(lists, own)
        self._find = lru_cache(maxsize=REMEMBERED)(self._search.find)

    def find(self, text: str) -> tuple[Hit, ...]:
        """What a text has, each entry once."""
        return (self._find if len(text) <= LONGEST else self._search.find)(text, False)

    def clean(self, texts: Sequence[str]) -> bool:
        """Whether certainly none of the texts has anything. Looked at as one: what a call costs
        whatever the text is paid once. False says nothing: they have to be looked at singly."""
        return not self._search.touches("\n".join(texts))

    def find_in_sender(self, sender: str) -> tuple[Hit, ...]:
        """What a sender has. Operators take senders in ASCII only, so that one in Latin letters may
        well mean a word of another alphabet (`MTC`)."""
        return self._find(sender, True)


class Search:
    """The automaton, and what its finds stand for."""

    __slots__ = ("_iter", "_sought")

    def __init__(self, lists: Sequence[StopList], own: bool = False) -> None:
        self._sought: list[tuple[_Sought, ...]] = []
        automaton: Any = ahocorasick.Automaton(ahocorasick.STORE_INTS)
        known: dict[str, int] = {}
        for sought in _all(lists, own):
            for key in sought.pattern.keys:
                place = known.get(key)
                if place is None:
                    place = known[key] = len(self._sought)
                    self._sought.append(())
                    automaton.add_word(key, place)
                self._sought[place] += (sought,)
        automaton.make_automaton()
        self._iter = automaton.iter

    def find(self, text: str, foreign: bool = False) -> tuple[Hit, ...]:
        """See `Matcher`; `foreign`: a word wholly in another alphabet counts in any case."""
        if not self._sought:
            return ()
        readings = letters(text)
        found = [list(self._iter(readings[0]))]
        if len(readings) > 1:
            found.append(list(self._iter(readings[1])))
            if found[1]:
                return self._judge(text, found, foreign)
        return self._judge(text, found, foreign) if found[0] else ()

    def touches(self, text: str) -> bool:
        """Whether the letters of any entry are among the text's, whatever stands between."""
        if not self._sought:
            return False
        return any(next(self._iter(reading), None) is not None for reading in letters(text))

    def _judge(
        self, text: str, found: Sequence[list[tuple[int, int]]], foreign: bool
    ) -> tuple[Hit, ...]:
        """Of what was found among the letters, what the text really has."""
        folded = fold(text)
        alphabets: _Alphabets | None = None
        hits: dict[Hit, list[Span]] = {}
        exceptions: dict[str, list[Span]] = {}
        for reading, finds in enumerate(found):
            if not finds:
                continue
            gaps, shown = GAPS[reading], places(folded, reading)
            for last, at in finds:
                for sought in self._sought[at]:
                    pattern, hit = sought.pattern, sought.hit
                    span = _span(folded, gaps, shown, last, pattern)
                    if span is None:
                        continue
                    if not foreign and pattern.script != " ":
                        alphabets = alphabets or _Alphabets(text)
                        if alphabets.is_another(span, pattern.script):
                            continue
                    if sought.exception:
                        exceptions.setdefault(hit.list, []).append(span)
                    else:
                        hits.setdefault(hit, []).append(span)
        if not exceptions:
            return tuple(hits)
        covers = {name: _Cover(spans) for name, spans in exceptions.items()}
        return tuple(
            hit
            for hit, spans in hits.items()
            if hit.list not in covers or not all(map(covers[hit.list].contains, spans))
        )


def _all(lists: Sequence[StopList], own: bool) -> Iterator[_Sought]:
    for one in lists:
        reject = one.doc.on_match == "reject"
        for group in one.classes:
            for exception, patterns in ((False, group.patterns), (True, group.exceptions)):
                for pattern in patterns:
                    hit = Hit(one.name, group.name, pattern.entry, reject, own)
                    yield _Sought(pattern, hit, exception)


class _Cover:
    """What exceptions cover. A long text may have thousands of them, so they are searched by
    place."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, spans: list[Span]) -> None:
        spans = sorted(spans)
        self._firsts = [first for first, _ in spans]
        self._lasts = list(accumulate([last for _, last in spans], max))

    def contains(self, span: Span) -> bool:
        """Whether one exception has the whole of a hit within it."""
        place = bisect_right(self._firsts, span[0]) - 1
        return place >= 0 and span[1] <= self._lasts[place]


def _span(
    folded: str, gaps: str, shown_at: Sequence[int], last: int, pattern: Pattern
) -> Span | None:
    """Where the pattern stands whose letters end at `last`; None if they make no such word."""
    size = len(pattern.digits)
    start, end = shown_at[last - size + 1], shown_at[last]
    before = folded[start - 1] if start else SPACE
    after = folded[end + 1] if end + 1 < len(folded) else SPACE
    if before not in _EDGE and before < _UNSPACED:
        return None
    if not pattern.stem and after not in _EDGE and after < _UNSPACED:
        return None
    if size < _CODE and (before in DIGITS or after in DIGITS):
        return None
    shown = folded[start : end + 1]
    if len(shown) > size:
        if size <= 2 or not _is_one_word(shown, gaps, pattern, after):
            return None
        shown = "".join([one for one in shown if one not in gaps])
    signs = sum(
        one in _NUMERIC and one != own for one, own in zip(shown, pattern.digits, strict=True)
    )
    if signs and (signs > (size // 2 if size >= _CODE else size // 3) or shown[-1] in SYMBOLS):
        return None
    return start, end


def _is_one_word(shown: str, gaps: str, pattern: Pattern, after: str) -> bool:
    """Whether letters with gaps between are the pattern's all the same."""
    letter = 0
    spaced = False
    between = ""
    digits = 0
    for one in shown:
        if one in gaps:
            between += one
            continue
        if SPACE in between and letter not in pattern.breaks:
            spaced = True
        # Two digits together are a number, not letters, unless the entry has them.
        sign = one in DIGITS and one != pattern.digits[letter]
        digits = digits + 1 if sign and not between else int(sign)
        if digits > 1:
            return False
        between = ""
        letter += 1
    if not spaced:
        return True
    alone = all(one in gaps or other in gaps for one, other in pairwise(shown))
    return alone and (after in _EDGE or after >= _UNSPACED)


class _Alphabets:
    """In which alphabets a text is written, and where."""

    __slots__ = ("_counts", "_written")

    def __init__(self, text: str) -> None:
        self._written = scripts(text)
        self._counts = {script: self._written.count(script) for script in "LCG"}

    def is_another(self, span: Span, script: str) -> bool:
        """Whether a word is written wholly in another alphabet than `script`, in a text that is,
        too."""
        word = self._written[span[0] : span[1] + 1]
        if script in word:
            return False
        rest = {one: count - word.count(one) for one, count in self._counts.items()}
        return rest[script] < max(rest.values())
