from __future__ import annotations

from typing import Any

from gateway import ids
from gateway.model import Status
from gateway.store.messages import Demand
from tests.ingress.client import Client
from tests.ingress.conftest import NOW, OTHER, SECOND, Rig

TO = "+79161234567"


def message(**fields: Any) -> dict[str, Any]:
    return {"from": "ACME", "to": TO, "text": "Ваш заказ готов", **fields}


async def test_accepted_means_stored(client: Client, rig: Rig) -> None:
    reply = await client.post(
        "/v1/messages",
        message(client_ref="ord-1", metadata={"campaign": "x"}, validity="PT4H", max_parts=2),
    )
    assert reply.status == 202
    answer = reply.json
    assert answer["status"] == "queued"
    assert (answer["to"], answer["parts"], answer["encoding"]) == (TO, 1, "ucs2")
    assert answer["characters"] == len("Ваш заказ готов")
    assert answer["client_ref"] == "ord-1"
    found = (await client.get(f"/v1/messages/{answer['id']}")).json
    assert found["text"] == "Ваш заказ готов"
    assert found["from"] == "ACME"
    assert found["metadata"] == {"campaign": "x"}
    assert found["send_at_effective"] == answer["send_at_effective"] == "2026-11-18T11:06:40Z"
    assert found["expires_at"] == "2026-11-18T15:06:40Z"
    assert found["created_at"] == answer["created_at"]


async def test_variables_are_filled(client: Client) -> None:
    reply = await client.post(
        "/v1/messages", message(text="Order {{ n }} for {{who}}", vars={"n": "7", "who": "Zoë"})
    )
    assert reply.json["encoding"] == "ucs2"
    found = (await client.get(f"/v1/messages/{reply.json['id']}")).json
    assert found["text"] == "Order 7 for Zoë"


async def test_first_mobile_of_several_candidates(client: Client) -> None:
    reply = await client.post("/v1/messages", message(to=["+33145678901", "+33612345678"]))
    assert reply.json["to"] == "+33612345678"


async def test_scheduled(client: Client) -> None:
    reply = await client.post("/v1/messages", message(send_at="2026-11-23T11:30:00+03:00"))
    assert reply.json["status"] == "scheduled"
    assert reply.json["send_at_effective"] == "2026-11-23T08:30:00Z"


async def test_refused_message_tells_why_without_repeating_it(client: Client) -> None:
    reply = await client.post("/v1/messages", message(to="+7916000"))
    assert (reply.status, reply.code) == (422, "invalid_number")
    assert reply.json["errors"][0]["pointer"] == "#/to"
    assert "7916000" not in reply.body.decode()
    reply = await client.post("/v1/messages", message(text="x" * 500))
    assert (reply.status, reply.code) == (422, "too_long")
    assert "500" in reply.json["detail"] and "xxx" not in reply.json["detail"]
    reply = await client.post("/v1/messages", message(**{"from": "ThisIsTooLongASender"}))
    assert (reply.status, reply.code) == (422, "sender_not_allowed")
    assert reply.json["errors"][0]["pointer"] == "#/from"
    reply = await client.post("/v1/messages", message(text=" "))
    assert (reply.status, reply.code) == (422, "empty_text")
    reply = await client.post("/v1/messages", message(text="{{n}}"))
    assert (reply.status, reply.code) == (422, "missing_variable")
    reply = await client.post("/v1/messages", message(send_at="2028-01-01T00:00:00Z"))
    assert (reply.status, reply.code) == (422, "validity_expired")


async def test_found_by_every_filter(client: Client, rig: Rig) -> None:
    first = (await client.post("/v1/messages", message(client_ref="a"))).json["id"]
    rig.clock.move(60)
    second = (await client.post("/v1/messages", message(to="+33612345678", client_ref="b"))).json[
        "id"
    ]

    async def found(query: str) -> list[str]:
        return [one["id"] for one in (await client.get(f"/v1/messages?{query}")).json["data"]]

    assert await found("") == [second, first]
    assert await found("client_ref=a") == [first]
    assert await found("to=%2B33612345678") == await found("to=+33612345678") == [second]
    assert await found("status=queued,sent") == [second, first]
    assert await found("status=sent") == []
    assert await found("from_time=2026-11-18T11:07:00Z") == [second]
    assert await found("to_time=2026-11-18T14:07:00%2B03:00") == [first]
    assert await found("batch=bat_0000000000000") == []


async def test_pages_follow_links(client: Client) -> None:
    made = [
        (await client.post("/v1/messages", message(client_ref=str(n)))).json["id"] for n in range(5)
    ]
    path: str | None = "/v1/messages?limit=2"
    seen: list[str] = []
    sizes: list[int] = []
    while path is not None:
        reply = await client.get(path)
        page = [one["id"] for one in reply.json["data"]]
        seen += page
        sizes.append(len(page))
        link = reply.headers.get("Link")
        assert (link is None) == (reply.json["next_cursor"] is None)
        path = None if link is None else link.partition(">")[0].lstrip("<")
    assert seen == made[::-1]
    assert sizes == [2, 2, 1]


async def test_nobody_sees_another_accounts_message(client: Client, rig: Rig) -> None:
    identifier = (await client.post("/v1/messages", message())).json["id"]
    async with rig.client(OTHER) as other:
        assert (await other.get(f"/v1/messages/{identifier}")).code == "not_found"
        assert (await other.post(f"/v1/messages/{identifier}/cancel")).code == "not_found"
        assert (await other.get("/v1/messages")).json["data"] == []


async def test_canceled_once_and_again(client: Client) -> None:
    identifier = (await client.post("/v1/messages", message())).json["id"]
    for _ in range(2):
        reply = await client.post(f"/v1/messages/{identifier}/cancel")
        assert reply.status == 200
        assert reply.json["status"] == "canceled"
    assert reply.json["reason"]["code"] == "canceled"


async def test_what_has_left_cannot_be_canceled(client: Client, rig: Rig) -> None:
    identifier = (await client.post("/v1/messages", message())).json["id"]
    (view,) = await rig.store.messages("shop", [ids.decode("msg", identifier) or 0])
    assert view is not None and view.status == Status.QUEUED
    (lane,) = [depth.lane for depth in rig.store.depths()]
    lease = await rig.store.lease([Demand("op", [lane], 10)], NOW + SECOND)
    assert len(lease.taken[0]) == 1
    reply = await client.post(f"/v1/messages/{identifier}/cancel")
    assert (reply.status, reply.code) == (409, "not_cancelable")
    assert "sending" in reply.json["detail"]


async def test_unknown_messages(client: Client) -> None:
    for identifier in ("msg_0000000000000", "bat_0000000000000", "nonsense", "msg_%00"):
        assert (await client.get(f"/v1/messages/{identifier}")).code == "not_found"


async def test_estimate_of_a_message_stores_nothing(client: Client) -> None:
    reply = await client.post("/v1/messages/estimate", message(text="Ж" * 100))
    assert reply.json["texts"] == [
        {"encoding": "ucs2", "characters": 100, "parts": 2, "recipients": 1}
    ]
    assert reply.json["parts"] == 2
    assert (await client.get("/v1/messages")).json["data"] == []


async def test_estimate_of_a_batch(client: Client) -> None:
    recipients = [
        {"to": TO, "vars": {"n": "1"}},
        {"to": "+33612345678", "vars": {"n": "Ж" * 80}},
        {"to": "+33612345679", "vars": {"n": "2"}},
        {"to": "+33612345679", "vars": {"n": "2"}},
        {"to": "12"},
    ]
    reply = await client.post(
        "/v1/messages/estimate", {"from": "ACME", "text": "{{n}}", "recipients": recipients}
    )
    answer = reply.json
    assert (answer["recipients"], answer["accepted"], answer["parts"]) == (5, 3, 4)
    assert answer["texts"][0] == {
        "encoding": "gsm", "characters": 1, "parts": 1, "recipients": 2,
    }  # fmt: skip
    assert [one["reason"]["code"] for one in answer["ineligible"]] == [
        "duplicate",
        "invalid_number",
    ]
    reply = await client.post("/v1/messages/estimate", {"from": "ACME", "text": "x"})
    assert (reply.status, reply.code) == (422, "missing_field")


async def test_what_transliteration_changed_is_told(client: Client) -> None:
    text = "It’s “new” – isn’t it…"
    told = [
        {"from": "’", "to": "'", "times": 2},
        {"from": "“", "to": '"', "times": 1},
        {"from": "”", "to": '"', "times": 1},
        {"from": "–", "to": "-", "times": 1},
        {"from": "…", "to": "...", "times": 1},
    ]
    reply = await client.post("/v1/messages", message(text=text, transliterate=True))
    assert (reply.status, reply.json["encoding"]) == (202, "gsm")
    assert reply.json["transliterated"] == told
    reply = await client.post("/v1/messages/estimate", message(text=text, transliterate=True))
    assert reply.json["transliterated"] == told

    for unchanged in (
        message(text=text),  # not asked for
        message(text="plain", transliterate=True),
        message(text="Привет – мир", transliterate=True),  # would not save anything
    ):
        for path in ("/v1/messages", "/v1/messages/estimate"):
            assert (await client.post(path, unchanged)).json["transliterated"] is None


async def test_an_estimate_counts_changes_over_all_recipients(client: Client) -> None:
    recipients = [
        {"to": TO, "vars": {"n": "Zoë"}},
        {"to": "+33612345678", "vars": {"n": "Zoë’s"}},
        {"to": "12", "vars": {"n": "’’’’"}},  # not accepted: not counted
    ]
    reply = await client.post(
        "/v1/messages/estimate",
        {"from": "ACME", "text": "{{n}}", "recipients": recipients, "transliterate": True},
    )
    assert reply.json["transliterated"] == [
        {"from": "ë", "to": "e", "times": 2},
        {"from": "’", "to": "'", "times": 1},
    ]
