"""A campaign with a stop-word waits; one decision releases it, and a kill then loses nobody."""

from __future__ import annotations

import signal
import sqlite3
from typing import Any

import pytest

from gateway.model import STATUS_NAMES
from tests.whole.conftest import Rig

pytestmark = pytest.mark.slow

DESK = "ak_moderators_desk"
RECIPIENTS = 10_000

EXTRA = f"""
[policy]
stopwords = ["ru"]
[[account]]
name = "desk"
keys = [{{ value = "{DESK}", scopes = ["moderation", "admin"] }}]
"""


async def campaign(rig: Rig, text: str, first: int, count: int = RECIPIENTS) -> None:
    recipients = [{"to": f"+79{160000000 + first + n}"} for n in range(count)]
    body = {"from": "ACME", "text": text, "category": "service", "recipients": recipients}
    await rig.call("POST", "/v1/batches", 202, json=body)


async def moderate(rig: Rig, method: str, path: str, **options: Any) -> Any:
    headers = {"Authorization": f"Bearer {DESK}"}
    return await rig.call(method, f"/v1/moderation/{path}", headers=headers, **options)


def statuses(rig: Rig) -> dict[str, int]:
    connection = sqlite3.connect(rig.directory / "aldis.db")
    try:
        rows = connection.execute("SELECT status, count(*) FROM messages GROUP BY status")
        return {STATUS_NAMES[status]: count for status, count in rows}
    finally:
        connection.close()


async def test_one_word_for_a_campaign_and_a_kill_before_it_is_carried_out(rig: Rig) -> None:
    rig.write_config(extra=EXTRA)
    await rig.start()
    await campaign(rig, "К.Р.Е.Д.И.Т за час", 0)
    await campaign(rig, "Лучшее казино", RECIPIENTS, 500)
    await rig.post("+79161999999", "Ваш код 1234", category="transactional")  # nobody's business
    await rig.sink.until(10_500 + 2)  # each is told that it is held; the code is sent, delivered
    assert statuses(rig) == {"held_moderation": 10_500, "delivered": 1}
    credit, casino = (await moderate(rig, "GET", "items?state=waiting"))["data"]
    assert (credit["messages"], casino["messages"]) == (RECIPIENTS, 500)
    assert credit["words"] == ["ru/credit: кредит*"]
    assert rig.north.counters.submits == 1

    async def gauge() -> bool:
        return await rig.metric("aldis_moderation_messages", 'account="shop"') == 10_500

    await rig.until(gauge)
    await moderate(rig, "POST", f"items/{casino['id']}/reject", json={"reason": "no licence"})
    await moderate(rig, "POST", f"items/{credit['id']}/approve", json={"moderator": "ann"})
    rig.signal(signal.SIGKILL)
    await rig.gateway.ended()
    left = statuses(rig)
    assert left["held_moderation"] > 0, "it was carried out before the kill; the test shows nothing"

    await rig.start()

    async def over() -> bool:
        return statuses(rig) == {"delivered": RECIPIENTS + 1, "rejected": 500}

    await rig.until(over, 60.0)
    # In doubt is at most what was on the wire when it was killed: nobody else got it twice.
    assert RECIPIENTS < rig.north.counters.submits <= RECIPIENTS + 1 + 200
    trail = (await moderate(rig, "GET", "audit"))["data"]
    assert [entry["action"] for entry in trail] == [
        "moderation.approve", "moderation.reject", "moderation.list",
    ]  # fmt: skip
    assert trail[0]["actor"].endswith("/ann")

    async def told() -> bool:
        name = "aldis_webhook_events_total"
        return await rig.metric(name, 'type="moderation.decided"') == 2

    await rig.until(told)
    # The decision holds for what comes later with the same text.
    later = await rig.post("+79161888888", "К.Р.Е.Д.И.Т за час", category="service")
    assert later["status"] == "queued"
