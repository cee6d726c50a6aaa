"""Operators that bind in no order anybody knows, fall silent, leave, or never let us in."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from config.settings import Carrier, Duration
from gateway.dispatch import bind
from gateway.dispatch.backoff import reconnect_pause
from gateway.model import Status
from tests.hostile.conftest import Site
from tests.hostile.operator import Session
from tests.hostile.wire import (
    BIND_RECEIVER,
    BIND_TRANSCEIVER,
    DATA_SM,
    DELIVER_SM,
    ENQUIRE_LINK,
    RESP,
    RINVBNDSTS,
    RINVPASWD,
    RSYSERR,
    SUBMIT_SM,
    UNBIND,
    Hangup,
    pdu,
    short_message,
)

pytestmark = pytest.mark.slow

# ---- before and at the bind


@pytest.mark.parametrize("command_id", [DELIVER_SM, DATA_SM])
async def test_a_message_before_the_bind_resp_is_refused_and_the_bind_goes_on(
    site: Site, command_id: int
) -> None:
    async def script(session: Session) -> None:
        bind = await session.read()
        session.send(pdu(command_id, 0, 1, short_message(b"early")))
        refusal = await session.read()
        assert refusal[:3] == (command_id | RESP, RINVBNDSTS, 1)
        session.send(pdu(bind.command_id | RESP, 0, bind.number, b"smsc\0"))
        await session.serve()

    world = await site(script)
    ids = await world.put(1)
    await world.settled(ids, Status.SENT)
    assert world.metric("refused_pdus_total", carrier="bad") == 1
    assert world.metric("inbound_total", carrier="bad") == 0
    assert world.bad.connections == 1
    await world.holds()


async def test_a_bind_resp_of_another_kind_is_no_bind(site: Site) -> None:
    async def script(session: Session) -> None:
        if session.operator.connections > 1:
            await session.accept()
            await session.serve()
        bind = await session.read()
        session.send(pdu(BIND_RECEIVER | RESP, 0, bind.number, b"smsc\0"))
        await session.gone()

    world = await site(script, connect_timeout=Duration(0.1))
    await world.up()
    assert world.metric("unexpected_pdus_total", command="bind_receiver_resp") == 1
    assert world.metric("reconnects_total", carrier="bad", result="failed") == 1
    await world.holds()


async def test_a_refusal_with_a_body_is_a_refusal(site: Site) -> None:
    async def script(session: Session) -> None:
        if session.operator.connections > 2:
            await session.accept()
            await session.serve()
        bind = await session.read()
        session.send(pdu(bind.command_id | RESP, RSYSERR, bind.number, b"smsc\0\x02\x10\0\1\x34"))
        assert await session.gone() == b""

    world = await site(script)
    await world.up()
    assert world.metric("reconnects_total", carrier="bad", result="failed") == 2
    await world.holds()


async def test_refused_credentials_are_tried_once_whatever_follows(site: Site) -> None:
    async def script(session: Session) -> None:
        bind = await session.read()
        refusal = pdu(bind.command_id | RESP, RINVPASWD, bind.number)
        # and then a change of mind, which comes too late
        session.send(refusal + pdu(bind.command_id | RESP, 0, bind.number, b"smsc\0"))
        await session.gone()

    world = await site(script)
    await world.counted("reconnects_total", result="refused")
    await world.holds()
    assert world.bad.connections == 1
    status = world.dispatcher.status()[0]
    assert (status.bound, status.last_error) == (0, "ESME_RINVPASWD")


async def test_a_bind_accepted_twice_is_one_bind(site: Site) -> None:
    async def script(session: Session) -> None:
        bind = await session.read()
        accepted = pdu(bind.command_id | RESP, 0, bind.number, b"smsc\0")
        session.send(accepted + accepted)
        await session.serve()

    world = await site(script)
    ids = await world.put(3)
    await world.settled(ids, Status.SENT)
    assert world.metric("unexpected_pdus_total", command="bind_transceiver_resp") == 1
    assert world.metric("binds_up", carrier="bad") == 1
    await world.holds()


async def test_an_outbind_after_the_bind_is_refused(site: Site) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        session.send(pdu(0x0B, 0, 1, b"smsc\0secret\0"))
        nack = await session.read()
        assert nack.status == RINVBNDSTS
        await session.serve()

    world = await site(script)
    await world.counted("refused_pdus_total", command="outbind")
    await world.holds()
    assert world.bad.connections == 1


# ---- silence


async def silence_on_connect(session: Session) -> None:
    await asyncio.Event().wait()


async def silence_on_bind(session: Session) -> None:
    await session.read()
    await session.gone()


async def half_a_bind_resp(session: Session) -> None:
    bind = await session.read()
    session.send(pdu(bind.command_id | RESP, 0, bind.number, b"smsc\0")[:-1])
    await session.gone()


@pytest.mark.parametrize("script", [silence_on_connect, silence_on_bind, half_a_bind_resp])
async def test_a_bind_that_is_not_answered_in_time_is_given_up_and_tried_again(
    site: Site, script: Any
) -> None:
    world = await site(script, connect_timeout=Duration(0.05))
    await world.counted("reconnects_total", 3, result="failed")
    assert world.dispatcher.status()[0].last_error == "no answer in time"
    assert world.dispatcher.status()[0].bound == 0
    await world.holds()


async def test_silence_on_enquire_link_ends_the_link(site: Site) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        if session.operator.connections > 1:
            await session.serve()
        while True:
            await session.read()

    world = await site(
        script,
        enquire_interval=Duration(0.03),
        enquire_minimum_gap=Duration(0.01),
        response_timeout=Duration(0.05),
    )
    await world.counted("link_ends_total", reason="enquire_link")
    ids = await world.put(2)
    await world.settled(ids, Status.SENT)
    await world.holds()


async def test_silence_on_unbind_ends_with_the_drain(site: Site) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        ids_known.set()
        assert (await session.read()).command_id == UNBIND
        asked.set()
        await session.gone()

    ids_known, asked = asyncio.Event(), asyncio.Event()
    world = await site(script, response_timeout=Duration(20))
    await world.up()
    loop = asyncio.get_running_loop()
    began = loop.time()
    await world.dispatcher.drain(0.3)
    assert asked.is_set()
    assert loop.time() - began < 2.0
    assert world.metric("link_ends_total", carrier="bad", reason="closed") == 1
    assert world.metric("link_ends_total", carrier="good", reason="unbound") == 1


# ---- leaving


async def leaves(session: Session) -> None:
    session.send(pdu(UNBIND, 0, 77))
    assert (await session.expect(UNBIND | RESP)).number == 77
    assert await session.gone() == b""


async def leaves_without_waiting(session: Session) -> None:
    session.send(pdu(UNBIND, 0, 77))
    session.close()


async def half_closes(session: Session) -> None:
    session.half_close()
    await session.gone()


async def resets(session: Session) -> None:
    session.reset()


async def dies_within_an_answer(session: Session) -> None:
    session.send(pdu(SUBMIT_SM | RESP, 0, 2, b"id\0")[:-2])
    session.close()


LEAVING = {
    leaves: "peer_unbound",
    leaves_without_waiting: "peer_unbound",
    half_closes: "eof",
    resets: "eof",
    dies_within_an_answer: "eof",
}


@pytest.mark.parametrize("leave", LEAVING)
async def test_submits_in_flight_when_the_operator_goes_have_their_policy(
    site: Site, leave: Any
) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        if session.operator.connections > 1:
            await session.serve()
        submits = await session.submits(6)
        session.answer(submits[0])
        await leave(session)

    world = await site(script, window=6)
    services = await world.put(3, category="service")
    adverts = await world.put(3, category="advertising")
    await world.settled(adverts, Status.UNKNOWN)
    await world.settled(services, Status.SENT)
    assert world.metric("link_ends_total", carrier="bad", reason=LEAVING[leave]) == 1
    assert world.metric("outcome_unknown_total", carrier="bad") == 5
    assert world.metric("possible_duplicates_total", carrier="bad") == 2
    sent = sorted(submit.destination for submit in world.bad.submits)
    assert len(sent) == 6 + 2, "only what may have been lost was sent again"
    await world.holds()


async def test_an_operator_that_unbinds_and_then_answers_leaves_nothing_in_doubt(
    site: Site,
) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        if session.operator.connections > 1:
            await session.serve()
        submits = await session.submits(6)
        session.send(pdu(UNBIND, 0, 77))
        for submit in submits:
            session.answer(submit)
        assert (await session.read())[:3] == (UNBIND | RESP, 0, 77)
        await session.gone()

    world = await site(script, window=6)
    ids = await world.put(6, category="advertising")
    await world.settled(ids, Status.SENT)
    await world.counted("link_ends_total", reason="peer_unbound")
    assert world.metric("outcome_unknown_total") == 0
    assert world.metric("possible_duplicates_total") == 0
    await world.holds()


async def test_a_submit_that_kills_every_link_ends_by_its_attempts(site: Site) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        while True:
            submit = await session.expect(SUBMIT_SM)
            session.operator.submits.append(submit)
            if submit.destination == poison:
                session.reset()
                raise Hangup
            session.answer(submit)

    poison = "46700000000"
    world = await site(script, max_attempts=3)
    (poisonous,) = await world.put(1, category="service")
    await world.settled([poisonous], Status.UNKNOWN)
    assert len(world.results(poisonous)) == 3
    healthy = await world.put(5)
    await world.settled(healthy, Status.SENT)
    assert world.metric("link_ends_total", carrier="bad", reason="eof") == 3
    assert world.metric("possible_duplicates_total", carrier="bad") == 2
    await world.holds()


async def test_one_bind_of_two_that_dies_leaves_the_other_serving(site: Site) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        if session.operator.connections == 2:
            await go.wait()
            session.reset()
        elif session.operator.connections > 2:
            await asyncio.Event().wait()
        await session.serve()

    go = asyncio.Event()
    world = await site(script, binds=2, reconnect_min=Duration(5), reconnect_max=Duration(5))
    await world.up(binds=2)
    go.set()
    await world.counted("link_ends_total", reason="eof")
    ids = await world.put(20)
    await world.settled(ids, Status.SENT)
    assert world.metric("binds_up", carrier="bad") == 1
    assert world.metric("possible_duplicates_total") == 0
    await world.holds()


# ---- storms


async def at_once(session: Session) -> None:
    session.close()


async def after_the_bind(session: Session) -> None:
    await session.accept()
    await session.flush()
    session.close()


async def with_a_reset(session: Session) -> None:
    session.reset()


@pytest.mark.parametrize("script", [at_once, after_the_bind, with_a_reset])
async def test_a_thousand_connections_that_come_to_nothing_would_take_a_night(
    site: Site, script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each pause is noted and then shortened a million times."""
    pauses: list[float] = []
    defaults = Carrier(name="x")

    def noted(failures: int, hosts: int, *rest: float) -> float:
        pause = reconnect_pause(
            failures, hosts, defaults.reconnect_min, defaults.reconnect_max, rest[-1]
        )
        pauses.append(pause)
        return pause / 1_000_000

    monkeypatch.setattr(bind, "reconnect_pause", noted)
    world = await site(script, reconnect_max=Duration(60))
    await world.bad.connected(1_000, timeout=20)
    bad = pauses[: 1_000 - 1]
    assert len(bad) == 999
    assert sum(bad) > 8 * 3_600
    first_minute = next(n for n in range(1_000) if sum(bad[: n + 1]) > 60)
    assert first_minute <= 8
    result = "bound" if script is after_the_bind else "failed"
    assert world.metric("reconnects_total", carrier="bad", result=result) >= 990
    await world.holds()


async def test_an_operator_that_drops_each_bind_gets_its_messages_no_faster(site: Site) -> None:
    """What was leased for a link that is gone returns to its lane, and nothing is lost."""

    async def script(session: Session) -> None:
        await session.accept()
        if session.operator.connections > 10:
            await session.serve()
        await session.submits(1)

    world = await site(script, window=1, max_attempts=20)
    ids = await world.put(5, category="service")
    await world.settled(ids, Status.SENT)
    resent = world.metric("possible_duplicates_total", carrier="bad")
    assert len(world.bad.submits) == 5 + resent == 15
    assert world.metric("link_ends_total", carrier="bad", reason="eof") == 10
    await world.holds()


async def test_a_second_bind_request_of_the_operator_is_refused(site: Site) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        session.send(pdu(BIND_TRANSCEIVER, 0, 5, b"x\0\0\0\x34\0\0\0"))
        refusal = await session.read()
        assert refusal[:2] == (BIND_TRANSCEIVER | RESP, 0x05)
        session.send(pdu(ENQUIRE_LINK, 0, 6))
        assert (await session.read()).number == 6
        await session.serve()

    world = await site(script)
    await world.counted("refused_pdus_total", command="bind_transceiver")
    await world.holds()
