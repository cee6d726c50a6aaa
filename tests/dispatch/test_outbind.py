"""The operator calls us: sessions over its connections, and what becomes of other callers."""

import asyncio
import socket
from typing import Any

import pytest

from bench.load.site import free_port
from bench.smsc import SimulatedSmsc
from config.settings import Duration, Outbind
from gateway.dispatch import outbind
from protocol import constants as c
from protocol.pdu import DeliverSm, encode
from tests.dispatch.conftest import Log, Smsc, Start, World, carrier, settings

NUMBERS = list(range(46700000000, 46700000005))


def calling(operator: SimulatedSmsc, port: int, **changes: Any) -> Any:
    rules = {"system_id": "north", "password": "letmein", "networks": ("127.0.0.0/8",)}
    rules |= changes.pop("rules", {})
    return settings(
        carrier(
            "op1",
            operator,
            bind="tx",
            outbind=Outbind(listen=f"127.0.0.1:{port}", **rules),
            **changes,
        )
    )


async def listening(world: World, port: int) -> None:
    """The port is open; it is opened in the background."""
    async with asyncio.timeout(5):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0)
                continue
            writer.close()
            return


async def called(operator: SimulatedSmsc, port: int, **given: str) -> Any:
    """One call with the right credentials, unless told otherwise."""
    credentials = {"system_id": "north", "password": "letmein"} | given
    async with asyncio.timeout(5):
        while True:
            try:
                return await operator.call("127.0.0.1", port, **credentials)
            except OSError:
                await asyncio.sleep(0)


def count(world: World, result: str) -> float:
    return world.metric("aldis_outbinds_total", carrier="op1", result=result)


async def bound(operator: SimulatedSmsc, log: Log, calls: int, others: int = 1) -> None:
    """Both ends have noted so many calls beside the binds we made; one may be a turn ahead."""
    await operator.until(lambda: len(operator.binds) == calls + others)
    await log.until("bind up", calls + others)


async def test_a_call_becomes_a_receiver_of_the_carrier(smsc: Smsc, start: Start, log: Log) -> None:
    operator = await smsc(receipts={"DELIVRD": 1.0}, credentials={"aldis": "secret"})
    port = free_port()
    world = await start(calling(operator, port))
    session = await called(operator, port)
    await bound(operator, log, 1)
    assert session.bound_by == c.BIND_RECEIVER
    await world.store.put(NUMBERS)
    await world.store.sent(5)
    await operator.until(lambda: operator.counters.delivers_acknowledged == 5)
    assert sum(len(pdus) for pdus in world.port.lists) == 5
    assert count(world, "bound") == 1
    assert world.metric("aldis_outbinds_up", carrier="op1") == 1
    status = world.statuses()["op1"]
    assert (status.bound, status.wanted, status.window) == (1, 1, 10)
    session.hang_up()
    await operator.until(lambda: len(operator.binds) == 1)
    again = await called(operator, port)
    await operator.until(lambda: again.bound_by != 0)
    assert world.metric("aldis_link_ends_total", carrier="op1", reason="eof") == 1


@pytest.mark.parametrize("wrong", [{"system_id": "south"}, {"password": "guessed"}])
async def test_a_wrong_outbind_is_closed_and_counted(
    smsc: Smsc, start: Start, log: Log, wrong: dict[str, str]
) -> None:
    operator, stranger = await smsc(), await smsc()
    port = free_port()
    world = await start(calling(operator, port))
    await called(stranger, port, **wrong)
    await stranger.until(lambda: stranger.counters.connections == 1 and not stranger.sessions)
    await log.until("outbind refused")
    assert count(world, "refused") == 1
    assert stranger.counters.binds == 0


async def test_anybody_may_call_where_no_name_is_asked_for(
    smsc: Smsc, start: Start, log: Log
) -> None:
    operator = await smsc()
    port = free_port()
    rules = {"system_id": "", "password": None, "networks": ()}
    world = await start(calling(operator, port, rules=rules))
    await called(operator, port, system_id="whoever", password="")
    await bound(operator, log, 1)
    assert count(world, "bound") == 1


async def test_networks_are_checked_before_a_word_is_said(smsc: Smsc, start: Start) -> None:
    operator, stranger = await smsc(), await smsc()
    port = free_port()
    world = await start(calling(operator, port, rules={"networks": ("10.0.0.0/8", "::1/128")}))
    await called(stranger, port)
    await stranger.until(lambda: stranger.counters.connections >= 1 and not stranger.sessions)
    assert count(world, "network") >= 1
    assert count(world, "bound") == 0


async def test_calls_are_limited(
    smsc: Smsc, start: Start, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbind, "MOST_CALLS", 2)
    operator, more = await smsc(), await smsc()
    port = free_port()
    world = await start(calling(operator, port))
    for _ in range(2):
        await called(operator, port)
    await bound(operator, log, 2)
    await called(more, port)
    await more.until(lambda: more.counters.connections == 1 and not more.sessions)
    assert count(world, "full") == 1
    assert count(world, "bound") == 2


async def test_a_caller_that_says_nothing_or_something_else_is_given_up(
    smsc: Smsc, start: Start, log: Log
) -> None:
    operator = await smsc()
    port = free_port()
    world = await start(calling(operator, port, connect_timeout=Duration(0.1)))
    await listening(world, port)
    deliver = encode(DeliverSm(sequence_number=1, source_addr="1", destination_addr="2"))
    for said in (b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", deliver):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        if said == deliver:
            assert answer[4:12] == bytes.fromhex("80000005") + c.ESME_RINVBNDSTS.to_bytes(4, "big")
    assert not world.port.lists
    await log.until("outbind failed", 4)  # the one of `listening` included
    assert count(world, "failed") == 4
    assert world.metric("aldis_refused_pdus_total", carrier="op1", command="deliver_sm") == 1


async def test_an_operator_that_refuses_the_bind_it_asked_for(
    smsc: Smsc, start: Start, log: Log
) -> None:
    operator, strict = await smsc(), await smsc(refuse_bind=c.ESME_RINVPASWD)
    port = free_port()
    world = await start(calling(operator, port))
    await called(strict, port)
    await strict.until(lambda: strict.counters.binds_refused == 1 and not strict.sessions)
    await log.until("outbind failed")
    assert count(world, "failed") == 1


async def test_a_port_that_is_taken_is_tried_again(smsc: Smsc, start: Start, log: Log) -> None:
    operator = await smsc()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        world = await start(calling(operator, port))
        await operator.until(lambda: len(operator.binds) == 1)
        await log.until("cannot listen for outbind")
        assert count(world, "not_listening") >= 1
    session = await called(operator, port)
    await operator.until(lambda: session.bound_by == c.BIND_RECEIVER)


async def test_a_reload_moves_the_port_and_unbinds_who_has_called(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    first, second = free_port(), free_port()
    world = await start(calling(operator, first))
    await called(operator, first)
    await operator.until(lambda: len(operator.binds) == 2)
    await world.dispatcher.apply(calling(operator, second))
    with pytest.raises(OSError, match=r"refused|Connect"):
        await operator.call("127.0.0.1", first)
    assert world.metric("aldis_link_ends_total", carrier="op1", reason="unbound") == 2
    session = await called(operator, second)
    await operator.until(lambda: session.bound_by == c.BIND_RECEIVER)


async def test_a_drain_answers_what_has_come_and_closes_the_port(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    port = free_port()
    world = await start(calling(operator, port))
    session = await called(operator, port)
    await operator.until(lambda: session.bound_by == c.BIND_RECEIVER)
    _, silent = await asyncio.open_connection("127.0.0.1", port)
    world.port.open.clear()
    operator.send_mo("46700000001", "1000", "Hello")
    await world.port.called.wait()
    draining = asyncio.ensure_future(world.dispatcher.drain(2.0))
    await asyncio.sleep(0)
    world.port.open.set()
    await draining
    assert operator.counters.inbound_acknowledged == 1
    await operator.until(lambda: not operator.sessions)
    with pytest.raises(OSError, match=r"refused|Connect"):
        await operator.call("127.0.0.1", port)
    silent.close()
