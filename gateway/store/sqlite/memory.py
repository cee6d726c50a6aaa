"""What the store keeps in memory beside the file, all of it rebuilt at start.

In: a connection. Out: the parts the stages share. Touched by the writer's thread alone, except
where a member says otherwise.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from config.policies import Policy
from config.settings import StoreSettings
from gateway.metrics import ILLEGAL_TRANSITIONS, Metrics
from gateway.model import STATUS_NAMES, BatchState, IllegalTransition
from gateway.store.keywords import Hear
from gateway.store.ledgers import AccountRules
from gateway.store.messages import InboundMessage, Reopen
from gateway.store.sqlite.contents import Contents
from gateway.store.sqlite.correlation import Correlation
from gateway.store.sqlite.event_log import EventLog
from gateway.store.sqlite.marks import Marks
from gateway.store.sqlite.moderation_queue import Queue
from gateway.store.sqlite.names import Names
from gateway.store.sqlite.opt_outs_memory import OptOutMemory
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.sources import Sources

MICROS: Final = 1_000_000

MAX_PARKED_KEYS: Final = 100_000
"""Keys of parked receipts remembered; with more, every response is looked up."""


def _no_ids(count: int, now: int) -> list[int]:
    raise AssertionError("the store has not said where its ids come from")


class Batch(msgspec.Struct):
    """What a stage must know of a campaign without asking the file."""

    account: int
    state: str
    finished: bool = False


class Memory:
    """Names, sources, contents, correlation, batches, leases."""

    def __init__(self, settings: StoreSettings, metrics: Metrics, strict: bool) -> None:
        self.settings = settings
        self.metrics = metrics
        self.strict = strict
        self.names = Names()
        self.events = EventLog(self.names)
        self.sources = Sources()
        self.contents = Contents()
        self.correlation = Correlation()
        self.leased: set[int] = set()
        """Messages that belong to the caller. As many as the windows hold."""
        self.batches: dict[int, Batch] = {}
        """Campaigns that are not finished (and some that are)."""
        self.touched: set[int] = set()
        """Campaigns some of whose messages ended: `maintain` looks whether they are finished."""
        self.opt_outs = OptOutMemory(metrics)
        self.consenting: set[int] = set()
        """Accounts with statements of consent or its refusal; added to by the writer, read by
        any."""
        self.erasing: set[int] = set()
        """Messages under way of people who want to be forgotten, as the table has them: one that
        comes back leaves no more."""
        self.failing = Marks()
        """Numbers that failed for good and were not reached since."""
        self.grow_failing: Callable[[], None] = lambda: None
        """Makes room in `failing` once it is full; the store says how."""
        self.rules: Mapping[str, AccountRules] = {}
        """What differs by account; the composition root says so."""
        self.mailboxes: set[int] = set()
        """Accounts whose receivers' place was asked for since the start; the loop says so."""
        self.parked_keys: set[int] | None = set()
        """Hashes of (carrier, operator's id) of parked receipts; None if there are too many."""
        self.next_parked = 1
        self.unindexed = 0
        """About how many messages lie above meta `indexed_to`."""
        self.moved = 0
        """Messages accepted and leased since `number_index` last looked."""
        self.sought = False
        """Whether somebody has walked the messages above `indexed_to` since; any thread may say
        so."""
        self.work = False
        """Whether the transaction made messages leasable."""
        self.reopen: Reopen | None = None
        """What a lease asks about messages whose window has closed."""
        self.moderation = Queue()
        self.most_waiting_items = Policy().most_waiting_items
        self.validity_counts: Callable[[str], bool] = lambda account: True
        """Whether an account's messages grow old while they are held; the composition root says."""
        self.new_ids: Callable[[int, int], list[int]] = _no_ids
        """The store's ids, for what is made on the writer's thread."""
        self.hear: Hear | None = None
        """What replies mean; the composition root's returns say so."""
        self.late_keywords: list[InboundMessage] = []
        """Keywords in replies that were given up, to be told of."""
        self.keep_audit = float(Policy().keep_audit)
        """Seconds the trail stays; the composition root says the configured ones."""

    def suppress_after(self, account: int) -> int:
        """Failures in a row after which a number of this (interned) account is suppressed; 0:
        never."""
        rules = self.rules.get(self.names.name(account))
        return 0 if rules is None else rules.suppress_after

    def load(self, connection: sqlite3.Connection) -> list[tuple[int, int]]:
        """Fill everything; returns the (lane, source) pairs that have leases of a dead process."""
        self.names.load(connection)
        self.correlation.load(connection)
        self.moderation.load(connection)
        self.opt_outs.load(connection, self.names)
        self.consenting.update(row[0] for row in connection.execute(CONSENTING))
        self.erasing.update(row[0] for row in connection.execute("SELECT message FROM erasing"))
        self.next_parked += connection.execute(
            "SELECT coalesce(max(id), 0) FROM parked"
        ).fetchone()[0]
        keys: set[int] = set()
        for row in connection.execute("SELECT carrier, operator_id FROM parked_keys LIMIT ?",
                                      (MAX_PARKED_KEYS + 1,)):  # fmt: skip
            keys.add(hash((row[0], row[1])))
        self.parked_keys = keys if len(keys) <= MAX_PARKED_KEYS else None
        for batch, account, state in connection.execute(OPEN_BATCHES):
            self._add_batch(batch, account, state, False)
            self.touched.add(batch)
        waiting: list[list[int | None]] = unpack(connection, _waiting, WAITING)
        self.load_batches(connection, {row[1] for row in waiting if row[1]})
        leased: list[tuple[int, int]] = []
        for lane, source, messages, due, leases in waiting:
            assert lane is not None
            assert source is not None
            if messages and due is not None:
                account = -source if source < 0 else self.batches[source].account
                self.sources.arrive(lane, account, source, messages, due)
            if leases:
                leased.append((lane, source))
        return leased

    def load_batches(self, connection: sqlite3.Connection, batches: set[int]) -> None:
        """Make sure of these campaigns (ids; others are ignored)."""
        missing = [batch for batch in batches if batch > 0 and batch not in self.batches]
        if missing:
            for batch, account, state, finished in unpack(
                connection, _batches, BATCHES, pack(missing)
            ):
                self._add_batch(batch, account, state, finished is not None)

    def add_batch(self, batch: int, account: int, state: str) -> None:
        """A campaign was created."""
        self._add_batch(batch, account, state, False)

    def _add_batch(self, batch: int, account: int, state: str, finished: bool) -> None:
        self.batches[batch] = Batch(account, state, finished)
        if state not in LEASABLE:
            self.sources.pause(batch)

    def illegal(self, before: int, after: int) -> None:
        """A status change the table does not know: ours to raise in tests, to count otherwise."""
        if self.strict:
            raise IllegalTransition(f"{STATUS_NAMES[before]} -> {STATUS_NAMES[after]}")
        self.metrics.count(ILLEGAL_TRANSITIONS, 1, STATUS_NAMES[before], STATUS_NAMES[after])


LEASABLE: Final = frozenset({BatchState.RUNNING.value, BatchState.FINISHED.value})
"""States in which messages leave. New messages reopen a finished campaign, so it is not paused."""

_waiting: Final = msgspec.json.Decoder(list[list[int | None]])
_batches: Final = msgspec.json.Decoder(list[tuple[int, int, str, int | None]])

CONSENTING: Final = """
SELECT n.id FROM names AS n WHERE n.kind = 'account'
AND EXISTS (SELECT 1 FROM consents AS c WHERE c.account = n.id)
"""
OPEN_BATCHES: Final = "SELECT id, account, state FROM batches WHERE finished IS NULL"
BATCHES: Final = """
SELECT json_group_array(json_array(b.id, b.account, b.state, b.finished))
FROM json_each(?) AS j CROSS JOIN batches AS b ON b.id = j.value
"""
WAITING: Final = """
SELECT json_group_array(json_array(lane, source, n, first, leases)) FROM (
    SELECT lane, source, sum(due >= 0) AS n, min(CASE WHEN due >= 0 THEN due END) AS first,
        sum(due < 0) AS leases
    FROM messages INDEXED BY messages_due WHERE due IS NOT NULL GROUP BY lane, source
)
"""
