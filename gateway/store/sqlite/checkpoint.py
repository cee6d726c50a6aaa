"""Moving the write-ahead log into the database file, beside the commits.

In: word of each commit. Out: a log that stays around `START` octets. A checkpoint on the writer's
own connection would stop it for as long as the disk takes; this one runs in its own thread and
leaves only the last few frames to the writer.

A passive checkpoint copies what was committed when it began. Under steady load it never catches
up, and SQLite starts the log over only when everything in it has been copied: so when the thread
is done, the writer is asked to copy the rest between two transactions.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

START: Final = 32 << 20
"""Log size that starts a checkpoint, octets: a second of full load."""

PASSIVE: Final = "PRAGMA wal_checkpoint(PASSIVE)"


class Checkpointer:
    """A thread that copies the log when told that it is long."""

    def __init__(self, path: Path, start: int = START) -> None:
        self._path = path
        self._wal = Path(f"{path}-wal")
        self._start = start
        self._wanted = threading.Event()
        self._copied = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="aldis-checkpoint", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is under way."""
        self._stopping = True
        self._wanted.set()
        if self._thread.ident is not None:
            self._thread.join()

    def committed(self, writer: sqlite3.Connection) -> None:
        """Called by the writer's thread between transactions: 2 us, unless it has the rest of a
        checkpoint to copy."""
        if self._copied.is_set():
            self._copied.clear()
            with suppress(sqlite3.Error):  # a full disk: the next commit will say so
                writer.execute(PASSIVE).fetchone()
        elif not self._wanted.is_set():
            with suppress(OSError):
                if os.stat(self._wal).st_size >= self._start:
                    self._wanted.set()

    def _run(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA busy_timeout = 5000")
        while not self._stopping:  # asked after `clear`, which may have undone what `stop` set
            self._wanted.wait()
            if self._stopping:
                break
            with suppress(sqlite3.Error):
                connection.execute(PASSIVE).fetchone()
            self._copied.set()
            self._wanted.clear()
        connection.close()
