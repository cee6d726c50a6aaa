"""The mailboxes of all accounts that have SMPP logins.

In: the configuration, news of the event log, what the SMPP server tells of its receivers. Out: one
`Mailbox` for each account, pumped. Knows the SMPP server by its port `Receivers` only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from config.settings import Account
from gateway.events.mailbox import Mailbox
from gateway.events.ports import CallLater, MailStore, Receivers
from gateway.metrics import Metrics
from gateway.tally import Tally


class Mailboxes:
    """Receipts and replies for SMPP customers. Construct it inside the running event loop."""

    def __init__(
        self,
        store: MailStore,
        receivers: Receivers,
        metrics: Metrics,
        call_later: CallLater | None = None,
    ) -> None:
        """`call_later` is the running loop's unless a test moves time."""
        self._store = store
        self._receivers = receivers
        self._tally = Tally(metrics)
        self._call_later = call_later or asyncio.get_running_loop().call_later
        self._boxes: dict[str, Mailbox] = {}

    async def start(self, accounts: Sequence[Account]) -> None:
        """Begin. A mailbox that is new begins at the end of the log, even if nobody is bound yet:
        what happens from here on is for its receivers."""
        self._store.on_event(self.on_event)
        await self.apply(accounts)

    async def apply(self, accounts: Sequence[Account]) -> None:
        """Take accounts from (new) settings. Of one whose last login is gone nothing is read any
        more; its position stays, should the login come back."""
        wanted = {account.name: account for account in accounts if account.smpp}
        for name, account in wanted.items():
            box = self._boxes.get(name)
            if box is None:
                box = self._boxes[name] = Mailbox(
                    account, self._store, self._receivers, self._tally, self._call_later
                )
                await box.look()
            else:
                box.teller.apply(account)
        for name in [name for name in self._boxes if name not in wanted]:
            await self._boxes.pop(name).stop()

    def on_event(self, counts: Mapping[str, int]) -> None:
        """The log got events for these accounts."""
        for account in counts:
            box = self._boxes.get(account)
            if box is not None:
                box.news()

    def flush(self) -> None:
        """Hand counts over to the metrics."""
        self._tally.flush()

    async def stop(self) -> None:
        """Write down how far each is. The server has closed its binds before."""
        await asyncio.gather(*(box.stop() for box in self._boxes.values()))
        self.flush()

    # ---- what the SMPP server tells (its port `Deliveries`)

    def room(self, account: str) -> None:
        """Receivers can take more."""
        box = self._boxes.get(account)
        if box is not None:
            box.pump()

    def answered(self, account: str, answers: Sequence[tuple[object, int]]) -> None:
        """deliver_sm were answered."""
        box = self._boxes.get(account)
        if box is not None:
            box.answered(answers)

    def lost(self, account: str, contexts: Sequence[object]) -> None:
        """deliver_sm were not answered."""
        box = self._boxes.get(account)
        if box is not None:
            box.lost(contexts)
