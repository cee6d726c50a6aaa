"""The calls of `ledgers.ConsentStore` and `ledgers.SubjectStore`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from gateway.model import mask_number
from gateway.store.ledgers import (
    AccountRules,
    Consent,
    ConsentState,
    Erased,
    Excluded,
    Subject,
)
from gateway.store.messages import InboundMessage
from gateway.store.records import MessageFilter
from gateway.store.registry import Audit
from gateway.store.sqlite import consents, failures, registry, subjects
from gateway.store.sqlite.calls import Calls
from gateway.store.sqlite.names import ACCOUNT
from gateway.store.sqlite.opt_outs_erase import erase_opt_outs
from gateway.store.sqlite.search import Search
from gateway.store.sqlite.writer import Transaction

RECORD_STEP: Final = 1_000
"""Statements in one call to the writer: some 10 ms, so that one-time codes get in between."""


MOST_STATEMENTS: Final = 10_000
"""Consents and refusals of one number that are told: somebody who changes their mind daily for
twenty years has fewer."""


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

    async def subject(self, account: str, number: int) -> Subject:
        """See the contract."""
        stated = await self.consents(account, MOST_STATEMENTS, number=number)
        refusals = await self.opt_outs(account, MOST_STATEMENTS, number=number, removed=True)
        count, at = await self._reader.call(
            "subject", lambda c: failures.of_number(c, account, number, self._names)
        )
        owner = self._names.known(ACCOUNT, account)
        after = 0 if owner is None else self._memory.suppress_after(owner)
        return Subject(number, refusals, stated, count, at, bool(after) and count >= after)

    async def replies(
        self, account: str, number: int, limit: int, cursor: int | None = None
    ) -> list[InboundMessage]:
        """See the contract."""
        return await self._reader.call(
            "replies",
            lambda c: subjects.replies(c, account, number, limit, cursor, self._names),
        )

    async def excluded(self, account: str, number: int) -> list[Excluded]:
        """See the contract."""
        owner = self._names.known(ACCOUNT, account)
        if owner is None:
            return []
        walk = subjects.ExcludedWalk(owner, number)
        while (found := await self._reader.call("excluded", walk.step)) is None:
            pass
        return found

    async def erase(self, account: str, number: int, actor: str, now: int) -> Erased:
        """See the contract."""
        excluded = await self.excluded(account, number)
        erased = canceled = under_way = 0
        cursor: int | None = None
        self._memory.sought = True
        while True:
            where = MessageFilter(account, number)
            walk = Search(where, subjects.STEP, cursor, self._names)
            while (ids := await self._reader.call("erase", walk.ids)) is None:
                pass
            if not ids:
                break
            counts = await self._writer.call(
                "erase",
                partial(subjects.erase_messages, memory=self._memory, ids=ids, now=now),
                len(ids),
            )
            erased += counts[0]
            canceled += counts[1]
            under_way += counts[2]
            cursor = ids[-1]
        messages = (erased, canceled, under_way)
        return await self._writer.call(
            "erase",
            lambda t: self._erase_rest(t, account, number, actor, now, messages, excluded),
        )

    def _erase_rest(
        self,
        transaction: Transaction,
        account: str,
        number: int,
        actor: str,
        now: int,
        messages: tuple[int, int, int],
        excluded: Sequence[Excluded],
    ) -> Erased:
        """What is small, and the entry in the trail: last, so that it says what was done."""
        owner = self._names.known(ACCOUNT, account)
        replies = stated = 0
        if owner is not None:
            replies, stated = subjects.erase_rest(
                transaction, self._memory, owner, number, excluded
            )
        kept = erase_opt_outs(transaction, self._memory, account, number)
        gone = Erased(*messages, replies, len(excluded), stated, kept)
        detail = {name: getattr(gone, name) for name in gone.__struct_fields__}
        entry = Audit(account, actor, "subject.erase", mask_number(number), now, detail)
        registry.note(transaction.connection, [entry])
        return gone
