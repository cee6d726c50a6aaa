"""A stream of entries, line by line, in constant memory.

In: chunks of octets, cut anywhere. Out: entries (recipients, opt-outs) with the number of their
line, and what is wrong with the lines that are none. A broken line never spoils its neighbours: one
too long is passed over up to its end, and a quote that is never closed costs its own line only.
Knows no batch and no store, and not what an entry is: a struct for NDJSON, a `Header` for CSV.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from gateway.ingress.http.answers import LineProblem
from gateway.ingress.http.decode import has_nul, problem_of, refuse_nul
from gateway.ingress.http.problem import Problem

LONGEST: Final = 65_536
"""Octets of one line (or of one CSV record over several): a recipient is about 50."""
_LONGEST_NAME: Final = 64
_BOM: Final = b"\xef\xbb\xbf"

T = TypeVar("T")

_too_long: Final = f"the line has more than {LONGEST} octets"


class Broken(Exception):
    """A row that is no entry."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


Header = Callable[[list[str]], Callable[[list[str]], T]]
"""Columns' names -> what makes an entry of a row (or raises `Broken`); raises a `header_problem`
for columns it cannot use."""


class Parsed(Generic[T]):
    """What some chunk came to. `lines[i]` is the line of `entries[i]`."""

    __slots__ = ("entries", "lines", "problems")

    def __init__(self) -> None:
        self.entries: list[T] = []
        self.lines: list[int] = []
        self.problems: list[LineProblem] = []

    def broken(self, line: int, code: str, detail: str) -> None:
        """Note a line that is no entry."""
        self.problems.append(LineProblem(line, code, detail))


class Reader(Protocol[T]):
    """One format of upload."""

    def feed(self, chunk: bytes) -> Parsed[T]:
        """The lines this chunk completes."""
        ...

    def finish(self) -> Parsed[T]:
        """The last line, which may lack its end."""
        ...


class _Splitter:
    """Chunks to lines. A line longer than `LONGEST` comes out as None."""

    __slots__ = ("_skipping", "_started", "_tail")

    def __init__(self) -> None:
        self._tail = b""
        self._skipping = False
        self._started = False

    def feed(self, chunk: bytes) -> list[bytes | None]:
        pieces = (self._tail + chunk).split(b"\n")
        self._tail = pieces.pop()
        lines: list[bytes | None] = [
            piece.rstrip(b"\r") if len(piece) <= LONGEST else None for piece in pieces
        ]
        if lines:
            if self._skipping:
                lines[0] = None
                self._skipping = False
            elif not self._started:
                first = lines[0]
                lines[0] = first.removeprefix(_BOM) if first is not None else None
            self._started = True
        if len(self._tail) > LONGEST or self._skipping:
            self._skipping = True
            self._tail = b""
        return lines

    def finish(self) -> list[bytes | None]:
        return self.feed(b"\n") if self._tail or self._skipping else []


class Ndjson(Generic[T]):
    """`application/x-ndjson`: a JSON object a line."""

    __slots__ = ("_decoder", "_number", "_split")

    def __init__(self, shape: type[T]) -> None:
        self._split = _Splitter()
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(shape)
        self._number = 1

    def feed(self, chunk: bytes) -> Parsed[T]:
        """The lines this chunk completes."""
        return self._parse(self._split.feed(chunk))

    def finish(self) -> Parsed[T]:
        """The last line, which may lack its end."""
        return self._parse(self._split.finish())

    def _parse(self, lines: list[bytes | None]) -> Parsed[T]:
        first = self._number
        self._number += len(lines)
        parsed = Parsed[T]()
        whole = [(n, line) for n, line in enumerate(lines, first) if line is None or line.strip()]
        if self._all_at_once(parsed, whole):
            return parsed
        for number, line in whole:
            if line is None:
                parsed.broken(number, "body_too_large", _too_long)
                continue
            try:
                entry = self._one(line)
            except Problem as problem:
                parsed.broken(number, problem.code, problem.detail)
            else:
                parsed.entries.append(entry)
                parsed.lines.append(number)
        return parsed

    def _all_at_once(self, parsed: Parsed[T], whole: Sequence[tuple[int, bytes | None]]) -> bool:
        """Decode good lines in one call, at a third of the cost; False if one of them is bad."""
        lines = [line for _, line in whole if line is not None]
        block = b"\n".join(lines)
        if len(lines) < len(whole) or has_nul(block):
            return False
        try:
            entries = self._decoder.decode_lines(block)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        if len(entries) != len(lines):
            # Two objects on one line, or one over two: only line by line tells which.
            return False
        parsed.entries = entries
        parsed.lines = [number for number, _ in whole]
        return True

    def _one(self, line: bytes) -> T:
        try:
            entry = self._decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise problem_of(error, line) from None
        refuse_nul(line)
        return entry


class Csv(Generic[T]):
    """`text/csv` (RFC 4180) in UTF-8 with a header row.

    Separated by what the header row is separated by: comma, semicolon (Excel in half of Europe) or
    tab.
    """

    __slots__ = (
        "_columns", "_delimiter", "_header", "_make", "_number", "_open", "_open_octets", "_split",
    )  # fmt: skip

    def __init__(self, header: Header[T]) -> None:
        self._header = header
        self._make: Callable[[list[str]], T] | None = None
        self._split = _Splitter()
        self._number = 1
        self._open: list[bytes] = []
        """Lines of a record whose quote is still open."""
        self._open_octets = 0
        """Their octets, line ends included: empty lines take memory, too."""
        self._delimiter = ","
        self._columns = 0

    def feed(self, chunk: bytes) -> Parsed[T]:
        """The records this chunk completes."""
        return self._take(self._split.feed(chunk))

    def finish(self) -> Parsed[T]:
        """The last record, which may lack its end."""
        parsed: Parsed[T] = self._take(self._split.finish())
        self._give_up(parsed, self._number - 1)
        return parsed

    def _take(self, lines: list[bytes | None]) -> Parsed[T]:
        parsed = Parsed[T]()
        for number, line in enumerate(lines, self._number):
            if line is not None:
                self._line(parsed, line, number)
            elif self._columns:
                self._give_up(parsed, number - 1)
                parsed.broken(number, "body_too_large", _too_long)
            else:
                raise header_problem(_too_long)
        self._number += len(lines)
        return parsed

    def _line(self, parsed: Parsed[T], line: bytes, number: int) -> None:
        # Quotes inside a quoted field are doubled, so a record ends where their number is even.
        odd = line.count(b'"') & 1
        if not self._open and not odd:
            self._record(parsed, line, number)
            return
        self._open_octets = len(line) + 1 + (self._open_octets if self._open else 0)
        self._open.append(line)
        first = number + 1 - len(self._open)
        if odd and number > first:
            record = b"\n".join(self._open)
            self._open = []
            self._record(parsed, record, first)
        elif self._open_octets > LONGEST:
            self._give_up(parsed, number)

    def _give_up(self, parsed: Parsed[T], last: int) -> None:
        """The quote open up to line `last` is a slip: the line that opened it is broken, those
        after it are read afresh."""
        if not self._open:
            return
        lines, self._open = self._open, []
        first = last + 1 - len(lines)
        parsed.broken(first, "invalid_value", "a quote is opened and never closed")
        for number, line in enumerate(lines[1:], first + 1):
            self._line(parsed, line, number)

    def _record(self, parsed: Parsed[T], record: bytes, number: int) -> None:
        if not record.strip():
            return
        try:
            text = record.decode()
        except UnicodeDecodeError:
            if not self._columns:
                raise header_problem("it is not UTF-8") from None
            parsed.broken(number, "invalid_utf8", "the line is not UTF-8")
            return
        if self._make is None:
            self._begin(text)
            return
        try:
            row = self._row(text)
        except csv.Error as error:
            parsed.broken(number, "invalid_value", f"not CSV: {error}")
            return
        if len(row) != self._columns:
            detail = f"{len(row)} columns; the header row has {self._columns}"
            parsed.broken(number, "invalid_value", detail)
            return
        if "\0" in text:
            parsed.broken(number, "invalid_text", "a column has a NUL character")
            return
        try:
            entry = self._make(row)
        except Broken as error:
            parsed.broken(number, error.code, error.detail)
        else:
            parsed.entries.append(entry)
            parsed.lines.append(number)

    def _row(self, text: str) -> list[str]:
        if '"' not in text:
            # A third of what csv.reader costs, and the usual case.
            return text.split(self._delimiter)
        # strict: an open quote is an error rather than a field that swallows the rest.
        return next(csv.reader([text], delimiter=self._delimiter, strict=True))

    def _begin(self, text: str) -> None:
        self._delimiter = max(",;\t", key=text.count)
        try:
            names = [name.strip() for name in self._row(text)]
        except csv.Error as error:
            raise header_problem(str(error)) from None
        if len(set(names)) != len(names) or not all(names):
            raise header_problem("a column has no name or the name of another")
        if any(len(name) > _LONGEST_NAME or "\0" in name for name in names):
            raise header_problem(f"a column's name has more than {_LONGEST_NAME} characters")
        self._make = self._header(names)
        self._columns = len(names)


def header_problem(detail: str) -> Problem:
    """422 for a header row that cannot be used."""
    return Problem("invalid_header_row", f"the header row: {detail}")
