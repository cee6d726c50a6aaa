"""The remembered verdicts must be the library's own."""

from __future__ import annotations

import random

import phonenumbers
import pytest

from gateway.admission.numbering import Numbering, kind_of

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
KINDS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)


def varied_numbers(count: int, seed: int) -> list[str]:
    """Example numbers of every region and kind with some digits changed: near every border."""
    rng = random.Random(seed)
    numbers = []
    while len(numbers) < count:
        example = phonenumbers.example_number_for_type(rng.choice(REGIONS), rng.choice(KINDS))
        if example is None:
            continue
        code = str(example.country_code)
        digits = list(code + phonenumbers.national_significant_number(example))
        for _ in range(rng.randrange(5)):
            digits[rng.randrange(len(code), len(digits))] = str(rng.randrange(10))
        if rng.random() < 0.1:
            digits.append(str(rng.randrange(10)))
        elif rng.random() < 0.1:
            digits.pop()
        numbers.append("".join(digits))
    return numbers


@pytest.mark.slow
def test_memory_answers_as_the_library_does(numbering: Numbering) -> None:
    for digits in varied_numbers(6_000, seed=7):
        verdict = numbering.look("+" + digits, None)
        expected = numbering._judge("+" + digits, None)
        if not 7 <= len(digits) <= 15:
            continue
        if verdict[0]:  # its kind, too
            assert verdict == expected, digits
        else:
            assert verdict[:3] == expected[:3], digits


def test_memory_is_used_and_bounded(numbering: Numbering) -> None:
    numbering.look("+79161234567", None)
    entries = numbering._entries
    for tail in range(1000):
        numbering.look(f"+7916{tail:07d}", None)
    assert numbering._entries == entries


@pytest.mark.parametrize(
    ("raw", "region", "digits", "country"),
    [
        ("+33 6 12 34 56 78", None, 33612345678, "FR"),
        ("+33 (0)6 12 34 56 78", None, 33612345678, "FR"),
        ("06 12 34 56 78", "FR", 33612345678, "FR"),
        ("0033612345678", "FR", 33612345678, "FR"),
        ("0033612345678", None, 33612345678, "FR"),
        ("8 (916) 123-45-67", "RU", 79161234567, "RU"),
        ("79161234567", "RU", 79161234567, "RU"),
        ("79161234567", "FR", 79161234567, "RU"),
        ("79161234567", None, 79161234567, "RU"),
        ("07400 123456", "GB", 447400123456, "GB"),
        ("(212) 555-0123", "US", 12125550123, "US"),
        ("+1 416 555 0123", None, 14165550123, "CA"),
        ("098765 43210", "IN", 919876543210, "IN"),
        ("+49 1512 3456789", None, 4915123456789, "DE"),
        ("\u202f+39 312 345 6789", None, 393123456789, "IT"),
    ],
)
def test_customary_forms(
    numbering: Numbering, raw: str, region: str | None, digits: int, country: str
) -> None:
    *verdict, detail = numbering.look(raw, region)
    assert verdict == [digits, country, None]
    assert kind_of(detail) in ("mobile", "fixed_line_or_mobile")


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ("+33612345678", "mobile"), ("+12015550123", "fixed_line_or_mobile"),
        ("+442079460123", "fixed_line"), ("+33899123456", "premium_rate"),
    ],
)  # fmt: skip
def test_kinds(numbering: Numbering, raw: str, kind: str) -> None:
    assert kind_of(numbering.look(raw, None)[3]) == kind


@pytest.mark.parametrize(
    ("raw", "region", "reason"),
    [
        ("", "FR", "invalid_number"),
        ("+", None, "invalid_number"),
        ("hello", "FR", "invalid_number"),
        ("06 12 34 56", "FR", "invalid_number"),
        ("0612345678", None, "invalid_number"),
        ("+999123456789", None, "invalid_number"),
        ("+3361234567890123", None, "invalid_number"),
        ("+33 1 42 68 53 00", None, "not_mobile"),
        ("01 42 68 53 00", "FR", "not_mobile"),
        ("+7 495 123-45-67", None, "not_mobile"),
        ("+800 1234 5678", None, "not_mobile"),
        ("6" * 40, "FR", "invalid_number"),
        ("+79161234567\x00", None, "invalid_number"),
        ("+٧٩١٦١٢٣٤٥٦٧", None, "invalid_number"),
        ("1-800-FLOWERS", "US", "invalid_number"),
    ],
)
def test_what_cannot_receive(
    numbering: Numbering, raw: str, region: str | None, reason: str
) -> None:
    assert numbering.look(raw, region)[2] == reason
