"""What callers send to put senders and templates on record.

In: nothing. Out: types, as those of `shapes`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from gateway.ingress.http.shapes import Instant, Shape

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
