"""National languages in parts: counts at their limits, headers, packing, cuts that tear nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import gsm7, udh
from protocol.constants import ESM_CLASS_UDHI
from protocol.grapheme import is_boundary
from protocol.national import NATIONAL, alphabets, decoder
from protocol.segment import PAYLOAD, SAR, UDH8, UDH16, Segments, count_only, frame, segment

MODES = (UDH8, UDH16, SAR, PAYLOAD)
_PAYLOAD_TAG = 0x0424
_HEADER = {UDH8: 6, UDH16: 7, SAR: 6, PAYLOAD: 6}


def shown(segments: Segments, septets: list[int] | None = None) -> list[str]:
    """Each part as a handset reads it: from its own header alone.

    `septets` says that they are packed and how many there are in each: octets alone do not tell a
    last "@" from padding, a handset learns it from TP-UDL.
    """
    texts = []
    for number, (esm_class, short_message, tlvs) in enumerate(frame(segments, 7)):
        octets = short_message or dict(tlvs).get(_PAYLOAD_TAG, b"")
        locking = single = header = 0
        if esm_class & ESM_CLASS_UDHI:
            parsed, octets = udh.parse(octets)
            locking, single, header = parsed.locking_shift, parsed.single_shift, len(parsed.raw)
        if septets is not None:
            octets = gsm7.unpack(octets, gsm7.fill_bits(header), septets[number])
        texts.append(decoder(locking, single)(octets))
    return texts


@pytest.mark.parametrize(
    ("text", "language", "announced", "single", "each", "each16"),
    [
        ("ğ", "turkish", (1, 0), 155, 149, 148),  # in the locking table
        ("ç", "spanish", (0, 2), 155, 149, 148),  # in the single shift table
        ("ғ", "", (0, 0), 70, 67, 66),  # in no table
        ("क", "hindi", (6, 0), 155, 149, 148),
        ("क०", "hindi", (6, 6), 152, 146, 145),  # one of each
    ],
)
def test_counts_at_their_limits(
    text: str, language: str, announced: tuple[int, int], single: int, each: int, each16: int
) -> None:
    national = alphabets([language] if language else [])
    unit = segment(text, national=national)
    assert (unit.encoding == "gsm") == bool(language)
    filler = {"ğ": "ğ", "ç": "a", "ғ": "ғ", "क": "क", "क०": "क"}[text]
    for mode, limit in ((UDH8, each), (UDH16, each16), (SAR, each), (PAYLOAD, each)):
        for characters, count in (
            (single, 1), (single + 1, 2), (2 * limit, 2), (2 * limit + 1, 3), (3 * limit, 3)
        ):  # fmt: skip
            whole = text + filler * (characters - unit.characters)
            found = segment(whole, mode=mode, national=national)
            assert (found.count, found.characters) == (count, characters)
            assert count_only(whole, mode=mode, national=national) == (
                found.encoding,
                count,
                characters,
            )
            assert len(found.parts) == (1 if mode == PAYLOAD else count)
            if language:
                assert "".join(shown(found)) == whole
                header, _ = udh.parse(bytes((len(found.elements),)) + found.elements)
                assert (header.locking_shift, header.single_shift) == announced


def test_the_same_text_without_the_carrier_s_leave_is_ucs2() -> None:
    assert count_only("ğ" * 155) == ("ucs2", 3, 155)
    assert segment("ğ" * 155).encoding == "ucs2"


def test_the_default_table_is_preferred_and_ucs2_the_last_resort() -> None:
    every = alphabets(NATIONAL)
    assert segment("plain @ [€]", national=every).elements == b""
    assert segment("Привет", national=every).encoding == "ucs2"
    assert segment("ğ я", national=every).encoding == "ucs2"


def test_the_combination_with_the_fewest_parts_is_taken() -> None:
    national = alphabets(["turkish"])
    # Every ğ costs one septet by the locking table and two by the single shift table.
    assert segment("ğ" * 155, national=national).elements == bytes((udh.LOCKING_SHIFT, 1, 1))
    # é is in the default table and in the Turkish one, ì only in the default one.
    assert segment("ğì", national=national).elements == bytes((udh.SINGLE_SHIFT, 1, 1))
    # Φ is out of the Portuguese locking table, ã out of the default one. With one header this is
    # 298 septets, just two parts; with both only 293, but the parts hold 146 and not 149.
    portuguese = alphabets(["portuguese"])
    found = segment("Φ" + "a" * 285 + "ã" * 6, national=portuguese)
    assert (found.count, found.characters, len(found.elements)) == (2, 298, 3)
    # One ã more and both have three parts; fewer septets decide.
    found = segment("Φ" + "a" * 285 + "ã" * 7, national=portuguese)
    assert (found.count, found.characters, len(found.elements)) == (3, 294, 6)


def test_pairs_behind_escape_stay_together() -> None:
    national = alphabets(["spanish"])
    for before in range(140, 152):
        text = "a" * before + "ç" + "b" * 150
        found = segment(text, national=national)
        assert all(part[-1] != gsm7.ESC for part in found.parts)
        assert "".join(shown(found)) == text


@pytest.mark.parametrize(
    ("language", "cluster"),
    [("hindi", "क्षि"), ("tamil", "கோ"), ("bengali", "ক্ষ"), ("urdu", "\u06c1\u0652")],
)
def test_conjuncts_stay_together_where_it_is_free(language: str, cluster: str) -> None:
    national = alphabets([language])
    letter = cluster[0]
    for before in range(149 - 8, 150):
        text = letter * before + cluster + letter * 40
        found = segment(text, national=national)
        assert (found.encoding, found.count) == ("gsm", 2)
        parts = shown(found)
        assert "".join(parts) == text
        assert is_boundary(text, len(parts[0]))


def test_a_line_break_stays_whole_where_it_is_free() -> None:
    text = "a" * 152 + "\r\n" + "b" * 50
    assert [len(part) for part in segment(text).parts] == [152, 52]
    # 306 septets fill two parts exactly: there it is not free.
    text = "a" * 152 + "\r\n" + "b" * 152
    assert [len(part) for part in segment(text).parts] == [153, 153]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("language", ["turkish", "spanish", "hindi"])
def test_packed_after_headers_of_any_length(mode: str, language: str) -> None:
    national = alphabets([language])
    char = {"turkish": "ğ", "spanish": "ç", "hindi": "क०"}[language]
    for length in (1, 100, 200, 400):
        text = (char + "a" * length)[: length + 1]
        found = segment(text, mode=mode, national=national, packed=True)
        plain = segment(text, mode=mode, national=national)
        assert (found.count, found.characters) == (plain.count, plain.characters)
        assert "".join(shown(found, [len(part) for part in plain.parts])) == text
        if mode in (UDH8, UDH16):
            assert all(len(short_message) <= 140 for _, short_message, _ in frame(found, 1))


EVERY = alphabets(NATIONAL)
_CHARS = sorted({char for one in EVERY for char in one._shift.values()} - {"\x1b"})
TEXTS = st.one_of(
    st.sampled_from(EVERY).flatmap(
        lambda one: st.lists(
            st.sampled_from(
                [c for c in (*one._decoding[:128], *one._shift.values()) if one.encode(c)]
            ),
            max_size=500,
        )
    ),
    st.lists(st.sampled_from(_CHARS), max_size=60),
).map("".join)


def fewest(text: str, alphabet: gsm7.Alphabet, limit: int) -> int:
    """Parts of a text whose characters cost one or two septets, filled greedily."""
    parts, used = 1, 0
    for char in text:
        cost = len(alphabet.encode(char) or b"")
        if used + cost > limit:
            parts, used = parts + 1, 0
        used += cost
    return parts


def needed(text: str, alphabet: gsm7.Alphabet, mode: str) -> int:
    elements = 3 * bool(alphabet.locking_shift) + 3 * bool(alphabet.single_shift)
    alone = (140 - (elements + 1 if elements else 0)) * 8 // 7
    if len(alphabet.encode(text) or b"") <= alone:
        return 1
    return fewest(text, alphabet, (140 - _HEADER[mode] - elements) * 8 // 7)


@settings(deadline=None)
@given(TEXTS, st.sampled_from(MODES), st.booleans())
def test_any_text_comes_back_whole_in_the_fewest_parts(text: str, mode: str, packed: bool) -> None:
    found = segment(text, mode=mode, national=EVERY, packed=packed)
    assert count_only(text, mode=mode, national=EVERY) == (
        found.encoding,
        found.count,
        found.characters,
    )
    if found.encoding == "ucs2":
        assert all(one.encode(text) is None for one in EVERY)
        return
    if gsm7.encode(text) is not None:
        assert found.count == needed(text, gsm7.DEFAULT, mode)
    else:
        fitting = [one for one in EVERY if one.encode(text) is not None]
        assert found.count == min(needed(text, one, mode) for one in fitting)
    plain = segment(text, mode=mode, national=EVERY)
    parts = shown(found, [len(part) for part in plain.parts] if packed else None)
    assert "".join(parts) == text
