"""query_sm, cancel_sm, replace_sm, replace_if_present_flag."""

from __future__ import annotations

from typing import Any

import pytest

from protocol import constants as c
from protocol.address import Address
from protocol.pdu import CancelSm, QuerySm, ReplaceSm, SubmitMulti
from tests.ingress.smpp.conftest import Rig, account
from tests.ingress.smpp.esme import submit
from tests.ingress.smpp.test_split import parts

LATER = {"schedule_delivery_time": "000000010000000R"}


async def test_the_state_of_a_message(rig: Rig) -> None:
    esme = await rig.bound()
    waits = await esme.ask(submit(**LATER))
    goes = await esme.ask(submit())
    await esme.until(lambda: bool(esme.delivered))
    first = await esme.ask(QuerySm(message_id=waits.message_id, source_addr="ACME"))
    assert (first.message_state, first.final_date) == (c.MESSAGE_STATE_SCHEDULED, "")
    assert first.message_id == waits.message_id
    then = await esme.ask(QuerySm(message_id=goes.message_id))
    assert then.message_state == c.MESSAGE_STATE_DELIVERED
    assert len(then.final_date) == 16


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"message_id": "999"}, c.ESME_RINVMSGID),
        ({"message_id": "not an id"}, c.ESME_RINVMSGID),
        ({"message_id": ""}, c.ESME_RINVMSGID),
        ({"message_id": "9" * 64}, c.ESME_RINVMSGID),
        ({"source_addr": "OTHER"}, c.ESME_RQUERYFAIL),
    ],
)
async def test_what_cannot_be_asked(alone: Rig, fields: dict[str, Any], status: int) -> None:
    esme = await alone.bound()
    told = (await esme.ask(submit())).message_id
    answer = await esme.ask(QuerySm(**{"message_id": told, **fields}))
    assert answer.command_status == status


async def test_another_account_sees_nothing(unstarted: Rig) -> None:
    from config.settings import SmppLogin

    unstarted.with_operator = False
    unstarted.accounts = (
        account(),
        account(
            name="other",
            inbound_numbers=(),
            smpp=(SmppLogin(system_id="other", password="secret"),),
        ),
    )
    await unstarted.start()
    try:
        esme, other = await unstarted.bound(), await unstarted.bound(system_id="other")
        told = (await esme.ask(submit())).message_id
        for pdu in (
            QuerySm(message_id=told),
            CancelSm(message_id=told),
            ReplaceSm(message_id=told, source_addr="ACME", short_message=b"mine now"),
        ):
            assert (await other.ask(pdu)).command_status == c.ESME_RINVMSGID
        assert (await esme.ask(QuerySm(message_id=told))).command_status == 0
    finally:
        await unstarted.close()


async def test_a_message_that_waits_can_be_canceled_once(rig: Rig) -> None:
    esme = await rig.bound()
    told = (await esme.ask(submit(**LATER))).message_id
    cancel = CancelSm(message_id=told, source_addr="ACME", destination_addr="79161234567")
    assert (await esme.ask(cancel)).command_status == 0
    await esme.until(lambda: bool(esme.delivered))
    assert b"stat:DELETED" in esme.delivered[0].short_message
    cancel = CancelSm(message_id=told)
    assert (await esme.ask(cancel)).command_status == c.ESME_RCANCELFAIL
    gone = (await esme.ask(submit())).message_id
    await esme.until(lambda: len(esme.delivered) == 2)
    assert (await esme.ask(CancelSm(message_id=gone))).command_status == c.ESME_RCANCELFAIL


async def test_all_that_waits_for_a_recipient_can_be_canceled(alone: Rig) -> None:
    esme = await alone.bound()
    told = await esme.ask_all(
        [
            submit(b"1"),
            submit(b"2"),
            submit(b"3", "79161234568"),
            submit(b"4", source_addr="OTHER"),
        ]
    )
    cancel = CancelSm(source_addr="ACME", destination_addr="79161234567")
    assert (await esme.ask(cancel)).command_status == 0
    ids = [int(one.message_id) for one in told]
    views = await alone.store.messages("shop", ids)
    assert [view.status == 12 for view in views if view] == [True, True, False, False]
    assert (await esme.ask(cancel)).command_status == c.ESME_RCANCELFAIL


async def test_a_split_message_is_canceled_and_asked_about_by_any_part(alone: Rig) -> None:
    esme = await alone.bound()
    answers = await esme.ask_all(parts())
    state = await esme.ask(QuerySm(message_id=answers[2].message_id))
    assert state.message_state == c.MESSAGE_STATE_ENROUTE
    assert (await esme.ask(CancelSm(message_id=answers[1].message_id))).command_status == 0
    state = await esme.ask(QuerySm(message_id=answers[0].message_id))
    assert state.message_state == c.MESSAGE_STATE_DELETED


async def test_a_submit_multi_is_canceled_whole(alone: Rig) -> None:
    esme = await alone.bound()
    dests = tuple(Address(1, 1, f"7916123456{n}") for n in range(3))
    told = await esme.ask(
        SubmitMulti(source_addr="ACME", source_addr_ton=5, dest_address=dests, short_message=b"x")
    )
    state = await esme.ask(QuerySm(message_id=told.message_id))
    assert state.message_state == c.MESSAGE_STATE_ENROUTE
    assert (await esme.ask(CancelSm(message_id=told.message_id))).command_status == 0
    while await alone.store.maintain(alone.clock()):
        pass
    state = await esme.ask(QuerySm(message_id=told.message_id))
    assert state.message_state == c.MESSAGE_STATE_DELETED


async def test_another_text_and_other_times(rig: Rig) -> None:
    esme = await rig.bound()
    told = (await esme.ask(submit(b"old", **LATER))).message_id
    replace = ReplaceSm(
        message_id=told,
        source_addr="ACME",
        short_message=b"\x1b(\x1b(new\x1b)\x1b) 100%",
        schedule_delivery_time="000000000001000R",
        registered_delivery=1,
    )
    assert (await esme.ask(replace)).command_status == 0
    await esme.until(lambda: bool(esme.delivered))
    spelt = b"\x1b(\x1b(new\x1b)\x1b) 100%"
    assert [s.pdu.short_message for s in rig.smsc.submits] == [spelt]
    late = await esme.ask(replace)
    assert late.command_status == c.ESME_RREPLACEFAIL


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"source_addr": "OTHER"}, c.ESME_RREPLACEFAIL),
        ({"message_id": "5"}, c.ESME_RINVMSGID),
        ({"short_message": b""}, c.ESME_RINVMSGLEN),
        ({"validity_period": "soon"}, c.ESME_RINVEXPIRY),
        ({"schedule_delivery_time": "soon"}, c.ESME_RINVSCHED),
        ({"sm_default_msg_id": 9}, c.ESME_RINVDFTMSGID),
    ],
)
async def test_what_cannot_be_replaced(alone: Rig, fields: dict[str, Any], status: int) -> None:
    esme = await alone.bound()
    told = (await esme.ask(submit(b"old"))).message_id
    values = {"message_id": told, "source_addr": "ACME", "short_message": b"new", **fields}
    assert (await esme.ask(ReplaceSm(**values))).command_status == status
    [view] = await alone.store.messages("shop", [int(told)])
    assert view is not None
    assert view.text == "old"


async def test_replace_if_present_takes_the_place_of_one_that_waits(alone: Rig) -> None:
    esme = await alone.bound()
    old = await esme.ask(submit(b"old"))
    new = await esme.ask(submit(b"new", replace_if_present_flag=1))
    assert new.message_id == old.message_id
    [view] = await alone.store.messages("shop", [int(old.message_id)])
    assert view is not None
    assert view.text == "new"
    other = await esme.ask(submit(b"new", "79161234568", replace_if_present_flag=1))
    assert other.command_status == 0
    assert other.message_id != old.message_id


async def test_replace_if_present_takes_no_place_of_another_category(unstarted: Rig) -> None:
    """An advertisement would leave by the one-time codes' lane."""
    unstarted.accounts = (account(login={"service_types": {"CODE": "transactional", "AD":
                                                           "advertising"}}),)  # fmt: skip
    unstarted.with_operator = False
    await unstarted.start()
    try:
        esme = await unstarted.bound()
        old = await esme.ask(submit(b"old", service_type="CODE"))
        new = await esme.ask(submit(b"new", service_type="AD", replace_if_present_flag=1))
        assert new.command_status == 0
        assert new.message_id != old.message_id
        again = await esme.ask(submit(b"newer", service_type="CODE", replace_if_present_flag=1))
        assert again.message_id == old.message_id
    finally:
        await unstarted.close()


async def test_an_id_too_long_to_be_told_back_is_none(alone: Rig) -> None:
    esme = await alone.bound()
    told = (await esme.ask(submit())).message_id
    # Not to be written by ours: the peer bends the specification.
    esme.transport.write(
        (16 + 104).to_bytes(4, "big") + c.QUERY_SM.to_bytes(4, "big") + bytes(4)
        + (77).to_bytes(4, "big") + told.rjust(100, "0").encode() + b"\0" + bytes(3)
    )  # fmt: skip
    other = await esme.ask(QuerySm(message_id=told))
    assert other.command_status == 0
    [bind] = alone.server.logins.all()[0].binds
    await alone.until(lambda: not bind.owed)
    assert alone.metric("aldis_smpp_requests_total", "query_sm", "ESME_RINVMSGID") == 1


async def test_a_window_full_of_questions_stops_nobody_for_good(unstarted: Rig) -> None:
    unstarted.with_operator = False
    unstarted.accounts = (account(login={"window": 4}),)
    await unstarted.start()
    try:
        esme = await unstarted.bound()
        told = (await esme.ask(submit())).message_id
        answers = await esme.ask_all([QuerySm(message_id=told) for _ in range(20)])
        assert {answer.command_status for answer in answers} == {0}
        assert (await esme.ask(submit(to="79161234568"))).command_status == 0
    finally:
        await unstarted.close()


async def test_a_recipient_is_read_as_when_it_was_submitted(unstarted: Rig) -> None:
    unstarted.with_operator = False
    unstarted.accounts = (account(default_region="FR", default_sender="+33612345670"),)
    await unstarted.start()
    try:
        esme = await unstarted.bound()
        fields = {"dest_addr_ton": 2, "source_addr": "", "source_addr_ton": 0}
        told = await esme.ask(submit(b"1", "0612345678", **fields))
        assert told.command_status == 0
        replace = ReplaceSm(message_id=told.message_id, short_message=b"2")
        assert (await esme.ask(replace)).command_status == 0
        cancel = CancelSm(dest_addr_ton=2, destination_addr="0612345678")
        assert (await esme.ask(cancel)).command_status == 0
        [view] = await unstarted.store.messages("shop", [int(told.message_id)])
        assert view is not None
        assert (view.text, view.status) == ("2", 12)
    finally:
        await unstarted.close()


async def test_a_part_cannot_be_replaced(alone: Rig) -> None:
    esme = await alone.bound()
    told = [answer.message_id for answer in await esme.ask_all(parts())]
    for each in told:
        replace = ReplaceSm(message_id=each, source_addr="ACME", short_message=b"new")
        assert (await esme.ask(replace)).command_status == c.ESME_RREPLACEFAIL


async def test_a_part_whose_others_have_not_come_is_known(alone: Rig) -> None:
    esme = await alone.bound()
    first, second, third = parts()
    told = (await esme.ask(first)).message_id
    state = await esme.ask(QuerySm(message_id=told))
    assert (state.command_status, state.message_state) == (0, c.MESSAGE_STATE_ACCEPTED)
    assert (await esme.ask(CancelSm(message_id=told))).command_status == c.ESME_RCANCELFAIL
    replace = ReplaceSm(message_id=told, source_addr="ACME", short_message=b"new")
    assert (await esme.ask(replace)).command_status == c.ESME_RREPLACEFAIL
    await alone.restart()
    esme = await alone.bound()
    assert (await esme.ask(QuerySm(message_id=told))).command_status == 0
    await esme.ask_all([second, third])
    state = await esme.ask(QuerySm(message_id=told))
    assert state.message_state == c.MESSAGE_STATE_ENROUTE
    assert not alone.server.intake._split._kept


async def test_replace_if_present_leaves_a_split_message_alone(alone: Rig) -> None:
    esme = await alone.bound()
    answers = await esme.ask_all(parts())
    new = await esme.ask(submit(b"new", replace_if_present_flag=1))
    assert new.command_status == 0
    [message, view] = await alone.store.messages(
        "shop",
        [*await alone.store.resolve("shop", [int(answers[0].message_id)]), int(new.message_id)],
    )
    assert message is not None
    assert view is not None
    assert message.text != "new"
    assert view.text == "new"
