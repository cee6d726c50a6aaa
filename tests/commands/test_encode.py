from __future__ import annotations

import pytest
from click.testing import CliRunner

from gateway.cli import main


def shown(*arguments: str) -> list[str]:
    result = CliRunner().invoke(main, ["encode", *arguments])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_a_plain_text() -> None:
    assert shown("Hi [you]") == [
        "encoding    gsm (data_coding 0)",
        "characters  8, counted as 10 septets",
        "parts       1",
        "  part 1     10 octets of payload",
        "  [  U+005B left square bracket: 2 septets (extension table)",
        "  ]  U+005D right square bracket: 2 septets (extension table)",
    ]


def test_transliteration_and_what_it_saves() -> None:
    lines = shown("“" + "x" * 100 + "”")
    assert lines[0] == "encoding    ucs2 (data_coding 8)"
    assert lines[-1] == "with transliterate: gsm, 1 part(s); saves 1 part(s); “ -> '\"', ” -> '\"'"


def test_a_national_language_that_would_save() -> None:
    lines = shown("ğ" * 155)
    assert "parts       3" in lines
    assert "with --national turkish: gsm, 1 part(s); saves 2 part(s)" in lines
    assert not any("hindi" in line for line in lines)


def test_a_national_language_that_saves() -> None:
    lines = shown("--national", "hindi", "--national", "turkish", "ğ" * 154 + "}")
    assert lines[:4] == [
        "encoding    gsm (data_coding 0)",
        "national    turkish, locking shift table",
        "characters  155, counted as 156 septets",
        "parts       2",
    ]
    assert "  }  U+007D right curly bracket: 2 septets (extension table)" in lines
    assert "without --national: ucs2, 3 part(s); saved 1 part(s)" in lines
    lines = shown("--national", "spanish", "ç")
    assert lines[1] == "national    spanish, single shift table"
    assert "  ç  U+00E7 latin small letter c with cedilla: 2 septets (single shift table)" in lines


@pytest.mark.parametrize(
    ("text", "alphabet", "first", "payload"),
    [
        ("Grüße", "latin1", "encoding    gsm (data_coding 0)", "    5 octets"),
        ("Grüße", "ascii", "encoding    ucs2 (data_coding 8)", "   10 octets"),
        ("[x]", "latin1", "encoding    gsm (data_coding 0)", "    3 octets"),
        ("[x]", "gsm", "encoding    gsm (data_coding 0)", "    5 octets"),
    ],
)
def test_other_default_alphabets(text: str, alphabet: str, first: str, payload: str) -> None:
    lines = shown("--alphabet", alphabet, text)
    assert lines[0] == first
    assert any(payload in line for line in lines)


def test_insisting_on_what_does_not_fit() -> None:
    result = CliRunner().invoke(main, ["encode", "--encoding", "gsm", "я"])
    assert result.exit_code == 1
    assert result.output == "Error: U+044F is not in the encoding gsm\n"
    lines = shown("--encoding", "gsm", "--national", "turkish", "ğ")
    assert lines[-2] == "without --national: ucs2, 1 part(s); saved 0 part(s)"


def test_a_language_nobody_knows() -> None:
    result = CliRunner().invoke(main, ["encode", "--national", "klingon", "x"])
    assert result.exit_code == 2
    assert "'klingon' is not one of 'turkish'" in result.output
