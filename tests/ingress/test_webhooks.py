from __future__ import annotations

import base64
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from config.settings import Webhooks
from gateway import ids
from gateway.admission.numbering import Numbering
from gateway.ingress.http.webhooks import check_url
from gateway.store.records import Delivered, DeliveryState, Webhook
from tests.ingress.client import Client
from tests.ingress.conftest import NOW, OTHER, SECOND, Rig

HOOK: dict[str, Any] = {"url": "https://example.com/hook"}


async def create(client: Client, **fields: Any) -> dict[str, Any]:
    reply = await client.post("/v1/webhooks", {**HOOK, **fields})
    assert reply.status == 201
    made: dict[str, Any] = reply.json
    return made


async def test_the_secret_is_shown_once(client: Client, rig: Rig) -> None:
    made = await create(client, types=["message.status", "message.status"], description="d")
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"))) == 32
    assert made["types"] == ["message.status"]
    path = f"/v1/webhooks/{made['id']}"
    for shown in (
        (await client.get(path)).json,
        (await client.get("/v1/webhooks")).json["data"][0],
        (await client.call("PATCH", path, {"batched": False})).json,
    ):
        assert shown["secret"] == "whsec_****"
    assert shown["batched"] is False and shown["url"] == HOOK["url"]
    rotated = (await client.post(f"{path}/rotate-secret")).json
    assert rotated["secret"] not in ("whsec_****", made["secret"])
    assert rotated["old_secret_until"] == "2026-11-19T11:06:40Z"
    (stored,) = await rig.store.webhooks("shop")
    assert (stored.secret, stored.old_secret) == (rotated["secret"], made["secret"])
    assert stored.old_secret_until == NOW + 86_400 * SECOND


async def test_changed_and_deleted(client: Client, rig: Rig) -> None:
    made = await create(client)
    path = f"/v1/webhooks/{made['id']}"
    change = {"state": "disabled", "url": "https://example.org/", "types": ["message.inbound"]}
    changed = (await client.call("PATCH", path, change)).json
    assert {name: changed[name] for name in change} == change
    assert (await client.call("DELETE", path)).status == 204
    assert (await client.get(path)).code == "not_found"
    assert (await client.call("DELETE", path)).code == "not_found"


async def test_endpoints_of_the_configuration_stay(client: Client, rig: Rig) -> None:
    hook = Webhook(9, "shop", "https://example.com/", [], True, "whsec_x", NOW, from_config=True)
    await rig.store.put_webhook(hook)
    path = f"/v1/webhooks/{ids.encode('whk', 9)}"
    assert (await client.get(path)).json["configured"] is True
    for method, tail, body in (
        ("PATCH", "", {}),
        ("DELETE", "", None),
        ("POST", "/rotate-secret", None),
    ):
        reply = await client.call(method, path + tail, body)
        assert (reply.status, reply.code) == (409, "configured")


async def test_foreign_endpoints(client: Client, rig: Rig) -> None:
    made = await create(client)
    path = f"/v1/webhooks/{made['id']}"
    async with rig.client(OTHER) as other:
        assert (await other.get("/v1/webhooks")).json["data"] == []
        for method, tail, body in (
            ("GET", "", None),
            ("PATCH", "", {}),
            ("DELETE", "", None),
            ("POST", "/test", None),
            ("POST", "/rotate-secret", None),
            ("GET", "/deliveries", None),
            ("POST", "/replay", {"since": "2026-11-18T00:00:00Z"}),
        ):
            assert (await other.call(method, path + tail, body)).code == "not_found"


@pytest.mark.parametrize(
    "url",
    ["http://example.com/", "ftp://example.com/", "example.com", "https://", "https:///x",
     "https://user:pw@example.com/", "https://user@example.com/", "https://example.com/#top",
     "https://localhost/", "https://a.localhost/", "https://127.0.0.1/", "https://10.1.2.3/",
     "https://[::1]/", "https://[fe80::1]/", "https://169.254.169.254/latest", "https://0.0.0.0/",
     "https://[::ffff:10.0.0.1]/", "https://exa mple.com/", "https://пример.рф/",
     "https://example.com:0/", "https://example.com:99999/", "https://[::1/", "javascript:alert(1)",
     "https://example.com/" + "x" * 2048, "https://100.64.0.1/"],
)  # fmt: skip
async def test_targets_that_cannot_be_meant(client: Client, url: str) -> None:
    reply = await client.post("/v1/webhooks", {"url": url})
    assert (reply.status, reply.code) == (422, "invalid_value")
    assert reply.json["errors"][0]["pointer"] == "#/url"


def test_private_targets_where_the_configuration_allows_them() -> None:
    for url in ("http://127.0.0.1:8080/", "http://localhost/", "https://10.0.0.1/"):
        check_url(url, allow_private=True)
    for url in (
        "https://example.com/",
        "https://93.184.216.34:8443/x?y",
        "https://[2606:4700::1]/",
    ):
        check_url(url, allow_private=False)


async def test_test_event(tmp_path: Path, numbering: Numbering) -> None:
    posted: list[tuple[bytes, dict[str, str]]] = []
    status = 204

    async def receive(request: web.BaseRequest) -> web.Response:
        posted.append((await request.read(), dict(request.headers)))
        return web.Response(status=status)

    runner = web.ServerRunner(web.Server(receive))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    rig = Rig(tmp_path, numbering, {}, Webhooks(allow_private=True))
    await rig.start()
    await rig.events.start()
    async with rig.client() as client:
        made = await create(client, url=f"http://127.0.0.1:{runner.addresses[0][1]}/")
        path = f"/v1/webhooks/{made['id']}/test"
        reply = (await client.post(path)).json
        assert (reply["delivered"], reply["status"], reply["error"]) == (True, 204, None)
        body, headers = posted[0]
        assert json.loads(body)["type"] == "webhook.test"
        assert headers["webhook-signature"] == signature(made["secret"], headers, body)
        status = 500
        reply = (await client.post(path)).json
        assert (reply["delivered"], reply["status"]) == (False, 500)
        await runner.cleanup()
        reply = (await client.post(path)).json
        assert (reply["delivered"], reply["status"]) == (False, None)
        assert reply["error"]
    await rig.events.drain(1.0)
    await rig.stop()


def signature(secret: str, headers: dict[str, str], body: bytes) -> str:
    """As a customer would compute it (Standard Webhooks 1.0)."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


async def test_deliveries_and_replay(client: Client, rig: Rig) -> None:
    made = await create(client, batched=False)
    identifier = ids.decode("whk", made["id"]) or 0
    path = f"/v1/webhooks/{made['id']}"
    for n in range(3):
        sent = await client.post(
            "/v1/messages", {"from": "ACME", "to": f"+7916123456{n}", "text": "x"}
        )
        await client.post(f"/v1/messages/{sent.json['id']}/cancel")
    cut = await rig.store.next_deliveries({identifier: 3}, NOW + SECOND)
    assert len(cut) == 3
    await rig.store.settle_deliveries(
        [
            Delivered(cut[0].id, DeliveryState.DELIVERED, NOW + SECOND, status=204),
            Delivered(cut[1].id, DeliveryState.DEAD, NOW + SECOND, status=500, error="gave up"),
        ]
    )
    listed = (await client.get(f"{path}/deliveries")).json["data"]
    assert [one["state"] for one in listed] == ["pending", "dead", "delivered"]
    assert (listed[1]["last_status"], listed[1]["last_error"]) == (500, "gave up")
    page = await client.get(f"{path}/deliveries?limit=2")
    rest = await client.get(f"{path}/deliveries?limit=2&cursor={page.json['next_cursor']}")
    assert page.json["data"] + rest.json["data"] == listed
    (dead,) = (await client.get(f"{path}/deliveries?state=dead")).json["data"]
    assert (await client.get(f"{path}/deliveries?state=lost")).code == "invalid_parameter"
    reply = await client.post(f"{path}/replay", {"since": "2026-11-18T00:00:00Z"})
    assert (reply.status, reply.json) == (202, {"replayed": 1})
    assert (await client.get(f"{path}/deliveries?state=dead")).json["data"] == []
    delivered = ids.encode("dlv", cut[0].id)
    reply = await client.post(f"{path}/replay", {"ids": [delivered]})
    assert reply.json == {"replayed": 1}
    assert dead["id"] == ids.encode("dlv", cut[1].id)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_field"),
        ({"ids": ["dlv_0000000000000"], "since": "2026-11-18T00:00:00Z"}, "missing_field"),
        ({"ids": []}, "invalid_value"),
        ({"ids": ["msg_0000000000000"]}, "invalid_value"),
    ],
)
async def test_replays_of_nothing(client: Client, body: dict[str, Any], code: str) -> None:
    made = await create(client)
    reply = await client.post(f"/v1/webhooks/{made['id']}/replay", body)
    assert (reply.status, reply.code) == (422, code)
