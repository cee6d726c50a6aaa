"""Send windows: what leaves when, what becomes of the rest, and who takes it meanwhile."""

from __future__ import annotations

from collections import Counter

import msgspec

from config.policies import SendWindow
from config.settings import Route, RouteCarrier
from gateway.model import Status
from gateway.store.messages import Outcome
from tests.dispatch.conftest import (
    NEVER,
    MovedClock,
    Smsc,
    Start,
    World,
    at,
    carrier,
    settings,
)

MANY = list(range(46700000000, 46700000300))
DAY = SendWindow(start="08:00", end="20:00")
ADVERTS = SendWindow(start="09:00", end="18:00", categories=("advertising",))


def set_to(world: World, clock: MovedClock, time: str) -> None:
    clock.set(time)
    world.dispatcher.beat()


async def test_a_closed_carrier_pulls_nothing_until_it_opens(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    clock = MovedClock("2026-11-26T07:30:00+01:00")
    one = carrier("op1", operator, zone="Europe/Paris", send_windows=(DAY,))
    world = await start(settings(one), clock)
    await operator.until(lambda: len(operator.binds) == 1)
    await world.store.put(MANY[:20], deadline=NEVER)
    world.dispatcher.beat()
    await world.store.put(MANY[20:40], deadline=NEVER)
    assert (world.store.waiting, world.store.demands) == (40, [])
    (status,) = world.dispatcher.status()
    assert {(w.category, w.open, w.changes_at) for w in status.windows} == {
        (name, False, at("2026-11-26T08:00:00+01:00"))
        for name in ("transactional", "service", "informational", "advertising")
    }
    set_to(world, clock, "2026-11-26T08:00:00+01:00")
    await world.store.sent(40)
    assert world.metric("aldis_send_window_open", carrier="op1", category="service") == 1


async def test_it_opens_by_itself(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    clock = MovedClock("2026-11-26T07:59:59.500+01:00")
    one = carrier("op1", operator, zone="Europe/Paris", send_windows=(DAY,))
    world = await start(settings(one), clock)
    await world.store.put(MANY[:20], deadline=NEVER)
    await world.store.sent(20)  # no heartbeat in these tests: a timer, or never
    assert clock() >= at("2026-11-26T08:00:00+01:00")


async def test_another_carrier_takes_what_a_closed_one_leaves(smsc: Smsc, start: Start) -> None:
    first, second = await smsc(), await smsc()
    clock = MovedClock("2026-11-26T21:00:00+01:00")
    one = carrier("op1", first, zone="Europe/Paris", send_windows=(DAY,))
    route = Route(
        name="main", carriers=(RouteCarrier(name="op1"), RouteCarrier(name="op2", rank=1))
    )
    world = await start(settings(one, carrier("op2", second), routes=[route]), clock)
    await world.store.put(MANY[:50], deadline=NEVER)
    await world.store.sent(50)  # by the one of the higher rank: the lower is up, and shut
    assert Counter(r.carrier for r in world.store.results) == {"op2": 50}
    await first.until(lambda: len(first.binds) == 1)
    set_to(world, clock, "2026-11-27T08:00:00+01:00")
    await world.store.put(MANY[50:100], deadline=NEVER)
    await world.store.sent(100)
    assert Counter(r.carrier for r in world.store.results) == {"op1": 50, "op2": 50}


async def test_a_category_waits_for_its_own_window(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    clock = MovedClock("2026-11-26T20:00:00+01:00")
    one = carrier("op1", operator, zone="Europe/Paris", send_windows=(ADVERTS,))
    world = await start(settings(one), clock)
    await world.store.put(MANY[:50], category="advertising", deadline=NEVER)
    await world.store.put(MANY[50:60], category="service", deadline=NEVER)
    await world.store.sent(10)
    await world.store.until(lambda: len(world.store.of(Status.QUEUED)) == 50)
    opening = at("2026-11-27T09:00:00+01:00")
    assert {(r.outcome, r.due, r.attempts, r.lane) for r in world.store.of(Status.QUEUED)} == {
        (Outcome.RETRY, opening, 0, "main/bulk")
    }
    assert world.metric("aldis_put_off_total", carrier="op1", cause="window") == 50
    set_to(world, clock, "2026-11-27T09:00:00+01:00")
    await world.store.sent(60)
    assert len(world.store.of(Status.QUEUED)) == 50  # put off once


async def test_a_category_goes_to_a_carrier_that_takes_it(smsc: Smsc, start: Start) -> None:
    first, second = await smsc(), await smsc()
    clock = MovedClock("2026-11-26T20:00:00+01:00")
    one = carrier("op1", first, zone="Europe/Paris", send_windows=(ADVERTS,))
    world = await start(settings(one, carrier("op2", second)), clock)
    for operator in (first, second):
        await operator.until(lambda operator=operator: len(operator.binds) == 1)
    await world.store.put(MANY, category="advertising", deadline=NEVER)
    await world.store.sent(300)
    assert {r.carrier for r in world.store.of(Status.SENT)} == {"op2"}


async def test_what_is_buffered_stays_when_the_window_closes(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    clock = MovedClock("2026-11-26T19:59:00+01:00")
    one = carrier(
        "op1", operator, zone="Europe/Paris", send_windows=(DAY,), rate=200.0, burst=1, window=1
    )
    world = await start(settings(one), clock)
    await world.store.put(MANY, deadline=NEVER)
    await operator.until(lambda: operator.counters.submits >= 5)
    set_to(world, clock, "2026-11-26T20:00:00+01:00")
    submits = operator.counters.submits
    assert world.statuses()["op1"].buffered == 0
    await world.store.until(lambda: not world.store.leased)
    assert operator.counters.submits <= submits + 1  # on the wire as the clock struck
    assert world.store.waiting == 300 - len(world.store.of(Status.SENT))
    set_to(world, clock, "2026-11-27T08:00:00+01:00")
    await world.store.sent(300)


async def test_a_reload_changes_windows(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    clock = MovedClock("2026-11-26T21:00:00+01:00")
    one = carrier("op1", operator, zone="Europe/Paris", send_windows=(DAY,))
    world = await start(settings(one), clock)
    await world.store.put(MANY[:20], deadline=NEVER)
    assert world.store.waiting == 20
    await world.dispatcher.apply(settings(msgspec.structs.replace(one, send_windows=())))
    await world.store.sent(20)
