"""Phones' addresses as operators write them -> as the ledgers know them.

In: an address with its TON, and the region whose national numbers the carrier writes. Out: the
digits of E.164 where that can be told; else the address as it came. A refusal under another
spelling stops nothing, and `0612345678` read as a number is another country's.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import phonenumbers

INTERNATIONAL: Final = 1
"""TON of a number with its country code (SMPP 3.4 §5.2.5)."""
NATIONAL: Final = 2
"""TON of one without."""
REMEMBERED: Final = 1_024
"""Addresses whose reading is remembered: our own numbers, and phones that write in parts. Reading
one takes 30 us."""


def international(address: str, ton: int, region: str | None) -> str:
    """`address` with its country code, if it is a national number of `region` or begins with 00;
    anything else as it is."""
    if not (address.isascii() and address.isdecimal()):
        return address
    if address.startswith("00"):
        return address.lstrip("0")
    if region is None or (ton == INTERNATIONAL and address[0] != "0"):
        return address
    return _read(address, region, ton == NATIONAL or address[0] == "0")


@lru_cache(maxsize=REMEMBERED)
def _read(address: str, region: str, national: bool) -> str:
    try:
        number = phonenumbers.parse(address, region)
    except phonenumbers.NumberParseException:
        return address
    # What says that it is national is believed though the plan has no such number: plans grow.
    fits = phonenumbers.is_possible_number if national else phonenumbers.is_valid_number
    if not fits(number):
        return address
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
