"""What the API answers about senders and templates.

In: nothing. Out: types, as those of `answers`.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from gateway.ingress.http.shapes_registries import DecisionName


class SenderOut(msgspec.Struct):
    """An entry of the sender registry. `account` is `*` for those that hold for all accounts."""

    name: str
    account: str
    sender: str
    carrier: str
    status: DecisionName
    valid_from: datetime | None
    valid_to: datetime | None
    countries: list[str]
    note: str
    version: int
    updated_at: datetime
    updated_by: str


class SenderList(msgspec.Struct):
    """Entries, by account and name."""

    data: list[SenderOut]
