"""What callers send about people: consents, numbers to look at.

In: nothing. Out: types, as in `shapes`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, field

from gateway.ingress.http.shapes import Instant, Shape

MOST: Final = 10_000
"""Entries of one body, as recipients of a batch."""


class ConsentRequest(Shape, kw_only=True):
    """One statement of a recipient. A `granted` without `wording` and `source` proves nothing and
    is refused."""

    number: Annotated[str, Meta(max_length=32, examples=["+79161234567"])]
    brand: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=64,
            description="The sender it was said to; `*` for all of the account's.",
            examples=["ACME"],
        ),
    ] = "*"
    state: Literal["granted", "denied", "unknown"]
    at: Instant | None = None
    """When it was said; now, if left out."""
    wording: Annotated[
        str,
        Meta(
            max_length=2_000,
            description="What the person agreed to or refused, word for word.",
            examples=["Send me offers of ACME by SMS. I can stop them at any time."],
        ),
    ] = ""
    source: Annotated[
        str,
        Meta(
            max_length=300,
            description="Where: a form's address and version, a shop, a call.",
            examples=["https://acme.example/signup v3"],
        ),
    ] = ""


class ValidateRequest(Shape, kw_only=True):
    """Numbers to look at, in any customary form."""

    numbers: Annotated[
        list[str],
        Meta(
            min_length=1,
            description="Up to 10,000 of them.",
            examples=[["+79161234567", "06 12 34 56 78"]],
            extra_json_schema={"maxItems": MOST},
        ),
    ]
    default_region: (
        Annotated[
            str,
            Meta(
                pattern="^[A-Z]{2}$",
                description="ISO 3166 code of the country national numbers are read in; without "
                "it the account's.",
                examples=["FR"],
            ),
        ]
        | None
    ) = None
    sender: Annotated[str, Meta(max_length=64, description="Whose opt-outs are asked for.")] = (
        field(name="from", default="*")
    )
    category: Literal["*", "transactional", "service", "informational", "advertising"] = "*"
