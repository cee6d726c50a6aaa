"""Receipts and inbound messages of the simulated operator."""

import time
from typing import cast

import pytest

from bench.smsc import Behaviour
from protocol import constants as c
from protocol.pdu import DataSm, DeliverSm, SubmitSmResp, Unbind, UnbindResp, encode, response_to
from protocol.receipt import Outcome, is_receipt, parse
from protocol.udh import parse as parse_udh
from tests.bench.conftest import Connect, Esme, Start, submit


async def _sent(esme: Esme, destination: str = "46700000001", **fields: object) -> str:
    response = cast(SubmitSmResp, await esme.ask(submit(destination, **fields)))
    assert response.command_status == c.ESME_ROK
    return response.message_id


async def test_a_receipt_names_the_message_both_ways_and_turns_the_addresses(start: Start) -> None:
    smsc, esme = await start()
    message_id = await _sent(
        esme, source_addr_ton=5, source_addr_npi=0, dest_addr_ton=1, dest_addr_npi=1
    )
    pdu = await esme.receipt()
    assert (pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr) == (1, 1, "46700000001")
    assert (pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr) == (5, 0, "ALDIS")
    assert pdu.esm_class == c.ESM_CLASS_DELIVERY_RECEIPT
    receipt = parse(pdu.short_message, pdu.tlvs)
    assert receipt is not None
    assert receipt.id == receipt.receipted_message_id == message_id
    assert (receipt.stat, receipt.dlvrd, receipt.err) == ("DELIVRD", "001", "000")
    assert receipt.message_state == Outcome.DELIVERED
    assert receipt.done_at() == pytest.approx(time.time() * 1e6, abs=120e6)
    await smsc.until(lambda: smsc.counters.delivers_acknowledged == 1)
    assert smsc.undelivered == 0


@pytest.mark.parametrize(("form", "text", "tlvs"), [("text", 1, 0), ("tlv", 0, 1), ("both", 1, 1)])
async def test_receipt_formats(start: Start, form: str, text: int, tlvs: int) -> None:
    _, esme = await start(receipt_format=form, receipts={"UNDELIV": 1.0})
    message_id = await _sent(esme)
    pdu = await esme.receipt()
    assert is_receipt(pdu.esm_class)
    receipt = parse(pdu.short_message, pdu.tlvs)
    assert receipt is not None
    assert receipt.ids == (message_id,)
    assert receipt.outcome is Outcome.UNDELIVERABLE
    assert bool(pdu.short_message) == bool(text)
    assert bool(pdu.tlvs) == bool(tlvs)


@pytest.mark.parametrize(
    ("id_form", "response", "receipt"),
    [
        ("dec", "1000000011", "1000000011"),
        ("hex", "3b9aca0b", "3b9aca0b"),
        ("upper_hex", "3B9ACA0B", "3B9ACA0B"),
        ("resp_hex_receipt_dec", "3b9aca0b", "1000000011"),
        ("resp_dec_receipt_hex", "1000000011", "3b9aca0b"),
        ("resp_hex_receipt_upper", "3b9aca0b", "3B9ACA0B"),
        ("receipt_padded", "1000000011", "00000000001000000011"),
        ("uuid", "00000000-3b9a-ca0b-0000-00003b9aca0b", "00000000-3b9a-ca0b-0000-00003b9aca0b"),
    ],
)
async def test_id_forms(start: Start, id_form: str, response: str, receipt: str) -> None:
    smsc, esme = await start(id_form=id_form)
    smsc.take_ids(10)
    assert await _sent(esme) == response
    pdu = await esme.receipt()
    parsed = parse(pdu.short_message, pdu.tlvs)
    assert parsed is not None
    assert parsed.ids == (receipt,)


async def test_receipts_come_as_wished_for(start: Start) -> None:
    smsc, esme = await start(receipt_of={"2": "REJECTD", "3": ""})
    for wish, destination in ((0, "1"), (2, "1"), (1, "3"), (2, "2"), (1, "1")):
        await _sent(esme, destination, registered_delivery=wish)
        if (wish, destination) in ((2, "2"), (1, "1")):
            assert (await esme.receipt()).source_addr == destination
    assert smsc.counters.receipts == 2


async def test_the_mix_of_receipts(start: Start) -> None:
    mix = {"DELIVRD": 0.6, "UNDELIV": 0.2, "EXPIRED": 0.1}
    smsc, esme = await start(receipts=mix)
    for _ in range(10):
        esme.send(*[submit() for _ in range(100)])
    stats: list[str | None] = []
    answered = 0
    while answered < 1000 or len(stats) < smsc.counters.receipts:
        pdu = await esme.read()
        if isinstance(pdu, DeliverSm):
            receipt = parse(pdu.short_message, pdu.tlvs)
            assert receipt is not None
            stats.append(receipt.stat)
            esme.send(response_to(pdu))
        else:
            answered += 1
    assert 550 < stats.count("DELIVRD") < 650
    assert 150 < stats.count("UNDELIV") < 250
    assert 60 < stats.count("EXPIRED") < 140
    assert len(stats) < 1000


async def test_enroute_comes_first(start: Start) -> None:
    _, esme = await start(enroute=True, receipt_delay=0.02)
    await _sent(esme)
    stats = []
    for _ in range(2):
        pdu = await esme.receipt()
        receipt = parse(pdu.short_message, pdu.tlvs)
        assert receipt is not None
        stats.append(receipt.stat)
    assert stats == ["ENROUTE", "DELIVRD"]


async def test_receipts_before_responses_and_after_them(start: Start) -> None:
    smsc, esme = await start(receipts_first=True, latency=0.02)
    receipt = await esme.ask(submit())
    assert isinstance(receipt, DeliverSm)
    assert isinstance(await esme.read(), SubmitSmResp)
    for latency, delay in ((0.0, 0.0), (0.02, 0.0), (0.0, 0.02), (0.01, 0.01)):
        smsc.behaviour = Behaviour(latency=latency, receipt_delay=delay)
        started = time.perf_counter()
        assert isinstance(await esme.ask(submit()), SubmitSmResp)
        assert isinstance(await esme.read(), DeliverSm)
        assert time.perf_counter() - started >= latency + delay


async def test_jitter_shuffles_receipts(start: Start) -> None:
    _, esme = await start(receipt_jitter=0.05, receipt_delay=0.001)
    esme.send(*[submit(str(n)) for n in range(100, 150)])
    for _ in range(50):
        assert isinstance(await esme.read(), SubmitSmResp)
    order = [(await esme.receipt()).source_addr for _ in range(50)]
    assert sorted(order) == [str(n) for n in range(100, 150)]
    assert sorted(order) != order


async def test_receipts_of_a_transmitter_go_to_any_receiver(start: Start, connect: Connect) -> None:
    smsc, transmitter = await start("tx")
    stranger, receiver = await connect(smsc), await connect(smsc)
    await stranger.bind("rx", system_id="other")
    message_id = await _sent(transmitter)
    assert smsc.undelivered == 1
    receiver.send()
    await receiver.bind("rx")
    pdu = await receiver.receipt()
    assert message_id.encode() in pdu.short_message
    await _sent(transmitter)
    assert isinstance(await receiver.receipt(), DeliverSm)
    assert isinstance(await stranger.ask(Unbind()), UnbindResp)


async def test_receipts_over_all_receivers_in_turn(start: Start, connect: Connect) -> None:
    smsc, first = await start(receipt_route="any")
    second = await connect(smsc)
    await second.bind()
    first.send(*[submit() for _ in range(20)])
    for _ in range(20):
        assert isinstance(await first.read(), SubmitSmResp)
    for esme in (first, second):
        for _ in range(10):
            await esme.receipt()
    await smsc.until(lambda: smsc.counters.delivers_acknowledged == 20)


async def test_the_window_of_a_bind_is_respected(start: Start) -> None:
    smsc, esme = await start(deliver_window=3)
    esme.send(*[submit() for _ in range(10)])
    for _ in range(10):
        assert isinstance(await esme.read(), SubmitSmResp)
    taken = [await esme.read() for _ in range(3)]
    assert smsc.counters.delivers_sent == 3
    assert smsc.undelivered == 10
    esme.send(response_to(taken[1]))
    taken.append(await esme.read())
    assert smsc.counters.delivers_sent == 4
    assert len({pdu.sequence_number for pdu in taken}) == 4


@pytest.mark.parametrize("resend", [True, False])
async def test_what_a_lost_bind_left_unacknowledged(
    start: Start, connect: Connect, resend: bool
) -> None:
    smsc, esme = await start(resend=resend)
    message_id = await _sent(esme)
    assert isinstance(await esme.read(), DeliverSm)
    esme.writer.transport.abort()
    await smsc.until(lambda: not smsc.sessions)
    again = await connect(smsc)
    await again.bind()
    if resend:
        assert message_id.encode() in (await again.receipt()).short_message
        assert smsc.counters.delivers_resent == 1
    else:
        assert isinstance(await again.ask(Unbind()), UnbindResp)
        assert smsc.counters.delivers_dropped == 1


async def test_a_restart_keeps_what_is_undelivered(start: Start, connect: Connect) -> None:
    smsc, esme = await start(receipt_delay=0.01)
    message_id = await _sent(esme)
    port = smsc.port
    await smsc.stop()
    await smsc.start()
    assert smsc.port == port
    again = await connect(smsc)
    await again.bind()
    assert message_id.encode() in (await again.receipt()).short_message


async def test_a_temporary_refusal_is_retried_a_permanent_one_is_not(start: Start) -> None:
    smsc, esme = await start(retry_after=0.01)
    await _sent(esme)
    first = await esme.read()
    esme.send(response_to(first, c.ESME_RX_T_APPN))
    second = await esme.read()
    assert isinstance(first, DeliverSm)
    assert isinstance(second, DeliverSm)
    assert second.short_message == first.short_message
    assert second.sequence_number != first.sequence_number
    esme.send(response_to(second, c.ESME_RX_R_APPN))
    await smsc.until(lambda: smsc.counters.delivers_refused == 2)
    assert smsc.undelivered == 0


async def test_an_inbound_message(start: Start) -> None:
    smsc, esme = await start()
    assert smsc.send_mo("46700000009", "1000", "STOP") == 1
    pdu = await esme.receipt()
    assert (pdu.source_addr, pdu.destination_addr) == ("46700000009", "1000")
    assert (pdu.short_message, pdu.data_coding, pdu.esm_class) == (b"STOP", 0, 0)
    await smsc.until(lambda: smsc.counters.inbound_acknowledged == 1)


async def test_an_inbound_message_in_parts_of_any_order(start: Start) -> None:
    smsc, esme = await start()
    text = "ж" * 200
    assert smsc.send_mo("46700000009", "1000", text, parts=(3, 1, 1)) == 3
    order, references = [], set()
    for _ in range(3):
        pdu = await esme.receipt()
        assert pdu.esm_class & c.ESM_CLASS_UDHI
        assert pdu.data_coding == 8
        header, _ = parse_udh(pdu.short_message)
        assert header.concat is not None
        order.append(header.concat.sequence)
        references.add((header.concat.reference, header.concat.total))
    assert order == [3, 1, 1]
    assert len(references) == 1
    assert smsc.send_mo("46700000009", "1000", text, mode="sar") == 3
    assert (await esme.receipt()).tlv(0x020E) == b"\x03"


async def test_inbound_messages_at_a_rate(start: Start) -> None:
    smsc, esme = await start(mo_rate=200, mo_text="hej")
    pdus = [await esme.receipt() for _ in range(20)]
    assert {pdu.short_message for pdu in pdus} == {b"hej"}
    assert len({pdu.source_addr for pdu in pdus}) == 20
    smsc.behaviour = Behaviour()
    assert smsc.counters.inbound >= 20


async def test_a_peer_that_does_not_read_gets_nothing_more(start: Start) -> None:
    smsc, esme = await start()
    (session,) = smsc.binds
    esme.reader._transport.pause_reading()  # type: ignore[attr-defined]
    large = DataSm(tlvs=((0x0424, bytes(60_000)),), sequence_number=7)
    session.send_octets(encode(large) * 400)  # 24 MB: more than loopback sockets buffer
    assert session.room == 0
    smsc.send_mo("46700000009", "1000", "later")
    assert smsc.counters.delivers_sent == 0
    esme.reader._transport.resume_reading()  # type: ignore[attr-defined]
    for _ in range(400):
        assert isinstance(await esme.read(), DataSm)
    assert (await esme.receipt()).short_message == b"later"
