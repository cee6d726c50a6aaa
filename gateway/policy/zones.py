"""Where a number is: its country and its time zones.

In: E.164 numbers, the table of zones. Out: a `Place`, the same object for all numbers of one place,
so that what was decided for one holds for the others. The table goes first, then `phonenumbers`,
then the country code as a whole; a number of no country keeps UTC. What `phonenumbers` says (it
takes 30 us) is remembered by the leading digits it depends on, as in `admission.numbering`: tests
hold the memory to the library. Knows no message.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import phonenumbers
import phonenumbers.timezone
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE
from phonenumbers.tzdata import TIMEZONE_DATA

from config.hours import ZonesFile
from gateway.policy.prefixes import CallingCode

REMEMBERED: Final = 200_000
"""Prefixes kept; the whole world's mobile plans need about 30,000."""
NOWHERE: Final = ("UTC",)
"""Zones of satellite phones and the like."""


class Place(msgspec.Struct, frozen=True, eq=False):
    """A country and the time zones a number of it can be in. Equal to itself only."""

    country: str | None
    """ISO 3166 code; None for numbers of no country."""
    zones: tuple[str, ...]
    """IANA names, at least one."""


class _Code:
    """A country code, and how many digits were found to decide within it."""

    __slots__ = ("calling", "depths")

    def __init__(self, code: str) -> None:
        self.calling = CallingCode(code, COUNTRY_CODE_TO_REGION_CODE[int(code)])
        self.depths: tuple[int, ...] = ()


class Zones:
    """All places there are; may be asked from several threads."""

    __slots__ = ("_codes", "_entries", "_inner", "_known", "_named", "_places", "_table")

    def __init__(self, file: ZonesFile) -> None:
        self._table = {prefix: tuple(row.zones) for row in file.numbers for prefix in row.prefixes}
        keys = [*self._table, *TIMEZONE_DATA]
        self._inner = {key[:length] for key in keys for length in range(len(key))}
        """Beginnings of prefixes: behind one of them the next digit tells something."""
        self._places: dict[tuple[str | None, tuple[str, ...]], Place] = {}
        self._named: dict[tuple[str, str | None], Place] = {}
        self._codes: dict[str, _Code] = {}
        self._known: list[dict[str, Place]] = [{} for _ in range(16)]
        self._entries = 0

    def named(self, zone: str, country: str | None) -> Place:
        """The place of a recipient whose zone is known."""
        place = self._named.get((zone, country))
        if place is None:
            place = self._named[zone, country] = self._place(country, (zone,))
        return place

    def place(self, number: int) -> Place:
        """The place of an E.164 number, its digits as an integer."""
        digits = str(number)
        codes = self._codes
        code = codes.get(digits[0]) or codes.get(digits[:2]) or codes.get(digits[:3])
        if code is not None and len(digits) < 16:
            known = self._known[len(digits)]
            for depth in code.depths:
                found = known.get(digits[:depth])
                if found is not None:
                    return found
        return self._learn(digits)

    def _learn(self, digits: str) -> Place:
        name = calling_code(digits)
        place = self._place(*self._judge(digits, name))
        if name is None or len(digits) > 15:
            return place
        code = self._codes.get(name)
        if code is None:
            code = self._codes[name] = _Code(name)
        deciding = code.calling.deciding_digits(digits)
        if deciding is None:
            return place
        depth = max(deciding, self._telling(digits))
        if self._entries >= REMEMBERED:
            for known in self._known:
                known.clear()
            self._entries = 0
        self._known[len(digits)][digits[:depth]] = place
        self._entries += 1
        if depth not in code.depths:
            code.depths = tuple(sorted({*code.depths, depth}))
        return place

    def _telling(self, digits: str) -> int:
        """Leading digits that decide which prefix of the tables fits."""
        length = 0
        while length < len(digits) and digits[:length] in self._inner:
            length += 1
        return length

    def _judge(self, digits: str, code: str | None) -> tuple[str | None, tuple[str, ...]]:
        """Country and zones, without the memory."""
        country = None
        zones: tuple[str, ...] = ()
        try:
            parsed: Any = phonenumbers.parse("+" + digits, None)
        except phonenumbers.NumberParseException:
            pass
        else:
            region = phonenumbers.region_code_for_number(parsed)
            country = region if region != "001" else None
            found = phonenumbers.timezone.time_zones_for_number(parsed)
            zones = tuple(zone for zone in found if zone != "Etc/Unknown")
        for length in range(len(digits), 0, -1):
            listed = self._table.get(digits[:length])
            if listed is not None:
                return country, listed
        return country, zones or TIMEZONE_DATA.get(code or "") or NOWHERE

    def _place(self, country: str | None, zones: tuple[str, ...]) -> Place:
        key = (country, zones)
        place = self._places.get(key)
        return place if place is not None else self._places.setdefault(key, Place(*key))


def calling_code(digits: str) -> str | None:
    """The country code a number begins with."""
    for length in (1, 2, 3):
        if digits[:length].isdigit() and int(digits[:length]) in COUNTRY_CODE_TO_REGION_CODE:
            return digits[:length]
    return None
