"""National languages in seven bits (3GPP TS 23.038 §6.2.1.2): the alphabets, and how to read them.

In: names of languages a carrier's handsets show, or the identifiers a header announces. Out:
alphabets for `segment` to try, or a function that reads septets. An alphabet is built when it is
first wanted (0.2 ms), so a gateway that meets no national language pays nothing for thirteen.

It may not know carriers, headers or lengths.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Final

from . import gsm7
from .errors import UsageError
from .national_tables import LOCKING, SHIFT

# National Language Identifier, §6.2.1.2.4; 0 is reserved, and stands for the default table here.
NATIONAL: Final[Mapping[str, int]] = MappingProxyType(
    {
        "turkish": 1,
        "spanish": 2,
        "portuguese": 3,
        "bengali": 4,
        "gujarati": 5,
        "hindi": 6,
        "kannada": 7,
        "malayalam": 8,
        "oriya": 9,
        "punjabi": 10,
        "tamil": 11,
        "telugu": 12,
        "urdu": 13,
    }
)
_NAME: Final = {identifier: name for name, identifier in NATIONAL.items()}

_WORDS: Final = {"SP": " ", "LF": "\n", "CR": "\r", "FF": "\f", "ESC": "\x1b"}
_NONE: Final = "·"


def alphabets(names: Iterable[str]) -> tuple[gsm7.Alphabet, ...]:
    """The alphabets that these languages offer to `segment`, in the order of `names`.

    For each language: the default table with its single shift table, its locking table with the
    default extension, and both of its own. The first two cost a text three octets of header, the
    last six; `segment` takes the one that needs the fewest parts. Spanish has the first only.
    Raises UsageError for a name that is not in NATIONAL.
    """
    found: list[gsm7.Alphabet] = []
    for name in dict.fromkeys(names):
        identifier = NATIONAL.get(name)
        if identifier is None:
            known = ", ".join(NATIONAL)
            raise UsageError(f"no national language is called {name!r}; known are {known}")
        found.append(_alphabet(0, identifier))
        if name in LOCKING:
            found += (_alphabet(identifier, 0), _alphabet(identifier, identifier))
    return tuple(found)


# A header can name 65,536 pairs; a miss costs two look-ups, so a small memory is enough.
@lru_cache(maxsize=256)
def decoder(locking_shift: int, single_shift: int) -> Callable[[bytes], str]:
    """What reads the septets of a message that announced these identifiers; 0 is "none".

    An identifier nobody knows, and a locking shift to a language without such a table, mean the
    default table (§6.2.1.2.4). The text is never refused: see `gsm7.Alphabet.decode`.
    """
    locking = locking_shift if _NAME.get(locking_shift) in LOCKING else 0
    single = single_shift if single_shift in _NAME else 0
    return _alphabet(locking, single).decode


@cache  # 13 x 14 pairs of known identifiers, 20 KiB each
def _alphabet(locking: int, single: int) -> gsm7.Alphabet:
    if not locking and not single:
        return gsm7.DEFAULT
    names = [_NAME[identifier] for identifier in (locking, single) if identifier]
    return gsm7.Alphabet(
        "+".join(dict.fromkeys(names)),
        _locking(_NAME[locking]) if locking else gsm7.DEFAULT_LOCKING,
        _shift(_NAME[single]) if single else gsm7.DEFAULT_SHIFT,
        locking_shift=locking,
        single_shift=single,
    )


@cache
def _locking(name: str) -> str:
    return "".join(char or gsm7.UNASSIGNED for char in _characters(LOCKING[name]))


@cache
def _shift(name: str) -> dict[int, str]:
    return {code: char for code, char in enumerate(_characters(SHIFT[name])) if char is not None}


def _characters(table: str) -> list[str | None]:
    return [_character(word) for word in table.split()]


def _character(word: str) -> str | None:
    if word == _NONE:
        return None
    if len(word) == 1:
        return word
    return _WORDS.get(word) or chr(int(word, 16))
