"""The SQLite store: one file, one node.

In and out: `gateway.store.contract`. This module only puts the parts together: the thread that
writes, the thread that reads, what is kept in memory, and which module does what.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Lock

from config.settings import StoreSettings
from gateway.errors import Busy, StoreUnavailable
from gateway.ids import IdSource
from gateway.metrics import Metrics
from gateway.model import BatchState, OnUnknown
from gateway.store.messages import (
    Demand,
    Ineligible,
    LateAnswer,
    Lease,
    ReceiptFates,
    Receipts,
    Reopen,
    Replacement,
    Sent,
    Settled,
    StoredAnswer,
    Submission,
    WaitingPart,
)
from gateway.store.records import (
    ApiKey,
    BatchView,
    Delivered,
    Delivery,
    LogChunk,
    Mailbox,
    MessageFilter,
    MessageView,
    QueueDepth,
    Recovered,
    Webhook,
)
from gateway.store.sqlite import (
    accept,
    batches,
    deliveries,
    facts,
    failures,
    idempotency,
    keys,
    lease,
    log_reading,
    mailboxes,
    number_index,
    queries,
    receive,
    recover,
    replace,
    schema,
    settle,
    told,
    webhooks,
)
from gateway.store.sqlite.calls_keywords import ReplyCalls
from gateway.store.sqlite.calls_moderation import ModerationCalls
from gateway.store.sqlite.calls_people import PeopleCalls
from gateway.store.sqlite.calls_rates import RatesCalls
from gateway.store.sqlite.calls_registry import RegistryCalls
from gateway.store.sqlite.checkpoint import Checkpointer
from gateway.store.sqlite.maintain import Maintenance
from gateway.store.sqlite.marking import Marking
from gateway.store.sqlite.memory import Memory
from gateway.store.sqlite.names import ACCOUNT
from gateway.store.sqlite.search import BatchWalk, Search
from gateway.store.sqlite.writer import Reader, Transaction, Writer

GREATEST_ID = """
SELECT max(
    coalesce((SELECT max(id) FROM messages), 0), coalesce((SELECT max(id) FROM contents), 0),
    coalesce((SELECT max(id) FROM batches), 0), coalesce((SELECT max(id) FROM inbound), 0),
    coalesce((SELECT max(id) FROM deliveries), 0), coalesce((SELECT max(id) FROM webhooks), 0),
    coalesce((SELECT max(id) FROM told_ids), 0), coalesce((SELECT max(id) FROM waiting_parts), 0),
    coalesce((SELECT max(id) FROM items), 0)
)
"""


class SqliteStore(ReplyCalls, RegistryCalls, PeopleCalls, ModerationCalls, RatesCalls):
    """The contract, on one SQLite file. Opened once: after a failed `open`, make another."""

    def __init__(
        self,
        settings: StoreSettings,
        node: int,
        metrics: Metrics,
        clock: Callable[[], int],
        *,
        strict: bool = False,
    ) -> None:
        """`clock` gives UTC in µs; `strict` raises illegal transitions instead of counting them."""
        self._settings = settings
        self._node = node
        self._metrics = metrics
        self._clock = clock
        self._path = Path(settings.path)
        self._lock: int | None = None
        self._memory = Memory(settings, metrics, strict)
        self._names = self._memory.names
        self._events = self._memory.events
        self._ids = IdSource(node)
        self._replies = asyncio.Lock()
        self._told = lambda messages: None
        self._ids_lock = Lock()  # the loop and the writer's thread both take ids
        self._arriving = 0
        self._arriving_for: Counter[str] = Counter()
        self._memory.new_ids = self.new_ids
        self._maintenance = Maintenance(self._memory, self.new_ids)
        self._event_listeners: list[Callable[[Mapping[str, int]], None]] = []
        self._work_listeners: list[Callable[[], None]] = []
        self._registry_listeners = []
        self._decided_listeners = []
        self._failing = Marking(self._path, self._memory.failing, failures.Failures(), metrics)
        self._checkpointer = Checkpointer(self._path)
        ledger = self._memory.opt_outs
        self._marking = Marking(self._path, ledger.marks, ledger, metrics, ledger.tell)

    # opening and closing

    async def open(self, policy: Callable[[str, str], OnUnknown], now: int) -> Recovered:
        """See the contract. Raises `StoreUnavailable` if the file cannot be used or another
        process has it: two would take each other's leases for those of a dead one."""
        try:
            connection, recovered = await asyncio.to_thread(self._open, policy, now)
        except (OSError, sqlite3.Error) as error:
            self._unlock()
            raise StoreUnavailable(f"{self._path} cannot be opened: {error}") from error
        except BaseException:
            self._unlock()
            raise
        self._writer = Writer(connection, self._metrics, self._committed, self._names.rolled_back)
        self._reader = Reader(schema.open_reader(self._path), self._metrics)
        self._connection = connection
        loop = asyncio.get_running_loop()
        self._writer.start(loop)
        self._reader.start(loop)
        self._checkpointer.start()
        self._failing.start()
        self._marking.start()
        return recovered

    def _open(
        self, policy: Callable[[str, str], OnUnknown], now: int
    ) -> tuple[sqlite3.Connection, Recovered]:
        schema.make_directory(self._path)
        self._lock = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreUnavailable(f"{self._path} is in use by another process") from error
        connection = schema.open_writer(
            self._path, self._settings.synchronous, self._settings.cache
        )
        try:
            schema.migrate(connection)
            leased = self._memory.load(connection)
            self._mark_failing(connection)
            (self._memory.unindexed,) = connection.execute(number_index.UNINDEXED).fetchone()
            (greatest,) = connection.execute(GREATEST_ID).fetchone()
            self._ids = IdSource(self._node, greatest)
            transaction = Transaction(connection)
            connection.execute("BEGIN IMMEDIATE")
            recovered = recover.recover(transaction, self._memory, leased, policy, now)
            connection.execute("COMMIT")
            for effect in transaction.effects:
                effect()
            self._names.committed()
        except BaseException:
            connection.close()
            raise
        return connection, recovered

    def _mark_failing(self, connection: sqlite3.Connection) -> None:
        """Numbers that fail: who has any is known at once, which they are after a while."""
        failing = self._memory.failing
        owners = [row[0] for row in connection.execute(failures.FAILING)]
        failing.start(secrets.randbits(60), owners)
        failing.collect()

        def grow() -> None:
            if failing.full:
                failing.collect()
                self._failing.start()

        self._memory.grow_failing = grow

    async def close(self) -> None:
        """Finish the calls already made, copy the log into the file, let go of it."""
        if self._lock is None:
            return
        await asyncio.to_thread(self._failing.stop)
        await asyncio.to_thread(self._marking.stop)
        await self._writer.stop()
        await self._reader.stop()
        await asyncio.to_thread(self._tidy)
        self._unlock()

    def _tidy(self) -> None:
        self._checkpointer.stop()
        with suppress(sqlite3.Error):  # a full disk: the log stays, and is read at the next start
            connection = sqlite3.connect(self._path, isolation_level=None)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _committed(self) -> Callable[[], None] | None:
        """On the writer's thread, between transactions: what the loop is to be told."""
        self._names.committed()
        self._checkpointer.committed(self._connection)
        memory = self._memory
        counts = self._events.touched()
        work, memory.work = memory.work, False
        decided, memory.moderation.news = memory.moderation.news, False
        if not counts and not work and not decided:
            return None

        def tell() -> None:
            if counts:
                for on_event in self._event_listeners:
                    on_event(counts)
            if work:
                for on_work in self._work_listeners:
                    on_work()
            if decided:
                for on_decided in self._decided_listeners:
                    on_decided()

        return tell

    def new_ids(self, count: int, now: int) -> list[int]:
        """Ascending ids (see `Submission`)."""
        with self._ids_lock:
            return self._ids.block(count, now)

    # the way of a message

    async def accept(self, submissions: Sequence[Submission]) -> list[StoredAnswer | None]:
        """See the contract. Raises `Busy` when `max_waiting` messages would wait."""
        count = sum(len(one.messages) for one in submissions)
        waiting = self._memory.sources.waiting + self._arriving
        if waiting + count > self._settings.max_waiting:
            raise Busy(f"{waiting} messages wait, {self._settings.max_waiting} may", 5.0)
        self._arriving += count
        for one in submissions:
            self._arriving_for[one.content.account] += len(one.messages)
        now = self._clock()
        try:
            return await self._writer.call(
                "accept", lambda t: accept.accept(t, self._memory, submissions, now), count + 1
            )
        finally:
            self._arriving -= count
            for one in submissions:
                self._arriving_for[one.content.account] -= len(one.messages)

    async def keep_parts(self, parts: Sequence[WaitingPart]) -> None:
        """See the contract."""
        if parts:
            await self._writer.call(
                "keep_parts",
                lambda t: told.keep_parts(t.connection, parts, self._names),
                len(parts),
            )

    async def waiting_parts(self) -> list[WaitingPart]:
        """See the contract."""
        return await self._reader.call(
            "waiting_parts", lambda c: told.waiting_parts(c, self._names)
        )

    async def resolve(self, account: str, ids: Sequence[int]) -> list[int | None]:
        """See the contract."""
        return await self._reader.call(
            "resolve", lambda c: told.resolve(c, account, ids, self._names)
        )

    async def replace(
        self, account: str, replacements: Sequence[Replacement], now: int
    ) -> list[int | None]:
        """See the contract."""
        return await self._writer.call(
            "replace",
            lambda t: replace.replace(t, self._memory, account, replacements, now),
            len(replacements),
        )

    def waiting(self, account: str) -> int:
        """See the contract."""
        known = self._names.known(ACCOUNT, account)
        stored = 0 if known is None else self._memory.sources.by_account[known]
        return stored + self._arriving_for[account]

    async def lease(self, demands: Sequence[Demand], now: int) -> Lease:
        """See the contract."""
        return await self._writer.call(
            "lease",
            lambda t: lease.lease(t, self._memory, demands, now),
            sum(demand.parts for demand in demands),
        )

    async def settle(self, results: Sequence[Settled], sent: Sequence[Sent] = ()) -> None:
        """See the contract."""
        count = len(results) + sum(len(each.messages) for each in sent)
        if count:
            await self._writer.call(
                "settle", lambda t: settle.settle(t, self._memory, results, sent), count
            )

    async def settle_late(self, answers: Sequence[LateAnswer]) -> None:
        """See the contract."""
        if answers:
            await self._writer.call(
                "settle_late",
                lambda t: settle.settle_late(t, self._memory, answers),
                len(answers),
            )

    async def receive(self, receipts: Receipts) -> ReceiptFates:
        """See the contract."""
        if not receipts.keys:
            return ReceiptFates([], [], {})
        return await self._writer.call(
            "receive", lambda t: receive.receive(t, self._memory, receipts), len(receipts.keys)
        )

    async def cancel(self, account: str, ids: Sequence[int], now: int) -> list[int | None]:
        """See the contract."""
        return await self._writer.call(
            "cancel",
            lambda t: batches.cancel(t, self._memory, account, ids, now),
            len(ids),
        )

    async def set_batch_state(
        self, account: str, batch: int, state: BatchState, now: int
    ) -> BatchState | None:
        """See the contract."""
        return await self._writer.call(
            "set_batch_state",
            lambda t: batches.set_batch_state(t, self._memory, account, batch, state, now),
        )

    async def maintain(self, now: int) -> bool:
        """See the contract."""
        more = await self._writer.call("maintain", lambda t: self._maintenance.step(t, now), 1_000)
        await self._grow()
        self._tell_late()
        return more

    def depths(self) -> list[QueueDepth]:
        """See the contract."""
        return [
            QueueDepth(self._names.name(lane), waiting, due)
            for lane, waiting, due in self._memory.sources.depths()
        ]

    # idempotency, queries: the reader's thread

    async def answered(self, account: str, scope: str, key: str) -> StoredAnswer | None:
        now = self._clock()
        return await self._reader.call(
            "answered",
            lambda c: idempotency.answered(c, account, scope, key, now, self._names),
        )

    async def messages(self, account: str | None, ids: Sequence[int]) -> list[MessageView | None]:
        return await self._reader.call(
            "messages", lambda c: queries.messages(c, account, ids, self._names)
        )

    async def search(
        self, where: MessageFilter, limit: int, cursor: int | None = None
    ) -> list[MessageView]:
        self._memory.sought = True
        walk = Search(where, limit, cursor, self._names)
        while (page := await self._reader.call("search", walk.step)) is None:
            pass
        return page

    async def batch(self, account: str, batch: int) -> BatchView | None:
        return await self._reader.call(
            "batch", lambda c: queries.batch(c, account, batch, self._names)
        )

    async def batches(self, account: str, limit: int, cursor: int | None = None) -> list[BatchView]:
        return await self._reader.call(
            "batches", lambda c: queries.batches(c, account, limit, cursor, self._names)
        )

    async def batch_messages(
        self, batch: int, statuses: Sequence[int] | None, limit: int, cursor: int | None = None
    ) -> list[MessageView]:
        walk = BatchWalk(batch, statuses, limit, cursor, self._names)
        while (page := await self._reader.call("batch_messages", walk.step)) is None:
            pass
        return page

    async def ineligible(
        self, batch: int, limit: int, cursor: int | None = None
    ) -> list[Ineligible]:
        return await self._reader.call(
            "ineligible", lambda c: queries.ineligible(c, batch, limit, cursor)
        )

    # the outbox

    async def webhooks(self, account: str | None = None) -> list[Webhook]:
        return await self._reader.call(
            "webhooks", lambda c: webhooks.webhooks(c, account, self._names)
        )

    async def put_webhook(self, webhook: Webhook) -> None:
        await self._writer.call(
            "put_webhook", lambda t: webhooks.put_webhook(t.connection, webhook, self._names)
        )

    async def delete_webhook(self, webhook: int) -> None:
        await self._writer.call(
            "delete_webhook", lambda t: webhooks.delete_webhook(t.connection, webhook)
        )

    async def next_deliveries(self, wanted: Mapping[int, int], now: int) -> list[Delivery]:
        answer: list[Delivery] = []
        while prepared := await self._reader.call(
            "next_deliveries", partial(log_reading.prepare, wanted=wanted)
        ):
            taken, moved = await self._writer.call(
                "next_deliveries",
                partial(deliveries.take, prepared=prepared, now=now, new_ids=self.new_ids),
                sum(len(one.cuts) for one in prepared),
            )
            answer += taken
            wanted = {webhook: wanted[webhook] for webhook in moved}
        return answer

    async def due_deliveries(self, webhook: int, now: int, limit: int) -> list[Delivery]:
        return await self._reader.call(
            "due_deliveries", lambda c: deliveries.due_deliveries(c, webhook, now, limit)
        )

    async def settle_deliveries(self, results: Sequence[Delivered]) -> None:
        await self._writer.call(
            "settle_deliveries",
            lambda t: deliveries.settle_deliveries(t.connection, results),
            len(results),
        )

    async def deliveries(
        self, webhook: int, state: str | None, limit: int, cursor: int | None = None
    ) -> list[Delivery]:
        return await self._reader.call(
            "deliveries", lambda c: deliveries.deliveries(c, webhook, state, limit, cursor)
        )

    async def replay(
        self, webhook: int, now: int, *, ids: Sequence[int] | None = None, since: int | None = None
    ) -> int:
        return await self._writer.call(
            "replay", lambda t: deliveries.replay(t.connection, webhook, now, ids, since)
        )

    async def mailbox(self, account: str) -> Mailbox:
        self._reads_mail(account)
        found = await self._reader.call(
            "mailbox", lambda c: mailboxes.mailbox(c, account, self._names)
        )
        if found is not None:
            return found
        now = self._clock()
        opened = await self._writer.call(
            "mailbox", lambda t: mailboxes.open_mailbox(t.connection, account, now, self._names)
        )
        self._reads_mail(account)
        return opened

    async def put_mailbox(self, account: str, mailbox: Mailbox) -> None:
        now = self._clock()
        await self._writer.call(
            "put_mailbox",
            lambda t: mailboxes.put_mailbox(t.connection, account, mailbox, now, self._names),
        )
        self._reads_mail(account)

    def _reads_mail(self, account: str) -> None:
        known = self._names.known(ACCOUNT, account)
        if known is not None:
            self._memory.mailboxes.add(known)

    async def read_log(
        self, account: str, types: Sequence[str], after: int, events: int
    ) -> list[LogChunk]:
        return await self._reader.call(
            "read_log",
            lambda c: mailboxes.read_log(c, account, types, after, events, self._names),
        )

    def on_event(self, listener: Callable[[Mapping[str, int]], None]) -> None:
        """Call `listener(counts)` on the event loop after a commit that wrote events."""
        self._event_listeners.append(listener)

    def on_closed(self, reopen: Reopen) -> None:
        """See the contract."""
        self._memory.reopen = reopen

    def on_work(self, listener: Callable[[], None]) -> None:
        """Call `listener()` on the event loop after a commit that made messages leasable."""
        self._work_listeners.append(listener)

    # small facts, and what an upload must know

    async def remember(self, key: str, value: str) -> None:
        await self._writer.call("remember", lambda t: facts.remember(t.connection, key, value))

    async def recall(self, key: str) -> str | None:
        return await self._reader.call("recall", lambda c: facts.recall(c, key))

    async def batch_numbers(
        self, batch: int, limit: int, cursor: int | None = None
    ) -> tuple[list[int], int | None]:
        return await self._reader.call(
            "batch_numbers", lambda c: facts.batch_numbers(c, batch, limit, cursor)
        )

    # keys

    async def put_key(self, key: ApiKey) -> None:
        await self._writer.call("put_key", lambda t: keys.put_key(t.connection, key))

    async def key(self, digest: bytes) -> ApiKey | None:
        return await self._reader.call("key", lambda c: keys.key(c, digest))

    async def keys(self, account: str | None = None) -> list[ApiKey]:
        return await self._reader.call("keys", lambda c: keys.keys(c, account))
