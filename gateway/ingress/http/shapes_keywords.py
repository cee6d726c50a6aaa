"""What callers send about keywords.

In: nothing. Out: types, as those of `shapes`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from gateway.ingress.http.shapes import Shape
from gateway.policy.keyword_rules import LONGEST_PATTERN, LONGEST_REPLY

MatchName = Literal["exact", "prefix", "contains", "regex"]
Number = Annotated[str, Meta(max_length=20, examples=["+4915112345678"])]


class KeywordRequest(Shape, kw_only=True):
    """A keyword of the account's own."""

    match: Annotated[
        MatchName,
        Meta(
            description="How `pattern` is compared: with the whole text, its beginning or any part "
            "of it, case, accents and punctuation aside; or as a regular expression that is looked "
            "for in the text as it came, case aside."
        ),
    ]
    pattern: Annotated[str, Meta(min_length=1, max_length=LONGEST_PATTERN, examples=["PRICES"])]
    senders: Annotated[
        list[Number],
        Meta(max_length=100, description="Our numbers it is for; without any, all."),
    ] = field(default_factory=list)
    language: Annotated[str, Meta(pattern=r"^[a-z]{2}$")] | None = None
    reply: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=LONGEST_REPLY,
                description="What is answered; `{brand}` is who writes.",
            ),
        ]
        | None
    ) = None
    webhook: Annotated[
        bool, Meta(description="Whether each match is an event `keyword.matched`.")
    ] = False
    priority: Annotated[
        int, Meta(ge=-1000, le=1000, description="Higher ones are tried first; equal ones by name.")
    ] = 0


class NewKeywordRequest(KeywordRequest, kw_only=True):
    """A keyword and its name."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]


class KeywordTrial(Shape, kw_only=True):
    """A reply that nobody sent."""

    text: Annotated[str, Meta(max_length=1_530)]
    number: Annotated[str, Meta(max_length=32, description="The phone that writes.")]
    sender: Annotated[str, Meta(max_length=20, description="Our number it writes to.")]
