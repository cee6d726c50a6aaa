"""What callers send, as structs: they decode the bodies and describe them in OpenAPI.

In: nothing. Out: types. Unknown fields are refused by name. Limits that concern one recipient of
many are not stated here but checked by admission, so that a bad recipient never fails a batch.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, field

from config.policies import CatchUp, OnQuiet
from gateway.model import Category, Priority

MAX_RECIPIENTS = 10_000
"""Recipients of one JSON body; more belong in a stream of `/recipients`."""
MAX_TEXT = 40_000
"""255 parts of 153 septets are 39,015 characters; no longer text can be sent."""
MAX_TLVS: Final = 20
"""TLVs of one submission: four are the most that operators are known to demand."""

Instant = Annotated[
    datetime, Meta(tz=True, description="RFC 3339 with an offset.", examples=["2026-11-23T11:30Z"])
]
Text = Annotated[
    str,
    Meta(
        max_length=MAX_TEXT,
        description="The text; `{{name}}` stands for a variable.",
        examples=["Заказ 15879 готов"],
    ),
]
Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=500)]],
    Meta(max_length=50, description="The caller's own; returned with the message and its events."),
]
ClientRef = Annotated[str, Meta(max_length=128, description="The caller's own reference.")]
Vars = Annotated[
    dict[str, str],
    Meta(description="Values of the text's placeholders.", examples=[{"n": "15879"}]),
]
To = Annotated[
    str | list[str],
    Meta(
        description="A number, or candidates of one person: the first mobile is taken.",
        examples=["+79161234567"],
    ),
]
EventType = Literal[
    "message.status",
    "message.excluded",
    "message.inbound",
    "keyword.matched",
    "batch.finished",
    "moderation.decided",
    "optout.created",
    "optout.removed",
    "optout.imported",
]
Timezone = Annotated[
    str,
    Meta(
        max_length=64,
        description="IANA name of the recipient's time zone; without it the number tells.",
        examples=["Asia/Yekaterinburg"],
    ),
]
ScopeName = Literal["messages:write", "messages:read", "moderation", "optouts", "admin"]


class Shape(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A JSON object with known fields only."""


class TlvRequest(Shape, kw_only=True):
    """A TLV for the operator: its `name` in carriers' profiles or its `tag`, and its `value` as
    text or number, or its octets in `hex`."""

    name: (
        Annotated[
            str, Meta(pattern="^[a-z][a-z0-9_]{0,39}$", max_length=40, examples=["dlt_entity_id"])
        ]
        | None
    ) = None
    tag: (
        Annotated[str, Meta(pattern="^0[xX][0-9A-Fa-f]{1,4}$", max_length=6, examples=["0x1400"])]
        | None
    ) = None
    value: Annotated[str, Meta(max_length=255, examples=["1101456789012345678"])] | None = None
    hex: (
        Annotated[str, Meta(pattern="^[0-9A-Fa-f]*$", max_length=512, examples=["00ff"])] | None
    ) = None


class Options(Shape, kw_only=True):
    """What all messages of a submission share."""

    sender: Annotated[str, Meta(max_length=64, examples=["ACME"])] | None = field(
        name="from", default=None
    )
    template: (
        Annotated[
            str,
            Meta(
                max_length=63,
                description="Name of an approved template (`/v1/templates`) the text is made from. "
                "It gives the text where there is none, and the category where none is given.",
                examples=["order-ready"],
            ),
        ]
        | None
    ) = None
    category: Category | None = None
    priority: Priority = Priority.NORMAL
    send_at: Instant | None = None
    send_at_local: (
        Annotated[
            datetime,
            Meta(
                tz=False,
                description="Instead of `send_at`: the time on the clock where each recipient is, "
                "without an offset. A time the clocks leave out is the next there is, of one that "
                "comes twice it is the first; where a number may be in several zones it is that "
                "hour, or later, in all of them.",
                examples=["2026-11-23T10:00:00"],
            ),
        ]
        | None
    ) = None
    timezone: Timezone | None = None
    on_quiet: (
        Annotated[
            OnQuiet,
            Meta(
                description="What happens to a message that may not leave at this hour: wait for "
                "the next opening, be refused, or be accepted and ended at once. Default: the "
                "account's.",
            ),
        ]
        | None
    ) = None
    catch_up: (
        Annotated[
            CatchUp,
            Meta(
                description="What happens to a message that has a time and misses it by more than "
                "the account's `catch_up_late`: it is sent late, or skipped. Default: the "
                "account's.",
            ),
        ]
        | None
    ) = None
    validity: (
        Annotated[
            timedelta,
            Meta(
                description="How long it may try to leave, ISO 8601.",
                examples=["PT4H"],
                extra_json_schema={"format": "duration"},
            ),
        ]
        | None
    ) = None
    encoding: Literal["auto", "gsm", "ucs2"] = "auto"
    transliterate: bool = False
    max_parts: Annotated[int, Meta(ge=1, le=255)] | None = None
    default_region: (
        Annotated[
            str,
            Meta(
                pattern="^[A-Z]{2}$",
                description="ISO 3166 code of the country national numbers (`06 12 ...`) are read "
                "in; without it the account's.",
                examples=["FR"],
            ),
        ]
        | None
    ) = None
    metadata: Metadata | None = None
    retention: (
        Annotated[
            Literal["discard_text"],
            Meta(
                description="`discard_text`: the text and its values are erased as soon as the "
                "operator has taken the message or it has ended otherwise (a batch's text, which "
                "its recipients share, when the batch is finished). Left out, they stay as long as "
                "the account keeps texts."
            ),
        ]
        | None
    ) = None
    tlvs: Annotated[
        list[TlvRequest],
        Meta(
            max_length=MAX_TLVS,
            description="TLVs for the operator. A carrier that has no such name leaves it out.",
        ),
    ] = field(default_factory=list)


class MessageRequest(Options, kw_only=True):
    """One text to one number."""

    to: To
    text: Text | None = None
    vars: Vars | None = None
    client_ref: ClientRef | None = None


class Recipient(Shape, kw_only=True):
    """One recipient of a batch."""

    to: To
    vars: Vars | None = None
    client_ref: ClientRef | None = None
    timezone: (
        Annotated[
            str,
            Meta(
                description="IANA name of the time zone; without it the submission's, else the "
                "number tells.",
                examples=["Asia/Yekaterinburg"],
            ),
        ]
        | None
    ) = None


class BatchRequest(Options, kw_only=True):
    """A campaign: one text, many recipients."""

    text: Text | None = None
    recipients: Annotated[list[Recipient], Meta(extra_json_schema={"maxItems": MAX_RECIPIENTS})] = (
        field(default_factory=list)
    )
    start: bool = True
    """Whether it starts at once; without recipients it is a draft in any case."""


class EstimateRequest(Options, kw_only=True):
    """The body of a message (`to`) or of a batch (`recipients`)."""

    text: Text | None = None
    to: To | None = None
    vars: Vars | None = None
    client_ref: ClientRef | None = None
    recipients: (
        Annotated[list[Recipient], Meta(extra_json_schema={"maxItems": MAX_RECIPIENTS})] | None
    ) = None
    start: bool = True


Url = Annotated[str, Meta(max_length=2048, examples=["https://example.com/hooks/sms"])]


class WebhookRequest(Shape, kw_only=True):
    """An endpoint to post events to."""

    url: Url
    types: Annotated[list[EventType], Meta(max_length=16)] = field(default_factory=list)
    batched: bool = True
    description: Annotated[str, Meta(max_length=200)] = ""


class WebhookPatch(Shape, kw_only=True):
    """Fields to change; the others stay."""

    url: Url | None = None
    types: Annotated[list[EventType], Meta(max_length=16)] | None = None
    batched: bool | None = None
    description: Annotated[str, Meta(max_length=200)] | None = None
    state: Literal["active", "disabled"] | None = None


class ReplayRequest(Shape, kw_only=True):
    """Which deliveries to repeat: these ids, or all dead ones since."""

    ids: Annotated[list[str], Meta(min_length=1, max_length=1000)] | None = None
    since: Instant | None = None


class KeyRequest(Shape, kw_only=True):
    """A new API key."""

    account: str
    scopes: Annotated[list[ScopeName], Meta(min_length=1, max_length=5)]
    networks: Annotated[list[str], Meta(max_length=50, examples=[["192.0.2.0/24"]])] = field(
        default_factory=list
    )
    expires_at: Instant | None = None
    name: Annotated[str, Meta(max_length=100)] = ""
