"""A text made to fit the GSM alphabet by exchanging characters that have a plain twin.

In: a text and the alphabet it should fit. Out: the text to send, and what was exchanged. Word
processors turn quotes and dashes into characters that double the price of a message; accents go
only when that was not enough, and nothing is exchanged unless the whole text then fits, because a
half-transliterated text still travels as UCS-2.

It may not know who wanted it or what it saves.
"""

from typing import Final, NamedTuple
from unicodedata import category, combining, decomposition, normalize

from . import gsm7


class Change(NamedTuple):
    """`original` was written as `replacement` at `times` places."""

    original: str
    replacement: str
    times: int


# fmt: off
_PUNCTUATION: Final = {
    "‘": "'", "’": "'", "‚": "'", "‛": "'", "′": "'", "´": "'", "`": "'", "ʼ": "'",
    "“": '"', "”": '"', "„": '"', "‟": '"', "″": '"', "«": '"', "»": '"',
    "‹": "<", "›": ">",
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-", "\u00ad": "",
    "…": "...", "•": "*", "·": ".", "⁄": "/", "№": "No", "™": "(TM)", "©": "(C)", "®": "(R)",
    "\u00a0": " ", "\u2007": " ", "\u202f": " ", "\u2009": " ", "\u200a": " ", "\u2002": " ",
    "\u2003": " ", "\u2005": " ", "\u2006": " ", "\u2008": " ", "\u2004": " ", "\t": " ",
    "\u200b": "", "\u2060": "", "\ufeff": "", "\u2028": "\n", "\u2029": "\n",
}
# Letters that Unicode does not decompose.
_LETTERS: Final = {
    "Œ": "OE", "œ": "oe", "Ł": "L", "ł": "l", "Đ": "D", "đ": "d", "Ħ": "H", "ħ": "h",
    "ı": "i", "Þ": "Th", "þ": "th", "Ð": "D", "ð": "d", "ẞ": "SS", "Ŋ": "N", "ŋ": "n",
    "Ŧ": "T", "ŧ": "t", "ĸ": "k", "ſ": "s",
}
# fmt: on


def transliterate(
    text: str, alphabet: gsm7.Alphabet = gsm7.DEFAULT, *, accents: bool = True
) -> tuple[str, tuple[Change, ...]]:
    """`text` so that it fits `alphabet`, and the changes in the order of first appearance.

    A text that fits already, or that would not fit afterwards, comes back as it was with no
    changes. A letter written as base and combining mark is first composed, which is the same text
    (Unicode canonical equivalence) and not reported. `accents` False leaves letters alone.
    """
    if alphabet.encode(text) is not None:
        return text, ()
    composed = normalize("NFC", text)
    table: dict[int, str] = {}
    changes: list[Change] = []
    for char in dict.fromkeys(composed):
        if alphabet.encode(char) is not None:
            continue
        plain = _PUNCTUATION.get(char)
        if plain is None and accents:
            plain = _letter(char)
        if plain is None or alphabet.encode(plain) is None:
            return text, ()
        table[ord(char)] = plain
        changes.append(Change(char, plain, composed.count(char)))
    return composed.translate(table), tuple(changes)


# Compatibility mappings that keep the meaning. Not <super>, <sub>, <fraction>: 10² is not 102.
_SAME_MEANING: Final = ("<compat>", "<wide>", "<narrow>", "<noBreak>", "<font>")


def _letter(char: str) -> str | None:
    """The letter without its marks; "" for a mark that no letter composes with."""
    if char in _LETTERS:
        return _LETTERS[char]
    if category(char) == "Mn":
        return ""
    mapping = decomposition(char)
    if not mapping or (mapping[0] == "<" and not mapping.startswith(_SAME_MEANING)):
        return None
    bare = "".join(c for c in normalize("NFKD", char) if not combining(c))
    return "".join(_PUNCTUATION.get(c) or _LETTERS.get(c, c) for c in bare)
