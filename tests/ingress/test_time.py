"""Quiet hours and zones, asked for over HTTP and found in the store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from config.policies import Policy
from gateway.admission.numbering import Numbering
from gateway.policy.quiet import QuietHours
from gateway.reopening import reopen
from gateway.store.messages import Demand
from tests.ingress.client import Client
from tests.ingress.conftest import NOW, SECOND, Rig

FRENCH = "+33612345678"
NIGHT = int(datetime.fromisoformat("2026-11-18T22:00+01:00").timestamp()) * SECOND


@pytest.fixture
async def rig(tmp_path: Path, numbering: Numbering) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path, numbering, {})
    rig.admission.world.quiet = QuietHours.read(Policy())
    rig.clock.now = NIGHT
    await rig.start()
    yield rig
    await rig.stop()


@pytest.fixture
async def client(rig: Rig) -> AsyncIterator[Client]:
    async with rig.client() as client:
        yield client


def message(**fields: Any) -> dict[str, Any]:
    return {"from": "ACME", "to": FRENCH, "text": "Sale", "category": "advertising", **fields}


def batch(*recipients: dict[str, Any], **fields: Any) -> dict[str, Any]:
    body = {"from": "ACME", "text": "Sale", "category": "advertising", **fields}
    return {**body, "recipients": list(recipients)} if recipients else body


async def test_a_message_at_night_is_held_and_says_until_when(client: Client, rig: Rig) -> None:
    answer = (await client.post("/v1/messages", message())).json
    assert answer["status"] == "held_quiet"
    assert answer["reason"]["code"] == "quiet_hours" and not answer["reason"]["permanent"]
    assert "2026-11-19T07:00:00Z" <= answer["send_at_effective"] < "2026-11-19T07:15:00Z"
    view = (await client.get(f"/v1/messages/{answer['id']}")).json
    assert (view["status"], view["reason"]["code"]) == ("held_quiet", "quiet_hours")
    assert view["send_at_effective"] == answer["send_at_effective"]

    demand = Demand("op", ["main/bulk"], 10)
    assert (await rig.store.lease([demand], NIGHT)).taken == [[]]
    rig.clock.move(10 * 3600 + 900)
    (taken,) = (await rig.store.lease([demand], rig.clock())).taken
    assert len(taken) == 1


async def test_it_may_be_day_elsewhere(client: Client) -> None:
    answer = (await client.post("/v1/messages", message(timezone="America/New_York"))).json
    assert (answer["status"], answer["reason"]) == ("queued", None)


async def test_reject_and_drop(client: Client) -> None:
    reply = await client.post("/v1/messages", message(on_quiet="reject"))
    assert (reply.status, reply.code) == (422, "quiet_hours")
    assert "2026-11-19T07:00:00Z" in reply.json["detail"]
    reply = await client.post("/v1/messages", message(on_quiet="drop"))
    assert reply.status == 202
    assert (reply.json["status"], reply.json["reason"]["code"]) == ("rejected", "quiet_hours")
    view = (await client.get(f"/v1/messages/{reply.json['id']}")).json
    assert (view["status"], view["reason"]["code"]) == ("rejected", "quiet_hours")


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        ({"timezone": "Asia/Yekaterinberg"}, "invalid_timezone", "#/timezone"),
        ({"timezone": "x" * 65}, "invalid_value", "#/timezone"),
        ({"timezone": 3}, "invalid_type", "#/timezone"),
        ({"on_quiet": "wait"}, "invalid_value", "#/on_quiet"),
        ({"catch_up": "never"}, "invalid_value", "#/catch_up"),
        ({"send_at_local": "2026-11-20T10:00:00Z"}, "invalid_value", "#/send_at_local"),
        ({"send_at_local": "ten"}, "invalid_value", "#/send_at_local"),
        (
            {"send_at_local": "2026-11-20T10:00:00", "send_at": "2026-11-20T10:00:00Z"},
            "invalid_value",
            "#/send_at_local",
        ),
        ({"send_at_local": "2026-01-20T10:00:00"}, "validity_expired", "#/send_at_local"),
    ],
)
async def test_what_makes_no_sense_is_named(
    client: Client, fields: dict[str, Any], code: str, pointer: str
) -> None:
    for path, body in (("messages", message(**fields)), ("batches", batch(**fields))):
        reply = await client.post(f"/v1/{path}", body)
        assert (reply.status, reply.code) == (422, code)
        assert [error["pointer"] for error in reply.json["errors"]] == [pointer]


async def test_a_bad_zone_of_one_recipient_fails_nobody_else(client: Client) -> None:
    reply = await client.post(
        "/v1/batches",
        batch({"to": FRENCH, "timezone": "Mars/Olympus"}, {"to": "+33612345679"}),
    )
    answer = reply.json
    assert answer["counts"] == {"accepted": 1, "ineligible": 1}
    (one,) = answer["ineligible"]
    assert (one["index"], one["reason"]["code"]) == (0, "invalid_timezone")


async def test_uploads_keep_the_batchs_options_and_have_zones_of_their_own(
    client: Client, rig: Rig
) -> None:
    made = await client.post(
        "/v1/batches",
        batch(
            timezone="Asia/Tokyo",
            send_at_local="2026-11-20T10:00:00",
            catch_up="skip",
            on_quiet="reject",
        ),
    )
    view = (await client.get(f"/v1/batches/{made.json['id']}")).json
    assert (view["send_at"], view["send_at_local"]) == (None, "2026-11-20T10:00:00")
    path = f"/v1/batches/{made.json['id']}/recipients"
    lines = (
        '{"to":"+33612345678"}\n'
        '{"to":"+33612345679","timezone":"Europe/Paris"}\n'
        '{"to":"+33612345670","timezone":"Nowhere"}\n'
    )
    reply = await client.post(path, lines.encode(), media="application/x-ndjson")
    assert reply.json["counts"] == {"accepted": 2, "ineligible": 1, "malformed": 0}
    assert reply.json["problems"][0]["code"] == "invalid_timezone"
    table = "to;timezone;client_ref\n+33612345671;;a\n+33612345672; America/New_York;b\n"
    reply = await client.post(path, table.encode(), media="text/csv")
    assert reply.json["counts"] == {"accepted": 2, "ineligible": 0, "malformed": 0}
    reply = await client.get(f"/v1/messages?batch={made.json['id']}")
    times = {one["to"]: (one["send_at_effective"], one["expires_at"]) for one in reply.json["data"]}
    assert times == {
        "+33612345678": ("2026-11-20T01:00:00Z", "2026-11-20T02:00:00Z"),
        "+33612345679": ("2026-11-20T09:00:00Z", "2026-11-20T10:00:00Z"),
        "+33612345671": ("2026-11-20T01:00:00Z", "2026-11-20T02:00:00Z"),
        "+33612345672": ("2026-11-20T15:00:00Z", "2026-11-20T16:00:00Z"),
    }
    later = '{"to":"+33612345673","timezone":"Pacific/Honolulu"}'
    rig.clock.now = NOW + 82 * 3600 * SECOND  # 21 November, 21:06 UTC
    reply = await client.post(path, later.encode(), media="application/x-ndjson")
    assert reply.json["problems"][0]["code"] == "validity_expired"


async def test_a_closed_window_is_reopened_by_the_same_rules(client: Client, rig: Rig) -> None:
    """Nobody took it while its window was open: it waits for the next evening's."""
    rig.store.on_closed(partial(reopen, rig.admission.world.quiet))
    rig.clock.now = NIGHT - 2 * 3600 * SECOND - 60 * SECOND  # a minute before closing
    zoned = message(timezone="Europe/Moscow", validity="P3D")  # 21:59 there: closed since 20:00
    answers = [(await client.post("/v1/messages", one)).json for one in (message(), zoned)]
    assert [one["status"] for one in answers] == ["queued", "held_quiet"]
    assert answers[1]["send_at_effective"] >= "2026-11-19T05:00:00Z"
    rig.clock.move(3600)
    demand = Demand("op", ["main/bulk"], 10)
    assert (await rig.store.lease([demand], rig.clock())).taken == [[]]
    view = (await client.get(f"/v1/messages/{answers[0]['id']}")).json
    assert (view["status"], view["reason"]["code"]) == ("held_quiet", "quiet_hours")
    assert "2026-11-19T07:00:00Z" <= view["send_at_effective"] < "2026-11-19T07:15:00Z"


async def test_after_a_downtime_what_may_be_late_is_sent_and_the_rest_is_skipped(
    client: Client, rig: Rig
) -> None:
    rig.clock.now = NIGHT - 12 * 3600 * SECOND
    soon = {"send_at": "2026-11-18T10:00:00Z", "category": "service"}
    late = (await client.post("/v1/messages", message(**soon))).json
    skipped = (await client.post("/v1/messages", message(**soon, catch_up="skip"))).json
    assert (late["status"], skipped["status"]) == ("scheduled", "scheduled")
    rig.clock.move(3 * 3600)  # nobody was there
    (taken,) = (await rig.store.lease([Demand("op", ["main/service"], 10)], rig.clock())).taken
    assert len(taken) == 1
    statuses = [
        (await client.get(f"/v1/messages/{one['id']}")).json["status"] for one in (late, skipped)
    ]
    assert statuses == ["sending", "expired"]


async def test_a_night_without_the_gateway_ends_in_the_next_window(
    client: Client, rig: Rig
) -> None:
    rig.store.on_closed(partial(reopen, rig.admission.world.quiet))
    rig.clock.now = NIGHT - 3 * 3600 * SECOND  # seven in the evening
    await client.post("/v1/messages", message())
    rig.clock.move(15 * 3600)  # ten in the morning: its window has closed, another is open
    (taken,) = (await rig.store.lease([Demand("op", ["main/bulk"], 10)], rig.clock())).taken
    assert len(taken) == 1
