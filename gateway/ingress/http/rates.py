"""How carriers and accounts stand against their windows, rates and caps.

In: calls. Out: answers, made of what dispatch tells.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from gateway.ingress.http import answers_rates as a
from gateway.ingress.http.call import Answer, Call, answer
from gateway.ingress.http.ports import CarrierStatus
from gateway.ingress.http.values import instant
from gateway.policy.caps import Usage


async def carriers(call: Call) -> Answer:
    """Carriers as dispatch sees them now."""
    return answer(200, a.CarrierList([_carrier(one) for one in call.service.carriers()]))


async def account(call: Call) -> Answer:
    """The caller's limits, and how it stands."""
    settings = call.account
    return answer(
        200,
        a.AccountOut(
            settings.name,
            settings.rate,
            _caps(call.service.usage(settings.name)),
            settings.caps.cap_reached,
            [
                a.FrequencyOut(
                    cap.messages, float(cap.period), list(cap.categories), list(cap.senders)
                )
                for cap in settings.frequency
            ],
            call.service.store.waiting(settings.name),
            settings.max_waiting,
        ),
    )


def _carrier(status: CarrierStatus) -> a.CarrierOut:
    return a.CarrierOut(
        status.name,
        _state(status),
        status.bound,
        status.wanted,
        status.window,
        status.outstanding,
        status.buffered,
        status.rate,
        status.rate_now,
        status.slowed,
        status.last_error or None,
        [
            a.WindowOut(
                one.category, one.open, None if one.changes_at is None else instant(one.changes_at)
            )
            for one in status.windows
        ],
        _caps(status.caps),
        [
            a.CampaignCapOut(campaign, usage.limit, usage.used, instant(usage.resets_at))
            for campaign, usage in status.campaigns
        ],
    )


def _caps(usages: Iterable[Usage]) -> list[a.CapOut]:
    return [
        a.CapOut(period, limit, used, instant(resets_at))
        for period, limit, used, resets_at in usages
    ]


def _state(status: CarrierStatus) -> Literal["up", "degraded", "down"]:
    if status.bound <= 0:
        return "down"
    return "up" if status.bound >= status.wanted else "degraded"
