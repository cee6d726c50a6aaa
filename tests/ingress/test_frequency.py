"""Frequency caps through the API: what is not stored does not count."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from msgspec import structs

from config.base import Duration
from config.policies import FrequencyCap
from gateway.admission.contacts import Ledger
from gateway.errors import StoreUnavailable
from gateway.store.messages import StoredAnswer, Submission
from tests.ingress.client import Client
from tests.ingress.conftest import Rig

ANN = "+79161234567"
MESSAGE: dict[str, Any] = {"from": "ACME", "to": ANN, "text": "Hi", "category": "advertising"}
BATCH: dict[str, Any] = {
    "from": "ACME", "text": "Hi", "category": "advertising", "recipients": [{"to": ANN}],
}  # fmt: skip


@pytest.fixture(autouse=True)
async def one_a_day(rig: Rig) -> AsyncIterator[None]:
    cap = FrequencyCap(messages=1, period=Duration(86_400))
    shop, *others = rig.settings.account
    accounts = (structs.replace(shop, frequency=(cap,)), *others)
    rig.api.configure(structs.replace(rig.settings, account=accounts))
    rig.world.contacts = ledger = Ledger(rig.store, rig.metrics, rig.clock)
    ledger.configure(accounts)
    await ledger.ready()
    yield
    await ledger.stop()


@pytest.fixture
def disk(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """The store's disk: empty the list and it is full."""
    works = [True]
    accept = rig.store.accept

    async def full(submissions: Sequence[Submission]) -> list[StoredAnswer | None]:
        if not works:
            raise StoreUnavailable("disk full")
        return await accept(submissions)

    monkeypatch.setattr(rig.store, "accept", full)
    return works


async def test_the_second_is_refused_and_the_first_is_told_again(client: Client) -> None:
    first = await client.post("/v1/messages", MESSAGE, idempotency="a")
    assert first.status == 202
    again = await client.post("/v1/messages", MESSAGE, idempotency="a")
    assert (again.status, again.body) == (202, first.body)
    other = await client.post("/v1/messages", MESSAGE, idempotency="b")
    assert (other.status, other.code) == (422, "frequency_cap")
    assert "the next after 2026-11-19T" in other.json["detail"]
    reply = await client.post("/v1/batches", BATCH)
    assert reply.json["ineligible"][0]["reason"]["code"] == "frequency_cap"


async def test_a_repeated_batch_counts_once(client: Client) -> None:
    first = await client.post("/v1/batches", BATCH, idempotency="a")
    assert first.json["counts"] == {"accepted": 1, "ineligible": 0}
    again = await client.post("/v1/batches", BATCH, idempotency="a")
    assert again.body == first.body


async def test_an_estimate_counts_nothing(client: Client) -> None:
    for _ in range(2):
        reply = await client.post("/v1/messages/estimate", MESSAGE)
        assert reply.json["accepted"] == 1
    assert (await client.post("/v1/messages", MESSAGE)).status == 202
    assert (await client.post("/v1/messages/estimate", MESSAGE)).json["accepted"] == 0


async def test_what_the_disk_had_no_room_for_does_not_count(
    client: Client, disk: list[bool]
) -> None:
    draft = await client.post("/v1/batches", {**BATCH, "recipients": []})
    upload = f"/v1/batches/{draft.json['id']}/recipients"
    ndjson = {"media": "application/x-ndjson"}
    disk.clear()
    assert (await client.post("/v1/messages", MESSAGE)).status == 503
    assert (await client.post("/v1/batches", BATCH)).status == 503
    assert (await client.post(upload, b'{"to":"+79161234567"}', **ndjson)).status == 503
    disk.append(True)
    reply = await client.post(upload, b'{"to":"+79161234567"}', **ndjson)
    assert reply.json["counts"]["accepted"] == 1
    assert (await client.post("/v1/messages", MESSAGE)).code == "frequency_cap"


async def test_what_is_beyond_max_waiting_does_not_count(client: Client, rig: Rig) -> None:
    settings = rig.api._service.settings
    shop, other = settings.account
    full = structs.replace(settings, account=(structs.replace(shop, max_waiting=1), other))
    assert (await client.post("/v1/messages", {**MESSAGE, "to": "+79161234568"})).status == 202
    rig.api.configure(full)
    assert (await client.post("/v1/messages", MESSAGE)).status == 429
    assert (await client.post("/v1/batches", BATCH)).status == 429
    rig.api.configure(settings)
    assert (await client.post("/v1/messages", MESSAGE)).status == 202
