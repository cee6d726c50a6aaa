"""Operators that answer what was not asked, twice, in any order, or not at all."""

from __future__ import annotations

import asyncio

import pytest

from config.settings import Duration
from gateway.model import Status
from tests.hostile.conftest import Site, World
from tests.hostile.operator import Session
from tests.hostile.wire import (
    DELIVER_SM,
    ENQUIRE_LINK,
    GENERIC_NACK,
    QUERY_SM,
    RESP,
    ROK,
    RSYSERR,
    RTHROTTLED,
    SUBMIT_SM,
    pdu,
    short_message,
    tlv,
)


async def sent_once(world: World, ids: list[int]) -> None:
    await world.settled(ids, Status.SENT)
    assert all(len(world.results(each)) == 1 for each in ids)
    assert world.metric("possible_duplicates_total") == 0


async def test_responses_to_nothing_are_counted(site: Site) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        for command_id in (SUBMIT_SM, DELIVER_SM, QUERY_SM, ENQUIRE_LINK):
            session.send(pdu(command_id | RESP, 0, 900))
        await session.serve()

    world = await site(script)
    await world.counted("unexpected_pdus_total", 2)
    await sent_once(world, await world.put(3))
    commands = ("submit_sm_resp", "deliver_sm_resp", "enquire_link_resp")
    told = [world.metric("unexpected_pdus_total", carrier="bad", command=each) for each in commands]
    assert told == [1, 1, 1]
    assert world.metric("malformed_pdus_total", carrier="bad") == 1  # a query_sm_resp has a body
    assert world.bad.connections == 1
    await world.holds()


async def test_a_response_given_twice_counts_once(site: Site) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        for submit in await session.submits(10):
            answer = pdu(SUBMIT_SM | RESP, 0, submit.number, b"id%d\0" % submit.number)
            session.send(answer + answer)
        await session.serve()

    world = await site(script)
    ids = await world.put(10)
    await sent_once(world, ids)
    await world.counted("unexpected_pdus_total", 10, command="submit_sm_resp")
    await world.holds()


async def test_the_second_of_two_contradicting_responses_changes_nothing(site: Site) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        for submit in await session.submits(2):
            session.answer(submit)
            session.answer(submit, RSYSERR)
        await session.serve()

    world = await site(script)
    await sent_once(world, await world.put(2))
    await world.counted("unexpected_pdus_total", 2)
    assert world.metric("submits_total", carrier="bad") == 2
    await world.holds()


@pytest.mark.parametrize("order", ["reversed", "odd numbers first"])
async def test_responses_out_of_order_reach_their_messages(site: Site, order: str) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        submits = await session.submits(10)
        if order == "reversed":
            submits.reverse()
        else:
            submits.sort(key=lambda each: each.number % 2 == 0)
        for submit in submits:
            identifier = f"to-{submit.destination}\0".encode()
            session.send(pdu(SUBMIT_SM | RESP, 0, submit.number, identifier))
        await session.serve()

    world = await site(script)
    ids = await world.put(10)
    await sent_once(world, ids)
    for each in ids:
        (result,) = world.results(each)
        assert result.operator_ids == (f"to-{result.message.number}",)
    await world.holds()


async def test_a_generic_nack_refuses_the_submit_it_names(site: Site) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        (submit,) = await session.submits(1)
        session.send(pdu(GENERIC_NACK, RSYSERR, submit.number))
        await session.serve()

    world = await site(script)
    ids = await world.put(1)
    await world.settled(ids, Status.SENT)
    assert world.results(ids[0])[0].attempts == 1
    assert world.metric("submits_total", carrier="bad", status="ESME_RSYSERR") == 1
    assert world.metric("possible_duplicates_total") == 0  # it was refused, not lost
    assert world.bad.connections == 1
    await world.holds()


async def test_a_generic_nack_of_status_ok_is_still_a_refusal(site: Site) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        (submit,) = await session.submits(1)
        session.send(pdu(GENERIC_NACK, ROK, submit.number))
        await session.serve()

    world = await site(script)
    ids = await world.put(1)
    await world.settled(ids, Status.SENT)
    assert len(world.bad.submits) == 2
    assert world.metric("submits_total", carrier="bad", status="ESME_ROK") == 1
    assert world.metric("messages_settled_total", carrier="bad", outcome="retry") == 1
    await world.holds()


@pytest.mark.parametrize("number", [0, 4_711, 0xFFFFFFFF])
async def test_a_generic_nack_of_nothing_is_survived(site: Site, number: int) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        submits = await session.submits(3)
        session.send(pdu(GENERIC_NACK, RSYSERR, number))
        for submit in submits:
            session.answer(submit)
        await session.serve()

    world = await site(script)
    await sent_once(world, await world.put(3))
    assert world.metric("unexpected_pdus_total", carrier="bad", command="generic_nack") == 1
    assert world.bad.connections == 1
    await world.holds()


async def test_a_response_of_another_command_settles_nothing(site: Site) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        (submit,) = await session.submits(1)
        session.send(pdu(DELIVER_SM | RESP, 0, submit.number, b"\0"))
        session.answer(submit)
        await session.serve()

    world = await site(script)
    await sent_once(world, await world.put(1))
    assert world.metric("unexpected_pdus_total", carrier="bad", command="deliver_sm_resp") == 1
    await world.holds()


async def test_silence_on_submit_follows_the_category_and_a_late_answer_settles_it(
    site: Site,
) -> None:
    go_on = asyncio.Event()

    async def script(session: Session) -> None:
        await session.accept()
        submits = await session.submits(2)
        await go_on.wait()
        for submit in submits:
            session.answer(submit)
        await session.serve()

    world = await site(script, window=2, response_timeout=Duration(0.15))
    service = await world.put(1, category="service")
    advert = await world.put(1, category="advertising")
    await world.settled(advert, Status.UNKNOWN)
    await world.counted("possible_duplicates_total")  # the service message goes round again
    assert world.metric("outcome_unknown_total", carrier="bad", cause="timeout") == 2
    await world.holds()
    go_on.set()
    await world.counted("late_responses_total", 2)
    await world.until(lambda: {late.message for late in world.store.late} == {*service, *advert})
    (view,) = await world.store.messages(None, advert)
    assert view is not None and view.status == Status.UNKNOWN  # until a receipt tells more
    assert view.part_list[0].operator_id == "id2"
    await world.settled(service, Status.SENT)
    assert len(world.results(service[0])) == 2
    assert world.metric("possible_duplicates_total", carrier="bad") == 1
    await world.holds()


async def test_silence_for_ever_ends_by_the_attempts_and_holds_no_more_than_the_window(
    site: Site,
) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        while True:
            session.operator.submits.append(await session.expect(SUBMIT_SM))

    world = await site(script, response_timeout=Duration(0.05), max_attempts=2, window=5)
    ids = await world.put(20, category="service")
    await world.settled(ids, Status.UNKNOWN)
    assert len(world.bad.submits) == 40
    assert world.metric("possible_duplicates_total", carrier="bad") == 20
    assert world.metric("outcome_unknown_total", carrier="bad") == 40
    await world.holds()


@pytest.mark.parametrize(
    ("answer", "identifier"),
    [
        (b"m" * 1_000 + b"\0", "m" * 1_000),
        (b"\0", ""),
        (b"", ""),
        (b"a b\r\nc\xff\0", "a b\r\nc\xff"),
    ],
    ids=["1,000 octets", "empty", "no body", "unprintable"],
)
async def test_any_message_id_is_taken_and_found_again(
    site: Site, answer: bytes, identifier: str
) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        (submit,) = await session.submits(1)
        session.send(pdu(SUBMIT_SM | RESP, 0, submit.number, answer))
        await proceed.wait()
        told = tlv(0x1E, answer) + tlv(0x427, b"\2")
        session.send(pdu(DELIVER_SM, 0, 1, short_message(b"", esm_class=4, tlvs=told)))
        await session.serve()

    proceed = asyncio.Event()
    world = await site(script)
    ids = await world.put(1)
    await sent_once(world, ids)
    assert world.results(ids[0])[0].operator_ids == (identifier,)
    proceed.set()
    if identifier:
        await world.counted("receipts_total", fate="matched", state="DELIVRD")
        (view,) = await world.store.messages(None, ids)
        assert view is not None and view.status == Status.DELIVERED
    else:
        await world.counted("receipts_total", fate="ignored", state="unreadable")
    await world.holds()


async def test_congestion_state_slows_down_and_loses_nothing(site: Site) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        (submit,) = await session.submits(1)
        session.answer(submit, extra=tlv(0x0428, b"\x64"))
        await session.serve()

    world = await site(script)
    await sent_once(world, await world.put(1))
    assert world.metric("congestion_state", carrier="bad") == 100
    assert world.metric("throttled_total", carrier="bad") == 0
    assert world.dispatcher.status()[0].rate_now < 2_600
    assert world.metric("rate_pdus_per_second", carrier="bad") < 2_600
    assert world.metric("rate_pdus_per_second", carrier="good") == 100_000
    await world.holds()


async def test_a_congestion_state_without_a_value_says_nothing(site: Site) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        (submit,) = await session.submits(1)
        session.answer(submit, extra=tlv(0x0428, b""))
        await session.serve()

    world = await site(script)
    await sent_once(world, await world.put(1))
    assert world.metric("congestion_state", carrier="bad") == 0
    assert world.dispatcher.status()[0].rate_now == 5_000
    await world.holds()


async def test_throttling_for_ever_costs_no_attempt_and_nobody_else(site: Site) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        while True:
            submit = await session.expect(SUBMIT_SM)
            session.operator.submits.append(submit)
            session.answer(submit, RTHROTTLED)

    world = await site(script)
    ids = await world.put(50)
    await world.counted("throttled_total", 12)  # the window, and after half a second one more try
    assert len(world.bad.submits) <= 30
    assert world.metric("messages_settled_total", outcome="failed") == 0
    views = await world.store.messages(None, ids)
    assert {view.attempts for view in views if view is not None} == {0}
    assert world.metric("rate_pdus_per_second", carrier="bad") < 2_600
    # A route both carriers serve is served by the one that is not throttled.
    shared = await world.put(10, "any/bulk")
    await world.settled(shared, Status.SENT)
    assert {world.results(each)[-1].carrier for each in shared} == {"good"}
    await world.holds()


async def test_an_enquire_link_resp_with_a_wrong_number_is_a_sign_of_life_all_the_same(
    site: Site,
) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        for _ in range(3):
            enquiry = await session.read()
            assert enquiry.command_id == ENQUIRE_LINK
            await asyncio.sleep(0.005)  # as far away as an operator is
            session.send(pdu(ENQUIRE_LINK | RESP, 0, enquiry.number + 1))
        await session.serve()

    world = await site(
        script,
        enquire_interval=Duration(0.02),
        enquire_minimum_gap=Duration(0.01),
        response_timeout=Duration(0.05),
    )
    await world.counted("unexpected_pdus_total", 3, command="enquire_link_resp")
    await sent_once(world, await world.put(1))
    assert world.bad.connections == 1
    await world.holds()
