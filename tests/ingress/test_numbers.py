"""Numbers before anything is sent to them, and those that failed too often."""

from __future__ import annotations

from gateway.model import Status
from gateway.store.messages import Demand, News, Outcome, Receipts, Settled
from tests.ingress.client import Client
from tests.ingress.conftest import KEY, READER, Rig

ANN = "+79161234567"


async def test_what_numbers_are(client: Client) -> None:
    await client.post("/v1/optouts", {"number": ANN})
    await client.post("/v1/optouts", {"number": "+79161234568", "sender": "ACME"})
    numbers = [ANN, "06 12 34 56 78", "+44 20 7946 0123", "see notes", "+79161234568"]
    body = {"numbers": numbers, "default_region": "FR"}
    reply = await client.post("/v1/numbers/validate", body)
    ann, fr, fixed, junk, other = reply.json["data"]
    assert ann == {
        "valid": True, "e164": ANN, "country": "RU", "type": "mobile", "opted_out": True,
        "zones": ann["zones"],
    }  # fmt: skip
    assert "Europe/Moscow" in ann["zones"]
    assert fr == {
        "valid": True, "e164": "+33612345678", "country": "FR", "type": "mobile",
        "zones": ["Europe/Paris"],
    }  # fmt: skip
    assert (fixed["valid"], fixed["type"]) == (False, "fixed_line")
    assert fixed["reason"]["code"] == "not_mobile"
    assert (junk["valid"], junk["reason"]["code"]) == (False, "invalid_number")
    assert "e164" not in junk
    assert "opted_out" not in other
    reply = await client.post("/v1/numbers/validate", {**body, "from": "ACME"})
    assert reply.json["data"][4]["opted_out"] is True


async def test_a_long_list_keeps_its_order(client: Client) -> None:
    numbers = [f"+7916{n:07d}" for n in range(3_000)]
    reply = await client.post("/v1/numbers/validate", {"numbers": numbers})
    assert [one["e164"] for one in reply.json["data"]] == numbers


async def test_what_is_wrong_with_a_list(client: Client) -> None:
    reply = await client.post("/v1/numbers/validate", {"numbers": ["1"] * 10_001})
    assert (reply.code, reply.json["errors"][0]["pointer"]) == ("too_many_entries", "#/numbers")
    for body in ({"numbers": []}, {"numbers": [ANN], "default_region": "fr"}):
        assert (await client.post("/v1/numbers/validate", body)).code == "invalid_value"


async def fail(rig: Rig, client: Client) -> None:
    """One message that ends for a reason that is the number's own."""
    await client.post("/v1/messages", {"from": "ACME", "to": ANN, "text": "x"})
    now = rig.clock()
    lease = await rig.store.lease([Demand("op", ["main/service"], 10)], now)
    (message,) = lease.taken[0]
    sent = Settled(message, "op", Outcome.SENT, now, Status.SENT, [str(message.id)])
    await rig.store.settle([sent])
    news = News(Status.UNDELIVERED, "unknown_subscriber")
    await rig.store.receive(Receipts("op", now, [str(message.id)], [news]))


async def test_a_number_that_does_not_exist_is_given_up_and_tried_again(
    rig: Rig, client: Client
) -> None:
    for _ in range(3):
        await fail(rig, client)
    message = {"from": "ACME", "to": ANN, "text": "x"}
    reply = await client.post("/v1/messages", message)
    assert (reply.status, reply.code) == (422, "suppressed")
    assert "3 times" in reply.json["detail"]
    (one,) = (await client.post("/v1/numbers/validate", {"numbers": [ANN]})).json["data"]
    assert (one["valid"], one["suppressed"]) == (True, True)
    batch = await client.post(
        "/v1/batches", {"from": "A", "text": "x", "recipients": [{"to": ANN}]}
    )
    assert batch.json["ineligible"][0]["reason"]["code"] == "suppressed"

    path = "/v1/numbers/%2B79161234567/suppression"
    assert (await client.call("DELETE", path, key=READER)).code == "missing_scope"
    reply = await client.call("DELETE", path, key=KEY)
    assert reply.json == {"number": ANN, "lifted": True}
    assert (await client.call("DELETE", path)).json == {"number": ANN, "lifted": False}
    assert (await client.post("/v1/messages", message)).status == 202
    (entry,) = await rig.store.audit("shop", 5)
    assert (entry.action, entry.subject) == ("suppression.lift", "+7916****567")
    assert (await client.call("DELETE", "/v1/numbers/someone/suppression")).code == "not_found"
