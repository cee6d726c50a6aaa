"""Customers that send more than anybody granted, and customers that read nothing."""

from __future__ import annotations

import asyncio
import random
import socket

import pytest

from bench.smsc import Behaviour
from config.settings import Duration
from gateway import link
from gateway.ingress.smpp import server as smpp_server
from gateway.ingress.smpp import split
from tests.hostile.conftest import Gateway
from tests.hostile.customer import Customer, number, submit_body
from tests.hostile.wire import (
    BIND_RECEIVER,
    BIND_TRANSMITTER,
    DELIVER_SM,
    ENQUIRE_LINK,
    GENERIC_NACK,
    QUERY_SM,
    RESP,
    RMSGQFUL,
    RSYSERR,
    RTHROTTLED,
    SUBMIT_SM,
    Hangup,
    pdu,
    short_message,
    tlv,
)

pytestmark = pytest.mark.slow


def stop_reading(wire: Customer) -> None:
    wire.socket_option(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    wire.writer.transport.pause_reading()  # type: ignore[attr-defined]


def submits(count: int, first: int = 100, text: bytes = b"Hello") -> bytes:
    return b"".join(pdu(SUBMIT_SM, 0, first + n, submit_body(text)) for n in range(count))


# ---- too much


async def test_a_flood_over_the_window_waits_and_is_answered(gateway: Gateway) -> None:
    server = await gateway(login={"window": 50, "rate": 100_000.0})
    wire = await server.bound(kind=BIND_TRANSMITTER)
    wire.send(submits(3_000))
    await server.holds()
    answers = await wire.answers(SUBMIT_SM | RESP, 3_000)
    assert {each.status for each in answers} == {0}
    assert len({each.body for each in answers}) == 3_000
    await server.sent(3_000)
    await server.holds()


async def test_a_flood_over_the_window_stops_being_read_while_the_store_is_busy(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await gateway(login={"window": 10, "rate": 100_000.0})
    hold = asyncio.Event()
    accept = server.rig.store.accept

    async def slow(submissions):  # type: ignore[no-untyped-def]
        if submissions[0].content.account == "bad":
            await hold.wait()
        return await accept(submissions)

    wire = await server.bound(kind=BIND_TRANSMITTER)
    (bind,) = server.rig.server.logins.get("bad").binds  # type: ignore[union-attr]
    monkeypatch.setattr(server.rig.store, "accept", slow)
    wire.send(submits(20_000))
    await server.rig.until(lambda: bind.busy)
    assert bind._transport is not None and not bind._transport.is_reading()
    assert bind.owed < 10 + 256 * 1024 // 60
    assert server.metric("smpp_reading_paused_total", account="bad") >= 1
    hold.set()
    answers = await wire.answers(SUBMIT_SM | RESP, 20_000)
    assert {each.status for each in answers} == {0}
    assert server.accepted == 20_000
    await server.holds()


async def test_a_flood_over_the_rate_is_answered_late_then_throttled_and_never_half(
    gateway: Gateway,
) -> None:
    server = await gateway(login={"rate": 100.0, "max_delay": Duration(0.5)})
    wire = await server.bound(kind=BIND_TRANSMITTER)
    wire.send(submits(1_000))
    await server.holds()
    answers = await wire.answers(SUBMIT_SM | RESP, 1_000)
    taken = [each for each in answers if each.status == 0]
    assert {each.status for each in answers} == {0, RTHROTTLED}
    assert 140 <= len(taken) <= 200  # a second's worth, and half a second's late
    assert server.metric("smpp_delayed_total", account="bad") >= 40
    throttled = server.metric("smpp_requests_total", status="ESME_RTHROTTLED")
    assert throttled == 1_000 - len(taken)
    await server.sent(len(taken))
    await server.holds()


async def test_a_flood_of_enquire_links_is_answered_and_disturbs_nobody(gateway: Gateway) -> None:
    server = await gateway()
    wire = await server.bound()
    wire.send(b"".join(pdu(ENQUIRE_LINK, 0, n) for n in range(30_000)))
    await server.holds()
    answers = await wire.answers(ENQUIRE_LINK | RESP, 30_000)
    assert [each.number for each in answers] == list(range(30_000))
    assert server.metric("smpp_enquiries_total") == 30_000
    assert (await wire.submit(1))[0].status == 0
    await server.holds()


async def test_a_flood_of_queries_is_answered(gateway: Gateway) -> None:
    server = await gateway(login={"window": 20})
    wire = await server.bound()
    (one,) = await wire.submit(1)
    wire.send(b"".join(pdu(QUERY_SM, 0, n, one.body + bytes(3)) for n in range(500)))
    await server.holds()
    answers = await wire.answers(QUERY_SM | RESP, 500)
    assert {each.status for each in answers} == {0}
    await server.holds()


async def test_halves_of_messages_whose_others_never_come_have_a_limit(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split, "MOST_OF_LOGIN", 100)
    server = await gateway(login={"rate": 100_000.0})
    wire = await server.bound(kind=BIND_TRANSMITTER)
    halves = [
        submit_body(bytes((5, 0, 3, n % 256, 2, 1)) + b"half", esm_class=0x40) for n in range(500)
    ]
    told: list[int] = []
    for some in (halves[:100], halves[100:]):
        wire.send(b"".join(pdu(SUBMIT_SM, 0, n, body) for n, body in enumerate(some)))
        told += [each.status for each in await wire.answers(SUBMIT_SM | RESP, len(some))]
    assert told == [0] * 100 + [RMSGQFUL] * 400
    assert server.metric("smpp_waiting_parts") == 100
    assert (await wire.submit(1, 900))[0].status == 0  # what is whole goes past them
    await server.holds()


async def test_a_thousand_connections_in_a_second_that_come_to_nothing(gateway: Gateway) -> None:
    server = await gateway()
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(20):
        wires = await asyncio.gather(*(server.connect() for _ in range(50)))
        for wire in wires:
            wire.close()
    assert loop.time() - began < 10
    await server.counted("smpp_connection_ends_total", 1_000)
    assert server.metric("smpp_connections", state="unbound") == 0
    await server.holds()


async def test_500_idle_connections_disturb_nobody(gateway: Gateway) -> None:
    server = await gateway(login={"max_binds": 500}, bind_timeout=Duration(30))
    wires = await asyncio.gather(*(server.connect() for _ in range(500)))
    statuses = await asyncio.gather(*(wire.bind() for wire in wires[::2]))
    assert set(statuses) == {0}
    assert server.metric("smpp_connections", state="bound") == 250
    assert server.metric("smpp_connections", state="unbound") == 250
    await server.holds()
    assert (await wires[0].submit(1))[0].status == 0


async def test_more_connections_than_allowed_are_closed_and_counted(gateway: Gateway) -> None:
    server = await gateway(max_connections=5)
    wires = [await server.bound() for _ in range(4)]
    await server.holds()  # the fifth
    beyond = [await server.connect() for _ in range(10)]
    for wire in beyond:
        assert await wire.gone() == b""
    await server.counted("smpp_connection_ends_total", 10, reason="too_many_connections")
    assert (await wires[0].submit(1))[0].status == 0
    await server.holds()


async def test_more_connections_without_a_bind_than_allowed_are_closed_and_counted(
    gateway: Gateway,
) -> None:
    server = await gateway(max_unbound=3)
    await server.holds()
    idle = [await server.connect() for _ in range(3)]
    beyond = [await server.connect() for _ in range(10)]
    for wire in beyond:
        assert await wire.gone() == b""
    await server.counted("smpp_connection_ends_total", 10, reason="too_many_unbound")
    idle[0].close()
    await server.counted("smpp_connection_ends_total", reason="eof")
    await server.bound()  # there is room for one again
    await server.holds()


async def test_more_binds_at_once_than_can_be_checked_are_refused(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smpp_server, "BINDS_AT_ONCE", 5)
    server = await gateway()
    first = await server.connect()
    assert await first.bind(b"bad", b"wrong") != 0
    wires = [await server.connect() for _ in range(30)]
    for wire in wires:  # five wait for their turn to be slowed, the others are told at once
        wire.send(pdu(BIND_TRANSMITTER, 0, 1, b"bad\0wrong\0\0\x34\0\0\0"))
    told = await asyncio.gather(*(wire.expect(BIND_TRANSMITTER | RESP) for wire in wires[5:]))
    assert {each.status for each in told} == {0x0D}
    await server.rig.until(lambda: len(server.rig.server._binding) < 5)
    await server.holds()


# ---- nothing read


async def test_a_peer_that_asks_and_reads_nothing_is_given_up(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "MOST_UNREAD", 1 << 20)
    server = await gateway()
    wire = await server.bound()
    stop_reading(wire)

    async def ask_for_ever() -> None:
        while True:
            wire.send(pdu(ENQUIRE_LINK, 0, 7) * 4_096)
            await wire.flush()
            await asyncio.sleep(0)

    with pytest.raises(Hangup):
        await ask_for_ever()
    await server.counted("smpp_connection_ends_total", reason="unread")
    await server.holds()


async def test_a_receiver_that_does_not_read_costs_its_window_and_loses_nothing(
    gateway: Gateway,
) -> None:
    server = await gateway(
        login={"deliver_window": 10, "rate": 100_000.0}, response_timeout=Duration(0.5)
    )
    server.rig.smsc.behaviour = Behaviour(receipts={"DELIVRD": 1.0})
    stuck = await server.bound(kind=BIND_RECEIVER)
    stop_reading(stuck)
    (bind,) = server.rig.server.logins.get("bad").binds  # type: ignore[union-attr]
    sender = await server.bound(kind=BIND_TRANSMITTER)
    answers = await sender.submit(200)
    assert {each.status for each in answers} == {0}
    await server.rig.until(lambda: bind.outstanding == 10)
    await server.holds()
    assert bind.outstanding <= 10
    # Another receiver of the same account gets all of them, those of the stuck one included.
    receiver = await server.bound(kind=BIND_RECEIVER)
    told: set[bytes] = set()
    async with asyncio.timeout(20):
        while len(told) < 200:
            got = await receiver.expect(DELIVER_SM)
            receiver.send(pdu(DELIVER_SM | RESP, 0, got.number, b"\0"))
            told.add(got.body[got.body.index(b"id:") :].split()[0])
    assert {b"id:" + each.body[:-1] for each in answers} == told
    await server.holds()


# ---- strange answers to what we deliver


async def delivered(server, count: int) -> tuple[Customer, list]:  # type: ignore[no-untyped-def, type-arg]
    """A transceiver with so many receipts before it, unanswered."""
    server.rig.smsc.behaviour = Behaviour(receipts={"DELIVRD": 1.0})
    wire = await server.bound()
    wire.send(submits(count))
    got: list = []  # type: ignore[type-arg]
    while len(got) < count:
        one = await wire.expect(DELIVER_SM)
        got.append(one)
    return wire, got


async def test_answers_in_reverse_and_twice_take_each_receipt_once(gateway: Gateway) -> None:
    server = await gateway()
    wire, receipts = await delivered(server, 20)
    for each in reversed(receipts):
        wire.send(pdu(DELIVER_SM | RESP, 0, each.number, b"\0") * 2)
    await server.counted("smpp_deliveries_total", 20, account="bad", result="taken")
    await server.counted("smpp_unexpected_total", 20, command="deliver_sm_resp")
    await server.holds()


@pytest.mark.parametrize("answer", ["generic_nack", "an error for now"])
async def test_a_receipt_that_is_not_taken_now_is_offered_again(
    gateway: Gateway, answer: str
) -> None:
    server = await gateway()
    wire, (receipt,) = await delivered(server, 1)
    command_id = GENERIC_NACK if answer == "generic_nack" else DELIVER_SM | RESP
    wire.send(pdu(command_id, RSYSERR, receipt.number))
    again = await wire.expect(DELIVER_SM)
    assert again.body == receipt.body
    wire.send(pdu(DELIVER_SM | RESP, 0, again.number, b"\0"))
    await server.counted("smpp_deliveries_total", account="bad", result="taken")
    await server.holds()


async def test_a_receipt_answered_by_another_command_is_offered_again(gateway: Gateway) -> None:
    server = await gateway(response_timeout=Duration(0.2))
    wire, (receipt,) = await delivered(server, 1)
    wire.send(pdu(SUBMIT_SM | RESP, 0, receipt.number, b"id\0"))
    await server.counted("smpp_unexpected_total", command="submit_sm_resp")
    again = await wire.expect(DELIVER_SM)
    assert again.body == receipt.body
    wire.send(pdu(DELIVER_SM | RESP, 0, again.number, b"\0"))
    await server.counted("smpp_deliveries_total", account="bad", result="taken")
    await server.holds()


async def test_an_answer_with_a_broken_tail_is_an_answer(gateway: Gateway) -> None:
    server = await gateway()
    wire, (receipt,) = await delivered(server, 1)
    wire.send(pdu(DELIVER_SM | RESP, 0, receipt.number, b"id\0" + tlv(0x424, b"x", 900)))
    await server.counted("smpp_deliveries_total", account="bad", result="taken")
    await server.holds()


async def test_responses_to_nothing_are_counted(gateway: Gateway) -> None:
    server = await gateway()
    wire = await server.bound()
    for command_id in (SUBMIT_SM, DELIVER_SM, ENQUIRE_LINK):
        wire.send(pdu(command_id | RESP, 0, 900))
    for n in (0, 900, 0xFFFFFFFF):
        wire.send(pdu(GENERIC_NACK, RSYSERR, n))
    assert (await wire.submit(1))[0].status == 0
    assert server.metric("smpp_unexpected_total") == 6
    assert server.metric("smpp_unexpected_total", command="generic_nack") == 3
    await server.holds()


# ---- strange contents


async def test_one_sequence_number_for_every_submit_is_answered_each_time(gateway: Gateway) -> None:
    server = await gateway()
    wire = await server.bound()
    wire.send(b"".join(pdu(SUBMIT_SM, 0, 5, submit_body(b"%d" % n)) for n in range(20)))
    answers = await wire.answers(SUBMIT_SM | RESP, 20)
    assert {(each.status, each.number) for each in answers} == {(0, 5)}
    assert len({each.body for each in answers}) == 20
    await server.sent(20)
    await server.holds()


@pytest.mark.parametrize("sequence", [0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
async def test_sequence_numbers_outside_the_specification_come_back(
    gateway: Gateway, sequence: int
) -> None:
    server = await gateway()
    wire = await server.bound()
    wire.send(pdu(SUBMIT_SM, 0, sequence, submit_body()))
    (answer,) = await wire.answers(SUBMIT_SM | RESP, 1)
    assert (answer.status, answer.number) == (0, sequence)
    await server.holds()


async def test_texts_and_codings_of_any_kind_are_each_answered(gateway: Gateway) -> None:
    server = await gateway(login={"rate": 100_000.0})
    octets = random.Random(11)
    bodies = [
        short_message(
            octets.randbytes(length),
            b"ACME",
            number(),
            esm_class=esm_class,
            data_coding=data_coding,
        )
        for data_coding in range(256)
        for esm_class in (0, 0x40, 0x04, 0xFF)
        for length in (0, 1, 140, 255)
    ]
    wire = await server.bound(kind=BIND_TRANSMITTER)
    wire.send(b"".join(pdu(SUBMIT_SM, 0, n, body) for n, body in enumerate(bodies)))
    answers = await wire.answers(SUBMIT_SM | RESP, len(bodies))
    assert sorted(each.number for each in answers) == list(range(len(bodies)))
    taken = sum(each.status == 0 for each in answers)
    assert 0 < taken < len(bodies)
    assert server.metric("smpp_requests_total", account="bad") == len(bodies)
    await server.holds()


async def test_tlvs_of_any_length_are_each_answered(gateway: Gateway) -> None:
    server = await gateway(login={"tlvs": ("*",)})
    strange = [
        tlv(tag, value)
        for tag in (0x1E, 0x204, 0x20C, 0x20E, 0x20F, 0x424, 0x17, 0x1400, 0x3FFF, 0xFFFF, 0)
        for value in (b"", b"\0", b"\xff" * 3, b"x" * 2_000)
    ]
    sar = tlv(0x20C, b"\0\1") + tlv(0x20E, b"\2") + tlv(0x20F, b"\3")  # the third of two
    wire = await server.bound(kind=BIND_TRANSMITTER)
    for n, tlvs in enumerate([*strange, sar, sar * 3, b"".join(strange)]):
        wire.send(pdu(SUBMIT_SM, 0, n, submit_body(b"text", tlvs=tlvs)))
    answers = await wire.answers(SUBMIT_SM | RESP, len(strange) + 3)
    assert sorted(each.number for each in answers) == list(range(len(strange) + 3))
    await server.holds()


async def test_times_that_are_none_are_refused_by_their_field(gateway: Gateway) -> None:
    server = await gateway()
    wire = await server.bound()
    times = (b"x" * 16, b"9" * 16, b"000000000000000R", b"991399999999999+", b"1" * 200)
    for n, time in enumerate(times):
        body = b"\0\1\1ACME\0\1\1" + number() + b"\0\0\0\0"
        wire.send(pdu(SUBMIT_SM, 0, 2 * n, body + time + b"\0" + b"\0\0\0\0\0\1a"))
        wire.send(pdu(SUBMIT_SM, 0, 2 * n + 1, body + b"\0" + time + b"\0" + b"\0\0\0\0\1a"))
    answers = await wire.answers(SUBMIT_SM | RESP, 2 * len(times))
    assert {each.status for each in answers if each.number % 2 == 0} <= {0x61, 0}
    assert {each.status for each in answers if each.number % 2} <= {0x62}
    await server.holds()
