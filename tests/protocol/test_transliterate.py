"""What is exchanged, what is reported, and what is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import gsm7
from protocol.transliterate import Change, transliterate


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("“Hi” – it’s…", '"Hi" - it\'s...'),
        ("10\u00a0000\u202f€", "10 000 €"),
        ("Zażółć gęślą jaźń", "Zazolc gesla jazn"),
        ("Œuvre ß façade", "OEuvre ß facade"),
        ("ﬁne ２", "fine 2"),
        ("Đặng", "Dang"),
        ("x\u0331", "x"),  # a mark no letter composes with
    ],
)
def test_exchanges(text: str, plain: str) -> None:
    got, changes = transliterate(text)
    assert got == plain
    assert changes


def test_changes_are_reported_once_each_in_order() -> None:
    assert transliterate("“a”—“b”") == (
        '"a"-"b"',
        (Change("“", '"', 2), Change("”", '"', 2), Change("—", "-", 1)),
    )


@pytest.mark.parametrize(
    "text",
    [
        "plain @ [€] éàñ",
        "Привет, “мир”",  # would stay UCS-2: the quotes stay too
        "“😀”",
        "10² m",  # 102 m is another length
        "½",
        "7\ufe0f\u20e3",
        "",
    ],
)
def test_left_alone(text: str) -> None:
    assert transliterate(text) == (text, ())


def test_accents_only_when_wanted() -> None:
    assert transliterate("ça", accents=False) == ("ça", ())
    assert transliterate("“à”", accents=False)[0] == '"à"'


def test_composing_is_no_change() -> None:
    assert transliterate("cafe\u0301") == ("café", ())


def test_characters_the_alphabet_has_stay() -> None:
    turkish = gsm7.Alphabet("turkish", gsm7.DEFAULT_LOCKING, {0x53: "Ş"}, single_shift=1)
    assert transliterate("Ş“", turkish)[0] == 'Ş"'
    assert transliterate("Ş“")[0] == 'S"'


@given(st.text(st.one_of(st.characters(max_codepoint=0x2FFF), st.sampled_from("“”–…éłß"))))
def test_it_fits_or_nothing_happened(text: str) -> None:
    got, changes = transliterate(text)
    if gsm7.encode(got) is None:
        assert (got, changes) == (text, ())
    assert transliterate(got) == (got, ())
    assert all(gsm7.encode(change.original) is None for change in changes)
    assert all(change.times > 0 for change in changes)
