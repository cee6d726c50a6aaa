"""What callers send about stop-words. A list's own shape is `policy.stopwords.lists.ListDoc`.

In: nothing. Out: types.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from gateway.ingress.http.shapes import Shape, Text


class StopWordCheck(Shape, kw_only=True):
    """A text and a sender to be looked at."""

    text: Text = ""
    sender: Annotated[str, Meta(max_length=64, examples=["ACME"])] = field(name="from", default="")
