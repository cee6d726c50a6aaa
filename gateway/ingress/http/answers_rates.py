"""How carriers and accounts stand against their windows, rates and caps, as structs.

In: nothing. Out: types, as in `answers`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

Period = Literal["minute", "hour", "day"]


class WindowOut(msgspec.Struct):
    """Whether a carrier takes a category of messages now."""

    category: str
    open: bool
    changes_at: datetime | None
    """When it closes or opens; null: never."""


class CapOut(msgspec.Struct):
    """A cap in its present period, in PDUs."""

    period: Period
    limit: int
    used: int
    resets_at: datetime
    """When it begins anew, in the zone it is counted in."""


class CampaignCapOut(msgspec.Struct):
    """A campaign's cap with a carrier, today."""

    campaign: str
    limit: int
    used: int
    resets_at: datetime


class CarrierOut(msgspec.Struct):
    """A carrier as dispatch sees it now."""

    name: str
    state: Literal["up", "degraded", "down"]
    bound: int
    """Sessions up, of those `wanted`."""
    wanted: int
    window: int
    """Submits that may be unanswered over all sessions that are up."""
    outstanding: int
    buffered: int
    """PDUs leased and not yet sent."""
    rate: float
    """PDU/s by configuration."""
    rate_now: float
    """PDU/s in force, slow-down included; 0 while the operator wants silence."""
    slowed: bool
    """Whether the operator's complaints have taken something from the rate; it is regained."""
    last_error: str | None
    send_windows: list[WindowOut]
    """By category; empty if it takes messages at any hour."""
    caps: list[CapOut]
    campaigns: list[CampaignCapOut]
    """The campaigns that have used most today, at most 20."""


class CarrierList(msgspec.Struct):
    """Every configured carrier."""

    data: list[CarrierOut]


class FrequencyOut(msgspec.Struct):
    """At most so many messages to one number in a period."""

    messages: int
    period_seconds: float
    categories: list[str]
    senders: list[str]
    """Senders that count together; empty: each by itself."""


class AccountOut(msgspec.Struct):
    """What an account may send, and what it has sent."""

    name: str
    rate: float | None
    """PDU/s over all carriers; null: as much as they take."""
    caps: list[CapOut]
    """PDUs over all carriers."""
    cap_reached: Literal["hold", "fail"]
    """hold: what is over a cap waits. fail: it ends as `throttled_out`."""
    frequency: list[FrequencyOut]
    waiting: int
    """Messages that wait to leave, of at most `max_waiting`."""
    max_waiting: int
