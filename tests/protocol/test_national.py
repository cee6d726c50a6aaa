"""The national tables against what independent implementations agree on, and what they offer."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import gsm7
from protocol.errors import UsageError
from protocol.national import NATIONAL, alphabets, decoder
from protocol.national_tables import LOCKING, SHIFT

_FILE = Path(__file__).parents[1] / "vectors" / "gsm0338.tsv"

Table = dict[int, str]


def vectors() -> dict[tuple[str, str], Table]:
    """(language, kind) -> character by code, without the one that is disputed."""
    tables: dict[tuple[str, str], Table] = {}
    with _FILE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["status"] != "disputed" and row["table"] != "default":
                assert NATIONAL[row["table"]] == int(row["language_id"])
                table = tables.setdefault((row["table"], row["kind"]), {})
                table[int(row["code"], 16)] = chr(int(row["unicode"][2:], 16))
    return tables


TABLES = vectors()
LOCKED = sorted({name for name, kind in TABLES if kind == "locking"})
SHIFTED = sorted({name for name, kind in TABLES if kind == "singleShift"})


def test_every_language_has_its_tables() -> None:
    assert sorted(NATIONAL) == SHIFTED == sorted(SHIFT)
    assert sorted(set(NATIONAL) - {"spanish"}) == LOCKED == sorted(LOCKING)
    assert sorted(NATIONAL.values()) == list(range(1, 14))


@pytest.mark.parametrize("name", LOCKED)
def test_locking_tables(name: str) -> None:
    own = TABLES[name, "locking"]
    _, locking, _ = alphabets([name])
    assert (locking.locking_shift, locking.single_shift) == (NATIONAL[name], 0)
    for code, char in own.items():
        assert locking.decode(bytes([code])) == char
        written = locking.encode(char)
        assert written is not None and locking.decode(written) == char
        assert written == bytes([code]) or own[written[0]] == char
    for code in set(range(128)) - set(own) - {gsm7.ESC, 0x24 if name == "kannada" else gsm7.ESC}:
        assert locking.decode(bytes([code])) == gsm7.UNASSIGNED
    assert locking.encode(gsm7.UNASSIGNED) is None


@pytest.mark.parametrize("name", SHIFTED)
def test_single_shift_tables(name: str) -> None:
    shift = TABLES[name, "singleShift"]
    single = alphabets([name])[0]
    assert (single.locking_shift, single.single_shift) == (0, NATIONAL[name])
    default = gsm7.DEFAULT_LOCKING
    for code, char in shift.items():
        assert single.decode(bytes([gsm7.ESC, code])) == char
        written = single.encode(char)
        if char in default:
            assert written == bytes([default.index(char)])
        else:
            assert written == bytes([gsm7.ESC, min(c for c in shift if shift[c] == char)])
    for code in set(range(128)) - set(shift) - {gsm7.ESC}:
        assert single.decode(bytes([gsm7.ESC, code])) == default[code]


@pytest.mark.parametrize("name", LOCKED)
def test_both_tables_together(name: str) -> None:
    own, shift = TABLES[name, "locking"], TABLES[name, "singleShift"]
    *_, both = alphabets([name])
    assert both.locking_shift == both.single_shift == NATIONAL[name]
    text = "".join([*own.values(), *shift.values()])
    septets = both.encode(text)
    assert septets is not None
    assert both.decode(septets) == text
    # A character of the locking table costs one septet, also when the other table has it too.
    assert len(septets) == sum(1 if char in own.values() else 2 for char in text)


def test_what_a_language_offers() -> None:
    found = alphabets(["turkish", "spanish", "turkish"])
    assert [(one.locking_shift, one.single_shift) for one in found] == [
        (0, 1), (1, 0), (1, 1), (0, 2)
    ]  # fmt: skip
    assert alphabets(()) == ()
    assert alphabets(["turkish"])[0] is found[0]


def test_a_language_nobody_knows_is_named() -> None:
    with pytest.raises(UsageError, match=r"'klingon'; known are turkish, spanish"):
        alphabets(["turkish", "klingon"])


@pytest.mark.parametrize(
    ("locking", "single", "septets", "text"),
    [
        (0, 0, b"\x07\x1be", "ì€"),
        (1, 0, b"\x07\x1be", "ı€"),
        (0, 1, b"\x07\x1bg", "ìğ"),
        (1, 1, b"\x07\x1bg", "ığ"),
        (6, 6, b"\x15\x1b\x1c", "क०"),
        (6, 1, b"\x15\x1bg", "कğ"),  # of different languages: allowed
        (2, 2, b"\x07\x1b\x09", "ìç"),  # Spanish has no locking table
        (0, 14, b"\x07\x1be", "ì€"),
        (14, 0, b"\x07\x1be", "ì€"),
        (255, 255, b"\x07\x1be", "ì€"),
        (99, 1, b"\x07\x1bg", "ìğ"),  # the one that is known counts
    ],
)
def test_reading_what_a_header_announces(
    locking: int, single: int, septets: bytes, text: str
) -> None:
    assert decoder(locking, single)(septets) == text


@given(st.integers(0, 255), st.integers(0, 255), st.binary())
def test_any_octets_are_read_in_any_language(locking: int, single: int, octets: bytes) -> None:
    decoder(locking, single)(octets).encode()


def test_importing_builds_nothing() -> None:
    """A gateway that meets no national language pays for none."""
    seen = subprocess.run(
        [
            sys.executable,
            "-c",
            "from protocol import national; print(national._alphabet.cache_info().currsize,"
            " national._locking.cache_info().currsize, national._shift.cache_info().currsize)",
        ],
        capture_output=True,
        check=True,
        text=True,
    )
    assert seen.stdout.split() == ["0", "0", "0"]
