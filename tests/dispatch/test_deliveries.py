"""The operator's requests: passed on in lists, answered when the port says so."""

import pytest

from gateway.dispatch import deliveries
from gateway.errors import StoreUnavailable
from protocol import constants as c
from protocol.pdu import AlertNotification, DataSm, DeliverSm
from tests.dispatch.conftest import Smsc, Start, World, carrier, settings


def reading(world: World) -> bool:
    (link,) = world.dispatcher._carriers["op1"]._feed.links
    assert link._transport is not None
    return link._transport.is_reading()


async def test_a_deliver_sm_is_answered_after_the_port_has_returned(
    smsc: Smsc, start: Start
) -> None:
    operator = await smsc()
    world = await start(settings(carrier("op1", operator)))
    await operator.until(lambda: len(operator.binds) == 1)
    world.port.open.clear()
    operator.send_mo("46700000001", "1000", "STOP")
    await world.port.called.wait()
    (pdu,) = world.port.lists[0]
    assert isinstance(pdu, DeliverSm)
    assert pdu.short_message == b"STOP"
    # submits go on meanwhile, and their answers pass the unanswered deliver_sm
    await world.store.put([46700000001])
    await world.store.sent(1)
    assert operator.counters.delivers_acknowledged == 0
    world.port.open.set()
    await operator.until(lambda: operator.counters.delivers_acknowledged == 1)


@pytest.mark.parametrize("error", [StoreUnavailable("disk full"), ValueError("a fault of ours")])
async def test_what_is_not_stored_is_offered_again(
    smsc: Smsc, start: Start, error: Exception
) -> None:
    operator = await smsc(retry_after=0.01)
    world = await start(settings(carrier("op1", operator)))
    await operator.until(lambda: len(operator.binds) == 1)
    world.port.error = error
    operator.send_mo("46700000001", "1000", "Hello")
    await operator.until(lambda: operator.counters.delivers_refused >= 1)
    world.port.error = None
    await operator.until(lambda: operator.counters.delivers_acknowledged == 1)
    faults = world.metric("aldis_task_errors_total", task="on_deliver")
    assert (faults == 0) == isinstance(error, StoreUnavailable)


async def test_data_sm_and_alert_notification_take_the_same_way(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    world = await start(settings(carrier("op1", operator)))
    await operator.until(lambda: len(operator.binds) == 1)
    operator.binds[0].send(AlertNotification(source_addr="46700000001"))
    operator.binds[0].send(DataSm(source_addr="46700000001", destination_addr="1000"))
    operator.send_mo("46700000001", "1000", "Hello")
    await operator.until(lambda: operator.counters.delivers_acknowledged == 1)
    commands = [pdu.command_id for pdus in world.port.lists for pdu in pdus]
    assert commands == [c.ALERT_NOTIFICATION, c.DATA_SM, c.DELIVER_SM]
    assert operator.counters.malformed == 0


async def test_many_in_one_read_are_one_call(smsc: Smsc, start: Start) -> None:
    operator = await smsc(deliver_window=2000)
    world = await start(settings(carrier("op1", operator)))
    await operator.until(lambda: len(operator.binds) == 1)
    operator.binds[0]._reading = True  # hold the write back until all are queued
    for number in range(500):
        operator.send_mo(str(46700000000 + number), "1000", "Hi")
    operator.binds[0].flush(now=True)
    operator.binds[0]._reading = False
    await operator.until(lambda: operator.counters.delivers_acknowledged == 500)
    assert len(world.port.lists) <= 3


async def test_reading_stops_while_too_many_are_unanswered(
    smsc: Smsc, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "MOST_UNANSWERED", 10)
    operator = await smsc()
    world = await start(settings(carrier("op1", operator)))
    await operator.until(lambda: len(operator.binds) == 1)
    world.port.open.clear()
    for number in range(100):
        operator.send_mo(str(46700000000 + number), "1000", "x" * 100)
    await world.port.called.wait()
    while reading(world):
        world.port.called.clear()
        await world.port.called.wait()
    world.port.open.set()
    await operator.until(lambda: operator.counters.delivers_acknowledged == 100)
    assert reading(world)
