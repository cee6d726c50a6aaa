"""What callers send to put senders and templates on record.

In: nothing. Out: types, as those of `shapes`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from gateway.ingress.http.shapes import Instant, Shape
from gateway.model import Category
from gateway.policy.templates import DEFAULT_SLOT, LONGEST, MOST_SLOTS

DecisionName = Literal["pending", "approved", "rejected", "suspended"]
CountryName = Annotated[str, Meta(pattern="^[A-Z]{2}$", examples=["SA"])]


class SenderRequest(Shape, kw_only=True):
    """A sender, as one operator or all of them have it on record."""

    sender: Annotated[str, Meta(max_length=16, examples=["ACME"])]
    carrier: Annotated[
        str, Meta(max_length=63, description="A configured carrier; `*` for all of them.")
    ] = "*"
    status: (
        Annotated[
            DecisionName,
            Meta(description="What was decided: only a key with the scope `admin` may say."),
        ]
        | None
    ) = None
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    countries: Annotated[
        list[CountryName],
        Meta(max_length=250, description="ISO 3166 codes it is for; without any, all."),
    ] = field(default_factory=list)
    note: Annotated[str, Meta(max_length=500)] = ""


class ApprovalRequest(Shape, kw_only=True):
    """What one operator, or all of them, said of a template."""

    carrier: Annotated[
        str, Meta(max_length=63, description="A configured carrier; `*` for all of them.")
    ] = "*"
    status: DecisionName = "pending"
    operator_id: Annotated[
        str, Meta(max_length=64, description="The operator's own id of the template.")
    ] = ""
    tlv: (
        Annotated[
            str,
            Meta(
                max_length=40,
                description="Name, in the carrier's `tlvs`, of the TLV that is to carry "
                "`operator_id`.",
                examples=["dlt_template_id"],
            ),
        ]
        | None
    ) = None


class TemplateRequest(Shape, kw_only=True):
    """A text with `{{slots}}`, and which operators have approved it."""

    text: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=LONGEST,
            description="`{{name}}` is a slot.",
            examples=["Order {{n}} is ready"],
        ),
    ]
    category: Category = Category.SERVICE
    slots: Annotated[
        dict[str, Annotated[int, Meta(ge=1, le=500)]],
        Meta(
            max_length=MOST_SLOTS,
            description=f"Most characters of each slot; without a word {DEFAULT_SLOT}.",
        ),
    ] = field(default_factory=dict)
    approvals: (
        Annotated[
            list[ApprovalRequest],
            Meta(
                max_length=100,
                description="What was decided: only a key with the scope `admin` may say more "
                "than `pending`. Without any those there are stay; with another text they are "
                "`pending` again.",
            ),
        ]
        | None
    ) = None
    fallback: Literal["reject", "advertising"] | None = None
    """What its texts are at carriers that demand and have not approved it; without a word what the
    carrier's `template_fallback` says."""
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    note: Annotated[str, Meta(max_length=500)] = ""
