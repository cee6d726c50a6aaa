"""Optional parameters (TLVs): one table of tags, and the stream they form at the end of a body.

placeholder docstring
"""

from struct import Struct
from .constants import ESME_RINVTLVLEN, ESME_RINVTLVSTREAM, ESME_RINVTLVVAL
from .errors import PduError, UsageError

_HEADER = Struct(">HH")

Tlvs = tuple[tuple[int, bytes], ...]


def read_tlvs(data: bytes, pos: int, end: int) -> Tlvs:
    """Return (tag, value) pairs in wire order; repeats and unknown tags survive.

    Raises PduError: ESME_RINVTLVLEN for a length that runs past `end`, ESME_RINVTLVSTREAM for one
    to three octets left over.
    """
    unpack = _HEADER.unpack_from
    tlvs = []
    while end - pos >= 4:
        tag, length = unpack(data, pos)
        start = pos + 4
        pos = start + length
        if pos > end:
            raise PduError(
                f"TLV 0x{tag:04X} says {length} octets but {end - start} are left",
                ESME_RINVTLVLEN,
            )
        tlvs.append((tag, data[start:pos]))
    if pos != end:
        raise PduError(
            f"{end - pos} octet(s) after the last parameter, too few for a TLV",
            ESME_RINVTLVSTREAM,
        )
    return tuple(tlvs)


def write_tlvs(tlvs: Tlvs) -> bytes:
    """Return the octets of (tag, value) pairs, in their order; raise UsageError."""
    out = b""
    for tag, value in tlvs:
        try:
            out += _HEADER.pack(tag, len(value)) + value
        except Exception as e:
            raise UsageError(f"TLV {tag!r}: tag or value does not fit", ESME_RINVTLVVAL) from None
    return out
