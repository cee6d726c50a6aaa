"""Messages that customers split themselves: joined, checked as one, sent as they came."""

from __future__ import annotations

from typing import Any

import pytest

from config.settings import SmppLogin
from gateway.errors import StoreUnavailable
from gateway.ingress.smpp import split
from gateway.model import Status
from gateway.store.records import MessageFilter
from protocol import constants as c
from protocol.national import alphabets
from protocol.pdu import encode
from protocol.receipt import parse
from protocol.segment import SAR, UDH8, UDH16, frame, segment
from tests.ingress.smpp.conftest import Rig, account
from tests.ingress.smpp.esme import submit

TEXT = "Ваш заказ готов, приходите. " * 5


def parts(text: str = TEXT, mode: str = UDH8, reference: int = 7, **fields: object) -> list[object]:
    segments = segment(text, mode=mode)
    return [
        submit(payload, esm_class=esm_class, data_coding=segments.data_coding, tlvs=tlvs, **fields)
        for esm_class, payload, tlvs in frame(segments, reference)
    ]


@pytest.mark.parametrize("mode", [UDH8, UDH16, SAR])
@pytest.mark.parametrize("together", [True, False])
async def test_parts_are_one_message_and_leave_as_they_came(
    rig: Rig, mode: str, together: bool
) -> None:
    esme = await rig.bound()
    sent = parts(mode=mode)
    if together:
        answers = await esme.ask_all(sent)
    else:
        answers = [await esme.ask(part) for part in sent]
    assert [answer.command_status for answer in answers] == [0, 0, 0]
    ids = [answer.message_id for answer in answers]
    assert len(set(ids)) == 3
    await esme.until(lambda: len(esme.delivered) == 3)
    told = [parse(pdu.short_message, pdu.tlvs) for pdu in esme.delivered]
    assert sorted(one.id for one in told if one) == sorted(ids)
    assert {one.stat for one in told if one} == {"DELIVRD"}
    on_wire = [(s.pdu.short_message, s.pdu.esm_class, s.pdu.tlvs) for s in rig.smsc.submits]
    assert on_wire == [(p.short_message, p.esm_class, p.tlvs) for p in sent]  # type: ignore[attr-defined]
    [message] = await rig.store.search(MessageFilter("shop"), 10)
    assert message.text == TEXT
    assert message.parts == 3
    assert rig.metric("aldis_smpp_waiting_parts") == 0


@pytest.mark.parametrize(
    ("octets", "coding", "text"),
    [
        ("я🎉я".encode("utf-16-be"), 8, "я🎉я"),  # between the halves of a surrogate pair
        (b"abc\x1b\x65", 0, "abc€"),  # between ESC and its character
    ],
)
async def test_parts_that_end_inside_a_character_are_read_together(
    rig: Rig, octets: bytes, coding: int, text: str
) -> None:
    esme = await rig.bound()
    for part, piece in enumerate((octets[:4], octets[4:]), start=1):
        header = bytes((5, 0, 3, 9, 2, part))
        fields = {"esm_class": c.ESM_CLASS_UDHI, "data_coding": coding}
        assert (await esme.ask(submit(header + piece, **fields))).command_status == 0
    await esme.until(lambda: len(esme.delivered) == 2)
    assert b"".join(sent.pdu.short_message[6:] for sent in rig.smsc.submits) == octets
    [message] = await rig.store.search(MessageFilter("shop"), 10)
    assert message.text == text


async def test_any_order_and_repetitions(rig: Rig) -> None:
    esme = await rig.bound()
    first, second, third = parts()
    a = await esme.ask(third)
    b = await esme.ask(third)
    assert a.message_id == b.message_id
    await esme.ask(first)
    await esme.ask(second)
    await esme.until(lambda: len(esme.delivered) == 3)
    assert len(rig.smsc.submits) == 3
    [message] = await rig.store.search(MessageFilter("shop"), 10)
    assert message.text == TEXT


async def test_parts_over_two_binds_meet(rig: Rig) -> None:
    one, two = await rig.bound(), await rig.bound()
    first, second, third = parts()
    await one.ask(first)
    await two.ask(third)
    await one.ask(second)
    await rig.until(lambda: len(one.delivered) + len(two.delivered) == 3)
    assert len(rig.smsc.submits) == 3


async def test_parts_outlive_a_restart(rig: Rig) -> None:
    esme = await rig.bound()
    first, second, third = parts()
    told = [(await esme.ask(first)).message_id, (await esme.ask(second)).message_id]
    assert not rig.smsc.submits
    await rig.restart()
    assert rig.metric("aldis_smpp_waiting_parts") == 2
    esme = await rig.bound()
    told.append((await esme.ask(third)).message_id)
    await esme.until(lambda: len(esme.delivered) == 3)
    receipts = [parse(pdu.short_message, pdu.tlvs) for pdu in esme.delivered]
    assert sorted(one.id for one in receipts if one) == sorted(told)
    assert len(rig.smsc.submits) == 3


async def test_what_never_becomes_whole_goes_as_it_is(rig: Rig) -> None:
    esme = await rig.bound()
    first, _, third = parts()
    await esme.ask_all([first, third])
    rig.clock.move(split.JOIN_WITHIN / 1_000_000 + 1)
    rig.server.intake.tick()
    await esme.until(lambda: len(esme.delivered) == 2)
    assert [s.pdu.short_message for s in rig.smsc.submits] == [
        first.short_message, third.short_message  # type: ignore[attr-defined]
    ]  # fmt: skip
    assert rig.metric("aldis_smpp_waiting_parts") == 0


async def test_another_text_under_the_same_number_begins_a_new_message(rig: Rig) -> None:
    esme = await rig.bound()
    first = parts()[0]
    await esme.ask(first)
    answers = await esme.ask_all(parts("Другой текст, совсем другой. " * 5))
    assert {answer.command_status for answer in answers} == {0}
    await esme.until(lambda: len(esme.delivered) == 4)
    assert len(rig.smsc.submits) == 4


async def test_refused_for_itself_with_the_first_part(alone: Rig) -> None:
    esme = await alone.bound()
    answers = await esme.ask_all(parts(to="12"))
    assert {answer.command_status for answer in answers} == {c.ESME_RINVDSTADR}
    assert (await esme.ask(parts(to="12")[0])).command_status == c.ESME_RINVDSTADR
    assert await alone.store.waiting_parts() == []
    answers = await esme.ask_all(parts(validity_period="soon"))
    assert {answer.command_status for answer in answers} == {c.ESME_RINVEXPIRY}


async def test_more_parts_than_the_account_may_are_refused_at_once(unstarted: Rig) -> None:
    unstarted.with_operator = False
    unstarted.accounts = (account(max_parts=2),)
    await unstarted.start()
    try:
        esme = await unstarted.bound()
        assert (await esme.ask(parts()[0])).command_status == c.ESME_RINVMSGLEN
    finally:
        await unstarted.close()


async def test_accepted_parts_of_a_refused_whole_end_as_rejected(rig: Rig) -> None:
    esme = await rig.bound()
    first, second, third = parts(source_addr="ACME")
    told = [(await esme.ask(part)).message_id for part in (first, second)]
    # Between the parts the account loses the sender: the whole can no longer be taken.
    rig.accounts = (
        account(senders=("OTHER",), smpp=(SmppLogin(system_id="shop", password="secret"),)),
    )
    await rig.reload()
    assert (await esme.ask(third)).command_status == c.ESME_RINVSRCADR
    await esme.until(lambda: len(esme.delivered) == 2)
    receipts = [parse(pdu.short_message, pdu.tlvs) for pdu in esme.delivered]
    assert sorted(one.id for one in receipts if one) == sorted(told)
    assert {one.stat for one in receipts if one} == {"REJECTD"}
    [message] = await rig.store.search(MessageFilter("shop"), 10)
    assert (message.status, message.reason) == (Status.REJECTED, "sender_not_allowed")
    assert not rig.smsc.submits
    assert await rig.store.waiting_parts() == []


async def test_what_is_no_text_leaves_as_it_came(rig: Rig) -> None:
    esme = await rig.bound()
    ports = bytes.fromhex("06050415811581") + b"\x02\x4a\x3a"
    answers = await esme.ask_all(
        [
            submit(ports, esm_class=0x40, data_coding=0xF5),
            submit(b"flash", "79161234568", data_coding=0x10),
            submit(b"\x00\xff\x7f", "79161234569", data_coding=4),
            submit(b"silent", "79161234570", protocol_id=0x40),
        ]
    )
    assert [answer.command_status for answer in answers] == [0] * 4
    await esme.until(lambda: len(esme.delivered) == 4)
    wire = {
        s.pdu.destination_addr: (
            s.pdu.short_message, s.pdu.esm_class, s.pdu.data_coding, s.pdu.protocol_id
        )
        for s in rig.smsc.submits
    }  # fmt: skip
    assert wire == {
        "79161234567": (ports, 0x40, 0xF5, 0),
        "79161234568": (b"flash", 0, 0x10, 0),
        "79161234569": (b"\x00\xff\x7f", 0, 4, 0),
        "79161234570": (b"silent", 0, 0, 0x40),
    }


async def test_what_parts_say_is_read_in_their_own_language(alone: Rig) -> None:
    esme = await alone.bound()
    (turkish,) = alphabets(["turkish"])[:1]
    text = "Şişli'de ğüzel bir gün, İyi akşamlar " * 5
    segments = segment(text, national=(turkish,))
    sent = [
        submit(payload, esm_class=esm_class, data_coding=0)
        for esm_class, payload, _ in frame(segments, 9)
    ]
    answers = await esme.ask_all(sent)
    assert {answer.command_status for answer in answers} == {0}
    [message] = await alone.store.search(MessageFilter("shop"), 10)
    assert message.text == text


async def test_a_part_that_comes_twice_at_once_is_one_part(rig: Rig) -> None:
    esme = await rig.bound()
    first, second, third = parts()
    answers = await esme.ask_all([first, first, second, second, third])
    assert {answer.command_status for answer in answers} == {0}
    ids = [answer.message_id for answer in answers]
    assert ids[0] == ids[1]
    assert ids[2] == ids[3]
    assert len(set(ids)) == 3
    await esme.until(lambda: len(esme.delivered) == 3)
    assert [s.pdu.short_message for s in rig.smsc.submits] == [
        first.short_message, second.short_message, third.short_message  # type: ignore[attr-defined]
    ]  # fmt: skip


async def test_sar_parts_may_have_a_header_of_another_kind(rig: Rig) -> None:
    esme = await rig.bound()
    ports = bytes.fromhex("06050415811581")
    sent = [
        submit(ports + b"part%d" % n, esm_class=0x40, data_coding=4, tlvs=sar)
        for n, sar in enumerate(part.tlvs for part in parts(mode=SAR))  # type: ignore[attr-defined]
    ]
    answers = await esme.ask_all(sent)
    assert {answer.command_status for answer in answers} == {0}
    await esme.until(lambda: len(esme.delivered) == 3)
    on_wire = [(s.pdu.short_message, s.pdu.esm_class, s.pdu.tlvs) for s in rig.smsc.submits]
    assert on_wire == [(p.short_message, p.esm_class, p.tlvs) for p in sent]
    [message] = await rig.store.search(MessageFilter("shop"), 10)
    assert message.parts == 3


async def test_a_reference_used_again_while_the_store_is_away_loses_no_part(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    esme = await rig.bound()
    old, new = parts()[0], parts("Другой текст, совсем другой. " * 5)[0]
    told = [(await esme.ask(old)).message_id]

    async def away(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(rig.store, "accept", away)
        told.append((await esme.ask(new)).message_id)
    assert rig.metric("aldis_smpp_waiting_parts") == 2
    await rig.restart()
    assert rig.metric("aldis_smpp_waiting_parts") == 2
    rig.clock.move(split.JOIN_WITHIN / 1_000_000 + 1)
    rig.server.intake.tick()
    esme = await rig.bound("rx")
    await esme.until(lambda: len(esme.delivered) == 2)
    receipts = [parse(pdu.short_message, pdu.tlvs) for pdu in esme.delivered]
    assert sorted(one.id for one in receipts if one) == sorted(told)
    assert await rig.store.waiting_parts() == []


async def test_many_messages_in_parts_are_stored_together(
    alone: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    esme = await alone.bound()
    accept, calls = alone.store.accept, []

    async def counted(submissions: list[object]) -> object:
        calls.append(len(submissions))
        return await accept(submissions)  # type: ignore[arg-type]

    monkeypatch.setattr(alone.store, "accept", counted)
    sent = [part for n in range(20) for part in parts(to=f"791600000{n:02d}")]
    answers = await esme.ask_all(sent)
    assert {answer.command_status for answer in answers} == {0}
    assert sum(calls) == 20
    assert len(calls) <= 3


async def test_a_mistake_of_ours_costs_no_part_of_others(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    esme = await rig.bound()
    first, second, third = parts()
    await esme.ask(first)
    await esme.ask(second)
    admit = rig.server.intake.admission.admit

    async def broken(ask: Any, drafts: Any) -> Any:
        if drafts[0].to == "+79161234568":
            raise RuntimeError("a mistake of ours")
        return await admit(ask, drafts)

    with monkeypatch.context() as patch:
        patch.setattr(type(rig.server.intake.admission), "admit", lambda _, *of: broken(*of))
        answers = await esme.ask_all([*parts(to="79161234568"), third])
    assert [answer.command_status for answer in answers] == [c.ESME_RSYSERR] * 3 + [0]
    await esme.until(lambda: len(esme.delivered) == 3)
    assert rig.metric("aldis_smpp_waiting_parts") == 0


async def test_a_recipient_that_could_not_be_kept_is_refused(alone: Rig) -> None:
    esme = await alone.bound()
    part = parts()[0]
    number = b"+7 (916) 123-45-67     "
    octets = encode(part)  # type: ignore[arg-type]
    octets = octets.replace(b"79161234567\0", number + b"\0")
    esme.transport.write(
        len(octets).to_bytes(4, "big") + octets[4:12] + b"\0\0\0\x63" + octets[16:]
    )
    await alone.until(
        lambda: alone.metric("aldis_smpp_requests_total", "submit_sm", "ESME_RINVDSTADR") == 1
    )
    assert alone.metric("aldis_task_errors_total") == 0


async def test_parts_of_a_login_that_was_gone_go_on_when_it_comes_back(rig: Rig) -> None:
    esme = await rig.bound()
    told = (await esme.ask(parts()[0])).message_id
    accounts, rig.accounts = rig.accounts, (account(smpp=()),)
    await rig.restart()
    assert rig.metric("aldis_smpp_waiting_parts") == 0
    rig.accounts = accounts
    await rig.reload()
    assert rig.metric("aldis_smpp_waiting_parts") == 1
    rig.clock.move(split.JOIN_WITHIN / 1_000_000 + 1)
    rig.server.intake.tick()
    esme = await rig.bound("rx")
    await esme.until(lambda: len(esme.delivered) == 1)
    receipt = parse(esme.delivered[0].short_message, esme.delivered[0].tlvs)
    assert receipt is not None
    assert receipt.id == told
