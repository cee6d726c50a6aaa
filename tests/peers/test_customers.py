"""Customers made of smpplib, aiosmpplib and npm's `smpp` bound to our SMPP server.

What a library does beside the letter of the specification stands at the test that holds it.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from bench.load.site import free_port
from bench.smsc import Behaviour
from bench.smsc.record import Submit
from protocol import constants as c
from protocol.udh import parse as parse_udh
from tests.peers.conftest import TLS, running
from tests.peers.customers import CUSTOMERS, Aiosmpplib, Answer, Customer, Npm, Smpplib
from tests.whole.conftest import Rig

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

ACCOUNTS = {
    # bound throughout the module
    "npm": 1,
    "smpplib": 2,
    "aiosmpplib": 3,
    "operations": 4,
    # for tests that bind themselves
    "npm-own": 5,
    "smpplib-own": 6,
    "aiosmpplib-own": 7,
}
"""The digit that tells their recipients and their short codes apart."""
DELIVERED, DELETED = 2, 4  # message_state, 3.4 §5.2.28


class Site(Rig):
    """A gateway with an SMPP port, one with TLS, and accounts for each library."""

    smpp_port: int
    tls_port: int

    def write_config(self, *, without: str = "", **_: str) -> None:
        """`without`: the account whose login is taken away."""
        accounts = ""
        for name, digit in ACCOUNTS.items():
            accounts += f"""
[[account]]
name = "{name}"
keys = [{{ value = "ak_{name}" }}]
inbound_numbers = ["202{digit}"]
"""
            if name != without:
                accounts += f"""
[[account.smpp]]
system_id = "{name}"
password = "secret"
{"data_coding = { gsm = 1 }" if name == "operations" else ""}
"""
        super().write_config(
            extra=f"""{accounts}
[[smpp]]
port = {self.smpp_port}
enquire_interval = "300ms"
response_timeout = "1s"
[[smpp]]
port = {self.tls_port}
tls = {{ certificate = "{TLS}/server.pem", key = "{TLS}/server.key" }}
"""
        )

    def own(self, library: type[Customer], password: str = "secret", **how: Any) -> Customer:
        """A session of a library's own account, not bound yet."""
        port = self.tls_port if how.get("tls") else self.smpp_port
        return library(port, f"{library.__name__.lower()}-own", password, **how)

    def arrived(self, number: str) -> list[Submit]:
        """What the operator got for a number."""
        return [submit for submit in self.north.submits if submit.destination == number]


def number(customer: Customer, last: int) -> str:
    """A recipient of its own for each test and account."""
    return f"7916{ACCOUNTS[customer.system_id]}{last:06d}"


def short_code(customer: Customer) -> str:
    """Where replies to an account go."""
    return f"202{ACCOUNTS[customer.system_id]}"


def joined(submits: list[Submit]) -> str:
    """The text of parts, put together before it is decoded: they may end inside a character."""
    octets = b"".join(
        parse_udh(submit.pdu.short_message)[1] if submit.pdu.esm_class & 0x40
        else submit.pdu.short_message
        for submit in submits
    )  # fmt: skip
    return octets.decode("utf-16-be")


async def delivered(customer: Customer, answers: list[Answer]) -> None:
    """Each submit was taken under an id of its own, and a receipt tells that id."""
    assert {answer.status for answer in answers} == {0}
    ids = [answer.message_id for answer in answers]
    assert all(ids) and len({*ids}) == len(ids)
    for message_id in ids:
        receipt = await customer.receipt(message_id)
        assert receipt.stat == "DELIVRD"
        assert int(receipt.err) == 0
        assert (receipt.receipted_message_id, receipt.message_state) == (message_id, DELIVERED)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    rig = Site(tmp_path_factory.mktemp("customers"))
    rig.smpp_port, rig.tls_port = free_port(), free_port()
    async with running(rig):
        yield rig


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=CUSTOMERS, ids=lambda library: library.__name__
)
async def customer(site: Site, request: pytest.FixtureRequest) -> AsyncIterator[Customer]:
    """One bound session of each library."""
    library: type[Customer] = request.param
    async with library(site.smpp_port, library.__name__.lower(), "secret") as bound:
        assert await bound.bind() == 0
        yield bound


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def npm(site: Site) -> AsyncIterator[Npm]:
    """A bound session for what only npm's smpp can do."""
    async with Npm(site.smpp_port, "operations", "secret") as bound:
        assert await bound.bind() == 0
        yield bound


every_library = pytest.mark.parametrize("library", CUSTOMERS)


# ---- messages


async def test_a_short_text(site: Site, customer: Customer) -> None:
    to, text = number(customer, 1), "Code: 4711 @ home, 5 € {ok}"
    await delivered(customer, await customer.submit(to, text))
    [submit] = site.arrived(to)
    assert submit.text == text
    assert submit.pdu.source_addr == "ACME"
    [receipt] = await customer.receipts_from(to)
    assert receipt.destination == "ACME"


async def test_npm_says_ascii_and_means_gsm(site: Site, npm: Npm) -> None:
    # Left to itself it announces the GSM alphabet as data_coding 1, which is IA5 (3.4 §5.2.19).
    # Octets that no IA5 text has give it away (the short text above); `ü` alone is a `~` there,
    # and only the login's data_coding can say what is meant.
    to = number(npm, 2)
    await delivered(npm, await npm.submit(to, "Müller"))
    [submit] = site.arrived(to)
    assert submit.text == "Müller"
    site.north.send_mo(to, short_code(npm), "Grüße, Müller")
    [reply] = await npm.replies(to)
    assert reply.text == "Grüße, Müller"


async def test_a_long_text(site: Site, customer: Customer) -> None:
    # smpplib cuts after so many octets, here in the middle of the emoji; aiosmpplib does not, and
    # npm's smpp, which splits nothing, sends message_payload.
    to, text = number(customer, 4), "я" * 66 + "🎉" + "я" * 20
    answers = await customer.submit(to, text, parts=2 if customer.splits else 1)
    await delivered(customer, answers)
    submits = site.arrived(to)
    assert len(submits) == 2
    assert joined(submits) == text
    assert {submit.pdu.data_coding for submit in submits} == {8}
    found = await site.call(
        "GET",
        f"/v1/messages?to=%2B{to}",
        headers={"Authorization": f"Bearer ak_{customer.system_id}"},
    )
    assert [message["text"] for message in found["data"]] == [text]


async def test_parts_made_by_hand(site: Site, npm: Npm) -> None:
    to, sequences = number(npm, 5), []
    for part in (2, 1):  # any order
        header = {"hex": bytes((6, 8, 4, 7, 7, 2, part)).hex()}
        fields = npm.message(to, "")
        fields["short_message"] = {"udh": header, "message": f"Часть {part}. "}
        sequences.append(npm.send("submit_sm", **fields))
    await delivered(npm, await npm.answers(sequences))
    submits = site.arrived(to)
    submits.sort(key=lambda submit: submit.pdu.short_message[6])
    assert joined(submits) == "Часть 1. Часть 2. "


async def test_a_receipt_of_failure(site: Site, customer: Customer) -> None:
    # aiosmpplib reads `err` with int() and the dates as ten digits, outside of any guard: a
    # receipt that it cannot read ends its session.
    to = number(customer, 6)
    site.north.behaviour = Behaviour(receipt_of={to: "UNDELIV"})
    [answer] = await customer.submit(to, "Hello")
    receipt = await customer.receipt(answer.message_id)
    site.north.behaviour = Behaviour()
    assert (receipt.stat, receipt.message_state) == ("UNDELIV", 5)
    assert int(receipt.err) >= 0


async def test_a_refused_number(site: Site, customer: Customer) -> None:
    [answer] = await customer.submit("442079460123", "Hello")  # a fixed line
    assert answer.status == c.ESME_RINVDSTADR


async def test_several_in_flight(site: Site, customer: Customer) -> None:
    answers = await asyncio.gather(
        *[customer.submit(number(customer, 100 + last), f"No. {last}") for last in range(50)]
    )
    await delivered(customer, [answer for [answer] in answers])


async def test_a_short_reply(site: Site, customer: Customer) -> None:
    source = number(customer, 7)
    site.north.send_mo(source, short_code(customer), "Да, спасибо 🎉")
    [reply] = await customer.replies(source)
    assert (reply.text, reply.destination) == ("Да, спасибо 🎉", short_code(customer))


async def test_a_long_reply(site: Site, customer: Customer) -> None:
    # It comes in one deliver_sm or in parts; aiosmpplib joins these.
    source, text = number(customer, 8), "Да, спасибо 🎉 " * 8
    site.north.send_mo(source, short_code(customer), text)

    def whole() -> bool:
        return "".join(one.text for one in customer.deliveries if one.source == source) == text

    await customer.until(whole, f"a long reply from {source}")


async def test_our_enquiries(site: Site, customer: Customer) -> None:
    before = len([one for one in customer.heard if one.command == "enquire_link"])
    await customer.hears("enquire_link", before + 2)  # the second only if the first was answered


# ---- what only npm's smpp can do

SOURCE = {"source_addr_ton": 5, "source_addr": "ACME"}


async def scheduled(npm: Npm, to: str, text: str) -> str:
    """The id of a message that waits for an hour."""
    at = datetime.now(UTC) + timedelta(hours=1)
    fields = npm.message(to, text)
    fields["schedule_delivery_time"] = f"{at:%y%m%d%H%M%S}000+"
    answer = await npm.ask("submit_sm", **fields)
    assert answer["command_status"] == 0
    return str(answer["message_id"])


async def test_query_sm(site: Site, npm: Npm) -> None:
    answers = await npm.submit(number(npm, 20), "Hello")
    await delivered(npm, answers)
    message_id = answers[0].message_id
    answer = await npm.ask("query_sm", message_id=message_id, **SOURCE)
    assert answer["command_status"] == 0
    assert (answer["message_id"], answer["message_state"]) == (message_id, DELIVERED)
    final = datetime.fromisoformat(answer["final_date"])  # it makes a Date of the octets
    assert abs(datetime.now(UTC) - final) < timedelta(minutes=1)
    answer = await npm.ask("query_sm", message_id="1", **SOURCE)
    assert answer["command_status"] == c.ESME_RINVMSGID


async def test_smpplib_queries(site: Site) -> None:
    async with site.own(Smpplib) as customer:
        assert isinstance(customer, Smpplib)
        assert await customer.bind() == 0
        answers = await customer.submit(number(customer, 20), "Hello")
        await delivered(customer, answers)
        query = customer.client.query_message(
            message_id=answers[0].message_id, source_addr_npi=0, **SOURCE
        )
        [answer] = await customer.answers([query.sequence], "query_sm_resp")
        assert (answer.status, answer.message_id) == (0, answers[0].message_id)
        await customer.unbind()


async def test_cancel_sm(site: Site, npm: Npm) -> None:
    to = number(npm, 21)
    message_id = await scheduled(npm, to, "Never")
    fields = {
        "message_id": message_id,
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
        "destination_addr": to,
        **SOURCE,
    }
    assert (await npm.ask("cancel_sm", **fields))["command_status"] == 0
    answer = await npm.ask("query_sm", message_id=message_id, **SOURCE)
    assert answer["message_state"] == DELETED
    assert (await npm.ask("cancel_sm", **fields))["command_status"] == c.ESME_RCANCELFAIL
    assert not site.arrived(to)


async def test_replace_sm(site: Site, npm: Npm) -> None:
    to = number(npm, 22)
    message_id = await scheduled(npm, to, "Old")
    answer = await npm.ask(
        "replace_sm",
        message_id=message_id,
        schedule_delivery_time="000000000001000R",
        registered_delivery=1,
        short_message="New",
        **SOURCE,
    )
    assert answer["command_status"] == 0
    receipt = await npm.receipt(message_id)
    assert receipt.stat == "DELIVRD"
    assert [submit.text for submit in site.arrived(to)] == ["New"]


async def test_submit_multi(site: Site, npm: Npm) -> None:
    good = [number(npm, 23), number(npm, 24)]
    fields = npm.message("", "To all of you")
    del fields["dest_addr_ton"], fields["dest_addr_npi"], fields["destination_addr"]
    fields["dest_address"] = [
        {"dest_addr_ton": 1, "dest_addr_npi": 1, "destination_addr": to}
        for to in (*good, "442079460123")
    ]
    answer = await npm.ask("submit_multi", **fields)
    assert answer["command_status"] == 0
    assert [
        (one["destination_addr"], one["error_status_code"]) for one in answer["unsuccess_sme"]
    ] == [("442079460123", c.ESME_RINVDSTADR)]
    for to in good:
        [receipt] = await npm.receipts_from(to)
        assert (receipt.message_id, receipt.stat) == (answer["message_id"], "DELIVRD")
        assert [submit.text for submit in site.arrived(to)] == ["To all of you"]


async def test_data_sm(site: Site, npm: Npm) -> None:
    to = number(npm, 25)
    fields = npm.message(to, "")
    del fields["short_message"]
    answer = await npm.ask("data_sm", message_payload={"message": "Длинный текст"}, **fields)
    assert answer["command_status"] == 0
    receipt = await npm.receipt(answer["message_id"])
    assert receipt.stat == "DELIVRD"
    assert [submit.text for submit in site.arrived(to)] == ["Длинный текст"]


async def test_what_we_do_not_do(npm: Npm) -> None:
    answer = await npm.ask("broadcast_sm", **SOURCE)
    assert answer["command_status"] == c.ESME_RINVCMDID


# ---- sessions


@every_library
@pytest.mark.parametrize("kind", ["transmitter", "receiver", "transceiver"])
async def test_it_binds_and_unbinds(site: Site, library: type[Customer], kind: str) -> None:
    async with site.own(library) as customer:
        assert await customer.bind(kind) == 0
        # aiosmpplib closes its side with the unbind and still reads the answer.
        await customer.unbind()


@every_library
async def test_a_wrong_password(site: Site, library: type[Customer]) -> None:
    # aiosmpplib cannot parse the answer, since an error has no body (3.4 §4.1.2), and tries again
    # for ever: only the octets tell its user why.
    async with site.own(library, "wrong") as customer:
        assert await customer.bind() == c.ESME_RINVPASWD


async def test_nobody_we_know(site: Site) -> None:
    async with Npm(site.smpp_port, "nobody", "secret") as customer:
        assert await customer.bind() == c.ESME_RINVSYSID


@pytest.mark.parametrize("library", [Npm, Smpplib])
async def test_tls(site: Site, library: type[Customer]) -> None:
    async with site.own(library, tls=True) as customer:
        assert await customer.bind() == 0
        await delivered(customer, await customer.submit(number(customer, 30), "Hello"))
        await customer.unbind()


@pytest.mark.parametrize(("offered", "agreed"), [(0x33, None), (0x34, 0x34), (0x50, 0x50)])
async def test_versions(site: Site, offered: int, agreed: int | None) -> None:
    async with site.own(Npm) as customer:
        assert isinstance(customer, Npm)
        assert await customer.bind(version=offered) == 0
        bound = await customer.script.one(event="pdu", command="bind_transceiver_resp")
        assert bound.get("sc_interface_version") == agreed
        [answer] = await customer.submit(number(customer, 31), "Hello")
        receipt = await customer.receipt(answer.message_id)
        assert receipt.stat == "DELIVRD"
        # 3.4 §7.4.4: an ESME of 3.3 must see no TLVs
        assert bool(receipt.receipted_message_id) is (agreed is not None)
        await customer.unbind()


@every_library
async def test_receipts_wait_for_a_receiver(site: Site, library: type[Customer]) -> None:
    async with site.own(library) as customer:
        assert await customer.bind("transmitter") == 0
        answers = await customer.submit(number(customer, 32), "Hello")
        await site.north.until(lambda: site.north.undelivered == 0)
        assert not customer.deliveries
    async with site.own(library) as customer:
        assert await customer.bind("receiver") == 0
        await delivered(customer, answers)


async def test_what_is_not_answered_comes_again(site: Site) -> None:
    async with site.own(Npm) as customer:
        assert isinstance(customer, Npm)
        assert await customer.bind() == 0
        customer.script.tell(silent=True)
        [answer] = await customer.submit(number(customer, 33), "Hello")
        await customer.hears("deliver_sm")
        customer.script.tell(silent=False)
        receipts = await customer.receipts_from(number(customer, 33), 2)
        assert [one.message_id for one in receipts] == [answer.message_id] * 2
        customer.script.tell(refuse=c.ESME_RX_T_APPN)
        [answer] = await customer.submit(number(customer, 34), "Hello")
        receipts = await customer.receipts_from(number(customer, 34), 2)
        assert [one.message_id for one in receipts] == [answer.message_id] * 2
        await customer.unbind()


@every_library
async def test_their_enquiries(site: Site, library: type[Customer]) -> None:
    async with site.own(library, enquire=0.1) as customer:
        assert await customer.bind() == 0
        await customer.hears("enquire_link_resp", 2)


@every_library
async def test_we_unbind_a_login_that_is_gone(site: Site, library: type[Customer]) -> None:
    async with site.own(library) as customer:
        assert await customer.bind() == 0
        site.write_config(without=customer.system_id)
        site.signal(signal.SIGHUP)
        await customer.hears("unbind")
        if library is Aiosmpplib:
            # It answers, and binds again at once: nobody knows it any more.
            await customer.until(
                lambda: customer.heard[-1].status == c.ESME_RINVSYSID, "another bind's refusal"
            )
        else:
            # smpplib takes an unbind for the answer to one and goes on: we close.
            await customer.until(lambda: customer.closed, "the end of the connection")


# ---- the end


async def test_a_stop_takes_leave_of_all(site: Site, npm: Npm) -> None:
    site.signal(signal.SIGTERM)
    await npm.hears("unbind")
    await npm.until(lambda: npm.closed, "the end of the connection")
    assert await asyncio.wait_for(site.gateway.ended(), 10) == 0
