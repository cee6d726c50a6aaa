"""The calls of `ledgers.OptOutStore`, and of the contract what concerns refusals."""

from __future__ import annotations

from asyncio import Future, gather
from collections import deque
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Final

from gateway.store.ledgers import ALL, OptOutView
from gateway.store.messages import OptOut
from gateway.store.sqlite import opt_outs, opt_outs_cancel, opt_outs_views
from gateway.store.sqlite.calls import Calls
from gateway.store.sqlite.marking import Marking
from gateway.store.sqlite.names import ACCOUNT
from gateway.store.sqlite.writer import Transaction

RECORD_STEP: Final = 500
"""Refusals in one call to the writer, each with an event: 5 ms."""
IMPORT_STEP: Final = 500
"""Refusals of an import in one call to the writer: 5 to 10 ms."""

IMPORT_AHEAD: Final = 1
CANCEL_AHEAD: Final = 3
"""Calls to the writer made before the first is answered: they share commits, and a one-time code
waits for no more than these. An import of 150,000, one run each on a busy machine: steps of 1,000
with three ahead 2.2 s, a code waiting 112 ms (p50); steps of 500 with one ahead 3.6 s and 38 ms."""

_number: Final = attrgetter("number")
_account: Final = attrgetter("account")


class _Ahead:
    """Calls that count something, a few of them under way at a time."""

    def __init__(self, most: int) -> None:
        self.total = 0
        self._most = most
        self._under_way: deque[Future[int]] = deque()

    async def take(self, call: Future[int]) -> None:
        """One more; waits for the first if there are too many."""
        self._under_way.append(call)
        if len(self._under_way) > self._most:
            self.total += await self._under_way.popleft()

    async def __aenter__(self) -> _Ahead:
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        results = await gather(*self._under_way, return_exceptions=True)
        for result in results:
            if not isinstance(result, int):
                if error is None:
                    raise result
                break
            self.total += result


class OptOutCalls(Calls):
    """Refusals."""

    _marking: Marking

    async def opt_out(self, entries: Sequence[OptOut]) -> int:
        """See the contract."""
        for first in range(0, len(entries), RECORD_STEP):
            step = entries[first : first + RECORD_STEP]
            await self._writer.call(
                "opt_out", partial(opt_outs.record, memory=self._memory, entries=step), len(step)
            )
        await self._grow()
        canceled = 0
        for account, own in groupby(sorted(entries, key=_account), key=_account):
            concerned = list(own)
            canceled += await self._cancel(
                account, list({one.number for one in concerned}), max(one.at for one in concerned)
            )
        return canceled

    async def import_opt_outs(self, entries: Sequence[OptOut]) -> int:
        """See the contract."""
        new = 0
        for _, own in groupby(sorted(entries, key=_account), key=_account):
            # The table is a tree by number: a step of neighbours dirties a tenth of the pages.
            ordered = sorted(own, key=_number)
            async with _Ahead(IMPORT_AHEAD) as ahead:
                for first in range(0, len(ordered), IMPORT_STEP):
                    step = ordered[first : first + IMPORT_STEP]
                    record = partial(opt_outs.import_step, memory=self._memory, entries=step)
                    await ahead.take(self._writer.call("import_opt_outs", record, len(step)))
                    await self._grow()
            new += ahead.total
        return new

    async def cancel_opted_out(
        self, account: str, now: int, numbers: Sequence[int] | None = None
    ) -> int:
        """See the contract."""
        return await self._cancel(account, numbers, now)

    async def opt_in(
        self,
        account: str,
        numbers: Sequence[int],
        sender: str,
        category: str,
        now: int,
        source: str,
    ) -> int:
        """See the contract."""
        back = 0
        for first in range(0, len(numbers), RECORD_STEP):
            step = numbers[first : first + RECORD_STEP]
            back += await self._writer.call(
                "opt_in",
                partial(
                    opt_outs.remove, memory=self._memory, account=account, numbers=step,
                    sender=sender, category=category, now=now, source=source,
                ),
                len(step),
            )  # fmt: skip
        return back

    async def opted_out(
        self, account: str, sender: str, category: str, numbers: Sequence[int]
    ) -> set[int]:
        """See the contract."""
        memory = self._memory
        # No account has the number 0; everyone's refusals hold for one we have not met.
        owner = self._names.known(ACCOUNT, account) or 0
        candidates = memory.opt_outs.marks.candidates(owner, numbers)
        if not candidates:
            return set()
        return await self._reader.call(
            "opted_out",
            lambda c: opt_outs.opted_out(c, memory, owner, sender, category, candidates),
        )

    async def opt_outs(
        self, account: str, limit: int, since: int = 0, *, number: int | None = None,
        removed: bool = False,
    ) -> list[OptOutView]:  # fmt: skip
        """See the contract."""
        walk = opt_outs_views.Walk(self._memory, account, limit, since, number, removed)
        while (page := await self._reader.call("opt_outs", walk.step)) is None:
            pass
        return page

    async def _cancel(self, account: str, numbers: Sequence[int] | None, now: int) -> int:
        """End what waits for these numbers of the account (None: for all in the ledger)."""
        accounts: set[int] | None = None
        if account != ALL:
            owner = self._names.known(ACCOUNT, account)
            if owner is None:
                return 0
            accounts = {owner}
        memory = self._memory
        # Made on the writer's thread: `sources` are its, and what was called before is in them.
        found = await self._writer.call(
            "cancel_opted_out", lambda t: opt_outs_cancel.search(memory, accounts, numbers)
        )
        async with _Ahead(CANCEL_AHEAD) as ahead:
            while (ids := await self._reader.call("cancel_opted_out", found.step)) is not None:
                for first in range(0, len(ids), opt_outs_cancel.CANCEL_STEP):
                    step = ids[first : first + opt_outs_cancel.CANCEL_STEP]
                    cancel = partial(opt_outs_cancel.cancel, memory=memory, ids=step, now=now)
                    await ahead.take(self._writer.call("cancel_opted_out", cancel, len(step)))
        return ahead.total

    async def _grow(self) -> None:
        """Give the marks more room when they are full."""
        marks = self._memory.opt_outs.marks
        if not marks.full:
            return

        def begin(transaction: Transaction) -> bool:
            begun = marks.begin()
            if begun:
                transaction.on_rollback(marks.abandon)
            return begun

        # Committed with, or behind, all that is under way: see `Marks.collect`.
        if await self._writer.call("opt_out_marks", begin):
            self._marking.start()
