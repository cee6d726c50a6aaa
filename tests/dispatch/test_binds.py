"""Sessions come up, come back, and are not hammered for."""

import asyncio
import logging
import socket

import pytest

from bench.smsc import SimulatedSmsc
from config.settings import CarrierTls, Duration
from gateway import link
from gateway.dispatch.profile import Profile
from gateway.errors import ConfigError
from protocol import constants as c
from protocol.pdu import EnquireLink, encode
from tests.dispatch.conftest import Smsc, Start, carrier, settings

NUMBERS = list(range(46700000000, 46700000010))


async def bound(smsc: SimulatedSmsc, count: int = 1) -> None:
    await smsc.until(lambda: len(smsc.binds) == count)


async def test_as_many_binds_as_asked_for_with_our_credentials(smsc: Smsc, start: Start) -> None:
    operator = await smsc(credentials={"aldis": "secret"})
    world = await start(settings(carrier("op1", operator, binds=3, window=7)))
    await bound(operator, 3)
    await world.store.put(NUMBERS)
    await world.store.sent(10)
    status = world.statuses()["op1"]
    assert (status.bound, status.wanted, status.window) == (3, 3, 21)
    assert (status.outstanding, status.buffered, status.last_error) == (0, 0, "")
    assert world.metric("aldis_binds_up", carrier="op1") == 3
    assert world.metric("aldis_reconnects_total", carrier="op1", result="bound") == 3


async def test_refused_credentials_are_not_tried_again_soon(smsc: Smsc, start: Start) -> None:
    strict = await smsc(refuse_bind=c.ESME_RINVPASWD)
    busy = await smsc(refuse_bind=c.ESME_RSYSERR)
    world = await start(settings(carrier("op1", strict), carrier("op2", busy)))
    await busy.until(lambda: busy.counters.binds_refused >= 4)
    assert strict.counters.binds_refused == 1
    assert world.statuses()["op1"].last_error == "ESME_RINVPASWD"
    assert world.metric("aldis_reconnects_total", carrier="op1", result="refused") == 1


async def test_hosts_are_tried_in_turn(smsc: Smsc, start: Start) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        closed = f"127.0.0.1:{nobody.getsockname()[1]}"
        operator = await smsc()
        hosts = (closed, f"127.0.0.1:{operator.port}")
        world = await start(settings(carrier("op1", operator, hosts=hosts)))
        await world.store.put(NUMBERS[:1])
        await world.store.sent(1)
    assert world.metric("aldis_reconnects_total", carrier="op1", result="failed") == 1


async def test_an_operator_that_never_answers_the_bind_is_given_up(
    smsc: Smsc, start: Start
) -> None:
    silent, operator = await smsc(bind_silence=True), await smsc()
    world = await start(settings(carrier("op1", silent, operator, connect_timeout=Duration(0.05))))
    await world.store.put(NUMBERS[:1])
    await world.store.sent(1)
    assert silent.counters.connections == 1


async def test_a_lost_link_comes_back(
    smsc: Smsc, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "aldis.dispatch")
    operator = await smsc()
    world = await start(settings(carrier("op1", operator)))
    for round_ in range(3):
        await bound(operator)
        await world.store.put(NUMBERS[round_ : round_ + 1])
        await world.store.sent(round_ + 1)
        operator.hang_up()
        await bound(operator, 0)
    await bound(operator)
    assert world.metric("aldis_link_ends_total", carrier="op1", reason="eof") == 3
    changes = [(r.getMessage(), getattr(r, "reason", None)) for r in caplog.records]
    assert changes[:2] == [("bind up", None), ("bind down", "eof")]
    assert "4670000" not in caplog.text


async def test_a_dead_peer_is_found_by_enquire_link(smsc: Smsc, start: Start) -> None:
    operator = await smsc(answer_enquire_link=False)
    world = await start(
        settings(
            carrier(
                "op1",
                operator,
                enquire_interval=Duration(0.05),
                enquire_minimum_gap=Duration(0.01),
                response_timeout=Duration(0.05),
            )
        )
    )
    await operator.until(lambda: operator.counters.connections >= 2)
    assert world.metric("aldis_link_ends_total", carrier="op1", reason="enquire_link") >= 1


async def test_a_transmitter_and_a_receiver_for_each_bind(smsc: Smsc, start: Start) -> None:
    operator = await smsc(receipts={"DELIVRD": 1.0})
    world = await start(settings(carrier("op1", operator, bind="tx+rx")))
    await bound(operator, 2)
    await world.store.put(NUMBERS)
    await world.store.sent(10)
    await operator.until(lambda: operator.counters.delivers_acknowledged == 10)
    assert {bind.bound_by for bind in operator.binds} == {c.BIND_TRANSMITTER, c.BIND_RECEIVER}
    assert sum(len(pdus) for pdus in world.port.lists) == 10
    status = world.statuses()["op1"]
    assert (status.bound, status.wanted, status.window) == (2, 2, 10)


async def test_a_port_that_is_no_smsc_costs_one_failed_attempt(smsc: Smsc, start: Start) -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(web, "127.0.0.1", 0)
    wrong = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    operator = await smsc()
    hosts = (wrong, f"127.0.0.1:{operator.port}")
    world = await start(settings(carrier("op1", operator, hosts=hosts)))
    await bound(operator)
    assert world.metric("aldis_reconnects_total", carrier="op1", result="failed") == 1
    server.close()


def test_settings_that_cannot_work_are_refused_before_the_first_bind() -> None:
    with pytest.raises(ConfigError, match="hosts is empty"):
        Profile(carrier("op1"))
    with pytest.raises(ConfigError, match='is not "host:port"'):
        Profile(carrier("op1", hosts=("example.org",)))
    with pytest.raises(ConfigError, match="OPERATOR_PASSWORD"):
        Profile(carrier("op1", hosts=("h:1",), password_env="OPERATOR_PASSWORD"), {})
    with pytest.raises(ConfigError, match="tls"):
        Profile(carrier("op1", hosts=("h:1",), tls=CarrierTls(ca="/nonexistent.pem")))
    profile = Profile(carrier("op1", hosts=("[::1]:1", "h:2"), password_env="P"), {"P": "x"})
    assert profile.hosts == (("::1", 1), ("h", 2))
    assert profile.password == "x"


async def test_a_peer_that_asks_and_never_reads_costs_one_link(
    smsc: Smsc, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "MOST_UNREAD", 1 << 16)
    operator = await smsc()
    world = await start(settings(carrier("op1", operator)))
    await bound(operator)
    [session] = operator.binds
    session._transport.pause_reading()
    enquiries = encode(EnquireLink(sequence_number=7)) * 4096
    async with asyncio.timeout(10.0):
        while operator.binds == [session]:
            session.send_octets(enquiries)
            await asyncio.sleep(0)
            if session._transport.is_closing():
                break
    await operator.until(lambda: bool(operator.binds) and operator.binds != [session])
    assert world.metric("aldis_link_ends_total", carrier="op1", reason="unread") == 1
    await world.store.put(NUMBERS)
    await world.store.sent(10)


async def test_a_host_that_is_no_name_is_passed_over(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    hosts = (f"{'a' * 64}.example:2775", f"127.0.0.1:{operator.port}")
    await start(settings(carrier("op1", operator, hosts=hosts)))
    await bound(operator)
