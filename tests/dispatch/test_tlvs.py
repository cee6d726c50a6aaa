"""What a submission asks for in TLVs, and what a carrier makes of it."""

from typing import Any

import pytest

from config.settings import CarrierTlv, Route, RouteCarrier
from gateway.model import Status
from gateway.store.messages import Outcome, Tlv
from protocol.pdu import SubmitSm
from tests.dispatch.conftest import Smsc, Start, carrier, settings
from tests.dispatch.test_encode import content, encoder, leased, pdus, refusal

DLT = {
    "dlt_entity_id": CarrierTlv(tag="0x1400", required=True),
    "dlt_template_id": CarrierTlv(tag="0x1401", kind="c-octet"),
    "route": CarrierTlv(tag="0x1500", kind="integer", octets=2, value="7"),
}
ENTITY = Tlv("dlt_entity_id", "1101456789012345678")


def tlvs_of(*asked: Tlv, text: str = "Hello", **changes: Any) -> list[SubmitSm]:
    return pdus(encoder(tlvs=DLT, **changes), leased(), content(text, tlvs=asked))


def test_names_are_bound_to_the_carriers_tags_and_kinds() -> None:
    (pdu,) = tlvs_of(ENTITY, Tlv("dlt_template_id", "1107"), Tlv("route", "0x102"))
    assert pdu.tlvs == (
        (0x1400, b"1101456789012345678"),
        (0x1401, b"1107\0"),
        (0x1500, b"\x01\x02"),
    )


def test_a_constant_stands_in_for_what_is_not_given() -> None:
    (pdu,) = tlvs_of(ENTITY)
    assert pdu.tlvs == ((0x1400, b"1101456789012345678"), (0x1500, b"\0\7"))


def test_a_tag_goes_as_given_and_counts_as_the_name_it_has_here() -> None:
    (pdu,) = tlvs_of(Tlv("0x1400", "00ff", True), Tlv("0x3fFF", "ü"), Tlv("0x0204", "5"))
    assert pdu.tlvs == ((0x1400, b"\0\xff"), (0x3FFF, "ü".encode()), (0x0204, b"\0\5"),
                        (0x1500, b"\0\7"))  # fmt: skip


def test_every_part_carries_them_behind_its_own() -> None:
    parts = tlvs_of(ENTITY, text="0123456789" * 20, long_message="sar")
    assert len(parts) == 2
    assert all([tag for tag, _ in pdu.tlvs][-2:] == [0x1400, 0x1500] for pdu in parts)
    assert [pdu.tlv(0x020F) for pdu in parts] == [b"\1", b"\2"]


@pytest.mark.parametrize(
    "asked",
    [
        (),
        (Tlv("campaign_id", "x"),),
        (ENTITY, Tlv("route", "seven")),
        (ENTITY, Tlv("route", "65536")),
        (Tlv("dlt_entity_id", "0f1", True),),
        (ENTITY, Tlv("dlt_template_id", "a\0b")),
    ],
    ids=["none", "only another", "no number", "too large", "half an octet", "NUL"],
)  # fmt: skip
def test_a_message_this_carrier_cannot_take_is_refused(asked: tuple[Tlv, ...]) -> None:
    what = content("Hello {{n}}", tlvs=asked, templated=True)
    assert refusal(encoder(tlvs=DLT), leased(vars='{"n":"1"}'), what) == "missing_tlv"


def test_names_nobody_has_are_counted_once_a_content() -> None:
    encode = encoder()
    what = content("Hello", tlvs=(Tlv("a", "1"), Tlv("b", "2"), Tlv("0x1400", "3")))
    for number in range(3):
        (pdu,) = pdus(encode, leased(46700000001 + number), what)
        assert pdu.tlvs == ((0x1400, b"3"),)
    assert encode.take_unknown_tlvs() == 2
    assert encode.take_unknown_tlvs() == 0


def test_the_texts_of_a_template_carry_them_too() -> None:
    what = content("Code {{n}}", templated=True, tlvs=(ENTITY,))
    messages = [leased(46700000000 + n, vars=f'{{"n":"{n}"}}') for n in range(3)]
    ready, _ = encoder(tlvs=DLT).encode(messages, {1: what}, messages[0].created)
    tail = bytes.fromhex("14000013") + b"1101456789012345678" + bytes.fromhex("150000020007")
    assert all(b"".join(each.bodies[0]).endswith(tail) for each in ready)


async def test_the_next_carrier_takes_what_lacks_a_tlv_here(smsc: Smsc, start: Start) -> None:
    strict, easy = await smsc(), await smsc()
    ranked = (RouteCarrier(name="op1", rank=0), RouteCarrier(name="op2", rank=1))
    world = await start(
        settings(
            carrier("op1", strict, tlvs=DLT),
            carrier("op2", easy),
            routes=[Route(name="main", carriers=ranked)],
        )
    )
    await world.store.put([46700000001])
    await world.store.sent(1)
    moved, sent = world.store.results
    assert (moved.outcome, moved.lane, moved.reason) == (
        Outcome.RETRY, "main/bulk/op1", "missing_tlv",
    )  # fmt: skip
    assert sent.carrier == "op2"
    assert strict.counters.submits == 0


async def test_without_a_next_carrier_it_fails_with_its_reason(smsc: Smsc, start: Start) -> None:
    strict = await smsc()
    world = await start(settings(carrier("op1", strict, tlvs=DLT)))
    (message,) = await world.store.put([46700000001])
    await world.store.until(lambda: bool(world.store.results))
    (view,) = await world.store.messages(None, [message])
    assert view is not None
    assert (view.status, view.reason) == (Status.FAILED, "missing_tlv")
    labels = {"lane": "main/bulk", "outcome": "failed", "reason": "missing_tlv"}
    assert world.metric("aldis_messages_settled_total", carrier="op1", **labels) == 1
