"""What the API answers about senders and templates.

In: nothing. Out: types, as those of `answers`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

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


class ApprovalOut(msgspec.Struct):
    """What one operator, or all of them (`*`), said of a template."""

    carrier: str
    status: DecisionName
    operator_id: str
    tlv: str | None


class TemplateOut(msgspec.Struct):
    """An entry of the template registry. `account` is `*` for those that hold for all accounts;
    `slots` has every slot of the text with its limit; `usable` says whether an operator has
    approved it and its dates include now."""

    name: str
    account: str
    text: str
    category: str
    slots: dict[str, int]
    approvals: list[ApprovalOut]
    fallback: Literal["reject", "advertising"] | None
    usable: bool
    valid_from: datetime | None
    valid_to: datetime | None
    note: str
    version: int
    updated_at: datetime
    updated_by: str


class TemplateList(msgspec.Struct):
    """Entries, by account and name."""

    data: list[TemplateOut]
