"""The user data header of a short message (3GPP TS 23.040 §9.2.3.24).

In: a short_message with the UDH indicator set. Out: its information elements in the order they
came, concatenation and language identifiers read from them, and the user data behind.

It may not know which elements a caller wants to allow, nor how user data is encoded.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from .constants import ESME_RINVMSGLEN
from .errors import PduError, UsageError

CONCAT_8: Final = 0x00
CONCAT_16: Final = 0x08
SINGLE_SHIFT: Final = 0x24
LOCKING_SHIFT: Final = 0x25


class Concat(NamedTuple):
    """One part's place: `reference` of `reference_bits`, `sequence` of `total`, from 1."""

    reference: int
    reference_bits: int
    total: int
    sequence: int


class Header:
    """A parsed header.

    `raw` is the header as it came, UDHL included, so that unknown and broken elements go on
    unchanged. `elements` are (identifier, data) in order. `concat` is None when the message is
    not, or not sensibly, a part of several. Language identifiers are 0 when absent.
    """

    __slots__ = ("concat", "elements", "locking_shift", "raw", "single_shift")

    def __init__(self, raw: bytes, elements: tuple[tuple[int, bytes], ...]) -> None:
        self.raw = raw
        self.elements = elements
        self.concat: Concat | None = None
        self.single_shift = 0
        self.locking_shift = 0
        # An element that comes twice counts as its last one says, and the two forms of
        # concatenation exclude each other in the same way (§9.2.3.24).
        for identifier, data in elements:
            if identifier == CONCAT_8 and len(data) == 3:
                self._concat(data[0], 8, data[1], data[2])
            elif identifier == CONCAT_16 and len(data) == 4:
                self._concat(data[0] << 8 | data[1], 16, data[2], data[3])
            elif identifier == SINGLE_SHIFT and len(data) == 1:
                self.single_shift = data[0]
            elif identifier == LOCKING_SHIFT and len(data) == 1:
                self.locking_shift = data[0]

    def _concat(self, reference: int, bits: int, total: int, sequence: int) -> None:
        # §9.2.3.24.1: such an element is ignored, not the message.
        if 1 <= sequence <= total:
            self.concat = Concat(reference, bits, total, sequence)


def parse(short_message: bytes) -> tuple[Header, bytes]:
    """Split a short_message that begins with a header into the header and the user data.

    An element that runs over the end of the header ends the list; it stays in `raw` only.
    Raises PduError (ESME_RINVMSGLEN) when there is no header or it is longer than the message.
    """
    if not short_message or short_message[0] >= len(short_message):
        raise PduError("the user data header is longer than the message", ESME_RINVMSGLEN)
    end = short_message[0] + 1
    elements = []
    at = 1
    while at + 2 <= end:
        data_at = at + 2
        at = data_at + short_message[at + 1]
        if at > end:
            break
        elements.append((short_message[data_at - 2], short_message[data_at:at]))
    return Header(short_message[:end], tuple(elements)), short_message[end:]


def build(elements: Iterable[tuple[int, bytes]]) -> bytes:
    """A header of these elements, UDHL first.

    Raises UsageError when they take more than 255 octets.
    """
    elements = tuple(elements)
    length = sum(2 + len(data) for _, data in elements)
    if length > 255:
        raise UsageError(f"a user data header holds 255 octets, not {length}")
    body = b"".join(bytes((identifier, len(data))) + data for identifier, data in elements)
    return bytes((len(body),)) + body


def concat_element(reference: int, total: int, sequence: int, bits: int = 8) -> bytes:
    """The concatenation element itself, without UDHL; `reference` is taken modulo its size."""
    if bits == 8:
        return bytes((CONCAT_8, 3, reference & 0xFF, total, sequence))
    return bytes((CONCAT_16, 4, reference >> 8 & 0xFF, reference & 0xFF, total, sequence))
