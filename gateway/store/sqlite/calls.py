"""What the groups of calls of the SQLite store are made on.

In: nothing. Out: the base of `calls_*`, one module for each part of the contract, which
`store.SqliteStore` puts together.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.store.ledgers import OptOutView
from gateway.store.sqlite.memory import Memory
from gateway.store.sqlite.names import Names
from gateway.store.sqlite.writer import Reader, Writer


class Calls:
    """The threads and what is kept in memory."""

    _memory: Memory
    _names: Names
    _clock: Callable[[], int]
    _writer: Writer
    _reader: Reader

    def new_ids(self, count: int, now: int) -> list[int]:
        """See the contract."""
        raise NotImplementedError  # the store's own

    async def opt_outs(
        self, account: str, limit: int, since: int = 0, *, number: int | None = None,
        removed: bool = False,
    ) -> list[OptOutView]:  # fmt: skip
        """See the contract."""
        raise NotImplementedError  # `OptOutCalls`'
