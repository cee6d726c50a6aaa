from __future__ import annotations

from typing import Any

from gateway import ids
from gateway.model import BatchState
from tests.ingress.client import Client
from tests.ingress.conftest import OTHER, Rig


def numbers(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"to": f"+7916{1_000_000 + first + n}"} for n in range(count)]


def batch(recipients: list[dict[str, Any]] | None = None, **fields: Any) -> dict[str, Any]:
    body = {"from": "ACME", "text": "Sale", "category": "advertising", **fields}
    return body if recipients is None else {**body, "recipients": recipients}


async def test_bad_recipients_are_listed_and_fail_nothing(client: Client) -> None:
    recipients = numbers(20)
    recipients[3] = {"to": "+7 495 123-45-67", "client_ref": "landline"}
    recipients[7] = {"to": recipients[6]["to"]}
    recipients[9] = {"to": "none"}
    recipients[11]["client_ref"] = "nul\0"
    recipients[12]["vars"] = {"a": "nul\0"}
    reply = await client.post("/v1/batches", batch(recipients))
    assert reply.status == 202
    answer = reply.json
    assert answer["status"] == "running"
    assert answer["counts"] == {"accepted": 15, "ineligible": 5}
    told = {one["index"]: one["reason"]["code"] for one in answer["ineligible"]}
    assert told == {
        3: "not_mobile",
        7: "duplicate",
        9: "invalid_number",
        11: "invalid_text",
        12: "invalid_text",
    }
    assert answer["ineligible"][0]["client_ref"] == "landline"
    path = f"/v1/batches/{answer['id']}"
    view = (await client.get(path)).json
    assert view["recipients"] == 20
    assert view["statuses"] == {"queued": 15}
    stats = (await client.get(f"{path}/stats")).json
    assert (stats["waiting"], stats["final"], stats["delivered_share"]) == (15, 0, None)
    stored = (await client.get(f"{path}/recipients?status=ineligible")).json["data"]
    assert {one["index"]: one["reason"]["code"] for one in stored} == told
    found = (await client.get(f"/v1/messages?batch={answer['id']}&limit=1000")).json["data"]
    assert len(found) == 15
    assert {one["batch_id"] for one in found} == {answer["id"]}


async def test_ten_thousand_and_not_one_more(client: Client) -> None:
    reply = await client.post("/v1/batches", batch(numbers(10_000)))
    assert reply.json["counts"] == {"accepted": 10_000, "ineligible": 0}
    reply = await client.post("/v1/batches", batch(numbers(10_001)))
    assert (reply.status, reply.code) == (422, "too_many_recipients")
    assert "10001" in reply.json["detail"]
    assert len((await client.get("/v1/batches")).json["data"]) == 1


async def test_a_bad_batch_fails_whole(client: Client) -> None:
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"from": "WayTooLongSender"}, "sender_not_allowed"),
        ({"text": ""}, "empty_text"),
        ({"text": "x" * 1000}, "too_long"),
    )
    for fields, code in cases:
        reply = await client.post("/v1/batches", batch(numbers(2), **fields))
        assert (reply.status, reply.code) == (422, code)
        # A draft is held to the same: it must not fail only when its recipients come.
        reply = await client.post("/v1/batches", batch(**fields))
        assert (reply.status, reply.code) == (422, code)
    assert (await client.get("/v1/batches")).json["data"] == []


async def test_a_campaigns_life(client: Client, rig: Rig) -> None:
    made = (await client.post("/v1/batches", batch(numbers(3), start=False))).json
    assert made["status"] == "draft"
    path = f"/v1/batches/{made['id']}"

    async def step(verb: str) -> tuple[int, str]:
        reply = await client.post(f"{path}/{verb}")
        return reply.status, reply.json["status"] if reply.status == 200 else reply.code

    assert await step("pause") == (409, "wrong_state")
    assert await step("resume") == (409, "wrong_state")
    assert await step("start") == (200, "running")
    assert await step("start") == (200, "running")
    assert await step("pause") == (200, "paused")
    assert await step("pause") == (200, "paused")
    assert await step("start") == (409, "wrong_state")
    assert await step("resume") == (200, "running")
    assert await step("cancel") == (200, "canceled")
    assert await step("cancel") == (200, "canceled")
    assert await step("start") == (409, "wrong_state")
    while await rig.store.maintain(rig.clock()):
        pass
    assert (await client.get(path)).json["statuses"] == {"canceled": 3}


async def test_drafts_without_recipients(client: Client) -> None:
    for body in (batch(), batch([])):
        made = (await client.post("/v1/batches", body)).json
        assert made["status"] == "draft"
        assert made["counts"] == {"accepted": 0, "ineligible": 0}


async def test_options_reach_every_message(client: Client) -> None:
    made = await client.post(
        "/v1/batches",
        batch(
            numbers(1),
            text="{{a}}",
            send_at="2026-11-20T00:00:00Z",
            validity="P1D",
            metadata={"k": "v"},
        )
        | {"recipients": [{"to": "06 12 34 56 78", "vars": {"a": "b"}}], "default_region": "FR"},
    )
    path = f"/v1/batches/{made.json['id']}"
    assert (await client.get(path)).json["send_at"] == "2026-11-20T00:00:00Z"
    (one,) = (await client.get(f"{path}/recipients")).json["data"]
    assert one["to"] == "+33612345678"
    assert (one["status"], one["text"], one["metadata"]) == ("scheduled", "b", {"k": "v"})
    assert one["expires_at"] == "2026-11-21T00:00:00Z"


async def test_unknown_and_foreign_batches(client: Client, rig: Rig) -> None:
    made = (await client.post("/v1/batches", batch(numbers(1)))).json["id"]
    async with rig.client(OTHER) as other:
        for path in (f"/v1/batches/{made}", "/v1/batches/bat_0000000000000", "/v1/batches/x"):
            for tail in ("", "/stats", "/recipients"):
                assert (await other.get(path + tail)).code == "not_found"
            for verb in ("start", "pause", "resume", "cancel"):
                assert (await other.post(f"{path}/{verb}")).code == "not_found"
            reply = await other.post(
                f"{path}/recipients", b'{"to":"1"}', media="application/x-ndjson"
            )
            assert reply.code == "not_found"
        assert (await other.get("/v1/batches")).json["data"] == []


async def test_recipients_in_pages_and_as_a_stream(client: Client) -> None:
    recipients = numbers(2_500) + [{"to": "bad"}] * 3
    made = (await client.post("/v1/batches", batch(recipients))).json["id"]
    path = f"/v1/batches/{made}/recipients"
    link: str | None = f"{path}?limit=1000"
    paged: list[Any] = []
    while link is not None:
        reply = await client.get(link)
        paged += reply.json["data"]
        header = reply.headers.get("Link")
        link = None if header is None else header.partition(">")[0].lstrip("<")
    assert [one["to"] for one in paged] == [one["to"] for one in recipients[:2500]]
    streamed = await client.get(path, headers={"Accept": "application/x-ndjson"})
    assert streamed.headers["Content-Type"] == "application/x-ndjson"
    assert streamed.lines == paged
    streamed = await client.get(
        f"{path}?status=ineligible", headers={"Accept": "application/x-ndjson"}
    )
    assert [one["index"] for one in streamed.lines] == [2500, 2501, 2502]
    reply = await client.get(f"{path}?status=ineligible&limit=2")
    assert [one["index"] for one in reply.json["data"]] == [2500, 2501]
    reply = await client.get(f"{path}?status=ineligible&cursor={reply.json['next_cursor']}")
    assert [one["index"] for one in reply.json["data"]] == [2502]
    assert (await client.get(f"{path}?status=delivered")).json["data"] == []
    assert (await client.get(f"{path}?status=lost")).code == "invalid_parameter"


async def test_batches_in_pages(client: Client, rig: Rig) -> None:
    made = [(await client.post("/v1/batches", batch(numbers(1)))).json["id"] for _ in range(3)]
    reply = await client.get("/v1/batches?limit=2")
    assert [one["id"] for one in reply.json["data"]] == made[:0:-1]
    reply = await client.get(f"/v1/batches?cursor={reply.json['next_cursor']}")
    assert [one["id"] for one in reply.json["data"]] == made[:1]
    view = await rig.store.batch("shop", ids.decode("bat", made[0]) or 0)
    assert view is not None and view.state is BatchState.RUNNING
