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
from enum import StrEnum
from typing import Any, Final, Protocol

import msgspec

from gateway.model import BatchState, OnUnknown, Status

# --- accepting


class Tlv(msgspec.Struct, frozen=True, array_like=True):
    """A TLV a caller asks for; each carrier's profile says how it is written."""

    tag: str
    """A name from carriers' profiles, or a tag in hex (`0x1400`)."""
    value: str
    hex: bool = False
    """Whether `value` is octets in hex rather than text or a number."""


class RawPart(msgspec.Struct, frozen=True, array_like=True):
    """One submit_sm as an SMPP customer made it, to be sent as it came: a part of a message it
    split itself, or octets that are no text."""

    id: int
    """The id the customer was told for it; 0 if that is the message's own."""
    esm_class: int
    data_coding: int
    protocol_id: int
    payload: bytes
    """short_message, its user data header included; or message_payload if `tlvs` has none."""
    tlvs: tuple[tuple[int, bytes], ...] = ()
    """sar_*, user_message_reference and what the login may pass on, in wire order."""
    as_payload: bool = False
    """Whether `payload` came, and leaves, as message_payload."""


class Esme(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an SMPP customer is told of its messages, and how."""

    system_id: str
    source_addr: str
    """As the customer wrote it."""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    registered_delivery: int = 0


class Content(msgspec.Struct, frozen=True, omit_defaults=True):
    """What all messages of one submission share; stored once."""

    id: int
    account: str
    sender: str
    text: str
    """The text, or a template with `{{placeholders}}` that each message's `vars` fill."""
    category: str
    batch: int | None = None
    templated: bool = False
    encoding: str = "auto"
    transliterate: bool = False
    max_parts: int = 3
    metadata: dict[str, str] | None = None
    tlvs: tuple[Tlv, ...] = ()
    esme: Esme | None = None
    """Set for messages that came over SMPP."""
    raw: tuple[RawPart, ...] = ()
    """Set where the customer's own parts go out; `text` is then what they say together."""


class NewMessage(msgspec.Struct, array_like=True, gc=False):
    """One text to one number, about to be stored. `status` is QUEUED or SCHEDULED (or held), or
    REJECTED with a `reason`: parts of it were accepted before the whole was refused, so it exists
    and ends with its first event."""

    id: int
    number: int
    lane: str
    status: int
    due: int
    """When it may leave, UTC µs."""
    deadline: int
    """When it is given up if it has not left, UTC µs."""
    parts: int
    encoding: int
    vars: str | None = None
    """JSON object of placeholder values; None unless the content is templated."""
    client_ref: str | None = None
    reason: str | None = None


class Ineligible(msgspec.Struct, array_like=True):
    """A recipient of a batch that cannot be served, kept for the report."""

    position: int
    """0-based place among the recipients of the whole batch (all uploads)."""
    to: str
    code: str
    detail: str
    client_ref: str | None = None


class Idempotency(msgspec.Struct, frozen=True):
    """The answer to keep with the submission it answers."""

    account: str
    scope: str
    """Method and path template, e.g. `POST /v1/messages`."""
    key: str
    fingerprint: bytes
    """SHA-256 of the request's body."""
    status: int
    body: bytes


class StoredAnswer(msgspec.Struct, frozen=True):
    """What was answered the first time."""

    fingerprint: bytes
    status: int
    body: bytes


class NewBatch(msgspec.Struct, frozen=True):
    """A campaign as it is created."""

    id: int
    account: str
    content: Content
    state: BatchState
    created: int
    options: dict[str, Any]
    """What later uploads of recipients need (send_at, validity, priority ...): JSON."""


class Submission(msgspec.Struct):
    """One caller's list, all or nothing.

    `batch` is set when the submission creates one; uploads to an existing batch carry its id in
    `content.batch`. `ids` inside must come from `Store.new_ids` with no `await` between taking
    them and calling `accept`: the store relies on ids arriving in ascending order.
    """

    content: Content
    messages: list[NewMessage]
    ineligible: list[Ineligible] = []
    batch: NewBatch | None = None
    idempotency: Idempotency | None = None
    joined: Sequence[int] = ()
    """Ids told to an SMPP customer for the parts of the one message there is: from here on they
    stand for it (`Store.resolve`), and what `keep_parts` holds of them is dropped."""


class WaitingPart(msgspec.Struct, array_like=True):
    """One part of a message an SMPP customer splits itself, accepted before the others came."""

    id: int
    """As told to the customer."""
    account: str
    system_id: str
    at: int
    pdu: bytes
    """The submit_sm or data_sm as it came, header included."""


class Replacement(msgspec.Struct):
    """A message that has not left, with another content (replace_sm)."""

    message: int
    content: Content
    """Its `id` must come from `Store.new_ids`."""
    parts: int
    encoding: int
    status: int
    due: int
    deadline: int
    vars: str | None = None
    """As of a `NewMessage`."""


# --- leasing and settling


class Demand(msgspec.Struct):
    """What one carrier can take now."""

    carrier: str
    lanes: Sequence[str]
    """In order of preference: a later lane is asked only for what earlier ones left."""
    parts: int
    """At most this many PDUs. Messages are leased whole: one with more parts than are left of
    this waits for the next lease (and whatever would overtake it in its source waits too)."""
    idle: bool = False
    """Nothing is outstanding on the carrier: the first message is leased whatever its parts, so
    that one longer than the whole window still leaves."""


class Leased(msgspec.Struct, array_like=True, gc=False):
    """A message that is now durably `sending`. It belongs to the caller until settled."""

    id: int
    content: int
    number: int
    parts: int
    attempts: int
    """Submissions begun before this one."""
    sequence: int
    """Status changes so far, this lease included."""
    deadline: int
    lane: str
    account: str
    batch: int | None
    vars: str | None
    client_ref: str | None
    created: int


class Lease(msgspec.Struct):
    """The answer to one `lease` call."""

    taken: list[list[Leased]]
    """One list for each demand, in the same order; fair between accounts and batches."""
    contents: Mapping[int, Content]
    """Every content the leased messages name."""
    next_due: int | None
    """When the earliest message in any of the asked lanes becomes due (UTC µs), if none is due
    now that was not taken; None if there is none at all. In the past: more waits already."""


class Outcome(StrEnum):
    """How a lease ended."""

    SENT = "sent"
    """The operator took every part."""
    RETRY = "retry"
    """Back to a lane: throttled (`attempts` unchanged) or failed for now (`attempts` + 1)."""
    FAILED = "failed"
    """Will not be sent: `status` is REJECTED, FAILED, EXPIRED or CANCELED."""
    UNKNOWN = "unknown"
    """No answer: `status` is QUEUED (resend; counted as a possible duplicate) or UNKNOWN."""


class Settled(msgspec.Struct, gc=False):
    """What became of one leased message."""

    message: Leased
    carrier: str
    outcome: Outcome
    at: int
    status: int
    """The status the message has now (SENT, QUEUED, REJECTED ...)."""
    operator_ids: Sequence[str] = ()
    """SENT: the operator's id of each part in order, normalised for this carrier."""
    receipts: bool = True
    """SENT: whether a receipt was asked for; without one the message ends as `unknown`."""
    due: int = 0
    lane: str = ""
    attempts: int | None = None
    """Submissions begun so far, this one included if it counts; None leaves it to the store (as
    before the lease, and one more if the outcome is UNKNOWN or SENT)."""
    reason: str | None = None
    carrier_code: str | None = None


class Sent(msgspec.Struct, gc=False):
    """Leased messages of one part each that one carrier took; the columns are in step.

    What nearly every message comes to, without an object for each: the same as a `Settled` with
    `Outcome.SENT` and one operator's id for every message.
    """

    carrier: str
    at: int
    receipts: bool
    """Whether receipts were asked for; see `Settled`."""
    messages: list[Leased]
    operator_ids: list[str]
    """Normalised for this carrier; empty where the operator gave none."""

    def spelt_out(self) -> list[Settled]:
        """The same, a result for each message."""
        carrier, at, receipts = self.carrier, self.at, self.receipts
        return [
            Settled(message, carrier, Outcome.SENT, at, Status.SENT, (operator_id,), receipts)
            for message, operator_id in zip(self.messages, self.operator_ids, strict=True)
        ]


class LateAnswer(msgspec.Struct):
    """A response that came after its message had been settled as unknown."""

    message: int
    carrier: str
    part: int
    parts: int
    operator_id: str
    at: int


# --- receipts and inbound


class News(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What a receipt says of its part; one object serves all receipts that say the same."""

    status: int
    """The message status it means; SENT for `ENROUTE`/`ACCEPTD` news."""
    reason: str | None = None
    carrier_code: str | None = None
    state: str = ""
    """The operator's own word (`DELIVRD`)."""


class Receipts(msgspec.Struct):
    """Delivery receipts of one carrier in the order they came; the columns are in step.

    Two values a receipt instead of an object with seven: most receipts of a read differ in their
    ids alone.
    """

    carrier: str
    at: int
    keys: list[str]
    """The operator's id each is known by; the likeliest where there are several."""
    news: list[News]
    others: dict[int, Sequence[str]] = {}
    """By position: further ids to try, in this order (only while the carrier's id form is still
    being learnt, or where a receipt brings two ids)."""


class ReceiptFates(msgspec.Struct):
    """What became of `Receipts`."""

    sent_at: list[int | None]
    """When the part of each was submitted (UTC µs), for the receipt-delay histogram; None where
    that is not known."""
    unmatched: list[int]
    """Positions of those parked until their response comes or they become orphans."""
    matched: dict[int, int]
    """By position: which id matched, 1 for the first of `others`; of all else it was `keys`."""


class InboundPart(msgspec.Struct):
    """One `deliver_sm` from a phone: a whole message or a part of one. A part's text may have marks
    of half characters at its ends (`protocol.halves`), which joining resolves."""

    carrier: str
    source: str
    destination: str
    text: str
    at: int
    account: str | None = None
    """The account that owns `destination`, if configuration says; else the last sender's."""
    reference: int = 0
    total: int = 1
    part: int = 1
    data_coding: int = 0


class InboundMessage(msgspec.Struct):
    """A reply as it was stored."""

    id: int
    account: str | None
    carrier: str
    source: str
    destination: str
    text: str
    at: int
    complete: bool
    parts: int
    in_reply_to: int | None
    """The last message sent to `source` within 72 h."""


class OptOut(msgspec.Struct, array_like=True):
    """A recipient's no. `sender` and `category` are `*` for all."""

    account: str
    number: int
    sender: str
    category: str
    at: int
    source: str


# --- queries


class PartView(msgspec.Struct):
    """One part as the operator knows it."""

    part: int
    carrier: str
    operator_id: str
    status: int
    carrier_code: str | None = None


class MessageView(msgspec.Struct):
    """One message as it stands."""

    id: int
    account: str
    batch: int | None
    sender: str
    number: int
    text: str
    """The stored text or template; empty once retention has removed it."""
    vars: str | None
    category: str
    status: int
    sequence: int
    parts: int
    encoding: int
    due: int | None
    deadline: int | None
    attempts: int
    carrier: str | None
    reason: str | None
    carrier_code: str | None
    client_ref: str | None
    metadata: dict[str, str] | None
    created: int
    updated: int
    part_list: list[PartView] = []


class MessageFilter(msgspec.Struct):
    """`search` arguments; None means any."""

    account: str
    number: int | None = None
    client_ref: str | None = None
    batch: int | None = None
    statuses: Sequence[int] | None = None
    from_time: int | None = None
    to_time: int | None = None


class BatchView(msgspec.Struct):
    """One campaign as it stands."""

    id: int
    account: str
    content: Content
    state: BatchState
    created: int
    updated: int
    options: dict[str, Any]
    recipients: int
    """Recipients seen, eligible or not."""
    accepted: int
    ineligible: int
    counts: dict[int, int]
    """Messages by status number."""


# --- events


class Webhook(msgspec.Struct):
    """One endpoint of an account."""

    id: int
    account: str
    url: str
    types: list[str]
    """Event types wanted; empty for all."""
    batched: bool
    """Status events in lists of up to 500 (`message.status_batch`) rather than one by one."""
    secret: str
    """`whsec_...`; known to both sides, so it cannot be a hash."""
    created: int
    old_secret: str | None = None
    old_secret_until: int = 0
    state: str = "active"
    """`active`, or `disabled` (by its owner, or by a 410)."""
    description: str = ""
    from_config: bool = False


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


class Delivery(msgspec.Struct):
    """Some events on their way to one endpoint: one POST, repeated until it is taken."""

    id: int
    webhook: int
    type: str
    events: int
    attempts: int
    next_at: int
    state: DeliveryState
    created: int
    last_status: int = 0
    """HTTP status of the last try; 0 when there was no answer."""
    last_error: str = ""
    body: bytes = b""
    """The events as a JSON array, the same octets at every try; empty in listings."""


class Delivered(msgspec.Struct):
    """What one try of a delivery came to."""

    id: int
    state: DeliveryState
    at: int
    next_at: int = 0
    status: int = 0
    error: str = ""


class ApiKey(msgspec.Struct, frozen=True):
    """A caller's credential; the secret itself is never stored."""

    id: int
    digest: bytes
    """SHA-256 of the key: keys are 256 random bits, so a slow hash would protect nothing."""
    prefix: str
    account: str
    scopes: tuple[str, ...]
    networks: tuple[str, ...] = ()
    created: int = 0
    expires: int | None = None
    revoked: int | None = None
    name: str = ""


# --- what SMPP customers are told

RECEIPT: Final = "smpp.receipt"
"""The type of events that are for SMPP receivers only: no webhook sees types that begin so."""


class ReceiptNews(msgspec.Struct, omit_defaults=True):
    """One event of type `RECEIPT`: messages of one customer that took the same step. Columns, not
    objects: most of a list differs in ids and numbers alone. Counts as many events as it has ids.

    Written for the steps `esme.registered_delivery` asks for (SMPP 3.4 §5.2.17): `sent` if it asks
    for intermediate notifications, an end that is a success or a failure (`unknown` included; an
    end that turns out better later is told again). Of a message sent in its own parts each part
    has its own end; one never heard of when the message ends is `unknown`.
    """

    esme: Esme
    status: int
    at: int
    ids: list[int]
    """As told to the customer: of a message sent in its own parts, an id for each part; of a
    submit_multi, which is a batch, the batch's."""
    numbers: list[int]
    reason: str | None = None
    carrier_code: str | None = None


class LogChunk(msgspec.Struct):
    """One row of the event log."""

    position: int
    type: str
    count: int
    body: bytes
    """The events as a JSON array."""


class Mailbox(msgspec.Struct, frozen=True):
    """How far an account's SMPP receivers have taken the event log."""

    position: int
    """Everything up to here has been taken, this chunk included."""
    done: tuple[tuple[int, int], ...] = ()
    """(chunk, event in it) taken beyond `position`; written when the gateway stops, so that a
    restart offers little twice. Events are counted from 0; in `RECEIPT` chunks by id, through all
    `ReceiptNews` of the chunk."""


# --- the contract


class QueueDepth(msgspec.Struct):
    """How much waits in a lane, for the metrics."""

    lane: str
    waiting: int
    oldest_due: int | None


class Recovered(msgspec.Struct):
    """What `open` found of leases from before a crash."""

    resent: int = 0
    unknown: int = 0


class Store(Protocol):
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
        their deadline end as `expired`, opted-out ones as `canceled`, instead of being leased.
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
        """Store replies; returns the messages that became whole, each an event already."""

    async def opt_out(self, entries: Sequence[OptOut]) -> int:
        """Record refusals and cancel what is queued for them; returns messages cancelled."""

    async def opted_out(self, account: str, sender: str, category: str, numbers: Sequence[int]
                        ) -> set[int]:  # fmt: skip
        """Those of `numbers` that refuse this sender and category of this account."""

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
