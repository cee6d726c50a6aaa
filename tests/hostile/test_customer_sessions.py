"""Customers that bind in no order anybody knows, guess, fall silent, or leave without a word."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from config.settings import Duration, SmppTls
from tests.hostile.conftest import Gateway
from tests.hostile.customer import Customer, Server, bind_body, client_tls, submit_body
from tests.hostile.wire import (
    BIND_RECEIVER,
    BIND_TRANSCEIVER,
    BIND_TRANSMITTER,
    DELIVER_SM,
    ENQUIRE_LINK,
    GENERIC_NACK,
    RALYBND,
    RESP,
    RINVBNDSTS,
    RINVCMDLEN,
    RINVPASWD,
    SUBMIT_SM,
    UNBIND,
    Hangup,
    pdu,
)

pytestmark = pytest.mark.slow

VALID = str(Path(__file__).parents[1] / "dispatch" / "operator.pem")


# ---- before and at the bind


@pytest.mark.parametrize("command_id", [SUBMIT_SM, UNBIND, DELIVER_SM])
async def test_a_request_before_the_bind_is_refused_and_the_bind_goes_on(
    gateway: Gateway, command_id: int
) -> None:
    server = await gateway()
    wire = await server.connect()
    wire.send(pdu(command_id, 0, 5, submit_body()))
    assert (await wire.read())[:3] == (command_id | RESP, RINVBNDSTS, 5)
    assert server.refused(status="ESME_RINVBNDSTS") == 1
    assert await wire.bind() == 0
    assert [each.status for each in await wire.submit(2)] == [0, 0]
    await server.sent(2)
    await server.holds()


async def test_submits_in_one_write_with_the_bind_are_refused_and_not_stored(
    gateway: Gateway,
) -> None:
    server = await gateway()
    wire = await server.connect()
    eager = [pdu(SUBMIT_SM, 0, n, submit_body()) for n in range(2, 7)]
    wire.send(b"".join([pdu(BIND_TRANSCEIVER, 0, 1, bind_body()), *eager]))
    answers = [await wire.read() for _ in range(6)]
    told = {(each.command_id, each.number): each.status for each in answers}
    assert told.pop((BIND_TRANSCEIVER | RESP, 1)) == 0
    assert set(told.values()) == {RINVBNDSTS}
    assert server.accepted == 0
    await server.holds()


async def test_a_second_bind_is_refused_and_the_first_stays(gateway: Gateway) -> None:
    server = await gateway()
    wire = await server.bound()
    for kind in (BIND_TRANSCEIVER, BIND_RECEIVER, BIND_TRANSMITTER):
        assert await wire.bind(kind=kind) == RALYBND
    assert server.refused(status="ESME_RALYBND") == 3
    assert server.metric("smpp_binds", account="bad") == 1
    assert [each.status for each in await wire.submit(1)] == [0]
    await server.holds()


async def test_two_binds_in_one_write_are_one_bind(gateway: Gateway) -> None:
    server = await gateway()
    wire = await server.connect()
    wire.send(b"".join(pdu(BIND_TRANSCEIVER, 0, n, bind_body()) for n in (1, 2)))
    answers = {each.number: each.status for each in [await wire.read(), await wire.read()]}
    assert answers == {1: 0, 2: RALYBND}
    assert server.metric("smpp_binds", account="bad") == 1
    await server.holds()


async def test_a_bind_that_is_answered_to_nobody_leaves_nothing_behind(gateway: Gateway) -> None:
    server = await gateway()
    for _ in range(50):
        wire = await server.connect()
        wire.send(pdu(BIND_TRANSCEIVER, 0, 1, bind_body()))
        wire.close()
    await server.counted("smpp_connection_ends_total", 50)
    assert server.metric("smpp_binds", account="bad") == 0
    assert server.metric("smpp_connections", state="bound") == 0
    assert server.metric("smpp_connections", state="unbound") == 0
    await server.holds()


@pytest.mark.parametrize(
    ("system_id", "password"),
    [
        (b"b" * 500, b"secret"),
        (b"bad", b"s" * 500),
        (b"\xff\xfe\r\n\x1b", b"secret"),
        (b"", b""),
        (b"bad", b""),
    ],
    ids=[
        "a long system_id",
        "a long password",
        "octets that are no name",
        "nothing",
        "no password",
    ],
)
async def test_credentials_of_any_shape_are_refused_and_counted(
    gateway: Gateway, system_id: bytes, password: bytes
) -> None:
    server = await gateway()
    wire = await server.connect()
    assert await wire.bind(system_id, password) in (RINVPASWD, 0x0F)
    assert server.metric("smpp_bind_attempts_total", result="ok") == 0
    assert server.metric("smpp_bind_attempts_total") == 1
    await server.holds()


@pytest.mark.parametrize(
    "body",
    [b"", b"bad", b"bad\0secret\0", b"b" * 3_000, b"bad\0secret\0\0\x34"],
    ids=["empty", "a name without an end", "half", "3,000 octets", "no address"],
)
async def test_a_bind_that_cannot_be_read_is_answered_and_may_be_mended(
    gateway: Gateway, body: bytes
) -> None:
    server = await gateway()
    wire = await server.connect()
    wire.send(pdu(BIND_TRANSCEIVER, 0, 3, body))
    got = await wire.read()
    assert (got.command_id, got.number) == (BIND_TRANSCEIVER | RESP, 3)
    assert got.status != 0
    assert server.refused(command="bind_transceiver") == 1
    assert await wire.bind() == 0
    await server.holds()


async def test_a_wrong_password_again_and_again_costs_time_and_the_connection(
    gateway: Gateway,
) -> None:
    server = await gateway(bind_timeout=Duration(20))
    loop = asyncio.get_running_loop()
    wire = await server.connect()
    began = loop.time()
    for _ in range(3):
        assert await wire.bind(b"bad", b"wrong") == RINVPASWD
    assert await wire.gone() == b""
    assert loop.time() - began >= 0.7  # nothing, a quarter and half a second
    assert server.metric("smpp_bind_attempts_total", result="wrong_password") == 3
    # Who has another login behind the same address does not wait.
    began = loop.time()
    await server.holds()
    assert loop.time() - began < 0.7


async def test_guessing_over_many_connections_at_once_is_no_faster(gateway: Gateway) -> None:
    server = await gateway(bind_timeout=Duration(20))
    loop = asyncio.get_running_loop()
    wires = [await server.connect() for _ in range(20)]
    assert await wires[0].bind(b"bad", b"wrong") == RINVPASWD
    began = loop.time()
    for wire in wires[1:]:
        wire.send(pdu(BIND_TRANSCEIVER, 0, 1, bind_body(b"bad", b"guess")))
    answered: list[float] = []

    async def listen(wire: Customer) -> None:
        await wire.expect(BIND_TRANSCEIVER | RESP)
        answered.append(loop.time() - began)

    listening = [asyncio.ensure_future(listen(wire)) for wire in wires[1:]]
    await asyncio.wait(listening[:3], return_when=asyncio.ALL_COMPLETED)
    await server.holds()
    assert answered[0] >= 0.2 and answered[1] >= 0.45 and answered[2] >= 0.7
    assert len(answered) <= 3 + 4 * (loop.time() - began)
    for each in listening:
        each.cancel()
    await asyncio.gather(*listening, return_exceptions=True)


async def test_more_binds_than_granted_are_refused_and_those_there_are_stay(
    gateway: Gateway,
) -> None:
    server = await gateway(login={"max_binds": 3})
    wires = [await server.bound() for _ in range(3)]
    refused = await server.connect()
    assert await refused.bind() == RALYBND
    assert server.metric("smpp_bind_attempts_total", result="max_binds") == 1
    for at, wire in enumerate(wires):
        assert (await wire.submit(1, 200 + at))[0].status == 0
    wires[0].close()
    await server.counted("smpp_connection_ends_total", reason="eof")
    assert await refused.bind() == 0
    await server.holds()


# ---- silence


async def test_connections_that_never_bind_are_closed(gateway: Gateway) -> None:
    server = await gateway(bind_timeout=Duration(0.2))
    wires = [await server.connect() for _ in range(50)]
    for wire in wires[::2]:
        wire.send(pdu(ENQUIRE_LINK, 0, 1))  # a sign of life is no bind
    for at, wire in enumerate(wires):
        assert len(await wire.gone()) == (16 if at % 2 == 0 else 0)
    await server.counted("smpp_connection_ends_total", 50, reason="session_init")
    assert server.metric("smpp_connections", state="unbound") == 0
    await server.holds()


async def test_a_bind_that_drips_in_is_closed_all_the_same(gateway: Gateway) -> None:
    server = await gateway(bind_timeout=Duration(0.2))
    wire = await server.connect()
    octets = pdu(BIND_TRANSCEIVER, 0, 1, bind_body())

    async def drip() -> None:
        for octet in octets:
            wire.send(bytes((octet,)))
            await wire.flush()
            await asyncio.sleep(0.05)

    dripping = asyncio.ensure_future(drip())
    assert await wire.gone() == b""
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)
    await server.counted("smpp_connection_ends_total", reason="session_init")
    await server.holds()


async def test_errors_before_the_bind_do_not_put_off_its_time(gateway: Gateway) -> None:
    server = await gateway(bind_timeout=Duration(0.3))
    wire = await server.connect()
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def err_for_ever() -> None:
        while True:
            wire.send(pdu(SUBMIT_SM, 0, 1, submit_body()) + pdu(0x7777, 0, 2))
            await wire.read()
            await wire.read()

    with pytest.raises(Hangup):
        await err_for_ever()
    assert loop.time() - began < 2
    await server.counted("smpp_connection_ends_total", reason="session_init")
    await server.holds()


async def test_silence_on_enquire_link_ends_the_bind(gateway: Gateway) -> None:
    server = await gateway(enquire_interval=Duration(0.1), response_timeout=Duration(0.1))
    wire = await server.bound()
    assert (await wire.read()).command_id == ENQUIRE_LINK
    assert await wire.gone() == b""
    await server.counted("smpp_connection_ends_total", reason="enquire_link")
    assert server.metric("smpp_binds", account="bad") == 0
    await server.holds()


async def test_an_enquire_link_resp_with_a_wrong_number_is_a_sign_of_life_all_the_same(
    gateway: Gateway,
) -> None:
    server = await gateway(enquire_interval=Duration(0.05), response_timeout=Duration(0.1))
    wire = await server.bound()
    enquiry = await wire.read()
    assert enquiry.command_id == ENQUIRE_LINK
    await asyncio.sleep(0.01)  # as far away as a customer is
    wire.send(pdu(ENQUIRE_LINK | RESP, 0, enquiry.number + 1))
    await server.counted("smpp_unexpected_total", command="enquire_link_resp")
    await asyncio.sleep(0.15)  # the answer that was due does not come
    assert (await wire.submit(1))[0].status == 0
    await server.holds()


async def test_silence_on_our_unbind_does_not_hold_up_the_stop(gateway: Gateway) -> None:
    server = await gateway(response_timeout=Duration(20))
    wire = await server.bound()
    loop = asyncio.get_running_loop()
    began = loop.time()
    await server.rig.server.stop(0.5)
    assert loop.time() - began < 2
    assert (await wire.read()).command_id == UNBIND
    assert await wire.gone() == b""


# ---- leaving


async def stored_once(server: Server, count: int) -> None:
    """What a customer has sent before it left is stored, and sent once."""
    await server.counted("messages_accepted_total", count, account="bad")
    await server.sent(count)
    await server.holds()


async def test_unbind_with_submits_in_flight_comes_after_their_answers(gateway: Gateway) -> None:
    server = await gateway()
    wire = await server.bound()
    wire.send(
        b"".join(pdu(SUBMIT_SM, 0, n, submit_body()) for n in range(10, 60)) + pdu(UNBIND, 0, 99)
    )
    answers = await wire.answers(SUBMIT_SM | RESP, 50)
    assert {each.status for each in answers} == {0}
    assert (await wire.expect(UNBIND | RESP)).number == 99
    assert await wire.gone() == b""
    assert server.ended("peer_unbound") == 1
    await stored_once(server, 50)


async def test_requests_after_unbind_are_refused(gateway: Gateway) -> None:
    server = await gateway()
    wire = await server.bound()
    late = pdu(SUBMIT_SM, 0, 3, submit_body())
    wire.send(pdu(SUBMIT_SM, 0, 1, submit_body()) + pdu(UNBIND, 0, 2) + late + pdu(UNBIND, 0, 4))
    told = {}
    while (UNBIND | RESP, 2) not in told:
        got = await wire.read()
        if got.command_id != DELIVER_SM:
            told[got.command_id, got.number] = got.status
    assert told[SUBMIT_SM | RESP, 1] == 0
    assert told[SUBMIT_SM | RESP, 3] == RINVBNDSTS
    await stored_once(server, 1)


@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
async def test_a_customer_that_leaves_with_submits_in_flight_had_them_stored_once(
    gateway: Gateway, how: str
) -> None:
    server = await gateway()
    wire = await server.bound()
    wire.send(b"".join(pdu(SUBMIT_SM, 0, n, submit_body()) for n in range(10, 60)))
    await wire.flush()
    # A reset throws away what we have not read, so something has to come back first.
    assert (await wire.expect(SUBMIT_SM | RESP)).status == 0
    getattr(wire, how)()
    await server.counted("smpp_connection_ends_total", reason="eof")
    await stored_once(server, 50)


async def test_a_customer_that_says_nothing_more_but_listens_hears_its_answers(
    gateway: Gateway,
) -> None:
    """Shutting down one direction is how `nc` ends its input."""
    server = await gateway()
    wire = await server.bound()
    wire.send(b"".join(pdu(SUBMIT_SM, 0, n, submit_body()) for n in range(10, 20)))
    await wire.flush()
    wire.half_close()
    answers = await wire.answers(SUBMIT_SM | RESP, 10)
    assert {each.status for each in answers} == {0}
    await wire.gone()
    await stored_once(server, 10)


# ---- strangers


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\nHost: sms.example\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        bytes.fromhex("16030100f8010000f40303") + bytes(200),
        b"\x80\x9e\x01\x03\x01\x00\x75\x00\x00\x00\x20\x00\x00\x66\x00\x00",
        b"*1\r\n$4\r\nPING\r\n",
        b"EHLO example.org\r\n",
    ],
    ids=["HTTP", "SSH", "a TLS hello", "an SSL 2 hello", "RESP", "SMTP"],
)
async def test_what_is_not_smpp_costs_one_closed_socket(gateway: Gateway, octets: bytes) -> None:
    server = await gateway()
    wire = await server.connect()
    wire.send(octets)
    assert await wire.gone() == pdu(GENERIC_NACK, RINVCMDLEN, 0)
    await server.counted("smpp_connection_ends_total", reason="framing")
    await server.holds()


TLS = SmppTls(certificate=VALID, key=VALID)


@pytest.mark.parametrize(
    "octets",
    [pdu(BIND_TRANSCEIVER, 0, 1, bind_body()), b"GET / HTTP/1.1\r\n\r\n", b"\0" * 4_096],
    ids=["a bind", "HTTP", "zeros"],
)
async def test_plain_octets_on_the_tls_port_cost_one_closed_socket(
    gateway: Gateway, octets: bytes
) -> None:
    server = await gateway(tls=TLS)
    wire = await server.connect(1)
    wire.send(octets)
    await wire.gone()
    await server.counted("smpp_connection_ends_total", reason="tls")
    assert server.metric("smpp_bind_attempts_total") == 0
    await server.holds()


async def test_silence_on_the_tls_port_is_closed_and_others_are_served_meanwhile(
    gateway: Gateway,
) -> None:
    server = await gateway(tls=TLS, bind_timeout=Duration(0.5))
    silent = [await server.connect(1) for _ in range(20)]
    half = await server.connect(1)
    half.send(bytes.fromhex("1603010200"))
    customer = await server.connect(1, ssl=client_tls(VALID))
    assert await customer.bind() == 0
    assert (await customer.submit(1))[0].status == 0
    for wire in (*silent, half):
        await wire.gone()
    await server.counted("smpp_connection_ends_total", 21, reason="tls")
    await server.holds()


async def test_garbage_within_tls_costs_one_connection(gateway: Gateway) -> None:
    server = await gateway(tls=TLS)
    wire = await server.connect(1, ssl=client_tls(VALID))
    wire.send(b"GET / HTTP/1.1\r\n\r\n")
    assert await wire.gone() == pdu(GENERIC_NACK, RINVCMDLEN, 0)
    assert server.ended("framing") == 1
    await server.holds()
