"""What the events stage needs of others, as it sees them.

In: nothing. Out: protocols that `app` satisfies with the store and the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from gateway.store.records import Delivered, Delivery, LogChunk, Mailbox, Webhook

Clock = Callable[[], int]
"""UTC microseconds."""


class Timer(Protocol):
    """Something that will be called later."""

    def cancel(self) -> None:
        """Do not call it."""
        ...


CallLater = Callable[[float, Callable[[], None]], Timer]
"""`loop.call_later`, or in tests a clock that is moved by hand."""


class Outbox(Protocol):
    """The part of the store asked here; `contract.Store` says what each call does."""

    def new_ids(self, count: int, now: int) -> list[int]:
        """Ascending ids."""
        ...

    async def webhooks(self, account: str | None = None) -> list[Webhook]:
        """Endpoints."""
        ...

    async def put_webhook(self, webhook: Webhook) -> None:
        """Create or replace one."""
        ...

    async def delete_webhook(self, webhook: int) -> None:
        """Forget one."""
        ...

    async def next_deliveries(self, wanted: Mapping[int, int], now: int) -> list[Delivery]:
        """Cut deliveries from the log."""
        ...

    async def due_deliveries(self, webhook: int, now: int, limit: int) -> list[Delivery]:
        """Pending deliveries, those due first before others."""
        ...

    def on_event(self, listener: Callable[[Mapping[str, int]], None]) -> None:
        """Tell of commits that wrote events."""
        ...

    async def settle_deliveries(self, results: Sequence[Delivered]) -> None:
        """Write what tries came to."""
        ...


class MailStore(Protocol):
    """The part of the store asked for SMPP receivers."""

    async def mailbox(self, account: str) -> Mailbox:
        """How far the account's receivers are."""
        ...

    async def put_mailbox(self, account: str, mailbox: Mailbox) -> None:
        """Note how far they are."""
        ...

    async def read_log(
        self, account: str, types: Sequence[str], after: int, events: int
    ) -> list[LogChunk]:
        """The next chunks of the log."""
        ...

    def on_event(self, listener: Callable[[Mapping[str, int]], None]) -> None:
        """Tell of commits that wrote events."""
        ...


class Receivers(Protocol):
    """The SMPP server, as far as it takes deliver_sm."""

    def room(self, account: str, wanted: int) -> int:
        """How many of `wanted` the account's receivers can take now."""
        ...

    def listens(self, account: str) -> bool:
        """Whether a receiver of the account is bound."""
        ...

    def deliver(
        self, account: str, bodies: Sequence[tuple[bytes, ...]], contexts: Sequence[object]
    ) -> int:
        """Send; returns how many left."""
        ...
