"""What a store must do, whichever it is.

Every call takes lists, is atomic, and returns after its effect is on disk. Calls are applied in
the order they were made; calls that wait while a commit runs share the next one. A call that
cannot be done raises `StoreUnavailable` and has done nothing. Events are written in the same
transaction as the change they tell of.

The contract speaks names (accounts, carriers, lanes as `str(Lane)`), public enum numbers and UTC
microseconds. What a store interns or packs is its own business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from gateway.model import BatchState, OnUnknown
from gateway.store.keywords import Hear
from gateway.store.ledgers import ConsentStore, FailureStore, OptOutStore, SubjectStore
from gateway.store.messages import (
    Demand,
    InboundMessage,
    InboundPart,
    Ineligible,
    LateAnswer,
    Lease,
    ReceiptFates,
    Receipts,
    Reopen,
    Replacement,
    Sent,
    Settled,
    StoredAnswer,
    Submission,
    WaitingPart,
)
from gateway.store.moderation import ModerationStore
from gateway.store.rates import RatesStore
from gateway.store.records import (
    ApiKey,
    BatchView,
    Delivered,
    Delivery,
    LogChunk,
    Mailbox,
    MessageFilter,
    MessageView,
    QueueDepth,
    Recovered,
    Webhook,
)
from gateway.store.registry import RegistryStore


class Store(
    OptOutStore,
    RegistryStore,
    ConsentStore,
    FailureStore,
    SubjectStore,
    ModerationStore,
    RatesStore,
    Protocol,
):
    """The contract. `sqlite` and `redis` pass the same test suite."""

    async def open(self, policy: Callable[[str, str], OnUnknown], now: int) -> Recovered:
        """Take the store into use.

        Migrates an older schema, refuses a newer one (`StoreTooNew`), and settles what was
        `sending` when the last run ended: outcome unknown, `policy(carrier, category)` decides
        whether it is queued again or ends as `unknown`. Each is an event.
        """

    async def close(self) -> None:
        """Finish the calls already made, then let go of the files."""

    def new_ids(self, count: int, now: int) -> list[int]:
        """Ascending ids (see `Submission`)."""

    async def accept(self, submissions: Sequence[Submission]) -> list[StoredAnswer | None]:
        """Store each submission with its idempotency answer.

        None: stored. A `StoredAnswer`: that key was used before (with this or another body: the
        caller compares fingerprints) and nothing was stored for that submission.
        """

    async def keep_parts(self, parts: Sequence[WaitingPart]) -> None:
        """Keep parts whose others have not come."""

    async def waiting_parts(self) -> list[WaitingPart]:
        """All that `keep_parts` holds, oldest first: what a start must know."""

    async def resolve(self, account: str, ids: Sequence[int]) -> list[int | None]:
        """The message behind each id told to an SMPP customer: itself, or the one its part was
        joined into. None where neither is known or the account is another."""

    async def replace(
        self, account: str, replacements: Sequence[Replacement], now: int
    ) -> list[int | None]:
        """Give messages that have not left another content; the status each had before (None: no
        such message of this account). Only those not yet leased change. Of several replacements of
        one message the last counts.

        A change of status is an event. A time alone is none: where `TRANSITIONS` has no way to
        `scheduled` (a queued message that is put off), the status stays and `due` decides.
        """

    def waiting(self, account: str) -> int:
        """Messages of the account that wait to leave, those on their way to disk included (for a
        moment some count twice); from memory, costs nothing."""

    async def answered(self, account: str, scope: str, key: str) -> StoredAnswer | None:
        """The answer kept for an idempotency key, if it was used in the last 24 h."""

    async def lease(self, demands: Sequence[Demand], now: int) -> Lease:
        """Make due messages `sending`, durably, and hand them over.

        Fair between the accounts of a lane and between the batches of an account. Messages past
        their deadline end as `expired`, opted-out ones as `canceled`, instead of being leased;
        those whose window has closed are put off to their next one (`on_closed`).
        Paused and draft batches are passed over.
        """

    async def settle(self, results: Sequence[Settled], sent: Sequence[Sent] = ()) -> None:
        """Write what became of leased messages. Receipts parked for their ids are applied.

        Their order tells nothing: no message may be in it twice.
        """

    async def settle_late(self, answers: Sequence[LateAnswer]) -> None:
        """Write answers to submissions that had been given up.

        Queued again: the resend is taken back, the message is `sent`. Otherwise the operator's
        id is recorded so that a receipt still finds its message.
        """

    async def receive(self, receipts: Receipts) -> ReceiptFates:
        """Apply receipts: monotonic, per part, the message's status is its worst part's."""

    async def inbound(self, parts: Sequence[InboundPart]) -> list[InboundMessage]:
        """Store replies; returns the messages that became whole, each an event already.

        Keywords among them (`on_reply`) have taken effect in the same transaction: refusals,
        returns, consents. `heard` says what, and what is to be answered. What waits for who has
        refused does not leave any more; `cancel_opted_out` ends it.
        """

    def on_reply(
        self, hear: Hear, told: Callable[[Sequence[InboundMessage]], None] = lambda messages: None
    ) -> None:
        """What is asked about the meaning of replies from now on; before, they have none.
        `told(messages)` is called on the event loop with keywords `maintain` has heard: in replies
        whose other parts never came."""

    async def cancel(self, account: str, ids: Sequence[int], now: int) -> list[int | None]:
        """Cancel messages that have not left. The status each had before (None: no such
        message of this account); only not-yet-leased ones change."""

    async def set_batch_state(
        self, account: str, batch: int, state: BatchState, now: int
    ) -> BatchState | None:
        """Move a batch; returns the state it had (None: no such batch).

        Nothing changes when `BATCH_TRANSITIONS` does not allow the step. Takes effect in the
        next lease. Cancelling ends the waiting messages in small steps (`maintain`).
        """

    async def maintain(self, now: int) -> bool:
        """One small step (about 10 ms) of housekeeping; True if more waits.

        Expires what is overdue, ends what never got a receipt, reports orphaned receipts and
        incomplete replies, ends messages of cancelled batches, finishes batches, prunes by
        retention.
        """

    # queries read committed data and never wait for writers

    async def messages(self, account: str | None, ids: Sequence[int]) -> list[MessageView | None]:
        """Messages by id, with their parts; `account` None sees all."""

    async def search(
        self, where: MessageFilter, limit: int, cursor: int | None = None
    ) -> list[MessageView]:
        """Newest first; `cursor` is the last id of the page before."""

    async def batch(self, account: str, batch: int) -> BatchView | None:
        """One batch with its counts."""

    async def batches(self, account: str, limit: int, cursor: int | None = None) -> list[BatchView]:
        """Newest first."""

    async def batch_messages(
        self, batch: int, statuses: Sequence[int] | None, limit: int, cursor: int | None = None
    ) -> list[MessageView]:
        """The messages of a batch in order of acceptance; `cursor` is the last id seen."""

    async def batch_numbers(
        self, batch: int, limit: int, cursor: int | None = None
    ) -> tuple[list[int], int | None]:
        """The numbers of a batch in slices, with the cursor of the next slice (None: that was
        all): what an upload that goes on after a restart must know to find duplicates."""

    async def ineligible(
        self, batch: int, limit: int, cursor: int | None = None
    ) -> list[Ineligible]:
        """The excluded recipients in order; `cursor` is the last position seen."""

    async def inbound_messages(
        self, account: str, limit: int, cursor: int | None = None
    ) -> list[InboundMessage]:
        """Replies, newest first."""

    def depths(self) -> list[QueueDepth]:
        """What waits, by lane; from memory, costs nothing."""

    # the outbox: an event log with one cursor for each webhook

    async def webhooks(self, account: str | None = None) -> list[Webhook]:
        """All endpoints, or an account's."""

    async def put_webhook(self, webhook: Webhook) -> None:
        """Create or replace; a new endpoint starts at the end of the log."""

    async def delete_webhook(self, webhook: int) -> None:
        """Forget an endpoint and its deliveries."""

    async def next_deliveries(self, wanted: Mapping[int, int], now: int) -> list[Delivery]:
        """Cut the next deliveries from the log: `wanted` says how many for each webhook id.

        Each is stored as pending (so a retry after a crash has the same id and body) and moves
        the webhook's cursor. A batched delivery holds up to 500 status events.
        """

    async def due_deliveries(self, webhook: int, now: int, limit: int) -> list[Delivery]:
        """Pending deliveries whose `next_at` has come, oldest first, bodies included."""

    async def settle_deliveries(self, results: Sequence[Delivered]) -> None:
        """Write what tries came to."""

    async def deliveries(
        self, webhook: int, state: str | None, limit: int, cursor: int | None = None
    ) -> list[Delivery]:
        """An endpoint's deliveries, newest first."""

    async def replay(
        self, webhook: int, now: int, *, ids: Sequence[int] | None = None, since: int | None = None
    ) -> int:
        """Make deliveries pending again: by id, or all dead ones since; returns how many."""

    async def mailbox(self, account: str) -> Mailbox:
        """How far the account's SMPP receivers are; a new one begins at the end of the log.

        Once asked for it is kept as long as this store is open; one that nobody asked for in
        `keep_messages`, and for which nothing waits, is forgotten.
        """

    async def put_mailbox(self, account: str, mailbox: Mailbox) -> None:
        """Note how far they are."""

    async def read_log(
        self, account: str, types: Sequence[str], after: int, events: int
    ) -> list[LogChunk]:
        """The next chunks of these types beyond position `after`, in order: at least one if there
        is any, and no more than about `events` events."""

    def on_event(self, listener: Callable[[Mapping[str, int]], None]) -> None:
        """Call `listener(counts)` on the event loop after a commit that wrote events: how many
        for each account. A hint (a batch is full), never less than what was written. `RECEIPT`
        events do not count: they come with the status events they repeat, so their account is
        among those named."""

    def on_closed(self, reopen: Reopen) -> None:
        """What a lease asks about due messages whose window has closed; before it is told, and
        for messages without a window, there is none to keep."""

    def on_work(self, listener: Callable[[], None]) -> None:
        """Call `listener()` on the event loop after a commit that made messages leasable."""

    # small facts that outlive a restart (a carrier's learnt message-id form)

    async def remember(self, key: str, value: str) -> None:
        """Keep one small fact."""

    async def recall(self, key: str) -> str | None:
        """The fact kept under `key`."""

    # keys

    async def put_key(self, key: ApiKey) -> None:
        """Create or replace a key."""

    async def key(self, digest: bytes) -> ApiKey | None:
        """The key with this digest, revoked or expired ones included."""

    async def keys(self, account: str | None = None) -> list[ApiKey]:
        """All keys, newest first."""
