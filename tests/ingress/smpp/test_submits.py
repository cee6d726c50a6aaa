"""Submits: accepted after the commit, refused by the one reject table, sent as they are meant."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import pytest

from config.settings import Duration, SmppLogin
from gateway.store.messages import OptOut
from gateway.store.records import MessageFilter
from protocol import constants as c
from protocol.address import Address
from protocol.coding import codecs_by_data_coding, decode
from protocol.pdu import DataSm, SubmitMulti, SubmitMultiResp
from protocol.receipt import parse
from protocol.times import format_absolute
from protocol.tlv import TLVS
from tests.ingress.smpp.conftest import Rig, account
from tests.ingress.smpp.esme import submit

PAYLOAD = TLVS["message_payload"].tag


async def test_a_message_goes_out_and_its_receipt_comes_back(rig: Rig) -> None:
    esme = await rig.bound()
    response = await esme.ask(submit(b"hello"))
    assert response.command_status == c.ESME_ROK
    await esme.until(lambda: bool(esme.delivered))
    [receipt] = esme.delivered
    told = parse(receipt.short_message, receipt.tlvs)
    assert told is not None
    assert told.id == told.receipted_message_id == response.message_id
    assert (told.stat, told.message_state, told.dlvrd) == ("DELIVRD", 2, "001")
    assert (receipt.source_addr, receipt.destination_addr) == ("79161234567", "ACME")
    assert receipt.esm_class == c.ESM_CLASS_DELIVERY_RECEIPT
    [sent] = rig.smsc.submits
    assert sent.pdu.short_message == b"hello"
    assert sent.pdu.source_addr == "ACME"


async def test_the_response_comes_after_the_commit(alone: Rig) -> None:
    esme = await alone.bound()
    responses = await esme.ask_all([submit(b"x", f"7916{n:07d}") for n in range(300)])
    ids = [int(response.message_id) for response in responses]
    assert len(set(ids)) == 300
    views = await alone.store.messages("shop", ids)
    assert [str(view.number) for view in views if view] == [f"7916{n:07d}" for n in range(300)]


async def test_equal_texts_are_one_content_and_different_ones_are_one_too(alone: Rig) -> None:
    esme = await alone.bound()
    await esme.ask_all([submit(b"same", f"7916{n:07d}") for n in range(50)])
    await esme.ask_all([submit(b"code %d" % n, f"7917{n:07d}") for n in range(50)])
    found = await alone.store.search(MessageFilter("shop"), 200)
    assert len(found) == 100
    texts = {view.text for view in found}
    assert "same" in texts
    assert len(texts) <= 4  # however the reads were cut: never one content a message


@pytest.mark.parametrize(
    ("text", "coding", "read"),
    [
        (b"hello", 0, "hello"),
        ("Привет 🎉".encode("utf-16-be"), 8, "Привет 🎉"),
        ("Grüße".encode("latin-1"), 3, "Grüße"),
        (b"\x1b\x65 5", 0, "€ 5"),
        ("Привет".encode("iso8859-5"), 6, "Привет"),
        ("שלום".encode("iso8859-8"), 7, "שלום"),
        ("日本".encode("shift_jis"), 5, "日本"),
        ("한국".encode("euc_kr"), 14, "한국"),
        (b"{{name}} 100%", 0, "{{name}} 100%"),
    ],
)
async def test_texts_arrive_whatever_their_coding(
    rig: Rig, text: bytes, coding: int, read: str
) -> None:
    if read.startswith("{{"):
        text = b"\x1b(\x1b(name\x1b)\x1b) 100%"
    esme = await rig.bound()
    response = await esme.ask(submit(text, data_coding=coding))
    assert response.command_status == 0
    await esme.until(lambda: bool(esme.delivered))
    [sent] = rig.smsc.submits
    wire = sent.pdu.short_message
    assert decode(wire, codecs_by_data_coding()[sent.pdu.data_coding]) == read


REFUSED: list[tuple[dict[str, Any], int]] = [
    ({"destination_addr": "12"}, c.ESME_RINVDSTADR),
    ({"destination_addr": ""}, c.ESME_RINVDSTADR),
    ({"destination_addr": "abc"}, c.ESME_RINVDSTADR),
    ({"dest_addr_ton": 5}, c.ESME_RINVDSTTON),
    ({"dest_addr_ton": 7}, c.ESME_RINVDSTTON),
    ({"dest_addr_npi": 99}, c.ESME_RINVDSTNPI),
    ({"source_addr_ton": 9}, c.ESME_RINVSRCTON),
    ({"source_addr_npi": 200}, c.ESME_RINVSRCNPI),
    ({"source_addr": "A name too long"}, c.ESME_RINVSRCADR),
    ({"source_addr": ""}, c.ESME_RINVSRCADR),
    ({"short_message": b""}, c.ESME_RINVMSGLEN),
    ({"short_message": b"x" * 255, "tlvs": ((PAYLOAD, b"y"),)}, c.ESME_RTLVNOTALLWD),
    ({"tlvs": ((PAYLOAD, b"x" * 900),), "short_message": b""}, c.ESME_RINVMSGLEN),
    ({"esm_class": 0x04}, c.ESME_RINVESMCLASS),
    ({"esm_class": 0x20}, c.ESME_RINVESMCLASS),
    ({"priority_flag": 4}, c.ESME_RINVPRTFLG),
    ({"registered_delivery": 0xE1}, c.ESME_RINVREGDLVFLG),
    ({"replace_if_present_flag": 2}, c.ESME_RINVREPFLAG),
    ({"sm_default_msg_id": 1}, c.ESME_RINVDFTMSGID),
    ({"schedule_delivery_time": "tomorrow"}, c.ESME_RINVSCHED),
    ({"schedule_delivery_time": "991399000000000+"}, c.ESME_RINVSCHED),
    ({"schedule_delivery_time": "020000000000000R"}, c.ESME_RINVSCHED),
    ({"validity_period": "soon"}, c.ESME_RINVEXPIRY),
    ({"validity_period": "000000000000000R"}, c.ESME_RINVEXPIRY),
    ({"validity_period": "200101000000000+"}, c.ESME_RINVEXPIRY),
]


@pytest.mark.parametrize(("fields", "status"), REFUSED)
async def test_what_is_wrong_is_named_by_the_status(
    alone: Rig, fields: dict[str, Any], status: int
) -> None:
    esme = await alone.bound()
    wrong, right = await esme.ask_all([submit(**{"text": b"x", **_text(fields)}), submit(b"good")])
    assert wrong.command_status == status
    assert right.command_status == c.ESME_ROK
    assert alone.metric("aldis_smpp_requests_total", c.status_name(status)) == 1


def _text(fields: dict[str, Any]) -> dict[str, Any]:
    fields = dict(fields)
    if "short_message" in fields:
        fields["text"] = fields.pop("short_message")
    if "destination_addr" in fields:
        fields["to"] = fields.pop("destination_addr")
    return fields


async def test_what_http_refuses_smpp_refuses(unstarted: Rig) -> None:
    unstarted.with_operator = False
    unstarted.accounts = (
        account(senders=("ACME",), countries=("RU",), max_parts=1),
        account(name="tiny", max_waiting=1, smpp=(SmppLogin(system_id="tiny", password="secret"),)),
    )
    await unstarted.start()
    try:
        await unstarted.store.opt_out(
            [OptOut("shop", 79161234567, "*", "*", unstarted.clock(), "test")]
        )
        esme = await unstarted.bound()
        answers = await esme.ask_all(
            [
                submit(b"x"),
                submit(b"x", "33612345678"),
                submit(b"x", "74951234567"),
                submit(b"x", "79161234568", source_addr="OTHER"),
                submit(b"x" * 161, "79161234569"),
            ]
        )
        assert [answer.command_status for answer in answers] == [
            c.ESME_RINVDSTADR,  # opted_out
            c.ESME_RINVDSTADR,  # country_not_allowed
            c.ESME_RINVDSTADR,  # not_mobile
            c.ESME_RINVSRCADR,  # sender_not_allowed
            c.ESME_RINVMSGLEN,  # too_long
        ]
        tiny = await unstarted.bound(system_id="tiny")
        answers = await tiny.ask_all([submit(b"x")])
        answers += await tiny.ask_all([submit(b"y", "79161234568")])
        assert [answer.command_status for answer in answers] == [0, c.ESME_RMSGQFUL]
    finally:
        await unstarted.close()


async def test_long_texts_come_as_message_payload_and_leave_in_parts(rig: Rig) -> None:
    esme = await rig.bound()
    text = "Длинный текст. " * 12
    response = await esme.ask(
        submit(b"", data_coding=8, tlvs=((PAYLOAD, text.encode("utf-16-be")),))
    )
    assert response.command_status == 0
    await esme.until(lambda: bool(esme.delivered))
    assert len(rig.smsc.submits) == 3
    await asyncio.sleep(0)
    assert len(esme.delivered) == 1  # one message, one id, one receipt


async def test_data_sm_is_a_submit_too(rig: Rig) -> None:
    esme = await rig.bound()
    pdu = DataSm(
        source_addr_ton=5, source_addr="ACME", dest_addr_ton=1, dest_addr_npi=1,
        destination_addr="79161234567", registered_delivery=1,
        tlvs=((PAYLOAD, b"by data_sm"), (TLVS["qos_time_to_live"].tag, (3600).to_bytes(4, "big"))),
    )  # fmt: skip
    response = await esme.ask(pdu)
    assert response.command == "data_sm_resp"
    assert response.command_status == 0
    await esme.until(lambda: bool(esme.delivered))
    assert rig.smsc.submits[0].pdu.short_message == b"by data_sm"
    [view] = await rig.store.messages("shop", [int(response.message_id)])
    assert view is not None


async def test_submit_multi_is_one_id_and_a_receipt_for_each_recipient(rig: Rig) -> None:
    esme = await rig.bound()
    numbers = ["79161234567", "79161234568", "12", "79161234569"]
    response = await esme.ask(
        SubmitMulti(
            source_addr_ton=5,
            source_addr="ACME",
            dest_address=tuple(Address(1, 1, number) for number in numbers),
            registered_delivery=1,
            short_message=b"to many",
        )
    )
    assert isinstance(response, SubmitMultiResp)
    assert response.command_status == 0
    assert [tuple(one) for one in response.unsuccess_sme] == [(1, 1, "12", c.ESME_RINVDSTADR)]
    await esme.until(lambda: len(esme.delivered) == 3)
    told = [parse(pdu.short_message, pdu.tlvs) for pdu in esme.delivered]
    assert {one.id for one in told if one} == {response.message_id}
    assert sorted(pdu.source_addr for pdu in esme.delivered) == [
        number for number in numbers if number != "12"
    ]


@pytest.mark.parametrize(
    ("dests", "status"),
    [
        ((), c.ESME_RINVNUMDESTS),
        (("a list",), c.ESME_RINVDLNAME),
        ((Address(1, 1, "12"), Address(1, 1, "13")), c.ESME_RINVDSTADR),
    ],
)
async def test_a_submit_multi_nobody_can_get_is_refused(
    alone: Rig, dests: tuple[Any, ...], status: int
) -> None:
    esme = await alone.bound()
    response = await esme.ask(
        SubmitMulti(source_addr_ton=5, source_addr="ACME", dest_address=dests, short_message=b"x")
    )
    assert response.command_status == status


async def test_times_of_both_forms_are_kept(alone: Rig) -> None:
    esme = await alone.bound()
    now = alone.clock()
    responses = await esme.ask_all(
        [
            submit(schedule_delivery_time="000000010000000R"),
            submit(
                to="79161234568", schedule_delivery_time=format_absolute(now + 7_200_000_000, 8)
            ),
            submit(to="79161234569", validity_period="000000003000000R"),
            submit(to="79161234570", validity_period=format_absolute(now + 600_000_000, -4)),
        ]
    )
    views = await alone.store.messages("shop", [int(one.message_id) for one in responses])
    hour, two, half, ten = [view for view in views if view]
    assert hour.due == pytest.approx(now + 3_600_000_000, abs=5_000_000)
    assert two.due == pytest.approx(now + 7_200_000_000, abs=1_000_000)
    assert half.deadline == pytest.approx(now + 1_800_000_000, abs=5_000_000)
    assert ten.deadline == pytest.approx(now + 600_000_000, abs=1_000_000)
    assert hour.status == 1


async def test_a_burst_above_the_rate_is_answered_late_and_then_throttled(unstarted: Rig) -> None:
    unstarted.with_operator = False
    unstarted.accounts = (account(login={"rate": 50.0, "max_delay": Duration(0.2)}),)
    await unstarted.start()
    try:
        esme = await unstarted.bound()
        begun = asyncio.get_running_loop().time()
        answers = await esme.ask_all([submit(b"x", f"7916{n:07d}") for n in range(80)])
        took = asyncio.get_running_loop().time() - begun
        statuses = [answer.command_status for answer in answers]
        assert statuses.count(0) == 60
        assert statuses.count(c.ESME_RTHROTTLED) == 20
        assert statuses[:60] == [0] * 60
        assert took >= 0.19
        assert unstarted.metric("aldis_smpp_delayed_total") == 10
    finally:
        await unstarted.close()


async def test_tlvs_pass_only_if_the_login_may_pass_them(unstarted: Rig) -> None:
    unstarted.with_operator = False
    unstarted.accounts = (account(login={"tlvs": ("0x1400",)}),)
    await unstarted.start()
    try:
        esme = await unstarted.bound()
        tlvs = ((0x1400, b"PE-1"), (0x1401, b"no"), (TLVS["user_message_reference"].tag, b"\0\1"))
        response = await esme.ask(submit(tlvs=tlvs))
        with sqlite3.connect(unstarted.store._path) as connection:
            (text,) = connection.execute(
                "SELECT c.json FROM messages m JOIN contents c ON c.id = m.content WHERE m.id = ?",
                (int(response.message_id),),
            ).fetchone()
        assert '"tlvs":[["0x1400","50452d31",true]]' in text
    finally:
        await unstarted.close()


async def test_a_customers_own_data_coding_holds_both_ways(unstarted: Rig) -> None:
    """The octets of `ü` in the GSM alphabet are those of `~` in ASCII, which 1 says."""
    unstarted.accounts = (account(login={"data_coding": {"gsm": 1}}),)
    await unstarted.start()
    try:
        esme = await unstarted.bound()
        await esme.ask(submit(b"M~ller", data_coding=1))
        split = {"data_coding": 1, "esm_class": c.ESM_CLASS_UDHI}
        for part in (1, 2):
            header = bytes((5, 0, 3, 9, 2, part))
            await esme.ask(submit(header + b"M~ller", "79161234568", **split))
        await esme.until(lambda: len(esme.delivered) == 3)
        [whole, *parts] = unstarted.smsc.submits
        assert (whole.text, whole.pdu.data_coding) == ("Müller", 0)
        assert [(part.text, part.pdu.data_coding) for part in parts] == [("Müller", 0)] * 2
        texts = {one.text for one in await unstarted.store.search(MessageFilter("shop"), 10)}
        assert texts == {"Müller", "MüllerMüller"}
        unstarted.smsc.send_mo("79161234567", "2020", "Grüße")
        await esme.until(lambda: len(esme.delivered) == 4)
        reply = esme.delivered[-1]
        assert (reply.short_message, reply.data_coding) == (b"Gr~\x1ee", 1)
    finally:
        await unstarted.close()


async def test_ids_are_spelt_as_the_login_wants(unstarted: Rig) -> None:
    unstarted.accounts = (account(login={"message_id": "public"}),)
    await unstarted.start()
    try:
        esme = await unstarted.bound()
        response = await esme.ask(submit())
        assert response.message_id.startswith("msg_")
        await esme.until(lambda: bool(esme.delivered))
        told = parse(esme.delivered[0].short_message, esme.delivered[0].tlvs)
        assert told is not None
        assert told.id == told.receipted_message_id == response.message_id
    finally:
        await unstarted.close()


async def test_a_recipient_too_long_to_be_told_back_leaves_nobody_unanswered(alone: Rig) -> None:
    esme = await alone.bound()
    other = await alone.bound()
    dests = b"".join(b"\1\1\1%b\0" % number for number in (b"79161234567", b"9" * 40))
    body = b"\0\5\0ACME\0\2" + dests + bytes(9) + b"\5hello"
    # Not to be written by ours: the peer bends the specification.
    esme.transport.write(
        (16 + len(body)).to_bytes(4, "big") + c.SUBMIT_MULTI.to_bytes(4, "big") + bytes(4)
        + (77).to_bytes(4, "big") + body
    )  # fmt: skip
    answers = await other.ask_all([submit(to=f"7916{n:07d}") for n in range(5)])
    assert {answer.command_status for answer in answers} == {0}
    await alone.until(
        lambda: alone.metric("aldis_smpp_requests_total", "submit_multi", "ESME_ROK") == 1
    )
    assert alone.metric("aldis_task_errors_total") == 0


async def test_a_list_that_fails_is_answered_all_the_same(
    alone: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    esme = await alone.bound()

    def broken(*_: Any) -> Any:
        raise RuntimeError("a mistake of ours")

    with monkeypatch.context() as patch:
        patch.setattr(alone.server.intake, "_submission", broken)
        answers = await esme.ask_all([submit(to=f"7916{n:07d}") for n in range(5)])
    assert {answer.command_status for answer in answers} == {c.ESME_RSYSERR}
    assert alone.metric("aldis_task_errors_total", "smpp submits") == 1
    assert (await esme.ask(submit())).command_status == 0


async def test_tlvs_that_do_not_pass_make_no_difference(
    alone: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many a client numbers its messages in user_message_reference."""
    esme = await alone.bound()
    accept, stored = alone.store.accept, []

    async def counted(submissions: Any) -> Any:
        stored.extend(submissions)
        return await accept(submissions)

    monkeypatch.setattr(alone.store, "accept", counted)
    tag = TLVS["user_message_reference"].tag
    answers = await esme.ask_all([
        submit(to=f"7916{n:07d}", tlvs=((tag, n.to_bytes(2, "big")),)) for n in range(50)
    ])  # fmt: skip
    assert {answer.command_status for answer in answers} == {0}
    assert len(stored) < 10
    [shapes] = alone.server.intake.asking._shapes.values()
    assert len(shapes) == 1


async def test_what_is_remembered_of_a_customer_is_small(unstarted: Rig) -> None:
    unstarted.with_operator = False
    unstarted.accounts = (account(login={"tlvs": ("*",)}),)
    await unstarted.start()
    try:
        esme = await unstarted.bound()
        for n in range(3):
            await esme.ask(submit(tlvs=((0x1400, b"%d" % n + bytes(20_000)),)))
            answer = await esme.ask(submit(service_type="BULK", priority_flag=10 + n))
            assert answer.command_status == c.ESME_RINVPRTFLG
        assert not any(unstarted.server.intake.asking._shapes.values())
    finally:
        await unstarted.close()


async def test_blank_texts_are_refused_among_others_too(alone: Rig) -> None:
    esme = await alone.bound()
    answers = await esme.ask_all(
        [submit(text, f"7916123456{n}") for n, text in enumerate([b"one", b"   ", b"two", b""])]
    )
    statuses = [answer.command_status for answer in answers]
    assert statuses == [0, c.ESME_RINVMSGLEN, 0, c.ESME_RINVMSGLEN]
