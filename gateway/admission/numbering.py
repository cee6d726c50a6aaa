"""Phone numbers as people write them -> E.164, country, and whether they can receive SMS.

In: one number in any customary form and the region it may be national to. Out: a `Verdict`.
`phonenumbers` is the judge; it needs 25 us for a number, so its verdicts on E.164 input are
remembered by prefix. How many leading digits a verdict depends on is read from the library's own
metadata (see `prefixes`), so the memory answers exactly as the library would: tests hold it to
that. Knows no account and no message.
"""

from __future__ import annotations

from typing import Final

import phonenumbers
from phonenumbers import PhoneNumberType

from gateway.policy.prefixes import CallingCode, calling_codes

MAX_LENGTH: Final = 32
"""Longer than any number with its brackets and spaces; beyond it nobody typed a number."""

_MOBILE: Final = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})
_REMEMBERED: Final = 200_000
"""Prefixes kept; the whole world's mobile plans need about 30,000."""

_PUNCTUATION: Final = str.maketrans("", "", " \t\u00a0\u202f().-/\u2010\u2011\u2012\u2013")

Verdict = tuple[int, str | None, str | None, str]
"""(E.164 digits as an integer or 0, ISO 3166 country or None, reason code or None, detail).

`not_mobile` verdicts carry the number: it exists, and an account may allow it. The detail of a
number that exists is its kind.
"""
_KIND: Final = "a {} number"


def kind_of(detail: str) -> str:
    """The kind in the detail of a verdict on a number that exists: `mobile`, `fixed_line`,
    `fixed_line_or_mobile` (plans that do not tell them apart), `voip` ..."""
    before, _, after = _KIND.partition("{}")
    return detail.removeprefix(before).removesuffix(after)


# A memory's row: digits that decide, and what they decide.
_Known = tuple[str | None, str | None, str]


class Numbering:
    """The world's numbering plans; one for the process."""

    __slots__ = ("_codes", "_entries", "_known")

    def __init__(self) -> None:
        self._codes: dict[str, CallingCode] = calling_codes()
        # By length, then by the deciding digits: equal prefixes of different lengths differ.
        self._known: list[dict[str, _Known]] = [{} for _ in range(16)]
        self._entries = 0

    def look(self, raw: str, region: str | None) -> Verdict:
        """What `raw` is.

        `+` or `00` and a country code always win. Digits alone are read as national to `region`
        first and as international without the `+` second.
        """
        if raw[:1] == "+":
            digits = raw[1:]
            if digits.isdecimal() and digits.isascii():
                return self._e164(digits)
        if len(raw) > MAX_LENGTH:
            return 0, None, "invalid_number", f"{len(raw)} characters, at most {MAX_LENGTH}"
        bare = raw.translate(_PUNCTUATION)
        signed = bare[:1] == "+"
        digits = bare[1:] if signed else bare
        if not digits:
            return 0, None, "invalid_number", "there is no number"
        if not (digits.isdecimal() and digits.isascii()):
            return 0, None, "invalid_number", "has characters no phone number has"
        if signed:
            # The library knows about the trunk zero of `+33 (0)6 ...`.
            return self._judge("+" + digits, None)
        if region is not None:
            national = self._judge(digits, region)
            if national[0]:
                return national
        if digits.startswith("00"):
            return self._e164(digits[2:])
        verdict = self._e164(digits)
        if verdict[0]:
            return verdict
        if region is not None:
            return national  # what is wrong with it as people there would read it
        return 0, None, "invalid_number", "no country code, and the account has no default_region"

    def _e164(self, digits: str) -> Verdict:
        """The verdict on a country code and national number without punctuation."""
        length = len(digits)
        if not 7 <= length <= 15:
            return 0, None, "invalid_number", f"{length} digits; E.164 numbers have 7 to 15"
        code = (
            self._codes.get(digits[0]) or self._codes.get(digits[:2]) or self._codes.get(digits[:3])
        )
        if code is None:
            return 0, None, "invalid_number", "no country has this code"
        known = self._known[length]
        for depth in code.depths:
            found = known.get(digits[:depth])
            if found is not None:
                country, reason, detail = found
                return (0 if reason == "invalid_number" else int(digits)), country, reason, detail
        return self._learn(digits, code)

    def _learn(self, digits: str, code: CallingCode) -> Verdict:
        verdict = self._judge("+" + digits, None)
        depth = code.deciding_digits(digits)
        if depth is not None and verdict[0] in (0, int(digits)):
            if self._entries >= _REMEMBERED:
                for known in self._known:
                    known.clear()
                self._entries = 0
            self._known[len(digits)][digits[:depth]] = verdict[1:]
            self._entries += 1
            code.note_depth(depth)
        return verdict

    @staticmethod
    def _judge(number: str, region: str | None) -> Verdict:
        """Ask the library (25 us)."""
        try:
            parsed = phonenumbers.parse(number, region)
        except phonenumbers.NumberParseException as error:
            return 0, None, "invalid_number", _sentence(error)
        country = phonenumbers.region_code_for_number(parsed)
        if country is None or not phonenumbers.is_valid_number_for_region(parsed, country):
            return 0, None, "invalid_number", "no such number in its country's numbering plan"
        digits = int(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)[1:])
        kind = phonenumbers.number_type(parsed)
        # "001" is the library's name for codes that belong to no country.
        shown = country if country != "001" else None
        detail = _KIND.format(PhoneNumberType.to_string(kind).lower())
        return digits, shown, None if kind in _MOBILE else "not_mobile", detail


def _sentence(error: phonenumbers.NumberParseException) -> str:
    if error.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE:
        return "no country has this code"
    return "not a phone number"
