"""What a store shows and keeps beside the messages' way: views, the outbox, keys, depths.

In: nothing. Out: plain values, as the calls of the contract take and return them.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec

from gateway.model import BatchState
from gateway.store.messages import Content, Esme

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
    split: bool = False
    """Whether it leaves in the parts an SMPP customer made, who was told an id of each."""


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


# --- the store itself


class QueueDepth(msgspec.Struct):
    """How much waits in a lane, for the metrics."""

    lane: str
    waiting: int
    oldest_due: int | None


class Recovered(msgspec.Struct):
    """What `open` found of leases from before a crash."""

    resent: int = 0
    unknown: int = 0
