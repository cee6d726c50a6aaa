"""The campaign's files: who is written to, and in which words.

In: `campaign.csv` and `texts.toml`. Out: texts, and for each the octets to upload: the header and
its language's lines exactly as they stand in the file, byte order mark, stray quotes and all. What
a row means is the gateway's business; only the column `language` is looked at here.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec


class Text(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One `[[text]]`: a batch, as POST /v1/batches takes it, and the rows it is for."""

    language: str
    sender: str = msgspec.field(name="from")
    category: str
    default_region: str
    text: str
    transliterate: bool = False

    def batch(self) -> dict[str, Any]:
        """The request's body."""
        body: dict[str, Any] = msgspec.to_builtins(self)
        del body["language"]
        return body | {"metadata": {"language": self.language}, "start": False}


class Texts(msgspec.Struct, forbid_unknown_fields=True):
    """`texts.toml`."""

    opted_out: list[str]
    text: list[Text]


class Rows:
    """The rows of one language. `lines` are physical lines, `numbers` theirs in the file."""

    __slots__ = ("count", "header", "lines", "numbers")

    def __init__(self, header: str) -> None:
        self.header = header
        self.count = 0
        self.lines: list[str] = []
        self.numbers: list[int] = []

    async def upload(self) -> AsyncIterator[bytes]:
        """The body of POST .../recipients, a line at a time: nothing needs the whole list."""
        yield self.header.encode()
        for line in self.lines:
            yield line.encode()

    def number_of(self, line: int) -> int:
        """The file's number of the upload's line (both from 1, the header being the first)."""
        return self.numbers[line - 2]


class Campaign(msgspec.Struct):
    """All of it."""

    file: Path
    opted_out: list[str]
    texts: list[Text]
    rows: dict[str, Rows]
    """By language."""

    @property
    def count(self) -> int:
        """Rows of the file, whatever they are worth."""
        return sum(rows.count for rows in self.rows.values())


def read(directory: Path) -> Campaign:
    """Read `texts.toml` and `campaign.csv` in `directory`.

    Raises `ValueError` when a row's language has no text: it would go unsent in silence.
    """
    texts = msgspec.convert(tomllib.loads((directory / "texts.toml").read_text("utf-8")), Texts)
    file = directory / "campaign.csv"
    lines = file.read_bytes().decode("utf-8").splitlines(keepends=True)
    header, *_ = lines
    # Quoted fields may hold line ends, so csv says where a row ends; the lines stay as they are.
    reader = csv.reader(lines)
    column = [name.strip("\ufeff ") for name in next(reader)].index("language")
    rows = {text.language: Rows(header) for text in texts.text}
    before = reader.line_num
    for row in reader:
        own = rows.get(row[column])
        if own is None:
            raise ValueError(f"{file}:{before + 1}: no text for the language {row[column]!r}")
        own.count += 1
        own.lines += lines[before : reader.line_num]
        own.numbers += range(before + 1, reader.line_num + 1)
        before = reader.line_num
    return Campaign(file, texts.opted_out, texts.text, rows)
