"""The alphabet against the tables five independent libraries agree on, and packing by hand."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import gsm7

VECTORS = Path(__file__).parents[1] / "vectors"


def rows(table: str, kind: str) -> dict[int, str]:
    with (VECTORS / "gsm0338.tsv").open(encoding="utf-8", newline="") as file:
        return {
            int(row["code"], 16): "".join(chr(int(u, 16)) for u in row["unicode"][2:].split("+"))
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            if row["table"] == table and row["kind"] == kind and row["status"] != "disputed"
        }


LOCKING = rows("default", "locking")
SHIFT = rows("default", "singleShift")
ALL = "".join([*LOCKING.values(), *SHIFT.values()])


def test_the_vectors_are_whole() -> None:
    assert (len(LOCKING), len(SHIFT)) == (127, 10)


@pytest.mark.parametrize("code", sorted(LOCKING))
def test_default_table(code: int) -> None:
    assert gsm7.encode(LOCKING[code]) == bytes([code])
    assert gsm7.decode(bytes([code])) == LOCKING[code]


@pytest.mark.parametrize("code", sorted(SHIFT))
def test_extension_table(code: int) -> None:
    assert gsm7.encode(SHIFT[code]) == bytes([0x1B, code])
    assert gsm7.decode(bytes([0x1B, code])) == SHIFT[code]


def test_every_other_character_is_foreign() -> None:
    # The whole basic plane: nothing else may slip through as some septet.
    assert [chr(i) for i in range(0x10000) if chr(i) not in ALL and gsm7.encode(chr(i))] == []
    for char in ("\0", "\x1b", "`", "\t", "ç", "á", "ẞ", "\U0001f600", "\ud800", "\ufffe"):
        assert gsm7.encode(char) is None
        assert gsm7.encode("a" + char + "€") is None
        assert gsm7.encode("[" + char) is None


def test_a_mixed_text() -> None:
    assert gsm7.encode("a[€]ΩÅ") == b"a\x1b<\x1be\x1b>\x15\x0e"
    assert gsm7.encode("") == b""


@pytest.mark.parametrize(
    ("septets", "text"),
    [
        (b"a\x1b\x41", "aA"),  # no such extension character: the default table's
        (b"a\x1b", "a "),  # cut off after ESC
        (b"a\x1b\x1bb", "a b"),
        (b"\x1b\x1b\x1b", "  "),
        (b"\x1b\x1b\x3c", " <"),
        (b"caf\xe9", "café"),  # Latin-1 from a peer that does not know better
        (b"\x1b\xe9", "é"),
    ],
)
def test_decoding_survives(septets: bytes, text: str) -> None:
    assert gsm7.decode(septets) == text


@given(st.text(alphabet=ALL))
def test_text_survives(text: str) -> None:
    septets = gsm7.encode(text)
    assert septets is not None and septets.isascii()
    assert len(septets) == sum(2 if char in SHIFT.values() else 1 for char in text)
    assert gsm7.decode(septets) == text


@given(st.binary())
def test_any_octets_decode(octets: bytes) -> None:
    assert isinstance(gsm7.decode(octets), str)


def test_a_code_without_a_character() -> None:
    some = gsm7.Alphabet("some", gsm7.DEFAULT_LOCKING.replace("Δ", gsm7.UNASSIGNED), {})
    assert some.decode(b"a\x10") == "a\ufffd"
    assert some.encode("a\ufffd") is None
    assert some.encode("Δ") is None


def test_a_table_must_leave_escape_alone() -> None:
    with pytest.raises(ValueError):
        gsm7.Alphabet("short", "abc", {})
    with pytest.raises(ValueError):
        gsm7.Alphabet("escape", gsm7.DEFAULT_LOCKING, {0x1B: "x"})


@pytest.mark.parametrize(
    ("text", "packed"),
    [
        # TS 23.038 §6.1.2.1.1 by hand: bits of the next septet fill the octet from above.
        ("", ""),
        ("1", "31"),
        ("12", "3119"),
        ("hello", "e8329bfd06"),
        ("hellohello", "e8329bfd4697d9ec37"),
        ("1234567", "31d98c56b3dd00"),
        ("12345678", "31d98c56b3dd70"),
    ],
)
def test_packing(text: str, packed: str) -> None:
    septets = text.encode()
    assert gsm7.pack(septets).hex() == packed
    assert gsm7.unpack(bytes.fromhex(packed)) == septets


def test_packing_after_a_header() -> None:
    # Six octets of header are 48 bits; the next septet starts at bit 49.
    assert [gsm7.fill_bits(octets) for octets in (0, 4, 6, 7)] == [0, 3, 1, 0]
    assert gsm7.pack(b"1", 1) == bytes([0x31 << 1])
    assert len(gsm7.pack(b"x" * 153, gsm7.fill_bits(6))) == 134
    with pytest.raises(ValueError):
        gsm7.pack(b"\x80")


def test_a_last_at_sign_needs_a_count() -> None:
    eight = b"abcdefg\0"
    assert gsm7.unpack(gsm7.pack(eight)) == b"abcdefg"
    assert gsm7.unpack(gsm7.pack(eight), count=8) == eight
    assert gsm7.unpack(b"", count=9) == b""


@given(
    st.lists(st.integers(0, 127)).map(bytes),
    st.integers(0, 6),
)
def test_packed_septets_survive(septets: bytes, fill: int) -> None:
    packed = gsm7.pack(septets, fill)
    assert len(packed) == ((len(septets) * 7 + fill + 7) // 8 if septets else 0)
    assert gsm7.unpack(packed, fill, len(septets)) == septets


@given(st.binary(), st.integers(0, 6))
def test_any_octets_unpack(octets: bytes, fill: int) -> None:
    assert gsm7.unpack(octets, fill).isascii()
