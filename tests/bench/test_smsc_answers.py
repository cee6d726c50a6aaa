"""How the simulated operator answers binds and submits."""

import asyncio
import time

import pytest

from bench.smsc import SILENT, Behaviour, SimulatedSmsc
from protocol import constants as c
from protocol.address import Address
from protocol.pdu import (
    BindTransceiver,
    DataSm,
    DeliverSm,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    QuerySm,
    SubmitMulti,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    encode,
)
from tests.bench.conftest import Connect, Start, submit


async def test_bind_tells_the_interface_version_and_a_second_bind_is_refused(start: Start) -> None:
    smsc, esme = await start()
    again = await esme.bind()
    assert again.command_status == c.ESME_RALYBND
    assert smsc.counters.binds == 1
    assert smsc.counters.binds_refused == 1


async def test_credentials_are_checked(connect: Connect) -> None:
    async with SimulatedSmsc(Behaviour(credentials={"acme": "secret"})) as smsc:
        esme = await connect(smsc)
        assert (await esme.bind(system_id="other")).command_status == c.ESME_RINVSYSID
        refused = await esme.bind(system_id="acme", password="wrong")
        assert refused.command_status == c.ESME_RINVPASWD
        bound = await esme.bind(system_id="acme", password="secret")
        assert bound.command_status == c.ESME_ROK
        assert bound.tlv(0x0210) == b"\x34"


async def test_binds_are_refused_with_any_status_and_up_to_a_number(connect: Connect) -> None:
    async with SimulatedSmsc(Behaviour(refuse_bind=c.ESME_RSYSERR)) as smsc:
        first, second = await connect(smsc), await connect(smsc)
        assert (await first.bind()).command_status == c.ESME_RSYSERR
        smsc.behaviour = Behaviour(max_binds=1)
        assert (await first.bind()).command_status == c.ESME_ROK
        assert (await second.bind()).command_status == c.ESME_RBINDFAIL


async def test_a_silent_bind_is_only_seen(connect: Connect) -> None:
    async with SimulatedSmsc(Behaviour(bind_silence=True)) as smsc:
        esme = await connect(smsc)
        esme.send(BindTransceiver(system_id="esme"), EnquireLink())
        assert isinstance(await esme.read(), EnquireLinkResp)
        assert smsc.counters.binds == 0


async def test_submit_gets_an_id_and_is_recorded(start: Start) -> None:
    smsc, esme = await start()
    first = await esme.ask(submit(registered_delivery=0))
    second = await esme.ask(
        submit(
            "46700000002",
            registered_delivery=0,
            data_coding=8,
            short_message="Ж".encode("utf-16-be"),
        )
    )
    assert isinstance(first, SubmitSmResp)
    assert isinstance(second, SubmitSmResp)
    assert int(second.message_id) == int(first.message_id) + 1
    assert [(s.destination, s.text, s.message_id) for s in smsc.submits] == [
        ("46700000001", "Hello", first.message_id),
        ("46700000002", "Ж", second.message_id),
    ]
    assert smsc.submits[0].command_status == 0
    assert smsc.submits[0].parts == 1
    assert smsc.submits[0].system_id == "esme"


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
async def test_however_the_stream_is_cut_every_submit_is_answered_in_order(
    start: Start, size: int
) -> None:
    smsc, esme = await start(receipts={})
    pdus = [submit(f"4670000{n:04d}") for n in range(30)]
    for number, pdu in enumerate(pdus, 100):
        pdu.sequence_number = number
    octets = b"".join(map(encode, pdus))
    for at in range(0, len(octets), size):
        esme.writer.write(octets[at : at + size])
        await asyncio.sleep(0)
    assert [(await esme.read()).sequence_number for _ in pdus] == list(range(100, 130))
    assert [s.destination for s in smsc.submits] == [pdu.destination_addr for pdu in pdus]


async def test_submits_before_a_bind_and_on_a_receiver_are_refused(
    connect: Connect, start: Start
) -> None:
    smsc, _ = await start()
    unbound = await connect(smsc)
    assert (await unbound.ask(submit())).command_status == c.ESME_RINVBNDSTS
    assert (await unbound.bind("rx")).command_status == c.ESME_ROK
    assert (await unbound.ask(submit())).command_status == c.ESME_RINVBNDSTS
    assert smsc.counters.submits == 0


async def test_errors_come_by_destination_by_script_and_by_chance(start: Start) -> None:
    smsc, esme = await start(error_of={"666": c.ESME_RINVDSTADR}, receipts={})
    assert (await esme.ask(submit("666"))).command_status == c.ESME_RINVDSTADR
    smsc.script.extend([c.ESME_RSYSERR, c.ESME_ROK])
    assert (await esme.ask(submit())).command_status == c.ESME_RSYSERR
    assert (await esme.ask(submit())).command_status == c.ESME_ROK

    smsc.behaviour = Behaviour(errors={c.ESME_RSYSERR: 0.3, c.ESME_RINVSRCADR: 0.2}, receipts={})
    esme.send(*[submit() for _ in range(1000)])
    statuses = [(await esme.read()).command_status for _ in range(1000)]
    assert 250 < statuses.count(c.ESME_RSYSERR) < 350
    assert 150 < statuses.count(c.ESME_RINVSRCADR) < 250
    assert smsc.counters.statuses[c.ESME_RSYSERR] == 1 + statuses.count(c.ESME_RSYSERR)
    assert smsc.counters.accepted == 1 + statuses.count(c.ESME_ROK)


async def test_the_same_seed_gives_the_same_chances(start: Start) -> None:
    seen = []
    for _ in range(2):
        _, esme = await start(errors={c.ESME_RSYSERR: 0.5}, receipts={})
        esme.send(*[submit() for _ in range(100)])
        seen.append([(await esme.read()).command_status for _ in range(100)])
    assert seen[0] == seen[1]
    assert len({*seen[0]}) == 2


async def test_an_error_response_has_a_body_only_if_asked(start: Start) -> None:
    smsc, esme = await start(error_of={"666": c.ESME_RSYSERR}, receipts={})
    esme.send(submit("666"))
    assert (await esme.reader.readexactly(16))[:4] == b"\0\0\0\x10"
    smsc.behaviour = Behaviour(error_of={"666": c.ESME_RSYSERR}, response_body="always")
    esme.send(submit("666"))
    assert (await esme.reader.readexactly(17))[:4] == b"\0\0\0\x11"
    smsc.behaviour = Behaviour(response_body="never", receipts={})
    esme.send(submit())
    assert (await esme.reader.readexactly(16))[4:12] == b"\x80\0\0\x04\0\0\0\0"


async def test_the_rate_counts_over_all_binds(start: Start, connect: Connect) -> None:
    smsc, esme = await start(rate=10, receipts={})
    other = await connect(smsc)
    await other.bind()
    esme.send(*[submit() for _ in range(8)])
    statuses = [(await esme.read()).command_status for _ in range(8)]
    other.send(*[submit() for _ in range(8)])
    statuses += [(await other.read()).command_status for _ in range(8)]
    assert statuses[:10] == [c.ESME_ROK] * 10
    assert statuses[11:] == [c.ESME_RTHROTTLED] * 5  # one more may pass if this took 100 ms
    assert smsc.counters.throttled == statuses.count(c.ESME_RTHROTTLED)


async def test_what_does_not_fit_the_window_is_refused_at_once(start: Start) -> None:
    smsc, esme = await start(window=3, latency=0.05, receipts={})
    esme.send(*[submit() for _ in range(5)])
    first = [await esme.read() for _ in range(5)]
    refused = [pdu.sequence_number for pdu in first if pdu.command_status == c.ESME_RMSGQFUL]
    assert len(refused) == 2
    assert smsc.counters.queue_full == 2
    assert smsc.counters.window_peak == 5
    assert (await esme.ask(submit())).command_status == c.ESME_ROK


async def test_latency_holds_back_and_jitter_lets_responses_overtake(start: Start) -> None:
    smsc, esme = await start(latency=0.05, receipts={})
    started = time.perf_counter()
    await esme.ask(submit())
    assert time.perf_counter() - started >= 0.05
    smsc.behaviour = Behaviour(jitter=0.05, receipts={})
    esme.send(*[submit() for _ in range(50)])
    order = [(await esme.read()).sequence_number for _ in range(50)]
    assert sorted(order) != order
    assert len({*order}) == 50


async def test_silence_is_final_or_ends_late(start: Start) -> None:
    smsc, esme = await start(receipts={})
    smsc.stay_silent(1)
    esme.send(submit("1"), submit("2"))
    assert (await esme.read()).sequence_number == esme.sequence
    assert smsc.counters.silent == 1
    assert [s.command_status for s in smsc.submits] == [None, 0]

    smsc.behaviour = Behaviour(silence=1.0, late_after=0.03, receipts={})
    late = await esme.ask(submit("3"))
    assert late.command_status == c.ESME_ROK
    assert smsc.counters.late == 1
    assert smsc.submits[-1].message_id == late.message_id


async def test_the_script_knows_silence_too(start: Start) -> None:
    smsc, esme = await start(receipts={})
    smsc.script.extend([SILENT, c.ESME_RTHROTTLED])
    esme.send(submit(), submit())
    assert (await esme.read()).command_status == c.ESME_RTHROTTLED


async def test_hanging_up_leaves_the_last_submit_unanswered_and_the_rest_untaken(
    start: Start,
) -> None:
    smsc, esme = await start(disconnect_every=3, receipts={})
    esme.send(*[submit(str(n)) for n in range(1, 6)])
    assert [(await esme.read()).sequence_number for _ in range(2)] == [2, 3]
    with pytest.raises(asyncio.IncompleteReadError):
        await esme.read()
    assert [s.destination for s in smsc.submits] == ["1", "2", "3"]
    assert smsc.counters.cut == 1
    await smsc.until(lambda: not smsc.sessions)


async def test_hanging_up_by_chance(start: Start) -> None:
    smsc, esme = await start(disconnect=1.0, receipts={})
    esme.send(submit())
    with pytest.raises(asyncio.IncompleteReadError):
        await esme.read()
    assert smsc.counters.cut == smsc.counters.submits == 1


async def test_enquire_link_both_ways(start: Start) -> None:
    smsc, esme = await start(enquire_interval=0.01)
    assert isinstance(await esme.read(), EnquireLink)
    assert isinstance(await esme.read(), EnquireLink)
    smsc, esme = await start()
    assert isinstance(await esme.ask(EnquireLink()), EnquireLinkResp)
    smsc.behaviour = Behaviour(answer_enquire_link=False)
    esme.send(EnquireLink(), Unbind())
    assert isinstance(await esme.read(), UnbindResp)
    assert smsc.counters.enquire_links == 2


async def test_unbind_answers_what_is_owed_first(start: Start) -> None:
    _, esme = await start(latency=10.0, receipts={})
    esme.send(submit(), Unbind())
    assert isinstance(await esme.read(), SubmitSmResp)
    assert isinstance(await esme.read(), UnbindResp)
    with pytest.raises(asyncio.IncompleteReadError):
        await esme.read()


async def test_other_requests(start: Start) -> None:
    smsc, esme = await start()
    data = await esme.ask(DataSm(destination_addr="46700000001", registered_delivery=1))
    assert data.message_id
    receipt = await esme.receipt()
    assert receipt.source_addr == "46700000001"
    multi = SubmitMulti(
        dest_address=(Address(1, 1, "1"), Address(1, 1, "2")), registered_delivery=1
    )
    assert (await esme.ask(multi)).command_status == c.ESME_ROK
    assert [(await esme.receipt()).source_addr for _ in "12"] == ["1", "2"]
    assert (await esme.ask(QuerySm(message_id="1"))).command_status == c.ESME_RQUERYFAIL
    assert (await esme.ask(DeliverSm())).command_status == c.ESME_RINVCMDID
    assert smsc.counters.accepted == 2


async def test_nonsense_is_answered_and_lost_framing_closes(start: Start) -> None:
    smsc, esme = await start()
    esme.writer.write(bytes.fromhex("00000010 0000abcd 00000000 00000007"))
    nack = await esme.read()
    assert (nack.command_status, nack.sequence_number) == (c.ESME_RINVCMDID, 7)
    esme.writer.write(bytes.fromhex("00000014 00000004 00000000 00000008 00010141"))
    assert (await esme.read()).command_status != c.ESME_ROK
    esme.writer.write(b"GET / HTTP/1.1\r\n\r\n")
    nack = await esme.read()
    assert isinstance(nack, GenericNack)
    assert nack.command_status == c.ESME_RINVCMDLEN
    with pytest.raises(asyncio.IncompleteReadError):
        await esme.read()
    assert smsc.counters.malformed == 3
