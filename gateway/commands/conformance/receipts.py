"""What a handful of receipts says about the operator's dialect. Pure.

In: the ids that submit_sm_resp gave, and the receipts. Out: which form of id explains them, what
the dates look like and how far their clock is from UTC, which TLVs and words they use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from protocol import receipt as r
from protocol import times
from protocol.message_id import FORMS, canonical
from protocol.pdu import Pdu
from protocol.tlv import TLV_BY_TAG

_QUARTER: Final = 900
_CLEAR: Final = 180
"""Seconds a date may be off a quarter of an hour: minutes are the receipts' unit, and two clocks
differ."""


@dataclass(frozen=True, slots=True)
class Told:
    """One receipt with the moment it came."""

    receipt: r.Receipt
    tlvs: r.Tlvs
    at: float
    """Seconds of the loop's clock."""
    utc: int
    """µs since the epoch, when its submit was answered or sent."""


def receipt_of(pdu: Pdu) -> r.Receipt | None:
    """The receipt in a deliver_sm or data_sm, if it is one."""
    esm_class = int(getattr(pdu, "esm_class", 0))
    if not r.is_receipt(esm_class, pdu.tlvs):
        return None
    return r.parse(bytes(getattr(pdu, "short_message", b"")), pdu.tlvs)


def _exactly(id: str) -> str:
    return id


# How the id of the response is found from a receipt's: (value of `message_id`, in words, how, and
# whether the response's own spelling is folded first).
_EXPLANATIONS: Final[tuple[tuple[str, str, Callable[[str], str], bool], ...]] = (
    ("as_is", "the same in both", _exactly, False),
    ("as_is", "the same but for zeros in front or the case of letters", canonical, True),
    (
        "resp_hex_receipt_dec",
        "hexadecimal in the response, decimal in the receipt",
        FORMS["resp_hex_receipt_dec"],
        True,
    ),
    (
        "resp_dec_receipt_hex",
        "decimal in the response, hexadecimal in the receipt",
        FORMS["resp_dec_receipt_hex"],
        True,
    ),
)


def id_form(responses: Sequence[str], receipts: Sequence[str]) -> tuple[str, str] | None:
    """(value of `message_id`, in words) that explains every receipt's id; None if none does."""
    if not receipts:
        return None
    for form, words, convert, fold in _EXPLANATIONS:
        known = {canonical(one) if fold else one for one in responses}
        if all(convert(one) in known for one in receipts):
            return form, words
    return None


def shape(id: str) -> str:
    """An id in words: how long, of what."""
    if id.isdigit():
        kind = "decimal digits"
    elif not id.strip("0123456789abcdefABCDEF"):
        kind = "hexadecimal digits"
    else:
        kind = "characters"
    return f"{len(id)} {kind}"


def date_offset(raw: str | None, moment: int) -> int | None:
    """Seconds a receipt's clock is ahead of UTC, read from a date of `moment` (UTC µs); None if
    it is not near a quarter of an hour."""
    read = times.receipt_date(raw)
    if read is None:
        return None
    ahead = (read - moment) / 1_000_000
    offset = round(ahead / _QUARTER) * _QUARTER
    if abs(ahead - offset) > _CLEAR or abs(offset) > 14 * 3600:
        return None
    return offset


def offset_words(offset: int) -> str:
    """An offset from UTC as people write it."""
    sign = "-" if offset < 0 else "+"
    return f"UTC{sign}{abs(offset) // 3600:02d}:{abs(offset) // 60 % 60:02d}"


# Offsets that are no whole hour and have a zone without daylight saving.
_ODD_ZONES: Final = {
    12_600: "Asia/Tehran",
    16_200: "Asia/Kabul",
    19_800: "Asia/Kolkata",
    20_700: "Asia/Kathmandu",
    23_400: "Asia/Yangon",
    34_200: "Australia/Darwin",
}


def zone(offset: int) -> str | None:
    """A `receipt_zone` of that fixed offset; None where no zone has it."""
    if offset == 0:
        return "UTC"
    if offset % 3600 == 0:
        # POSIX counts westwards: Etc/GMT-2 is two hours ahead of UTC.
        return f"Etc/GMT{'-' if offset > 0 else '+'}{abs(offset) // 3600}"
    return _ODD_ZONES.get(offset)


def tlv_names(told: Sequence[Told]) -> list[str]:
    """The TLVs of all receipts, in order of appearance."""
    tags = dict.fromkeys(tag for one in told for tag, _ in one.tlvs)
    return [TLV_BY_TAG[tag].name if tag in TLV_BY_TAG else f"0x{tag:04X}" for tag in tags]


def values(told: Sequence[Told], field: str) -> list[Any]:
    """The distinct values of one field of the receipts, without those that lack it."""
    found = (getattr(one.receipt, field) for one in told)
    return [*dict.fromkeys(value for value in found if value is not None)]
