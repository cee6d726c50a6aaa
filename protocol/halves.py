"""Parts of a text whose sender cut inside a character, and the text they make together.

In: the octets of one part. Out: its text, with a mark where half a character stands at an end; and
the parts' texts joined, the marks resolved. 3GPP TS 23.040 forbids such cuts; senders that count
octets make them all the same, and parts are kept as text until all have come.

A mark is a character of Unicode's last private plane, which no alphabet of SMS can carry: half a
surrogate pair is U+100000 plus the half, an ESC without its character U+10001B.
"""

import codecs
import re
from collections.abc import Iterable
from typing import Final

from . import gsm7
from .coding import decode

_PLANE: Final = 0x100000
_ESC: Final = chr(_PLANE | gsm7.ESC)
_HALF: Final = re.compile("[\ud800-\udfff]")
_PAIR: Final = re.compile("([\U0010d800-\U0010dbff])([\U0010dc00-\U0010dfff])")
_ESCAPED: Final = re.compile(f"{_ESC}(.)", re.DOTALL)
_MARK: Final = re.compile(f"[{_ESC}\U0010d800-\U0010dfff]")


def decode_part(octets: bytes, encoding: str) -> str:
    """Text of one part of several; `coding.decode` but for half characters at its ends."""
    if encoding == "ucs2" and len(octets) % 2 == 0 and _cut(octets):
        text = codecs.utf_16_be_decode(octets, "surrogatepass", True)[0]
        return _HALF.sub(lambda half: chr(_PLANE | ord(half[0])), text)
    if encoding == "gsm" and octets[-1:] == b"\x1b" and octets[-2:] != b"\x1b\x1b":
        return decode(octets[:-1], encoding) + _ESC
    return decode(octets, encoding)


def join(texts: Iterable[str]) -> str:
    """What parts say together, in their order; a half whose other half never came is U+FFFD, and an
    ESC at the very end a space, as phones show them."""
    text = "".join(texts)
    if _MARK.search(text) is None:
        return text
    text = _PAIR.sub(_whole, text)
    text = _ESCAPED.sub(_shifted, text)
    return _MARK.sub(lambda mark: " " if mark[0] == _ESC else "\ufffd", text)


def _cut(octets: bytes) -> bool:
    """Whether the octets begin with the second half of a pair or end with the first."""
    return octets[:1] in _SECOND or (len(octets) > 1 and octets[-2:-1] in _FIRST)


_FIRST: Final = frozenset(bytes((octet,)) for octet in range(0xD8, 0xDC))
_SECOND: Final = frozenset(bytes((octet,)) for octet in range(0xDC, 0xE0))


def _whole(pair: re.Match[str]) -> str:
    first, second = (ord(half) & 0x3FF for half in pair.groups())
    return chr(0x10000 + (first << 10 | second))


def _shifted(pair: re.Match[str]) -> str:
    """The character that ESC makes of the next part's first one."""
    septets = gsm7.encode(pair[1])
    if septets is None or len(septets) != 1:
        return " " + pair[1]
    return gsm7.decode(bytes((gsm7.ESC,)) + septets)
