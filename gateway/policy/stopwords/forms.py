"""Lists as people keep them: plain text and CSV, in and out.

In: octets of an import. Out: classes, and on which line each entry stands, or a `FormError`. The
other way round: a list as text. Pure.

Plain text has an entry a line; `!` before it makes an exception, `#` a comment; `[class]` begins a
class, after it may stand the date and the source. CSV has a header row with `entry`, and may have
`class`, `exception`, `as_of`, `source`; comma, semicolon or tab.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import date
from typing import Final, Literal, NamedTuple

from gateway.policy.stopwords.lists import ListDoc, WordClass

COLUMNS: Final = ("class", "entry", "exception", "as_of", "source")
_HEADER: Final = re.compile(r"\[\s*([a-z][a-z0-9_-]{0,39})\s*\]\s*(\d{4}-\d\d-\d\d)?\s*(.*)\Z")
_CLASS: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}\Z")
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_WORDS: Final = {
    "": False, "no": False, "false": False, "0": False, "yes": True, "true": True, "1": True,
}  # fmt: skip

Place = tuple[int, str, int]
FormCode = Literal["invalid_value", "invalid_utf8", "invalid_header_row"]
"""What kind of thing is wrong, as the API calls it."""


class FormError(ValueError):
    """The import cannot be read; the message says where and what to do."""

    def __init__(self, detail: str, code: FormCode = "invalid_value") -> None:
        super().__init__(detail)
        self.code: FormCode = code


class Form(NamedTuple):
    """What an import says."""

    classes: list[WordClass]
    lines: dict[Place, int]
    """Where each entry stands: class, `entries` or `exceptions`, which of them -> line."""


def decode(body: bytes) -> str:
    """The text of an import; a byte order mark is left out."""
    if body.startswith(_UTF_16):
        raise FormError("the body is UTF-16; save the file as UTF-8", "invalid_utf8")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise FormError(
            f"line {line} is not UTF-8 (octet {error.start}), perhaps Windows-1251 or Latin-1; "
            "save the file as UTF-8",
            "invalid_utf8",
        ) from None


class _Gathering:
    """Classes in the order they are named first."""

    def __init__(self) -> None:
        self.form = Form([], {})
        self._places: dict[str, int] = {}

    def group(self, name: str) -> WordClass:
        place = self._places.get(name)
        if place is None:
            self._places[name] = len(self.form.classes)
            self.form.classes.append(WordClass(name=name, entries=[]))
            return self.form.classes[-1]
        return self.form.classes[place]

    def add(self, name: str, entry: str, exception: bool, line: int) -> None:
        group = self.group(name)
        kept = group.exceptions if exception else group.entries
        kind = "exceptions" if exception else "entries"
        self.form.lines[self._places[name], kind, len(kept)] = line
        kept.append(entry)


def read_plain(body: bytes, name: str) -> Form:
    """Plain text; `name` is the class of what stands before the first `[class]`."""
    gathering = _Gathering()
    for number, raw in enumerate(decode(body).splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            name = _read_header(line, number, gathering)
            continue
        gathering.add(name, line.removeprefix("!").strip(), line.startswith("!"), number)
    return gathering.form


def _read_header(line: str, number: int, gathering: _Gathering) -> str:
    header = _HEADER.match(line)
    if header is None:
        raise FormError(
            f"line {number}: a class is written `[gambling]`, of small letters, digits, - and _"
        )
    group = gathering.group(header[1])
    if header[2]:
        group.as_of = _date(header[2], number)
    group.source = header[3] or group.source
    return header[1]


def _date(text: str, number: int) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise FormError(f"line {number}: a date is written 2026-11-26") from None


def read_csv(body: bytes, name: str) -> Form:
    """CSV with a header row; `name` is the class of rows that have none."""
    text = decode(body)
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    gathering = _Gathering()
    try:
        columns = [column.strip().lower() for column in next(rows, [])]
        _check_columns(columns)
        for row in rows:
            if any(cell.strip() for cell in row):
                _read_row(columns, row, rows.line_num, name, gathering)
    except csv.Error as error:
        raise FormError(f"line {rows.line_num}: not CSV: {error}") from None
    return gathering.form


def _check_columns(columns: list[str]) -> None:
    if "entry" not in columns:
        raise FormError(
            f"the header row has no column `entry`; the columns are {', '.join(COLUMNS)}",
            "invalid_header_row",
        )
    for place, column in enumerate(columns):
        if column not in COLUMNS:
            raise FormError(
                f"the header row: column {place + 1} is none of {', '.join(COLUMNS)}; remove it",
                "invalid_header_row",
            )
        if column in columns[:place]:
            raise FormError(
                f"the header row has `{column}` twice; remove one", "invalid_header_row"
            )


def _read_row(
    columns: list[str], row: list[str], number: int, name: str, gathering: _Gathering
) -> None:
    if len(row) > len(columns):
        raise FormError(
            f"line {number}: {len(row)} cells under {len(columns)} columns; quote entries that "
            "have the delimiter"
        )
    cells = dict(zip(columns, [cell.strip() for cell in row], strict=False))
    exception = _WORDS.get(cells.get("exception", "").lower())
    if exception is None:
        raise FormError(f"line {number}: `exception` is yes, no or empty")
    name = cells.get("class") or name
    if not _CLASS.match(name):
        raise FormError(f"line {number}: a class is of small letters, digits, - and _")
    group = gathering.group(name)
    if cells.get("as_of") and group.as_of is None:
        group.as_of = _date(cells["as_of"], number)
    group.source = group.source or cells.get("source", "")
    gathering.add(name, cells.get("entry", ""), exception, number)


def write_plain(doc: ListDoc) -> str:
    """A list as `read_plain` takes it."""
    return "".join(f"{line}\n" for line in _plain(doc))


def _plain(doc: ListDoc) -> Iterator[str]:
    for group in doc.classes:
        as_of = "" if group.as_of is None else group.as_of.isoformat()
        yield " ".join(filter(None, (f"[{group.name}]", as_of, " ".join(group.source.split()))))
        yield from group.entries
        for entry in group.exceptions:
            yield f"!{entry}"


def write_csv(doc: ListDoc) -> str:
    """A list as `read_csv` takes it."""
    out = io.StringIO(newline="")
    rows = csv.writer(out)
    rows.writerow(COLUMNS)
    for group in doc.classes:
        told = ("" if group.as_of is None else group.as_of.isoformat(), group.source)
        for entry in group.entries:
            rows.writerow((group.name, entry, "", *told))
        for entry in group.exceptions:
            rows.writerow((group.name, entry, "yes", *told))
    return out.getvalue()
