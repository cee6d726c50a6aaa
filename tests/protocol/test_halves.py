"""Texts cut inside a character come together again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import gsm7
from protocol.halves import decode_part, join

TEXTS = st.text(st.characters(codec="utf-16-be", exclude_categories=["Cs", "Co"]), max_size=60)


@given(TEXTS, st.integers(1, 20))
def test_ucs2_cut_after_any_two_octets(text: str, units: int) -> None:
    data = text.encode("utf-16-be")
    parts = [data[at : at + 2 * units] for at in range(0, len(data), 2 * units)]
    if data[:2] != b"\xfe\xff" and not any(p[:2] in (b"\xff\xfe", b"\xfe\xff") for p in parts):
        assert join(decode_part(part, "ucs2") for part in parts) == text


@given(st.text("ab€[]{}@ \n", max_size=60), st.integers(2, 9))
def test_septets_cut_anywhere(text: str, length: int) -> None:
    data = gsm7.encode(text) or b""
    parts = [data[at : at + length] for at in range(0, len(data), length)]
    # Four octets and more with every other NUL are taken for UCS-2 by `decode`.
    if not any(part[::2].strip(b"\0") == b"" for part in parts):
        assert join(decode_part(part, "gsm") for part in parts) == text


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([b"\xd8\x3c"], "\ufffd"),
        ([b"\xdf\x89", b"\x00a"], "\ufffda"),
        ([b"\x00a\xd8\x3c", b"\x00b"], "a\ufffdb"),
    ],
)
def test_half_a_pair_that_stays_alone(parts: list[bytes], text: str) -> None:
    assert join(decode_part(part, "ucs2") for part in parts) == text


def test_an_esc_that_stays_alone() -> None:
    assert join([decode_part(b"a\x1b", "gsm")]) == "a "
    assert join([decode_part(b"a\x1b", "gsm"), decode_part(b"Q", "gsm")]) == "aQ"
    assert join([decode_part(b"a\x1b\x1b", "gsm"), "b"]) == gsm7.decode(b"a\x1b\x1b") + "b"


def test_other_codings_are_read_as_ever() -> None:
    assert decode_part(b"Gr\xfc\xdfe", "latin1") == "Grüße"
