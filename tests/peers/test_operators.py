"""Our links against operators made of npm's `smpp`: what arrived there, what we made of it.

What that library does beside the letter of the specification stands at the test that holds it.
"""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.peers.conftest import TLS, running
from tests.peers.process import Event, Script
from tests.whole.conftest import Rig

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

OPERATORS: list[dict[str, Any]] = [
    {"name": "plain", "receipts": "text"},
    {"name": "pair", "receipts": "both"},
    {"name": "sar", "receipts": "tlv"},
    {"name": "payload", "receipts": "text"},
    {
        "name": "tls",
        "receipts": "both",
        "tls": {"key": str(TLS / "server.key"), "cert": str(TLS / "server.pem")},
    },
]
MANNERS = {
    "plain": 'bind = "trx"\nlong_message = "udh8"',
    # data_coding: see test_a_reply_in_the_gsm_alphabet
    "pair": """bind = "tx+rx"
long_message = "udh16"
data_coding = { gsm = 1 }
enquire_interval = "200ms"
enquire_minimum_gap = "100ms"
""",
    "sar": 'bind = "trx"\nlong_message = "sar"',
    "payload": 'bind = "trx"\nlong_message = "payload"',
    "tls": f'tls = {{ ca = "{TLS}/ca.pem", server_name = "smpp.example" }}',
}
PREFIXES = {name: f"7916{digit}" for digit, name in enumerate(MANNERS, 1)}
LONG = "Ваш заказ №4711 готов 🎉 "  # 25 UTF-16 units


class Operators(Rig):
    """A gateway whose carriers are the script's; each serves a prefix of its own."""

    script: Script
    ports: dict[str, int]
    manners: dict[str, str] = MANNERS

    def write_config(self, **_: str) -> None:
        carriers = "".join(
            f"""
[[carrier]]
name = "{name}"
hosts = ["127.0.0.1:{self.ports[name]}"]
system_id = "aldis"
password = "secret"
window = 10
rate = 1000.0
reconnect_min = "50ms"
reconnect_max = "100ms"
{manner}
[[route]]
name = "to-{name}"
prefixes = ["{PREFIXES[name]}"]
carriers = ["{name}"]
"""
            for name, manner in self.manners.items()
        )
        super().write_config()
        ours, _, _ = self.config.read_text("utf-8").partition("[[carrier]]")
        self.config.write_text(ours + carriers, "utf-8")

    async def submit(self, operator: str, text: str, last: str = "000000", **fields: Any) -> str:
        """Post a message to a number of the operator's; its id."""
        answer = await self.post(f"+{PREFIXES[operator]}{last}", text, **fields)
        return str(answer["id"])

    async def ended(self, identifier: str) -> dict[str, Any]:
        """The message once it has a final status."""
        view: dict[str, Any] = {}

        async def final() -> bool:
            nonlocal view
            view = await self.call("GET", f"/v1/messages/{identifier}")
            return view["status"] not in ("queued", "sending", "sent")

        await self.until(final)
        return view

    async def reply(self, source: str) -> dict[str, Any]:
        """The reply from a number once the endpoint has it."""

        def replies() -> list[dict[str, Any]]:
            events = []
            for body in self.sink.bodies:
                envelope = json.loads(body)
                if envelope["type"] == "message.inbound":
                    data = envelope["data"]
                    events += data if isinstance(data, list) else [data]
            return [event for event in events if event["from"] == source]

        async def come() -> bool:
            return bool(replies())

        await self.until(come)
        [reply] = replies()
        return reply


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def operators(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Operators]:
    settings = [{"password": "secret", **operator} for operator in OPERATORS]
    async with Script("operator.js", settings) as script:
        rig = Operators(tmp_path_factory.mktemp("operators"))
        rig.script = script
        rig.ports = (await script.one(event="listening"))["ports"]
        async with running(rig):
            for operator in rig.manners:
                sessions = 2 if operator == "pair" else 1
                await script.some(sessions, operator=operator, system_id="aldis")
            yield rig


def joined(submits: list[Event], field: str = "short_message") -> str:
    """The text of a message's parts as the operator read it."""
    return "".join(submit[field]["message"] for submit in submits)


async def test_it_is_bound_to_as_configured(operators: Operators) -> None:
    script = operators.script
    for name in operators.manners:
        binds = [
            event["command"]
            for event in script.found(operator=name, event="pdu", system_id="aldis")
            if event["interface_version"] == 0x34
        ]
        wanted = ["bind_receiver", "bind_transmitter"] if name == "pair" else ["bind_transceiver"]
        assert sorted(binds) == wanted


@pytest.mark.parametrize(("operator", "data_coding"), [("plain", 0), ("pair", 1), ("tls", 0)])
async def test_a_short_text(operators: Operators, operator: str, data_coding: int) -> None:
    # It reads data_coding 0 and 1 alike, as the GSM alphabet.
    text = "Grüße @ home: 5 € {ok}"
    identifier = await operators.submit(operator, text, "000001", client_ref="order-1")
    view = await operators.ended(identifier)
    [submit] = operators.script.found(
        operator=operator, command="submit_sm", destination_addr=f"{PREFIXES[operator]}000001"
    )
    assert submit["short_message"] == {"message": text}
    assert submit["data_coding"] == data_coding
    assert (submit["source_addr_ton"], submit["source_addr"]) == (5, "ACME")
    assert (submit["dest_addr_ton"], submit["dest_addr_npi"]) == (1, 1)
    assert submit["registered_delivery"] == 1
    assert (submit["esm_class"], submit["command_status"]) == (0, 0)
    assert view["status"] == "delivered"
    assert view["part_list"][0]["operator_id"].startswith(f"{operator}-")


async def long(operators: Operators, operator: str) -> list[Event]:
    """Send a long text; its submits, when all of it is delivered."""
    text = LONG * 7  # 175 UTF-16 units: three parts
    view = await operators.ended(await operators.submit(operator, text, "000002"))
    submits = operators.script.found(
        operator=operator, command="submit_sm", destination_addr=f"{PREFIXES[operator]}000002"
    )
    field = "message_payload" if operator == "payload" else "short_message"
    assert joined(submits, field) == text
    assert {submit["data_coding"] for submit in submits} == {8}
    assert view["status"] == "delivered"
    assert len(view["part_list"]) == len(submits)
    assert {part["status"] for part in view["part_list"]} == {"delivered"}
    assert len({part["operator_id"] for part in view["part_list"]}) == len(submits)
    return submits


async def test_a_long_text_with_eight_bit_references(operators: Operators) -> None:
    submits = await long(operators, "plain")
    headers = [bytes.fromhex(submit["short_message"]["udh"][0]) for submit in submits]
    # An information element, as it gives them: 00, length, reference, total, sequence.
    assert [header[:2] + header[3:] for header in headers] == [
        bytes((0, 3, 3, sequence)) for sequence in (1, 2, 3)
    ]
    assert len({header[2] for header in headers}) == 1
    assert {submit["esm_class"] for submit in submits} == {0x40}


async def test_a_long_text_with_sixteen_bit_references(operators: Operators) -> None:
    submits = await long(operators, "pair")
    headers = [bytes.fromhex(submit["short_message"]["udh"][0]) for submit in submits]
    assert [header[:2] + header[4:] for header in headers] == [
        bytes((8, 4, 3, sequence)) for sequence in (1, 2, 3)
    ]
    assert len({header[2:4] for header in headers}) == 1
    # transmitter and receiver: it saw each PDU on the session it belongs to
    assert {submit["kind"] for submit in submits} == {"bind_transmitter"}
    answers = operators.script.found(operator="pair", command="deliver_sm_resp")
    assert {answer["kind"] for answer in answers} == {"bind_receiver"}


async def test_a_long_text_with_sar(operators: Operators) -> None:
    submits = await long(operators, "sar")
    assert {submit["sar_total_segments"] for submit in submits} == {3}
    assert [submit["sar_segment_seqnum"] for submit in submits] == [1, 2, 3]
    assert len({submit["sar_msg_ref_num"] for submit in submits}) == 1
    assert {submit["esm_class"] for submit in submits} == {0}


async def test_a_long_text_as_payload(operators: Operators) -> None:
    [submit] = await long(operators, "payload")
    assert submit["short_message"] == {"message": ""}


@pytest.mark.parametrize(
    ("operator", "reason"),
    [
        # the text's err alone is the operator's own number
        ("plain", "network_error"),
        # network_error_code says whose number it is: GSM's 27
        ("pair", "absent_subscriber"),
        ("sar", "absent_subscriber"),
    ],
)
async def test_a_receipt_of_failure(operators: Operators, operator: str, reason: str) -> None:
    # It writes receipts under data_coding 1 unless told otherwise, and ends the C-octet strings
    # of its TLVs as the specification wants.
    view = await operators.ended(await operators.submit(operator, "Hello", "000013"))
    assert view["status"] == "undelivered"
    assert view["reason"]["code"] == reason
    assert view["reason"]["carrier_code"].lstrip("0") == "27"


async def test_a_throttled_submit_is_tried_again(operators: Operators) -> None:
    script = operators.script
    script.tell(operator="sar", answer=[0x58, 0x14])
    # An error leaves it without a body: what is given beside command_status is dropped.
    view = await operators.ended(await operators.submit("sar", "Hello", "000003"))
    assert view["status"] == "delivered"
    submits = script.found(
        operator="sar", command="submit_sm", destination_addr=f"{PREFIXES['sar']}000003"
    )
    assert len(submits) == 3
    assert len({submit["sequence_number"] for submit in submits}) == 3
    assert await operators.metric("aldis_throttled_total", 'carrier="sar"') == 2


async def test_a_refused_submit_is_final(operators: Operators) -> None:
    operators.script.tell(operator="sar", answer=[0x0B])
    view = await operators.ended(await operators.submit("sar", "Hello", "000004"))
    assert view["status"] == "rejected"
    assert view["reason"]["carrier_code"] == "ESME_RINVDSTADR"


def reply(operators: Operators, operator: str, number: str, **fields: Any) -> None:
    """Have an operator send a reply to 2020."""
    operators.script.tell(
        operator=operator,
        send="deliver_sm",
        fields={
            "source_addr_ton": 1,
            "source_addr_npi": 1,
            "source_addr": number,
            "destination_addr": "2020",
            **fields,
        },
    )


async def test_a_reply(operators: Operators) -> None:
    number = f"{PREFIXES['plain']}000005"
    identifier = await operators.submit("plain", "Are you there?", "000005")
    await operators.ended(identifier)
    since = len(operators.script.events)
    reply(operators, "plain", number, short_message="Да, спасибо 🎉")
    event = await operators.reply(number)
    assert event["text"] == "Да, спасибо 🎉"
    assert event["in_reply_to"] == identifier
    answer = await operators.script.one(since, operator="plain", command="deliver_sm_resp")
    assert answer["command_status"] == 0


async def test_a_reply_in_the_gsm_alphabet(operators: Operators) -> None:
    # It announces the GSM alphabet as data_coding 1, which is IA5 (3.4 §5.2.19). Octets that no
    # IA5 text has give it away ...
    reply(operators, "plain", "79161000006", short_message="Grüße @ home: 5 €")
    assert (await operators.reply("79161000006"))["text"] == "Grüße @ home: 5 €"
    # ... but `ü` alone is the octet of `~`; the carrier's data_coding table has to say it.
    reply(operators, "pair", "79162000006", short_message="Müller")
    assert (await operators.reply("79162000006"))["text"] == "Müller"


async def test_a_long_reply_in_parts(operators: Operators) -> None:
    number = "79161000007"
    for sequence in (3, 1, 2):  # any order
        header = bytes((5, 0, 3, 77, 3, sequence)).hex()
        message = LONG * 2 + f"часть {sequence}. "
        reply(
            operators, "plain", number, short_message={"udh": {"hex": header}, "message": message}
        )
    event = await operators.reply(number)
    assert event["text"] == "".join(LONG * 2 + f"часть {sequence}. " for sequence in (1, 2, 3))
    assert event["complete"] is True


async def test_a_long_reply_as_payload(operators: Operators) -> None:
    reply(operators, "payload", "79164000008", message_payload={"message": LONG * 12})
    assert (await operators.reply("79164000008"))["text"] == LONG * 12


async def test_each_side_asks_whether_the_link_lives(operators: Operators) -> None:
    script = operators.script
    since = len(script.events)
    # ours, on both sessions of the pair, answered: they go on
    await script.some(2, since, command="enquire_link", kind="bind_transmitter")
    await script.some(2, since, command="enquire_link", kind="bind_receiver")
    # theirs
    script.tell(operator="tls", send="enquire_link")
    answer = await script.one(since, operator="tls", command="enquire_link_resp")
    assert answer["command_status"] == 0
    assert not script.found(event="closed")


async def test_the_operator_unbinds(operators: Operators) -> None:
    script = operators.script
    since = len(script.events)
    script.tell(operator="payload", send="unbind")
    await script.one(since, operator="payload", command="unbind_resp", command_status=0)
    await script.one(since, operator="payload", event="closed")
    await script.one(since, operator="payload", command="bind_transceiver")
    view = await operators.ended(await operators.submit("payload", "Again", "000009"))
    assert view["status"] == "delivered"


async def test_we_unbind(operators: Operators) -> None:
    script = operators.script
    since = len(script.events)
    operators.manners = {**MANNERS, "tls": MANNERS["tls"] + '\nsystem_type = "NEW"'}
    operators.write_config()
    operators.signal(signal.SIGHUP)
    await script.one(since, operator="tls", command="unbind")
    await script.one(since, operator="tls", event="closed")
    await script.one(since, operator="tls", command="bind_transceiver", system_type="NEW")


async def test_a_refused_password(operators: Operators) -> None:
    script = operators.script
    since = len(script.events)
    operators.manners = {**MANNERS, "plain": MANNERS["plain"] + '\nsystem_type = "NEW"'}
    operators.write_config()
    text = operators.config.read_text("utf-8")
    operators.config.write_text(text.replace('"secret"', '"wrong"', 1), "utf-8")
    operators.signal(signal.SIGHUP)
    await script.one(since, operator="plain", command="bind_transceiver", password="wrong")
    await script.one(since, operator="plain", event="closed")

    async def refused() -> bool:
        return (
            await operators.metric("aldis_reconnects_total", 'carrier="plain"', 'result="refused"')
            == 1
        )

    await operators.until(refused)
    assert "ESME_RINVPASWD" in operators.log.read_text("utf-8")


async def test_a_stop_takes_leave_of_all(operators: Operators) -> None:
    script = operators.script
    since = len(script.events)
    operators.signal(signal.SIGTERM)
    assert await operators.gateway.ended() == 0
    for name in ("pair", "sar", "payload"):
        count = 2 if name == "pair" else 1
        await script.some(count, since, operator=name, command="unbind")
        await script.some(count, since, operator=name, event="closed")
    assert not script.found(event="error")
