"""data_coding by carrier, strict encoding, decoding that survives what peers send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.coding import DECODERS, codecs_by_data_coding, decode, encode
from protocol.errors import UsageError


@pytest.mark.parametrize(
    ("data_coding", "name"),
    [
        (0x00, "gsm"),
        (0x01, "ascii"),
        (0x02, "binary"),
        (0x03, "latin1"),
        (0x04, "binary"),
        (0x05, "jis"),
        (0x06, "cyrillic"),
        (0x07, "hebrew"),
        (0x08, "ucs2"),
        (0x0A, "iso2022jp"),
        (0x0D, "kanji"),
        (0x0E, "ksc5601"),
        # TS 23.038 §4: flash messages, message waiting, message class
        (0x10, "gsm"),
        (0x14, "binary"),
        (0x18, "ucs2"),
        (0xC8, "gsm"),
        (0xD0, "gsm"),
        (0xE0, "ucs2"),
        (0xF1, "gsm"),
        (0xF5, "binary"),
        (0xFF, "binary"),
    ],
)
def test_data_coding(data_coding: int, name: str) -> None:
    assert codecs_by_data_coding()[data_coding] == name


def test_data_coding_of_a_carrier() -> None:
    assert codecs_by_data_coding("latin1")[0] == "latin1"
    table = codecs_by_data_coding("ascii", {3: "gsm", 245: "ucs2"})
    assert (table[0], table[3], table[245], table[8]) == ("ascii", "gsm", "ucs2", "ucs2")
    assert len(table) == 256
    for wrong in ({256: "gsm"}, {-1: "gsm"}, {3: "ebcdic"}):
        with pytest.raises(UsageError):
            codecs_by_data_coding("gsm", wrong)
    with pytest.raises(UsageError):
        codecs_by_data_coding("gsm7")


@pytest.mark.parametrize(
    ("encoding", "text", "octets"),
    [
        ("gsm", "@£€", b"\0\1\x1be"),
        ("ucs2", "Жé😀", b"\x04\x16\x00\xe9\xd8\x3d\xde\x00"),
        ("latin1", "é", b"\xe9"),
        ("ascii", "a@", b"a@"),
        ("cyrillic", "Ж", b"\xb6"),
        ("hebrew", "א", b"\xe0"),
        ("jis", "ア", b"\x83\x41"),
        ("ksc5601", "가", b"\xb0\xa1"),
    ],
)
def test_encode(encoding: str, text: str, octets: bytes) -> None:
    assert encode(text, encoding) == octets
    assert decode(octets, encoding) == text


@pytest.mark.parametrize(
    ("encoding", "text", "message"),
    [
        ("gsm", "aЖb", r"U\+0416 .* gsm"),
        ("ascii", "aé", r"U\+00E9 .* ascii"),
        ("latin1", "€", r"U\+20AC .* latin1"),
        ("ucs2", "ab\udc00", "half a surrogate pair at character 2"),
        ("binary", "a", "no text encoding"),
        ("gsm7", "a", "no text encoding"),
    ],
)
def test_refusals(encoding: str, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        encode(text, encoding)


@pytest.mark.parametrize(
    ("encoding", "octets", "text"),
    [
        # UCS-2 that was announced as the default alphabet
        ("gsm", "Hello".encode("utf-16-be"), "Hello"),
        ("gsm", b"\0a", "@a"),  # too short to tell: believed
        ("gsm", b"\0\0\0\0", "@@@@"),
        # Latin-1 and UTF-8 announced as GSM or ASCII
        ("gsm", b"caf\xe9 @", "café @"),
        ("gsm", "Привет".encode(), "Привет"),
        ("ascii", "Привет".encode(), "Привет"),
        ("ascii", b"caf\xe9", "café"),
        # the GSM alphabet announced as ASCII
        ("ascii", b"Gr~\x1ee \0 home, 5 \x1be", "Grüße @ home, 5 €"),
        ("ascii", b"M~ller", "M~ller"),  # nothing contradicts: believed
        ("ascii", b"a\tb\r\n", "a\tb\r\n"),
        ("ascii", b"ended\0", "ended\0"),
        # GSM or ASCII announced as UCS-2
        ("ucs2", b"Hello", "Hello"),
        ("ucs2", b"", ""),
        ("ucs2", "你好".encode("utf-16-be"), "你好"),
        ("ucs2", b"\xff\xfe" + "Ж".encode("utf-16-le"), "Ж"),
        ("ucs2", b"\xfe\xff" + "Ж".encode("utf-16-be"), "Ж"),
        ("ucs2", b"\x04\x16\x04", "Ж\ufffd"),  # cut off by an octet
        ("ucs2", b"\x00a\xd8\x3d", "a\ufffd"),  # cut off inside a pair
        ("latin1", b"\x84\xe9", "\x84é"),
        ("binary", bytes(range(256)), "".join(map(chr, range(256)))),
        ("jis", b"\x83", "\ufffd"),
        # what makers added to the standards
        ("jis", b"\x87\x40", "①"),
        ("ksc5601", b"\x94\xee", "뷁"),
        ("iso2022jp", b"\x1b(I\x36\x1b(B", "ｶ"),
        ("kanji", b"\x8f\xb0\xa1", "丂"),
        # cut off inside a character: the rest is there
        ("jis", "注文".encode("shift_jis")[:-1], "注\ufffd"),
        ("kanji", "注文".encode("euc_jp")[:-1], "注\ufffd"),
        ("ksc5601", "주문".encode("euc_kr")[:-1], "주\ufffd"),
        ("iso2022jp", "注文".encode("iso2022_jp")[:6], "注\ufffd"),
    ],
)
def test_decoding_survives(encoding: str, octets: bytes, text: str) -> None:
    assert decode(octets, encoding) == text


@given(st.binary(), st.sampled_from(sorted(DECODERS)))
def test_any_octets_decode(octets: bytes, encoding: str) -> None:
    text = decode(octets, encoding)
    text.encode()  # no half surrogates either: the text goes on as JSON


@given(
    st.text(st.characters(exclude_categories=["Cs"])).filter(lambda t: t[:1] not in "\ufeff\ufffe")
)
def test_ucs2_survives(text: str) -> None:
    assert decode(encode(text, "ucs2"), "ucs2") == text
