"""The calls of `rates.RatesStore`."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.store.rates import Reserved, Written
from gateway.store.sqlite import reservations as rows
from gateway.store.sqlite.calls import Calls


class RatesCalls(Calls):
    """Uses of caps, and the messages of late."""

    async def reserve(self, reservations: Sequence[Reserved], now: int) -> None:
        """See the contract."""
        if reservations:
            await self._writer.call(
                "reserve",
                lambda t: rows.reserve(t.connection, reservations, now),
                len(reservations),
            )

    async def reserved(self, now: int) -> list[Reserved]:
        """See the contract."""
        return await self._reader.call("reserved", lambda c: rows.reserved(c, now))

    async def written_since(
        self, accounts: Sequence[str], after: int, limit: int
    ) -> tuple[list[Written], int | None]:
        """See the contract."""
        return await self._reader.call(
            "written_since", lambda c: rows.written_since(c, accounts, after, limit, self._names)
        )
