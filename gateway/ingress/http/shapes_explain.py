"""What callers send to have a message explained.

In: nothing. Out: types, as in `shapes`.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from gateway.ingress.http.shapes import Options, Text, To, Vars


class ExplainRequest(Options, kw_only=True):
    """A message as `POST /v1/messages` takes it, or the id of one that was submitted."""

    to: To | None = None
    text: Text | None = None
    vars: Vars | None = None
    id: Annotated[str, Meta(max_length=40, description="A message's id, alone.")] | None = None
