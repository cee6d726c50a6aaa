"""What is kept of a person over HTTP, and the end of it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from gateway.log import JsonFormatter
from gateway.store.messages import InboundPart
from tests.ingress.client import Client
from tests.ingress.conftest import ADMIN, READER, Rig

ANN = "+79161234567"
PATH = "/v1/subjects/%2B79161234567"
MESSAGE = {"from": "ACME", "to": ANN, "text": "Hi {{n}}", "vars": {"n": "Ann"}, "client_ref": "r"}


async def live(client: Client, rig: Rig) -> None:
    """Everything that can be kept of a number, but a failure."""
    await client.post("/v1/messages", MESSAGE)
    await rig.store.inbound([InboundPart("op", ANN[1:], "777", "a reply", rig.clock(), "shop")])
    consent = {"number": ANN, "state": "granted", "wording": "w", "source": "form"}
    await client.post("/v1/consents", consent)
    await client.post("/v1/optouts", {"number": ANN, "sender": "BETA"})
    batch = {
        "from": "BETA", "text": "x", "default_region": "RU",
        "recipients": [{"to": "8 (916) 123-45-67"}, {"to": "+44 7400 123456"}, {"to": "notes"},
                       {"to": "+35316123456"}],
    }  # fmt: skip
    reply = await client.post("/v1/batches", batch)
    assert reply.json["counts"]["ineligible"] == 3


async def lines(client: Client) -> dict[str, list[Any]]:
    reply = await client.get(PATH)
    assert reply.headers["Content-Type"] == "application/x-ndjson"
    found: dict[str, list[Any]] = {}
    for line in reply.lines:
        found.setdefault(line["kind"], []).append(line[line["kind"]])
    return found


async def test_an_export_has_everything(client: Client, rig: Rig) -> None:
    await live(client, rig)
    found = await lines(client)
    (head,) = found["subject"]
    assert (head["number"], head["failures"], head["suppressed"]) == (ANN, 0, False)
    (message,) = found["message"]
    assert (message["text"], message["to"], message["client_ref"]) == ("Hi Ann", ANN, "r")
    assert [one["text"] for one in found["reply"]] == ["a reply"]
    assert [one["wording"] for one in found["consent"]] == ["w"]
    assert [one["sender"] for one in found["opt_out"]] == ["beta"]
    (excluded,) = found["ineligible"]
    assert (excluded["index"], excluded["reason"]["code"]) == (0, "opted_out")
    (entry,) = await rig.store.audit("shop", 5, action="subject.")
    assert (entry.action, entry.subject) == ("subject.export", "+7916****567")


async def test_a_stranger_is_one_line(client: Client) -> None:
    assert list(await lines(client)) == ["subject"]


async def test_a_long_life_is_told_in_pages(client: Client, rig: Rig) -> None:
    for _ in range(2):
        for n in range(600):
            part = InboundPart("op", ANN[1:], "777", f"{n}", rig.clock(), "shop")
            await rig.store.inbound([part])
    found = await lines(client)
    assert len(found["reply"]) == 1_200
    assert len({one["id"] for one in found["reply"]}) == 1_200


async def test_an_erasure(client: Client, rig: Rig) -> None:
    await live(client, rig)
    sent = (await lines(client))["message"][0]["id"]
    assert (await client.call("DELETE", PATH, key=READER)).code == "missing_scope"
    assert (await client.get(PATH, key=ADMIN)).code == "missing_scope"
    reply = await client.call("DELETE", PATH)
    assert reply.json == {
        "messages": 1, "canceled": 1, "under_way": 0, "replies": 1, "ineligible": 1, "consents": 1,
        "opt_outs_kept": 1,
    }  # fmt: skip
    assert set(await lines(client)) <= {"subject", "opt_out"}
    message = (await client.get(f"/v1/messages/{sent}")).json
    assert (message["to"], message["text"], message["client_ref"]) == ("", "", None)
    assert (message["status"], message["reason"]["code"]) == ("canceled", "erased")
    assert (await client.get("/v1/messages?to=%2B79161234567")).json["data"] == []
    # The refusal holds; what was not refused may be sent again.
    assert (await client.post("/v1/messages", {**MESSAGE, "from": "BETA"})).code == "opted_out"
    assert (await client.post("/v1/messages", MESSAGE)).status == 202
    (entry, *_) = await rig.store.audit("shop", 5, action="subject.erase")
    assert entry.subject == "+7916****567"
    assert entry.detail["opt_outs_kept"] == 1


async def test_an_erased_number_is_not_among_a_batchs_recipients(client: Client) -> None:
    batch = {"from": "ACME", "text": "x", "recipients": [{"to": ANN}, {"to": "+79161234568"}]}
    identifier = (await client.post("/v1/batches", batch)).json["id"]
    await client.call("DELETE", PATH)
    listed = (await client.get(f"/v1/batches/{identifier}/recipients")).json["data"]
    assert [one["to"] for one in listed] == ["", "+79161234568"]
    stats = (await client.get(f"/v1/batches/{identifier}/stats")).json
    assert stats["statuses"] == {"queued": 1, "canceled": 1}


@pytest.mark.parametrize("path", ["someone", "123", "%2B7916123456789012", "0"])
async def test_what_is_no_number_names_nobody(client: Client, path: str) -> None:
    assert (await client.get(f"/v1/subjects/{path}")).code == "not_found"
    assert (await client.call("DELETE", f"/v1/subjects/{path}")).code == "not_found"


async def test_no_log_and_no_metric_has_the_number(
    client: Client, rig: Rig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the path has it, also when the request fails."""
    caplog.set_level(logging.DEBUG)
    await live(client, rig)
    await client.get(PATH)
    await client.call("DELETE", PATH)
    await client.get("/v1/subjects/79161234567x")

    async def broken(*_: object) -> None:
        raise RuntimeError(f"{ANN} is in this text")

    monkeypatch.setattr(rig.store, "erase", broken)
    assert (await client.call("DELETE", PATH)).code == "internal_error"
    rig.api.flush()
    written = [JsonFormatter().format(record) for record in caplog.records]
    assert any("request failed" in line for line in written)
    for text in (*written, rig.metrics.exposition().decode()):
        assert ANN[1:] not in text
        assert "9161234567" not in text
