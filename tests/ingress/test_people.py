"""Consents over HTTP, and what they do to submissions."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.ingress.client import Client
from tests.ingress.conftest import NOW

ANN = "+79161234567"
BOB = "+79161234568"


def said(state: str, number: str = ANN, **more: object) -> dict[str, object]:
    return {"number": number, "state": state, "wording": "Offers?", "source": "form", **more}


async def test_a_consent_and_its_proof(client: Client) -> None:
    at = "2026-11-17T10:00:00+03:00"
    reply = await client.post("/v1/consents", said("granted", brand="ACME", at=at))
    assert (reply.status, reply.json) == (200, {"recorded": 1})
    page = await client.get("/v1/consents")
    (one,) = page.json["data"]
    assert one.pop("actor").startswith("config ")
    assert one == {
        "number": ANN, "brand": "acme", "state": "granted", "at": "2026-11-17T07:00:00Z",
        "wording": "Offers?", "source": "form",
    }  # fmt: skip


async def test_a_list_and_its_pages(client: Client) -> None:
    numbers = [f"+7916{n:07d}" for n in range(1_500)]
    body = [said("granted", number) for number in numbers]
    assert (await client.post("/v1/consents", body)).json == {"recorded": 1_500}
    page = await client.get("/v1/consents?limit=1000")
    rest = await client.get(f"/v1/consents?limit=1000&cursor={page.json['next_cursor']}")
    assert rest.json["next_cursor"] is None
    found = [one["number"] for one in page.json["data"] + rest.json["data"]]
    assert found == numbers[::-1]
    of_one = await client.get("/v1/consents?number=%2B79160000007")
    assert [one["number"] for one in of_one.json["data"]] == ["+79160000007"]


async def test_what_is_wrong_with_a_statement_is_named(client: Client) -> None:
    ahead = datetime.fromtimestamp(NOW / 1e6 + 3600, UTC).isoformat()
    for entry, pointer, code in (
        (said("granted", "0612"), "number", "invalid_number"),
        (said("granted", wording=" "), "wording", "missing_field"),
        (said("granted", source=""), "source", "missing_field"),
        (said("denied", at=ahead), "at", "invalid_value"),
        (said("maybe"), "state", "invalid_value"),
        (said("denied", brand=""), "brand", "invalid_value"),
        ({"number": ANN}, "state", "missing_field"),
    ):
        reply = await client.post("/v1/consents", entry)
        assert (reply.status, reply.code) == (422, code)
        assert reply.json["errors"][0]["pointer"] == f"#/{pointer}"
        reply = await client.post("/v1/consents", [said("denied"), entry])
        assert reply.json["errors"][0]["pointer"] == f"#/1/{pointer}"
    assert (
        "granted, denied, unknown" in (await client.post("/v1/consents", said("?"))).json["detail"]
    )
    reply = await client.post("/v1/consents", [said("denied")] * 10_001)
    assert (reply.code, reply.json["errors"][0]["pointer"]) == ("too_many_entries", "#")
    assert (await client.get("/v1/consents")).json["data"] == []


async def test_a_refusal_stops_what_needs_permission(client: Client) -> None:
    async def send(category: str, to: str = ANN, sender: str = "ACME") -> str:
        message = {"from": sender, "to": to, "text": "x", "category": category}
        reply = await client.post("/v1/messages", message)
        return "" if reply.status == 202 else reply.code

    assert await send("advertising") == ""
    await client.post("/v1/consents", {"number": ANN, "state": "denied", "brand": "acme"})
    assert await send("advertising") == "no_consent"
    assert await send("informational") == "no_consent"
    assert await send("service") == ""
    assert await send("transactional") == ""
    assert await send("advertising", BOB) == ""
    assert await send("advertising", sender="Beta") == ""
    await client.post("/v1/consents", said("granted"))
    assert await send("advertising") == ""
    # A yes takes no opt-out back.
    await client.post("/v1/optouts", {"number": ANN})
    await client.post("/v1/consents", said("granted"))
    assert await send("advertising") == "opted_out"
