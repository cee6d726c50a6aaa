"""However a stream is cut and whatever is in it: the same recipients, the same broken lines."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.ingress.http import lines as module
from gateway.ingress.http.lines import Parsed, Reader
from gateway.ingress.http.problem import Problem
from gateway.ingress.http.recipients import csv, ndjson

BOM = b"\xef\xbb\xbf"
LONGEST = 100
"""Short lines, so that examples can be read; the real limit is tested over HTTP."""


@pytest.fixture(autouse=True, scope="module")
def short_lines() -> Iterator[None]:
    real, module.LONGEST = module.LONGEST, LONGEST  # type: ignore[misc]
    yield
    module.LONGEST = real  # type: ignore[misc]


NDJSON_LINES = st.sampled_from(
    [b'{"to":"+79161234567"}', b'{"to":["1","2"],"vars":{"a":"b"}}', b"{", b"", b" ", b"[]",
     b'{"to":"1"}{"to":"2"}', b'{"to":"\xff"}', b'{"to":"1","x":1}', b"\r", b"\xef\xbb\xbf",
     b'{"to":"' + b"1" * LONGEST + b'"}']
)  # fmt: skip
CSV_LINES = st.sampled_from(
    [b"+79161234567,a", b'"+7916","a,b"', b'1,"two', b'lines"', b'1,a"b', b'"', b'""', b"a", b"",
     b"1,\xff", b"1,2,3", b'1,"a""b"', b"\r", b'x"' * 7, b"1," + b"x" * LONGEST]
)  # fmt: skip


def outcome(reader: Reader[Any], chunks: list[bytes]) -> Any:
    found: list[Any] = []
    broken: list[Any] = []

    def take(parsed: Parsed[Any]) -> None:
        assert len(parsed.entries) == len(parsed.lines)
        found.extend(zip(parsed.lines, parsed.entries, strict=True))
        broken.extend((one.line, one.code) for one in parsed.problems)

    try:
        for chunk in chunks:
            take(reader.feed(chunk))
        take(reader.finish())
    except Problem as problem:
        return problem.code
    return found, sorted(broken)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[first:last] for first, last in itertools.pairwise(edges)]


@given(st.lists(NDJSON_LINES, max_size=12), st.lists(st.integers(0, 1 << 20), max_size=6))
@settings(max_examples=150, deadline=None)
def test_ndjson_cut_anywhere(lines: list[bytes], places: list[int]) -> None:
    data = b"\n".join(lines)
    whole = outcome(ndjson(), [data])
    assert outcome(ndjson(), cut(data, places)) == whole
    found, broken = whole
    told = [line for line, _ in found] + [line for line, _ in broken]
    assert len(set(told)) == len(told), "a line is told of once"
    # Every line is told of, but for blank ones.
    assert set(told) == {
        number for number, line in enumerate(data.removeprefix(BOM).split(b"\n"), 1) if line.strip()
    }


@given(st.lists(CSV_LINES, max_size=12), st.lists(st.integers(0, 1 << 20), max_size=6))
@example([b'1,"two'], [])
@example([b'1,"two', b"x" * LONGEST, b"1,a"], [3])
@settings(max_examples=150, deadline=None)
def test_csv_cut_anywhere(lines: list[bytes], places: list[int]) -> None:
    data = b"\n".join([b"to,name", *lines])
    whole = outcome(csv(), [data])
    assert outcome(csv(), cut(data, places)) == whole
    found, broken = whole
    told = [line for line, _ in found] + [line for line, _ in broken]
    assert len(set(told)) == len(told), "a line is told of once"
    assert all(2 <= line <= len(lines) + 1 for line in told)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=4))
@settings(max_examples=200, deadline=None)
def test_any_octets(data: bytes, places: list[int]) -> None:
    for make in (ndjson, csv):
        assert outcome(make(), cut(data, places)) == outcome(make(), [data])


def test_an_open_quote_holds_no_more_empty_lines_than_octets() -> None:
    reader = csv()
    parsed = reader.feed(b'to\n"\n' + b"\n" * 200_000)  # minutes, were they counted by content
    assert [(one.line, one.code) for one in parsed.problems] == [(2, "invalid_value")]
    after = reader.feed(b"+79161234567\n")
    assert after.lines == [200_003]
