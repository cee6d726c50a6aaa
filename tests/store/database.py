"""A real SQLite file with the store's schema, for tests of functions over a connection."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gateway.ids import IdSource
from gateway.model import Status
from gateway.store.records import Delivery
from gateway.store.sqlite.deliveries import take
from gateway.store.sqlite.event_log import EventLog
from gateway.store.sqlite.log_reading import prepare
from gateway.store.sqlite.names import ACCOUNT, CARRIER, LANE, Names
from gateway.store.sqlite.schema import migrate, open_reader, open_writer
from gateway.store.sqlite.writer import Transaction

NOW = 1_800_000_000_000_000
"""2027-01-15T08:00:00Z"""

SECOND = 1_000_000
HOUR = 3600 * SECOND


class Database:
    """A writer's connection (each statement its own transaction unless a test begins one)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ids = IdSource(0)
        self.open()

    def open(self) -> None:
        """Connect; after a connection was dropped, what was not committed is gone."""
        self.writer = open_writer(self.path, "NORMAL", 8 << 20)
        migrate(self.writer)
        self.names = Names()
        self.names.load(self.writer)
        self.events = EventLog(self.names)
        self.reader = open_reader(self.path)

    def new_ids(self, count: int, now: int) -> list[int]:
        return self.ids.block(count, now)

    def close(self) -> None:
        self.reader.close()
        self.writer.close()

    def account(self, name: str = "shop") -> int:
        return self.names.intern(self.writer, ACCOUNT, name)

    def carrier(self, name: str = "op1") -> int:
        return self.names.intern(self.writer, CARRIER, name)

    def log(
        self, count: int, type: str = "message.status", account: str = "shop", at: int = NOW
    ) -> list[str]:
        """Write one chunk; returns its events, with commas, brackets and quotes on purpose."""
        start = self.writer.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()[0]
        events = [
            json.dumps({"id": f"{start + 1}.{n}", "text": '"b", [c]} é'}, ensure_ascii=False)
            for n in range(count)
        ]
        self.events.add(self.writer, account, type, events, at)
        return events

    def content(self, account: str = "shop", batch: int | None = None, **more: Any) -> int:
        identifier = self.new_ids(1, NOW)[0]
        spec = {
            "id": identifier, "account": account, "sender": "ACME", "text": "Hello",
            "category": "service", **more,
        }  # fmt: skip
        if batch is not None:
            spec["batch"] = batch
        self.writer.execute(
            "INSERT INTO contents (id, json, batch) VALUES (?, ?, ?)",
            (identifier, json.dumps(spec), batch),
        )
        return identifier

    def messages(
        self,
        count: int,
        *,
        account: str = "shop",
        at: int = NOW,
        content: int | None = None,
        batch: int | None = None,
        number: int = 79161234567,
        status: int = Status.SENT,
        **more: Any,
    ) -> list[int]:
        """Store messages as one submission would."""
        if content is None:
            content = self.content(account, batch)
        ids = self.new_ids(count, at)
        owner = self.account(account)
        row: dict[str, Any] = {
            "account": owner, "source": batch or -owner, "content": content, "number": number,
            "lane": self.names.intern(self.writer, LANE, "main/bulk"), "status": status,
            "sequence": 2, "due": None, "deadline": at + HOUR, "attempts": 0, "parts": 1,
            "encoding": 0, "updated": at, **more,
        }  # fmt: skip
        self.writer.executemany(
            f"INSERT INTO messages (id, {', '.join(row)}) VALUES (?{', ?' * len(row)})",
            [(identifier, *row.values()) for identifier in ids],
        )
        if batch is not None:
            self.writer.execute(
                "INSERT INTO batch_ranges VALUES (?, ?, ?)", (batch, ids[0], ids[-1])
            )
            self.writer.execute(
                "INSERT INTO batch_counts VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET n = n + ?3",
                (batch, status, count),
            )
        return ids

    def sent(self, message: int, *operator_ids: str, carrier: str = "op1") -> None:
        """Store what an operator called the parts of a message."""
        for part, operator_id in enumerate(operator_ids, start=1):
            self.writer.execute(
                "INSERT INTO parts (message, carrier, operator_id, part, sent_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (message, self.carrier(carrier), operator_id, part, NOW),
            )

    def index(self, last: int) -> None:
        """Index what is not indexed yet, up to id `last`, as one run."""
        row = self.writer.execute("SELECT value FROM meta WHERE name = 'indexed_to'").fetchone()
        done = row[0] if row else 0
        values = {"after": done, "last": last}
        range_ = "FROM messages WHERE id > :after AND id <= :last"
        run = f"(SELECT min(id) {range_})"
        for statement in (
            f"INSERT INTO runs SELECT min(id), max(id) {range_} HAVING count(*)",
            f"INSERT INTO by_number SELECT {run}, number, id {range_}",
            f"INSERT INTO by_ref SELECT {run}, account, client_ref, id {range_}"
            " AND client_ref IS NOT NULL",
            f"INSERT INTO by_account SELECT account, id {range_}",
            "INSERT OR REPLACE INTO meta VALUES ('indexed_to', :last)",
        ):
            self.writer.execute(statement, values)


def next_deliveries(
    connection: sqlite3.Connection,
    wanted: Mapping[int, int],
    now: int,
    new_ids: Callable[[int, int], list[int]],
) -> list[Delivery]:
    """Prepare and take on one connection."""
    answer, moved = take(Transaction(connection), prepare(connection, wanted), now, new_ids)
    assert moved == []
    return answer


def plan(connection: sqlite3.Connection, sql: str) -> list[str]:
    """The steps SQLite would take; the values do not matter to it."""
    named = dict.fromkeys(re.findall(r":([a-z_]+)", sql))
    values: Any = named or [None] * (
        max(map(int, re.findall(r"\?([0-9])", sql)), default=0) or sql.count("?")
    )
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
