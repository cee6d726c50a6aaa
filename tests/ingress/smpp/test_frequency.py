"""Frequency caps over SMPP: what counts once, and what does not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from config.base import Duration
from config.policies import FrequencyCap
from gateway.admission.contacts import Ledger
from gateway.errors import StoreUnavailable
from protocol import constants as c
from protocol.pdu import CancelSm, ReplaceSm
from tests.ingress.smpp.conftest import Rig, account
from tests.ingress.smpp.esme import submit
from tests.ingress.smpp.test_split import parts

ONE_A_DAY = FrequencyCap(messages=1, period=Duration(86_400), categories=("service",))


@pytest.fixture(autouse=True)
async def capped(alone: Rig) -> AsyncIterator[None]:
    alone.accounts = (account(frequency=(ONE_A_DAY,)),)
    await alone.reload()
    alone.world.contacts = ledger = Ledger(alone.store, alone.metrics, alone.clock)
    ledger.configure(alone.accounts)
    await ledger.ready()
    yield
    await ledger.stop()


async def test_the_second_is_throttled_and_may_replace_the_first(alone: Rig) -> None:
    esme = await alone.bound()
    first = await esme.ask(submit())
    assert first.command_status == 0
    assert (await esme.ask(submit())).command_status == c.ESME_RTHROTTLED
    replace = ReplaceSm(message_id=first.message_id, source_addr="ACME", short_message=b"better")
    assert (await esme.ask(replace)).command_status == 0
    cancel = CancelSm(
        source_addr="ACME", dest_addr_ton=1, dest_addr_npi=1, destination_addr="79161234567"
    )
    assert (await esme.ask(cancel)).command_status == 0  # looked for as submitted: counts nothing


async def test_the_parts_of_one_message_count_once(alone: Rig) -> None:
    esme = await alone.bound()
    answers = [await esme.ask(part) for part in parts(to="79161234568")]
    assert [answer.command_status for answer in answers] == [0, 0, 0]
    assert (await esme.ask(submit(to="79161234568"))).command_status == c.ESME_RTHROTTLED
    again = [await esme.ask(part) for part in parts(to="79161234568", reference=8)]
    assert {answer.command_status for answer in again} == {c.ESME_RTHROTTLED}


async def test_what_was_not_stored_does_not_count(
    alone: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept = alone.store.accept
    full = True

    async def disk(submissions: object) -> object:
        if full:
            raise StoreUnavailable("disk full")
        return await accept(submissions)  # type: ignore[arg-type]

    monkeypatch.setattr(alone.store, "accept", disk)
    esme = await alone.bound()
    assert (await esme.ask(submit())).command_status == c.ESME_RSYSERR
    joined = await esme.ask_all(parts(to="79161234568"))
    assert {answer.command_status for answer in joined} == {c.ESME_RSYSERR}
    full = False
    assert (await esme.ask(submit())).command_status == 0
    joined = await esme.ask_all(parts(to="79161234568", reference=8))
    assert {answer.command_status for answer in joined} == {0}


async def test_beyond_max_waiting_nothing_counts(alone: Rig) -> None:
    esme = await alone.bound()
    assert (await esme.ask(submit(to="79161234569"))).command_status == 0
    alone.accounts = (account(frequency=(ONE_A_DAY,), max_waiting=1),)
    await alone.reload()
    assert (await esme.ask(submit())).command_status == c.ESME_RMSGQFUL
    joined = await esme.ask_all(parts(to="79161234568"))
    assert {answer.command_status for answer in joined} == {c.ESME_RMSGQFUL}
    alone.accounts = (account(frequency=(ONE_A_DAY,)),)
    await alone.reload()
    assert (await esme.ask(submit())).command_status == 0
    joined = await esme.ask_all(parts(to="79161234568", reference=8))
    assert {answer.command_status for answer in joined} == {0}
