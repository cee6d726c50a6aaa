"""A stream of recipients, line by line, in constant memory.

In: chunks of octets, cut anywhere. Out: recipients with the number of their line, and what is
wrong with the lines that are none. A broken line never spoils its neighbours: one too long is
passed over up to its end, and a quote that is never closed costs its own line only. Knows no
batch and no store.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from gateway.ingress.http.answers import LineProblem
from gateway.ingress.http.decode import has_nul, problem_of, refuse_nul
from gateway.ingress.http.problem import Problem
from gateway.ingress.http.shapes import Recipient

LONGEST: Final = 65_536
"""Octets of one line (or of one CSV record over several): a recipient is about 50."""
_LONGEST_REF: Final = 128
_LONGEST_NAME: Final = 64
_OWN_COLUMNS: Final = ("to", "client_ref", "timezone")
_BOM: Final = b"\xef\xbb\xbf"

_too_long: Final = f"the line has more than {LONGEST} octets"


class Parsed:
    """What some chunk came to. `lines[i]` is the line of `recipients[i]`."""

    __slots__ = ("lines", "problems", "recipients")

    def __init__(self) -> None:
        self.recipients: list[Recipient] = []
        self.lines: list[int] = []
        self.problems: list[LineProblem] = []

    def broken(self, line: int, code: str, detail: str) -> None:
        """Note a line that is no recipient."""
        self.problems.append(LineProblem(line, code, detail))


class Reader(Protocol):
    """One format of upload."""

    def feed(self, chunk: bytes) -> Parsed:
        """The lines this chunk completes."""
        ...

    def finish(self) -> Parsed:
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


class Ndjson:
    """`application/x-ndjson`: a JSON object a line."""

    __slots__ = ("_decoder", "_number", "_split")

    def __init__(self) -> None:
        self._split = _Splitter()
        self._decoder = msgspec.json.Decoder(Recipient)
        self._number = 1

    def feed(self, chunk: bytes) -> Parsed:
        """The lines this chunk completes."""
        return self._parse(self._split.feed(chunk))

    def finish(self) -> Parsed:
        """The last line, which may lack its end."""
        return self._parse(self._split.finish())

    def _parse(self, lines: list[bytes | None]) -> Parsed:
        first = self._number
        self._number += len(lines)
        parsed = Parsed()
        whole = [(n, line) for n, line in enumerate(lines, first) if line is None or line.strip()]
        if self._all_at_once(parsed, whole):
            return parsed
        for number, line in whole:
            if line is None:
                parsed.broken(number, "body_too_large", _too_long)
                continue
            try:
                recipient = self._one(line)
            except Problem as problem:
                parsed.broken(number, problem.code, problem.detail)
            else:
                parsed.recipients.append(recipient)
                parsed.lines.append(number)
        return parsed

    def _all_at_once(self, parsed: Parsed, whole: Sequence[tuple[int, bytes | None]]) -> bool:
        """Decode good lines in one call, at a third of the cost; False if one of them is bad."""
        lines = [line for _, line in whole if line is not None]
        block = b"\n".join(lines)
        if len(lines) < len(whole) or has_nul(block):
            return False
        try:
            recipients = self._decoder.decode_lines(block)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        if len(recipients) != len(lines):
            # Two objects on one line, or one over two: only line by line tells which.
            return False
        parsed.recipients = recipients
        parsed.lines = [number for number, _ in whole]
        return True

    def _one(self, line: bytes) -> Recipient:
        try:
            recipient = self._decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise problem_of(error, line) from None
        refuse_nul(line)
        return recipient


class Csv:
    """`text/csv` (RFC 4180) in UTF-8 with a header row.

    Columns: `to`, optionally `client_ref` and `timezone`; every other column is a variable.
    Separated by what the header row is separated by: comma, semicolon (Excel in half of Europe) or
    tab.
    """

    __slots__ = (
        "_columns",
        "_delimiter",
        "_number",
        "_open",
        "_ref",
        "_split",
        "_to",
        "_vars",
        "_zone",
    )

    def __init__(self) -> None:
        self._split = _Splitter()
        self._number = 1
        self._open: list[bytes] = []
        """Lines of a record whose quote is still open."""
        self._delimiter = ","
        self._columns = 0
        self._to = 0
        self._ref: int | None = None
        self._zone: int | None = None
        self._vars: list[tuple[int, str]] = []

    def feed(self, chunk: bytes) -> Parsed:
        """The records this chunk completes."""
        return self._take(self._split.feed(chunk))

    def finish(self) -> Parsed:
        """The last record, which may lack its end."""
        parsed = self._take(self._split.finish())
        self._give_up(parsed, self._number - 1)
        return parsed

    def _take(self, lines: list[bytes | None]) -> Parsed:
        parsed = Parsed()
        for number, line in enumerate(lines, self._number):
            if line is not None:
                self._line(parsed, line, number)
            elif self._columns:
                self._give_up(parsed, number - 1)
                parsed.broken(number, "body_too_large", _too_long)
            else:
                raise _header_problem(_too_long)
        self._number += len(lines)
        return parsed

    def _line(self, parsed: Parsed, line: bytes, number: int) -> None:
        # Quotes inside a quoted field are doubled, so a record ends where their number is even.
        odd = line.count(b'"') & 1
        if not self._open and not odd:
            self._record(parsed, line, number)
            return
        self._open.append(line)
        first = number + 1 - len(self._open)
        if odd and number > first:
            record = b"\n".join(self._open)
            self._open = []
            self._record(parsed, record, first)
        elif sum(map(len, self._open)) > LONGEST:
            self._give_up(parsed, number)

    def _give_up(self, parsed: Parsed, last: int) -> None:
        """The quote open up to line `last` is a slip: the line that opened it is broken, those
        after it are read afresh."""
        if not self._open:
            return
        lines, self._open = self._open, []
        first = last + 1 - len(lines)
        parsed.broken(first, "invalid_value", "a quote is opened and never closed")
        for number, line in enumerate(lines[1:], first + 1):
            self._line(parsed, line, number)

    def _record(self, parsed: Parsed, record: bytes, number: int) -> None:
        if not record.strip():
            return
        try:
            text = record.decode()
        except UnicodeDecodeError:
            if not self._columns:
                raise _header_problem("it is not UTF-8") from None
            parsed.broken(number, "invalid_utf8", "the line is not UTF-8")
            return
        if not self._columns:
            self._header(text)
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
        reference = row[self._ref] or None if self._ref is not None else None
        if reference is not None and len(reference) > _LONGEST_REF:
            detail = f"`client_ref`: {len(reference)} characters; at most {_LONGEST_REF}"
            parsed.broken(number, "invalid_value", detail)
            return
        variables = {name: row[place] for place, name in self._vars} if self._vars else None
        zone = row[self._zone].strip() or None if self._zone is not None else None
        parsed.recipients.append(
            Recipient(to=row[self._to].strip(), vars=variables, client_ref=reference, timezone=zone)
        )
        parsed.lines.append(number)

    def _row(self, text: str) -> list[str]:
        if '"' not in text:
            # A third of what csv.reader costs, and the usual case.
            return text.split(self._delimiter)
        # strict: an open quote is an error rather than a field that swallows the rest.
        return next(csv.reader([text], delimiter=self._delimiter, strict=True))

    def _header(self, text: str) -> None:
        self._delimiter = max(",;\t", key=text.count)
        try:
            names = [name.strip() for name in self._row(text)]
        except csv.Error as error:
            raise _header_problem(str(error)) from None
        if "to" not in names:
            raise _header_problem("it has no column `to`")
        if len(set(names)) != len(names) or not all(names):
            raise _header_problem("a column has no name or the name of another")
        if any(len(name) > _LONGEST_NAME or "\0" in name for name in names):
            raise _header_problem(f"a column's name has more than {_LONGEST_NAME} characters")
        self._columns = len(names)
        self._to = names.index("to")
        self._ref = names.index("client_ref") if "client_ref" in names else None
        self._zone = names.index("timezone") if "timezone" in names else None
        self._vars = [(place, name) for place, name in enumerate(names) if name not in _OWN_COLUMNS]


def _header_problem(detail: str) -> Problem:
    return Problem("invalid_header_row", f"the header row: {detail}")
