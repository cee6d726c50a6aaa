"""Filling `marks` from the file, behind everybody's back.

In: a ledger to read, through a connection and in a thread of its own, so that neither the start nor
any query waits for ten million rows. Out: marks that tell. It reads a few thousand rows at a time
and rests as long as it had the interpreter: the event loop wants it too.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

from gateway.metrics import TASK_ERRORS, Metrics
from gateway.store.sqlite import schema
from gateway.store.sqlite.marks import Marks

log = logging.getLogger(__name__)

STEP: Final = 4_096
"""Numbers in a step: 2 ms of the interpreter, and at most so long waits a refusal for the lock."""

RETRY: Final = 5.0
"""Seconds after which a failed attempt is made again (a full disk, no file handles). Meanwhile
everybody stays a candidate."""


class Ledger(Protocol):
    """What to read."""

    def count(self, connection: sqlite3.Connection) -> int:
        """How many entries there are, about."""

    def entries(self, connection: sqlite3.Connection) -> Iterator[tuple[int, list[int]]]:
        """All of them: accounts with some `STEP` numbers each. Each step is a statement of its own:
        one snapshot held for seconds would keep the log from being copied."""

    def erased_marks(self, connection: sqlite3.Connection) -> dict[int, list[int]]:
        """By account: those of which only the mark was kept."""


class Marking:
    """One thread for each filling; there is never more than one at a time."""

    def __init__(
        self, path: Path, marks: Marks, ledger: Ledger, metrics: Metrics,
        finished: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """`finished` is called in the thread, whenever the marks tell anew."""
        self._path = path
        self._marks = marks
        self._ledger = ledger
        self._metrics = metrics
        self._finished = finished
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Fill, or grow. The marks must be collecting (`Marks.collect`)."""
        self._thread = threading.Thread(target=self._run, name="aldis-marking", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop where it is; the next start begins anew."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._fill()
            except Exception:  # the thread's outermost edge
                self._metrics.count(TASK_ERRORS, 1, "marking")
                log.exception(
                    "marks could not be filled from %s; it is tried again", self._path.name
                )
                self._stopping.wait(RETRY)
            else:
                return

    def _fill(self) -> None:
        connection = schema.open_reader(self._path)
        try:
            marks, ledger = self._marks, self._ledger
            # Twice the entries when it grows, or it would be full again with the next import.
            marks.allocate(ledger.count(connection) * (2 if marks.ready else 1))
            for account, erased in ledger.erased_marks(connection).items():
                marks.add_marks(account, erased)
            for account, numbers in ledger.entries(connection):
                begun = time.perf_counter()
                marks.fill(account, numbers)
                if self._stopping.wait(time.perf_counter() - begun):
                    return
            marks.finish()
        finally:
            connection.close()
        self._finished()
