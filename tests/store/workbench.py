"""A real store on a real file, and short words for the way of a message through it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from config.settings import Duration, StoreSettings
from gateway.metrics import Metrics, Row
from gateway.model import BatchState, OnUnknown, Status
from gateway.store.messages import (
    Content,
    Demand,
    Idempotency,
    Leased,
    NewBatch,
    NewMessage,
    News,
    Outcome,
    Receipts,
    Settled,
    Submission,
    Text,
)
from gateway.store.sqlite import SqliteStore

START = 1_800_000_000_000_000
"""2027-01-15T08:00:00Z"""

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR


@dataclass
class ReceiptNews:
    """One delivery receipt."""

    carrier: str
    keys: list[str]
    status: int
    at: int
    reason: str | None = None
    carrier_code: str | None = None


class ReceiptFate(NamedTuple):
    """What became of one: which of its keys matched, when its part was sent."""

    matched: int | None
    sent_at: int | None = None


def held(account: str = "shop", text: str = "hello") -> Text:
    """What a held message waits for."""
    fingerprint = hashlib.blake2b(f"{account}/{text}".encode(), digest_size=16).digest()
    return Text(fingerprint, account, "ACME", "service", text, ("en/credit: loan",))


class Bench:
    """A store, a clock that only moves when told, and the caller's side of the contract."""

    def __init__(self, path: Path, **settings: Any) -> None:
        self.path = path / "data" / "aldis.db"
        settings.setdefault("keep_events", Duration(3 * 86_400))
        self.settings = StoreSettings(path=str(self.path), **settings)
        self.now = START
        self.metrics = Metrics()
        self.policy: dict[str, OnUnknown] = {}
        self.numbers = 79160000000
        self.events_seen: Counter[str] = Counter()
        self.work_seen = 0
        self.make()

    def make(self, *, strict: bool = True) -> None:
        self.store = SqliteStore(self.settings, 1, self.metrics, lambda: self.now, strict=strict)
        self.store.on_event(lambda counts: self.events_seen.update(counts))
        self.store.on_work(self._worked)

    def _worked(self) -> None:
        self.work_seen += 1

    async def open(self):
        return await self.store.open(
            lambda carrier, category: self.policy.get(category, OnUnknown.RESEND), self.now
        )

    async def reopen(self, *, crash: bool = False):
        """Close and open again; a crash leaves leases and the log behind."""
        await self.store.close()
        if crash:
            self.metrics = Metrics()
        self.make()
        return await self.open()

    def new_id(self) -> int:
        return self.store.new_ids(1, self.now)[0]

    def submission(
        self,
        count: int = 1,
        *,
        account: str = "shop",
        lane: str = "main/bulk",
        batch: int | None = None,
        new_batch: bool | BatchState = False,
        due: int | None = None,
        validity: int = DAY,
        parts: int | Sequence[int] = 1,
        status: int = Status.QUEUED,
        sender: str = "ACME",
        category: str = "service",
        numbers: Sequence[int] | None = None,
        refs: Sequence[str | None] | None = None,
        content: Content | None = None,
        key: str | None = None,
        body: bytes = b"{}",
        reason: str | None = None,
        closes: int | None = None,
        zone: str | None = None,
        **more: Any,
    ) -> Submission:
        if content is None:
            identifier = self.new_id()
            if new_batch:
                batch = self.new_id()
            content = Content(identifier, account, sender, "hello", category, batch=batch, **more)
        created = None
        if new_batch:
            state = BatchState.RUNNING if new_batch is True else new_batch
            assert content.batch is not None
            created = NewBatch(content.batch, account, content, state, self.now, {"p": 1})
        ids = self.store.new_ids(count, self.now)
        if numbers is None:
            numbers = range(self.numbers, self.numbers + count)
            self.numbers += count
        each = [parts] * count if isinstance(parts, int) else list(parts)
        messages = [
            NewMessage(
                ids[n], numbers[n], lane, status, self.now if due is None else due,
                self.now + validity, each[n], 0, None, refs[n] if refs else None, reason, closes,
                zone, 0 if status == Status.HELD_MODERATION else None,
            )
            for n in range(count)
        ]  # fmt: skip
        idempotency = None
        if key is not None:
            idempotency = Idempotency(account, "POST /v1/messages", key, body.ljust(32), 202, body)
        texts = (held(account, "accepted"),) if status == Status.HELD_MODERATION else ()
        return Submission(content, messages, [], created, idempotency, texts=texts)

    async def accept(self, count: int = 1, **more: Any) -> list[int]:
        """Submit; returns the messages' ids."""
        submission = self.submission(count, **more)
        assert await self.store.accept([submission]) == [None]
        return [message.id for message in submission.messages]

    async def lease(
        self, parts: int = 100, lanes: Sequence[str] = ("main/bulk",), carrier: str = "op1",
        idle: bool = False,
    ) -> list[Leased]:  # fmt: skip
        demand = Demand(carrier, lanes, parts, idle)
        return (await self.store.lease([demand], self.now)).taken[0]

    async def sent(
        self, leased: Sequence[Leased], carrier: str = "op1", receipts: bool = True
    ) -> None:
        """Settle as sent; the operator's ids are `<message>-<part>`."""
        await self.store.settle([
            Settled(m, carrier, Outcome.SENT, self.now, Status.SENT, receipts=receipts,
                    operator_ids=[f"{m.id}-{part + 1}" for part in range(m.parts)])
            for m in leased
        ])  # fmt: skip

    def result(self, message: Leased, outcome: Outcome, status: int, **more: Any) -> Settled:
        return Settled(message, "op1", outcome, self.now, status, **more)

    def receipt(
        self, message: int, status: int = Status.DELIVERED, part: int = 1, carrier: str = "op1",
        reason: str | None = None, code: str | None = "000",
    ) -> ReceiptNews:  # fmt: skip
        return ReceiptNews(carrier, [f"{message}-{part}"], status, self.now, reason, code)

    async def receive(self, *receipts: ReceiptNews) -> list[ReceiptFate]:
        """One call of the store for each run of receipts of one carrier and moment."""
        fates: list[ReceiptFate] = []
        for (carrier, at), run in groupby(receipts, key=lambda one: (one.carrier, one.at)):
            own = list(run)
            told = await self.store.receive(Receipts(
                carrier, at, [one.keys[0] for one in own],
                [News(one.status, one.reason, one.carrier_code) for one in own],
                {n: one.keys[1:] for n, one in enumerate(own) if len(one.keys) > 1},
            ))  # fmt: skip
            fates += [
                ReceiptFate(None if n in told.unmatched else told.matched.get(n, 0), sent_at)
                for n, sent_at in enumerate(told.sent_at)
            ]
        return fates

    async def maintain(self) -> int:
        """Until nothing is left to do; returns the steps it took."""
        steps = 1
        while await self.store.maintain(self.now):
            steps += 1
            assert steps < 10_000
        return steps

    # what is really in the file

    def sql(self, statement: str, *values: Any) -> list[Any]:
        connection = sqlite3.connect(self.path)
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    def events(self, type: str = "message.status") -> list[dict[str, Any]]:
        """All events of a type, in order."""
        rows = self.sql("SELECT body FROM events WHERE type = ? ORDER BY position", type)
        return [event for (body,) in rows for event in json.loads(b"[" + body + b"]")]

    def statuses(self) -> Counter[str]:
        rows = self.sql("SELECT status, count(*) FROM messages GROUP BY status")
        return Counter({Status(status).public: count for status, count in rows})

    def metric(self, row: Row, *labels: str) -> float:
        value = self.metrics.registry.get_sample_value(
            row.name if row.kind != "counter" else row.name.removesuffix("_total") + "_total",
            dict(zip(row.labels, labels, strict=True)),
        )
        return 0.0 if value is None else value

    def check(self) -> None:
        """What must be true of every store at rest."""
        counted = {
            (batch, status): n
            for batch, status, n in self.sql("SELECT batch, status, n FROM batch_counts WHERE n")
        }
        real = {
            (batch, status): n
            for batch, status, n in self.sql(
                "SELECT source, status, count(*) FROM messages WHERE source > 0"
                " GROUP BY source, status"
            )
        }
        assert counted == real
        waiting = {
            (lane, source): n
            for lane, source, n in self.sql(
                "SELECT lane, source, count(*) FROM messages WHERE due >= 0 GROUP BY lane, source"
            )
        }
        entries = self.store._memory.sources._entries
        assert {key: entry.waiting for key, entry in entries.items()} == waiting
        assert self.store._memory.sources.waiting == sum(waiting.values())
        leased = {row[0] for row in self.sql("SELECT id FROM messages WHERE status = 5")}
        assert leased == self.store._memory.leased
        wrong = self.sql(
            "SELECT id, status, due, deadline FROM messages WHERE NOT CASE"
            " WHEN status = 5 THEN due < 0 AND deadline IS NOT NULL"
            " WHEN status = 6 THEN due IS NULL AND deadline IS NOT NULL"
            " WHEN status > 6 THEN due IS NULL AND deadline IS NULL"
            " ELSE due >= 0 AND deadline IS NOT NULL END"
        )
        assert wrong == []
        # A part waits, or it has its message: never both.
        both = "SELECT id FROM told_ids INTERSECT SELECT id FROM waiting_parts"
        assert self.sql(both) == []
