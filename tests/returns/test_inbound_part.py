from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Carrier, LanguageName
from gateway.metrics import Metrics
from gateway.returns import Returns
from gateway.returns.inbound import inbound_part
from gateway.store.messages import InboundMessage, InboundPart
from gateway.store.sqlite.joining import Joiner
from protocol import gsm7
from protocol.coding import codecs_by_data_coding
from protocol.constants import ESM_CLASS_UDHI
from protocol.national import NATIONAL, alphabets
from protocol.pdu import DataSm, DeliverSm, Pdu
from protocol.segment import frame, segment

CODECS = codecs_by_data_coding()
LATIN = codecs_by_data_coding("latin1")


def read(
    pdu: Pdu, codecs: tuple[str, ...] = CODECS, packed: bool = False
) -> tuple[str, int, int, int]:
    part = inbound_part(pdu, "op", codecs, "shop", 7, packed)
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


def sent_to_us(text: str, mode: str, **options: object) -> list[DeliverSm]:
    """What our own encoder would send, as it would come from a phone."""
    national = alphabets(["turkish", "hindi", "portuguese"])
    found = segment(text, mode=mode, national=national, **options)  # type: ignore[arg-type]
    return [
        deliver(short_message, esm_class, data_coding=found.data_coding, tlvs=tlvs)
        for esm_class, short_message, tlvs in frame(found, 0x1234)
    ]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("mode", ["udh8", "udh16", "sar", "payload"])
@pytest.mark.parametrize(
    "text",
    [
        "Hello [world] €",
        "Merhaba, siparişiniz yola çıktı: ğ",
        "Olá, não há pão ∞ Φ",
        "नमस्ते, आपका पार्सल आ गया है १२३",
        "Здравствуйте 😀",
    ],
)
def test_what_we_send_is_what_we_would_read(text: str, mode: str, packed: bool) -> None:
    for whole in (text, text * 9 + "."):
        places = set()
        joined = ""
        for pdu in sent_to_us(whole, mode, packed=packed):
            shown, reference, total, part = read(pdu, CODECS, packed)
            places.add((reference, total))
            assert part == len(places) or total > 1
            joined += shown
        assert joined == whole
        ((reference, total),) = places
        if total > 1:
            assert reference == {"udh8": 0x34, "udh16": 0x11234, "sar": 0x21234}[mode]


@pytest.mark.parametrize(
    ("header", "octets", "text"),
    [
        ("03 240101", b"\x1bg", "ğ"),
        ("03 250101", b"\x07", "ı"),
        ("06 250106 240106", b"\x15\x1b\x1c", "क०"),
        ("06 240106 250106", b"\x15\x1b\x1c", "क०"),
        ("0a 250106 7e00 0003050201 ", b"\x15", "क"),  # between others, one of them unknown
        ("0a 0003050201 7e00 250106 ", b"\x15", "क"),
        ("03 25010e", b"\x07\x1be", "ì€"),  # a language nobody knows: the default table
        ("03 240100", b"\x1be", "€"),
        ("04 24020101", b"\x1be", "€"),  # too long for what it is
    ],
)
def test_a_national_language_is_read_as_its_part_announces(
    header: str, octets: bytes, text: str
) -> None:
    assert read(deliver(bytes.fromhex(header) + octets, ESM_CLASS_UDHI))[0] == text


def test_each_part_is_read_by_its_own_header() -> None:
    first = bytes.fromhex("08 250101 0003050201") + b"\x07"
    second = bytes.fromhex("05 0003050202") + b"\x07"
    assert read(deliver(first, ESM_CLASS_UDHI)) == ("ı", 5, 2, 1)
    assert read(deliver(second, ESM_CLASS_UDHI)) == ("ì", 5, 2, 2)


def test_a_language_says_nothing_about_ucs2_or_another_default_alphabet() -> None:
    header = bytes.fromhex("03 250106")
    ucs2 = deliver(header + "क".encode("utf-16-be"), ESM_CLASS_UDHI, data_coding=8)
    assert read(ucs2)[0] == "क"
    assert read(deliver(header + b"caf\xe9", ESM_CLASS_UDHI), LATIN)[0] == "café"


@pytest.mark.parametrize("reference", ["0003", "080401"])
def test_udh_and_payload(reference: str) -> None:
    bits = "080400050201" if reference == "080401" else "0003050201"
    element = bytes.fromhex(bits)
    octets = bytes((len(element),)) + element + "часть".encode("utf-16-be")
    pdu = deliver(b"", ESM_CLASS_UDHI, data_coding=8, tlvs=((0x0424, octets),))
    assert read(pdu) == ("часть", 5 | (len(element) == 6) << 16, 2, 1)
    # Without the indicator the same octets are text.
    plain = deliver(b"", data_coding=8, tlvs=((0x0424, "часть".encode("utf-16-be")),))
    assert read(plain) == ("часть", 0, 1, 1)


def test_sar_beside_a_header_that_gives_no_place() -> None:
    tlvs = ((0x020C, b"\x00\x09"), (0x020E, b"\x03"), (0x020F, b"\x02"))
    assert read(deliver(b"\x03\x25\x01\x01\x07", ESM_CLASS_UDHI, tlvs=tlvs)) == (
        "ı", 2 << 16 | 9, 3, 2
    )  # fmt: skip
    # A place in the header is believed before the TLVs.
    udh = b"\x05\x00\x03\x0c\x02\x01"
    assert read(deliver(udh + b"x", ESM_CLASS_UDHI, tlvs=tlvs)) == ("x", 12, 2, 1)


def test_packed_septets() -> None:
    packed = gsm7.pack(b"Hello \x1be")
    assert read(deliver(packed), packed=True)[0] == "Hello €"
    assert read(deliver(packed), packed=False)[0] != "Hello €"
    header = bytes.fromhex("0500030c0201")
    octets = header + gsm7.pack(b"Hello", gsm7.fill_bits(len(header)))
    assert read(deliver(octets, ESM_CLASS_UDHI), packed=True) == ("Hello", 12, 2, 1)
    # Only septets are packed.
    ucs2 = deliver("СТОП".encode("utf-16-be"), data_coding=8)
    assert read(ucs2, packed=True)[0] == "СТОП"
    assert read(deliver(b"caf\xe9", data_coding=3), packed=True)[0] == "café"


@pytest.mark.parametrize(
    ("data_coding", "python", "text"),
    [
        (0x01, "ascii", "Hello"),
        (0x03, "iso8859-1", "Tschüß, à bientôt"),
        (0x05, "shift_jis", "ご注文の商品を発送しました。ｶﾀｶﾅ"),
        (0x06, "iso8859-5", "Ваш заказ готов"),
        (0x07, "iso8859-8", "ההזמנה שלך מוכנה"),
        (0x08, "utf-16-be", "你好，包裹已到 😀"),
        (0x0A, "iso2022_jp", "ご注文の商品"),
        (0x0D, "euc_jp", "佐藤さん、丂丄"),
        (0x0E, "euc_kr", "주문하신 상품이 도착했습니다"),
    ],
)
def test_every_data_coding_of_the_specification(data_coding: int, python: str, text: str) -> None:
    octets = text.encode(python)
    assert read(deliver(octets, data_coding=data_coding))[0] == text
    # Cut off inside the last character: what came before it is still there, and nothing is lost
    # but that.
    shown = read(deliver(octets[:-1], data_coding=data_coding))[0]
    assert shown.startswith(text[:-2])
    # Under any wrong data_coding the message survives.
    for wrong in range(256):
        assert isinstance(read(deliver(octets, data_coding=wrong))[0], str)


@given(
    st.binary(max_size=160),
    st.integers(0, 255),
    st.sampled_from([0, ESM_CLASS_UDHI]),
    st.booleans(),
)
def test_any_octets_are_a_message(
    octets: bytes, data_coding: int, esm_class: int, packed: bool
) -> None:
    shown, _, total, part = read(
        deliver(octets, esm_class, data_coding=data_coding), CODECS, packed
    )
    shown.encode()
    assert 1 <= part <= total <= 255


class Kept:
    """Where the parts of one read go: the store itself is tested with the store."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def inbound(self, parts: Sequence[InboundPart]) -> list[InboundMessage]:
        self.texts += [part.text for part in parts]
        return []

    async def recall(self, key: str) -> str | None:
        return None

    def on_reply(self, hear: object, told: object) -> None:
        pass


@pytest.mark.parametrize("packed", [False, True])
async def test_a_carrier_says_whether_it_packs(packed: bool) -> None:
    kept = Kept()
    returns = Returns(kept, Metrics(), lambda: 7)  # type: ignore[arg-type]
    await returns.apply([Carrier(name="op", packed=packed)], [])
    septets = b"Hello \x1be"
    await returns.take("op", [deliver(gsm7.pack(septets) if packed else septets)])
    assert kept.texts == ["Hello €"]


def test_the_configuration_offers_every_language_there_is() -> None:
    assert get_args(LanguageName) == tuple(NATIONAL)


@pytest.mark.parametrize(
    ("text", "coding", "cut"), [("я🎉я", 8, 4), ("я🎉я", 8, 2), ("a€b", 0, 2), ("a€b", 0, 3)]
)
def test_parts_cut_inside_a_character_are_joined_whole(text: str, coding: int, cut: int) -> None:
    data = text.encode("utf-16-be") if coding else gsm7.encode(text) or b""
    pieces = [data[:cut], data[cut:]]
    joiner = Joiner({})
    for place, piece in enumerate(pieces, start=1):
        pdu = deliver(bytes((5, 0, 3, 7, 2, place)) + piece, ESM_CLASS_UDHI, data_coding=coding)
        joiner.add(1, inbound_part(pdu, "op", CODECS, "shop", 7))
    [whole] = joiner.whole
    assert whole.text == text
