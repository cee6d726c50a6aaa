"""What callers send about opt-outs.

In: nothing. Out: types, as in `shapes`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.ingress.http.shapes import Instant, Shape

CategoryName = Literal["*", "transactional", "service", "informational", "advertising"]

Number = Annotated[
    str, Meta(max_length=32, description="In international form.", examples=["+79161234567"])
]
Sender = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        description="The sender that is refused, in any case; `*` for all.",
        examples=["ACME"],
    ),
]


class OptOutRequest(Shape, kw_only=True):
    """A recipient's no. It may be left unsaid who and how, but who asks for proof gets none then.
    No numbers in `proof` and `source`: they are kept when the person is erased."""

    number: Number
    sender: Sender = "*"
    category: CategoryName = "*"
    at: Instant | None = None
    """When it was said; now, if left out."""
    proof: Annotated[
        str, Meta(max_length=500, description="What was said, or where that is filed.")
    ] = ""
    source: Annotated[
        str, Meta(max_length=300, description="Where: a form's address, a call, another platform.")
    ] = ""


class OptOutRemoval(Shape, kw_only=True):
    """Which refusals of a number are taken back: those that `sender` and `category` cover."""

    number: Number
    sender: Sender = "*"
    category: CategoryName = "*"
