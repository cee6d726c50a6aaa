"""A keyword under a data_coding that is not its own."""

from __future__ import annotations

import pytest

from config.keyword_files import read_keywords, read_mandatory
from gateway.policy.keywords import Vocabulary
from gateway.policy.misread import readings
from protocol.coding import codecs_by_data_coding, decode

WORDS = Vocabulary(read_keywords("keywords"), read_mandatory())
CODECS = codecs_by_data_coding()
CODINGS = (0, 1, 2, 3, 4, 8, 0xF0, 0xF4)


def word(octets: bytes, data_coding: int) -> str | None:
    found = WORDS.find(decode(octets, CODECS[data_coding]), 79161234567)
    return None if found is None else found.word


@pytest.mark.parametrize("data_coding", CODINGS)
def test_a_stop_is_heard_whatever_its_coding_is_called(data_coding: int) -> None:
    assert word(b"STOP", data_coding) == "STOP"
    assert word("Stop".encode("utf-16-be"), data_coding) == "STOP"
    assert word("стоп".encode("utf-16-be"), data_coding) == "СТОП"


@pytest.mark.parametrize("text", ["STOP", "СТОП", "stop it", "отписаться"])
def test_octets_the_wrong_way_round(text: str) -> None:
    assert word(text.encode("utf-16-le"), 8) is not None


@pytest.mark.parametrize(
    "text",
    ["", "你好", "停止", "你好，请问今天可以送货吗？",
     "@home", "è vero", "è", "@", "\U0001f44d", "“yes, please”",
     "… and so on", "\0", "\0\1\2\3", "\4", "가나다", "\ud83d", "안녕하세요", "協", "x" * 200],
)  # fmt: skip
def test_what_is_no_keyword_stays_none(text: str) -> None:
    assert WORDS.find(text, 79161234567) is None


def test_usual_texts_are_not_read_twice() -> None:
    for text in ("Stop", "стоп", "Hello, where are you?", "مرحبا", "שלום", "x" * 161):
        assert readings(text) == []
