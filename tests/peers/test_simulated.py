"""The simulated operator as independent clients see it: what our tests stand on is itself held."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bench.smsc import Behaviour, SimulatedSmsc
from protocol import constants as c
from protocol.pdu import EnquireLink, Unbind
from tests.peers.customers import CUSTOMERS, Customer

pytestmark = pytest.mark.slow

TEXT = "Ваш заказ готов 🎉 " * 6  # 108 UTF-16 units: two parts


@pytest.fixture
async def operator() -> AsyncIterator[SimulatedSmsc]:
    behaviour = Behaviour(credentials={"esme": "secret"})
    async with SimulatedSmsc(behaviour, record=True) as smsc:
        yield smsc


@pytest.mark.parametrize("library", CUSTOMERS)
async def test_a_session(operator: SimulatedSmsc, library: type[Customer]) -> None:
    async with library(operator.port, "esme", "secret") as customer:
        assert await customer.bind() == 0
        answers = await customer.submit("79161234567", TEXT, parts=2 if customer.splits else 1)
        assert {answer.status for answer in answers} == {0}
        assert [answer.message_id for answer in answers] == [
            submit.message_id for submit in operator.submits
        ]
        if customer.splits:
            assert "".join(submit.text for submit in operator.submits) == TEXT
        for answer in answers:
            receipt = await customer.receipt(answer.message_id)
            assert (receipt.stat, receipt.message_state) == ("DELIVRD", 2)
            assert receipt.receipted_message_id == answer.message_id

        operator.send_mo("79161234567", "2020", TEXT)
        replies = await customer.replies("79161234567", 1 if customer.joins else 2)
        assert "".join(reply.text for reply in replies) == TEXT
        await operator.until(lambda: operator.undelivered == 0)
        await customer.unbind()
        await operator.until(lambda: not operator.sessions)


@pytest.mark.parametrize("library", CUSTOMERS)
async def test_enquiries(operator: SimulatedSmsc, library: type[Customer]) -> None:
    async with library(operator.port, "esme", "secret", enquire=0.1) as customer:
        assert await customer.bind() == 0
        await customer.hears("enquire_link_resp", 2)
        operator.binds[0].send(EnquireLink())
        await customer.hears("enquire_link")
        await customer.unbind()


@pytest.mark.parametrize("library", CUSTOMERS)
async def test_a_wrong_password(operator: SimulatedSmsc, library: type[Customer]) -> None:
    # aiosmpplib cannot parse the answer, since an error has no body (3.4 §4.1.2), and tries again
    # for ever: only the octets tell its user why.
    async with library(operator.port, "esme", "wrong") as customer:
        assert await customer.bind() == c.ESME_RINVPASWD


@pytest.mark.parametrize("library", CUSTOMERS)
async def test_the_operator_unbinds(operator: SimulatedSmsc, library: type[Customer]) -> None:
    async with library(operator.port, "esme", "secret") as customer:
        assert await customer.bind() == 0
        operator.binds[0].send(Unbind())
        await customer.hears("unbind")
