"""Everything goes wrong at once, and every message still ends once, with counts that add up."""

from __future__ import annotations

import asyncio
import re
import signal
import sqlite3
from collections import Counter
from typing import Any

import pytest

from bench.smsc import Behaviour
from gateway.model import FINAL
from tests.whole.conftest import Rig

pytestmark = pytest.mark.slow

MESSAGES = 250
"""In each of two campaigns; every fifth is of two parts."""

IMPATIENT = 'response_timeout = "1s"\nretry_delay = "100ms"\nmax_attempts = 4'

CHAOS = Behaviour(
    latency=0.02,
    jitter=0.05,
    errors={0x08: 0.05, 0x58: 0.05, 0x0B: 0.02, 0x45: 0.03},
    silence=0.03,
    disconnect=0.01,
    receipts={"DELIVRD": 0.8, "UNDELIV": 0.2},
    receipts_first=True,
    enroute=True,
)
CALM = Behaviour(latency=0.01)

_FINAL_NAMES = {status.public for status in FINAL}


async def campaign(rig: Rig, category: str) -> str:
    """Submit a campaign; its id."""
    batch = await rig.call(
        "POST",
        "/v1/batches",
        202,
        json={
            "from": "ACME",
            "text": "Hello {{x}}",
            "category": category,
            "recipients": [
                {"to": f"+7916123{n:04d}", "vars": {"x": "y" * (300 if n % 5 == 0 else 3)}}
                for n in range(MESSAGES)
            ],
        },
    )
    return str(batch["id"])


async def answered(rig: Rig, count: int) -> None:
    """Wait until the operators have answered so many submits."""

    async def enough() -> bool:
        return rig.north.counters.answered + rig.south.counters.answered >= count

    await rig.until(enough)


async def ended(rig: Rig, batch: str) -> Counter[str]:
    """A campaign's counts by status, once it is finished."""
    stats: dict[str, Any] = {}

    async def finished() -> bool:
        nonlocal stats
        stats = await rig.call("GET", f"/v1/batches/{batch}/stats")
        return bool(stats["status"] == "finished")

    await rig.until(finished)
    return Counter(stats["statuses"])


def statuses(rig: Rig) -> Counter[int]:
    """What the store's file says itself, batch counters aside."""
    with sqlite3.connect(rig.directory / "aldis.db") as connection:
        found = connection.execute("SELECT status, count(*) FROM messages GROUP BY status")
        return Counter(dict(found.fetchall()))


@pytest.mark.parametrize("killed", [False, True], ids=["running", "killed"])
async def test_every_message_ends_once(rig: Rig, killed: bool) -> None:
    rig.write_config(north=IMPATIENT, south=IMPATIENT)
    rig.north.behaviour = rig.south.behaviour = CHAOS
    await rig.start()
    batches = [await campaign(rig, "advertising"), await campaign(rig, "transactional")]
    await answered(rig, 100)
    if killed:
        rig.gateway.kill()
        await rig.gateway.ended()
        await rig.start()
    await answered(rig, 200)
    rig.north.behaviour = rig.south.behaviour = CALM
    counted: Counter[str] = Counter()
    for batch in batches:
        own = await ended(rig, batch)
        assert sum(own.values()) == MESSAGES
        counted += own
    assert set(counted) <= _FINAL_NAMES
    assert {status.public: statuses(rig)[status] for status in FINAL if statuses(rig)[status]} == (
        counted
    )

    async def told() -> bool:
        return len(rig.sink.finals) == 2 * MESSAGES

    await rig.until(told)
    assert rig.sink.contradicted == 0
    told_last = Counter(line.split()[1] for line in rig.sink.lines().decode().splitlines())
    assert told_last == counted
    assert rig.north.counters.cut + rig.south.counters.cut > 0, "nothing went wrong"
    assert await rig.metric("aldis_illegal_transitions_total") == 0
    assert await rig.metric("aldis_task_errors_total") == 0


async def test_a_carrier_removed_with_messages_on_the_wire(rig: Rig) -> None:
    # The receipts come while its links drain, though the configuration has forgotten it.
    rig.north.behaviour = Behaviour(latency=1.0, receipts_first=True)
    await rig.start()
    for n in range(20):
        await rig.post(f"+7916000{n:04d}")
    await rig.north.until(lambda: rig.north.counters.submits == 20)
    text = re.sub(r'\[\[carrier\]\]\nname = "north".*?(?=\[\[carrier)', "", rig.config.read_text(),
                  flags=re.DOTALL)  # fmt: skip
    text = re.sub(r"carriers = .*", 'carriers = ["south"]', text)
    rig.config.write_text(text)
    rig.signal(signal.SIGHUP)

    async def applying() -> bool:
        carriers = await rig.call("GET", "/v1/carriers")
        return [one["name"] for one in carriers["data"]] == ["south"]

    await rig.until(applying)
    # A stop in the middle of the reload waits for the answers as well.
    rig.signal(signal.SIGTERM)
    assert await asyncio.wait_for(rig.gateway.ended(), 20) == 0
    assert statuses(rig) == {7: 20}
    assert "deliver_sm not taken" not in rig.log.read_text()
    assert rig.north.counters.submits == 20
    assert rig.south.counters.submits == 0


async def test_an_outage_longer_than_the_validity(rig: Rig) -> None:
    await rig.start()
    await rig.north.stop()
    await rig.south.stop()
    for n in range(20):
        await rig.post(f"+7916000{n:04d}", validity="PT1S")

    async def told() -> bool:
        return rig.sink.statuses["expired"] == 20

    await rig.until(told)
    await rig.north.start()
    await rig.south.start()
    await rig.post("+79160009999")
    await rig.sink.until(22)
    assert rig.north.counters.submits + rig.south.counters.submits == 1
