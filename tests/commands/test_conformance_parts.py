"""The plan's pure parts: ids, dates and zones of receipts, the pace, names for carriers."""

from __future__ import annotations

import asyncio
import re
from zoneinfo import ZoneInfo

import pytest

from config.settings import Name
from gateway.commands.conformance import receipts
from gateway.commands.conformance.asked import sender_kind
from gateway.commands.conformance.budget import Budget, LimitReached
from gateway.commands.conformance.plan import PLAN
from gateway.commands.conformance.profile import name_of
from gateway.commands.conformance.trace import Stream, Trace
from protocol.pdu import DeliverSm, EnquireLink, encode
from protocol.times import receipt_date


@pytest.mark.parametrize(
    ("responses", "ids", "form"),
    [
        (["10", "11"], ["11", "10"], "as_is"),
        (["00FF", "00FE"], ["ff", "fe"], "as_is"),
        (["a1", "a2"], ["161", "162"], "resp_hex_receipt_dec"),
        (["161", "162"], ["A1", "A2"], "resp_dec_receipt_hex"),
        # one that fits by chance does not explain the other
        (["10", "11"], ["16", "99"], None),
        (["abc"], ["xyz"], None),
        (["abc"], [], None),
    ],
)
def test_the_form_of_ids(responses: list[str], ids: list[str], form: str | None) -> None:
    found = receipts.id_form(responses, ids)
    assert (found and found[0]) == form


def test_ids_that_differ_in_padding_only_are_said_to() -> None:
    found = receipts.id_form(["7"], ["0007"])
    assert found == ("as_is", "the same but for zeros in front or the case of letters")


NOON = receipt_date("2601151200")
assert NOON is not None


@pytest.mark.parametrize(
    ("raw", "offset"),
    [
        ("2601151200", 0),
        ("260115120030", 0),
        ("2601151400", 7200),
        ("20260115173000", 19_800),
        ("2601150700", -18_000),
        ("2601151207", None),  # no quarter of an hour: a clock that is wrong
        ("2601171200", None),  # days
        ("nonsense", None),
        (None, None),
    ],
)
def test_the_offset_of_a_date(raw: str | None, offset: int | None) -> None:
    assert receipts.date_offset(raw, NOON) == offset


@pytest.mark.parametrize("offset", [0, 7200, -18_000, 50_400, -36_000, 12_600, 19_800, 20_700])
def test_a_zone_has_the_offset(offset: int) -> None:
    from datetime import UTC, datetime

    name = receipts.zone(offset)
    assert name is not None
    for month in (1, 7):
        there = datetime(2026, month, 1, tzinfo=UTC).astimezone(ZoneInfo(name)).utcoffset()
        assert there is not None and there.total_seconds() == offset


def test_an_offset_without_a_zone_proposes_none() -> None:
    assert receipts.zone(900) is None


def test_an_inbound_message_is_no_receipt() -> None:
    assert receipts.receipt_of(DeliverSm(short_message=b"id:1 stat:DELIVRD")) is None
    assert receipts.receipt_of(DeliverSm(esm_class=4, short_message=b"id:1 stat:DELIVRD"))
    assert receipts.receipt_of(DeliverSm(tlvs=((0x001E, b"1\0"),)))


@pytest.mark.parametrize(
    ("sender", "kind"),
    [
        ("+46700000001", "international"),
        ("46700000001", "international"),
        ("12345", "short_code"),
        ("ALDIS", "alphanumeric"),
    ],
)
def test_what_kind_of_sender(sender: str, kind: str) -> None:
    assert sender_kind(sender) == kind


@pytest.mark.parametrize("host", ["smsc.example", "::1", "-x", "é", "a" * 100, "10.0.0.1"])
def test_a_host_makes_a_name(host: str) -> None:
    (meta,) = Name.__metadata__
    assert re.search(meta.pattern, name_of(host))


def test_steps_are_told_apart() -> None:
    assert len({step.name for step in PLAN}) == len(PLAN)
    assert all(step.does and step.expects and step.clause for step in PLAN)


async def test_the_budget_paces_and_ends() -> None:
    budget = Budget(100.0, 10)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await budget.take()
    await budget.take(3)  # waits for the first's time and two of its own
    assert loop.time() - begun >= 0.03 - 0.002
    await budget.take()
    assert loop.time() - begun >= 0.06 - 0.002
    with pytest.raises(LimitReached):
        await budget.take(6)
    assert budget.sent == 5


def test_octets_are_cut_into_pdus_however_they_come() -> None:
    trace = Trace()
    stream = Stream(trace, 1, ours=False)
    one, two = (encode(EnquireLink(sequence_number=n)) for n in (1, 2))
    for octet in one:
        stream.feed(bytes((octet,)), 1.0)
    stream.feed(two + one[:5], 2.0)
    stream.end(3.0)
    assert [seen.octets for seen in trace.pdus] == [one, two, one[:5]]
    assert [seen.command_id for seen in trace.pdus] == [0x15, 0x15, -1]
    stream.feed(b"HTTP/1.1 400 Bad Request\r\n", 4.0)
    assert trace.pdus[-1].octets == b"HTTP/1.1 400 Bad Request\r\n"
