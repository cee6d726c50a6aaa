"""What the SMPP server needs of others, as it sees them.

In: nothing. Out: protocols that `app` satisfies with the store and the events stage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.model import BatchState
from gateway.store.messages import Replacement, StoredAnswer, Submission, WaitingPart
from gateway.store.records import BatchView, MessageFilter, MessageView

Clock = Callable[[], int]
"""UTC microseconds."""


class Store(Protocol):
    """The part of the store asked here; `contract.Store` says what each call does."""

    def new_ids(self, count: int, now: int) -> list[int]: ...

    async def accept(self, submissions: Sequence[Submission]) -> list[StoredAnswer | None]: ...

    def waiting(self, account: str) -> int: ...

    async def keep_parts(self, parts: Sequence[WaitingPart]) -> None: ...

    async def waiting_parts(self) -> list[WaitingPart]: ...

    async def resolve(self, account: str, ids: Sequence[int]) -> list[int | None]: ...

    async def replace(
        self, account: str, replacements: Sequence[Replacement], now: int
    ) -> list[int | None]: ...

    async def cancel(self, account: str, ids: Sequence[int], now: int) -> list[int | None]: ...

    async def messages(
        self, account: str | None, ids: Sequence[int]
    ) -> list[MessageView | None]: ...

    async def search(
        self, where: MessageFilter, limit: int, cursor: int | None = None
    ) -> list[MessageView]: ...

    async def batch(self, account: str, batch: int) -> BatchView | None: ...

    async def set_batch_state(
        self, account: str, batch: int, state: BatchState, now: int
    ) -> BatchState | None: ...


class Deliveries(Protocol):
    """Whoever has receipts and replies for an account's receivers. Contexts are its own: what
    `SmppServer.deliver` was given comes back with its fate, each exactly once."""

    def room(self, account: str) -> None:
        """Receivers of the account can take more than before: one has bound, or reads again."""

    def answered(self, account: str, answers: Sequence[tuple[object, int]]) -> None:
        """(context, command_status) of deliver_sm that were answered."""

    def lost(self, account: str, contexts: Sequence[object]) -> None:
        """deliver_sm that were not answered in time, or whose bind has ended."""
