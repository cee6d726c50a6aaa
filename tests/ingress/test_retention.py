"""`retention` of a message and of a batch, over HTTP."""

from __future__ import annotations

import pytest

from gateway.model import Status
from gateway.store.messages import Demand, News, Outcome, Receipts, Settled
from tests.ingress.client import Client
from tests.ingress.conftest import Rig

MESSAGE = {"from": "ACME", "to": "+79161234567", "text": "Your code: {{n}}", "vars": {"n": "4711"}}


async def send(rig: Rig, receipts: bool = False) -> None:
    """Everything that waits leaves, and arrives."""
    now = rig.clock()
    lanes = ["main/otp", "main/service", "main/bulk"]
    (taken,) = (await rig.store.lease([Demand("op", lanes, 100)], now)).taken
    names = [str(message.id) for message in taken]
    sent = [
        Settled(message, "op", Outcome.SENT, now, Status.SENT, [name])
        for message, name in zip(taken, names, strict=True)
    ]
    await rig.store.settle(sent)
    if receipts:
        news = [News(Status.DELIVERED)] * len(names)
        await rig.store.receive(Receipts("op", now, names, news))


@pytest.mark.parametrize("retention", [None, "discard_text"])
async def test_a_code_is_forgotten_once_it_is_sent(
    client: Client, rig: Rig, retention: str | None
) -> None:
    body = MESSAGE if retention is None else {**MESSAGE, "retention": retention}
    path = f"/v1/messages/{(await client.post('/v1/messages', body)).json['id']}"
    assert (await client.get(path)).json["text"] == "Your code: 4711"
    await send(rig)
    expected = "Your code: 4711" if retention is None else ""
    assert (await client.get(path)).json["text"] == expected


async def test_a_batch_forgets_values_at_once_and_its_text_when_it_is_over(
    client: Client, rig: Rig
) -> None:
    body = {
        "from": "ACME", "text": "Your code: {{n}}", "retention": "discard_text",
        "recipients": [{"to": "+79161234567", "vars": {"n": "4711"}}],
    }  # fmt: skip
    batch = (await client.post("/v1/batches", body)).json["id"]
    more = b'{"to": "+79161234568", "vars": {"n": "4712"}}\n'
    path = f"/v1/batches/{batch}/recipients"
    reply = await client.post(path, more, media="application/x-ndjson")
    assert reply.json["counts"]["accepted"] == 1
    await send(rig, receipts=True)
    listed = (await client.get(path)).json["data"]
    assert [one["text"] for one in listed] == ["Your code: {{n}}"] * 2
    while await rig.store.maintain(rig.clock()):
        pass
    assert [one["text"] for one in (await client.get(path)).json["data"]] == ["", ""]
    # There is nothing left that more recipients could be sent.
    reply = await client.post(path, more, media="application/x-ndjson")
    assert (reply.status, reply.code) == (422, "empty_text")


async def test_other_words_are_refused(client: Client) -> None:
    reply = await client.post("/v1/messages", {**MESSAGE, "retention": "forever"})
    assert (reply.code, reply.json["errors"][0]["pointer"]) == ("invalid_value", "#/retention")
