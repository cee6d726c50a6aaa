"""Messages as this carrier spells them, read back with the codec."""

import json
from typing import Any

import pytest

from config.settings import Carrier, TonNpi
from gateway.dispatch.encode import Encoder, References
from gateway.dispatch.profile import Profile
from gateway.store.messages import Content, Leased
from protocol import constants as c
from protocol import gsm7
from protocol.pdu import SubmitSm, decode
from protocol.tlv import TLVS
from protocol.udh import parse

NOW = 1_700_000_000_000_000
HOUR = 3_600_000_000


def encoder(references: References | None = None, **changes: Any) -> Encoder:
    carrier = Carrier(name="op1", hosts=("localhost:2775",), **changes)
    return Encoder(Profile(carrier), references or References(bytes(131072)))


def content(text: str, **changes: Any) -> Content:
    given: dict[str, Any] = {"id": 1, "account": "acme", "sender": "ALDIS", "category": "service"}
    return Content(text=text, **(given | changes))


def leased(number: int = 46700000001, deadline: int = NOW + HOUR, vars: str | None = None
           ) -> Leased:  # fmt: skip
    return Leased(1, 1, number, 1, 0, 1, deadline, "main/bulk", "acme", None, vars, None, NOW)


def pdus(encode: Encoder, message: Leased, what: Content, now: int = NOW) -> list[SubmitSm]:
    ready, refused = encode.encode([message], {1: what}, now)
    assert not refused
    found = []
    for pieces in ready[0].bodies:
        octets = b"".join(pieces)
        head = (16 + len(octets)).to_bytes(4, "big") + bytes.fromhex("000000040000000000000001")
        pdu = decode(head + octets)
        assert isinstance(pdu, SubmitSm)
        assert not pdu.surplus
        found.append(pdu)
    return found


def refusal(encode: Encoder, message: Leased, what: Content, now: int = NOW) -> str:
    ready, refused = encode.encode([message], {1: what}, now)
    assert not ready
    return refused[0][1]


def test_a_plain_text() -> None:
    (pdu,) = pdus(encoder(service_type="CMT"), leased(), content("Hej på dig @ 5 €"))
    assert gsm7.decode(pdu.short_message) == "Hej på dig @ 5 €"
    assert pdu.data_coding == 0
    assert pdu.service_type == "CMT"
    assert (pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr) == (5, 0, "ALDIS")
    assert (pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr) == (1, 1, "46700000001")
    assert pdu.registered_delivery == c.REGISTERED_DELIVERY_FINAL
    assert pdu.validity_period == "000000010000000R"
    assert pdu.esm_class == 0


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("+46700000000", (1, 1, "46700000000")),
        ("46700000000", (1, 1, "46700000000")),
        ("72456", (3, 0, "72456")),
        ("Aldis AB", (5, 0, "Aldis AB")),
    ],
)
def test_senders_have_the_ton_of_their_kind(sender: str, expected: tuple[int, int, str]) -> None:
    (pdu,) = pdus(encoder(), leased(), content("x", sender=sender))
    assert (pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr) == expected


def test_a_carrier_has_its_own_ton_npi_and_short_codes() -> None:
    own = encoder(
        source={"short_code": TonNpi(ton=6, npi=9)},
        short_code_digits=5,
        destination=TonNpi(ton=2, npi=8),
    )
    (pdu,) = pdus(own, leased(), content("x", sender="72456"))
    assert (pdu.source_addr_ton, pdu.source_addr_npi) == (6, 9)
    assert (pdu.dest_addr_ton, pdu.dest_addr_npi) == (2, 8)
    (pdu,) = pdus(own, leased(), content("x", id=1, sender="724567"))
    assert pdu.source_addr_ton == 6, "the content was known already"
    (pdu,) = pdus(encoder(short_code_digits=5), leased(), content("x", sender="724567"))
    assert (pdu.source_addr_ton, pdu.source_addr_npi) == (1, 1)


def test_receipts_and_validity_are_the_carriers_choice() -> None:
    (pdu,) = pdus(encoder(receipts=False, validity_format="none"), leased(), content("x"))
    assert pdu.registered_delivery == 0
    assert pdu.validity_period == ""
    (pdu,) = pdus(encoder(validity_format="absolute"), leased(), content("x"))
    assert pdu.validity_period == "231114231320000+"


def test_a_validity_beyond_what_a_relative_time_can_say_is_absolute() -> None:
    (pdu,) = pdus(encoder(), leased(deadline=NOW + 40 * 24 * HOUR), content("x"))
    assert pdu.validity_period.endswith("+")


def test_the_validity_shrinks_while_a_message_waits() -> None:
    encode, what = encoder(), content("x")
    (early,) = pdus(encode, leased(), what)
    (late,) = pdus(encode, leased(), what, now=NOW + HOUR - 2_500_000)
    assert early.validity_period == "000000010000000R"
    assert late.validity_period == "000000000002000R"


def test_the_recipients_of_one_text_differ_in_the_number_only() -> None:
    encode, what = encoder(), content("Hello")
    messages = [leased(46700000000 + n) for n in range(3)]
    ready, _ = encode.encode(messages, {1: what}, NOW)
    assert [each.bodies[0][1] for each in ready] == [b"46700000000", b"46700000001", b"46700000002"]
    assert len({(each.bodies[0][0], each.bodies[0][2]) for each in ready}) == 1
    assert all(each.category == "service" for each in ready)


def test_a_long_text_has_ordered_parts_with_one_reference() -> None:
    text = "0123456789" * 35
    encode = encoder()
    first = pdus(encode, leased(), content(text))
    assert len(first) == 3
    headers = [parse(pdu.short_message) for pdu in first]
    assert "".join(gsm7.decode(data) for _, data in headers) == text
    assert all(pdu.esm_class == c.ESM_CLASS_UDHI for pdu in first)
    concats = [header.concat for header, _ in headers]
    assert [(x.total, x.sequence) for x in concats if x] == [(3, 1), (3, 2), (3, 3)]
    assert len({x.reference for x in concats if x}) == 1
    second = pdus(encode, leased(), content(text))
    other = parse(second[0].short_message)[0].concat
    assert other is not None
    assert concats[0] is not None
    assert other.reference != concats[0].reference


def test_references_to_one_number_repeat_only_after_all_others() -> None:
    references = References()
    low = [references.take(46700000001) & 0xFF for _ in range(256)]
    assert len(set(low)) == 256
    # long messages to everybody else in between do not bring the next one back to the same
    before = references.take(46700000001)
    for number in range(46700100000, 46700100000 + 255):
        references.take(number)
    assert (references.take(46700000001) - before) & 0xFFFF in range(1, 10)


def test_sar_and_payload_carry_long_texts_in_tlvs() -> None:
    text = "0123456789" * 20
    parts = pdus(encoder(long_message="sar"), leased(), content(text))
    assert [pdu.tlv(TLVS["sar_segment_seqnum"].tag) for pdu in parts] == [b"\1", b"\2"]
    assert "".join(gsm7.decode(pdu.short_message) for pdu in parts) == text
    (whole,) = pdus(encoder(long_message="payload"), leased(), content(text))
    assert whole.short_message == b""
    assert gsm7.decode(whole.tlv(TLVS["message_payload"].tag) or b"") == text


def test_a_text_the_alphabet_lacks_travels_as_ucs2_even_over_more_parts() -> None:
    (pdu,) = pdus(encoder(), leased(), content("Привет"))
    assert pdu.data_coding == c.DATA_CODING_UCS2
    assert pdu.short_message.decode("utf-16-be") == "Привет"
    # GSM holds a Greek capital, Latin-1 does not: two parts instead of one, and all of it
    text = "Δ" + "x" * 99
    parts = pdus(encoder(alphabet="latin1"), leased(), content(text, encoding="gsm", max_parts=1))
    assert len(parts) == 2
    assert "".join(parse(p.short_message)[1].decode("utf-16-be") for p in parts) == text


def test_the_default_alphabet_and_data_codings_are_the_carriers() -> None:
    (pdu,) = pdus(encoder(alphabet="latin1"), leased(), content("på"))
    assert (pdu.data_coding, pdu.short_message) == (0, b"p\xe5")
    (pdu,) = pdus(encoder(data_coding={"ucs2": 24}), leased(), content("Привет"))
    assert pdu.data_coding == 24


def test_templates_are_filled_for_each_recipient() -> None:
    encode = encoder()
    what = content("Code {{code}}, {{ name }}", templated=True)
    (pdu,) = pdus(encode, leased(vars='{"code":"1234","name":"Zoé"}'), what)
    assert gsm7.decode(pdu.short_message) == "Code 1234, Zoé"
    (pdu,) = pdus(encode, leased(vars='{"code":"9","name":"Анна"}'), what)
    assert pdu.short_message.decode("utf-16-be") == "Code 9, Анна"
    assert refusal(encode, leased(vars='{"code":"9"}'), what) == "missing_variable"


def test_transliteration_is_done_where_it_was_asked_for() -> None:
    (pdu,) = pdus(encoder(), leased(), content("“Hi” – you…", transliterate=True))
    assert gsm7.decode(pdu.short_message) == '"Hi" - you...'


def test_what_cannot_be_sent_is_refused_with_a_reason() -> None:
    assert refusal(encoder(), leased(deadline=NOW), content("x")) == "validity_expired"
    assert refusal(encoder(), leased(), content("\ud83d")) == "invalid_text"
    assert refusal(encoder(), leased(), content("")) == "empty_text"
    assert refusal(encoder(), leased(), content("x", sender="ж")) == "sender_not_allowed"


def test_one_bad_message_leaves_its_neighbours_alone() -> None:
    messages = [leased(), leased(deadline=NOW - 1), leased(46700000002)]
    ready, refused = encoder().encode(messages, {1: content("x")}, NOW)
    assert [each.message for each in ready] == [messages[0], messages[2]]
    assert refused == [(messages[1], "validity_expired")]


SPELT = ["", "x", "a" * 160, "a" * 161, "€" * 80, "€" * 81, "ж" * 70, "ж" * 71, "😀" * 35,
         "😀" * 36, "\ud800", "ç", "\x00"]  # fmt: skip


@pytest.mark.parametrize("encoding", ["auto", "gsm", "ucs2", "latin1"])
@pytest.mark.parametrize("alphabet", ["gsm", "latin1"])
@pytest.mark.parametrize("mode", ["udh8", "payload"])
def test_a_text_of_a_template_is_spelt_alike_alone_and_among_others(
    encoding: str, alphabet: str, mode: str
) -> None:
    what = content("{{t}}", templated=True, encoding=encoding)
    values = [json.dumps({"t": text}) for text in SPELT for _ in range(2)] + ["{}", "[", "{}"]
    messages = [leased(46700000000 + n, vars=one) for n, one in enumerate(values)]
    messages[7].deadline += 5_000_000
    together = encoder(alphabet=alphabet, long_message=mode)
    ready, refused = together.encode(messages, {1: what}, NOW)
    alone: list[tuple[int, list[bytes]]] = []
    wrong: list[tuple[int, str]] = []
    references = References(bytes(131072))
    for message in messages:
        apart = encoder(references, alphabet=alphabet, long_message=mode)
        one, bad = apart.encode([message], {1: what}, NOW)
        alone += [(out.message.number, [b"".join(body) for body in out.bodies]) for out in one]
        wrong += [(message.number, reason) for message, reason in bad]
    assert [(o.message.number, [b"".join(body) for body in o.bodies]) for o in ready] == alone
    assert [(message.number, reason) for message, reason in refused] == wrong
    assert {"missing_variable", "empty_text"} <= {reason for _, reason in wrong}
    assert all(out.pending == len(out.bodies) for out in ready)
