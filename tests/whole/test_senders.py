"""Senders and templates in a whole gateway: who may carry what, across reloads and restarts."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta

from tests.whole.conftest import Rig

BOTH = 'carriers = ["north", { name = "south", rank = 1 }]'
APPROVED = {"sender": "BETA", "carrier": "north", "status": "approved"}


async def test_a_reload_takes_the_last_carrier_that_may_have_a_message(rig: Rig) -> None:
    """It waits; the others do not get it; with the next reload it leaves."""
    rig.write_config(north="senders_registered = true")
    await rig.start()
    await rig.call("PUT", "/v1/senders/beta", json=APPROVED)
    due = datetime.now(UTC) + timedelta(seconds=1)
    waits = await rig.post("+79161234567", send_at=due.isoformat())

    both = rig.config.read_text("utf-8")
    rig.config.write_text(both.replace(BOTH, 'carriers = ["north"]'), "utf-8")
    rig.signal(signal.SIGHUP)

    async def told() -> bool:
        return "no carrier of the route may have" in rig.log.read_text("utf-8")

    await rig.until(told)

    async def is_due() -> bool:
        return datetime.now(UTC) > due

    await rig.until(is_due)
    # What north may have passes; so north has been asking for a while when this is over.
    other = await rig.post("+79161234568", **{"from": "BETA"})

    async def delivered() -> bool:
        return (await rig.call("GET", f"/v1/messages/{other['id']}"))["status"] == "delivered"

    await rig.until(delivered)
    assert {one.pdu.source_addr for one in rig.north.submits} == {"BETA"}
    held = await rig.call("GET", f"/v1/messages/{waits['id']}")
    assert (held["status"], held["attempts"]) in (("scheduled", 0), ("queued", 0))

    # The registry and the lane outlive the process.
    await rig.gateway.stop()
    rig.config.write_text(both, "utf-8")
    await rig.start()

    async def gone() -> bool:
        return (await rig.call("GET", f"/v1/messages/{waits['id']}"))["carrier"] == "south"

    await rig.until(gone)
    found = await rig.call("GET", "/v1/senders")
    assert [one["status"] for one in found["data"]] == ["approved"]
    assert "ACME" not in {one.pdu.source_addr for one in rig.north.submits}
