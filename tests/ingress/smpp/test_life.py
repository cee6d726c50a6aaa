"""Windows, drain, stuck customers, restarts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from config.settings import SmppLogin
from gateway.errors import StoreUnavailable
from gateway.ingress.smpp import intake
from protocol import constants as c
from protocol.events import Unbound
from protocol.pdu import EnquireLink, Unbind, encode
from tests.ingress.smpp.conftest import Rig, account
from tests.ingress.smpp.esme import submit


async def test_a_full_window_stops_reading_and_goes_on(
    unstarted: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    unstarted.with_operator = False
    unstarted.accounts = (account(login={"window": 10, "rate": 100_000.0}),)
    await unstarted.start()
    try:
        accept, gate, lists = unstarted.store.accept, asyncio.Event(), []

        async def held(submissions: Any) -> Any:
            lists.append(sum(len(one.messages) for one in submissions))
            await gate.wait()
            return await accept(submissions)

        monkeypatch.setattr(unstarted.store, "accept", held)
        esme = await unstarted.bound()
        other = await unstarted.bound()
        # More than one read can hold, so that not reading on is seen.
        numbers = esme.send_all([submit(b"x" * 140, f"7916{n:07d}") for n in range(5_000)])
        await unstarted.until(lambda: bool(lists))
        [bind] = [one for one in unstarted.server.logins.all()[0].binds if one.owed]
        assert bind.busy
        owed = bind.owed
        await asyncio.sleep(0.05)
        assert bind.owed == owed < 5_000
        gate.set()
        assert (await other.ask(submit(b"y"))).command_status == 0
        await esme.until(lambda: all(number in esme.responses for number in numbers))
        assert {esme.responses[number].command_status for number in numbers} == {0}
    finally:
        await unstarted.close()


async def test_an_unbind_waits_for_what_is_under_way(alone: Rig) -> None:
    esme = await alone.bound()
    numbers = esme.send_all([submit(b"x", f"7916{n:07d}") for n in range(200)])
    esme.transport.write(encode(Unbind(sequence_number=9_999)))
    await asyncio.wait_for(esme.closed.wait(), 5)
    assert {esme.responses[number].command_status for number in numbers} == {0}
    assert alone.metric("aldis_smpp_connection_ends_total", "peer_unbound") == 1


@pytest.mark.parametrize("leave", ["unbind", "hang up"])
async def test_leaving_with_a_receipt_unanswered(rig: Rig, leave: str) -> None:
    """A program of two threads says goodbye while the other still holds a receipt: the goodbye is
    answered, the bind's place is free, and the receipt comes again."""
    esme = await rig.bound()
    esme.answer = None
    response = await esme.ask(submit())
    await esme.until(lambda: bool(esme.delivered))
    [login] = rig.server.logins.all()
    if leave == "unbind":
        esme.connection.unbind(esme.loop.time())
        esme.flush()
    else:
        esme.transport.abort()
    await asyncio.wait_for(esme.closed.wait(), 5)
    if leave == "unbind":
        assert any(isinstance(event, Unbound) and not event.by_peer for event in esme.events)
    other = await rig.bound()
    await other.until(lambda: bool(other.delivered))
    assert response.message_id.encode() in other.delivered[0].short_message
    assert len(login.binds) == 1


async def test_a_stop_answers_what_was_taken_and_unbinds(alone: Rig) -> None:
    esme = await alone.bound()
    numbers = esme.send_all([submit(b"x", f"7916{n:07d}") for n in range(200)])
    await esme.until(lambda: bool(esme.responses))
    await alone.server.stop(5.0)
    await asyncio.wait_for(esme.closed.wait(), 5)
    assert esme.unbound
    assert {esme.responses[number].command_status for number in numbers} <= {0}
    ids = [int(response.message_id) for response in esme.responses.values()]  # type: ignore[attr-defined]
    assert all(await alone.store.messages("shop", ids))


async def test_a_store_that_is_away_says_so_and_loses_nothing(
    alone: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    esme = await alone.bound()

    async def away(*_: Any) -> Any:
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(alone.store, "accept", away)
        patch.setattr(alone.store, "keep_parts", away)
        from tests.ingress.smpp.test_split import parts

        answers = await esme.ask_all([submit(b"x"), *parts(), parts(reference=9)[0]])
        assert {answer.command_status for answer in answers} == {c.ESME_RSYSERR}
    answers = await esme.ask_all([submit(b"x"), *parts()])
    assert {answer.command_status for answer in answers} == {0}
    assert alone.metric("aldis_smpp_waiting_parts") == 0


async def test_enquire_link_is_answered_before_and_after_binding(alone: Rig) -> None:
    esme = await alone.connect()
    esme.send(EnquireLink())
    await esme.until(lambda: bool(esme.events))
    await esme.bind()
    seen = len(esme.events)
    esme.send(EnquireLink())
    await esme.until(lambda: len(esme.events) > seen)


def two_accounts(**login: Any) -> tuple[Any, ...]:
    own = SmppLogin(system_id="other", password="secret")
    return account(login=login), account(name="other", inbound_numbers=(), smpp=(own,))


async def test_one_that_replaces_keeps_nobody_waiting(
    unstarted: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    unstarted.with_operator = False
    unstarted.accounts = two_accounts()
    await unstarted.start()
    gate = asyncio.Event()
    try:
        esme, other = await unstarted.bound(), await unstarted.bound(system_id="other")
        search = unstarted.store.search

        async def held(*of: Any) -> Any:
            await gate.wait()
            return await search(*of)

        monkeypatch.setattr(unstarted.store, "search", held)
        numbers = []
        for n in range(4):  # each a read of its own
            numbers.append(esme.send(submit(to=f"7916000000{n}", replace_if_present_flag=1)))
            assert (await esme.ask(submit(to=f"7916000001{n}"))).command_status == 0
        assert (await other.ask(submit())).command_status == 0
        assert not set(numbers) & set(esme.responses)
        gate.set()
        await esme.until(lambda: set(numbers) <= set(esme.responses))
        assert {esme.responses[number].command_status for number in numbers} == {0}
    finally:
        gate.set()
        await unstarted.close()


async def test_accounts_take_turns(unstarted: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    unstarted.with_operator = False
    unstarted.accounts = two_accounts(max_binds=20, rate=100_000.0, window=100)
    await unstarted.start()
    try:
        monkeypatch.setattr(intake, "LIST", 100)
        accept, gate, order = unstarted.store.accept, asyncio.Event(), []

        async def held(submissions: Any) -> Any:
            await gate.wait()
            order.append([one.content.account for one in submissions])
            return await accept(submissions)

        monkeypatch.setattr(unstarted.store, "accept", held)
        binds = [await unstarted.bound() for _ in range(10)]
        other = await unstarted.bound(system_id="other")
        for esme in binds:
            esme.send_all([submit(to=f"7916{n:07d}") for n in range(100)])
        flooding = unstarted.server.logins.get("shop")
        assert flooding is not None
        await unstarted.until(lambda: all(bind.busy for bind in flooding.binds))
        number = other.send(submit())
        stranger = unstarted.server.logins.get("other")
        assert stranger is not None
        await unstarted.until(lambda: any(bind.owed for bind in stranger.binds))
        gate.set()
        await other.until(lambda: number in other.responses)
        await unstarted.until(lambda: len(order) > 3)
        # Two lists were under way; those of the flood that waited go on beside the other's.
        assert "other" in [name for accounts in order[:4] for name in accounts]
    finally:
        gate.set()
        await unstarted.close()


async def test_who_never_reads_is_given_up_sooner_before_the_bind(alone: Rig) -> None:
    esme = await alone.connect()
    esme.transport.pause_reading()
    enquiry = encode(EnquireLink(sequence_number=1)) * 4_000

    async def flood() -> None:
        while not alone.metric("aldis_smpp_connection_ends_total", "unread"):
            esme.transport.write(enquiry)
            await asyncio.sleep(0)

    flooding = asyncio.create_task(flood())
    most = 0
    try:
        async with asyncio.timeout(10):
            while not flooding.done():
                for bind in next(iter(alone.server._connections.values())):
                    assert bind._transport is not None
                    most = max(most, bind._transport.get_write_buffer_size())
                await asyncio.sleep(0)
        assert most < 1 << 20
    finally:
        flooding.cancel()


async def test_accounts_without_logins_have_no_binds_in_the_metrics(alone: Rig) -> None:
    await alone.bound()
    assert alone.metric("aldis_smpp_binds", '"shop"') == 1
    alone.accounts = (account(smpp=()),)
    await alone.reload()
    assert alone.metric("aldis_smpp_binds", '"shop"') == 0
