"""The sender registry over HTTP, and what it does to messages."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from config.settings import Carrier
from gateway.routing import RoutingTable
from gateway.store.registry import Kind
from tests.ingress.client import Client
from tests.ingress.conftest import ADMIN, OTHER, READER, Rig

MESSAGE = {"from": "ACME", "to": "+79161234567", "text": "x"}
PATH = "/v1/senders/acme"


async def put(client: Client, path: str = PATH, key: str = "", **fields: Any) -> Any:
    return await client.call("PUT", path, {"sender": "ACME", **fields}, key=key)


def account_with(rig: Rig, **changes: Any) -> None:
    """Give the account other settings, as a reload would."""
    shop = msgspec.structs.replace(rig.settings.account[0], **changes)
    rig.settings = msgspec.structs.replace(rig.settings, account=(shop, *rig.settings.account[1:]))
    rig.api.configure(rig.settings)


async def test_who_may_write_asks_and_an_admin_decides(client: Client, rig: Rig) -> None:
    asked = await put(client, note="for orders")
    assert (asked.status, asked.json["status"], asked.json["version"]) == (200, "pending", 1)
    assert asked.json["account"] == "shop"
    reply = await put(client, status="approved")
    assert (reply.status, reply.code) == (403, "missing_scope")
    assert reply.json["errors"][0]["pointer"] == "#/status"
    decided = await put(client, key=ADMIN, status="approved", countries=["RU", "SA", "RU"])
    assert (decided.json["status"], decided.json["countries"]) == ("approved", ["RU", "SA"])
    # Once decided it is not theirs to change, and an admin's other change keeps the decision.
    assert (await put(client, note="new")).code == "wrong_state"
    assert (await put(client, key=ADMIN, note="x")).json["status"] == "approved"
    trail = await rig.store.audit("shop", 10, action="sender.")
    assert [(one.action, one.detail["version"]) for one in trail] == [
        ("sender.put", 3), ("sender.put", 2), ("sender.put", 1),
    ]  # fmt: skip
    assert trail[0].actor != trail[2].actor


async def test_nobody_sees_or_touches_what_is_anothers(client: Client) -> None:
    await put(client)
    await put(client, "/v1/senders/all?account=*", key=ADMIN, status="approved")
    own = (await client.get("/v1/senders")).json["data"]
    assert {(one["account"], one["name"]) for one in own} == {("*", "all"), ("shop", "acme")}
    theirs = (await client.get("/v1/senders", key=OTHER)).json["data"]
    assert [one["name"] for one in theirs] == ["all"]
    assert (await client.get(PATH, key=OTHER)).code == "not_found"
    assert (await client.get(f"{PATH}?account=shop", key=OTHER)).code == "missing_scope"
    assert (await client.call("DELETE", "/v1/senders/all?account=*")).code == "missing_scope"
    everybody = (await client.get("/v1/senders", key=ADMIN)).json["data"]
    assert len(everybody) == 2
    assert (await client.get("/v1/senders/all", key=READER)).json["account"] == "*"
    found = await client.get("/v1/senders?account=other", key=ADMIN)
    assert [one["name"] for one in found.json["data"]] == ["all"]  # nothing of its own


async def test_the_listing_filters(client: Client) -> None:
    await put(client, "/v1/senders/a", key=ADMIN, carrier="op", status="approved")
    await put(client, "/v1/senders/b", sender="+33612345678")
    for query, names in (
        ("status=approved", ["a"]),
        ("carrier=op", ["a"]),
        ("sender=%2B33612345678", ["b"]),
        ("status=suspended", []),
    ):
        found = await client.get(f"/v1/senders?{query}")
        assert [one["name"] for one in found.json["data"]] == names, query
    assert (await client.get("/v1/senders?status=lost")).code == "invalid_parameter"


@pytest.mark.parametrize(
    ("fields", "pointer", "said"),
    [
        ({"sender": "TWELVELETTER"}, "#/sender", "12 characters"),
        ({"carrier": "nobody"}, "#/carrier", "no such carrier"),
        ({"status": "maybe"}, "#/status", "pending, approved, rejected, suspended"),
        ({"countries": ["Russia"]}, "#/countries", "countries"),
        (
            {"valid_from": "2027-01-01T00:00:00Z", "valid_to": "2026-01-01T00:00:00Z"},
            "#/valid_to",
            "not after",
        ),
    ],
)
async def test_what_an_entry_cannot_say(
    client: Client, fields: dict[str, Any], pointer: str, said: str
) -> None:
    reply = await put(client, key=ADMIN, **fields)
    assert reply.status == 422
    assert reply.json["errors"][0]["pointer"].startswith(pointer)
    assert said in reply.json["detail"]


async def test_a_name_is_kept_short_and_plain(client: Client) -> None:
    for name in ("%20", "a%22b", "x" * 64):
        assert (await put(client, f"/v1/senders/{name}")).code == "invalid_parameter"


async def test_who_may_ask_may_not_lift_a_refusal(client: Client) -> None:
    await put(client, key=ADMIN, carrier="op", status="suspended")
    assert (await client.call("DELETE", PATH)).code == "wrong_state"
    assert (await client.call("DELETE", PATH, key=ADMIN)).status == 204
    assert (await client.call("DELETE", PATH, key=ADMIN)).code == "not_found"


async def test_registered_senders_only(client: Client, rig: Rig) -> None:
    account_with(rig, senders_registered=True)
    said = []
    for status in (None, "pending", "approved", "suspended"):
        if status is not None:
            await put(client, key=ADMIN, status=status)
        reply = await client.post("/v1/messages", MESSAGE)
        said.append(reply.status if reply.status == 202 else reply.json["detail"])
    assert said == [
        "the account needs a registered sender: it has no entry (/v1/senders)",
        "the account needs a registered sender: it is pending (/v1/senders)",
        202,
        "the account needs a registered sender: it is suspended (/v1/senders)",
    ]
    await put(client, key=ADMIN, status="approved")
    assert (await client.post("/v1/messages", MESSAGE)).status == 202
    await put(client, key=ADMIN, valid_to="2026-11-19T00:00:00Z")
    assert (await client.post("/v1/messages", MESSAGE)).status == 202
    rig.clock.move(86_400)
    reply = await client.post("/v1/messages", MESSAGE)
    assert (reply.code, reply.json["errors"][0]["pointer"]) == ("sender_not_allowed", "#/from")
    assert "valid_to" in reply.json["detail"]


async def test_the_answer_shows_the_sender_that_was_put_in_place(client: Client, rig: Rig) -> None:
    account_with(rig, senders=("ACME", "SHOP"), default_sender="SHOP", foreign_sender="force")
    forced = await client.post("/v1/messages", {**MESSAGE, "from": "EVIL"})
    assert (forced.status, forced.json["from"]) == (202, "SHOP")
    assert (await client.get(f"/v1/messages/{forced.json['id']}")).json["from"] == "SHOP"
    assert (await client.post("/v1/messages", MESSAGE)).json["from"] == "ACME"
    batch = await client.post(
        "/v1/batches", {"from": "EVIL", "text": "x", "recipients": [{"to": "+79161234567"}]}
    )
    stored = await client.get(f"/v1/batches/{batch.json['id']}")
    assert stored.json["from"] == "SHOP"
    # A malformed one is a mistake, not somebody else's.
    assert (await client.post("/v1/messages", {**MESSAGE, "from": "$$$"})).status == 422
    account_with(rig, senders=("ACME",), default_sender="SHOP", foreign_sender="force")
    reply = await client.post("/v1/messages", {**MESSAGE, "from": "EVIL"})
    assert "nor its default_sender" in reply.json["detail"]


async def test_what_was_put_on_record_is_there_after_a_restart(client: Client, rig: Rig) -> None:
    await put(client, key=ADMIN, status="approved")
    (entry,) = await rig.store.entries(Kind.SENDER)
    assert entry.doc["sender"] == "ACME"
    rig.world.registered.take_senders([])
    account_with(rig, senders_registered=True)
    assert (await client.post("/v1/messages", MESSAGE)).status == 422
    rig.world.registered.take_senders(await rig.store.entries(Kind.SENDER))
    assert (await client.post("/v1/messages", MESSAGE)).status == 202


async def test_a_carrier_takes_only_what_is_registered_with_it(client: Client, rig: Rig) -> None:
    carriers = [Carrier(name="op", senders_registered=True)]
    rig.world.routing = RoutingTable(rig.settings.route, carriers)
    reply = await client.post("/v1/messages", MESSAGE)
    assert reply.code == "sender_not_allowed"
    assert "not registered with op" in reply.json["detail"]
    await put(client, key=ADMIN, carrier="op", status="approved")
    assert (await client.post("/v1/messages", MESSAGE)).status == 202
