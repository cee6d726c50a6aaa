"""Imports and exports of lists: plain text and CSV."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from gateway.policy.stopwords import forms
from gateway.policy.stopwords.forms import FormError, read_csv, read_plain, write_csv, write_plain
from gateway.policy.stopwords.lists import ListDoc, WordClass, load_lists

PLAIN = """\ufeff# ours

казино
 !казино рояль
[credit] 2026-11-26 Law 38-FZ, art. 28
кредит*
[drugs]
лсд
[credit]
займ
"""
SHEET = """entry;class;exception;as_of;source\r
казино;;;;\r
казино рояль;;yes;;\r
кредит*;credit;no;2026-11-26;"Law; art. 28"\r
\r
займ;credit;;;\r
"""


def test_plain_text() -> None:
    form = read_plain(PLAIN.encode(), "gambling")
    assert form.classes == [
        WordClass(name="gambling", entries=["казино"], exceptions=["казино рояль"]),
        WordClass(
            name="credit",
            as_of=date(2026, 11, 26),
            source="Law 38-FZ, art. 28",
            entries=["кредит*", "займ"],
        ),
        WordClass(name="drugs", entries=["лсд"]),
    ]
    assert form.lines[1, "entries", 1] == 10
    assert form.lines[0, "exceptions", 0] == 4


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_csv(delimiter: str) -> None:
    sheet = SHEET.replace('"Law; art. 28"', "Law").replace(";", delimiter)
    form = read_csv(sheet.encode("utf-8-sig"), "gambling")
    assert [(one.name, one.entries, one.exceptions) for one in form.classes] == [
        ("gambling", ["казино"], ["казино рояль"]),
        ("credit", ["кредит*", "займ"], []),
    ]
    assert (form.classes[1].as_of, form.classes[1].source) == (date(2026, 11, 26), "Law")
    assert form.lines[1, "entries", 1] == 6
    assert read_csv(SHEET.encode(), "gambling").classes[1].source == "Law; art. 28"


def test_what_is_exported_can_be_imported() -> None:
    for one in load_lists(("ru", "en")):
        doc = one.doc
        assert read_plain(write_plain(doc).encode(), "x").classes == doc.classes
        assert read_csv(write_csv(doc).encode(), "x").classes == doc.classes


@pytest.mark.parametrize("read", [read_plain, read_csv])
def test_the_encoding_is_told(read: Callable[[bytes, str], forms.Form]) -> None:
    with pytest.raises(
        FormError, match=r"line 2 is not UTF-8 \(octet 6\).*save the file"
    ) as refused:
        read("entry\nказино\n".encode("cp1251"), "x")
    assert refused.value.code == "invalid_utf8"
    with pytest.raises(FormError, match="the body is UTF-16; save the file as UTF-8"):
        read("entry\nказино\n".encode("utf-16"), "x")


@pytest.mark.parametrize(
    ("sheet", "complaint"),
    [
        ("", "no column `entry`"),
        ("word\nказино", "no column `entry`"),
        ("entry,wight\nx,1", "column 2 is none of"),
        ("entry,entry\nx,1", "has `entry` twice"),
        ("entry\nx,y", "line 2: 2 cells under 1 columns"),
        ("entry,exception\nx,perhaps", "line 2: `exception` is yes, no or empty"),
        ("entry,class\nx,Gambling!", "line 2: a class is"),
        ("entry,as_of\nx,26.11.2026", "line 2: a date is written"),
        ('entry\n"x', "not CSV"),
    ],
)
def test_sheets_that_cannot_be_read(sheet: str, complaint: str) -> None:
    with pytest.raises(FormError, match=complaint):
        read_csv(sheet.encode(), "x")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("x\n[Gambling]", "line 2: a class is written"), ("[a] 2026-13-01", "line 1: a date")],
)
def test_texts_that_cannot_be_read(text: str, complaint: str) -> None:
    with pytest.raises(FormError, match=complaint):
        read_plain(text.encode(), "x")


def test_a_list_without_dates_and_sources() -> None:
    doc = ListDoc(language="ru", classes=[WordClass(name="a", entries=["b, c"], exceptions=["d"])])
    assert write_plain(doc) == "[a]\nb, c\n!d\n"
    assert write_csv(doc) == 'class,entry,exception,as_of,source\r\na,"b, c",,,\r\na,d,yes,,\r\n'
