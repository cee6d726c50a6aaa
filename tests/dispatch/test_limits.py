"""What accounts and campaigns may send over all carriers, and where the rest goes."""

from __future__ import annotations

import asyncio
from collections import Counter

from config.policies import AccountCaps, CampaignCaps
from config.settings import Account, CarrierTlv
from gateway.model import Status
from gateway.store.messages import Outcome, Settled, Tlv
from tests.dispatch.conftest import (
    NEVER,
    MovedClock,
    Smsc,
    Start,
    World,
    at,
    carrier,
    settings,
    utc_now,
)

MANY = list(range(46700000000, 46700000300))
LONG = "0123456789" * 40
"""Three parts."""


def account(**given: object) -> Account:
    return Account(name="acme", **given)  # type: ignore[arg-type]


def put_off(world: World) -> list[Settled]:
    """Results that wait for more than a commit."""
    return [r for r in world.store.of(Status.QUEUED) if r.due - r.at > 1_000_000]


async def test_an_accounts_cap_holds_over_all_carriers_and_puts_off_once(
    smsc: Smsc, start: Start
) -> None:
    operators = [await smsc(), await smsc()]
    clock = MovedClock("2026-11-26T10:00:01Z")
    acme = account(caps=AccountCaps(minute=40))
    carriers = [carrier(f"op{n}", operator) for n, operator in enumerate(operators)]
    world = await start(settings(*carriers, accounts=[acme]), clock)
    await world.store.put(MANY[:150], deadline=NEVER)
    await world.store.put(MANY[150:170], account="other", deadline=NEVER)
    await world.store.sent(60)
    await world.store.until(lambda: len(put_off(world)) == 110)
    assert Counter(r.due for r in put_off(world)) == {
        at("2026-11-26T10:01:00Z"): 40, at("2026-11-26T10:02:00Z"): 40,
        at("2026-11-26T10:03:00Z"): 30,
    }  # fmt: skip
    assert {(r.outcome, r.attempts, r.lane) for r in put_off(world)} == {
        (Outcome.RETRY, 0, "main/bulk")
    }
    for minute, sent in ((1, 100), (2, 140), (3, 170)):
        clock.set(f"2026-11-26T10:0{minute}:00Z")
        world.dispatcher.beat()
        await world.store.sent(sent)
    assert len(put_off(world)) == 110
    assert sum(operator.counters.submits for operator in operators) == 170
    (usage,) = world.dispatcher.usage("acme")
    assert usage == ("minute", 40, 30, at("2026-11-26T10:04:00Z"))
    assert world.dispatcher.usage("other") == []
    off = sum(
        world.metric("aldis_put_off_total", carrier=f"op{n}", cause="account_cap") for n in (0, 1)
    )
    assert off == 110


async def test_an_accounts_cap_counts_parts(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    clock = MovedClock("2026-11-26T10:00:01Z")
    acme = account(caps=AccountCaps(hour=10))
    world = await start(settings(carrier("op1", operator), accounts=[acme]), clock)
    await world.store.put(MANY[:10], LONG, parts=3, deadline=NEVER)
    await world.store.sent(3)
    await world.store.until(lambda: world.store.waiting == 7 and not world.store.leased)
    assert operator.counters.submits == 9


async def test_an_accounts_cap_may_end_what_is_over_it(smsc: Smsc, start: Start) -> None:
    first, second = await smsc(), await smsc()
    acme = account(caps=AccountCaps(day=15, cap_reached="fail"))
    world = await start(settings(carrier("op1", first), carrier("op2", second), accounts=[acme]))
    await world.store.put(MANY[:40])
    await world.store.until(lambda: len(world.store.of(Status.FAILED)) == 25)
    await world.store.sent(15)
    assert {r.reason for r in world.store.of(Status.FAILED)} == {"throttled_out"}
    assert len(world.store.of(Status.SENT)) == 15


async def test_an_accounts_rate_holds_over_all_carriers(smsc: Smsc, start: Start) -> None:
    operators = [await smsc(), await smsc()]
    carriers = [carrier(f"op{n}", operator) for n, operator in enumerate(operators)]
    world = await start(settings(*carriers, accounts=[account(rate=100.0)]))
    for operator in operators:
        await operator.until(lambda operator=operator: len(operator.binds) == 1)
    await world.store.put(MANY[:150])
    await world.store.put(MANY[150:250], account="other")
    await world.store.until(
        lambda: len([r for r in world.store.of(Status.SENT) if r.message.account == "other"]) == 100
    )
    await world.store.sent(250)
    times = sorted(
        submit.at for operator in operators for submit in operator.submits
        if int(submit.destination) in MANY[:150]
    )  # fmt: skip
    for first in range(0, 150, 5):
        for last in range(first, 150):
            # A quarter of a second's rate may leave at once after a rest; and what an operator
            # that stalled finds in its socket comes to it all at once.
            assert last - first + 1 <= 26 + 100.0 * (times[last] - times[first] + 0.25)
    assert times[-1] - times[0] < 125 / 100.0 + 5.0, "the rate was not used"
    again = [r for r in world.store.of(Status.QUEUED) if r.message.account == "acme"]
    assert len(again) < 200, "a backlog must not be taken up again and again"


async def test_a_code_does_not_wait_behind_a_campaign_put_off(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    clock = MovedClock("2026-11-26T10:00:01Z")
    acme = account(caps=AccountCaps(minute=20))
    world = await start(settings(carrier("op1", operator), accounts=[acme]), clock)
    await world.store.put(MANY, deadline=NEVER)
    await world.store.sent(20)
    await world.store.until(lambda: len(world.store.of(Status.QUEUED)) >= 280)
    (code,) = await world.store.put([46709999999], lane="main/otp", deadline=NEVER)
    await world.store.until(lambda: any(r.message.id == code for r in world.store.results))
    (result,) = [r for r in world.store.results if r.message.id == code]
    assert result.due == at("2026-11-26T10:01:00Z")
    clock.set("2026-11-26T10:01:00Z")
    world.dispatcher.beat()
    await world.store.until(lambda: any(r.message.id == code for r in world.store.of(Status.SENT)))


async def test_validity_decides_for_what_never_gets_there(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    acme = account(caps=AccountCaps(day=5))
    world = await start(settings(carrier("op1", operator), accounts=[acme]))
    deadline = utc_now() + 1_500_000
    await world.store.put(MANY[:10], deadline=deadline)
    await world.store.sent(5)
    await world.store.until(lambda: len(world.store.of(Status.QUEUED)) >= 5)
    await world.store.until(lambda: world.store.waiting == 0)
    assert {r.due for r in world.store.of(Status.QUEUED)[-5:]} == {deadline}
    statuses = await world.store.search_statuses()
    assert statuses == {Status.SENT: 5, Status.EXPIRED: 5}


# ---- campaigns

NAMED = {"campaign_id": CarrierTlv(tag="0x1500", kind="c-octet")}


def campaign(name: str) -> tuple[Tlv, ...]:
    return (Tlv("campaign_id", name),)


async def test_campaigns_have_caps_of_their_own_until_midnight_pacific(
    smsc: Smsc, start: Start
) -> None:
    operator = await smsc()
    clock = MovedClock("2026-10-31T23:59:00-07:00")
    caps = CampaignCaps(day=10, days={"C2": 25})
    one = carrier("op1", operator, tlvs=NAMED, campaign_caps=caps)
    world = await start(settings(one), clock)
    await world.store.put(MANY[:30], tlvs=campaign("C1"), deadline=NEVER)
    await world.store.put(MANY[30:60], tlvs=campaign("C2"), deadline=NEVER)
    # The same campaign by the carrier's tag, as SMPP customers pass it.
    await world.store.put(MANY[60:65], tlvs=(Tlv("0x1500", "433200", True),), deadline=NEVER)
    await world.store.sent(35)
    await world.store.until(lambda: world.store.waiting == 30 and not world.store.leased)
    assert operator.counters.submits == 35
    status = world.statuses()["op1"].campaigns
    midnight = at("2026-11-01T00:00:00-07:00")
    assert [(c.campaign, c.usage) for c in status] == [
        ("C2", ("day", 25, 25, midnight)), ("C1", ("day", 10, 10, midnight)),
    ]  # fmt: skip
    # A day of 25 hours: the clock is put back in it.
    clock.set("2026-11-01T00:00:00-07:00")
    world.dispatcher.beat()
    await world.store.sent(35 + 20)
    await world.store.until(lambda: world.store.waiting == 10 and not world.store.leased)
    clock.set("2026-11-01T23:59:59-08:00")
    world.dispatcher.beat()
    assert world.store.waiting == 10
    clock.set("2026-11-02T00:00:00-08:00")
    world.dispatcher.beat()
    await world.store.sent(65)


async def test_a_campaign_over_its_cap_may_go_another_way(smsc: Smsc, start: Start) -> None:
    first, second = await smsc(), await smsc()
    caps = CampaignCaps(day=10, cap_reached="fail")
    one = carrier("op1", first, tlvs=NAMED, campaign_caps=caps)
    world = await start(settings(one, carrier("op2", second, tlvs=NAMED)))
    await first.until(lambda: len(first.binds) == 1)
    await world.store.put(MANY, tlvs=campaign("C1"))
    await world.store.sent(300)
    assert Counter(r.carrier for r in world.store.of(Status.SENT))["op1"] == first.counters.submits
    assert first.counters.submits <= 10


async def test_a_carriers_constant_names_the_campaign_of_messages_that_do_not(
    smsc: Smsc, start: Start
) -> None:
    operator = await smsc()
    constant = {"campaign_id": CarrierTlv(tag="0x1500", kind="c-octet", value="C9")}
    caps = CampaignCaps(days={"C9": 10})
    world = await start(settings(carrier("op1", operator, tlvs=constant, campaign_caps=caps)))
    await world.store.put(MANY[:20])
    await world.store.put(MANY[20:40], tlvs=campaign("C1"))  # no cap is given for it
    await world.store.sent(30)
    await world.store.until(lambda: world.store.waiting == 10 and not world.store.leased)
    assert operator.counters.submits == 30


async def test_what_a_lost_link_gives_back_used_nothing(smsc: Smsc, start: Start) -> None:
    operator = await smsc(latency=30.0)
    clock = MovedClock("2026-11-26T10:00:01Z")
    acme = account(caps=AccountCaps(day=100))
    one = carrier("op1", operator, window=1, rate=1000.0)
    world = await start(settings(one, accounts=[acme]), clock)
    await world.store.put(MANY[:50], deadline=NEVER)
    await operator.until(lambda: operator.counters.submits == 1)
    async with asyncio.timeout(5):
        while not world.statuses()["op1"].buffered:  # noqa: ASYNC110
            await asyncio.sleep(0)
    await operator.stop()
    await world.store.until(lambda: not world.store.leased)
    (usage,) = world.dispatcher.usage("acme")
    assert usage.used == 1
