"""Transmitter and receiver apart, hosts in turn, and pauses that grow."""

import asyncio

import pytest

from bench.smsc import Session, SimulatedSmsc
from config.settings import Duration
from gateway.dispatch import bind as bind_module
from gateway.dispatch.backoff import reconnect_pause
from protocol import constants as c
from tests.dispatch.conftest import Log, Smsc, Start, carrier, settings

NUMBERS = list(range(46700000000, 46700000010))
HEARTBEAT = 3600.0
"""What tests of dispatch make of the pump's own pause."""


def session(smsc: SimulatedSmsc, command_id: int) -> Session:
    """The one session bound so."""
    (found,) = [each for each in smsc.binds if each.bound_by == command_id]
    return found


async def only(smsc: SimulatedSmsc, lost: int) -> None:
    """Of a bound pair, lose one for good: the other one's credentials are in use."""
    await smsc.until(lambda: len(smsc.binds) == 2)
    smsc.behaviour = type(smsc.behaviour)(receipts={}, max_binds=1)
    session(smsc, lost).hang_up()
    await smsc.until(lambda: smsc.counters.binds_refused == 1)


async def test_a_lost_receiver_does_not_stop_what_is_submitted(
    smsc: Smsc, start: Start, log: Log
) -> None:
    operator = await smsc()
    world = await start(settings(carrier("op1", operator, bind="tx+rx")))
    await only(operator, c.BIND_RECEIVER)
    await world.store.put(NUMBERS)
    await world.store.sent(10)
    await log.until("bind refused")
    status = world.statuses()["op1"]
    assert (status.bound, status.wanted, status.window) == (1, 2, 10)
    assert status.last_error == "ESME_RBINDFAIL"


async def test_a_lost_transmitter_leaves_messages_waiting_and_receipts_coming(
    smsc: Smsc, start: Start, log: Log
) -> None:
    operator = await smsc()
    world = await start(settings(carrier("op1", operator, bind="tx+rx")))
    await only(operator, c.BIND_TRANSMITTER)
    await log.until("bind refused")
    await world.store.put(NUMBERS)
    operator.send_mo("46700000001", "1000", "Hello")
    await operator.until(lambda: operator.counters.inbound_acknowledged == 1)
    assert operator.counters.submits == 0
    assert (world.store.waiting, world.store.leased) == (10, {})
    status = world.statuses()["op1"]
    assert (status.bound, status.wanted, status.window) == (1, 2, 0)


async def test_another_carrier_takes_over_from_one_that_can_only_receive(
    smsc: Smsc, start: Start, log: Log
) -> None:
    halved, whole = await smsc(), await smsc()
    world = await start(settings(carrier("op1", halved, bind="tx+rx"), carrier("op2", whole)))
    await only(halved, c.BIND_TRANSMITTER)
    await log.until("bind refused")
    await world.store.put(NUMBERS)
    await world.store.sent(10)
    assert whole.counters.submits == 10


async def test_a_transmitter_alone_needs_no_receiver(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    world = await start(settings(carrier("op1", operator, bind="tx", receipts=False)))
    await world.store.put(NUMBERS)
    await world.store.sent(10)
    assert [each.bound_by for each in operator.binds] == [c.BIND_TRANSMITTER]
    assert world.statuses()["op1"].wanted == 1


async def test_each_bind_goes_through_the_hosts_in_order_and_round(
    smsc: Smsc, start: Start
) -> None:
    first, second, third = [await smsc(refuse_bind=c.ESME_RSYSERR) for _ in range(3)]
    await start(settings(carrier("op1", first, second, third)))
    await third.until(lambda: third.counters.binds_refused >= 3)
    tried = [each.counters.binds_refused for each in (first, second, third)]
    assert tried[0] >= tried[1] >= tried[2] >= tried[0] - 1


async def test_a_host_that_has_worked_is_tried_first_again(smsc: Smsc, start: Start) -> None:
    dead, alive = await smsc(refuse_bind=c.ESME_RSYSERR), await smsc()
    await start(settings(carrier("op1", dead, alive)))
    await alive.until(lambda: len(alive.binds) == 1)
    alive.hang_up()
    await alive.until(lambda: alive.counters.binds == 2)
    assert dead.counters.binds_refused == 1


@pytest.mark.parametrize("accepts", [True, False], ids=["drops every bind", "refuses for now"])
async def test_no_storm_against_a_peer_that_ends_every_session(
    smsc: Smsc, start: Start, monkeypatch: pytest.MonkeyPatch, accepts: bool
) -> None:
    failures: list[int] = []
    pauses: list[float] = []
    enough = asyncio.Event()

    def noted(count: int, hosts: int, shortest: float, longest: float, jitter: float) -> float:
        failures.append(count)
        pauses.append(reconnect_pause(count, hosts, 1.0, 60.0, jitter))
        if count >= 8:
            enough.set()
        return 0.0  # the pause itself is `reconnect_pause`'s, and not waited for here

    monkeypatch.setattr(bind_module, "reconnect_pause", noted)
    operator = await smsc(refuse_bind=0 if accepts else c.ESME_RSYSERR)
    await start(settings(carrier("op1", operator, reconnect_max=Duration(60))))
    for round_ in range(1, 9):
        if accepts:
            await operator.until(lambda: bool(operator.binds))
            operator.hang_up()
            await operator.until(lambda: not operator.binds)
        else:
            await operator.until(lambda wanted=round_: operator.counters.binds_refused >= wanted)
    await asyncio.wait_for(enough.wait(), 5)
    assert failures[:8] == list(range(1, 9)), "a bind that is dropped at once counts as a failure"
    assert pauses[0] >= 0.5
    assert all(16.0 <= pause <= 60.0 for pause in pauses[5:8])
    assert sum(pauses[:8]) > 60


async def test_refused_credentials_wait_however_many_hosts_there_are(
    smsc: Smsc, start: Start, monkeypatch: pytest.MonkeyPatch, log: Log
) -> None:
    paused: list[float] = []

    async def sleep(seconds: float) -> None:
        paused.append(seconds)
        await asyncio.Event().wait()  # until the test ends it

    refusing, other = await smsc(refuse_bind=c.ESME_RINVPASWD), await smsc()
    await start(settings(carrier("op1", refusing, other, refused_pause=Duration(300))))
    with monkeypatch.context() as patched:
        patched.setattr(bind_module.asyncio, "sleep", sleep)
        await log.until("bind refused")
        await refusing.until(lambda: not refusing.sessions)
    assert [each for each in paused if each != HEARTBEAT] == [300.0]
    assert other.counters.connections == 0
    (record,) = log.of("bind refused")
    assert record.levelname == "ERROR"
    assert vars(record)["error"] == "ESME_RINVPASWD"
