"""One entry of a list: a word, a stem or a phrase -> what is looked for.

In: `кредит`, `кредит*`, `ставки на спорт`. Out: a `Pattern`, or an `EntryError` that says what is
wrong without repeating the entry. Pure.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.policy.stopwords.folding import (
    DIGITS,
    READINGS,
    SOFT,
    SPACE,
    SYMBOLS,
    fold,
    read,
    scripts,
)

SHORTEST_WORD: Final = 2
"""Letters and digits of a word: names of banks have two (ЦБ)."""
SHORTEST_STEM: Final = 3
"""Of a stem, the star not counted: two letters begin thousands of innocent words."""
LONGEST: Final = 100
"""Characters of an entry: the longest phrases of regulators' lists have about 60."""
STAR: Final = "*"


class EntryError(ValueError):
    """The entry cannot be used; the message says why and what to do."""


class Pattern(msgspec.Struct, frozen=True, gc=False):
    """An entry as it is looked for."""

    entry: str
    """As written, spaces at its ends removed."""
    keys: tuple[str, ...]
    """Its letters run together: what the automaton knows; several if it has digits, which texts are
    read with as letters."""
    digits: str
    """As the keys, its own digits as they are."""
    stem: bool
    """Whether the last word may go on."""
    breaks: frozenset[int]
    """Before which letters a word of a phrase begins."""
    script: str
    """The one script it is written in (`folding.scripts`), or a space."""

    @property
    def kind(self) -> str:
        """`word`, `stem` or `phrase`, for people."""
        if self.breaks:
            return "phrase"
        return "stem" if self.stem else "word"


def pattern(entry: str) -> Pattern:
    """What an entry looks for; raises `EntryError`."""
    entry = " ".join(entry.split())
    if not entry:
        raise EntryError("it is empty; remove it")
    if len(entry) > LONGEST:
        raise EntryError(f"{len(entry)} characters; an entry has at most {LONGEST}")
    if not entry.isprintable():
        raise EntryError("it has a control or invisible character; remove it")
    stem = entry.endswith(STAR)
    body = entry[:-1] if stem else entry
    if STAR in body:
        raise EntryError("a star stands at the end only; write the forms as entries of their own")
    folded = fold(body)
    plain: list[str] = []
    breaks: set[int] = set()
    pending = False
    for one in folded:
        if one == SPACE:
            pending = True
        elif one != SOFT and one not in SYMBOLS:
            if pending and plain:
                breaks.add(len(plain))
            pending = False
            plain.append(one)
    digits = "".join(plain)
    letters = sum(one not in DIGITS for one in plain)
    least = SHORTEST_STEM if stem else SHORTEST_WORD
    if len(digits) < least or not letters:
        what = "a stem" if stem else "an entry"
        raise EntryError(
            f"{letters} letters and {len(digits) - letters} digits; {what} has at least {least} "
            "letters or digits, one of them a letter"
        )
    written = set(scripts(body)) - {" "}
    return Pattern(
        entry,
        tuple(dict.fromkeys(read(digits, reading) for reading in range(len(READINGS)))),
        digits,
        stem,
        frozenset(breaks),
        written.pop() if len(written) == 1 else " ",
    )
