"""The customers of the load bench: what they send, and that they notice what is wrong."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from bench.esme import Crowd, Feed
from bench.esme.ledger import Ledger
from bench.esme.visits import Visits
from bench.load.messages import TEXTS, number
from bench.load.smpp_site import complete
from protocol import constants as c
from protocol.pdu import DeliverSm, EnquireLink, SubmitSm, SubmitSmResp, decode, encode, response_to


def receipt(identifier: bytes, stat: bytes = b"DELIVRD") -> bytes:
    return b"id:%b sub:001 dlvrd:001 submit date:1 done date:2 stat:%b err:000" % (identifier, stat)


def test_every_id_wants_one_receipt() -> None:
    ledger = Ledger()
    ledger.accepted([(b"1", 10.0), (b"2", 10.5)])
    ledger.receipts([receipt(b"1"), receipt(b"2", b"UNDELIV")], 11.0)
    assert list(ledger.receipt_delays) == [1.0, 0.5]
    assert ledger.stats == {"DELIVRD": 1, "UNDELIV": 1}
    assert (ledger.unknown, ledger.repeated, ledger.same_ids, ledger.malformed) == (0, 0, 0, 0)
    ledger.receipts([receipt(b"1")], 12.0)
    ledger.accepted([(b"2", 11.0)])
    ledger.receipts([b"hello", b"id:7"], 12.0)
    assert (ledger.repeated, ledger.same_ids, ledger.malformed) == (1, 1, 2)


def test_a_receipt_may_overtake_its_response_and_no_more() -> None:
    ledger = Ledger()
    ledger.receipts([receipt(b"1"), receipt(b"2")], 11.0)
    assert ledger.unknown == 2
    ledger.receipts([receipt(b"1")], 11.5)
    assert ledger.repeated == 1
    ledger.accepted([(b"1", 10.0)])
    assert list(ledger.receipt_delays) == [1.0]
    assert ledger.unknown == 1
    ledger.receipts([receipt(b"1")], 12.0)
    assert ledger.repeated == 2


def submits(bodies: Iterator[bytes]) -> list[SubmitSm]:
    found = []
    for body in bodies:
        head = b"".join(value.to_bytes(4, "big") for value in (16 + len(body), c.SUBMIT_SM, 0, 1))
        pdu = decode(head + body)
        assert isinstance(pdu, SubmitSm)
        found.append(pdu)
    return found


@pytest.mark.parametrize("templated", [False, True])
def test_a_feed_makes_submits_until_it_is_empty(templated: bool) -> None:
    feed = Feed(5, first=3, templated=templated)
    pdus = submits(feed.take(3)) + submits(feed.take(9))
    assert feed.left == 0
    assert [pdu.destination_addr for pdu in pdus] == [number(n)[1:] for n in range(3, 8)]
    assert {(pdu.source_addr, pdu.registered_delivery) for pdu in pdus} == {("ACME", 1)}
    texts = [pdu.short_message.decode() for pdu in pdus]
    if templated:
        assert len({*texts}) == 5
        assert texts[0] == "Hello Dmitri, parcel 3 is waiting at the station until Friday."
    else:
        assert {*texts} == {TEXTS["fixed", "gsm"]}


class Gateway:
    """A server whose every answer is written by the test."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = (
            asyncio.Queue()
        )

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.came.put((reader, writer))


@pytest.fixture
async def gateway() -> AsyncIterator[tuple[Gateway, int]]:
    made = Gateway()
    server = await asyncio.start_server(made.accept, "127.0.0.1", 0)
    yield made, server.sockets[0].getsockname()[1]
    server.close()


async def read(reader: asyncio.StreamReader) -> object:
    async with asyncio.timeout(5):
        length = await reader.readexactly(4)
        return decode(length + await reader.readexactly(int.from_bytes(length, "big") - 4))


async def test_a_bind_keeps_its_window_and_answers(gateway: tuple[Gateway, int]) -> None:
    server, port = gateway
    crowd = Crowd(port, Feed(5), window=2)
    crowd.bind()
    reader, writer = await server.came.get()
    bind = await read(reader)
    writer.write(encode(response_to(bind)))  # type: ignore[arg-type]
    writer.write(encode(EnquireLink(sequence_number=77)))
    assert (await read(reader)).sequence_number == 77  # type: ignore[attr-defined]
    assert crowd.statistics()["bound"] == 1
    crowd.start()
    sent = [await read(reader), await read(reader)]
    for place in range(5):
        pdu = sent[place]
        assert isinstance(pdu, SubmitSm)
        response = SubmitSmResp(message_id=str(place), sequence_number=pdu.sequence_number)
        text = receipt(b"%d" % place)
        octets = encode(response) + encode(DeliverSm(short_message=text, sequence_number=place + 1))
        writer.write(octets[:20])  # cut anywhere
        await writer.drain()
        writer.write(octets[20:])
        for _ in range(2 if place < 3 else 1):  # the acknowledgement, and the next submit
            pdu = await read(reader)
            if isinstance(pdu, SubmitSm):
                sent.append(pdu)
            else:
                assert pdu.sequence_number == place + 1  # type: ignore[attr-defined]
    stats = crowd.statistics()
    assert complete(stats, 5)
    # A response to nothing, and a receipt for nothing.
    writer.write(encode(SubmitSmResp(message_id="9", sequence_number=999)))
    writer.write(encode(DeliverSm(short_message=receipt(b"x"), sequence_number=9)))
    await read(reader)
    stats = crowd.statistics()
    assert (stats["unexpected"], stats["receipts_unknown"]) == (1, 1)
    assert not complete(stats, 5)
    await crowd.stop()
    writer.close()


async def test_visitors_come_and_go(gateway: tuple[Gateway, int]) -> None:
    server, port = gateway
    visits = Visits(port, 1_000.0, 0.004, "esme0")
    visits.start()
    for _ in range(4):
        reader, writer = await server.came.get()
        octets = b""
        with contextlib.suppress(ConnectionResetError):
            octets = await reader.read(1_000)
        if octets.startswith(b"GET"):
            writer.close()
        elif octets:
            pdu = decode(octets)
            if pdu.system_id == "esme0":  # type: ignore[attr-defined]
                writer.write(encode(response_to(pdu)))
                assert await reader.read() == b""
        writer.close()
    await visits.stop()
    counts = visits.statistics()
    assert (counts["visits"], counts["visits_bound"], counts["visits_refused"]) == (4, 1, 0)
    assert visits.figures()["bind_ms"]["max"] > 0
