"""TLVs of a submission: kept with its content, or refused by field."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.model import LANE_CLASSES
from gateway.store.messages import Demand, Tlv
from protocol.tlv import SPOKEN_FOR, TLV_BY_TAG
from tests.ingress.client import Client
from tests.ingress.conftest import Rig

MESSAGE = {"to": "+79161234567", "text": "Hello", "from": "ACME"}
ASKED = [
    {"tag": "0x1400", "value": "1101456789012345678"},
    {"name": "dlt_template_id", "value": "1107"},
    {"tag": "0x1FFF", "hex": "00fF"},
    {"tag": "0x204", "value": ""},
]
KEPT = (
    Tlv("0x1400", "1101456789012345678"),
    Tlv("dlt_template_id", "1107"),
    Tlv("0x1FFF", "00fF", True),
    Tlv("0x204", ""),
)


async def leased(rig: Rig) -> list[tuple[Tlv, ...]]:
    """The TLVs of every message that is ready to leave."""
    lanes = [f"main/{each}" for each in LANE_CLASSES]
    lease = await rig.store.lease([Demand("op", lanes, 100)], rig.clock())
    return [lease.contents[message.content].tlvs for message in lease.taken[0]]


async def test_a_message_keeps_them(client: Client, rig: Rig) -> None:
    assert (await client.post("/v1/messages", {**MESSAGE, "tlvs": ASKED})).status == 202
    assert (await client.post("/v1/messages", MESSAGE)).status == 202
    assert sorted(await leased(rig)) == [(), KEPT]


async def test_a_batch_keeps_them_for_later_uploads(client: Client, rig: Rig) -> None:
    body: dict[str, Any] = {"from": "ACME", "text": "Sale", "tlvs": ASKED, "start": True}
    made = await client.post("/v1/batches", {**body, "recipients": [{"to": "+79161234567"}]})
    assert made.status == 202
    upload = await client.post(
        f"/v1/batches/{made.json['id']}/recipients",
        b'{"to": "+79161234568"}\n{"to": "+79161234569"}\n',
        media="application/x-ndjson",
    )
    assert upload.json["counts"]["accepted"] == 2
    assert await leased(rig) == [KEPT] * 3


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/batches", "/v1/messages/estimate"])
@pytest.mark.parametrize(
    ("tlvs", "code", "pointer"),
    [
        ([{"value": "x"}], "missing_field", "#/tlvs/0"),
        ([{"name": "a", "tag": "0x1400", "value": "x"}], "invalid_value", "#/tlvs/0"),
        ([{"tag": "0x1400"}], "missing_field", "#/tlvs/0"),
        ([{"tag": "0x1400", "value": "x", "hex": "00"}], "invalid_value", "#/tlvs/0"),
        ([{"tag": "5120", "value": "x"}], "invalid_value", "#/tlvs/0/tag"),
        ([{"tag": "0x14000", "value": "x"}], "invalid_value", "#/tlvs/0/tag"),
        ([{"name": "PE", "value": "x"}], "invalid_value", "#/tlvs/0/name"),
        ([{"name": "a" * 41, "value": "x"}], "invalid_value", "#/tlvs/0/name"),
        ([{"tag": "0x1400", "value": "x" * 256}], "invalid_value", "#/tlvs/0/value"),
        ([{"tag": "0x1400", "hex": "0" * 514}], "invalid_value", "#/tlvs/0/hex"),
        ([{"tag": "0x1400", "hex": "0f1"}], "invalid_value", "#/tlvs/0/hex"),
        ([{"tag": "0x1400", "hex": "0g"}], "invalid_value", "#/tlvs/0/hex"),
        ([{"tag": "0x1400", "value": "a\0"}], "invalid_text", "#/tlvs/0/value"),
        ([{"tag": "0x1400", "value": 7}], "invalid_type", "#/tlvs/0/value"),
        ([{"tag": "0x1400", "value": "x"}] * 21, "invalid_value", "#/tlvs"),
        (
            [{"tag": "0x1400", "value": "x"}, {"tag": "0x020c", "value": "1"}],
            "invalid_value",
            "#/tlvs/1/tag",
        ),
        ([{"name": "message_payload", "value": "x"}], "invalid_value", "#/tlvs/0/name"),
        ([{"tag": "0x1400", "valeu": "x"}], "unknown_field", "#/tlvs/0/valeu"),
    ],
)
async def test_what_cannot_be_asked_for_is_refused_by_field(
    client: Client, path: str, tlvs: list[dict[str, Any]], code: str, pointer: str
) -> None:
    body = {"from": "ACME", "text": "Hello", "tlvs": tlvs}
    if path != "/v1/batches":
        body["to"] = "+79161234567"
    reply = await client.post(path, body)
    assert (reply.status, reply.code) == (422, code)
    assert reply.json["errors"][0]["pointer"] == pointer


async def test_every_tag_that_is_not_the_callers_is_refused(client: Client) -> None:
    for tag in SPOKEN_FOR:
        reply = await client.post(
            "/v1/messages", {**MESSAGE, "tlvs": [{"tag": f"0x{tag:04x}", "value": "1"}]}
        )
        assert reply.status == 422
        assert TLV_BY_TAG[tag].name in reply.json["detail"]


async def test_an_estimate_takes_them(client: Client) -> None:
    reply = await client.post("/v1/messages/estimate", {**MESSAGE, "tlvs": ASKED})
    assert (reply.status, reply.json["parts"]) == (200, 1)
