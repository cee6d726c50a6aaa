"""The one thread that writes, and the one that reads.

In: functions that take a connection. Out: awaitables of what they return, once it is on disk.
Knows SQLite and threads; not what the functions do.

Group commit: calls that wait while a transaction runs share the next one. A transaction is run
without savepoints, since every statement costs the thread the interpreter lock (up to one switch
interval each when the event loop is busy); only when a call in it fails is it rolled back and
run again with a savepoint around each call. So a call may run twice: it changes nothing but the
database, and leaves its effects on memory to `Transaction.after_commit`.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, TypeVar

from gateway.errors import StoreUnavailable
from gateway.metrics import STORE_COMMITS, STORE_ERRORS, STORE_SECONDS, STORE_WAITING, Metrics

T = TypeVar("T")

MAX_ROWS: Final = 4_000
"""Rows in one transaction before it commits: a one-time code behind it waits some 30 ms."""

MAX_SECONDS: Final = 0.015
"""And the time after which it takes no further call, whatever their size."""


class Transaction:
    """What one call may touch: the connection now, memory after the commit."""

    __slots__ = ("connection", "effects", "undo")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.effects: list[Callable[[], None]] = []
        self.undo: list[Callable[[], None]] = []

    def after_commit(self, effect: Callable[[], None]) -> None:
        """Run `effect` on the writer's thread once the transaction is on disk."""
        self.effects.append(effect)

    def on_rollback(self, undo: Callable[[], None]) -> None:
        """Run `undo` on the writer's thread if the call does not come to pass: for memory that
        later calls of the same transaction must already see changed."""
        self.undo.append(undo)


class _Job(Generic[T]):
    __slots__ = ("begun", "error", "fn", "future", "name", "result", "rows")

    def __init__(
        self, name: str, fn: Callable[[Any], T], rows: int, future: asyncio.Future[T]
    ) -> None:
        self.name = name
        self.fn = fn
        self.rows = rows
        self.future = future
        self.begun = time.perf_counter()
        self.result: T | None = None
        self.error: BaseException | None = None


_Jobs = list["_Job[Any]"]


def _resolve(jobs: _Jobs) -> None:
    for job in jobs:
        if job.future.done():  # its caller was cancelled; the change stands all the same
            continue
        if job.error is None:
            job.future.set_result(job.result)
        else:
            job.future.set_exception(job.error)


def _translated(error: BaseException) -> BaseException:
    """SQLite's operational errors (full disk, I/O, lock) in the words of the contract."""
    if isinstance(error, sqlite3.OperationalError | sqlite3.DatabaseError) and not isinstance(
        error, sqlite3.IntegrityError | sqlite3.ProgrammingError
    ):
        unavailable = StoreUnavailable(f"the store cannot write: {error}")
        unavailable.__cause__ = error
        return unavailable
    return error


class _Worker:
    """A thread that takes jobs from a queue until it finds None."""

    def __init__(self, title: str, metrics: Metrics) -> None:
        self._metrics = metrics
        self._queue: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name=title, daemon=True)
        self._closed = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin; results are handed to `loop`."""
        self._loop = loop
        self._thread.start()

    async def stop(self) -> None:
        """Finish the calls already made, then end the thread."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        if self._thread.ident is not None:
            await asyncio.to_thread(self._thread.join)

    def _put(self, name: str, fn: Callable[[Any], T], rows: int) -> asyncio.Future[T]:
        loop = self._loop
        if loop is None or self._closed:
            raise StoreUnavailable("the store is not open")
        job = _Job(name, fn, rows, loop.create_future())
        self._queue.put(job)
        return job.future

    def _done(self, jobs: _Jobs, *calls: Callable[[], None]) -> None:
        """Hand everything to the loop in one wake-up."""
        now = time.perf_counter()
        times: dict[str, list[float]] = {}
        for job in jobs:
            times.setdefault(job.name, []).append(now - job.begun)
            if job.error is not None:
                self._metrics.count(STORE_ERRORS, 1, job.name, type(job.error).__name__)
        for name, seconds in times.items():
            self._metrics.observe(STORE_SECONDS, seconds, name)
        loop = self._loop
        assert loop is not None

        def deliver() -> None:
            _resolve(jobs)
            for call in calls:
                call()

        with suppress(RuntimeError):  # the loop is gone: nobody waits any more
            loop.call_soon_threadsafe(deliver)

    def _run(self) -> None:
        raise NotImplementedError


class Reader(_Worker):
    """Queries on a read-only connection; they never wait for writers."""

    def __init__(self, connection: sqlite3.Connection, metrics: Metrics) -> None:
        super().__init__("aldis-store-reader", metrics)
        self._connection = connection

    def call(self, name: str, fn: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Run `fn(connection)` in one read transaction; the awaitable is its result."""
        return self._put(name, fn, 0)

    def _run(self) -> None:
        connection = self._connection
        while (job := self._queue.get()) is not None:
            try:
                connection.execute("BEGIN")
                job.result = job.fn(connection)
            except BaseException as error:  # noqa: BLE001  the caller is told, the thread lives on
                job.error = _translated(error)
            finally:
                with suppress(sqlite3.Error):
                    connection.execute("COMMIT")
            self._done([job])
        connection.close()


class Writer(_Worker):
    """Changes, in the order of the calls, many to a commit."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        metrics: Metrics,
        committed: Callable[[], Callable[[], None] | None] = lambda: None,
        rolled_back: Callable[[], None] = lambda: None,
    ) -> None:
        """`committed()` is asked after each commit for something to run on the loop (or None);
        `rolled_back()` is called whenever changes were undone, the whole transaction's or one
        call's."""
        super().__init__("aldis-store-writer", metrics)
        self._connection = connection
        self._committed = committed
        self._rolled_back = rolled_back
        self._taken: _Jobs = []

    def call(self, name: str, fn: Callable[[Transaction], T], rows: int = 1) -> asyncio.Future[T]:
        """Run `fn(transaction)`; the awaitable is its result, after the commit.

        `rows` is about how many rows it writes: it bounds the transactions. `fn` may be run
        twice. Raises `StoreUnavailable` if the change could not be made durable.
        """
        return self._put(name, fn, rows)

    def _run(self) -> None:
        job = self._queue.get()
        try:
            while job is not None:
                job = self._transact(job)
        except Exception as error:  # noqa: BLE001  the thread's outermost edge
            # Memory may no longer agree with the file: nothing more is done with it.
            self._fail(self._taken, error)
            while (job := self._queue.get()) is not None:
                self._fail([job], error)
        self._connection.close()

    def _fail(self, jobs: _Jobs, error: Exception) -> None:
        for job in jobs:
            job.error = StoreUnavailable(f"the store stopped: {error!r}; restart the gateway")
            job.error.__cause__ = error
        self._done(jobs)

    def _transact(self, first: _Job[Any]) -> _Job[Any] | None:
        """One transaction from `first` on; returns the next job (None: the end)."""
        queue = self._queue
        job: _Job[Any] | None = first
        taken: _Jobs = []
        self._taken = taken
        rows = 0
        started = time.perf_counter()
        transactions: list[Transaction] = []
        failed = False
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            first.error = _translated(error)
            self._done([first])
            return queue.get()
        while job is not None:
            taken.append(job)
            rows += job.rows
            if not failed:
                transaction = Transaction(self._connection)
                transactions.append(transaction)
                try:
                    job.result = job.fn(transaction)
                except BaseException as error:  # noqa: BLE001  told to its caller below
                    job.error = error
                    failed = True
            if rows >= MAX_ROWS or time.perf_counter() - started > MAX_SECONDS or failed:
                break
            try:
                job = queue.get_nowait()
            except Empty:
                break
        self._metrics.set(STORE_WAITING, queue.qsize())
        if failed:
            self._rollback(transactions)
            if len(taken) == 1:
                taken[0].error = _translated(taken[0].error or StoreUnavailable("rolled back"))
                self._done(taken)
            else:
                transactions = self._again(taken)
                self._commit(taken, transactions)
        else:
            self._commit(taken, transactions)
        return None if job is None else queue.get()

    def _again(self, jobs: _Jobs) -> list[Transaction]:
        """Run the calls of a failed transaction once more, each undone on its own if it fails."""
        connection = self._connection
        transactions: list[Transaction] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                job.error = None
                transaction = Transaction(connection)
                transactions.append(transaction)
                connection.execute("SAVEPOINT one")
                try:
                    job.result = job.fn(transaction)
                except BaseException as error:
                    job.error = _translated(error)
                    if not connection.in_transaction:
                        raise  # SQLite rolled everything back itself (disk full, I/O error)
                    connection.execute("ROLLBACK TO one")
                    self._undo([transactions.pop()])
                connection.execute("RELEASE one")
        except BaseException as error:  # noqa: BLE001  every caller is told
            self._rollback(transactions)
            for job in jobs:
                job.error = job.error or _translated(error)
            return []
        return transactions

    def _commit(self, jobs: _Jobs, transactions: list[Transaction]) -> None:
        if any(job.error is None for job in jobs) or self._connection.in_transaction:
            try:
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._rollback(transactions)
                for job in jobs:
                    job.error = job.error or _translated(error)
            else:
                self._metrics.count(STORE_COMMITS)
                for transaction in transactions:
                    for effect in transaction.effects:
                        effect()
        listener = self._committed() if transactions else None
        self._done(jobs, *([listener] if listener is not None else []))

    def _rollback(self, transactions: list[Transaction]) -> None:
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        self._undo(transactions)

    def _undo(self, transactions: list[Transaction]) -> None:
        for transaction in reversed(transactions):
            for undo in reversed(transaction.undo):
                undo()
        self._rolled_back()
