"""Pages of messages that match a filter, found in short steps.

In: a filter, a page size, a cursor. Out: views, newest first (or a batch's in order of acceptance).
Reads committed data on the reader's connection.

A filter may match one message in a million, and a page of them is a walk over the million. Each
step walks a bounded number of rows, so that other queries get their turn on the reader's thread;
the first steps are short because most filters match most rows. The steps share no snapshot: a
message that changes while the walk goes on is seen as it was or as it is.

Numbers, references and accounts have indexes that `maintain` fills up to the id in meta
`indexed_to`; above it the messages themselves are walked. Numbers and references are sought in each
run of their index, the newest run first.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.ids import first_id_at
from gateway.store.records import MessageFilter, MessageView
from gateway.store.sqlite.names import ACCOUNT, Names
from gateway.store.sqlite.packed import pack
from gateway.store.sqlite.queries import NEWEST, views

FIRST_STEP: Final = 500
"""Rows walked first: a page of 50 at one match in ten, in half a millisecond."""

LONGEST_STEP: Final = 20_000
"""Rows walked in one step once matches have proved rare: 10 ms, so that is how long others wait."""

GROWTH: Final = 4


class _Walked(msgspec.Struct, array_like=True):
    matches: list[int]
    last: int | None
    rows: int


_walked: Final = msgspec.json.Decoder(_Walked)

# The ways to walk, newest first, through `:floor` < id < `:before`. Each yields ids and whether the
# message matches; columns that no filter asks for are not read.
TAIL: Final = """
SELECT m.id AS id, {match} AS hit FROM messages AS m
WHERE m.id < :before AND m.id > :floor ORDER BY m.id DESC LIMIT :rows
"""
_IN_RUNS: Final = """
SELECT m.id AS id, {match} AS hit
FROM runs AS r CROSS JOIN {index} AS i ON i.run = r.run AND {key}
CROSS JOIN messages AS m ON m.id = i.id
WHERE r.run < :before AND r.last > :floor AND i.id < :before AND i.id > :floor
ORDER BY r.run DESC, i.id DESC LIMIT :rows
"""
BY_NUMBER: Final = _IN_RUNS.replace("{index}", "by_number").replace("{key}", "i.number = :number")
BY_REF: Final = _IN_RUNS.replace("{index}", "by_ref").replace(
    "{key}", "i.account = :account AND i.ref = :client_ref"
)
BY_ACCOUNT: Final = """
SELECT m.id AS id, {match} AS hit
FROM by_account AS i CROSS JOIN messages AS m ON m.id = i.id
WHERE i.account = :account AND i.id < :before AND i.id > :floor ORDER BY i.id DESC LIMIT :rows
"""
BY_BATCH: Final = """
SELECT m.id AS id, {match} AS hit
FROM batch_ranges AS r CROSS JOIN messages AS m
ON m.id BETWEEN max(r.first, :floor + 1) AND min(r.last, :before - 1)
WHERE r.batch = :batch AND r.first < :before AND r.last > :floor AND m.source = :batch
ORDER BY r.first DESC, m.id DESC LIMIT :rows
"""
OF_BATCH: Final = """
SELECT m.id AS id, {match} AS hit
FROM batch_ranges AS r CROSS JOIN messages AS m ON m.id BETWEEN max(r.first, :after + 1) AND r.last
WHERE r.batch = :batch AND r.last > :after AND m.source = :batch
ORDER BY r.first, m.id LIMIT :rows
"""
"""The other way round, for a batch's report."""

STEP: Final = """
SELECT json_array(json(json_group_array(id) FILTER (WHERE hit)), {last}(id), count(*)) FROM ({walk})
"""
MATCHES: Final = {
    "account": "m.account = :account",
    "number": "m.number = :number",
    "client_ref": "m.client_ref = :client_ref",
    "batch": "m.source = :batch",
    "statuses": "m.status IN (SELECT value FROM json_each(:statuses))",
}
INDEXED_TO: Final = "SELECT value FROM meta WHERE name = 'indexed_to'"
COUNTED: Final = """
SELECT coalesce(sum(n), 0) FROM batch_counts
WHERE batch = ? AND status IN (SELECT value FROM json_each(?))
"""


class Search:
    """One page of `MessageFilter` matches, newest first. Call `step` until it gives the page.

    `from_time` is included, `to_time` is not; a time is a message's time of acceptance.
    """

    __slots__ = ("_before", "_floor", "_found", "_limit", "_match", "_names", "_rows", "_values",
                 "_walk")  # fmt: skip

    def __init__(self, where: MessageFilter, limit: int, cursor: int | None, names: Names) -> None:
        values: dict[str, Any] = {
            "account": names.known(ACCOUNT, where.account),
            "number": where.number,
            "client_ref": where.client_ref,
            "batch": where.batch,
            "statuses": None if where.statuses is None else pack(list(where.statuses)),
        }
        self._match = [name for name in MATCHES if name == "account" or values[name] is not None]
        self._values = values
        self._walk = (
            BY_REF if where.client_ref is not None
            else BY_NUMBER if where.number is not None
            else BY_BATCH if where.batch is not None
            else BY_ACCOUNT
        )  # fmt: skip
        self._before = NEWEST if cursor is None else cursor
        if where.to_time is not None:
            self._before = min(self._before, first_id_at(where.to_time))
        self._floor = 0 if where.from_time is None else first_id_at(where.from_time) - 1
        self._limit = limit
        self._found: list[int] = []
        self._rows = max(FIRST_STEP, limit)
        self._names = names

    def step(self, connection: sqlite3.Connection) -> list[MessageView] | None:
        """Walk on a little; the page once it is full or there is nothing further, else None."""
        ids = self.ids(connection)
        return None if ids is None else views(connection, ids, self._names)

    def ids(self, connection: sqlite3.Connection) -> list[int] | None:
        """As `step`, for whoever needs no more than the ids."""
        if self._values["account"] is None:
            return []
        walk, floor = self._walk, self._floor
        if walk is not BY_BATCH:
            row = connection.execute(INDEXED_TO).fetchone()
            indexed_to = row[0] if row else 0
            if self._before > indexed_to + 1:
                walk, floor = TAIL, max(floor, indexed_to)
        walked = _step(
            connection,
            statement(walk, [MATCHES[name] for name in self._match], "min"),
            {**self._values, "before": self._before, "floor": floor, "rows": self._rows},
        )
        self._found += walked.matches
        if len(self._found) < self._limit:
            if walked.rows == self._rows and walked.last is not None:
                self._before = walked.last
                self._rows = min(self._rows * GROWTH, LONGEST_STEP)
                return None
            if floor > self._floor:  # the tail is done, the index remains
                self._before = floor + 1
                return None
        return self._found[: self._limit]


class BatchWalk:
    """One page of a batch's messages in order of acceptance. Call `step` until it gives it."""

    __slots__ = ("_after", "_batch", "_found", "_limit", "_names", "_rows", "_statuses")

    def __init__(
        self,
        batch: int,
        statuses: Sequence[int] | None,
        limit: int,
        cursor: int | None,
        names: Names,
    ) -> None:
        self._batch = batch
        self._statuses = None if statuses is None else pack(list(statuses))
        self._limit = limit
        self._after = 0 if cursor is None else cursor
        self._found: list[int] = []
        self._rows = max(FIRST_STEP, limit)
        self._names = names

    def step(self, connection: sqlite3.Connection) -> list[MessageView] | None:
        """Walk on a little; the page once it is full or there is nothing further, else None."""
        match: list[str] = []
        if self._statuses is not None:
            (counted,) = connection.execute(COUNTED, (self._batch, self._statuses)).fetchone()
            if not counted:
                return views(connection, self._found, self._names)
            match = [MATCHES["statuses"]]
        walked = _step(
            connection,
            statement(OF_BATCH, match, "max"),
            {
                "batch": self._batch,
                "statuses": self._statuses,
                "after": self._after,
                "rows": self._rows,
            },
        )
        self._found += walked.matches
        if len(self._found) < self._limit and walked.rows == self._rows and walked.last is not None:
            self._after = walked.last
            self._rows = min(self._rows * GROWTH, LONGEST_STEP)
            return None
        return views(connection, self._found[: self._limit], self._names)


def statement(walk: str, match: Sequence[str], last: str) -> str:
    """One step of `walk` that finds what meets all of `match` (some of `MATCHES`); `last` is the
    aggregate that names its last row, min or max."""
    return STEP.format(walk=walk.format(match=" AND ".join(match) or "TRUE"), last=last)


def _step(connection: sqlite3.Connection, sql: str, values: Mapping[str, Any]) -> _Walked:
    (text,) = connection.execute(sql, values).fetchone()
    return _walked.decode(text)
