"""The calls of `ledgers.ConsentStore` and `ledgers.SubjectStore`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from gateway.store.ledgers import Consent, ConsentState
from gateway.store.sqlite import consents
from gateway.store.sqlite.calls import Calls
from gateway.store.sqlite.names import ACCOUNT

RECORD_STEP: Final = 1_000
"""Statements in one call to the writer: some 10 ms, so that one-time codes get in between."""


class PeopleCalls(Calls):
    """Consents, suppression, the rights of a person."""

    async def record_consents(self, statements: Sequence[Consent]) -> list[Consent]:
        """See the contract."""
        stored: list[Consent] = []
        for first in range(0, len(statements), RECORD_STEP):
            step = statements[first : first + RECORD_STEP]
            stored += await self._writer.call(
                "record_consents",
                partial(consents.record, memory=self._memory, consents=step),
                len(step),
            )
        return stored

    async def consents(
        self, account: str, limit: int, cursor: int | None = None, *, number: int | None = None
    ) -> list[Consent]:
        """See the contract."""
        return await self._reader.call(
            "consents",
            lambda c: consents.consents(c, account, limit, cursor, number, self._names),
        )

    async def consent_states(
        self, account: str, brand: str, numbers: Sequence[int]
    ) -> dict[int, ConsentState]:
        """See the contract."""
        owner = self._names.known(ACCOUNT, account)
        if owner is None or owner not in self._memory.consenting:
            return {}
        return await self._reader.call(
            "consent_states", lambda c: consents.states(c, owner, brand, numbers)
        )
