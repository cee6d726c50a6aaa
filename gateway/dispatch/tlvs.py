"""The TLVs a submission asks for, as one carrier wants them.

In: a carrier's table of names, and what a content asks. Out: (tag, octets) pairs, written once per
content. Vendor tags mean something else to each carrier, so a submission says names and the
carrier's profile binds them; a tag in hex goes as it is. Knows no message and no PDU.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from config.settings import TLV_KINDS, Carrier, CarrierTlv
from gateway.store.messages import Tlv
from protocol.errors import UsageError
from protocol.tlv import OCTET_STRING, TLV_BY_TAG, Tlvs, encode_text


class UnfitTlvs(Exception):
    """The carrier demands a TLV that is not there, or one that is there cannot be written."""


class Named(NamedTuple):
    """A TLV this carrier has a name for."""

    tag: int
    kind: str
    octets: int
    constant: bytes | None
    required: bool


class TlvNames:
    """One carrier's table. Its constants were checked with the configuration."""

    __slots__ = ("_by_name", "_by_tag", "_standing")

    def __init__(self, carrier: Carrier) -> None:
        self._by_name: Final = {name: _named(row) for name, row in carrier.tlvs.items()}
        self._by_tag: Final = {row.tag: row for row in self._by_name.values()}
        self._standing: Final = [
            row for row in self._by_name.values() if row.required or row.constant is not None
        ]

    def write(self, asked: Sequence[Tlv], own: Collection[int] = ()) -> tuple[Tlvs, int]:
        """The pairs to add to a submit_sm, and how many names this carrier does not know.

        `own` are tags the submit_sm carries already: the customer's own parts come with theirs,
        and nobody knows better. Raises UnfitTlvs.
        """
        pairs: list[tuple[int, bytes]] = []
        unknown = 0
        for one in asked:
            row = self._row(one.tag)
            if row is None:
                unknown += 1
            elif row.tag not in own:
                pairs.append((row.tag, _octets(one, row)))
        if self._standing:
            present = {*own, *(tag for tag, _ in pairs)}
            for row in self._standing:
                if row.tag in present:
                    continue
                if row.constant is None:
                    raise UnfitTlvs(f"no TLV 0x{row.tag:04X}")
                pairs.append((row.tag, row.constant))
        return tuple(pairs), unknown

    def _row(self, asked: str) -> Named | None:
        if asked[:2] not in ("0x", "0X"):
            return self._by_name.get(asked)
        tag = int(asked, 16)
        row = self._by_tag.get(tag)
        if row is not None:
            return row
        known = TLV_BY_TAG.get(tag)
        if known is None:
            return Named(tag, OCTET_STRING, 0, None, False)
        return Named(tag, known.kind, known.shortest, None, False)


def _named(row: CarrierTlv) -> Named:
    kind = TLV_KINDS[row.kind]
    constant = None if row.value is None else encode_text(row.value, kind, row.octets)
    return Named(int(row.tag, 16), kind, row.octets, constant, row.required)


def _octets(asked: Tlv, row: Named) -> bytes:
    try:
        if asked.hex:
            return bytes.fromhex(asked.value)
        return encode_text(asked.value, row.kind, row.octets)
    except (UsageError, ValueError) as error:
        raise UnfitTlvs(str(error)) from None
