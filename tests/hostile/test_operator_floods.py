"""Operators that send more than anybody asked for, and operators that read nothing."""

from __future__ import annotations

import asyncio
import random
import socket
from typing import Any

import pytest

from config.settings import Duration
from gateway import link
from gateway.dispatch import deliveries
from gateway.model import Status
from tests.hostile.conftest import Site, World
from tests.hostile.operator import Session
from tests.hostile.wire import (
    DELIVER_SM,
    ENQUIRE_LINK,
    RESP,
    Pdu,
    pdu,
    receipt,
    short_message,
    tlv,
)

pytestmark = pytest.mark.slow


async def answers_to(session: Session, count: int) -> list[Pdu]:
    """So many deliver_sm_resp; submits and enquiries on the way are served."""
    return [await session.expect(DELIVER_SM | RESP) for _ in range(count)]


async def after(event: asyncio.Event, timeout: float = 20.0) -> None:
    async with asyncio.timeout(timeout):
        await event.wait()


# ---- too much


async def test_a_flood_of_deliver_sm_stops_being_read_while_the_store_is_busy(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 500
    monkeypatch.setattr(deliveries, "MOST_UNANSWERED", most)
    count = 8_000
    flood = b"".join(pdu(DELIVER_SM, 0, n, short_message(b"x" * 150)) for n in range(1, count + 1))
    answered = asyncio.Event()

    async def script(session: Session) -> None:
        await session.accept()
        session.send(flood)
        got = await answers_to(session, count)
        assert [each.number for each in got] == list(range(1, count + 1))
        assert {each.status for each in got} == {0}
        answered.set()
        await session.serve()

    world = await site(script)
    hold = asyncio.Event()
    inbound = world.store.inbound

    async def slow(parts: Any) -> Any:
        await hold.wait()
        return await inbound(parts)

    monkeypatch.setattr(world.store, "inbound", slow)
    await world.counted("reading_paused_total")
    await world.holds()
    (flooded,) = [each for each in world.links() if each.owed]
    # One read more than the limit: 256 KiB of PDUs of 190 octets.
    assert most < flooded.owed < most + 2_000
    hold.set()
    await after(answered, 20)
    assert flooded.owed == 0
    assert world.metric("inbound_total", carrier="bad", fate="stored") == count
    assert world.metric("reading_paused_total", carrier="bad") > 1
    await world.holds()


async def test_a_flood_of_enquire_links_is_answered_and_disturbs_nobody(site: Site) -> None:
    count = 30_000
    answered = asyncio.Event()

    async def script(session: Session) -> None:
        await session.accept()
        session.send(b"".join(pdu(ENQUIRE_LINK, 0, n) for n in range(count)))
        numbers = [(await session.expect(ENQUIRE_LINK | RESP)).number for _ in range(count)]
        assert numbers == list(range(count))
        answered.set()
        await session.serve()

    world = await site(script)
    await world.holds()
    await after(answered)
    assert world.metric("enquiries_total", carrier="bad") == count
    ids = await world.put(5)
    await world.settled(ids, Status.SENT)
    await world.holds()


async def test_a_peer_that_asks_and_reads_nothing_is_given_up(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "MOST_UNREAD", 1 << 20)

    async def script(session: Session) -> None:
        await session.accept()
        if session.operator.connections > 1:
            await session.serve()
        session.socket_option(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        session.writer.transport.pause_reading()  # type: ignore[attr-defined]
        while True:
            session.send(pdu(ENQUIRE_LINK, 0, 7) * 4_096)
            await session.flush()

    world = await site(script)
    await world.counted("link_ends_total", reason="unread", timeout=20)
    ids = await world.put(5)
    await world.settled(ids, Status.SENT)
    await world.holds()


async def test_an_operator_that_stops_reading_stops_being_sent_to(site: Site) -> None:
    """Zero window: what has been written has its policy, what has not waits or goes elsewhere."""
    go_on = asyncio.Event()

    async def script(session: Session) -> None:
        session.socket_option(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        await session.accept()
        if session.operator.connections > 1:
            await asyncio.Event().wait()
        session.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await go_on.wait()
        session.reset()

    world = await site(
        script,
        window=10_000,
        rate=1_000_000.0,
        burst=20_000.0,
        response_timeout=Duration(20),
        long_message="payload",
        reconnect_min=Duration(10),
        reconnect_max=Duration(10),
    )
    await world.up()
    (slow,) = [each for each in world.links() if each.submits and each._profile.name == "bad"]
    long = "x" * 3_000
    await world.put(3_000, text=long, category="advertising")
    await world.until(lambda: not slow._writable)
    assert slow.free == 0
    written = slow.outstanding
    waiting = await world.put(2_000, text=long, category="advertising")
    await world.holds()
    assert slow.outstanding == written
    transport = slow._transport
    assert transport is not None
    assert transport.get_write_buffer_size() < 8 << 20
    go_on.set()
    await world.counted("link_ends_total", reason="eof")
    await world.until(lambda: len(world.store.of(Status.UNKNOWN)) == written)
    assert world.metric("outcome_unknown_total", carrier="bad", cause="link") == written
    views = await world.store.messages(None, waiting)
    assert {int(view.status) for view in views if view is not None} == {Status.QUEUED}
    await world.holds()


async def test_receipts_for_messages_nobody_knows_are_parked_and_answered(site: Site) -> None:
    count = 5_000
    answered = asyncio.Event()

    async def script(session: Session) -> None:
        await session.accept()
        flood = [pdu(DELIVER_SM, 0, n, receipt(b"stranger-%d" % n)) for n in range(count)]
        session.send(b"".join(flood))
        got = await answers_to(session, count)
        assert {each.status for each in got} == {0}
        answered.set()
        await session.serve()

    world = await site(script)
    await after(answered)
    assert world.metric("receipts_total", carrier="bad", fate="parked") == count
    ids = await world.put(3)
    await world.settled(ids, Status.SENT)
    await world.holds()


async def test_the_same_receipt_a_thousand_times_is_told_once(site: Site) -> None:
    answered = asyncio.Event()

    async def script(session: Session) -> None:
        await session.accept()
        (submit,) = await session.submits(1)
        session.answer(submit)
        session.send(b"".join(pdu(DELIVER_SM, 0, 1, receipt(b"id1")) for _ in range(1_000)))
        assert {each.status for each in await answers_to(session, 1_000)} == {0}
        answered.set()
        await session.serve()

    world = await site(script)
    ids = await world.put(1)
    await after(answered)
    (view,) = await world.store.messages(None, ids)
    assert view is not None and view.status == Status.DELIVERED
    finished = world.metric("messages_finished_total", status="delivered")
    assert finished == 1
    await world.holds()


# ---- strange contents


async def test_texts_that_are_no_texts_are_stored_and_answered(site: Site) -> None:
    random_octets = random.Random(7)
    bodies = [
        short_message(
            random_octets.randbytes(length),
            esm_class=esm_class,
            data_coding=data_coding,
        )
        for data_coding in range(256)
        for esm_class in (0, 0x40, 0x04, 0xFF)
        for length in (0, 1, 7, 140, 255)
    ]
    answered = asyncio.Event()

    async def script(session: Session) -> None:
        await session.accept()
        session.send(b"".join(pdu(DELIVER_SM, 0, n, body) for n, body in enumerate(bodies)))
        got = await answers_to(session, len(bodies))
        assert {each.status for each in got} == {0}
        answered.set()
        await session.serve()

    world = await site(script)
    await after(answered)
    taken = world.metric("inbound_total", carrier="bad", fate="stored")
    taken += world.metric("receipts_total", carrier="bad")
    assert taken == len(bodies)
    await world.holds()


async def test_tlvs_of_wrong_lengths_in_a_receipt_cost_no_link(site: Site) -> None:
    strange = [
        tlv(0x1E, b""), tlv(0x1E, b"\0"), tlv(0x1E, b"x" * 5_000), tlv(0x427, b""),
        tlv(0x427, b"\2" * 40), tlv(0x423, b"\3"), tlv(0x423, b"\3" * 9), tlv(0x424, b""),
        tlv(0x20C, b"") + tlv(0x20E, b"\0\0") + tlv(0x20F, b"\xff" * 3),
        tlv(0x1E, b"a\0") + tlv(0x1E, b"b\0"),
    ]  # fmt: skip
    answered = asyncio.Event()

    async def script(session: Session) -> None:
        await session.accept()
        for n, tlvs in enumerate(strange):
            for esm_class in (0, 4):
                body = short_message(b"", esm_class=esm_class, tlvs=tlvs)
                session.send(pdu(DELIVER_SM, 0, n, body))
        got = await answers_to(session, 2 * len(strange))
        assert {each.status for each in got} == {0}
        answered.set()
        await session.serve()

    world = await site(script)
    await after(answered)
    assert world.bad.connections == 1
    await world.holds()


async def test_one_sequence_number_for_every_deliver_sm_is_answered_each_time(site: Site) -> None:
    answered = asyncio.Event()

    async def script(session: Session) -> None:
        await session.accept()
        for text in (b"one", b"two", b"three"):
            session.send(pdu(DELIVER_SM, 0, 5, short_message(text)))
        got = await answers_to(session, 3)
        assert [each.number for each in got] == [5, 5, 5]
        answered.set()
        await session.serve()

    world = await site(script)
    await after(answered)
    assert world.metric("inbound_total", carrier="bad", fate="complete") == 3
    await world.holds()


async def test_a_deliver_sm_with_the_number_of_a_submit_in_flight_confuses_nothing(
    site: Site,
) -> None:
    async def script(session: Session) -> None:
        await session.accept()
        submits = await session.submits(4)
        for submit in submits:
            session.send(pdu(DELIVER_SM, 0, submit.number, short_message(b"same number")))
        await answers_to(session, 4)
        for submit in submits:
            session.answer(submit)
        await session.serve()

    world: World = await site(script)
    ids = await world.put(4)
    await world.settled(ids, Status.SENT)
    assert all(len(world.results(each)) == 1 for each in ids)
    assert world.metric("unexpected_pdus_total") == 0
    await world.holds()
