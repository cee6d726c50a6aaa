"""What a customer's own parts may say where our reading of them is not the phone's.

In: parts that leave as they came. Out: what a strict reader of their data_coding shows, for
moderation to look at beside the text we read in them: ours is benevolent (it believes octets that
contradict their data_coding), and in what is declared to be no text it reads nothing at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.store.messages import RawPart
from protocol import user_data
from protocol.coding import codecs_by_data_coding
from protocol.tlv import TLVS

_TOTAL: Final = TLVS["sar_total_segments"].tag
_CODECS: Final = codecs_by_data_coding()
_OCTETS: Final = frozenset({"gsm", "ascii", "latin1", "binary"})
"""Read letter by octet. What is left reads no Latin, Greek or Cyrillic from other octets than we
do."""


def all_text(raw: Sequence[RawPart]) -> bool:
    """Whether every part is declared to be text."""
    return all(_CODECS[part.data_coding] != "binary" for part in raw)


def strictly_read(raw: Sequence[RawPart]) -> str:
    """What phones would show, character by character, behind the parts' headers."""
    shown = []
    for part in raw:
        codec = _CODECS[part.data_coding]
        _, data = user_data.split(part.payload, part.esm_class)
        if codec == "ucs2":
            shown.append(data.decode("utf-16-be", "replace"))
        elif codec in _OCTETS:
            shown.append(data.decode("latin-1"))
    return "".join(shown)


def incomplete(raw: Sequence[RawPart]) -> bool:
    """Whether parts are missing that the phone has, or will be sent: it joins what comes hours
    apart, and shows what nobody has read whole."""
    header, _ = user_data.split(raw[0].payload, raw[0].esm_class)
    if header is not None and header.concat is not None:
        return header.concat.total > len(raw)
    return int.from_bytes(dict(raw[0].tlvs).get(_TOTAL, b"")) > len(raw)


def printable(text: str) -> str:
    """For a moderator: what can be shown of octets."""
    return "".join([letter if letter.isprintable() else "·" for letter in text])
