"""What operators write for a phone, and whose it is."""

from __future__ import annotations

import pytest

from gateway.returns.addresses import international


@pytest.mark.parametrize(
    ("address", "ton", "region", "expected"),
    [
        ("33612345678", 1, "FR", "33612345678"),
        ("33612345678", 0, "FR", "33612345678"),
        ("0612345678", 0, "FR", "33612345678"),
        ("0612345678", 1, "FR", "33612345678"),  # it is not what its TON says
        ("612345678", 2, "FR", "33612345678"),
        ("0612345678", 2, None, "0612345678"),
        ("0033612345678", 0, None, "33612345678"),
        ("447400123456", 0, "FR", "447400123456"),
        ("89161234567", 2, "RU", "79161234567"),
        ("79161234567", 0, "RU", "79161234567"),
        ("2125551234", 2, "US", "12125551234"),
        ("12125551234", 0, "US", "12125551234"),
        ("36184", 3, "FR", "36184"),
        ("+33612345678", 1, "FR", "+33612345678"),
        ("ACME", 5, "FR", "ACME"),
        ("", 0, "FR", ""),
        ("000", 0, "FR", ""),
        ("\u0661", 0, "FR", "\u0661"),
    ],
)
def test_international(address: str, ton: int, region: str | None, expected: str) -> None:
    assert international(address, ton, region) == expected
