"""Addresses: type of number, numbering plan, and which of them a sender's spelling asks for.

In: the sender as an account or a configuration spells it. Out: TON, NPI and the digits or letters
for the wire. May not know carriers: a carrier's exceptions come in as rules.
"""

from typing import Final, NamedTuple

from .constants import (
    NPI_ISDN,
    NPI_UNKNOWN,
    TON_ALPHANUMERIC,
    TON_INTERNATIONAL,
    TON_NETWORK_SPECIFIC,
)


class Address(NamedTuple):
    """An SME address (SMPP 3.4 §5.2.5, §5.2.6, §5.2.8); `addr` is at most 20 octets of latin-1."""

    ton: int
    npi: int
    addr: str


class AddressRule(NamedTuple):
    """Senders of `kind` with `min_length` to `max_length` characters go out as `ton` and `npi`.

    `kind` is "digits" (0-9 only, without the plus), "plus" (a plus, then digits) or "text" (any
    other spelling).
    """

    kind: str
    min_length: int
    max_length: int
    ton: int
    npi: int


# First match wins. E.164 allows 15 digits and no national number with its country code is shorter
# than 7; short codes run to 6 digits nearly everywhere and to 8 in some countries. An 11-letter
# limit of alphanumeric senders (TS 23.040 §9.1.2.5, 7-bit packed) is admission's to enforce.
ADDRESS_RULES: Final[tuple[AddressRule, ...]] = (
    AddressRule("plus", 1, 20, TON_INTERNATIONAL, NPI_ISDN),
    AddressRule("digits", 1, 8, TON_NETWORK_SPECIFIC, NPI_UNKNOWN),
    AddressRule("digits", 9, 20, TON_INTERNATIONAL, NPI_ISDN),
    AddressRule("text", 0, 20, TON_ALPHANUMERIC, NPI_UNKNOWN),
)


def kind_of(sender: str) -> str:
    """Return "digits", "plus" or "text": how the sender is spelt, see AddressRule."""
    # str.isdigit alone is true of Arabic-Indic and superscript digits, which no network carries.
    if sender.isascii():
        if sender.isdigit():
            return "digits"
        if sender[:1] == "+" and sender[1:].isdigit():
            return "plus"
    return "text"


def classify(sender: str, rules: tuple[AddressRule, ...] = ADDRESS_RULES) -> tuple[int, int]:
    """Return (TON, NPI) for a sender; the first of `rules` that matches decides.

    A carrier that wants it otherwise passes its own rules in front of ADDRESS_RULES. A sender that
    no rule knows is (0, 0), "unknown", which leaves the decision to the operator.
    """
    kind = kind_of(sender)
    length = len(sender) - (kind == "plus")
    for rule in rules:
        if rule.kind == kind and rule.min_length <= length <= rule.max_length:
            return rule.ton, rule.npi
    return 0, 0


def address(sender: str, rules: tuple[AddressRule, ...] = ADDRESS_RULES) -> Address:
    """Return the wire address of a sender: classified, and without the plus sign.

    The plus belongs to the spelling; on the wire TON 1 says it (§5.2.5).
    """
    ton, npi = classify(sender, rules)
    return Address(ton, npi, sender[1:] if kind_of(sender) == "plus" else sender)


def mask(addr: str) -> str:
    """Return an address that may stand in a log: `3368****001`, short ones by first letter.

    A line break or another control character in it becomes "?": a peer must not write log lines.
    """
    shown = f"{addr[:4]}****{addr[-3:]}" if len(addr) >= 10 else f"{addr[:1]}****"
    if shown.isprintable():
        return shown
    return "".join(char if char.isprintable() else "?" for char in shown)
