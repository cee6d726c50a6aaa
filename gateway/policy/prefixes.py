"""How many leading digits decide what `phonenumbers` says of a number.

The library's verdict on a number depends on matching it against the patterns of its country
code's regions. A pattern such as `9[0-24-9]\\d{8}` looks at two digits and counts the rest. So:
follow every pattern along every path and note the last position where it asked for anything but
"any digit". All numbers of the same length that share the digits up to there get the same
verdict. Out: `CallingCode.deciding_digits`. Pure; a walk takes about 100 us and is done once for
each prefix ever seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

_parser: Any = re._parser  # type: ignore[attr-defined]
_ANY_DIGIT: Final = frozenset("0123456789")

_DESCRIPTIONS: Final = (
    "general_desc", "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost",
    "personal_number", "voip", "pager", "uan", "voicemail",
)  # fmt: skip
"""The patterns `number_type` and `region_code_for_number` consult."""


class _Unreadable(Exception):
    """A pattern uses something this walk does not know: such codes are always asked afresh."""


class CallingCode:
    """One country code, such as `7` or `44`."""

    __slots__ = ("_length", "_patterns", "_trunk", "depths")

    def __init__(self, code: str, regions: tuple[str, ...]) -> None:
        self._length = len(code)
        self.depths: tuple[int, ...] = ()
        """Lengths of the prefixes learnt so far, country code included, shortest first."""
        self._patterns: list[Any] | None = []
        self._trunk: list[tuple[re.Pattern[str], Any]] = []
        try:
            for metadata in _metadata(code, regions):
                for pattern in _patterns(metadata):
                    self._patterns.append(_parser.parse(pattern))
                if metadata.national_prefix_for_parsing:
                    source = metadata.national_prefix_for_parsing
                    self._trunk.append((re.compile(source), _parser.parse(source)))
            self.deciding_digits(code + "0" * 9)
        except _Unreadable:
            self._patterns = None

    def deciding_digits(self, digits: str) -> int | None:
        """Leading digits of `digits` (E.164) that decide; None if the library must be asked.

        The latter where it would take a trunk prefix off first: what is left is then judged at
        other positions.
        """
        if self._patterns is None:
            return None
        national = digits[self._length :]
        last = -1
        for compiled, parsed in self._trunk:
            match = compiled.match(national)
            if match is not None and match.end():
                return None
            last = max(last, _last_asked(parsed, national))
        for parsed in self._patterns:
            last = max(last, _last_asked(parsed, national))
        return self._length + last + 1

    def note_depth(self, depth: int) -> None:
        """Remember that prefixes of this length are known."""
        if depth not in self.depths:
            self.depths = tuple(sorted({*self.depths, depth}))


def calling_codes() -> dict[str, CallingCode]:
    """Every country code, by its digits."""
    return {
        str(code): CallingCode(str(code), regions)
        for code, regions in COUNTRY_CODE_TO_REGION_CODE.items()
    }


def _metadata(code: str, regions: tuple[str, ...]) -> Iterator[Any]:
    for region in regions:
        if region == "001":
            yield PhoneMetadata.metadata_for_nongeo_region(int(code))
        else:
            yield PhoneMetadata.metadata_for_region(region)


def _patterns(metadata: Any) -> Iterator[str]:
    if metadata.leading_digits:
        yield metadata.leading_digits
    for name in _DESCRIPTIONS:
        description = getattr(metadata, name)
        if description is not None and description.national_number_pattern:
            yield description.national_number_pattern


def _last_asked(parsed: Any, digits: str) -> int:
    """The last position of `digits` that `parsed` compared with anything but "any digit"."""
    asked = [-1]
    _walk(parsed, {0}, digits, asked)
    return asked[0]


def _walk(parsed: Any, positions: set[int], digits: str, asked: list[int]) -> set[int]:
    """Follow a sequence from all `positions` at once; where it can stand afterwards."""
    for operator, argument in parsed:
        if not positions:
            break
        name = str(operator)
        if name in ("LITERAL", "IN"):
            positions = _step(_accepted(name, argument), positions, digits, asked)
        elif name in ("MAX_REPEAT", "MIN_REPEAT"):
            low, high, inner = argument
            reached = set(positions) if low == 0 else set()
            for turn in range(1, min(int(high), len(digits)) + 1):
                positions = _walk(inner, positions, digits, asked)
                if turn >= low:
                    reached |= positions
            positions = reached
        elif name == "SUBPATTERN":
            positions = _walk(argument[3], positions, digits, asked)
        elif name == "BRANCH":
            positions = set().union(
                *(_walk(branch, positions, digits, asked) for branch in argument[1])
            )
        elif name in ("ASSERT", "ASSERT_NOT"):
            # Following both answers asks more digits than either needs: safe, and rare.
            _walk(argument[1], positions, digits, asked)
        elif name != "AT":  # `$` asks about the length, which is part of what is remembered
            raise _Unreadable(name)
    return positions


def _step(accepted: frozenset[str], positions: set[int], digits: str, asked: list[int]) -> set[int]:
    inside = {position for position in positions if position < len(digits)}
    if accepted != _ANY_DIGIT and inside:
        asked[0] = max(asked[0], *inside)
    return {position + 1 for position in inside if digits[position] in accepted}


def _accepted(name: str, argument: Any) -> frozenset[str]:
    if name == "LITERAL":
        return frozenset(chr(argument))
    accepted: set[str] = set()
    for operator, value in argument:
        kind = str(operator)
        if kind == "LITERAL":
            accepted.add(chr(value))
        elif kind == "RANGE":
            accepted.update(chr(code) for code in range(value[0], value[1] + 1))
        elif kind == "CATEGORY" and str(value) == "CATEGORY_DIGIT":
            accepted |= _ANY_DIGIT
        else:
            raise _Unreadable(kind)
    return frozenset(accepted)
