"""data_coding and the character encodings behind it (SMPP 3.4 §5.2.19, 3GPP TS 23.038 §4).

In: text with the name of an encoding, or octets with the data_coding they came under. Out: octets,
or text. Which codec a data_coding means is a table per carrier, because data_coding 0 is "the
operator's default alphabet": GSM, Latin-1 or ASCII.

It may not know carriers or message lengths; which encoding is the cheapest that keeps a text
intact is segment.py's question. Encoding is strict (a text goes out whole or not at all), decoding
never fails (a wrong data_coding must not cost an inbound message or a receipt).
"""

import codecs
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from . import gsm7
from .errors import UsageError

# Names of encodings and what Python calls them; "gsm", "ucs2" and "binary" are ours below.
_PYTHON: Final = {
    "latin1": "latin-1",
    "ascii": "ascii",
    "jis": "shift_jis",
    "cyrillic": "iso8859-5",
    "hebrew": "iso8859-8",
    "iso2022jp": "iso2022_jp",
    "kanji": "euc_jp",
    "ksc5601": "euc_kr",
}

# What phones and makers of message centres mean by the same names: the circled digits of NEC, the
# Hangul beyond the 2,350 of the standard, half-width katakana. Read when the standard's own fails.
_WIDER: Final = {
    "jis": "cp932",
    "iso2022jp": "iso2022_jp_ext",
    "ksc5601": "cp949",
}

# SMPP 3.4 §5.2.19; what it does not name follows the groups of TS 23.038 §4.
_NAMED: Final = {
    0x00: "gsm",
    0x01: "ascii",
    0x02: "binary",
    0x03: "latin1",
    0x04: "binary",
    0x05: "jis",
    0x06: "cyrillic",
    0x07: "hebrew",
    0x08: "ucs2",
    0x09: "binary",
    0x0A: "iso2022jp",
    0x0D: "kanji",
    0x0E: "ksc5601",
}
_GROUP: Final = ("gsm", "binary", "ucs2", "gsm")


def _by_group(data_coding: int) -> str:
    """TS 23.038 §4: general data coding, message waiting, data coding with a message class."""
    if data_coding < 0x80:
        return _GROUP[data_coding >> 2 & 3]
    if data_coding >> 4 == 0xE:
        return "ucs2"
    if data_coding >> 4 == 0xF:
        return _GROUP[data_coding >> 2 & 1]
    return "gsm"


def codecs_by_data_coding(
    alphabet: str = "gsm", overrides: Mapping[int, str] = MappingProxyType({})
) -> tuple[str, ...]:
    """The carrier's table: the name of the encoding for each of the 256 values of data_coding.

    `alphabet` is what 0 means to it; `overrides` are its further deviations. Raises UsageError for
    a value that is no octet and for an encoding nobody knows.
    """
    table = [_NAMED.get(value) or _by_group(value) for value in range(256)]
    for value, name in {0: alphabet, **overrides}.items():
        if not 0 <= value <= 255 or name not in DECODERS:
            raise UsageError(f"data_coding {value} = {name!r}: known are {', '.join(DECODERS)}")
        table[value] = name
    return tuple(table)


def encode(text: str, encoding: str) -> bytes:
    """`text` whole in `encoding`.

    Raises UsageError for a character that the encoding lacks, for half a surrogate pair, and for
    an encoding nobody knows.
    """
    if encoding == "ucs2":
        return encode_ucs2(text)
    if encoding == "gsm":
        septets = gsm7.encode(text)
        if septets is None:
            raise foreign(next(char for char in text if gsm7.encode(char) is None), encoding)
        return septets
    try:
        return text.encode(_PYTHON[encoding])
    except UnicodeEncodeError as error:
        raise foreign(text[error.start], encoding) from None
    except KeyError:
        raise UsageError(f"no text encoding is called {encoding!r}") from None


def foreign(char: str, encoding: str) -> UsageError:
    """The error for a character that `encoding` lacks."""
    return UsageError(f"U+{ord(char):04X} is not in the encoding {encoding}")


def encode_ucs2(text: str) -> bytes:
    """UTF-16BE, surrogate pairs whole, no byte order mark.

    Raises UsageError for half a surrogate pair: no receiver could show it.
    """
    try:
        return codecs.utf_16_be_encode(text)[0]
    except UnicodeEncodeError as error:
        raise UsageError(f"half a surrogate pair at character {error.start}") from None


def decode(data: bytes, encoding: str) -> str:
    """Text of `data`, which is said to be in `encoding` (see `codecs_by_data_coding`).

    Never fails. Where the octets contradict the name they are believed instead; where they are
    merely unlikely the name is, since two Han characters and four Latin letters can be the same
    octets. "binary" becomes one character per octet.
    """
    return DECODERS[encoding](data)


def _decode_gsm(data: bytes) -> str:
    if not data.isascii():
        return _decode_octets(data)
    # "@" before every character: Latin text in UCS-2 under data_coding 0.
    # (The first octet is looked at first: the slice alone is a sixth of reading a text.)
    size = len(data)
    if size >= 4 and not data[0] and size % 2 == 0 and not data[::2].strip(b"\0") and any(data):
        return str(data, "utf-16-be")
    return gsm7.decode(data)


# Controls that no text has become 0; line breaks and all above stay.
_READABLE: Final = bytes(i if i >= 0x20 or i in b"\n\r\f" else 0 for i in range(256))


def _decode_ucs2(data: bytes) -> str:
    if data.startswith(b"\xff\xfe"):
        return str(data[2:], "utf-16-le", "replace")
    if data.startswith(b"\xfe\xff"):
        data = data[2:]
    try:
        return codecs.utf_16_be_decode(data, "strict", True)[0]
    except UnicodeDecodeError:
        # An odd length of readable octets never was UTF-16; one with controls lost its last octet.
        if len(data) % 2 and not data.translate(_READABLE).count(0):
            return _decode_octets(data)
        return str(data, "utf-16-be", "replace")


def _decode_octets(data: bytes) -> str:
    """UTF-8 if it is, and hardly anything else ever is by chance; otherwise Latin-1."""
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError:
        return str(data, "latin-1")


# All that an IA5 text shows; the GSM alphabet has letters at the controls too.
_SHOWN: Final = bytes([*range(0x20, 0x7F), *b"\t\n\r"])


def _decode_ascii(data: bytes) -> str:
    # npm's smpp announces the GSM alphabet as data_coding 1. A NUL at the end is only an end.
    if data.isascii() and data.rstrip(b"\0").translate(None, _SHOWN):
        return _decode_gsm(data)
    return _decode_octets(data)


def _decode_latin1(data: bytes) -> str:
    return str(data, "latin-1")


def _python_decoder(name: str, wider: str) -> Callable[[bytes], str]:
    def decoder(data: bytes) -> str:
        try:
            return str(data, name)
        except UnicodeDecodeError:
            return str(data, wider, "replace")

    return decoder


DECODERS: Final[Mapping[str, Callable[[bytes], str]]] = MappingProxyType(
    {
        **{
            name: _python_decoder(python, _WIDER.get(name, python))
            for name, python in _PYTHON.items()
        },
        "gsm": _decode_gsm,
        "ucs2": _decode_ucs2,
        "latin1": _decode_latin1,
        "ascii": _decode_ascii,
        "binary": _decode_latin1,
    }
)
