"""Text -> what it looks like: case, marks, look-alike letters and invisible characters folded.

In: a text as the recipient reads it. Out: `fold`, one character for each that is visible: the class
of a letter, a digit, a space or a separator; and `letters`, the classes alone, with digits read as
letters, for an automaton. Knows no list. Pure.

A class is written as a letter of ASCII where Latin has one that looks like it (`к` is `k`, `в` and
`ь` are `b`), as a code of its own for the rest of Cyrillic, and as itself in any other script.

Speed decides the form. `str.translate` with a dict takes 15 us for 160 Cyrillic characters; a
charmap codec (one octet for each of 256 frequent characters) and `bytes.translate` take 1 to 2.
Rare characters cost about 1 us a run, texts in other scripts take the long way, to the same result.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import compress
from typing import Any, Final

SPACE: Final = " "
"""White space: what words end at."""
SOFT: Final = "-"
"""Any other character that is neither letter nor digit: it may stand within a word to hide it."""
SYMBOLS: Final = "$@!|"
"""What is a letter in the second reading (`c@sino`, `$ex`, `cas!no`), a separator otherwise."""
DIGITS: Final = "0123456789"

_LOOK_ALIKE: Final = {
    "a": "аα",
    "b": "вьβ",
    "c": "с",
    "d": "ԁ",
    "e": "еєε",
    "h": "нηһң",
    "i": "lіιӏı",
    "j": "ј",
    "k": "кκқ",
    "m": "мμ",
    "n": "пνπ",
    "o": "оοө",
    "p": "рρ",
    "q": "ԛ",
    "r": "гγґғ",
    "s": "ѕ",
    "t": "тτ",
    "u": "и",
    "w": "шωԝ",
    "x": "хχ",
    "y": "уυүұ",
    "z": "ζ",
}
"""Letters (lower case, without marks) by the Latin letter they look like, in print or in
handwriting, as small or as capital letter. Looking alike is taken as being equal, so a class may
join letters that no one confuses because both are confused with a third."""
_SMALL_CAPITALS: Final = dict(
    zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz", strict=True)
)
"""Ways to write a text "in another font"; most others decompose to plain letters (NFKD)."""
_ENCLOSED: Final = (0x1F150, 0x1F170)
"""First of 26 letters in black circles, in black squares: they do not decompose."""
_OWN: Final = dict(zip("бджзлфцчщъыэюяσθξψ", map(chr, range(0x80, 0xA0)), strict=False))
"""Their classes are control characters, which no text has as letters."""
_GREEK: Final = {"λ": "л", "δ": "д", "φ": "ф"}
_STROKED: Final = {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "þ": "p", "ð": "d"}
_LIGATURES: Final = {"æ": "ae", "œ": "oe"}

CYRILLIC_READING: Final[dict[str, str | None]] = {
    "0": "о",
    "1": "и",
    "3": "з",
    "4": "ч",
    "5": "s",
    "6": "б",
    "8": "в",
}
LATIN_READING: Final[dict[str, str | None]] = {
    "0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "6": "b", "7": "t", "8": "b", "9": "g",
}  # fmt: skip
_SYMBOL_READING: Final[dict[str, str | None]] = {"$": "s", "@": "a", "!": "i", "|": "i"}
READINGS: Final = (
    CYRILLIC_READING | dict.fromkeys(SPACE + SOFT + SYMBOLS),
    LATIN_READING | _SYMBOL_READING | dict.fromkeys(SPACE + SOFT),
)
"""Which letters digits and signs are written for; None: for none, they part letters. `3` is a `з`
among Cyrillic letters, an `e` among Latin ones: both are tried, neither is guessed."""
GAPS: Final = tuple(
    "".join(sign for sign, letter in reading.items() if letter is None) for reading in READINGS
)
"""What parts letters, by reading."""

_INVISIBLE: Final = frozenset(
    "\u115f\u1160\u3164\uffa0"  # Hangul fillers
    "\u034f"  # combining grapheme joiner
    "\u0345"  # a small iota below, which would be folded to a letter of its own
    "\u17b4\u17b5"  # Khmer vowels that are not written
    "\u180b\u180c\u180d\u180f"  # Mongolian variation selectors
) | {chr(point) for point in range(0xE0100, 0xE01F0)}  # variation selectors 17 to 256
"""Letters and marks by category that show nothing. Other invisible characters have categories of
their own (Cf: U+200B, U+FEFF, soft hyphens ...)."""

_SIGNS: Final = frozenset("№™℠℡")
"""Signs that decompose to letters no one reads as part of a word."""


def _classes() -> dict[str, str]:
    classes = {letter: letter for letter in "abcdefghijklmnopqrstuvwxyz"}
    for shown, others in _LOOK_ALIKE.items():
        classes.update(dict.fromkeys(others, shown))
    classes.update(_OWN)
    for table in (_GREEK, _STROKED):
        for letter, like in table.items():
            classes[letter] = classes[like]
    for letter, plain in _SMALL_CAPITALS.items():
        classes[letter] = classes[plain]
    return classes


_CLASSES: Final = _classes()


def _is_mark(character: str) -> bool:
    """Whether it is a mark that changes no letter into another: accents and vowel points, but not
    the vowel signs of Indic scripts or Thai, which are letters to the reader."""
    category = unicodedata.category(character)
    if category != "Mn":
        return category == "Me"  # around letters: circles, keycaps
    order = unicodedata.combining(character)
    return order >= 200 or order == 1 or 10 <= order <= 36 or 0xFE00 <= ord(character) <= 0xFE0F


def _fold_character(character: str) -> tuple[str, str]:
    """(what it folds to, the script of each: `L`, `C`, `G`, or a space for none of them)."""
    point = ord(character)
    if character in _INVISIBLE:
        return "", ""
    for first in _ENCLOSED:
        if first <= point < first + 26:
            character = chr(ord("a") + point - first)
    if character in _SIGNS:
        return SOFT, " "
    folded, scripts = [], []
    character = _LIGATURES.get(character.lower(), character)
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    for one in plain:
        shown, script = _fold_plain(one)
        if shown:
            folded.append(shown)
            scripts.append(script)
    if len(folded) > 1 and not any(script.strip() for script in scripts):
        # An ellipsis, an accent that stands alone: one sign to the reader. A fraction keeps digits.
        digits = [shown for shown in folded if shown in DIGITS]
        folded = digits or [SOFT]
        scripts = [" "] * len(folded)
    return "".join(folded), "".join(scripts)


def _fold_plain(one: str) -> tuple[str, str]:
    category = unicodedata.category(one)
    if category == "Cf" or _is_mark(one):
        return "", ""
    if one in DIGITS or one in SYMBOLS:
        return one, " "
    if category == "Nd":
        return str(unicodedata.digit(one)), " "
    if category[0] in "LM":
        return _CLASSES.get(one, one), _script(one)
    if category[0] == "Z" or one in "\t\n\v\f\r":
        return SPACE, " "
    return SOFT, " "


def _script(letter: str) -> str:
    point = ord(letter)
    if point < 0x0370:
        return "L"
    if point < 0x0400:
        return "G"
    return "C" if point < 0x0530 else " "


class _Table(dict[int, str]):
    """`str.translate` asks for each character once, and remembers: there are some 150,000, of which
    a gateway sees a few hundred."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self._place = place

    def __missing__(self, point: int) -> str:
        found = self[point] = _fold_character(chr(point))[self._place]
        return found


_FOLDED: Final = _Table(0)
_SCRIPTS: Final = _Table(1)


_LETTERS: Final = tuple(
    {ord(sign): letter and _CLASSES[letter] for sign, letter in reading.items()}
    for reading in READINGS
)

# --- the short way: one octet for each of the characters texts are made of

_FREQUENT: Final = (
    "".join(map(chr, range(0x80)))
    + "АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдежзийклмнопрстуфхцчшщъыьэюяЁё"
    + "ІіЇїЄєҐґ«»„“”‘’–—…№•·°€₽\u00a0\u00ad\u200b\u200c\u200d\u2060\ufeff\u202f"
    + "àâäçèéêëîïôöùûüáíóúñãõåøσθξψ"
)
_CHARMAP: Final[Any] = codecs.charmap_build(_FREQUENT.ljust(256, "\ufffe"))
_encode: Final[Any] = codecs.charmap_encode


def _kind(folded: str) -> str:
    """Of a folded character: digit (`$` and `@` are read like them), sign, gap, letter."""
    if folded in DIGITS + "$@":
        return "1"
    if folded in SYMBOLS:
        return "2"
    return " " if folded in SPACE + SOFT else "a"


def _octets() -> tuple[bytes, bytes, bytes, tuple[tuple[bytes, bytes], ...]]:
    """Tables over the octets of `_CHARMAP`: what is invisible; to folded characters; to kinds; to
    letters (for each reading, with what to leave out)."""
    folds, kinds, invisible = bytearray(256), bytearray(256), bytearray()
    for octet, character in enumerate(_FREQUENT):
        folded = _FOLDED[ord(character)]
        if not folded:
            invisible.append(octet)
            continue
        folds[octet] = ord(folded)
        kinds[octet] = ord(_kind(folded))
    readings = []
    for letters in _LETTERS:
        table, left_out = bytearray(folds), bytearray(invisible)
        for octet in range(len(_FREQUENT)):
            shown = letters.get(folds[octet], chr(folds[octet]))
            if shown is None:
                left_out.append(octet)
            else:
                table[octet] = ord(shown)
        readings.append((bytes(table), bytes(left_out)))
    return bytes(invisible), bytes(folds), bytes(kinds), tuple(readings)


_SCRIPT: Final = "".join([_SCRIPTS[ord(one)] or " " for one in _FREQUENT]).ljust(256).encode()
_UNSEEN, _FOLDS, _KINDS, _READ = _octets()
_SHOWN: Final = tuple(bytes(chr(octet) not in gaps for octet in range(256)) for gaps in GAPS)
"""Octets of folded text -> whether they are letters, by reading."""
(_FIRST, _FIRST_OUT), (_SECOND, _SECOND_OUT) = _READ


_SHOWS: Final = {ord(_FOLDED[ord(one)]): one for one in _FREQUENT if _FOLDED[ord(one)]}
"""A frequent character for each that characters fold to."""


@lru_cache(maxsize=4_096)
def _shown_as(rare: str) -> str | None:
    """Frequent characters that look like rare ones (an emoji, Greek, full-width letters); None if
    no frequent ones do. A gateway sees a few hundred such runs again and again."""
    folded = rare.translate(_FOLDED).translate(_SHOWS)
    return folded if _ALL_FREQUENT(folded) else None


def _stand_in(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    shown = _shown_as(error.object[error.start : error.end])
    if shown is None:
        raise error
    return shown, error.end


_ALL_FREQUENT: Final = re.compile(f"[{re.escape(_FREQUENT)}]*").fullmatch
_RARE: Final = "aldis-look-alike"
codecs.register_error(_RARE, _stand_in)

_READ_ONCE: Final = re.compile(
    rb"[^12]*+(?:(?:"
    rb"(?<!a)(?:(?<! a )1++(?! a a )|(?<! a a )1++(?! a ))(?!a)|"
    rb"(?<!a)2++|2++(?!a)"
    rb")[^12]*+)*+"
).fullmatch
"""Kinds, after a space, of texts without a digit that touches a letter or stands among letters that
stand alone (`k r 3 d i t`), and without a sign between letters: the second reading of such a text
finds nothing the first does not."""


def letters(text: str) -> tuple[str, ...]:
    """The letters of a text, run together; once for each way its digits can be read."""
    try:
        octets = _encode(text, _RARE, _CHARMAP)[0]
    except UnicodeEncodeError:
        folded = text.translate(_FOLDED)
        return read(folded, 0), read(folded, 1)
    first = octets.translate(_FIRST, _FIRST_OUT).decode("latin-1")
    kinds = octets.translate(_KINDS, _UNSEEN)
    if (b"1" not in kinds and b"2" not in kinds) or _READ_ONCE(b" " + kinds):
        return (first,)
    return first, octets.translate(_SECOND, _SECOND_OUT).decode("latin-1")


def fold(text: str) -> str:
    """The text with its gaps: letters as classes, digits and `SYMBOLS` as they are, `SPACE`,
    `SOFT`. What is invisible is left out."""
    try:
        octets: bytes = _encode(text, _RARE, _CHARMAP)[0]
    except UnicodeEncodeError:
        return text.translate(_FOLDED)
    return octets.translate(_FOLDS, _UNSEEN).decode("latin-1")


def places(folded: str, reading: int) -> list[int]:
    """Where in a folded text the letters are that `letters` gives in this reading."""
    gaps = GAPS[reading]
    try:
        shown: Iterable[int] = folded.encode("latin-1").translate(_SHOWN[reading])
    except UnicodeEncodeError:
        shown = [one not in gaps for one in folded]
    return list(compress(range(len(folded)), shown))


def scripts(text: str) -> str:
    """For each character of `fold(text)` the script it is written in: `L`atin, `C`yrillic, `G`reek,
    or a space."""
    try:
        octets: bytes = _encode(text, "strict", _CHARMAP)[0]
    except UnicodeEncodeError:
        return text.translate(_SCRIPTS)
    return octets.translate(_SCRIPT, _UNSEEN).decode("latin-1")


def read(folded: str, reading: int) -> str:
    """The letters of a folded text, its digits read in one of `READINGS`."""
    return folded.translate(_LETTERS[reading])
