"""How a carrier stands, as GET /v1/carriers, readiness and the metrics show it.

In: what a carrier tells of itself. Out: one value, and gauges. Knows no carrier.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway import metrics as m
from gateway.dispatch.campaigns import CampaignUsage
from gateway.dispatch.gate import CategoryWindow
from gateway.metrics import Metrics
from gateway.policy.caps import Usage

CAMPAIGNS_SHOWN: Final = 20
"""Of a carrier: as many as a person reads. Campaigns are customers' words and never labels."""


class CarrierStatus(msgspec.Struct, frozen=True):
    """One carrier now."""

    name: str
    bound: int
    """Sessions up, of those `wanted` (`tx+rx` counts two for each bind)."""
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
    last_error: str
    slowed: bool = False
    """Whether complaints have taken something from the rate."""
    windows: list[CategoryWindow] = []
    """Its send windows by category; empty if it has none."""
    caps: list[Usage] = []
    campaigns: list[CampaignUsage] = []
    """The campaigns that have used most of their day's cap."""


def show(metrics: Metrics, status: CarrierStatus) -> None:
    """Windows and caps as gauges."""
    name = status.name
    for window in status.windows:
        metrics.set(m.SEND_WINDOW_OPEN, window.open, name, window.category)
    for usage in status.caps:
        metrics.set(m.CAP_LIMIT, usage.limit, name, usage.period)
        metrics.set(m.CAP_USED, usage.used, name, usage.period)
