from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.admission.numbering import Numbering
from gateway.store.messages import OptOut, StoredAnswer, Submission
from tests.ingress.client import Client, Reply
from tests.ingress.conftest import NOW, OTHER, Rig

MESSAGE: dict[str, Any] = {"from": "ACME", "to": "+79161234567", "text": "Hello"}
DAY = 86_400


async def stored(client: Client) -> int:
    return len((await client.get("/v1/messages")).json["data"])


async def test_the_same_request_gets_the_same_answer(client: Client) -> None:
    first = await client.post("/v1/messages", MESSAGE, idempotency='"0b6f"')
    assert "Idempotency-Replayed" not in first.headers
    # Quotes are the header's, not the key's.
    for key in ('"0b6f"', "0b6f"):
        again = await client.post("/v1/messages", MESSAGE, idempotency=key)
        assert (again.status, again.body) == (first.status, first.body)
        assert again.headers["Idempotency-Replayed"] == "true"
    assert await stored(client) == 1


async def test_batches_too(client: Client) -> None:
    body = {**MESSAGE, "recipients": [{"to": MESSAGE["to"]}, {"to": "bad"}]}
    del body["to"]
    first = await client.post("/v1/batches", body, idempotency="b")
    again = await client.post("/v1/batches", body, idempotency="b")
    assert again.body == first.body
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len((await client.get("/v1/batches")).json["data"]) == 1


async def test_another_body_is_refused(client: Client) -> None:
    await client.post("/v1/messages", MESSAGE, idempotency="k")
    for body in ({**MESSAGE, "text": "Other"}, {**MESSAGE, "to": "bad"}, {"nonsense": 1}):
        reply = await client.post("/v1/messages", body, idempotency="k")
        assert (reply.status, reply.code) == (422, "idempotency_key_reused")
    assert await stored(client) == 1


async def test_keys_belong_to_an_account_and_a_route(client: Client, rig: Rig) -> None:
    await client.post("/v1/messages", MESSAGE, idempotency="k")
    async with rig.client(OTHER) as other:
        reply = await other.post("/v1/messages", {**MESSAGE, "text": "b"}, idempotency="k")
        assert reply.status == 202
    reply = await client.post("/v1/batches", {"from": "ACME", "text": "x"}, idempotency="k")
    assert reply.status == 202


async def test_the_answer_outlives_a_change_of_the_world(client: Client, rig: Rig) -> None:
    first = await client.post("/v1/messages", MESSAGE, idempotency="k")
    await rig.store.opt_out([OptOut("shop", 79161234567, "*", "*", NOW, "test")])
    assert (await client.post("/v1/messages", MESSAGE)).code == "opted_out"
    again = await client.post("/v1/messages", MESSAGE, idempotency="k")
    assert again.body == first.body


async def test_a_refusal_leaves_no_trace(client: Client) -> None:
    wrong = {**MESSAGE, "to": "bad"}
    assert (await client.post("/v1/messages", wrong, idempotency="k")).code == "invalid_number"
    assert (await client.post("/v1/messages", MESSAGE, idempotency="k")).status == 202


async def test_in_flight(client: Client, rig: Rig) -> None:
    arrived, go = asyncio.Event(), asyncio.Event()
    accept = rig.store.accept

    async def slow(submissions: list[Submission]) -> list[StoredAnswer | None]:
        arrived.set()
        await go.wait()
        return await accept(submissions)

    rig.store.accept = slow  # type: ignore[method-assign, assignment]
    first: asyncio.Task[Reply] = asyncio.ensure_future(
        client.post("/v1/messages", MESSAGE, idempotency="k")
    )
    await arrived.wait()
    second = await client.post("/v1/messages", MESSAGE, idempotency="k")
    assert (second.status, second.code) == (409, "request_in_flight")
    go.set()
    assert (await first).status == 202
    rig.store.accept = accept  # type: ignore[method-assign]
    third = await client.post("/v1/messages", MESSAGE, idempotency="k")
    assert third.body == (await first).body


async def test_survives_a_restart(client: Client, rig: Rig, numbering: Numbering) -> None:
    first = await client.post("/v1/messages", MESSAGE, idempotency="k")
    await rig.stop()
    later = Rig(rig.directory, numbering, {})
    await later.start()
    async with later.client() as other:
        again = await other.post("/v1/messages", MESSAGE, idempotency="k")
    await later.stop()
    assert again.body == first.body


async def test_kept_for_a_day(client: Client, rig: Rig) -> None:
    first = await client.post("/v1/messages", MESSAGE, idempotency="k")
    rig.clock.move(DAY - 60)
    assert (await client.post("/v1/messages", MESSAGE, idempotency="k")).body == first.body
    rig.clock.move(120)
    assert (await client.post("/v1/messages", MESSAGE, idempotency="k")).body != first.body


@pytest.mark.parametrize("key", ['""', "k" * 256, "\u00e9", "a\tb"])
async def test_keys_that_cannot_be_used(client: Client, key: str) -> None:
    reply = await client.post("/v1/messages", MESSAGE, idempotency=key)
    assert (reply.status, reply.code) == (400, "invalid_idempotency_key")


async def test_the_longest_key(client: Client) -> None:
    reply = await client.post("/v1/messages", MESSAGE, idempotency='"' + "k" * 255 + '"')
    assert reply.status == 202
