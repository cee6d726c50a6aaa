from __future__ import annotations

import pytest

from gateway.returns.inbound import inbound_part
from protocol.coding import codecs_by_data_coding
from protocol.constants import ESM_CLASS_UDHI
from protocol.pdu import DataSm, DeliverSm, Pdu

CODECS = codecs_by_data_coding()
LATIN = codecs_by_data_coding("latin1")


def read(pdu: Pdu, codecs: tuple[str, ...] = CODECS) -> tuple[str, int, int, int]:
    part = inbound_part(pdu, "op", codecs, "shop", 7)
    assert (part.carrier, part.account, part.at) == ("op", "shop", 7)
    return part.text, part.reference, part.total, part.part


def deliver(short_message: bytes, esm_class: int = 0, **fields: object) -> DeliverSm:
    return DeliverSm(
        source_addr="79161234567",
        destination_addr="1234",
        esm_class=esm_class,
        short_message=short_message,
        **fields,  # type: ignore[arg-type]
    )


def test_a_plain_text() -> None:
    assert read(deliver(b"\x00 stop")) == ("@ stop", 0, 1, 1)


def test_the_carriers_default_alphabet() -> None:
    assert read(deliver(b"caf\xe9"), LATIN) == ("café", 0, 1, 1)


def test_ucs2() -> None:
    assert read(deliver("СТОП".encode("utf-16-be"), data_coding=8)) == ("СТОП", 0, 1, 1)


@pytest.mark.parametrize(
    ("header", "reference"),
    [
        ("0500030c0201", 12),
        ("06080400 0c0201", 1 << 16 | 12),
        ("0a 2403 010203 00030c0201", 12),
    ],
)
def test_concatenation_of_either_width(header: str, reference: int) -> None:
    octets = bytes.fromhex(header)
    text, found, total, part = read(deliver(octets + b"hello", ESM_CLASS_UDHI))
    assert (text, found, total, part) == ("hello", reference, 2, 1)


def test_a_broken_header_costs_no_message() -> None:
    text, reference, total, part = read(deliver(b"\xff\x01hi", ESM_CLASS_UDHI))
    assert text.endswith("hi")
    assert (reference, total, part) == (0, 1, 1)


def test_sar_and_payload() -> None:
    tlvs = ((0x020C, b"\x00\x09"), (0x020E, b"\x03"), (0x020F, b"\x02"))
    assert read(deliver(b"part", tlvs=tlvs)) == ("part", 2 << 16 | 9, 3, 2)
    pdu = DataSm(source_addr="1", destination_addr="2", tlvs=((0x0424, b"long"),))
    assert read(pdu) == ("long", 0, 1, 1)


@pytest.mark.parametrize("total", [b"\x00", b"\x01", b""])
def test_sar_without_sense_is_a_single_text(total: bytes) -> None:
    tlvs = ((0x020C, b"\x00\x09"), (0x020E, total), (0x020F, b"\x02"))
    assert read(deliver(b"part", tlvs=tlvs)) == ("part", 0, 1, 1)
