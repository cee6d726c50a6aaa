"""An SMPP customer's own parts leave as they came."""

import pytest

from config.settings import CarrierTlv
from gateway.model import Encoding, Status
from gateway.store.messages import Content, NewMessage, RawPart, Submission, Tlv
from protocol import gsm7
from tests.dispatch.conftest import Smsc, Start, carrier, settings, utc_now
from tests.dispatch.test_encode import content, encoder, leased, pdus, refusal

HEADER = bytes.fromhex("050003a70201"), bytes.fromhex("050003a70202")
TEXT = "pris 5 @ Åre", "och så vidare"
PARTS = tuple(
    RawPart(7, 0x40, 0, 0, header + (gsm7.encode(text) or b""))
    for header, text in zip(HEADER, TEXT, strict=True)
)


def test_parts_keep_order_reference_and_everything_of_the_customers() -> None:
    raw = (
        RawPart(0, 0x43, 4, 0x41, HEADER[0] + b"\1\2", ((0x0204, b"\0\7"),)),
        RawPart(8, 0x40, 0xF5, 0, HEADER[1] + b"\3"),
    )
    found = pdus(encoder(), leased(), content("", raw=raw))
    assert [pdu.short_message for pdu in found] == [part.payload for part in raw]
    assert [pdu.data_coding for pdu in found] == [4, 0xF5]
    assert [pdu.protocol_id for pdu in found] == [0x41, 0]
    assert [pdu.esm_class for pdu in found] == [0x40, 0x40], "the mode is ours"
    assert [pdu.tlvs for pdu in found] == [((0x0204, b"\0\7"),), ()]
    assert {pdu.source_addr for pdu in found} == {"ALDIS"}
    assert {(pdu.validity_period, pdu.registered_delivery) for pdu in found} == {
        ("000000010000000R", 1)
    }


def test_the_message_type_is_the_customers() -> None:
    (pdu,) = pdus(encoder(), leased(), content("", raw=(RawPart(0, 0x08 | 0x83, 0, 0, b"x"),)))
    assert pdu.esm_class == 0x08


def test_a_payload_leaves_as_it_came_and_a_long_one_always() -> None:
    raw = (RawPart(0, 0, 4, 0, b"\0" * 20, as_payload=True),)
    (pdu,) = pdus(encoder(), leased(), content("", raw=raw))
    assert (pdu.short_message, pdu.tlv(0x0424)) == (b"", b"\0" * 20)
    (pdu,) = pdus(encoder(), leased(), content("", raw=(RawPart(0, 0, 4, 0, b"\1" * 300),)))
    assert (pdu.short_message, pdu.tlv(0x0424)) == (b"", b"\1" * 300)


def test_the_contents_tlvs_and_the_carriers_join_the_customers_own() -> None:
    raw = (
        RawPart(0, 0, 4, 0, b"\1", ((0x1400, b"theirs"), (0x020C, b"\0\1"))),
        RawPart(0, 0, 4, 0, b"\2", ((0x020C, b"\0\1"),)),
    )
    own = {
        "pe": CarrierTlv(tag="0x1400", required=True, value="ours"),
        "extra": CarrierTlv(tag="0x1401"),
    }
    asked = (Tlv("extra", "e"), Tlv("nobody", "x"))
    encode = encoder(tlvs=own)
    first, second = pdus(encode, leased(), content("", raw=raw, tlvs=asked))
    assert first.tlvs == ((0x1400, b"theirs"), (0x020C, b"\0\1"), (0x1401, b"e"))
    assert second.tlvs == ((0x020C, b"\0\1"), (0x1401, b"e"), (0x1400, b"ours"))
    assert encode.take_unknown_tlvs() == 1, "of the content, not of its parts"


def test_a_demanded_tlv_may_come_with_the_parts() -> None:
    demanding = {"pe": CarrierTlv(tag="0x1400", required=True)}
    given = RawPart(0, 0, 4, 0, b"\1", ((0x1400, b"1"),))
    (pdu,) = pdus(encoder(tlvs=demanding), leased(), content("", raw=(given,)))
    assert pdu.tlvs == ((0x1400, b"1"),)
    bare = (given, RawPart(0, 0, 4, 0, b"\1"))
    assert refusal(encoder(tlvs=demanding), leased(), content("", raw=bare)) == "missing_tlv"


@pytest.mark.parametrize("mapped", [{}, {"gsm": 3}])
def test_text_is_respelt_for_another_default_alphabet(mapped: dict[str, int]) -> None:
    encode = encoder(alphabet="latin1", data_coding=mapped)
    found = pdus(encode, leased(), content("".join(TEXT), raw=PARTS))
    assert [pdu.short_message for pdu in found] == [
        header + text.encode("latin-1") for header, text in zip(HEADER, TEXT, strict=True)
    ]
    assert {pdu.data_coding for pdu in found} == {mapped.get("gsm", 0)}
    same = pdus(encoder(data_coding=mapped), leased(), content("".join(TEXT), raw=PARTS))
    assert [pdu.short_message for pdu in same] == [part.payload for part in PARTS]


@pytest.mark.parametrize(
    ("part", "alphabet"),
    [
        (RawPart(0, 0, 0, 0, gsm7.encode("Δ 5") or b""), "latin1"),
        (RawPart(0, 0, 0, 0, gsm7.encode("å") or b""), "ascii"),
        (RawPart(0, 0, 0, 0, b"caf\xe9"), "latin1"),
        (RawPart(0, 0, 0, 0, b"\x1b\x1b@"), "latin1"),
        (RawPart(0, 0x40, 0, 0, bytes.fromhex("0605040b8423f0") + b"\0"), "latin1"),
        (RawPart(0, 0x40, 0, 0, bytes.fromhex("03240101") + b"\0"), "latin1"),
        (RawPart(0, 0x40, 0, 0, b"\xff\0"), "latin1"),
        (RawPart(0, 0, 8, 0, b"\0@"), "latin1"),
    ],
    ids=["a letter it lacks", "in ASCII", "no septets", "a blank", "ports", "national",
         "no header", "not data_coding 0"],
)  # fmt: skip
def test_what_would_lose_something_goes_as_it_came(part: RawPart, alphabet: str) -> None:
    encode = encoder(alphabet=alphabet, data_coding={"gsm": 3})
    (pdu,) = pdus(encode, leased(), content("", raw=(part,)))
    assert (pdu.short_message, pdu.data_coding) == (part.payload, part.data_coding)


def test_many_messages_of_one_raw_content_keep_all_their_parts() -> None:
    messages = [leased(46700000000 + n) for n in range(3)]
    ready, refused = encoder().encode(messages, {1: content("x", raw=PARTS)}, messages[0].created)
    assert not refused
    assert [(each.pending, len(each.bodies)) for each in ready] == [(2, 2)] * 3


async def test_a_split_message_stays_together_on_one_link_through_the_store(
    smsc: Smsc, start: Start
) -> None:
    operator = await smsc(latency=0.002, jitter=0.002)
    world = await start(settings(carrier("op1", operator, binds=2, window=3)))
    now = utc_now()
    submissions = []
    for place in range(10):
        content_id, message = world.store.new_ids(2, now)
        raw = tuple(
            RawPart(n, 0x40, 4, 0, bytes((5, 0, 3, place, 2, n)) + b"\0\xff", ((0x0204, b"\0\1"),))
            for n in (1, 2)
        )
        what = Content(content_id, "acme", "ALDIS", "", "service", raw=raw)
        row = NewMessage(
            message, 46700000000 + place, "main/bulk", Status.QUEUED, now, now + 3_600_000_000,
            2, Encoding.BINARY,
        )  # fmt: skip
        submissions.append(Submission(what, [row]))
    await world.store.accept(submissions)
    await world.store.sent(10)
    assert operator.counters.window_peak <= 3
    for place in range(10):
        both = [s for s in operator.submits if s.destination == str(46700000000 + place)]
        assert [s.pdu.short_message[3:6] for s in both] == [bytes((place, 2, n)) for n in (1, 2)]
        assert len({s.bind for s in both}) == 1
        assert {s.pdu.tlv(0x0204) for s in both} == {b"\0\1"}
    assert {len(result.operator_ids) for result in world.store.results} == {2}


async def test_parts_that_differ_from_what_was_counted_are_what_is_told(
    smsc: Smsc, start: Start
) -> None:
    """A national alphabet needs one part where admission counted two of UCS-2."""
    operator = await smsc()
    world = await start(settings(carrier("op1", operator, national=("turkish",))))
    (message,) = await world.store.put([46700000001], "Şifre ığdır " * 9, parts=2)
    await world.store.sent(1)
    assert operator.counters.submits == 1
    (view,) = await world.store.messages(None, [message])
    assert view is not None
    assert (view.status, view.parts, len(view.part_list)) == (Status.SENT, 1, 1)
