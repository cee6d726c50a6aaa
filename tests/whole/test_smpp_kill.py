"""kill -9 under SMPP customers: what was answered is on disk, and each ends in a receipt."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from bench.load.site import free_port
from bench.smsc import Behaviour
from protocol.receipt import parse
from protocol.segment import frame, segment
from tests.ingress.smpp.esme import Esme, connect, submit
from tests.whole.conftest import Rig

pytestmark = pytest.mark.slow

MESSAGES = 3_000
SMPP = """
[[smpp]]
port = {port}
[[account]]
name = "esme"
default_category = "transactional"
[[account.smpp]]
system_id = "shop"
password = "secret"
rate = 100000.0
"""


def requests() -> list[object]:
    """Short ones, and every tenth in two parts of the customer's own."""
    found: list[object] = []
    text = segment("Ваш заказ готов, приходите. " * 4)
    for n in range(MESSAGES):
        to = f"7916{n:07d}"
        if n % 10:
            found.append(submit(b"code %d" % n, to))
        else:
            found += [
                submit(payload, to, esm_class=esm_class, data_coding=text.data_coding)
                for esm_class, payload, _ in frame(text, n)
            ]
    return found


async def bound(port: int) -> Esme:
    esme = await connect(port)
    await esme.bind()
    return esme


def told(esme: Esme) -> set[str]:
    receipts = [parse(pdu.short_message, pdu.tlvs) for pdu in esme.delivered]
    return {str(receipt.id) for receipt in receipts if receipt is not None}


@pytest.mark.parametrize("after", [300, 1_500])
async def test_every_answered_submit_survives_and_is_told_its_end(rig: Rig, after: int) -> None:
    port = free_port()
    rig.north.behaviour = Behaviour(latency=0.02)
    rig.write_config(extra=SMPP.format(port=port))
    await rig.start()
    esme = await bound(port)
    sent = requests()
    for first in range(0, len(sent), 100):
        esme.send_all(sent[first : first + 100])
    await esme.until(lambda: len(esme.responses) >= after, timeout=30)
    rig.gateway.kill()
    await rig.gateway.ended()
    await asyncio.wait_for(esme.closed.wait(), 5)
    answered = {
        response.message_id  # type: ignore[attr-defined]
        for response in esme.responses.values()
        if not response.command_status
    }
    assert len(answered) >= after
    await rig.start()
    again = await bound(port)
    heard = told(esme)
    # A receiver may hear one twice, but nobody is forgotten. Parts whose others were never
    # answered go by themselves after a minute; those ids are still held.
    whole = answered - await _waiting(rig)
    await again.until(lambda: heard | told(again) >= whole, timeout=60)
    assert (heard | told(again)) >= whole


async def _waiting(rig: Rig) -> set[str]:
    """Ids of parts whose other part never came: the gateway says so in its store."""
    with sqlite3.connect(rig.directory / "aldis.db") as connection:
        rows = connection.execute("SELECT id FROM waiting_parts").fetchall()
    connection.close()
    return {str(identifier) for (identifier,) in rows}
