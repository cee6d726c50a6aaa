"""The GSM 7-bit default alphabet and its extension (3GPP TS 23.038 §6.2.1).

In: text, or septets. Out: septets, one per octet ("unpacked", as SMPP carries them), text, and the
packed form of §6.1.2.1. An alphabet is data: 128 characters and what may follow ESC, so a national
language table is one more `Alphabet` and no more code.

It may not know data_coding, headers or lengths of messages: those are coding.py and segment.py.
"""

import codecs
from collections.abc import Mapping
from typing import Final

ESC: Final = 0x1B

# The marks below stand for something else than a septet, so they must differ from every one of
# them. An extension character is marked by its septet + 0x80; ESC never follows ESC as a
# character, so ESC + 0x80 is free to say "not in this alphabet".
_EXTENDED: Final = 0x80
_FOREIGN: Final = ESC | _EXTENDED
_SEPTETS: Final = bytes(range(128))

UNASSIGNED: Final = "\ufffd"
"""Stands in a locking table for a code without a character: read as such, never written."""

# fmt: off
DEFAULT_LOCKING: Final = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
DEFAULT_SHIFT: Final = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\",
    0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€",
}
# fmt: on


class Alphabet:
    """One locking table with one single shift table, ready to encode and decode.

    `locking` is 128 characters by septet, with ESC at 0x1B and UNASSIGNED where there is none;
    `shift` maps the septet after ESC to its character. `locking_shift` and `single_shift` are the
    national language identifiers (TS 23.038 §6.2.1.2.4) that a message in this alphabet has to
    announce in its header, 0 for none.

    A text of one message has to encode in under 1 µs, so no step is per character: C maps the
    text to octets, `bytes.translate` maps octets to septets, and one `isascii` tells whether any
    mark was left behind. Characters beyond Latin-1 take a second, slower map (+0.9 µs).
    """

    __slots__ = (
        "_decoding",
        "_escapes",
        "_from_latin1",
        "_from_map",
        "_map",
        "_shift",
        "locking_shift",
        "name",
        "single_shift",
    )

    def __init__(
        self,
        name: str,
        locking: str,
        shift: Mapping[int, str],
        *,
        locking_shift: int = 0,
        single_shift: int = 0,
    ) -> None:
        if len(locking) != 128 or locking[ESC] != "\x1b" or ESC in shift:
            raise ValueError(f"{name}: 128 characters with ESC at 0x1B, and none after ESC ESC")
        self.name = name
        self.locking_shift = locking_shift
        self.single_shift = single_shift
        self._shift = dict(shift)
        # Some national tables hold a character twice: its first place counts. One in both tables
        # costs one septet, not two.
        marks = {char: code | _EXTENDED for code, char in sorted(shift.items(), reverse=True)}
        plain = {char: code for code, char in enumerate(locking) if code != ESC}
        plain.pop(UNASSIGNED, None)
        marks.update(plain)
        self._from_latin1 = bytes(marks.get(chr(i), _FOREIGN) for i in range(256))
        # codecs.charmap_build makes its fast form only when index 0 is NUL, which is "@" here: so
        # the map goes to an index of our own, and a second translate from there to the septet.
        chars = sorted(marks)
        self._map = codecs.charmap_build(("\0" + "".join(chars)).ljust(256, "\ufffe"))
        self._from_map = bytes([_FOREIGN, *(marks[char] for char in chars)]).ljust(256, b"\0")
        self._escapes = {
            mark: (bytes([mark]), bytes([ESC, mark & 0x7F]))
            for mark in marks.values()
            if mark & _EXTENDED
        }
        # Octets above 0x7F are no septets; peers that send them mean Latin-1.
        self._decoding = locking.replace("\x1b", " ") + "".join(map(chr, range(128, 256)))

    def encode(self, text: str) -> bytes | None:
        """Septets of `text`, one per octet, ESC pairs included; None when a character is foreign.

        One call answers both "does it fit" and "how long is it": `len` counts septets as the
        radio interface does.
        """
        # "ignore" and a look at the length cost half of raising and catching an exception.
        raw = codecs.latin_1_encode(text, "ignore")[0]
        if len(raw) == len(text):
            septets = raw.translate(self._from_latin1)
        else:
            raw = codecs.charmap_encode(text, "ignore", self._map)[0]
            if len(raw) != len(text):
                return None
            septets = raw.translate(self._from_map)
        if septets.isascii():
            return septets
        if _FOREIGN in septets:
            return None
        for mark in set(septets.translate(None, _SEPTETS)):
            septets = septets.replace(*self._escapes[mark])
        return septets

    def decode(self, septets: bytes) -> str:
        """Text of unpacked septets; never fails.

        ESC before a character the shift table lacks shows the locking table's character, ESC ESC
        and a last ESC show a space (TS 23.038 §6.2.1.1, note 1 and §6.2.1.2.3). An octet above
        0x7F is read as Latin-1.
        """
        text: str = codecs.charmap_decode(septets, "strict", self._decoding)[0]
        at = septets.find(ESC)
        if at < 0:
            return text
        out = []
        start = 0
        while at >= 0:
            out.append(text[start:at])
            start = at + 2
            if start <= len(septets):
                out.append(self._shift.get(septets[at + 1], text[at + 1]))
            else:
                out.append(" ")
            at = septets.find(ESC, start)
        out.append(text[start:])
        return "".join(out)


DEFAULT: Final = Alphabet("gsm", DEFAULT_LOCKING, DEFAULT_SHIFT)

encode = DEFAULT.encode
decode = DEFAULT.decode

_BITS: Final = tuple(f"{septet:07b}" for septet in range(128))


def fill_bits(header_length: int) -> int:
    """Bits between a header of `header_length` octets (UDHL included) and the next septet.

    TS 23.040 §9.2.3.24: text after a header starts on a septet boundary counted from its start.
    """
    return -header_length * 8 % 7


def pack(septets: bytes, fill: int = 0) -> bytes:
    """Pack septets eight to seven octets (TS 23.038 §6.1.2.1.1), after `fill` zero bits.

    Raises ValueError for an octet above 0x7F.
    """
    if not septets.isascii():
        raise ValueError("a septet is 0x00 to 0x7F")
    if not septets:
        return b""
    bits = "".join([_BITS[septet] for septet in reversed(septets)])
    return (int(bits, 2) << fill).to_bytes((len(bits) + fill + 7) // 8, "little")


def unpack(octets: bytes, fill: int = 0, count: int | None = None) -> bytes:
    """Unpack septets; `count` is how many, when the sender said so.

    Without a count, seven zero bits at the very end are taken for padding and not for "@": SMPP
    tells octets only, and texts of 8n - 1 septets are more common than ones of 8n ending in "@".
    """
    held = max(0, len(octets) * 8 - fill) // 7
    number = int.from_bytes(octets, "little") >> fill
    if count is None:
        padded = held and (len(octets) * 8 - fill) % 7 == 0 and not number >> 7 * (held - 1)
        count = held - 1 if padded else held
    return bytes([number >> at & 0x7F for at in range(0, 7 * min(count, held), 7)])
