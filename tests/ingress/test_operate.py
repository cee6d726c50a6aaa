from __future__ import annotations

from gateway.store.messages import InboundPart
from tests.ingress.client import Client
from tests.ingress.conftest import ADMIN, NOW, SECOND, Rig, carrier


async def test_carriers_as_they_stand(client: Client, rig: Rig) -> None:
    rig.carriers = [
        carrier("up", 2, 2),
        carrier("half", 1, 2),
        carrier("down", 0, 2, last_error="refused: ESME_RBINDFAIL"),
    ]
    found = (await client.get("/v1/carriers", key=ADMIN)).json["data"]
    assert [(one["name"], one["state"]) for one in found] == [
        ("up", "up"), ("half", "degraded"), ("down", "down"),
    ]  # fmt: skip
    assert found[2]["last_error"] == "refused: ESME_RBINDFAIL"
    assert found[0]["last_error"] is None


async def test_replies(client: Client, rig: Rig) -> None:
    sent = await client.post("/v1/messages", {"from": "777", "to": "+79161234567", "text": "?"})
    parts = [
        InboundPart("op", "79161234567", "777", f"answer {n}", NOW + n * SECOND, "shop")
        for n in range(3)
    ]
    await rig.store.inbound(parts)
    page = await client.get("/v1/inbound?limit=2")
    rest = await client.get(f"/v1/inbound?cursor={page.json['next_cursor']}")
    found = page.json["data"] + rest.json["data"]
    assert [one["text"] for one in found] == ["answer 2", "answer 1", "answer 0"]
    assert found[0]["complete"] is True
    assert found[0]["in_reply_to"] in (None, sent.json["id"])
