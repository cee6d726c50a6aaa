from __future__ import annotations

from msgspec import structs

from config.base import Duration
from config.policies import AccountCaps, FrequencyCap
from gateway.dispatch.campaigns import CampaignUsage
from gateway.dispatch.gate import CategoryWindow
from gateway.policy.caps import Usage
from gateway.store.messages import InboundPart
from tests.ingress.client import Client
from tests.ingress.conftest import ADMIN, NOW, OTHER, SECOND, Rig, carrier


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


async def test_windows_caps_and_campaigns_of_carriers(client: Client, rig: Rig) -> None:
    reset = NOW + 3600 * SECOND
    rig.carriers = [
        structs.replace(
            carrier("up", 2, 2),
            slowed=True,
            windows=[CategoryWindow("advertising", False, reset), CategoryWindow("service", True,
                None)],
            caps=[Usage("day", 100, 100, reset)],
            campaigns=[CampaignUsage("C1", Usage("day", 10, 7, reset))],
        )
    ]  # fmt: skip
    (found,) = (await client.get("/v1/carriers", key=ADMIN)).json["data"]
    at = "2026-11-18T12:06:40Z"
    assert found["slowed"] is True
    assert found["send_windows"] == [
        {"category": "advertising", "open": False, "changes_at": at},
        {"category": "service", "open": True, "changes_at": None},
    ]
    assert found["caps"] == [{"period": "day", "limit": 100, "used": 100, "resets_at": at}]
    assert found["campaigns"] == [{"campaign": "C1", "limit": 10, "used": 7, "resets_at": at}]
    message = {"from": "ACME", "to": "+79161234567", "text": "?", "category": "advertising"}
    rig.carriers[0] = structs.replace(rig.carriers[0], name="op")
    explained = (await client.post("/v1/messages/explain", message)).json["carriers"]
    assert explained == [{
        "name": "op", "takes": False,
        "why": "its send window for advertising messages is closed until "
        "2026-11-18T12:06:40+00:00",
    }]  # fmt: skip
    message["category"] = "service"
    explained = (await client.post("/v1/messages/explain", message)).json["carriers"]
    assert explained[0]["why"].startswith("its cap of 100 PDUs a day is reached until 2026-11-18T")


async def test_an_account_sees_its_limits(client: Client, rig: Rig) -> None:
    cap = FrequencyCap(messages=2, period=Duration(3600))
    shop, other = rig.settings.account
    shop = structs.replace(shop, rate=50.0, caps=AccountCaps(day=10), frequency=(cap,))
    rig.api.configure(structs.replace(rig.settings, account=(shop, other)))
    rig.usage = {"shop": [Usage("day", 10, 3, NOW + 60 * SECOND)]}
    assert (await client.get("/v1/account")).json == {
        "name": "shop", "rate": 50.0, "cap_reached": "hold", "waiting": 0,
        "caps": [{"period": "day", "limit": 10, "used": 3, "resets_at": "2026-11-18T11:07:40Z"}],
        "frequency": [{"messages": 2, "period_seconds": 3600.0, "categories": ["advertising"],
            "senders": []}],
        "max_waiting": 10_000_000,
    }  # fmt: skip
    theirs = (await client.get("/v1/account", key=OTHER)).json
    assert (theirs["name"], theirs["rate"], theirs["caps"]) == ("other", None, [])
