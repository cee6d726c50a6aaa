"""What moderators send.

In: nothing. Out: types, as in `shapes`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from gateway.ingress.http.shapes import Shape

MOST: Final = 1_000
"""Decisions of one body: a page of items."""

Moderator = Annotated[
    str,
    Meta(
        max_length=100,
        description="Who is at the console, where several people use one key: claims are theirs, "
        "and the trail names them beside the key.",
        examples=["anna"],
    ),
]
Why = Annotated[
    str,
    Meta(
        max_length=500,
        description="What the moderator says of it; the customer reads it in the event.",
        examples=["credit without a licence number"],
    ),
]


class ModeratorRequest(Shape, kw_only=True):
    """Who claims, or gives the claim up."""

    moderator: Moderator = ""


class ApproveRequest(ModeratorRequest, kw_only=True):
    """Its messages may leave."""

    reason: Why = ""


class RejectRequest(ModeratorRequest, kw_only=True):
    """Its messages end as rejected."""

    reason: Annotated[Why, Meta(min_length=1)]


class DecisionRequest(Shape, kw_only=True):
    """A word on one item."""

    id: Annotated[str, Meta(max_length=64, examples=["itm_01bqz3k8m0000"])]
    decision: Literal["approve", "reject"]
    reason: Why = ""
    """Demanded to reject."""


class DecisionsRequest(ModeratorRequest, kw_only=True):
    """Words on many items; each counts for itself."""

    decisions: Annotated[list[DecisionRequest], Meta(min_length=1, max_length=MOST)]
