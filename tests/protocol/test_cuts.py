"""Where texts are cut: never through a character, not through a grapheme if that is free, and
never into more parts than the fewest there can be. Each property is checked against a slow and
simple reckoning of its own."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol import gsm7
from protocol.grapheme import is_boundary
from protocol.segment import PAYLOAD, SAR, UDH8, UDH16, count_only, segment

MODES = (UDH8, UDH16, SAR)
EACH = {UDH8: 67, UDH16: 66, SAR: 67}
SEPTETS = {UDH8: 153, UDH16: 152, SAR: 153}
FAMILY = "👨\u200d👩\u200d👧\u200d👦"
CLUSTERS = [
    "a", "я", "中", " ", "\r\n", "😀", "👍🏽", "❤\ufe0f", "7\ufe0f\u20e3", FAMILY,
    "👩🏽\u200d🚀", "🇫🇷", "🇩🇪", "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "e\u0323\u0302", "क्षि", "ক্ষ", "கோ", "ක්\u200dෂ", "กำ", "\u1112\u1161\u11ab", "각", "ｶﾞ",
    "ی\u200c",
]  # fmt: skip


def units(text: str) -> int:
    return len(text.encode("utf-16-be")) // 2


def fewest(pieces: list[str], cost: Callable[[str], int], limit: int) -> int:
    """Parts of unbreakable pieces, filled one after the other; more than all if one is too long."""
    parts, used = 1, 0
    for piece in pieces:
        if cost(piece) > limit:
            return len(pieces) + 256
        if used + cost(piece) > limit:
            parts, used = parts + 1, 0
        used += cost(piece)
    return parts


def graphemes(text: str) -> list[str]:
    cuts = [at for at in range(len(text) + 1) if is_boundary(text, at)]
    return [text[a:b] for a, b in itertools.pairwise(cuts)]


ANY = st.one_of(
    st.lists(st.sampled_from(CLUSTERS), max_size=200),
    st.lists(st.characters(exclude_categories=["Cs"]), max_size=250),
    # Long runs of one cluster meet every remainder of the limit.
    st.tuples(st.integers(0, 70), st.sampled_from(CLUSTERS), st.integers(0, 120)).map(
        lambda drawn: ["я" * drawn[0], drawn[1] * drawn[2]]
    ),
).map("".join)


@settings(deadline=None, max_examples=300)
@given(ANY, st.sampled_from(MODES))
@example("я" * 65 + FAMILY + "я" * 64, UDH8)
@example("a" + "\u0301" * 400, UDH8)
def test_ucs2(text: str, mode: str) -> None:
    found = segment(text, mode=mode, encoding="ucs2")
    parts = [part.decode("utf-16-be") for part in found.parts]  # raises for half a pair
    assert "".join(parts) == text
    assert count_only(text, mode=mode, encoding="ucs2")[1] == found.count == len(parts)
    if units(text) <= 70:
        assert found.count == 1
        return
    assert all(units(part) <= EACH[mode] for part in parts)
    assert found.count == fewest(list(text), units, EACH[mode])
    if fewest(graphemes(text), units, EACH[mode]) == found.count:
        at = 0
        for part in parts[:-1]:
            at += len(part)
            assert is_boundary(text, at), (at, text[at - 2 : at + 2])


GSM = gsm7.DEFAULT_LOCKING.replace("\x1b", "") + "".join(gsm7.DEFAULT_SHIFT.values())
BOTH = {"gsm": GSM, "latin1": "a@é[€Ü]^\r\n", "ascii": "a@[]{}~|\\^\r\n"}


@settings(deadline=None)
@given(st.sampled_from(sorted(BOTH)), st.sampled_from(MODES), st.data())
def test_septets_whatever_travels_on_the_wire(
    alphabet: str, mode: str, data: st.DataObject
) -> None:
    """Latin-1 and ASCII are cut where the septets they are counted in would be."""
    chars = BOTH[alphabet].replace("€", "") if alphabet == "latin1" else BOTH[alphabet]
    text = "".join(data.draw(st.lists(st.sampled_from([*chars, "\r\n"]), max_size=500)))
    found = segment(text, mode=mode, alphabet=alphabet)
    if alphabet == "gsm":
        assert all(part[-1] != gsm7.ESC for part in found.parts if part)
        parts = [gsm7.decode(part) for part in found.parts]
    else:
        parts = [part.decode(alphabet) for part in found.parts]
    assert "".join(parts) == text

    def cost(char: str) -> int:
        return len(gsm7.encode(char) or b"")

    assert count_only(text, mode=mode, alphabet=alphabet)[1] == found.count == len(parts)
    if cost(text) > 160:
        assert all(cost(part) <= SEPTETS[mode] for part in parts)
        assert found.count == fewest(list(text), cost, SEPTETS[mode])
        if fewest(graphemes(text), cost, SEPTETS[mode]) == found.count:
            assert not any(
                left.endswith("\r") and right.startswith("\n")
                for left, right in itertools.pairwise(parts)
            )


@pytest.mark.parametrize("mode", [*MODES, PAYLOAD])
@pytest.mark.parametrize("cluster", CLUSTERS)
def test_no_cluster_is_torn_at_any_place_of_the_limit(cluster: str, mode: str) -> None:
    for before in range(60, 72):
        text = "я" * before + cluster + "я" * 30
        parts = [part.decode("utf-16-be") for part in segment(text, mode=mode).parts]
        assert "".join(parts) == text
        at = 0
        for part in parts[:-1]:
            at += len(part)
            assert not before < at < before + len(cluster)
