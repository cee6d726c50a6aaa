from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from gateway.errors import StoreUnavailable
from gateway.ingress.http.gather import UNDER_WAY
from gateway.store.messages import StoredAnswer, Submission
from tests.ingress.client import Client, Reply
from tests.ingress.conftest import Rig


class Gate:
    """The real store behind a gate: lists wait in front of it until it opens."""

    def __init__(self, rig: Rig) -> None:
        self._accept = rig.store.accept
        self.lists: list[int] = []
        self.arrived = asyncio.Event()
        self.open = asyncio.Event()
        self.error: Exception | None = None
        rig.store.accept = self.accept  # type: ignore[method-assign]

    async def accept(self, submissions: Sequence[Submission]) -> list[StoredAnswer | None]:
        self.lists.append(len(submissions))
        self.arrived.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return await self._accept(submissions)


@pytest.fixture
def gate(rig: Rig) -> Gate:
    return Gate(rig)


def message(n: int) -> dict[str, str]:
    return {"from": "ACME", "to": f"+7916{1_000_000 + n}", "text": f"text {n}"}


async def put(client: Client, *numbers: int, key: str | None = None) -> list[asyncio.Task[Reply]]:
    """Requests on their way."""
    return [
        asyncio.ensure_future(client.post("/v1/messages", message(n), idempotency=key))
        for n in numbers
    ]


async def settled(rig: Rig, count: int) -> None:
    """Let the loop turn until `count` requests are being worked on."""
    while rig.api.active < count:  # noqa: ASYNC110  nothing else tells, and it takes no time
        await asyncio.sleep(0)


async def test_those_who_wait_share_a_list(client: Client, rig: Rig, gate: Gate) -> None:
    tasks: list[asyncio.Task[Reply]] = []
    for n in range(UNDER_WAY):
        gate.arrived.clear()
        tasks += await put(client, n)
        await gate.arrived.wait()
    tasks += await put(client, *range(UNDER_WAY, 30))
    await settled(rig, 30)
    gate.open.set()
    replies = [await task for task in tasks]
    assert [reply.status for reply in replies] == [202] * 30
    assert sum(gate.lists) == 30
    assert len(gate.lists) <= UNDER_WAY + 2, gate.lists
    for n, reply in enumerate(replies):
        found = (await client.get(f"/v1/messages/{reply.json['id']}")).json
        assert (found["to"], found["text"]) == (message(n)["to"], f"text {n}")


async def test_a_list_that_fails_fails_for_all_in_it(client: Client, rig: Rig, gate: Gate) -> None:
    gate.error = StoreUnavailable("disk full")
    tasks = await put(client, *range(10))
    await settled(rig, 10)
    gate.open.set()
    for task in tasks:
        reply = await task
        assert (reply.status, reply.code) == (503, "store_unavailable")
    assert (await client.get("/v1/messages")).json["data"] == []
    gate.error = None
    assert (await client.post("/v1/messages", message(1))).status == 202


async def test_repetitions_and_first_times_in_one_list(
    client: Client, rig: Rig, gate: Gate
) -> None:
    gate.open.set()
    first = await client.post("/v1/messages", message(1), idempotency="k")
    gate.open.clear()
    tasks = [*(await put(client, 1, key="k")), *(await put(client, 2, 3))]
    tasks += await put(client, 4, key="other")
    await settled(rig, 4)
    gate.open.set()
    again, *fresh = [await task for task in tasks]
    assert again.body == first.body
    assert again.headers["Idempotency-Replayed"] == "true"
    assert [reply.status for reply in fresh] == [202, 202, 202]
    assert len((await client.get("/v1/messages")).json["data"]) == 4
