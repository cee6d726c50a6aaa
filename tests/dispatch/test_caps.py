"""Carriers' caps: never a PDU more, whatever becomes of the process; and what waits or goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from config.policies import Caps
from config.settings import StoreSettings
from gateway.dispatch.allowances import Allowances
from gateway.metrics import Metrics
from gateway.model import OnUnknown, Status
from gateway.store.sqlite import SqliteStore
from tests.dispatch import cap_child
from tests.dispatch.conftest import (
    NEVER,
    MovedClock,
    Smsc,
    Start,
    at,
    carrier,
    settings,
    utc_now,
)

MANY = list(range(46700000000, 46700000300))
LONG = "0123456789" * 40
"""Three parts."""


async def test_held_messages_leave_when_the_period_begins_anew(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    clock = MovedClock("2026-11-26T10:00:01Z")
    world = await start(settings(carrier("op1", operator, caps=Caps(minute=20))), clock)
    await world.store.put(MANY[:50], deadline=NEVER)
    await world.store.sent(20)
    world.dispatcher.beat()
    await world.store.put(MANY[50:51], deadline=NEVER)
    assert (operator.counters.submits, world.store.waiting) == (20, 31)
    (usage,) = world.statuses()["op1"].caps
    assert usage == ("minute", 20, 20, at("2026-11-26T10:01:00Z"))
    for minute, sent in ((1, 40), (2, 51)):
        clock.set(f"2026-11-26T10:0{minute}:01Z")
        world.dispatcher.beat()
        await world.store.sent(sent)
        assert operator.counters.submits == sent
    assert world.metric("aldis_cap_used_pdus", carrier="op1", period="minute") == 11


async def test_a_period_that_begins_anew_needs_no_heartbeat(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    clock = MovedClock("2026-11-26T10:00:59.300Z")
    world = await start(settings(carrier("op1", operator, caps=Caps(minute=20))), clock)
    await world.store.put(MANY[:30], deadline=NEVER)
    await world.store.sent(30)
    assert clock() >= at("2026-11-26T10:01:00Z")


async def test_all_parts_of_a_message_are_within_a_cap_or_none(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    clock = MovedClock("2026-11-26T10:00:01Z")
    world = await start(settings(carrier("op1", operator, caps=Caps(minute=20))), clock)
    await world.store.put(MANY[:10], LONG, parts=3, deadline=NEVER)
    await world.store.sent(6)
    await world.store.until(lambda: not world.store.leased)
    world.dispatcher.beat()
    assert operator.counters.submits == 18
    clock.set("2026-11-26T10:01:01Z")
    world.dispatcher.beat()
    await world.store.sent(10)
    assert operator.counters.submits == 30


async def test_more_parts_than_were_counted_stay_within_the_cap(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    clock = MovedClock("2026-11-26T10:00:01Z")
    world = await start(settings(carrier("op1", operator, caps=Caps(minute=20))), clock)
    await world.store.put(MANY[:10], LONG, parts=1, deadline=NEVER)  # admission counted one
    await world.store.sent(6)
    await world.store.until(lambda: not world.store.leased)
    assert operator.counters.submits == 18


async def test_a_message_no_period_has_room_for_ends(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    world = await start(settings(carrier("op1", operator, caps=Caps(minute=2))))
    await world.store.put(MANY[:1], LONG, parts=3)
    await world.store.until(lambda: bool(world.store.of(Status.FAILED)))
    assert world.store.results[0].reason == "throttled_out"
    assert operator.counters.submits == 0


async def test_fail_sends_what_is_over_the_cap_another_way(smsc: Smsc, start: Start) -> None:
    first, second = await smsc(), await smsc()
    clock = MovedClock("2026-11-26T10:00:01Z")
    one = carrier("op1", first, caps=Caps(hour=10), cap_reached="fail")
    world = await start(settings(one), clock)
    await first.until(lambda: len(first.binds) == 1)
    await world.store.put(MANY[:50], deadline=NEVER)
    await world.store.until(lambda: len(world.store.of(Status.FAILED)) == 40)
    assert {r.reason for r in world.store.of(Status.FAILED)} == {"throttled_out"}
    assert first.counters.submits == 10
    assert world.metric("aldis_put_off_total", carrier="op1", cause="carrier_cap") == 40
    await world.dispatcher.apply(settings(one, carrier("op2", second)))
    await world.store.put(MANY[50:100], deadline=NEVER)
    await world.store.sent(60)
    assert Counter(r.carrier for r in world.store.of(Status.SENT)) == {"op1": 10, "op2": 50}


async def test_another_carrier_takes_what_a_capped_one_holds(smsc: Smsc, start: Start) -> None:
    first, second = await smsc(), await smsc()
    clock = MovedClock("2026-11-26T10:00:01Z")
    one = carrier("op1", first, caps=Caps(day=10))
    world = await start(settings(one, carrier("op2", second)), clock)
    for operator in (first, second):
        await operator.until(lambda operator=operator: len(operator.binds) == 1)
    await world.store.put(MANY, deadline=NEVER)
    await world.store.sent(300)
    assert Counter(r.carrier for r in world.store.of(Status.SENT))["op1"] <= 10


async def test_a_reload_and_a_restart_forget_nothing(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    clock = MovedClock("2026-11-26T10:00:01Z")
    one = carrier("op1", operator, caps=Caps(day=100))
    world = await start(settings(one), clock)
    await world.store.put(MANY[:60], deadline=NEVER)
    await world.store.sent(60)
    await world.dispatcher.apply(settings(carrier("op2", operator)))
    changed = msgspec.structs.replace(one, caps=Caps(day=80), window=5)
    await world.dispatcher.apply(settings(changed))
    await world.store.put(MANY[60:90], deadline=NEVER)
    await world.store.sent(80)
    await world.store.until(lambda: not world.store.leased)
    assert operator.counters.submits == 80
    await world.dispatcher.drain(1.0)
    await world.store.close()
    # A planned stop costs nothing: what was reserved and not used may be used.
    again = await start(settings(msgspec.structs.replace(one, caps=Caps(day=85))), clock)
    await again.store.sent(5)
    await again.store.until(lambda: not again.store.leased)
    assert operator.counters.submits == 85


async def test_nothing_leaves_while_its_use_cannot_be_written(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    world = await start(settings(carrier("op1", operator, caps=Caps(day=20_000))))
    await world.store.put(MANY[:20])
    await world.store.sent(20)
    world.store.reserving = False
    await world.store.put(MANY)
    await world.store.sent(200)  # two blocks of a two-hundredth were written down
    await world.store.until(lambda: world.store.refused > 0 and not world.store.leased)
    assert operator.counters.submits == 200
    world.store.reserving = True
    await world.store.sent(320)


def run_child(directory: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.dispatch.cap_child", str(directory)], stdout=subprocess.PIPE
    )


@pytest.mark.slow
async def test_kill_9_never_gives_a_cap_back(tmp_path: Path) -> None:
    """A process that counts against a day's cap is killed at any moment, again and again; an
    outsider counts what it said it was about to send."""
    counted = 0
    rounds = 0
    while True:
        child = run_child(tmp_path)
        assert child.stdout is not None
        left = 40 + 7 * rounds
        done = False
        for line in child.stdout:
            if not line.endswith(b"\n"):
                break  # it died saying so: it had not "sent" yet
            told = json.loads(line)
            done = told["done"]
            counted += told["sent"]
            left -= 1
            if done or left == 0:
                os.kill(child.pid, signal.SIGKILL)
        child.wait()
        rounds += 1
        assert counted <= cap_child.CAP
        if done:
            break
    assert rounds > 3
    # Of each block that was under way when it died, the rest is lost, and no more.
    assert counted >= cap_child.CAP - rounds * 2 * cap_child.CAP // 200 - 2 * cap_child.CAP // 200
    metrics = Metrics()
    store = SqliteStore(StoreSettings(path=str(tmp_path / "aldis.db")), 0, metrics, utc_now)
    await store.open(lambda carrier, category: OnUnknown.FAIL, utc_now())
    allowances = Allowances(store, metrics, lambda: cap_child.NOW, lambda: None)
    await allowances.start()
    assert allowances.meter("carrier/op1", {"day": cap_child.CAP}, "UTC").room(cap_child.NOW) <= 0
    await allowances.stop(1.0)
    await store.close()
