"""The template registry over HTTP, and messages made from templates."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from config.settings import Carrier, CarrierTlv
from gateway.routing import RoutingTable
from tests.ingress.client import Client
from tests.ingress.conftest import ADMIN, OTHER, Rig

PATH = "/v1/templates/ready"
TEXT = "Order {{n}} is ready"
RU = "+79161234567"


async def put(client: Client, path: str = PATH, key: str = "", **fields: Any) -> Any:
    return await client.call("PUT", path, {"text": TEXT, **fields}, key=key)


async def approve(client: Client, path: str = PATH, **fields: Any) -> Any:
    approvals = [{"carrier": "op", "status": "approved"}]
    reply = await put(client, path, ADMIN, **{"approvals": approvals, **fields})
    assert reply.status == 200, reply.body
    return reply.json


async def test_who_may_write_asks_and_an_admin_decides(client: Client) -> None:
    asked = (await put(client)).json
    assert asked["usable"] is False
    assert asked["slots"] == {"n": 30}
    assert [one["status"] for one in asked["approvals"]] == ["pending"]
    mine = [{"carrier": "op", "status": "approved"}]
    reply = await put(client, approvals=mine)
    assert (reply.status, reply.code) == (403, "missing_scope")
    assert reply.json["errors"][0]["pointer"] == "#/approvals/0/status"
    assert (await approve(client))["usable"] is True
    assert (await put(client, note="x")).code == "wrong_state"
    kept = await put(client, key=ADMIN, note="x")
    assert kept.json["approvals"][0]["status"] == "approved"
    # Another text is one nobody has approved.
    changed = await put(client, key=ADMIN, text="Order {{n}} is lost")
    assert (changed.json["approvals"][0]["status"], changed.json["usable"]) == ("pending", False)
    assert (await client.call("DELETE", PATH)).status == 204
    assert (await client.get(PATH)).code == "not_found"


async def test_the_listing_filters_and_hides_what_is_anothers(client: Client) -> None:
    await approve(client)
    await put(client, "/v1/templates/code", text="Code {{c}}", category="transactional")
    for query, names in (
        ("", ["code", "ready"]),
        ("category=transactional", ["code"]),
        ("carrier=op", ["ready"]),
        ("status=approved", ["ready"]),
        ("status=pending&carrier=*", ["code"]),
        ("status=rejected", []),
    ):
        found = await client.get(f"/v1/templates?{query}")
        assert [one["name"] for one in found.json["data"]] == names, query
    for query in ("status=lost", "category=urgent"):
        assert (await client.get(f"/v1/templates?{query}")).code == "invalid_parameter"
    assert (await client.get("/v1/templates", key=OTHER)).json["data"] == []


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"text": "Hi {{a}}{{b}}"}, "#/text"),
        ({"text": "{{a}}"}, "#/text"),
        ({"text": "Hi {{a"}, "#/text"),
        ({"slots": {"x": 5}}, "#/slots"),
        ({"slots": {"n": 501}}, "#/slots"),
        ({"category": "urgent"}, "#/category"),
        ({"approvals": [{"carrier": "nobody"}]}, "#/approvals/0/carrier"),
        ({"approvals": [{}, {}]}, "#/approvals/1/carrier"),
        ({"approvals": [{"tlv": "x"}]}, "#/approvals/0/operator_id"),
        ({"approvals": [{"tlv": "x", "operator_id": "1"}]}, "#/approvals/0/tlv"),
    ],
)
async def test_what_a_template_cannot_say(
    client: Client, fields: dict[str, Any], pointer: str
) -> None:
    reply = await put(client, key=ADMIN, **fields)
    assert reply.status == 422
    assert reply.json["errors"][0]["pointer"].startswith(pointer)


async def test_an_id_of_the_operator_is_one_for_a_name(client: Client, rig: Rig) -> None:
    named = {"dlt_template_id": CarrierTlv(tag="0x1401")}
    rig.settings = msgspec.structs.replace(
        rig.settings, carrier=(Carrier(name="op", tlvs=named), Carrier(name="op2", tlvs=named))
    )
    rig.api.configure(rig.settings)
    rig.carriers.append(msgspec.structs.replace(rig.carriers[0], name="op2"))
    one = {"status": "approved", "tlv": "dlt_template_id", "operator_id": "1"}
    both = [{**one, "carrier": "op"}, {**one, "carrier": "op2"}]
    assert (await approve(client, approvals=both))["approvals"][1]["operator_id"] == "1"
    both[1]["operator_id"] = "2"
    reply = await put(client, key=ADMIN, approvals=both)
    assert reply.json["errors"][0]["pointer"] == "#/approvals/1/operator_id"


async def test_a_message_made_from_a_template(client: Client) -> None:
    await approve(client, category="transactional")
    message = {"from": "ACME", "to": RU, "template": "ready", "vars": {"n": "17"}}
    sent = await client.post("/v1/messages", message)
    view = (await client.get(f"/v1/messages/{sent.json['id']}")).json
    assert (view["text"], view["category"]) == ("Order 17 is ready", "transactional")
    long = await client.post("/v1/messages", {**message, "vars": {"n": "1" * 31}})
    assert (long.code, long.json["errors"][0]["pointer"]) == ("template_mismatch", "#/vars")
    assert "slot `n`" in long.json["detail"] and "111" not in long.json["detail"]
    other = await client.post("/v1/messages", {**message, "category": "advertising"})
    assert (other.code, other.json["errors"][0]["pointer"]) == ("template_mismatch", "#/template")
    unknown = await client.post("/v1/messages", {**message, "template": "nothing"})
    assert unknown.code == "template_mismatch"
    del message["template"]
    reply = await client.post("/v1/messages", message)
    assert (reply.code, reply.json["errors"][0]["pointer"]) == ("missing_field", "#/text")


async def test_a_batch_made_from_a_template_is_filled_later(client: Client) -> None:
    await approve(client)
    batch = await client.post("/v1/batches", {"from": "ACME", "template": "ready"})
    assert batch.status == 202, batch.body
    path = f"/v1/batches/{batch.json['id']}"
    upload = await client.call(
        "POST",
        f"{path}/recipients",
        f"to,n\n{RU},17\n+79161234568,{'1' * 31}\n".encode(),
        media="text/csv",
    )
    assert (upload.json["counts"]["accepted"], upload.json["counts"]["ineligible"]) == (1, 1)
    assert upload.json["problems"][0]["code"] == "template_mismatch"
    assert (await client.get(path)).json["text"] == TEXT
    estimate = await client.post(
        "/v1/messages/estimate",
        {"from": "ACME", "template": "ready", "to": RU, "vars": {"n": "17"}},
    )
    assert estimate.json["parts"] == 1


async def test_a_batch_that_matches_nothing_is_stored_as_what_it_became(
    client: Client, rig: Rig
) -> None:
    carrier = Carrier(name="op", templates_required=("service",), template_fallback="advertising")
    rig.world.routing = RoutingTable(rig.settings.route, [carrier])
    await approve(client)
    said = []
    for text in ("Buy now", "Order 17 is ready"):
        batch = await client.post("/v1/batches", {"from": "ACME", "text": text})
        path = f"/v1/batches/{batch.json['id']}"
        upload = await client.call(
            "POST", f"{path}/recipients", f"to\n{RU}\n".encode(), media="text/csv"
        )
        assert upload.json["counts"]["accepted"] == 1
        said.append((await client.get(path)).json["category"])
    assert said == ["advertising", "service"]


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/batches", "/v1/messages/estimate"])
async def test_an_unknown_category_is_refused_with_those_there_are(
    client: Client, path: str
) -> None:
    body = {"from": "ACME", "text": "x", "category": "urgent"}
    if path != "/v1/batches":
        body["to"] = RU
    reply = await client.post(path, body)
    assert (reply.status, reply.code) == (422, "invalid_value")
    assert reply.json["errors"][0]["pointer"] == "#/category"
    for name in ("transactional", "service", "informational", "advertising"):
        assert name in reply.json["detail"]
