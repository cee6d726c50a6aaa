"""Receipts and replies: to any receiver of the account, kept while there is none, offered again
until one has answered."""

from __future__ import annotations

import asyncio

import pytest

from bench.smsc import Behaviour
from config.settings import Duration, SmppLogin, SmppPort
from gateway.errors import StoreUnavailable
from gateway.events import mailbox
from gateway.ingress.smpp import outbind
from protocol import constants as c
from protocol.pdu import response_to
from protocol.receipt import parse
from tests.ingress.smpp.conftest import Rig, account
from tests.ingress.smpp.esme import Esme, submit


def told(esme: Esme) -> list[str]:
    return [
        str(receipt.id)
        for pdu in esme.delivered
        if (receipt := parse(pdu.short_message, pdu.tlvs)) is not None
    ]


async def test_receipts_wait_for_a_receiver_also_over_a_restart(rig: Rig) -> None:
    sender = await rig.bound("tx")
    ids = [one.message_id for one in await sender.ask_all(
        [submit(b"x", f"7916{n:07d}") for n in range(20)]
    )]  # fmt: skip
    await rig.until(lambda: rig.smsc.counters.delivers_acknowledged == 20)
    await rig.restart()
    receiver = await rig.bound("rx")
    await receiver.until(lambda: len(receiver.delivered) == 20)
    assert sorted(told(receiver)) == sorted(ids)
    again = await rig.bound("rx")
    await rig.restart()
    again = await rig.bound("rx")
    await asyncio.sleep(0.1)
    assert not again.delivered


@pytest.mark.slow
@pytest.mark.parametrize("looked", [False, True])
async def test_what_was_taken_out_of_order_stays_taken_over_two_restarts(
    rig: Rig, looked: bool
) -> None:
    sender = await rig.bound("tx")
    await sender.ask_all([submit(b"x", f"7916{n:07d}") for n in range(10)])
    await rig.until(lambda: rig.smsc.counters.delivers_acknowledged == 10)
    receiver = await rig.connect()
    receiver.answer = None
    await receiver.bind("rx")
    await receiver.until(lambda: len(receiver.delivered) == 10)
    receiver.send(response_to(receiver.delivered[-1]))
    await rig.until(lambda: rig.metric("aldis_smpp_deliveries_total", "taken") == 1)
    taken = told(receiver).pop()
    await rig.restart()
    if looked:
        other = await rig.connect()
        other.answer = None
        await other.bind("rx")
        await other.until(lambda: len(other.delivered) == 9)
    await rig.restart()
    last = await rig.bound("rx")
    await last.until(lambda: len(last.delivered) >= 9)
    assert sorted([*told(last), taken]) == sorted(told(receiver))


async def test_receipts_spread_over_all_receivers_of_the_account(unstarted: Rig) -> None:
    unstarted.accounts = (
        account(
            smpp=(
                SmppLogin(system_id="shop", password="secret", deliver_window=5),
                SmppLogin(system_id="shop2", password="secret", deliver_window=5),
            )
        ),
        account(name="other", inbound_numbers=(), smpp=(
            SmppLogin(system_id="other", password="secret"),
        )),
    )  # fmt: skip
    unstarted.smsc.behaviour = Behaviour(receipt_delay=0.2)
    await unstarted.start()
    try:
        sender = await unstarted.bound("tx")
        one, two = await unstarted.bound("rx"), await unstarted.bound("trx", system_id="shop2")
        stranger = await unstarted.bound("trx", system_id="other")
        ids = [one_.message_id for one_ in await sender.ask_all(
            [submit(b"x", f"7916{n:07d}") for n in range(100)]
        )]  # fmt: skip
        await unstarted.until(lambda: len(one.delivered) + len(two.delivered) == 100)
        assert sorted(told(one) + told(two)) == sorted(ids)
        assert min(len(one.delivered), len(two.delivered)) > 20
        assert not sender.delivered
        assert not stranger.delivered
    finally:
        await unstarted.close()


async def test_many_receivers_take_turns_and_those_that_are_full_hold_nobody_up(
    unstarted: Rig,
) -> None:
    unstarted.accounts = (account(login={"deliver_window": 2, "max_binds": 20}),)
    unstarted.smsc.behaviour = Behaviour(receipt_delay=0.2)
    await unstarted.start()
    try:
        sender = await unstarted.bound("tx")
        receivers = [await unstarted.bound("rx") for _ in range(12)]
        stuck, *others = receivers
        stuck.answer = None
        ids = [one.message_id for one in await sender.ask_all(
            [submit(b"x", f"7916{n:07d}") for n in range(300)]
        )]  # fmt: skip
        await unstarted.until(lambda: sum(len(each.delivered) for each in receivers) == 300)
        assert len(stuck.delivered) == 2
        assert min(len(each.delivered) for each in others) > 5
        assert sorted(each for one in receivers for each in told(one)) == sorted(ids)
        # Whoever was full is given more once it has answered.
        stuck.answer = c.ESME_ROK
        for pdu in list(stuck.delivered):
            stuck.send(response_to(pdu))
        for one in others:
            one.answer = None
        await sender.ask_all([submit(b"x", f"7916{n:07d}") for n in range(300, 400)])
        await unstarted.until(lambda: len(stuck.delivered) > 50)
    finally:
        await unstarted.close()


async def test_not_more_than_the_window_is_unanswered(unstarted: Rig) -> None:
    unstarted.accounts = (account(login={"deliver_window": 3}),)
    await unstarted.start()
    try:
        esme = await unstarted.bound()
        esme.answer = None
        await esme.ask_all([submit(b"x", f"7916{n:07d}") for n in range(10)])
        await esme.until(lambda: len(esme.delivered) == 3)
        await unstarted.until(lambda: unstarted.smsc.counters.delivers_acknowledged == 10)
        assert len(esme.delivered) == 3
    finally:
        await unstarted.close()


async def test_unanswered_ones_are_offered_again(unstarted: Rig) -> None:
    unstarted.ports = (SmppPort(port=0, response_timeout=Duration(0.3)),)
    await unstarted.start()
    try:
        esme = await unstarted.bound()
        esme.answer = None
        await esme.ask(submit())
        await esme.until(lambda: len(esme.delivered) == 1)
        esme.answer = c.ESME_ROK
        await esme.until(lambda: len(esme.delivered) >= 2)
        assert len(set(told(esme))) == 1
        assert unstarted.metric("aldis_smpp_deliveries_total", "unanswered") == 1
    finally:
        await unstarted.close()


async def test_a_lost_receiver_costs_no_receipt(rig: Rig) -> None:
    esme = await rig.bound()
    esme.answer = None
    await esme.ask_all([submit(b"x", f"7916{n:07d}") for n in range(10)])
    await esme.until(lambda: len(esme.delivered) == 10)
    esme.transport.abort()
    other = await rig.bound("rx")
    await other.until(lambda: len(other.delivered) == 10)
    assert sorted(told(other)) == sorted(told(esme))


@pytest.mark.parametrize("status", [c.ESME_RX_T_APPN, c.ESME_RMSGQFUL, c.ESME_RTHROTTLED])
async def test_not_now_is_tried_again(
    rig: Rig, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "FIRST_PAUSE", 0.05)
    esme = await rig.bound()
    esme.answer = status
    await esme.ask(submit())
    await esme.until(lambda: len(esme.delivered) == 2)
    esme.answer = c.ESME_ROK
    await esme.until(lambda: len(esme.delivered) == 3)
    await rig.until(lambda: rig.metric("aldis_smpp_deliveries_total", "taken") == 1)
    assert len(set(told(esme))) == 1


async def test_a_refusal_is_the_last_word(rig: Rig) -> None:
    esme = await rig.bound()
    esme.answer = c.ESME_RX_P_APPN
    await esme.ask(submit())
    await esme.until(lambda: len(esme.delivered) == 1)
    await rig.until(lambda: rig.metric("aldis_smpp_deliveries_total", "ESME_RX_P_APPN") == 1)
    esme.answer = c.ESME_ROK
    await esme.ask(submit(to="79161234568"))
    await esme.until(lambda: len(esme.delivered) == 2)
    assert len(set(told(esme))) == 2


@pytest.mark.parametrize(
    ("wish", "status", "stats"),
    [
        (0, 0, []),
        (1, 0, ["DELIVRD"]),
        (1, c.ESME_RINVDSTADR, ["REJECTD"]),
        (2, 0, []),
        (2, c.ESME_RINVDSTADR, ["REJECTD"]),
        (3, 0, ["DELIVRD"]),
        (3, c.ESME_RINVDSTADR, []),
        (0x11, 0, ["ENROUTE", "DELIVRD"]),
    ],
)
async def test_only_the_receipts_that_were_wished(
    rig: Rig, wish: int, status: int, stats: list[str]
) -> None:
    if status:
        rig.smsc.behaviour = Behaviour(errors={status: 1.0})
    esme = await rig.bound()
    response = await esme.ask(submit(registered_delivery=wish))
    ends = (7, 10)  # delivered, rejected

    async def ended() -> bool:
        [view] = await rig.store.messages("shop", [int(response.message_id)])
        return view is not None and view.status in ends

    async with asyncio.timeout(10):
        while not await ended():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await esme.until(lambda: len(esme.delivered) >= len(stats))
    await asyncio.sleep(0.05)
    found = [parse(pdu.short_message, pdu.tlvs) for pdu in esme.delivered]
    assert [one.stat for one in found if one] == stats
    kinds = {"ENROUTE": c.ESM_CLASS_INTERMEDIATE_NOTIFICATION}
    assert [pdu.esm_class for pdu in esme.delivered] == [
        kinds.get(stat, c.ESM_CLASS_DELIVERY_RECEIPT) for stat in stats
    ]


async def test_a_receiver_of_3_3_gets_no_tlvs(rig: Rig) -> None:
    esme = await rig.connect()
    await esme.bind(version=0x33)
    await esme.ask(submit())
    await esme.until(lambda: bool(esme.delivered))
    [receipt] = esme.delivered
    assert receipt.tlvs == ()
    assert b"stat:DELIVRD" in receipt.short_message


async def test_replies_come_whole_as_the_phone_wrote_them(rig: Rig) -> None:
    from protocol import udh

    esme = await rig.bound("rx")
    text = "Да, спасибо! 🎉 " * 12
    rig.smsc.send_mo("79161234567", "2020", text)
    rig.smsc.send_mo("79161234567", "2020", "short € one")
    await esme.until(lambda: len(esme.delivered) == 4)
    long = [pdu for pdu in esme.delivered if pdu.esm_class & c.ESM_CLASS_UDHI]
    joined = "".join(udh.parse(pdu.short_message)[1].decode("utf-16-be") for pdu in long)
    assert joined == text
    [short] = [pdu for pdu in esme.delivered if pdu not in long]
    assert (short.short_message, short.data_coding) == (b"short \x1b\x65 one", 0)
    assert (short.source_addr, short.source_addr_ton) == ("79161234567", 1)
    assert short.destination_addr == "2020"


async def test_a_customer_is_called_when_something_waits(unstarted: Rig) -> None:
    """outbind: we connect to the customer, who binds over our connection."""
    from protocol.events import Received
    from protocol.pdu import Outbind

    loop = asyncio.get_running_loop()
    called: list[Esme] = []

    def answer() -> Esme:
        esme = Esme()
        called.append(esme)
        return esme

    listening = await loop.create_server(answer, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    unstarted.accounts = (
        account(login={"outbind": f"127.0.0.1:{port}", "outbind_password": "knock"}),
    )
    await unstarted.start()
    try:
        sender = await unstarted.bound("tx")
        await sender.ask(submit())
        await unstarted.until(lambda: bool(called) and bool(called[0].events))
        [esme] = called
        first = esme.events[0]
        assert isinstance(first, Received)
        assert isinstance(first.pdu, Outbind)
        assert (first.pdu.system_id, first.pdu.password) == ("aldis", "knock")
        await esme.bind("rx")
        await esme.until(lambda: bool(esme.delivered))
    finally:
        listening.close()
        await unstarted.close()


async def test_a_customer_who_was_away_is_called_again(
    unstarted: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbind, "FIRST_PAUSE", 0.05)
    loop = asyncio.get_running_loop()
    reserved = await loop.create_server(Esme, "127.0.0.1", 0)
    port = reserved.sockets[0].getsockname()[1]
    reserved.close()
    await reserved.wait_closed()
    unstarted.accounts = (account(login={"outbind": f"127.0.0.1:{port}"}),)
    await unstarted.start()
    called: list[Esme] = []

    def answer() -> Esme:
        called.append(Esme())
        return called[-1]

    listening = None
    try:
        assert unstarted.server._callers == {}  # nothing waits: nobody is called
        sender = await unstarted.bound("tx")
        await sender.ask(submit())
        await unstarted.until(lambda: unstarted.metric("aldis_smpp_outbinds_total", "failed") > 0)
        listening = await loop.create_server(answer, "127.0.0.1", port)
        await unstarted.until(lambda: bool(called) and bool(called[0].events))
        await called[0].bind("rx")
        await called[0].until(lambda: bool(called[0].delivered))
    finally:
        if listening is not None:
            listening.close()
        await unstarted.close()


async def test_what_a_lost_receiver_left_is_reason_enough_to_call(unstarted: Rig) -> None:
    loop = asyncio.get_running_loop()
    called: list[Esme] = []

    def answer() -> Esme:
        called.append(Esme())
        return called[-1]

    listening = await loop.create_server(answer, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    unstarted.accounts = (account(login={"outbind": f"127.0.0.1:{port}"}),)
    await unstarted.start()
    try:
        esme = await unstarted.bound()
        esme.answer = None
        await esme.ask(submit())
        await esme.until(lambda: bool(esme.delivered))
        assert not called
        esme.transport.abort()
        await unstarted.until(lambda: bool(called) and bool(called[0].events))
    finally:
        listening.close()
        await unstarted.close()


async def test_a_mailbox_that_comes_back_finds_who_has_bound_before_it(rig: Rig) -> None:
    sender = await rig.bound("tx")
    await sender.ask(submit())
    await rig.until(lambda: rig.smsc.counters.delivers_acknowledged == 1)
    accounts = rig.accounts
    rig.accounts = (account(smpp=()),)
    await rig.reload()
    rig.accounts = accounts
    rig.server.configure(rig.make_settings())
    receiver = await rig.bound("rx")
    await rig.mailboxes.apply(accounts)
    await receiver.until(lambda: bool(receiver.delivered))


async def test_a_store_that_is_away_is_not_asked_without_end(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def away(*_: object) -> None:
        asked.append(1)
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(rig.store, "read_log", away)
        esme = await rig.bound()
        rig.mailboxes.on_event({"shop": 1})
        await rig.until(lambda: bool(asked))
        await asyncio.sleep(0.1)
        assert len(asked) == 1
    await esme.ask(submit())
    await esme.until(lambda: bool(esme.delivered))


async def test_numbers_a_customer_makes_up_are_one_label(rig: Rig) -> None:
    esme = await rig.bound()
    for status in (0x12345, 0x54321):
        esme.answer = status
        seen = len(esme.delivered)
        await esme.ask(submit())
        await esme.until(lambda seen=seen: len(esme.delivered) > seen)  # type: ignore[misc]
    await rig.until(lambda: rig.metric("aldis_smpp_deliveries_total", '"other"') == 2)


@pytest.mark.slow
async def test_taken_out_of_order_is_not_told_again_after_a_restart(
    unstarted: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "READ", 1)
    monkeypatch.setattr(mailbox, "LOW", 1)
    rig = unstarted
    await rig.start()
    try:
        esme = await rig.bound()
        esme.answer = None
        for n in range(4):
            await esme.ask(submit(to=f"7916000000{n}"))
            await esme.until(lambda n=n: len(esme.delivered) > n)  # type: ignore[misc]
        for pdu in esme.delivered[1:]:
            esme.connection.send(response_to(pdu), esme.loop.time())
        esme.flush()
        await rig.until(lambda: rig.metric("aldis_smpp_deliveries_total", "taken") == 3)
        await rig.restart()
        esme = await rig.bound("rx")
        await esme.until(lambda: bool(esme.delivered))
        await rig.until(lambda: rig.mailboxes._boxes["shop"]._in_hand == 0)
        await asyncio.sleep(0.1)
        assert [pdu.source_addr for pdu in esme.delivered] == ["79160000000"]
    finally:
        await rig.close()


async def test_one_event_not_answered_does_not_fill_the_memory(
    unstarted: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "MOST_IN_HAND", 5)
    monkeypatch.setattr(mailbox, "READ", 1)
    rig = unstarted
    await rig.start()
    try:
        esme = await rig.bound()
        esme.answer = None
        await esme.ask(submit())
        await esme.until(lambda: len(esme.delivered) == 1)
        esme.answer = c.ESME_ROK
        for n in range(12):
            await esme.ask(submit(to=f"791600000{n:02d}"))
            await rig.until(
                lambda n=n: rig.smsc.counters.delivers_acknowledged == n + 2  # type: ignore[misc]
            )
        await esme.until(lambda: len(esme.delivered) == 5)
        assert rig.mailboxes._boxes["shop"]._in_hand == 5
        esme.connection.send(response_to(esme.delivered[0]), esme.loop.time())
        esme.flush()
        await esme.until(lambda: len(esme.delivered) == 13)
        await rig.until(lambda: rig.mailboxes._boxes["shop"]._in_hand == 0)
    finally:
        await rig.close()
