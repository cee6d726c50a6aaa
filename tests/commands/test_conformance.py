"""The acceptance plan against simulated operators of many manners: what it finds, what it
proposes, what it must never do."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from bench.smsc import Behaviour, SimulatedSmsc
from config.settings import TonNpi
from gateway.commands.conformance import report as reports
from gateway.commands.conformance.asked import Tls
from gateway.commands.conformance.plan import PLAN
from gateway.commands.conformance.run import conduct
from protocol import constants as c
from tests.commands.conformance import (
    NUMBER,
    PASSWORD,
    asked,
    carrier,
    details,
    failed,
    result,
)
from tests.dispatch.test_tls import CERTIFICATE

pytestmark = pytest.mark.slow

Smsc = Callable[..., Awaitable[SimulatedSmsc]]

CAREFUL = {"credentials": {"aldis": PASSWORD}, "error_of": {"": c.ESME_RINVDSTADR}}
"""An operator without faults knows passwords, and that nobody is no recipient."""


@pytest.fixture
async def smsc() -> AsyncIterator[Smsc]:
    async with AsyncExitStack() as stack:

        async def start(*, tls: ssl.SSLContext | None = None, **behaviour: Any) -> SimulatedSmsc:
            simulated = SimulatedSmsc(Behaviour(**(CAREFUL | behaviour)), record=True, tls=tls)
            return await stack.enter_async_context(simulated)

        yield start


async def test_an_operator_without_faults_passes(smsc: Smsc) -> None:
    operator = await smsc()
    report = await conduct(asked(operator.port))
    assert failed(report) == [], reports.table(report)
    assert report.exit_code == 0
    assert {row.step.name for row in report.rows if row.result.outcome == "skipped"} == set()
    assert result(report, "bind-wrong-password").seen == "ESME_RINVPASWD"
    assert result(report, "bind-twice").seen == "ESME_RALYBND"
    assert result(report, "submit-before-bind").seen == "ESME_RINVBNDSTS"
    assert result(report, "unknown-command").seen == (
        "generic_nack ESME_RINVCMDID; the link is kept"
    )
    assert result(report, "short-length").seen == "generic_nack ESME_RINVCMDLEN; closed"
    assert result(report, "query-sm").seen == "ESME_RQUERYFAIL"
    assert result(report, "unbind").seen.endswith("the peer closed")
    # everything it began it has ended
    await operator.until(lambda: not operator.sessions)
    assert operator.counters.submits < report.pdus


async def test_the_profile_says_what_was_seen_and_loads(smsc: Smsc) -> None:
    operator = await smsc(id_form="resp_hex_receipt_dec")
    found = carrier(await conduct(asked(operator.port)))
    assert found.hosts == (f"127.0.0.1:{operator.port}",)
    assert (found.system_id, found.bind, found.interface_version) == ("aldis", "trx", "3.4")
    assert found.message_id == "resp_hex_receipt_dec"
    assert found.receipt_zone == "UTC"
    assert found.long_message == "udh8"
    assert found.validity_format == "relative"
    assert found.data_coding == {"ascii": 1, "latin1": 3, "ucs2": 8, "binary": 4}
    assert found.source == {
        "international": TonNpi(ton=1, npi=1),
        "alphanumeric": TonNpi(ton=5, npi=0),
        "short_code": TonNpi(ton=3, npi=0),
    }
    assert found.destination == TonNpi(ton=1, npi=1)
    assert found.rate == 1000.0


@pytest.mark.parametrize(
    ("form", "setting", "outcome"),
    [
        ("dec", "as_is", "passed"),
        ("uuid", "as_is", "passed"),
        ("resp_hex_receipt_upper", "as_is", "passed"),
        ("receipt_padded", "as_is", "passed"),
        ("resp_hex_receipt_dec", "resp_hex_receipt_dec", "noted"),
        ("resp_dec_receipt_hex", "resp_dec_receipt_hex", "noted"),
    ],
)
async def test_the_form_of_ids_is_found(smsc: Smsc, form: str, setting: str, outcome: str) -> None:
    operator = await smsc(id_form=form)
    steps = frozenset({"receipts", "receipt-id"})
    report = await conduct(asked(operator.port, only=steps))
    assert result(report, "receipts").outcome == "passed"
    assert result(report, "receipt-id").outcome == outcome
    assert carrier(report).message_id == setting


async def test_what_a_receipt_has_is_told(smsc: Smsc) -> None:
    operator = await smsc(receipt_format="text", receipts={"UNDELIV": 1.0}, enroute=True)
    report = await conduct(asked(operator.port, only=frozenset({"receipts", "receipt-fields"})))
    assert details(report, "receipt-fields") == {
        "stat": "ENROUTE UNDELIV",
        "err": "000 001",
        "TLVs": "none",
        "text quoted": "no",
    }


async def test_receipts_that_do_not_come_fail(smsc: Smsc) -> None:
    operator = await smsc(receipts={})
    report = await conduct(asked(operator.port, receipt_wait=0.05))
    assert failed(report) == ["receipts"]
    assert "none of 3 in 0.05 s" in result(report, "receipts").seen
    assert result(report, "receipt-id").outcome == "skipped"
    assert report.exit_code == 1
    assert carrier(report).message_id == "auto"


async def test_a_number_that_is_refused_fails_with_its_status(smsc: Smsc) -> None:
    operator = await smsc(error_of={NUMBER: c.ESME_RINVDSTTON, "": c.ESME_RINVDSTADR})
    report = await conduct(asked(operator.port))
    assert result(report, "destination").seen == "none accepted"
    assert details(report, "destination")["TON 1 NPI 1"] == "ESME_RINVDSTTON"
    assert result(report, "text-ucs2").outcome == "noted"
    assert "text-gsm" in failed(report)
    assert report.exit_code == 1
    assert carrier(report).destination == TonNpi(ton=1, npi=1)  # nothing seen: the default


async def test_throttling_is_noted_and_the_rate_follows(smsc: Smsc) -> None:
    operator = await smsc(rate=1.0, burst=3.0)
    report = await conduct(asked(operator.port, only=frozenset({"burst"}), rate=50.0))
    assert result(report, "burst").outcome == "noted"
    assert details(report, "burst")["ESME_RTHROTTLED"] == "7 of 10"
    assert 10 <= carrier(report).rate <= 30  # 3 in the time of 10 at 50/s


async def test_a_window_is_found(smsc: Smsc) -> None:
    operator = await smsc(window=4, latency=0.05)
    report = await conduct(asked(operator.port, only=frozenset({"window"}), rate=20.0))
    assert result(report, "window").seen == "4 of 20 in one write are taken, then ESME_RMSGQFUL"
    assert carrier(report).window == 4


async def test_silence_fails_a_step_once(smsc: Smsc) -> None:
    operator = await smsc(silence=1.0)
    steps = frozenset({"destination", "text-gsm", "long-udh8", "burst"})
    report = await conduct(asked(operator.port, only=steps, timeout=0.05, burst=3))
    assert set(failed(report)) == steps
    assert len(details(report, "destination")) == 1  # the other TON/NPI are not waited for
    assert "no answer in 0.05 s" in result(report, "burst").seen


async def test_without_to_nothing_is_submitted(smsc: Smsc) -> None:
    operator = await smsc()
    report = await conduct(asked(operator.port, to=()))
    assert operator.submits == []
    assert operator.counters.submits == 0
    skipped = {row.step.name for row in report.rows if row.result.outcome == "skipped"}
    assert skipped == {step.name for step in PLAN if step.submits}
    assert "without --to: nothing was submitted" in reports.table(report)
    assert report.exit_code == 0


async def test_no_number_is_invented(smsc: Smsc) -> None:
    operator = await smsc()
    await conduct(asked(operator.port, senders=()))
    assert {submit.pdu.destination_addr for submit in operator.submits} == {NUMBER, ""}
    # of senders only the one that is too long, which is no number
    assert {submit.pdu.source_addr for submit in operator.submits} == {"", "ALDIS" * 6}


async def test_recipients_take_turns(smsc: Smsc) -> None:
    operator = await smsc()
    steps = frozenset({"text-gsm", "text-ucs2", "long-udh8"})
    await conduct(asked(operator.port, to=("4670001", "4670002"), only=steps))
    to = [submit.pdu.destination_addr for submit in operator.submits]
    assert set(to) == {"4670001", "4670002"}
    assert to[-1] == to[-2], "both parts of a long message go to one phone"


async def test_transmitter_and_receiver_may_carry_the_traffic(smsc: Smsc) -> None:
    operator = await smsc(receipt_route="any")
    report = await conduct(asked(operator.port, bind="tx+rx"))
    assert failed(report) == [], reports.table(report)
    assert result(report, "receipts").outcome == "passed"
    assert {*details(report, "enquire-link")} == {"transmitter", "receiver"}


async def test_smpp_3_3_has_no_tlvs(smsc: Smsc) -> None:
    operator = await smsc(receipt_format="text")
    report = await conduct(asked(operator.port, interface="3.3"))
    skipped = {row.step.name for row in report.rows if row.result.outcome == "skipped"}
    assert skipped == {"long-sar", "long-payload", "data-sm", "vendor-tlv"}
    assert details(report, "bind-transceiver")["sc_interface_version"] == "not said"
    assert all(not submit.pdu.tlvs for submit in operator.submits)
    assert carrier(report).interface_version == "3.3"


async def test_an_older_smsc_sets_the_version(smsc: Smsc) -> None:
    operator = await smsc()
    report = await conduct(asked(operator.port, interface="5.0", to=()))
    assert carrier(report).interface_version == "3.4"


async def test_a_refused_bind_ends_with_3(smsc: Smsc) -> None:
    operator = await smsc(refuse_bind=c.ESME_RINVSYSID)
    report = await conduct(asked(operator.port))
    assert report.exit_code == 3
    assert result(report, "bind-transceiver").seen == "ESME_RINVSYSID"
    assert result(report, "text-gsm").outcome == "skipped"
    assert "not bound as transceiver: ESME_RINVSYSID" in result(report, "text-gsm").seen
    # what needs no bind is still seen
    assert result(report, "submit-before-bind").outcome == "passed"
    assert result(report, "short-length").outcome == "passed"
    assert json.loads(reports.as_json(report))["profile"] is None


async def test_inbound_messages_stay_with_the_operator(smsc: Smsc) -> None:
    operator = await smsc(mo_rate=200.0, retry_after=60.0)
    report = await conduct(asked(operator.port, only=frozenset({"receipts", "receipt-id"})))
    assert result(report, "receipts").outcome == "passed"
    assert operator.counters.inbound_acknowledged == 0
    if operator.counters.inbound:
        assert report.left == operator.counters.delivers_refused


async def test_the_peers_own_enquiries_are_measured(smsc: Smsc) -> None:
    operator = await smsc(enquire_interval=0.05, receipts={})
    steps = frozenset({"receipts", "peer-enquires"})
    report = await conduct(asked(operator.port, only=steps, receipt_wait=0.4))
    assert result(report, "peer-enquires").seen.startswith("every ")
    assert 0.03 < (report.facts.peer_enquires or 0) < 0.2


async def test_limits_hold(smsc: Smsc) -> None:
    operator = await smsc()
    report = await conduct(asked(operator.port, most_pdus=20))
    assert report.pdus <= 20
    assert operator.counters.submits <= 20
    assert "limit of 20 PDUs" in result(report, "burst").seen
    await operator.until(lambda: not operator.sessions)

    report = await conduct(asked(operator.port, most_seconds=0.5, rate=10.0))
    assert "limit of 0.5 s" in result(report, "burst").seen
    assert result(report, "connect").outcome == "passed"
    await operator.until(lambda: not operator.sessions)


async def test_the_rate_holds_in_every_second(smsc: Smsc) -> None:
    operator = await smsc()
    report = await conduct(asked(operator.port, rate=60.0, burst=20))
    sent = [
        seen.at
        for row in report.rows
        for seen in row.pdus
        if seen.ours and not seen.command_id & c.RESPONSE_BIT and seen.command_id != c.UNBIND
    ]
    # what the loop wakes late for may come closer to what follows, by a few PDUs
    most = max(sum(at <= other < at + 1 for other in sent) for at in sent)
    assert most <= 60 + 6


async def test_interrupted_it_unbinds_and_tells_what_it_has(smsc: Smsc) -> None:
    operator = await smsc(receipts={})
    stop = asyncio.Event()
    running = asyncio.create_task(conduct(asked(operator.port, receipt_wait=60.0), stop))
    await operator.until(lambda: any(s.pdu.registered_delivery for s in operator.submits))
    stop.set()
    report = await running
    assert report.exit_code == 130
    assert result(report, "text-gsm").outcome == "passed"
    assert result(report, "burst").seen == "interrupted"
    assert "Interrupted" in reports.table(report)
    await operator.until(lambda: not operator.sessions)
    unbinds = [seen for row in report.rows for seen in row.pdus if seen.command_id == c.UNBIND]
    assert unbinds


async def test_reports_hide_numbers_texts_and_passwords(smsc: Smsc) -> None:
    operator = await smsc()
    report = await conduct(asked(operator.port, verbose=True))
    for layout in (reports.table, reports.as_json, reports.markdown):
        text = layout(report)
        assert "submit_sm sequence_number" in text
        assert NUMBER not in text and "46700000009" not in text
        assert "Aldis test" not in text
        assert PASSWORD not in text and PASSWORD.encode().hex() not in text
    report = await conduct(
        asked(operator.port, verbose=True, show_texts=True, only=frozenset({"text-gsm"}))
    )
    text = reports.table(report)
    assert NUMBER in text and "Aldis test" in text
    assert PASSWORD not in text and PASSWORD.encode().hex() not in text


async def test_json_has_every_step_and_its_clause(smsc: Smsc) -> None:
    operator = await smsc()
    report = await conduct(asked(operator.port))
    found = json.loads(reports.as_json(report))
    assert [step["name"] for step in found["steps"]] == [step.name for step in PLAN]
    assert all(step["clause"] and step["expects"] and step["seen"] for step in found["steps"])
    assert sum(found["counts"].values()) == len(PLAN)
    assert found["exit_code"] == 0 and found["bound"]


async def test_tls_is_told_and_proposed(smsc: Smsc) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(CERTIFICATE)
    operator = await smsc(tls=server)
    context = ssl.create_default_context(cafile=CERTIFICATE)
    tls = Tls(context=context, ca=CERTIFICATE, server_name="smsc.example")
    report = await conduct(asked(operator.port, tls=tls))
    assert failed(report) == [], reports.table(report)
    told = details(report, "connect")
    assert told["TLS"].startswith("TLSv1.")
    assert told["certificate"].startswith("for smsc.example, valid until ")
    assert told["certificate"].endswith("verified")
    found = carrier(report).tls
    assert found is not None and (found.ca, found.server_name) == (CERTIFICATE, "smsc.example")


async def test_a_certificate_nobody_vouches_for_gets_no_password(smsc: Smsc) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(CERTIFICATE)
    operator = await smsc(tls=server)
    tls = Tls(context=ssl.create_default_context(), server_name="smsc.example")
    report = await conduct(asked(operator.port, tls=tls))
    assert report.exit_code == 3
    assert "certificate verify failed" in result(report, "connect").seen
    assert operator.counters.binds == operator.counters.binds_refused == 0
