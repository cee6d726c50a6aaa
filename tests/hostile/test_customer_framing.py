"""Customers whose octets are not quite PDUs."""

from __future__ import annotations

import pytest

from config.settings import Duration
from tests.hostile.conftest import Gateway
from tests.hostile.customer import bind_body, number, submit_body
from tests.hostile.wire import (
    ALERT_NOTIFICATION,
    BIND_TRANSCEIVER,
    CANCEL_SM,
    DATA_SM,
    DELIVER_SM,
    ENQUIRE_LINK,
    GENERIC_NACK,
    OUTBIND,
    QUERY_SM,
    REPLACE_SM,
    RESP,
    RINVBNDSTS,
    RINVCMDID,
    RINVCMDLEN,
    RINVDSTADR,
    RINVMSGLEN,
    RINVSRCADR,
    RINVTLVLEN,
    RINVTLVSTREAM,
    SUBMIT_MULTI,
    SUBMIT_SM,
    pdu,
    short_message,
    tlv,
)


async def test_a_customer_that_sends_octet_by_octet_is_served(gateway: Gateway) -> None:
    server = await gateway()
    wire = await server.connect()
    await wire.trickle(pdu(BIND_TRANSCEIVER, 0, 1, bind_body()))
    assert (await wire.expect(BIND_TRANSCEIVER | RESP)).status == 0
    await wire.trickle(b"".join(pdu(SUBMIT_SM, 0, n, submit_body()) for n in range(2, 5)))
    answers = await wire.answers(SUBMIT_SM | RESP, 3)
    assert [(each.status, each.number) for each in answers] == [(0, 2), (0, 3), (0, 4)]
    await server.sent(3)
    await server.holds()


async def test_many_pdus_glued_into_one_write_are_each_answered(gateway: Gateway) -> None:
    server = await gateway()
    wire = await server.bound()
    glued = b"".join(
        pdu(SUBMIT_SM, 0, n, submit_body(b"%d" % n)) + pdu(ENQUIRE_LINK, 0, n)
        for n in range(10, 310)
    )
    wire.send(glued)
    seen = set()
    while len(seen) < 600:
        got = await wire.read()
        assert got.status == 0
        if got.command_id == DELIVER_SM:
            wire.send(pdu(DELIVER_SM | RESP, 0, got.number, b"\0"))
        else:
            seen.add((got.command_id, got.number))
    assert seen == {(cmd | RESP, n) for cmd in (SUBMIT_SM, ENQUIRE_LINK) for n in range(10, 310)}
    await server.sent(300)
    assert server.metric("smpp_requests_total", account="bad", status="ESME_ROK") == 300
    await server.holds()


@pytest.mark.parametrize("length", [0, 4, 15, 65_537, 2**31, 0xFFFFFFFF])
@pytest.mark.parametrize("bound", [False, True])
async def test_a_command_length_out_of_range_costs_one_connection(
    gateway: Gateway, length: int, bound: bool
) -> None:
    server = await gateway()
    wire = await (server.bound() if bound else server.connect())
    wire.send(pdu(ENQUIRE_LINK, 0, 7, length=length) + b"x" * 100)
    assert await wire.gone() == pdu(GENERIC_NACK, RINVCMDLEN, 0)
    await server.counted("smpp_connection_ends_total", reason="framing")
    await server.holds()


async def test_submits_before_a_wrong_length_are_stored_once(gateway: Gateway) -> None:
    server = await gateway()
    wire = await server.bound()
    submits = b"".join(pdu(SUBMIT_SM, 0, n, submit_body()) for n in range(10))
    wire.send(submits + pdu(ENQUIRE_LINK, 0, 7, length=3))
    await wire.gone()
    await server.counted("messages_accepted_total", 10, account="bad")
    await server.sent(10)
    await server.holds()


MULTI = b"\0\1\1ACME\0"
# Requests that cannot be taken and what they are answered with; the connection stays.
BROKEN = {
    "an unknown command": ((0x7777, b"abc"), (GENERIC_NACK, RINVCMDID)),
    "a body too short": ((SUBMIT_SM, b"\0\1\1467"), (SUBMIT_SM | RESP, RINVSRCADR)),
    "no body at all": ((SUBMIT_SM, b""), (SUBMIT_SM | RESP, RINVMSGLEN)),
    "strings without an end": ((SUBMIT_SM, b"\0\1\1" + b"4" * 900), (SUBMIT_SM | RESP, RINVSRCADR)),
    "a text longer than the body": (
        (SUBMIT_SM, short_message(b"abc", b"ACME", b"79160000001")[:-2]),
        (SUBMIT_SM | RESP, RINVMSGLEN),
    ),
    "a TLV that says too much": (
        (SUBMIT_SM, short_message(b"a", b"ACME", b"79160000001", tlvs=tlv(0x204, b"\0\1", 900))),
        (SUBMIT_SM | RESP, RINVTLVLEN),
    ),
    "a TLV that says too little": (
        (SUBMIT_SM, short_message(b"a", b"ACME", b"79160000001", tlvs=tlv(0x204, b"\0\1\2", 2))),
        (SUBMIT_SM | RESP, RINVTLVSTREAM),
    ),
    "a sender too long": (
        (SUBMIT_SM, short_message(b"a", b"A" * 500, b"79160000001")),
        (SUBMIT_SM | RESP, RINVSRCADR),
    ),
    "a recipient too long": (
        (SUBMIT_SM, short_message(b"a", b"ACME", b"7" * 500)),
        (SUBMIT_SM | RESP, RINVDSTADR),
    ),
    "a recipient that is none": (
        (SUBMIT_SM, short_message(b"a", b"ACME", b"\xff\r\n")),
        (SUBMIT_SM | RESP, RINVDSTADR),
    ),
    "a service_type too long": (
        (SUBMIT_SM, b"TOOLONG" + short_message(b"a", b"ACME", b"79160000001")),
        (SUBMIT_SM | RESP, 0x15),
    ),
    "more recipients than the body has": (
        (SUBMIT_MULTI, MULTI + b"\xff" + b"\1\1\00179160000001\0"),
        (SUBMIT_MULTI | RESP, RINVMSGLEN),
    ),
    "a list of no recipients": (
        (SUBMIT_MULTI, MULTI + b"\0" + bytes(9) + b"\1a"),
        (SUBMIT_MULTI | RESP, 0x33),
    ),
    "recipients of no known kind": (
        (SUBMIT_MULTI, MULTI + b"\1\7" + b"\1\00179160000001\0" + bytes(9) + b"\1a"),
        (SUBMIT_MULTI | RESP, 0x40),
    ),
    "a data_sm without its text": (
        (DATA_SM, b"\0\1\1ACME\0\1\00179160000001\0\0\0\0"),
        (DATA_SM | RESP, RINVMSGLEN),
    ),
    "a query for an id that is none": (
        (QUERY_SM, b"not an id\0\0\0\0"),
        (QUERY_SM | RESP, 0x0C),
    ),
    "a query for an id of 1,000 digits": (
        (QUERY_SM, b"9" * 1_000 + b"\0\0\0\0"),
        (QUERY_SM | RESP, 0x0C),
    ),
    "a cancel for nothing": ((CANCEL_SM, bytes(8)), (CANCEL_SM | RESP, RINVDSTADR)),
    "a replace of a stranger": (
        (REPLACE_SM, b"12345\0\0\0\0\0\0\0\0\1a"),
        (REPLACE_SM | RESP, 0x0C),
    ),
    "a deliver_sm, which is ours to send": (
        (DELIVER_SM, short_message(b"a")),
        (DELIVER_SM | RESP, RINVBNDSTS),
    ),
    "an outbind": ((OUTBIND, b"x\0y\0"), (GENERIC_NACK, RINVBNDSTS)),
    "an alert_notification": (
        (ALERT_NOTIFICATION, b"\1\1a\0\1\1b\0"),
        (GENERIC_NACK, RINVBNDSTS),
    ),
    "a broadcast_sm": ((0x111, bytes(4) + b"id\0" + bytes(6)), (0x111 | RESP, RINVCMDID)),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_request_that_cannot_be_taken_is_answered_and_the_connection_stays(
    gateway: Gateway, name: str
) -> None:
    (command_id, body), answer = BROKEN[name]
    server = await gateway()
    wire = await server.bound()
    wire.send(pdu(command_id, 0, 4711, body))
    got = await wire.read()
    assert (got.command_id, got.status, got.number) == (*answer, 4711)
    assert [each.status for each in await wire.submit(2)] == [0, 0]
    counted = server.metric("smpp_requests_total", account="bad") - 2 + server.refused()
    assert counted == 1
    await server.sent(2)
    await server.holds()


async def test_a_pdu_of_64_kib_is_read_and_refused(gateway: Gateway) -> None:
    server = await gateway()
    wire = await server.bound()
    payload = tlv(0x424, b"x" * 65_000)
    wire.send(pdu(SUBMIT_SM, 0, 9, short_message(b"", b"ACME", number(), tlvs=payload)))
    got = await wire.expect(SUBMIT_SM | RESP)
    assert (got.status, got.number) == (RINVMSGLEN, 9)
    assert server.accepted == 0
    await server.holds()


async def test_half_a_pdu_and_silence_ends_with_the_enquiry(gateway: Gateway) -> None:
    server = await gateway(enquire_interval=Duration(0.1), response_timeout=Duration(0.1))
    wire = await server.bound()
    wire.send(pdu(SUBMIT_SM, 0, 9, submit_body())[:-1])
    await wire.gone()
    await server.counted("smpp_connection_ends_total", reason="enquire_link")
    assert server.accepted == 0
    await server.holds()


async def test_a_response_to_an_unknown_command_is_counted_and_never_answered(
    gateway: Gateway,
) -> None:
    server = await gateway()
    wire = await server.bound()
    wire.send(pdu(0x80007777, 0, 1, b"abc") + pdu(ENQUIRE_LINK, 0, 2))
    got = await wire.read()
    assert (got.command_id, got.number) == (ENQUIRE_LINK | RESP, 2)
    assert server.refused() == 1
    await server.holds()
