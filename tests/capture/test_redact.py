"""A redacted PDU has the octets of the original but those that say something of somebody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.capture.redact import redact
from protocol import constants as c
from protocol import pdu as p
from protocol.address import Address
from protocol.errors import SmppError
from protocol.fields import UnsuccessSme
from protocol.receipt import parse
from protocol.segment import frame, segment
from tests.protocol.test_pdu_vectors import ROWS
from tests.protocol.test_pdu_vectors import octets as vector

VECTORS = [vector(row) for row in ROWS]
TEXT = "Dear Ann, your code is 4711"


def hidden(pdu: p.Pdu, full: bool = False) -> p.Pdu:
    """`pdu` as a capture shows it."""
    octets = p.encode(pdu)
    shown = redact(octets, full)
    assert len(shown) == len(octets)
    assert shown[:16] == octets[:16]
    return p.decode(shown)


def test_numbers_keep_their_ends_only() -> None:
    shown = hidden(p.SubmitSm(source_addr="46700123499", destination_addr="447400123456"))
    assert isinstance(shown, p.SubmitSm)
    assert (shown.source_addr, shown.destination_addr) == ("46700000099", "447400000056")


def test_a_senders_name_stays_and_nobody_elses() -> None:
    shown = hidden(p.SubmitSm(source_addr="ALDISBANK", destination_addr="anna@home.se"))
    assert isinstance(shown, p.SubmitSm)
    assert (shown.source_addr, shown.destination_addr) == ("ALDISBANK", "annaxxxxxxse")


@pytest.mark.parametrize("mode", ["udh8", "udh16", "sar", "payload"])
@pytest.mark.parametrize("text", [TEXT, TEXT * 20, "Привет, Анна 😀" * 20])
def test_texts_go_and_what_ties_their_parts_stays(text: str, mode: str) -> None:
    segments = segment(text, mode=mode)
    letter = b"\0x" if segments.encoding == "ucs2" else b"x"
    for esm_class, short_message, tlvs in frame(segments, 77):
        shown = hidden(
            p.SubmitSm(
                esm_class=esm_class,
                data_coding=segments.data_coding,
                short_message=short_message,
                tlvs=tlvs,
            )
        )
        assert isinstance(shown, p.SubmitSm)
        header = short_message[0] + 1 if esm_class & c.ESM_CLASS_UDHI else 0
        assert shown.short_message[:header] == short_message[:header]
        assert not shown.short_message[header:].replace(letter, b"")
        for (tag, value), (_, before) in zip(shown.tlvs, tlvs, strict=True):
            if tag == 0x0424:
                assert not value.replace(letter, b"") and len(value) == len(before)
            else:
                assert value == before


def test_an_element_that_holds_a_number_is_zeroed() -> None:
    header = b"\x0a\x00\x03\x4d\x02\x01\x22\x03\x46\x70\x12"  # concatenation, reply address
    shown = hidden(p.SubmitSm(esm_class=c.ESM_CLASS_UDHI, short_message=header + b"Ann"))
    assert isinstance(shown, p.SubmitSm)
    assert shown.short_message == b"\x0a\x00\x03\x4d\x02\x01\x22\x03\0\0\0xxx"


def test_a_receipt_keeps_what_is_no_text() -> None:
    text = (
        b"id:0aF-3 sub:001 dlvrd:001 submit date:2601151200 done date:2601151201"
        b" stat:UNDELIV err:069 text:Dear Ann, your code"
    )
    shown = hidden(p.DeliverSm(esm_class=4, source_addr="447400123456", short_message=text))
    assert isinstance(shown, p.DeliverSm)
    found, before = parse(shown.short_message), parse(text)
    assert found is not None and before is not None
    for field in ("id", "sub", "dlvrd", "submit_date", "done_date", "stat", "err"):
        assert getattr(found, field) == getattr(before, field)
    assert shown.short_message.endswith(b"err:069 text:xxxxxxxxxxxxxxxxxxx")


@pytest.mark.parametrize(
    "text",
    [
        b"id:1 to:447400123456 stat:DELIVRD msg: Dear Ann",
        b"447400123456 Dear Ann id:1 stat:DELIVRD",
        b"Text:Dear Ann, 447400123456 id:1 stat:DELIVRD",
        b"Dear Ann, 447400123456",
    ],
)
def test_an_odd_receipt_keeps_no_more(text: bytes) -> None:
    for pdu in (
        p.DeliverSm(esm_class=4, short_message=text),
        p.DeliverSm(tlvs=((0x001E, b"1\0"), (0x0424, text))),
    ):
        shown = redact(p.encode(pdu))
        assert b"Ann" not in shown and b"123456" not in shown and b"Dear" not in shown


def test_receipts_keep_their_tlvs() -> None:
    tlvs = ((0x001E, b"abc\0"), (0x0427, b"\x05"), (0x0423, b"\x03\0\x45"))
    assert hidden(p.DeliverSm(esm_class=4, tlvs=tlvs)).tlvs == tlvs


def test_unknown_and_telling_tlvs_are_zeroed() -> None:
    tlvs = ((0x1401, b"Ann"), (0x0381, b"\x01\x01\x00447400123456"), (0x0204, b"\0\7"))
    assert hidden(p.SubmitSm(tlvs=tlvs)).tlvs == (
        (0x1401, bytes(3)), (0x0381, bytes(15)), (0x0204, b"\0\7"),
    )  # fmt: skip


def test_lists_of_recipients() -> None:
    to = (Address(1, 1, "447400123456"), "my-friends", Address(1, 1, "123"))
    shown = hidden(p.SubmitMulti(dest_address=to, short_message=b"Ann"))
    assert isinstance(shown, p.SubmitMulti)
    assert shown.dest_address == (Address(1, 1, "447400000056"), "x" * 10, Address(1, 1, "123"))
    failed = (UnsuccessSme(1, 1, "447400123456", 11),)
    answer = hidden(p.SubmitMultiResp(message_id="9", unsuccess_sme=failed))
    assert isinstance(answer, p.SubmitMultiResp)
    assert answer.unsuccess_sme == (UnsuccessSme(1, 1, "447400000056", 11),)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    "pdu",
    [
        p.BindTransceiver(system_id="shop", password="s3cr3t", system_type="x"),
        p.BindReceiver(system_id="shop", password="s3cr3t"),
        p.Outbind(system_id="shop", password="s3cr3t"),
    ],
    ids=lambda pdu: pdu.command,
)
def test_passwords_never_pass(pdu: p.Pdu, full: bool) -> None:
    shown = hidden(pdu, full)
    assert isinstance(shown, p.Bind | p.Outbind)
    assert (shown.system_id, shown.password) == ("shop", "xxxxxx")
    whole = p.encode(pdu)
    for cut in range(17, len(whole)):  # a bind that ends too early, its length right
        broken = cut.to_bytes(4, "big") + whole[4:cut]
        shown_octets = redact(broken, full)
        assert len(shown_octets) == cut
        assert b"s3c" not in shown_octets


def test_full_shows_everything_else() -> None:
    for octets in VECTORS:
        if int.from_bytes(octets[4:8], "big") not in (1, 2, 9, 11):
            assert redact(octets, full=True) == octets


def test_what_cannot_be_read_is_zeroed_behind_the_header() -> None:
    broken = p.encode(p.SubmitSm(destination_addr="447400123456", short_message=b"Ann"))[:-1]
    broken = len(broken).to_bytes(4, "big") + broken[4:]
    assert redact(broken) == broken[:16] + bytes(len(broken) - 16)
    unknown = b"\0\0\0\x20\0\1\2\3" + bytes(8) + b"447400123456 Ann"
    assert redact(unknown) == unknown[:16] + bytes(16)


def test_every_recorded_pdu_keeps_its_length_and_can_still_be_read() -> None:
    looked_at = 0
    for octets in VECTORS:
        if len(octets) < 16 or int.from_bytes(octets[:4], "big") != len(octets):
            continue  # no whole PDU: never handed to `redact`
        shown = redact(octets)
        assert len(shown) == len(octets) and shown[:16] == octets[:16]
        try:
            before = p.decode(octets)
        except SmppError:
            continue
        if before.surplus:  # only its header could be read
            assert not any(shown[16:])
            continue
        looked_at += 1
        after = p.decode(shown)
        assert type(after) is type(before)
        assert [tag for tag, _ in after.tlvs] == [tag for tag, _ in before.tlvs]
        for name in ("message_id", "data_coding", "registered_delivery", "validity_period"):
            assert getattr(after, name, None) == getattr(before, name, None)
    assert looked_at > 300


@given(st.sampled_from(VECTORS), st.data())
def test_whatever_comes_the_length_stays(octets: bytes, data: st.DataObject) -> None:
    changed = bytearray(octets[:16].ljust(16, b"\0") + octets[16:])
    for _ in range(data.draw(st.integers(0, 4))):
        if len(changed) > 16:
            changed[data.draw(st.integers(16, len(changed) - 1))] = data.draw(st.integers(0, 255))
    for full in (False, True):
        shown = redact(bytes(changed), full)
        assert len(shown) == len(changed) and shown[:16] == changed[:16]
