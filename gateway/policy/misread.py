"""What a reply may say whose data_coding said the wrong thing.

In: a text as it was read. Out: other readings of the same octets. For keywords only: a STOP that an
operator labelled wrongly is a STOP all the same, while a text that is shown stays as it was
announced.
"""

from __future__ import annotations

from typing import Final

from protocol import gsm7

LONGEST: Final = 160
"""Characters of a text that is looked at: keywords are short."""

_HIGH: Final = b"\x00\x04"
"""First octets of Latin and Cyrillic letters in UCS-2."""
_HAN: Final = 0x2000
"""From here on no letter of an alphabet stands; two of them, or one, take its place."""


def readings(text: str) -> list[str]:
    """Other readings of a text that is likely to be misread; none for nearly all texts."""
    if not text or len(text) > LONGEST:
        return []
    first = text[0]
    if first in "\0\4@\u00e8":  # UCS-2 as octets, or as the GSM alphabet
        return [str(octets, "utf-16-be") for octets in _octets(text) if _is_ucs2(octets)]
    if ord(first) < _HAN:
        return []
    octets = text.encode("utf-16-be", "replace")
    if octets.rstrip(b"\0").isascii() and all(octets[::2]):
        # One octet a letter, as UCS-2; or two, the wrong way round.
        return [str(octets, "ascii"), str(octets, "utf-16-le", "replace")]
    return [str(octets, "utf-16-le", "replace")] if not octets[1::2].strip(_HIGH) else []


def _octets(text: str) -> list[bytes]:
    septets = gsm7.encode(text)
    latin = text.encode("latin-1", "ignore")
    return [latin] if septets is None or septets == latin else [latin, septets]


def _is_ucs2(octets: bytes) -> bool:
    return len(octets) % 2 == 0 and not octets[::2].strip(_HIGH)
