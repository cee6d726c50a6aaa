"""Whole lists in and out of SQLite in one step each.

In: a statement and values. Out: typed structs. The sqlite3 module gives up the interpreter lock at
every row it steps over and has to win it back from a busy event loop; a list that travels as one
JSON value steps once (architecture §5).
"""

from __future__ import annotations

import sqlite3
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_encoder = msgspec.json.Encoder()


def pack(values: Any) -> str:
    """A parameter for `json_each(?)`; text, since before 3.45 SQLite's JSON refuses blobs."""
    return _encoder.encode(values).decode()


def unpack(
    connection: sqlite3.Connection, decoder: msgspec.json.Decoder[T], sql: str, *values: Any
) -> T:
    """The single JSON value `sql` selects, decoded."""
    (text,) = connection.execute(sql, values).fetchone()
    return decoder.decode(text)
