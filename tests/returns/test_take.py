"""Real deliver_sm on their way into a real store: matched, parked, learnt, stored, or refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from config.settings import Account, Carrier, StoreSettings
from gateway.errors import StoreUnavailable
from gateway.metrics import INBOUND, RECEIPT_DELAY, RECEIPTS, RETURNS_REFUSED, Metrics, Row
from gateway.model import OnUnknown, Status
from gateway.returns import Returns
from gateway.store.messages import Content, Demand, Leased, NewMessage, Outcome, Settled, Submission
from gateway.store.records import MessageView
from gateway.store.sqlite import SqliteStore
from protocol import constants as c
from protocol.pdu import AlertNotification, DataSm, DeliverSm, Pdu, SubmitSm
from protocol.receipt import Outcome as State
from protocol.receipt import build, build_tlvs
from protocol.segment import frame, segment

START = 1_800_000_000_000_000
SECOND = 1_000_000


class World:
    """A store on a file, what reads into it, and a clock that moves when told."""

    def __init__(self, path: Path) -> None:
        self.now = START
        self.metrics = Metrics()
        settings = StoreSettings(path=str(path / "aldis.db"), synchronous="NORMAL")
        self.store = SqliteStore(settings, 0, self.metrics, lambda: self.now, strict=True)
        self.returns: Returns

    async def start(self, **carrier: str) -> None:
        """Returns as after a start of the gateway: what was learnt is known from the store."""
        self.returns = Returns(self.store, self.metrics, lambda: self.now)
        await self.apply(**carrier)

    async def apply(self, **carrier: str) -> None:
        carriers = [Carrier(name="op1", **carrier), Carrier(name="op2")]  # type: ignore[arg-type]
        await self.returns.apply(carriers, [Account(name="shop", inbound_numbers=("+1000",))])

    async def leased(self, count: int, parts: int = 1) -> list[Leased]:
        """Messages on their way to op1."""
        content, *ids = self.store.new_ids(count + 1, self.now)
        messages = [
            NewMessage(i, 79160000000 + n, "main/bulk", Status.QUEUED, self.now,
                       self.now + 3600 * SECOND, parts, 0)
            for n, i in enumerate(ids)
        ]  # fmt: skip
        await self.store.accept(
            [Submission(Content(content, "shop", "ACME", "hello", "service"), messages)]
        )
        lease = await self.store.lease([Demand("op1", ["main/bulk"], count * parts)], self.now)
        return lease.taken[0]

    async def answer(self, messages: Sequence[Leased], *operator_ids: str) -> None:
        """The operator takes messages and calls them so (all ids one message's, if it is one)."""
        each = [operator_ids] if len(messages) == 1 else [(own,) for own in operator_ids]
        await self.store.settle([
            Settled(message, "op1", Outcome.SENT, self.now, Status.SENT, own)
            for message, own in zip(messages, each, strict=True)
        ])  # fmt: skip

    async def sent(self, *operator_ids: str) -> list[int]:
        """Messages the operator calls so; returns our ids of them."""
        messages = await self.leased(len(operator_ids))
        await self.answer(messages, *operator_ids)
        return [message.id for message in messages]

    async def take(self, *pdus: Pdu, carrier: str = "op1") -> list[int]:
        return await self.returns.take(carrier, pdus)

    async def view(self, message: int) -> MessageView:
        (view,) = await self.store.messages("shop", [message])
        assert view is not None
        return view

    async def statuses(self, ids: Sequence[int]) -> list[str]:
        return [Status((await self.view(one)).status).public for one in ids]

    def metric(self, row: Row, *labels: str, suffix: str = "") -> float:
        names = dict(zip(row.labels, labels, strict=True))
        return self.metrics.registry.get_sample_value(row.name + suffix, names) or 0.0


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.store.open(lambda carrier, category: OnUnknown.RESEND, world.now)
    await world.start()
    yield world
    await world.store.close()


def receipt(
    operator_id: str, state: State = State.DELIVERED, err: str = "000", form: str = "both"
) -> DeliverSm:
    text = build(
        operator_id, state, submit_date="2701150800", done_date="2701150801", err=err, text="hello"
    )
    return DeliverSm(
        source_addr="79160000000",
        destination_addr="ACME",
        esm_class=c.ESM_CLASS_DELIVERY_RECEIPT,
        short_message=b"" if form == "tlv" else text,
        tlvs=() if form == "text" else build_tlvs(operator_id, state),
    )


def reply(text: str, to: str = "1000", source: str = "79160000000") -> list[Pdu]:
    return [
        DeliverSm(
            source_addr=source,
            destination_addr=to,
            esm_class=esm_class,
            data_coding=segments.data_coding,
            short_message=short_message,
            tlvs=tlvs,
        )
        for segments in [segment(text)]
        for esm_class, short_message, tlvs in frame(segments, 7)
    ]


@pytest.mark.parametrize("form", ["text", "tlv", "both"])
async def test_a_read_of_receipts_ends_its_messages(world: World, form: str) -> None:
    await world.start(message_id="dec")
    ids = await world.sent("101", "102", "103")
    world.now += 3 * SECOND
    statuses = await world.take(
        receipt("102", State.UNDELIVERABLE, "001", form),
        receipt("0101", form=form),
        receipt("103", State.ENROUTE, form=form),
    )
    assert statuses == [c.ESME_ROK] * 3
    assert await world.statuses(ids) == ["delivered", "undelivered", "sent"]
    failed = await world.view(ids[1])
    code = None if form == "tlv" else "001"
    assert (failed.reason, failed.carrier_code, failed.updated) == (
        "network_error", code, START + 3 * SECOND
    )  # fmt: skip
    for state in ("DELIVRD", "UNDELIV", "ENROUTE"):
        assert world.metric(RECEIPTS, "op1", state, "matched") == 1
        assert world.metric(RECEIPTS, "op1", state, "parked") == 0
    assert world.metric(RECEIPT_DELAY, "op1", suffix="_sum") == 9


async def test_the_parts_of_a_message_end_it_together(world: World) -> None:
    (message,) = await world.leased(1, parts=2)
    await world.answer([message], "1", "2")
    await world.take(receipt("2", State.EXPIRED))
    assert await world.statuses([message.id]) == ["sent"]
    await world.take(receipt("1"), receipt("1", State.REJECTED))
    assert await world.statuses([message.id]) == ["expired"]


async def test_of_two_receipts_in_one_read_the_first_final_one_counts(world: World) -> None:
    ids = await world.sent("1", "2")
    await world.take(
        receipt("2"), receipt("1", State.ENROUTE), receipt("1", State.UNDELIVERABLE), receipt("1")
    )
    assert await world.statuses(ids) == ["undelivered", "delivered"]


async def test_a_receipt_before_its_response_is_taken_and_waits(world: World) -> None:
    first, second = await world.leased(2)
    await world.answer([first], "1")
    assert await world.take(receipt("2", State.EXPIRED, "027"), receipt("1")) == [0, 0]
    assert await world.statuses([first.id, second.id]) == ["delivered", "sending"]
    assert world.metric(RECEIPTS, "op1", "EXPIRED", "parked") == 1
    assert world.metric(RECEIPTS, "op1", "EXPIRED", "matched") == 0
    assert world.metric(RECEIPTS, "op1", "DELIVRD", "matched") == 1
    assert world.metric(RECEIPT_DELAY, "op1", suffix="_count") == 1
    await world.answer([second], "2")
    assert await world.statuses([second.id]) == ["expired"]
    assert (await world.view(second.id)).carrier_code == "027"


async def test_a_receipt_of_another_carrier_is_another_message(world: World) -> None:
    ids = await world.sent("1")
    await world.take(receipt("1"), carrier="op2")
    assert await world.statuses(ids) == ["sent"]
    assert world.metric(RECEIPTS, "op2", "DELIVRD", "parked") == 1


async def test_either_of_two_ids_in_one_receipt_matches(world: World) -> None:
    await world.start(message_id="as_is")
    ids = await world.sent("7", "8")
    both = receipt("7", form="text")
    both.tlvs = build_tlvs("ff", State.DELIVERED)
    other = receipt("ee", form="text")
    other.tlvs = build_tlvs("8", State.DELIVERED)
    await world.take(both, other)
    assert await world.statuses(ids) == ["delivered", "delivered"]


async def test_what_cannot_be_read_is_taken_and_counted(world: World) -> None:
    ids = await world.sent("1")
    texts = (b"hello", b"stat:DELIVRD err:000", b"id:1 stat:BADSTAT", b"", b"\xff\0\xfe")
    unreadable = [DeliverSm(esm_class=4, short_message=text) for text in texts]
    assert await world.take(*unreadable, receipt("1")) == [c.ESME_ROK] * 6
    assert world.metric(RECEIPTS, "op1", "unreadable", "ignored") == len(texts)
    assert await world.statuses(ids) == ["delivered"]


async def test_an_id_of_nothing_is_parked_and_matches_nothing(world: World) -> None:
    await world.sent("1")
    assert await world.take(DeliverSm(esm_class=4, short_message=b"id:\0 stat:DELIVRD")) == [0]
    assert world.metric(RECEIPTS, "op1", "DELIVRD", "parked") == 1


async def test_the_form_of_ids_is_learnt_and_survives_a_restart(world: World) -> None:
    numbers = range(5000, 5020)
    ids = await world.sent(*(f"{number:x}" for number in numbers))
    assert world.returns.learnt_forms() == {"op1": None, "op2": None}
    await world.take(*(receipt(str(number)) for number in numbers[:5]))
    assert world.returns.learnt_forms()["op1"] is None
    await world.take(*(receipt(str(number)) for number in numbers[5:]))
    assert await world.statuses(ids) == ["delivered"] * 20
    learnt = {"op1": "resp_hex_receipt_dec", "op2": None}
    assert world.returns.learnt_forms() == learnt

    await world.apply()  # a reload that changes nothing forgets nothing
    assert world.returns.learnt_forms() == learnt
    await world.start()
    assert world.returns.learnt_forms() == learnt
    (more,) = await world.sent("1a")
    await world.take(receipt("26"))
    assert await world.statuses([more]) == ["delivered"]

    # A carrier that has changed its centre: what matches nothing any more puts it in question.
    await world.take(*(receipt(f"{number:x}") for number in range(0xA000, 0xA020)))
    assert world.returns.learnt_forms()["op1"] is None
    await world.start()
    assert world.returns.learnt_forms()["op1"] is None


async def test_a_carrier_that_is_removed_is_heard_to_the_end(world: World) -> None:
    ids = await world.sent("1")
    await world.returns.apply([Carrier(name="op2")], [])
    assert await world.take(receipt("1")) == [c.ESME_ROK]
    assert await world.statuses(ids) == ["delivered"]


async def test_what_matches_nothing_teaches_nothing(world: World) -> None:
    await world.sent("1")
    await world.take(*(receipt(str(number)) for number in range(5000, 5020)))
    assert world.returns.learnt_forms()["op1"] is None


async def test_a_reload_that_leaves_a_carrier_alone_keeps_what_was_seen(world: World) -> None:
    numbers = range(5000, 5008)
    await world.sent(*(f"{number:x}" for number in numbers))
    await world.take(*(receipt(str(number)) for number in numbers[:5]))
    await world.apply()
    await world.take(*(receipt(str(number)) for number in numbers[5:]))
    assert world.returns.learnt_forms()["op1"] == "resp_hex_receipt_dec"
    await world.apply(message_id="hex")
    assert world.returns.learnt_forms()["op1"] == "hex"


async def test_while_the_form_is_learnt_a_parked_receipt_matches_in_any(world: World) -> None:
    (message,) = await world.leased(1)
    await world.take(receipt("5000"))
    await world.answer([message], "1388")
    assert await world.statuses([message.id]) == ["delivered"]


async def test_two_lists_at_once_learn_once(world: World) -> None:
    numbers = range(5000, 5040)
    ids = await world.sent(*(f"{number:x}" for number in numbers))
    await asyncio.gather(
        world.take(*(receipt(str(number)) for number in numbers[:20])),
        world.take(*(receipt(str(number)) for number in numbers[20:])),
    )
    assert await world.statuses(ids) == ["delivered"] * 40
    assert world.returns.learnt_forms()["op1"] == "resp_hex_receipt_dec"


async def test_replies_are_stored_and_joined(world: World) -> None:
    (message,) = await world.sent("1")
    long = reply("Long " * 40)
    assert len(long) == 2
    world.now += SECOND
    statuses = await world.take(*reply("STOP"), long[1], receipt("1"), *reply("Hi", to="2000"))
    assert statuses == [c.ESME_ROK] * 4
    assert world.metric(INBOUND, "op1", "stored") == 3
    assert world.metric(INBOUND, "op1", "complete") == 2
    await world.take(long[0])
    replies = await world.store.inbound_messages("shop", 10)
    told = {one.text: (one.account, one.in_reply_to, one.destination) for one in replies}
    assert told == {
        "STOP": ("shop", message, "1000"),
        "Hi": ("shop", message, "2000"),  # nobody's number: the last sender's
        "Long " * 40: ("shop", message, "1000"),
    }
    assert await world.statuses([message]) == ["delivered"]


async def test_data_sm_is_read_like_deliver_sm(world: World) -> None:
    ids = await world.sent("1")
    told = DataSm(esm_class=4, tlvs=build_tlvs("1", State.DELIVERED))
    said = DataSm(source_addr="79160000000", destination_addr="1000", tlvs=((0x0424, b"Hi"),))
    assert await world.take(told, said) == [0, 0]
    assert await world.statuses(ids) == ["delivered"]
    assert world.metric(INBOUND, "op1", "complete") == 1


async def test_a_receipt_of_an_operator_that_leaves_esm_class_alone(world: World) -> None:
    ids = await world.sent("1")
    bare = receipt("1")
    bare.esm_class = 0
    await world.take(bare)
    assert await world.statuses(ids) == ["delivered"]
    assert world.metric(INBOUND, "op1", "stored") == 0


async def test_an_alert_needs_nothing_and_other_requests_are_refused(world: World) -> None:
    ids = await world.sent("1")
    statuses = await world.take(AlertNotification(source_addr="1"), SubmitSm(), receipt("1"))
    assert statuses == [c.ESME_ROK, c.ESME_RINVCMDID, c.ESME_ROK]
    assert world.metric(RETURNS_REFUSED, "op1", "ESME_RINVCMDID") == 1
    assert await world.statuses(ids) == ["delivered"]


@pytest.mark.parametrize("pdus", [lambda: [receipt("1")], lambda: reply("Hi")])
async def test_what_could_not_be_stored_is_no_success(
    world: World, pdus: Callable[[], list[Pdu]]
) -> None:
    await world.store.close()
    with pytest.raises(StoreUnavailable):
        await world.take(*pdus())
    assert world.metric(RECEIPTS, "op1", "DELIVRD", "matched") == 0
    assert world.metric(RECEIPTS, "op1", "DELIVRD", "parked") == 0
    assert world.metric(INBOUND, "op1", "stored") == 0
