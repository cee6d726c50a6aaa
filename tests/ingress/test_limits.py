from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.errors import Busy, StoreUnavailable
from gateway.ingress.http.limits import TokenBucket
from gateway.store.contract import MessageView
from tests.ingress.client import Client
from tests.ingress.conftest import NOW, READER, SECOND, Rig


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


def test_a_bucket_holds_one_second() -> None:
    bucket = TokenBucket(10, NOW)
    assert [bucket.take(NOW) for _ in range(11)] == [True] * 10 + [False]
    assert 0 < bucket.wait <= 0.1
    # A day's rest gives a second's worth, a clock set back gives nothing.
    assert [bucket.take(NOW + 86_400 * SECOND) for _ in range(11)].count(True) == 10
    assert not bucket.take(NOW)
    assert bucket.take(NOW + SECOND // 10)
