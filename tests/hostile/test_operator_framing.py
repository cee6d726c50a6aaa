"""Operators whose octets are not quite PDUs."""

from __future__ import annotations

import asyncio

import pytest

from gateway.model import Status
from tests.hostile.conftest import Site
from tests.hostile.operator import Session
from tests.hostile.wire import (
    BIND_TRANSCEIVER,
    DELIVER_SM,
    ENQUIRE_LINK,
    GENERIC_NACK,
    RESP,
    RINVBNDSTS,
    RINVCMDID,
    RINVCMDLEN,
    RINVMSGLEN,
    RINVTLVLEN,
    RINVTLVSTREAM,
    SUBMIT_SM,
    Pdu,
    pdu,
    short_message,
    tlv,
)


async def test_answers_that_come_octet_by_octet_are_answers(site: Site) -> None:
    async def script(session: Session) -> None:
        bind = await session.read()
        await session.trickle(pdu(bind.command_id | RESP, 0, bind.number, b"smsc\0"))
        for submit in await session.submits(5):
            await session.trickle(pdu(SUBMIT_SM | RESP, 0, submit.number, b"%d\0" % submit.number))
        await session.serve()

    world = await site(script, response_timeout=2.0)
    ids = await world.put(5)
    await world.settled(ids, Status.SENT)
    assert all(len(world.results(each)) == 1 for each in ids)
    assert world.metric("submits_total", carrier="bad", status="ESME_ROK") == 5
    assert world.metric("malformed_pdus_total") == 0
    await world.holds()


async def test_many_pdus_glued_into_one_write_are_each_met(site: Site) -> None:
    heard: list[Pdu] = []

    async def script(session: Session) -> None:
        await session.accept()
        submits = await session.submits(10)
        answers = [pdu(SUBMIT_SM | RESP, 0, s.number, b"%d\0" % s.number) for s in submits]
        delivers = [pdu(DELIVER_SM, 0, n, short_message(b"hi")) for n in range(200)]
        enquiries = [pdu(ENQUIRE_LINK, 0, n) for n in range(200)]
        mixed = b"".join(a + b for a, b in zip(delivers, enquiries, strict=True))
        session.send(b"".join(answers) + mixed)
        heard.extend([await session.read() for _ in range(400)])
        done.set()
        await session.serve()

    done = asyncio.Event()
    world = await site(script)
    ids = await world.put(10)
    await world.settled(ids, Status.SENT)
    async with asyncio.timeout(5):
        await done.wait()
    answered = {(each.command_id, each.number) for each in heard}
    assert answered == {
        (command | RESP, n) for command in (DELIVER_SM, ENQUIRE_LINK) for n in range(200)
    }
    assert world.metric("inbound_total", carrier="bad", fate="stored") == 200
    assert world.metric("enquiries_total", carrier="bad") == 200
    await world.holds()


@pytest.mark.parametrize("length", [0, 4, 15, 65_537, 2**31, 0xFFFFFFFF])
async def test_a_command_length_out_of_range_costs_one_link(site: Site, length: int) -> None:
    last: list[bytes] = []

    async def script(session: Session) -> None:
        await session.accept()
        if session.operator.connections > 1:
            await session.serve()
        await session.submits(1)
        session.send(pdu(ENQUIRE_LINK, 0, 7, length=length) + b"x" * 100)
        last.append(await session.gone())

    world = await site(script)
    await world.up()
    ids = await world.put(1, category="service")
    await world.counted("link_ends_total", reason="framing")
    assert last == [pdu(GENERIC_NACK, RINVCMDLEN, 0)]
    # The submit had left: nobody knows, and a service message is sent again and counted as such.
    await world.settled(ids, Status.SENT)
    assert world.metric("outcome_unknown_total", carrier="bad", cause="link") == 1
    assert world.metric("possible_duplicates_total", carrier="bad") == 1
    await world.holds()


@pytest.mark.parametrize("length", [0, 15, 2**31])
async def test_a_wrong_length_before_the_bind_is_a_failed_attempt(site: Site, length: int) -> None:
    async def script(session: Session) -> None:
        if session.operator.connections > 2:
            await session.accept()
            await session.serve()
        bind = await session.read()
        session.send(pdu(bind.command_id | RESP, 0, bind.number, b"smsc\0", length=length))
        await session.gone()

    world = await site(script)
    await world.up()
    assert world.metric("reconnects_total", carrier="bad", result="failed") == 2
    await world.holds()


async def test_a_bind_resp_of_17_octets_is_a_bind(site: Site) -> None:
    async def script(session: Session) -> None:
        bind = await session.read()
        session.send(pdu(bind.command_id | RESP, 0, bind.number, b"\0"))
        await session.serve()

    world = await site(script)
    ids = await world.put(1)
    await world.settled(ids, Status.SENT)
    assert world.metric("reconnects_total", carrier="bad", result="bound") == 1
    await world.holds()


async def test_a_bind_resp_whose_system_id_has_no_end_is_a_bind(site: Site) -> None:
    async def script(session: Session) -> None:
        bind = await session.read()
        session.send(pdu(bind.command_id | RESP, 0, bind.number, b"x" * 2_000))
        await session.serve()

    world = await site(script)
    ids = await world.put(1)
    await world.settled(ids, Status.SENT)
    await world.holds()


# Requests that cannot be read: what they are answered with. The link stays.
BROKEN = {
    "an unknown command": ((0x7777, b"abc"), (GENERIC_NACK, RINVCMDID)),
    "a body too short": ((DELIVER_SM, b"\0\1\1467"), (DELIVER_SM | RESP, 0x0A)),
    "a body that ends within the integers": (
        (DELIVER_SM, b"\0\1\1467\0\1\1468\0\0\0"),
        (DELIVER_SM | RESP, RINVMSGLEN),
    ),
    "no body at all": ((DELIVER_SM, b""), (DELIVER_SM | RESP, RINVMSGLEN)),
    "strings without an end": ((DELIVER_SM, b"\0\1\1" + b"4" * 900), (DELIVER_SM | RESP, 0x0A)),
    "a text longer than the body": (
        (DELIVER_SM, short_message(b"abc")[:-2]),
        (DELIVER_SM | RESP, RINVMSGLEN),
    ),
    "a TLV that says too much": (
        (DELIVER_SM, short_message(b"a", tlvs=tlv(0x1E, b"id\0", 900))),
        (DELIVER_SM | RESP, RINVTLVLEN),
    ),
    "a TLV that says too little": (
        (DELIVER_SM, short_message(b"a", tlvs=tlv(0x1E, b"id\0", 2))),
        (DELIVER_SM | RESP, RINVTLVSTREAM),
    ),
    "a submit_sm, which is ours to send": (
        (SUBMIT_SM, short_message(b"a")),
        (SUBMIT_SM | RESP, RINVBNDSTS),
    ),
    "a bind": ((BIND_TRANSCEIVER, b"smsc\0\0\0\x34\0\0\0"), (BIND_TRANSCEIVER | RESP, 0x05)),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_request_that_cannot_be_taken_is_answered_and_the_link_stays(
    site: Site, name: str
) -> None:
    (command_id, body), answer = BROKEN[name]
    answers: list[tuple[int, int, int]] = []

    async def script(session: Session) -> None:
        await session.accept()
        session.send(pdu(command_id, 0, 4711, body))
        got = await session.read()
        answers.append((got.command_id, got.status, got.number))
        await session.serve()

    world = await site(script)
    metric = "refused_pdus_total" if answer[1] in (RINVBNDSTS, 0x05) else "malformed_pdus_total"
    await world.counted(metric)
    ids = await world.put(3)
    await world.settled(ids, Status.SENT)
    assert answers == [(*answer, 4711)]
    assert world.metric(metric, carrier="bad") == 1
    assert world.bad.connections == 1
    assert world.metric("inbound_total", carrier="bad") == 0
    await world.holds()


async def test_a_response_to_an_unknown_command_is_counted_and_never_answered(site: Site) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        session.send(pdu(0x80007777, 0, 1, b"abc"))
        session.send(pdu(ENQUIRE_LINK, 0, 2))
        assert (await session.read()).command_id == ENQUIRE_LINK | RESP
        await session.serve()

    world = await site(script)
    await world.counted("malformed_pdus_total")
    ids = await world.put(1)
    await world.settled(ids, Status.SENT)
    assert world.bad.connections == 1
    await world.holds()


BROKEN_ANSWERS = {
    "a TLV that says too much": b"id%d\0" + tlv(0x0423, b"\3\0\1", 900),
    "octets behind the last TLV": b"id%d\0" + b"\0\0\0",
    "NULs in the message_id": b"id%d\0more\0and\0",
    "no end of the message_id": b"id%d",
}


@pytest.mark.parametrize("name", BROKEN_ANSWERS)
async def test_a_submit_sm_resp_with_a_broken_tail_still_settles_its_submit(
    site: Site, name: str
) -> None:
    body = BROKEN_ANSWERS[name]

    async def script(session: Session) -> None:
        await session.accept()
        for submit in await session.submits(3):
            session.send(pdu(SUBMIT_SM | RESP, 0, submit.number, body % submit.number))
        await session.serve()

    world = await site(script)
    ids = await world.put(3)
    await world.settled(ids, Status.SENT)
    assert len(world.bad.submits) == 3, "sent twice"
    assert {world.results(each)[0].operator_ids[0][:2] for each in ids} == {"id"}
    broken = 0 if name == "no end of the message_id" else 3
    assert world.metric("malformed_pdus_total", carrier="bad") == broken
    await world.holds()
