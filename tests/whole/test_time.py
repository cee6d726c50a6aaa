"""Quiet hours of a gateway that runs: files of one's own, taken up by a reload."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.whole.conftest import Rig

OWN_KEY = "ak_of_a_careful_account"
PHONE = "+33612345678"


def rules(path: Path, start: str, end: str) -> None:
    path.write_text(
        f"""
date = 2026-11-26
exempt = ["transactional", "service"]
[[rule]]
name = "own"
source = "a test"
windows = [{{ start = "{start}", end = "{end}" }}]
"""
    )


async def advert(rig: Rig, status: int = 202, **fields: Any) -> Any:
    body = {"from": "ACME", "to": PHONE, "text": "Sale", "category": "advertising", **fields}
    headers = {"Authorization": f"Bearer {OWN_KEY}"}
    return await rig.call("POST", "/v1/messages", status, json=body, headers=headers)


async def test_own_hours_hold_and_are_taken_up_by_a_reload(rig: Rig, tmp_path: Path) -> None:
    hours, zones = tmp_path / "hours.toml", tmp_path / "zones.toml"
    zones.write_text(
        'date = 2026-11-26\n[[numbers]]\nprefixes = ["336"]\nzones = ["UTC"]\nsource = "a test"\n'
    )
    now = datetime.now(UTC)
    opens, closes = now + timedelta(hours=2), now + timedelta(hours=3)
    rules(hours, f"{opens:%H:%M}", f"{closes:%H:%M}")
    rig.write_config(
        extra=f"""
[[account]]
name = "careful"
keys = [{{ value = "{OWN_KEY}" }}]
[policy]
quiet_hours = "./hours.toml"
zones = "{zones}"
"""
    )
    await rig.start()

    held = await advert(rig)
    assert (held["status"], held["reason"]["code"]) == ("held_quiet", "quiet_hours")
    effective = datetime.fromisoformat(held["send_at_effective"])
    assert timedelta() <= effective - opens.replace(second=0, microsecond=0) < timedelta(minutes=15)
    refused = await advert(rig, 422, validity="PT1H")
    assert "beyond its validity" in refused["detail"]
    assert (await advert(rig, category="service"))["status"] == "queued"
    other = "America/New_York"
    assert (await advert(rig, timezone=other))["status"] == "held_quiet"
    assert await rig.metric("aldis_quiet_hours_total", 'rule="own"', 'outcome="deferred"') == 2
    assert await rig.metric("aldis_quiet_hours_total", 'outcome="beyond_validity"') == 1

    rules(hours, "00:00", "00:00")  # empty or endless: refused, the rules in force stay
    rig.signal(signal.SIGHUP)
    told = "hours.toml:7: the window is empty or endless"

    async def refused_by_name() -> bool:
        return told in rig.log.read_text()

    await rig.until(refused_by_name)
    assert (await advert(rig))["status"] == "held_quiet"

    rules(hours, "00:00", "24:00")
    rig.signal(signal.SIGHUP)

    async def open_now() -> bool:
        return bool((await advert(rig))["status"] == "queued")

    await rig.until(open_now)
    sent = await advert(rig)

    async def delivered() -> bool:
        headers = {"Authorization": f"Bearer {OWN_KEY}"}
        view = await rig.call("GET", f"/v1/messages/{sent['id']}", headers=headers)
        return bool(view["status"] == "delivered")

    await rig.until(delivered)
