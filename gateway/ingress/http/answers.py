"""What the API answers, as structs: they encode the bodies and describe them in OpenAPI.

In: nothing. Out: types. Times are RFC 3339 in UTC, ids are public spellings, numbers E.164.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import field

StatusName = Literal[
    "accepted",
    "scheduled",
    "held_moderation",
    "held_quiet",
    "queued",
    "sending",
    "sent",
    "delivered",
    "undelivered",
    "expired",
    "rejected",
    "failed",
    "canceled",
    "unknown",
]
EncodingName = Literal["gsm", "ucs2", "latin1", "binary"]
BatchStateName = Literal["draft", "running", "paused", "finished", "canceled"]


class ReasonOut(msgspec.Struct, omit_defaults=True):
    """Why a message did not, or will not, arrive."""

    code: str
    permanent: bool
    text: str
    """A public sentence, or what exactly was wrong with this recipient."""
    carrier_code: str | None = None


class Transliterated(msgspec.Struct):
    """A character that is sent as another, to save parts; `to` may be several or none."""

    original: str = field(name="from")
    replacement: str = field(name="to")
    times: int


class MessageAccepted(msgspec.Struct):
    """A message that is on disk.

    `from` is the sender used: the account's default where it may not use the one asked for, and
    is set to replace it. `transliterated` is null unless `transliterate` was asked for and changed
    the text.
    """

    id: str
    status: StatusName
    sender: str = field(name="from")
    to: str
    parts: int
    encoding: EncodingName
    characters: int
    send_at_effective: datetime
    reason: ReasonOut | None
    client_ref: str | None
    created_at: datetime
    transliterated: list[Transliterated] | None


class PartOut(msgspec.Struct):
    """One part as the operator knows it."""

    part: int
    carrier: str
    operator_id: str
    status: StatusName
    carrier_code: str | None


class MessageOut(msgspec.Struct):
    """A message as it stands. `to` is empty once its recipient was erased. `text` is empty once
    retention has removed it."""

    id: str
    status: StatusName
    sender: str = field(name="from")
    to: str
    text: str
    category: str
    parts: int
    encoding: EncodingName
    batch_id: str | None
    client_ref: str | None
    reason: ReasonOut | None
    metadata: dict[str, str] | None
    sequence: int
    attempts: int
    carrier: str | None
    send_at_effective: datetime | None
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    part_list: list[PartOut]


class MessagePage(msgspec.Struct):
    """Messages, newest first."""

    data: list[MessageOut]
    next_cursor: str | None


class IneligibleOut(msgspec.Struct, omit_defaults=True):
    """A recipient that cannot be served: its 0-based place, what was sent as number, why."""

    index: int
    to: str
    reason: ReasonOut
    client_ref: str | None = None


class BatchCounts(msgspec.Struct):
    """How the recipients of one request fared."""

    accepted: int
    ineligible: int


class BatchAccepted(msgspec.Struct):
    """A batch that is on disk, with every recipient that cannot be served."""

    id: str
    status: BatchStateName
    counts: BatchCounts
    ineligible: list[IneligibleOut]
    created_at: datetime


class BatchOut(msgspec.Struct):
    """A batch as it stands; `statuses` counts its messages."""

    id: str
    status: BatchStateName
    sender: str = field(name="from")
    text: str
    category: str
    counts: BatchCounts
    recipients: int
    statuses: dict[StatusName, int]
    metadata: dict[str, str] | None
    send_at: datetime | None
    send_at_local: str | None
    created_at: datetime
    updated_at: datetime


class BatchPage(msgspec.Struct):
    """Batches, newest first."""

    data: list[BatchOut]
    next_cursor: str | None


class BatchStats(msgspec.Struct):
    """A batch in figures."""

    id: str
    status: BatchStateName
    recipients: int
    accepted: int
    ineligible: int
    waiting: int
    """Not yet sent: accepted, scheduled, held, queued, sending."""
    sent: int
    """Taken by an operator, no final receipt yet."""
    final: int
    delivered: int
    delivered_share: float | None
    """Delivered of all that ended; null while none has."""
    statuses: dict[StatusName, int]


class RecipientPage(msgspec.Struct):
    """Messages of a batch in order of acceptance."""

    data: list[MessageOut]
    next_cursor: str | None


class IneligiblePage(msgspec.Struct):
    """Recipients of a batch that cannot be served, in their order."""

    data: list[IneligibleOut]
    next_cursor: str | None


class LineProblem(msgspec.Struct):
    """What was wrong with one line of an upload (1-based, as an editor counts)."""

    line: int
    code: str
    detail: str


class UploadCounts(msgspec.Struct):
    """Exact counts of one upload."""

    accepted: int
    ineligible: int
    """Recipients that cannot be served; listed by `GET .../recipients?status=ineligible`."""
    malformed: int
    """Lines that are no recipient; nothing of them is kept."""


class UploadResult(msgspec.Struct):
    """What became of an upload; `problems` lists at most the first 100 of either kind."""

    id: str
    status: BatchStateName
    counts: UploadCounts
    problems: list[LineProblem]


class EstimatedTexts(msgspec.Struct):
    """Recipients whose texts take the same form."""

    encoding: EncodingName
    characters: int
    parts: int
    recipients: int


class Estimate(msgspec.Struct):
    """What a submission would become; nothing of it is stored.

    `transliterated` counts over all accepted recipients, the 100 most frequent changes; null unless
    `transliterate` was asked for and changed something.
    """

    recipients: int
    accepted: int
    parts: int
    """Over all accepted recipients: what operators bill."""
    texts: list[EstimatedTexts]
    ineligible: list[IneligibleOut]
    transliterated: list[Transliterated] | None


class WebhookOut(msgspec.Struct):
    """An endpoint. `secret` is whole in the answers to creation and rotation, masked elsewhere."""

    id: str
    url: str
    types: list[str]
    batched: bool
    state: Literal["active", "disabled"]
    description: str
    secret: str
    old_secret_until: datetime | None
    configured: bool
    """Part of the configuration file: cannot be changed here."""
    created_at: datetime


class WebhookList(msgspec.Struct):
    """All endpoints of the account."""

    data: list[WebhookOut]


class TestOut(msgspec.Struct):
    """What one test POST came to."""

    delivered: bool
    status: int | None
    error: str | None
    seconds: float


class DeliveryOut(msgspec.Struct):
    """One POST of events, repeated until it is taken."""

    id: str
    type: str
    events: int
    state: Literal["pending", "delivered", "dead"]
    attempts: int
    next_at: datetime | None
    last_status: int | None
    last_error: str | None
    created_at: datetime


class DeliveryPage(msgspec.Struct):
    """Deliveries, newest first."""

    data: list[DeliveryOut]
    next_cursor: str | None


class Replayed(msgspec.Struct):
    """Deliveries that are pending again."""

    replayed: int


class KeywordHeard(msgspec.Struct):
    """Which keyword a reply was: `kind` is stop, help, start, join or rule; of the account's own
    keywords `word` is the name."""

    kind: str
    word: str
    language: str | None


class InboundOut(msgspec.Struct):
    """A reply. `complete` is false when parts of it never came."""

    id: str
    source: str = field(name="from")
    to: str
    text: str
    parts: int
    complete: bool
    in_reply_to: str | None
    keyword: KeywordHeard | None
    received_at: datetime


class InboundPage(msgspec.Struct):
    """Replies, newest first."""

    data: list[InboundOut]
    next_cursor: str | None


class KeyOut(msgspec.Struct):
    """An API key; `prefix` is all that is known of the key itself."""

    id: str
    prefix: str
    account: str
    scopes: list[str]
    networks: list[str]
    name: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class KeyCreated(KeyOut):
    """A new API key; `key` is shown this once."""

    key: str


class KeyList(msgspec.Struct):
    """Keys made through the API or the command line; those of the configuration are not listed."""

    data: list[KeyOut]
