from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec import structs

from gateway.errors import Busy, StoreUnavailable
from gateway.ingress.http.limits import TokenBucket
from gateway.store.messages import Demand
from gateway.store.records import MessageView
from tests.ingress.client import Client
from tests.ingress.conftest import NOW, OTHER, READER, SECOND, Rig


@pytest.fixture
def http() -> dict[str, Any]:
    return {"requests_per_second": 5, "max_concurrent": 3}


async def test_beyond_the_rate_429(client: Client, rig: Rig) -> None:
    left = []
    for _ in range(5):
        reply = await client.get("/v1/messages")
        assert reply.headers["RateLimit-Policy"] == '"default";q=5;w=1'
        left.append(reply.headers["RateLimit"])
    assert left == [f'"default";r={n};t=1' for n in (4, 3, 2, 1, 0)]
    reply = await client.get("/v1/messages")
    assert (reply.status, reply.code) == (429, "too_many_requests")
    assert reply.headers["Retry-After"] == "1"
    assert (await client.get("/v1/messages", key=READER)).status == 200
    rig.clock.move(0.4)
    assert [(await client.get("/v1/messages")).status for _ in range(3)] == [200, 200, 429]


async def test_too_many_at_once(client: Client, rig: Rig) -> None:
    go = asyncio.Event()
    waiting = asyncio.Semaphore(0)

    async def slow(*_: object) -> list[MessageView]:
        waiting.release()
        await go.wait()
        return []

    rig.store.search = slow  # type: ignore[method-assign, assignment]
    held = [asyncio.ensure_future(client.get("/v1/messages")) for _ in range(3)]
    for _ in held:
        await waiting.acquire()
    reply = await client.get("/v1/messages")
    assert (reply.status, reply.code) == (503, "overloaded")
    assert reply.headers["Retry-After"] == "1"
    go.set()
    assert [(await one).status for one in held] == [200, 200, 200]
    assert (await client.get("/v1/messages", key=READER)).status == 200


@pytest.mark.parametrize(
    ("error", "code", "after"),
    [(Busy("full", 2.5), "overloaded", "3"), (StoreUnavailable("x"), "store_unavailable", "5")],
)
async def test_what_the_store_cannot_take(
    client: Client, rig: Rig, error: Exception, code: str, after: str
) -> None:
    async def full(*_: object) -> None:
        raise error

    rig.store.accept = full  # type: ignore[method-assign, assignment]
    body = {"from": "ACME", "to": "+79161234567", "text": "Hello"}
    reply = await client.post("/v1/messages", body)
    assert (reply.status, reply.code, reply.headers["Retry-After"]) == (503, code, after)


async def test_an_account_has_only_so_many_waiting(rig: Rig, client: Client) -> None:
    shop, other = rig.settings.account
    rig.api.configure(
        structs.replace(rig.settings, account=(structs.replace(shop, max_waiting=3), other))
    )
    body = {"from": "ACME", "to": "+79161234567", "text": "Hello"}
    many = {"from": "ACME", "text": "Hello", "recipients": [{"to": body["to"]}]}
    two = {**many, "recipients": [{"to": "+79161234568"}, {"to": "+79161234569"}]}
    first = await client.post("/v1/messages", body, idempotency="k")
    draft = (await client.post("/v1/batches", {**many, "recipients": []})).json["id"]
    assert (await client.post("/v1/batches", many)).status == 202
    refused = await client.post("/v1/batches", two)
    assert (refused.status, refused.code) == (429, "too_many_waiting")
    assert refused.headers["Retry-After"] == "5"
    upload = f"/v1/batches/{draft}/recipients"
    lines = b'{"to":"+79161234568"}\n{"to":"+79161234569"}'
    media = "application/x-ndjson"
    refused = await client.post(upload, lines, media=media)
    assert (refused.status, refused.code) == (429, "too_many_waiting")
    assert refused.json["counts"] == {"accepted": 0, "ineligible": 0, "malformed": 0}
    rig.clock.move(1)
    assert (await client.post("/v1/messages", body)).status == 202
    assert (await client.post("/v1/messages", body)).status == 429
    again = await client.post("/v1/messages", body, idempotency="k")
    assert (again.status, again.body) == (202, first.body)
    async with rig.client(OTHER) as else_:
        assert (await else_.post("/v1/messages", body)).status == 202

    rig.clock.move(1)
    leased = await rig.store.lease([Demand("op", ["main/service"], 3)], rig.clock())
    assert leased.taken[0]
    done = await client.post(upload, lines, media=media)
    assert done.json["counts"] == {"accepted": 2, "ineligible": 0, "malformed": 0}


def test_a_bucket_holds_one_second() -> None:
    bucket = TokenBucket(10, NOW)
    assert [bucket.take(NOW) for _ in range(11)] == [True] * 10 + [False]
    assert 0 < bucket.wait <= 0.1
    # A day's rest gives a second's worth, a clock set back gives nothing.
    assert [bucket.take(NOW + 86_400 * SECOND) for _ in range(11)].count(True) == 10
    assert not bucket.take(NOW)
    assert bucket.take(NOW + SECOND // 10)
