"""Counts at their limits, cuts that tear nothing, and texts that come back whole."""

import json
import re
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import coding, gsm7, udh
from protocol.constants import ESM_CLASS_UDHI
from protocol.errors import UsageError
from protocol.grapheme import is_boundary
from protocol.segment import (
    PAYLOAD,
    SAR,
    UDH8,
    UDH16,
    Segments,
    count_only,
    frame,
    segment,
    segment_octets,
)

GSM = gsm7.DEFAULT_LOCKING.replace("\x1b", "") + "^{}\\[~]|€\f"
MODES = (UDH8, UDH16, SAR, PAYLOAD)
TURKISH = gsm7.Alphabet("turkish", gsm7.DEFAULT_LOCKING, {0x53: "Ş", 0x67: "ğ"}, single_shift=1)
URDU_LIKE = gsm7.Alphabet(
    "both", gsm7.DEFAULT_LOCKING.replace("Ç", "Ş"), {0x40: "|"}, locking_shift=13, single_shift=13
)


def text_of(segments: Segments) -> str:
    """What a handset shows: parts decoded one by one, so nothing may be torn."""
    if segments.encoding == "ucs2":
        return "".join(part.decode("utf-16-be") for part in segments.parts)
    return "".join(gsm7.decode(part) for part in segments.parts)


@pytest.mark.parametrize(
    ("text", "encoding", "characters", "udh8", "udh16"),
    [
        ("", "gsm", 0, 1, 1),
        ("a" * 160, "gsm", 160, 1, 1),
        ("a" * 161, "gsm", 161, 2, 2),
        ("a" * 304, "gsm", 304, 2, 2),
        ("a" * 305, "gsm", 305, 2, 3),
        ("a" * 306, "gsm", 306, 2, 3),
        ("a" * 307, "gsm", 307, 3, 3),
        ("a" * 459, "gsm", 459, 3, 4),
        ("a" * 460, "gsm", 460, 4, 4),
        ("€" * 80, "gsm", 160, 1, 1),
        ("€" * 81, "gsm", 162, 2, 2),
        ("€" * 152, "gsm", 304, 2, 2),
        # 153 is odd: the ESC of the 77th pair does not stay behind alone.
        ("€" * 153, "gsm", 306, 3, 3),
        ("a" + "€" * 152, "gsm", 305, 2, 3),
        ("я" * 70, "ucs2", 70, 1, 1),
        ("я" * 71, "ucs2", 71, 2, 2),
        ("я" * 132, "ucs2", 132, 2, 2),
        ("я" * 133, "ucs2", 133, 2, 3),
        ("я" * 134, "ucs2", 134, 2, 3),
        ("я" * 135, "ucs2", 135, 3, 3),
        ("😀" * 35, "ucs2", 70, 1, 1),
        ("😀" * 36, "ucs2", 72, 2, 2),
        # 67 is odd: 33 pairs in a part.
        ("😀" * 66, "ucs2", 132, 2, 2),
        ("😀" * 67, "ucs2", 134, 3, 3),
        ("я" + "😀" * 66, "ucs2", 133, 2, 3),
    ],
)
def test_counts(text: str, encoding: str, characters: int, udh8: int, udh16: int) -> None:
    for mode, count in ((UDH8, udh8), (UDH16, udh16), (SAR, udh8), (PAYLOAD, udh8)):
        assert count_only(text, mode=mode) == (encoding, count, characters)
        found = segment(text, mode=mode)
        assert (found.encoding, found.count, found.characters) == (encoding, count, characters)
        assert found.data_coding == {"gsm": 0, "ucs2": 8}[encoding]
        assert len(found.parts) == (1 if mode == PAYLOAD else count)
        assert text_of(found) == text


@pytest.mark.parametrize("mode", MODES)
def test_escape_pairs_stay_together(mode: str) -> None:
    for before in range(140, 160):
        found = segment("a" * before + "[" + "b" * 160, mode=mode)
        assert all(part[-1] != gsm7.ESC for part in found.parts)
        assert text_of(found) == "a" * before + "[" + "b" * 160


@pytest.mark.parametrize(
    "cluster",
    [
        "e\u0323\u0302",  # Vietnamese, decomposed
        "👨\u200d👩\u200d👧",
        "👍🏽",
        "❤\ufe0f",
        "7\ufe0f\u20e3",
        "🇫🇷",
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
        "क्षि",
        "\u1112\u1161\u11ab",
    ],
)
def test_graphemes_stay_together_where_it_is_free(cluster: str) -> None:
    size = len(cluster.encode("utf-16-be")) // 2
    for before in range(67 - size - 1, 69):
        text = "я" * before + cluster + "я" * 20
        found = segment(text)
        assert text_of(found) == text
        assert found.count == 2
        for part in found.parts:
            # The whole cluster is in one of the parts.
            assert part.decode("utf-16-be").count(cluster) in (0, 1)
        assert sum(part.decode("utf-16-be").count(cluster) for part in found.parts) == 1


def test_graphemes_never_cost_a_part() -> None:
    # 134 units fill two parts exactly: moving the cluster whole would need a third.
    text = "я" * 65 + "👨\u200d👩" + "я" * 64
    assert len(text.encode("utf-16-be")) == 268
    found = segment(text)
    assert (found.count, [len(part) // 2 for part in found.parts]) == (2, [67, 67])
    # A cluster longer than a part is cut where it has to be.
    zalgo = "a" + "\u0301" * 200
    assert text_of(segment(zalgo)) == zalgo
    assert segment(zalgo).count == 3


@pytest.mark.parametrize(
    ("text", "boundaries"),
    [
        ("ab", [1]),
        ("\r\n", []),
        ("🇫🇷🇩🇪", [2]),
        ("a🇫🇷b", [1, 3]),
        ("👩\u200d💻x", [3]),
        ("👍🏽👍", [2]),
        ("각각", [1]),
        ("\u1100\u1161x", [2]),
        ("ก\u0e33", []),
        ("क\u094dष", []),
        ("e\u0301e", [2]),
    ],
)
def test_boundaries(text: str, boundaries: list[int]) -> None:
    assert [at for at in range(1, len(text)) if is_boundary(text, at)] == boundaries
    assert is_boundary(text, 0) and is_boundary(text, len(text))


def test_insisting_on_an_encoding() -> None:
    assert segment("abc", encoding="ucs2").parts == ("abc".encode("utf-16-be"),)
    assert segment("abc", encoding="gsm").data_coding == 0
    assert segment("á" * 141, encoding="latin1").count == 2
    found = segment("á" * 140, encoding="latin1")
    assert (found.encoding, found.data_coding, found.count) == ("latin1", 3, 1)
    found = segment("a[b", encoding="ascii")
    assert (found.encoding, found.data_coding, found.characters) == ("ascii", 1, 4)
    assert found.parts == (b"a[b",)
    for text, encoding in (("я", "gsm"), ("€", "latin1"), ("é", "ascii"), ("a`", "ascii")):
        with pytest.raises(UsageError, match=f"U\\+{ord(text[-1]):04X}"):
            segment(text, encoding=encoding)
        with pytest.raises(UsageError):
            count_only(text, encoding=encoding)


@pytest.mark.parametrize(
    ("text", "alphabet", "encoding", "octets"),
    [
        ("@é[", "latin1", "gsm", b"@\xe9["),
        ("@[", "ascii", "gsm", b"@["),
        ("é", "ascii", "ucs2", b"\0\xe9"),
        ("Δ", "latin1", "ucs2", b"\x03\x94"),  # GSM, but not Latin-1
        ("€", "latin1", "ucs2", b"\x20\xac"),
        ("ç", "latin1", "ucs2", b"\0\xe7"),  # Latin-1, but not GSM: it would arrive as another
    ],
)
def test_other_default_alphabets(text: str, alphabet: str, encoding: str, octets: bytes) -> None:
    found = segment(text, alphabet=alphabet)
    assert (found.encoding, found.parts) == (encoding, (octets,))
    assert count_only(text, alphabet=alphabet)[0] == encoding


def test_latin1_on_the_wire_is_counted_in_septets() -> None:
    text = "[" * 81
    found = segment(text, alphabet="latin1")
    assert (found.count, found.characters) == (2, 162)
    assert b"".join(found.parts) == text.encode()


def test_data_coding_of_the_carrier() -> None:
    flash = {"gsm": 0x10, "ucs2": 0x18}
    assert segment("a", data_coding=flash).data_coding == 0x10
    assert segment("я", data_coding=flash).data_coding == 0x18


@pytest.mark.parametrize(
    ("alphabet", "char", "single", "each"), [(TURKISH, "ğ", 155, 149), (URDU_LIKE, "Ş", 152, 146)]
)
def test_national_alphabets(alphabet: gsm7.Alphabet, char: str, single: int, each: int) -> None:
    cost = len(alphabet.encode(char) or b"")
    national = (alphabet,)
    for characters, count in ((single, 1), (single + 1, 2), (2 * each, 2), (2 * each + 1, 3)):
        text = char + "a" * (characters - cost)
        assert count_only(text, national=national) == ("gsm", count, characters)
        found = segment(text, national=national)
        assert (found.encoding, found.count) == ("gsm", count)
        shown = ""
        for esm_class, short_message, _ in frame(found, 5):
            assert esm_class == ESM_CLASS_UDHI
            assert len(short_message) <= 160
            header, payload = udh.parse(short_message)
            assert (header.single_shift, header.locking_shift) == (
                alphabet.single_shift,
                alphabet.locking_shift,
            )
            assert (header.concat is not None) == (count > 1)
            shown += alphabet.decode(payload)
        assert shown == text
    assert segment("plain", national=national).elements == b""
    assert segment("я", national=national).encoding == "ucs2"


def test_frames_udh8() -> None:
    found = segment("a" * 161)
    first, second = frame(found, 0x1AB)
    assert first == (ESM_CLASS_UDHI, b"\x05\x00\x03\xab\x02\x01" + b"a" * 153, ())
    assert second == (ESM_CLASS_UDHI, b"\x05\x00\x03\xab\x02\x02" + b"a" * 8, ())
    assert frame(found, 2)[0][1][3] == 2


def test_frames_udh16() -> None:
    first, second = frame(segment("a" * 161, mode=UDH16), 0x3ABCD)
    assert first == (ESM_CLASS_UDHI, b"\x06\x08\x04\xab\xcd\x02\x01" + b"a" * 152, ())
    assert second == (ESM_CLASS_UDHI, b"\x06\x08\x04\xab\xcd\x02\x02" + b"a" * 9, ())


def test_frames_sar() -> None:
    first, second = frame(segment("a" * 161, mode=SAR), 0x3ABCD)
    assert first == (0, b"a" * 153, ((0x020C, b"\xab\xcd"), (0x020E, b"\2"), (0x020F, b"\1")))
    assert second == (0, b"a" * 8, ((0x020C, b"\xab\xcd"), (0x020E, b"\2"), (0x020F, b"\2")))


def test_frames_payload() -> None:
    assert frame(segment("a" * 161, mode=PAYLOAD), 1) == ((0, b"", ((0x0424, b"a" * 161),)),)
    assert frame(segment("a" * 160, mode=PAYLOAD), 1) == ((0, b"a" * 160, ()),)


@pytest.mark.parametrize("mode", MODES)
def test_a_single_part_carries_no_reference(mode: str) -> None:
    assert frame(segment("hi", mode=mode), 77) == ((0, b"hi", ()),)


def test_packed_septets() -> None:
    assert segment("1234567890" * 16, packed=True).parts[0] == gsm7.pack(b"1234567890" * 16)
    for mode, limit in ((UDH8, 140), (UDH16, 140), (SAR, 134)):
        found = segment("a" * 200, mode=mode, packed=True)
        shown = b""
        for _, short_message, _ in frame(found, 1):
            assert len(short_message) <= limit
            header = short_message[0] + 1 if mode != SAR else 0
            shown += gsm7.unpack(short_message[header:], gsm7.fill_bits(header))
        assert shown == b"a" * 200


def test_octets() -> None:
    assert segment_octets(bytes(140)).count == 1
    for mode, size in ((UDH8, 134), (UDH16, 133)):
        found = segment_octets(bytes(2 * size), mode=mode)
        assert (found.encoding, found.data_coding, found.count) == ("binary", 4, 2)
        assert segment_octets(b"\x1b" * (2 * size + 1), mode=mode).count == 3
    found = segment_octets(bytes(141), mode=PAYLOAD)
    assert (found.count, found.parts) == (2, (bytes(141),))


def test_too_many_parts() -> None:
    assert segment("a" * 153 * 255).count == 255
    with pytest.raises(UsageError, match="256 parts"):
        segment("a" * (153 * 255 + 1))
    with pytest.raises(UsageError):
        segment_octets(bytes(134 * 256))
    assert count_only("a" * (153 * 255 + 1)) == ("gsm", 256, 153 * 255 + 1)


def test_half_a_surrogate_pair_is_refused() -> None:
    half = json.loads('"ab\\ud83d"')
    for call in (segment, count_only):
        with pytest.raises(UsageError, match="half a surrogate pair at character 2"):
            call(half)
    with pytest.raises(UsageError):
        segment("я" * 80 + half)


MIXED = st.lists(
    st.one_of(
        st.sampled_from(["a", "[", "€", "я", "😀", "e\u0301", "🇫🇷", "👨\u200d👩\u200d👧", "\r\n"]),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=300,
).map("".join)


@given(st.one_of(st.text(alphabet=GSM, max_size=600), MIXED), st.sampled_from(MODES))
def test_any_text_comes_back_whole(text: str, mode: str) -> None:
    found = segment(text, mode=mode)
    assert text_of(found) == text
    assert count_only(text, mode=mode) == (found.encoding, found.count, found.characters)
    septets = found.encoding == "gsm"
    if mode != PAYLOAD:
        header = {UDH8: 6, UDH16: 7, SAR: 6}[mode] if found.count > 1 else 0
        for part in found.parts:
            used = (len(part) * 7 + 7) // 8 if septets else len(part)
            assert used + header <= 140
    # No fewer parts would do, and no part is there for nothing.
    if found.count > 1:
        assert all(found.parts)
        assert found.characters > (160 if septets else 70)


# A byte order mark at the start of a part says how to decode and is no text.
@given(MIXED.map(lambda text: re.sub("[\ufeff\ufffe]", "", text)), st.integers(0, 1 << 20))
def test_a_handset_joins_the_frames(text: str, reference: int) -> None:
    found = segment(text)
    frames = frame(found, reference)
    assert len(frames) == found.count
    joined = []
    for number, (esm_class, short_message, tlvs) in enumerate(frames, 1):
        assert tlvs == ()
        payload = short_message
        if found.count > 1:
            assert esm_class == ESM_CLASS_UDHI
            header, payload = udh.parse(short_message)
            assert header.concat == (reference % 256, 8, found.count, number)
        # coding.decode guesses at what contradicts data_coding; what we send never does.
        decode = gsm7.decode if found.encoding == "gsm" else partial(coding.decode, encoding="ucs2")
        joined.append(decode(payload))
    assert "".join(joined) == text
