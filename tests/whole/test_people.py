"""People's rights on a whole gateway: a number that does not exist, a code that is forgotten, a
person who is; over a reload and a kill, and with nothing of it in the log."""

from __future__ import annotations

import signal
import sqlite3

import pytest

from bench.smsc import Behaviour
from tests.whole.conftest import Rig

pytestmark = pytest.mark.slow

NOBODY, ANN = "+79161234567", "+79161234568"
INVALID_DESTINATION = 0x0B  # ESME_RINVDSTADR


async def status(rig: Rig, identifier: str) -> str:
    found = await rig.call("GET", f"/v1/messages/{identifier}")
    return str(found["status"])


async def test_people(rig: Rig) -> None:
    rig.north.behaviour = Behaviour(error_of={NOBODY[1:]: INVALID_DESTINATION})
    await rig.start()
    for _ in range(3):
        refused = await rig.post(NOBODY)

        async def over(identifier: str = refused["id"]) -> bool:
            return await status(rig, identifier) == "rejected"

        await rig.until(over)
    body = {"from": "ACME", "to": NOBODY, "text": "again"}
    problem = await rig.call("POST", "/v1/messages", 422, json=body)
    assert problem["code"] == "suppressed"
    assert await rig.metric("aldis_numbers_suppressed_total", 'account="shop"') == 1
    assert rig.north.counters.submits == 3

    # Killed, it still knows; told another limit, it forgets none of what it counted.
    rig.gateway.kill()
    await rig.gateway.ended()
    await rig.start()
    assert (await rig.call("POST", "/v1/messages", 422, json=body))["code"] == "suppressed"
    text = rig.config.read_text("utf-8")
    rig.config.write_text(text.replace('name = "shop"', 'name = "shop"\nsuppress_after = 4'))
    rig.signal(signal.SIGHUP)

    async def tried_again() -> bool:
        listed = await rig.call("POST", "/v1/numbers/validate", json={"numbers": [NOBODY]})
        return "suppressed" not in listed["data"][0]

    await rig.until(tried_again)

    code = await rig.post(ANN, "Your code is 4711", retention="discard_text")

    async def delivered() -> bool:
        return await status(rig, code["id"]) == "delivered"

    await rig.until(delivered)
    assert (await rig.call("GET", f"/v1/messages/{code['id']}"))["text"] == ""
    await rig.post(ANN, "kept words")
    await rig.call("POST", "/v1/optouts", json={"number": ANN, "sender": "BETA"})

    async def all_over() -> bool:
        await rig.call("DELETE", f"/v1/subjects/{ANN}")
        with sqlite3.connect(rig.directory / "aldis.db") as database:
            (left,) = database.execute(
                "SELECT count(*) FROM messages WHERE number = ?", (int(ANN),)
            ).fetchone()
        return not left

    await rig.until(all_over)
    with sqlite3.connect(rig.directory / "aldis.db") as database:
        texts = [row[0] for row in database.execute("SELECT json ->> 'text' FROM contents")]
    assert "kept words" not in texts and "Your code is 4711" not in texts
    body = {"from": "BETA", "to": ANN, "text": "x"}
    assert (await rig.call("POST", "/v1/messages", 422, json=body))["code"] == "opted_out"
    written = rig.log.read_text()
    for number in (NOBODY, ANN):
        assert number[1:] not in written
    assert "4711" not in written
