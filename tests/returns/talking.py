"""Phones that write, and what becomes of it: real deliver_sm, a real store, real admission."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from config.policies import Keywords, Policy
from config.settings import Account, Carrier, Route, StoreSettings
from gateway.admission import ANSWER, REPLY, Checks
from gateway.admission.numbering import Numbering
from gateway.admission.world import World
from gateway.answering import Answering
from gateway.metrics import KEYWORD_ANSWERS, KEYWORDS, Metrics, Row
from gateway.model import OnUnknown, Status
from gateway.registries import Registries
from gateway.returns import Returns
from gateway.routing import RoutingTable
from gateway.store.ledgers import ConsentState
from gateway.store.messages import (
    Content,
    Demand,
    NewMessage,
    Outcome,
    Settled,
    Submission,
)
from gateway.store.registry import Entry, Kind
from gateway.store.sqlite import SqliteStore
from protocol.pdu import DeliverSm
from protocol.segment import frame, segment

START = 1_800_000_000_000_000
"""2027-01-15T08:00:00Z"""
SECOND = 1_000_000
HOUR = 3600 * SECOND
PHONE = "79161234567"
OTHER = "447400123456"
OURS = "4915112345678"
"""Our number the accounts are written to."""

NUMBERING = Numbering()


class Talk:
    """One gateway from deliver_sm to the queue, and a clock that moves when told."""

    def __init__(self, path: Path) -> None:
        self.now = START
        self.path = path / "aldis.db"
        self.metrics = Metrics()
        self.accounts: list[Account] = []
        self.make()

    def make(self) -> None:
        settings = StoreSettings(path=str(self.path), synchronous="NORMAL")
        self.store = SqliteStore(settings, 0, self.metrics, lambda: self.now, strict=True)
        self.world = World(
            NUMBERING, RoutingTable([Route(name="main", carriers=("op1",))]), self.store
        )
        self.answering = Answering(
            self.store,
            Checks(self.world, ANSWER),
            Checks(self.world, REPLY),
            self.metrics,
            lambda: self.now,
        )
        self.returns = Returns(self.store, self.metrics, lambda: self.now, self.answering.put)
        self.registries = Registries(self.store, self.metrics)
        self.registries.tell(Kind.KEYWORD, self.returns.listening.take_rules)
        self.registries.tell(Kind.SENDER, self.returns.listening.take_senders)

    async def open(self) -> None:
        await self.store.open(lambda carrier, category: OnUnknown.RESEND, self.now)
        await self.registries.start()

    async def again(self) -> None:
        """Stop and start."""
        await self.store.close()
        self.make()
        await self.open()
        await self.apply(*self.accounts)

    async def apply(self, *accounts: Account, region: str | None = None) -> None:
        self.accounts = list(accounts)
        self.answering.apply(accounts)
        carriers = [Carrier(name="op1", region=region), Carrier(name="op2")]
        await self.returns.apply(carriers, accounts, Policy())

    async def configure(self, **keywords: Any) -> None:
        """One account that owns `OURS`, with these keywords."""
        keywords.setdefault("brand", "Kestrel")
        await self.apply(shop(**keywords))

    async def rules(self, account: str = "shop", **rules: dict[str, Any]) -> None:
        entries = [
            Entry(Kind.KEYWORD, account, name, doc, updated=self.now, actor="test")
            for name, doc in rules.items()
        ]
        await self.store.put_entries(entries)
        await self.registries.settled()

    async def says(
        self, *texts: str, source: str = PHONE, to: str = OURS, carrier: str = "op1"
    ) -> list[str]:
        """A phone writes; the answers that are queued for it."""
        before = await self.answers()
        statuses = await self.returns.take(
            carrier, [pdu for text in texts for pdu in deliver(text, source, to)]
        )
        assert set(statuses) == {0}
        await self.answering.drain()
        await self.returns.listening.settled()
        await self.registries.settled()
        return (await self.answers())[len(before) :]

    async def send(
        self, *, sender: str = OURS, number: str = PHONE, account: str = "shop",
        sent: bool = False, answer: bool = False, category: str = "advertising",
    ) -> int:  # fmt: skip
        """A message waiting to leave, or one that has left."""
        content, identifier = self.store.new_ids(2, self.now)
        await self.store.accept([
            Submission(
                Content(content, account, sender, "Buy!", category, answer=answer),
                [NewMessage(identifier, int(number), "main/bulk", Status.QUEUED, self.now,
                            self.now + 300 * HOUR, 1, 0)],
            )
        ])  # fmt: skip
        if sent:
            lease = await self.store.lease([Demand("op1", ["main/bulk"], 100)], self.now)
            (leased,) = [one for one in lease.taken[0] if one.id == identifier]
            await self.store.settle(
                [Settled(leased, "op1", Outcome.SENT, self.now, Status.SENT, [str(identifier)])]
            )
        return identifier

    async def leave(self) -> list[int]:
        """Whatever may leave does, as far as the operator's socket."""
        lanes = ["main/otp", "main/service", "main/bulk"]
        lease = await self.store.lease([Demand("op1", lanes, 1000)], self.now)
        await self.store.settle([
            Settled(one, "op1", Outcome.SENT, self.now, Status.SENT, [str(one.id)])
            for one in lease.taken[0]
        ])  # fmt: skip
        return [one.id for one in lease.taken[0]]

    async def status(self, message: int) -> str:
        (view,) = await self.store.messages(None, [message])
        assert view is not None
        return Status(view.status).public

    async def refuses(
        self, sender: str = OURS, *, account: str = "shop", number: str = PHONE,
        category: str = "advertising",
    ) -> bool:  # fmt: skip
        return bool(await self.store.opted_out(account, sender, category, [int(number)]))

    async def consents(self, brand: str = OURS, number: str = PHONE) -> bool:
        states = await self.store.consent_states("shop", brand, [int(number)])
        return states.get(int(number)) is ConsentState.GRANTED

    async def answers(self) -> list[str]:
        """Every answer ever accepted, in order."""
        rows = self.sql(
            "SELECT c.json ->> 'text' FROM messages AS m JOIN contents AS c ON c.id = m.content"
            " WHERE c.json ->> 'answer' OR c.json ->> 'category' = 'transactional' ORDER BY m.id"
        )
        return [text for (text,) in rows]

    def contents(self) -> list[dict[str, Any]]:
        rows = self.sql("SELECT json FROM contents ORDER BY id")
        return [json.loads(row[0]) for row in rows]

    def events(self, type: str) -> list[dict[str, Any]]:
        rows = self.sql("SELECT body FROM events WHERE type = ? ORDER BY position", type)
        return [event for (body,) in rows for event in json.loads(b"[" + body + b"]")]

    def sql(self, statement: str, *values: Any) -> list[Any]:
        connection = sqlite3.connect(self.path)
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    def metric(self, row: Row, *labels: str) -> float:
        names = dict(zip(row.labels, labels, strict=True))
        return self.metrics.registry.get_sample_value(row.name, names) or 0.0

    def fate(self, kind: str, fate: str, account: str = "shop") -> float:
        return self.metric(KEYWORD_ANSWERS, account, kind, fate)

    def counted(self, kind: str, account: str = "shop") -> float:
        return self.metric(KEYWORDS, account, kind)


def shop(name: str = "shop", numbers: Sequence[str] = (OURS,), **keywords: Any) -> Account:
    """An account with keywords."""
    return Account(name=name, inbound_numbers=tuple(numbers), keywords=Keywords(**keywords))


def deliver(text: str, source: str = PHONE, to: str = OURS) -> list[DeliverSm]:
    """What an operator makes of a text."""
    return [
        DeliverSm(
            source_addr=source,
            destination_addr=to,
            esm_class=esm_class,
            data_coding=segments.data_coding,
            short_message=short_message,
            tlvs=tlvs,
        )
        for segments in [segment(text)]
        for esm_class, short_message, tlvs in frame(segments, 7)
    ]
