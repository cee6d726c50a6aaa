"""TON and NPI from the spelling of a sender."""

import pytest

from protocol.address import ADDRESS_RULES, Address, AddressRule, address, classify, mask


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("Aldis", (5, 0)),
        ("ALDIS 24", (5, 0)),
        ("24Aldis", (5, 0)),
        ("", (5, 0)),
        ("1", (3, 0)),
        ("72345", (3, 0)),
        ("723456", (3, 0)),
        ("72345678", (3, 0)),
        ("467012345", (1, 1)),
        ("46701234567", (1, 1)),
        ("+46701234567", (1, 1)),
        ("+2901234", (1, 1)),  # Saint Helena: a number can be as short as a code, the plus decides
        ("+", (5, 0)),
        ("46701-23", (5, 0)),
        ("٤٦٧٠١", (5, 0)),  # Arabic-Indic digits are not digits on the wire
        ("²³", (5, 0)),
        ("A" * 21, (0, 0)),
        ("1" * 21, (0, 0)),
    ],
)
def test_classify(sender: str, expected: tuple[int, int]) -> None:
    assert classify(sender) == expected


def test_a_carrier_s_rules_come_first() -> None:
    rules = (AddressRule("digits", 1, 6, 6, 1), *ADDRESS_RULES)
    assert classify("72345", rules) == (6, 1)
    assert classify("7234567", rules) == (3, 0)
    assert classify("Aldis", rules) == (5, 0)
    assert classify("72345", ()) == (0, 0)


def test_the_plus_stays_at_home() -> None:
    assert address("+46701234567") == Address(1, 1, "46701234567")
    assert address("72345") == Address(3, 0, "72345")
    assert address("C+") == Address(5, 0, "C+")


def test_mask() -> None:
    assert mask("33681234001") == "3368****001"
    assert mask("72345") == "7****"
    assert mask("") == "****"


def test_a_mask_is_one_line_whatever_the_peer_sent() -> None:
    assert mask("3\r\n\x1b681234\x85\n\0") == "3???****???"
    assert mask("\n") == "?****"
