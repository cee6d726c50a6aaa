"""The campaigns registered with one carrier, each with its own cap a day (US 10DLC).

In: contents. Out: the limit of the campaign each belongs to. A campaign is known by the value of
one TLV; its name in `tlvs` and its tag in hex mean the same, and a carrier may have a constant one.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

from config.settings import Carrier
from gateway.dispatch.allowances import Allowances
from gateway.dispatch.limit import Limit
from gateway.policy.caps import Usage
from gateway.store.messages import Content, Tlv

MOST: Final = 10_000
"""Campaigns counted each by itself, about 1 KiB of memory each; a registered brand has a handful.
Beyond it those that come anew share one allowance until others' day is over."""
OTHERS: Final = "*"
"""Who shares it; no TLV is spelt so by an operator."""
CONTENTS_KEPT: Final = 4096
TIDY_EVERY: Final = 60 * 1_000_000
"""µs between looks for campaigns that have sent nothing today."""


class CampaignUsage(NamedTuple):
    """How one campaign's cap stands."""

    campaign: str
    usage: Usage


class Campaigns:
    """Those of one carrier; `of` makes them where its settings ask for it."""

    def __init__(self, carrier: Carrier, allowances: Allowances) -> None:
        caps = carrier.campaign_caps
        assert caps is not None
        self._caps = caps
        self._allowances = allowances
        self._prefix = f"campaign/{carrier.name}/"
        row = carrier.tlvs.get(caps.tlv)
        self._tag = None if row is None else int(row.tag, 16)
        self._constant = None if row is None else row.value
        self._limits: dict[str, Limit] = {}
        self._of_content: OrderedDict[int, Limit | None] = OrderedDict()
        self._tidied = 0
        self._learnt = False

    def limit(self, content: Content, at: int) -> Limit | None:
        """The limit of a content's campaign; None if it has no cap."""
        known = self._of_content
        if content.id in known:
            return known[content.id]
        limit = known[content.id] = self._limit(self._campaign(content), at)
        if len(known) > CONTENTS_KEPT:
            known.popitem(last=False)
        return limit

    def known(self, content: int) -> Limit | None:
        """The limit of a content that was asked about lately."""
        return self._of_content.get(content)

    def usage(self, at: int, most: int) -> list[CampaignUsage]:
        """The campaigns that have used most today."""
        if not self._learnt:  # those of before a restart, which may have no message any more
            self._learnt = True
            for owner in self._allowances.known(self._prefix):
                self._limit(owner.removeprefix(self._prefix), at)
        found = [
            CampaignUsage(campaign, usage)
            for campaign, limit in self._limits.items()
            if limit.meter is not None
            for usage in limit.meter.usage(at)
            if usage.used
        ]
        return sorted(found, key=lambda one: -one.usage.used)[:most]

    def _limit(self, campaign: str, at: int) -> Limit | None:
        limit = self._limits.get(campaign)
        if limit is not None:
            return limit
        cap = self._caps.days.get(campaign, self._caps.day)
        if not cap:
            return None
        if len(self._limits) >= MOST:
            self._tidy(at)
        if len(self._limits) >= MOST:
            campaign, cap = OTHERS, self._caps.day or cap
            if campaign in self._limits:
                return self._limits[campaign]
        caps = {"day": cap}
        meter = self._allowances.meter(self._prefix + campaign, caps, self._caps.zone)
        limit = self._limits[campaign] = Limit(
            "campaign", meter, caps, self._caps.zone, fails=self._caps.cap_reached == "fail"
        )
        return limit

    def _tidy(self, at: int) -> None:
        if at < self._tidied + TIDY_EVERY:
            return
        self._tidied = at
        idle = [
            campaign
            for campaign, limit in self._limits.items()
            if limit.meter is not None and not any(one.used for one in limit.meter.usage(at))
        ]
        for campaign in idle:
            del self._limits[campaign]
            self._allowances.drop(self._prefix + campaign)
        self._of_content.clear()

    def _campaign(self, content: Content) -> str:
        for one in content.tlvs:
            if one.tag == self._caps.tlv or (self._tag is not None and _tag(one) == self._tag):
                return _text(one)
        for part in content.raw:
            for tag, value in part.tlvs:
                if tag == self._tag:
                    return value.rstrip(b"\0").decode("latin-1")
        return self._constant or ""


def campaigns_of(carrier: Carrier, allowances: Allowances) -> Campaigns | None:
    """A carrier's campaigns, if it has caps for them."""
    return None if carrier.campaign_caps is None else Campaigns(carrier, allowances)


def _tag(one: Tlv) -> int | None:
    return int(one.tag, 16) if one.tag[:2] in ("0x", "0X") else None


def _text(one: Tlv) -> str:
    if not one.hex:
        return one.value
    try:
        return bytes.fromhex(one.value).rstrip(b"\0").decode("latin-1")
    except ValueError:  # the encoder refuses it
        return one.value
