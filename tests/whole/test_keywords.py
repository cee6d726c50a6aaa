"""A phone says STOP: from the operator's deliver_sm to the confirmation on the operator's side."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.whole.conftest import Rig
from tests.whole.test_gateway import bodies

pytestmark = pytest.mark.slow

PHONE = "79161234567"
OURS = "2020"
CONFIRMED = (
    "2020: You have unsubscribed and will get no more messages from this number. "
    "Reply START to resubscribe."
)


def events(rig: Rig, type: str) -> list[dict[str, Any]]:
    return [event for event in bodies(rig) if event["type"] == type]


async def test_a_stop_ends_what_waits_is_confirmed_and_holds(rig: Rig) -> None:
    await rig.start()
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    mine = {"from": OURS, "to": f"+{PHONE}", "text": "Sale!", "category": "advertising"}
    waiting = await rig.call("POST", "/v1/messages", 202, json={**mine, "send_at": later})
    other = await rig.call(
        "POST", "/v1/messages", 202, json={**mine, "from": "ACME", "send_at": later}
    )

    rig.north.send_mo(PHONE, OURS, "«Stop!»")
    await rig.north.until(lambda: len(rig.north.submits) == 1)
    (answer,) = rig.north.submits
    assert (answer.pdu.source_addr, answer.destination, answer.text) == (OURS, PHONE, CONFIRMED)

    async def canceled() -> bool:
        view = await rig.call("GET", f"/v1/messages/{waiting['id']}")
        return bool(view["status"] == "canceled" and view["reason"]["code"] == "opted_out")

    await rig.until(canceled)
    refused = await rig.call("POST", "/v1/messages", 422, json=mine)
    assert refused["code"] == "opted_out"
    # Another sender is another matter.
    assert (await rig.call("GET", f"/v1/messages/{other['id']}"))["status"] == "scheduled"
    await rig.call("POST", "/v1/messages", 202, json={**mine, "from": "BETA"})
    await rig.until(lambda: _told(rig, "message.inbound", 1))
    assert events(rig, "message.inbound")[0]["keyword"] == {
        "kind": "stop", "word": "STOP", "language": None,
    }  # fmt: skip
    assert len(events(rig, "optout.created")) == 1
    assert await rig.metric("aldis_keywords_total", 'kind="stop"') == 1
    accepted = ('kind="stop"', 'fate="accepted"')
    assert await rig.metric("aldis_keyword_answers_total", *accepted) == 1

    # It is on record: a gateway that is started again knows, and START takes it back.
    await rig.north.until(lambda: len(rig.north.submits) == 2)
    rig.gateway.kill()
    await rig.gateway.ended()
    await rig.start()
    assert (await rig.call("POST", "/v1/messages", 422, json=mine))["code"] == "opted_out"
    await rig.north.until(lambda: len(rig.north.binds) == 1)
    rig.north.send_mo(PHONE, OURS, "START")
    await rig.north.until(lambda: len(rig.north.submits) == 3)
    assert "again" in rig.north.submits[2].text
    await rig.call("POST", "/v1/messages", 202, json=mine)


async def _told(rig: Rig, type: str, count: int) -> bool:
    return len(events(rig, type)) >= count


async def test_a_keyword_of_the_accounts_own_answers_over_the_operator(rig: Rig) -> None:
    await rig.start()
    rule = {"match": "prefix", "pattern": "price", "reply": "{brand}: 5 EUR", "webhook": True}
    await rig.call("PUT", "/v1/keywords/prices", 200, json=rule)
    rig.north.send_mo(PHONE, OURS, "Prices please " * 20)  # in parts
    await rig.north.until(lambda: len(rig.north.submits) == 1)
    assert rig.north.submits[0].text == "2020: 5 EUR"
    await rig.until(lambda: _told(rig, "keyword.matched", 1))
    (event,) = events(rig, "keyword.matched")
    assert (event["rule"], event["from"], event["to"]) == ("prices", PHONE, OURS)
