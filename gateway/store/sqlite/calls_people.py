"""The calls of `ledgers.ConsentStore` and `ledgers.SubjectStore`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from gateway.model import mask_number
from gateway.store.ledgers import AccountRules, Consent, ConsentState
from gateway.store.registry import Audit
from gateway.store.sqlite import consents, failures, registry
from gateway.store.sqlite.calls import Calls
from gateway.store.sqlite.names import ACCOUNT
from gateway.store.sqlite.writer import Transaction

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

    def rule_accounts(self, rules: Mapping[str, AccountRules]) -> None:
        """See the contract."""
        self._memory.rules = rules

    async def suppressed(self, account: str, numbers: Sequence[int]) -> set[int]:
        """See the contract."""
        owner = self._names.known(ACCOUNT, account)
        after = 0 if owner is None else self._memory.suppress_after(owner)
        if owner is None or not after:
            return set()
        candidates = self._memory.failing.candidates(owner, numbers)
        if not candidates:
            return set()
        return await self._reader.call(
            "suppressed", lambda c: failures.suppressed(c, owner, after, candidates)
        )

    async def unsuppress(self, account: str, number: int, actor: str, now: int) -> bool:
        """See the contract."""
        owner = self._names.known(ACCOUNT, account)
        if owner is None:
            return False
        after = self._memory.suppress_after(owner)

        def lift(transaction: Transaction) -> bool:
            count = failures.forget(transaction.connection, owner, number)
            if count:
                subject, detail = mask_number(number), {"failures": count}
                entry = Audit(account, actor, "suppression.lift", subject, now, detail)
                registry.note(transaction.connection, [entry])
            return bool(after) and count >= after

        return await self._writer.call("unsuppress", lift)
