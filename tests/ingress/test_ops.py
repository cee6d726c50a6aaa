from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from config.settings import Ops
from gateway.errors import StoreUnavailable
from gateway.ingress.ops import OpsServer
from tests.ingress.client import Client
from tests.ingress.conftest import Rig, carrier


class Store:
    """Whether the store answers."""

    def __init__(self) -> None:
        self.open = True

    async def check(self) -> None:
        if not self.open:
            raise StoreUnavailable("/secret/path cannot be opened")


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def ops(rig: Rig, store: Store) -> AsyncIterator[OpsServer]:
    ops = OpsServer(Ops(port=0), rig.metrics, store.check, lambda: rig.carriers, [rig.api.flush])
    await ops.start()
    yield ops
    await ops.stop()


async def get(ops: OpsServer, path: str, method: str = "GET") -> tuple[int, Any]:
    url = f"http://127.0.0.1:{ops.port}{path}"
    async with aiohttp.ClientSession() as session, session.request(method, url) as reply:
        if reply.content_type == "application/json":
            return reply.status, await reply.json()
        return reply.status, await reply.text()


async def test_alive(ops: OpsServer) -> None:
    assert await get(ops, "/healthz") == (200, "ok\n")


async def test_not_ready_before_customers_are_let_in(ops: OpsServer) -> None:
    status, body = await get(ops, "/readyz")
    assert (status, body["parts"]["process"]["detail"]) == (503, "starting")
    ops.serving = True
    assert (await get(ops, "/readyz"))[0] == 200


async def test_ready_when_some_carrier_is_bound(ops: OpsServer, rig: Rig, store: Store) -> None:
    ops.serving = True
    rig.carriers = []
    status, body = await get(ops, "/readyz")
    assert (status, body["parts"]["carriers"]["detail"]) == (200, "none configured")
    rig.carriers = [carrier("a", 0, 2), carrier("b", 1, 2)]
    status, body = await get(ops, "/readyz")
    assert (status, body["parts"]["carriers"]["detail"]) == (200, "a 0/2, b 1/2")
    rig.carriers = [carrier("a", 0, 2)]
    status, body = await get(ops, "/readyz")
    assert (status, body["ready"], body["parts"]["carriers"]["ready"]) == (503, False, False)
    assert body["parts"]["store"]["ready"] is True
    rig.carriers, store.open = [], False
    status, body = await get(ops, "/readyz")
    assert (status, body["parts"]["store"]) == (
        503, {"ready": False, "detail": "StoreUnavailable"},
    )  # fmt: skip


async def test_not_ready_while_stopping(ops: OpsServer) -> None:
    ops.serving = ops.draining = True
    status, body = await get(ops, "/readyz")
    assert (status, body["parts"]["process"]["detail"]) == (503, "stopping")


async def test_metrics_count_what_was_asked(ops: OpsServer, client: Client) -> None:
    body = {"from": "ACME", "to": "+79161234567", "text": "x"}
    await client.post("/v1/messages", body)
    await client.post("/v1/messages", {**body, "to": "1"})
    await client.get("/v1/messages/msg_0000000000000")
    await client.get("/private/+79161234567")
    await client.get("/v1/messages", key="ak_wrong")
    status, text = await get(ops, "/metrics")
    assert status == 200
    counted = [line for line in text.splitlines() if not line.startswith("#")]
    for line in (
        'aldis_http_requests_total{method="POST",route="/v1/messages",status="202"} 1.0',
        'aldis_http_requests_total{method="POST",route="/v1/messages",status="422"} 1.0',
        'aldis_http_requests_total{method="GET",route="/v1/messages/{id}",status="404"} 1.0',
        'aldis_http_requests_total{method="GET",route="none",status="404"} 1.0',
        'aldis_http_request_seconds_count{route="/v1/messages"} 3.0',
        'aldis_accept_seconds_count{route="/v1/messages"} 1.0',
        'aldis_messages_accepted_total{account="shop",lane="main/service"} 1.0',
        'aldis_messages_ineligible_total{account="shop",reason="invalid_number"} 1.0',
        'aldis_auth_failures_total{reason="invalid_key"} 1.0',
    ):
        assert line in counted
    assert "79161234567" not in text


async def test_nothing_else_is_there(ops: OpsServer) -> None:
    assert (await get(ops, "/v1/messages"))[0] == 404
    assert (await get(ops, "/metrics", "POST"))[0] == 405
