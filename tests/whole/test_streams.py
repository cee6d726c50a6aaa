"""Half a million recipients in one request: one broken line costs itself, memory stays bounded."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bench.processes import memory
from tests.whole.conftest import Rig

pytestmark = pytest.mark.slow

LINES = 500_010
BROKEN = 500_000
MIB = 1 << 20


async def recipients() -> AsyncIterator[bytes]:
    """NDJSON in pieces that end in the middle of lines, as a socket delivers them."""
    piece = bytearray()
    for number in range(1, LINES + 1):
        if number == BROKEN:
            piece += b'{"to": "+7916\n'
        else:
            piece += b'{"to":"+7916%07d"}\n' % number
        if len(piece) > 65_536:
            yield bytes(piece[:65_536])
            del piece[:65_536]
    yield bytes(piece)


async def test_a_broken_line_in_half_a_million_is_told_by_its_number(rig: Rig) -> None:
    await rig.start()
    batch = await rig.call("POST", "/v1/batches", 202, json={"from": "ACME", "text": "Hello"})
    result = await rig.call(
        "POST",
        f"/v1/batches/{batch['id']}/recipients",
        data=recipients(),
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert result["counts"] == {"accepted": LINES - 1, "ineligible": 0, "malformed": 1}
    [problem] = result["problems"]
    assert problem["line"] == BROKEN
    stats = await rig.call("GET", f"/v1/batches/{batch['id']}/stats")
    assert (stats["accepted"], stats["waiting"]) == (LINES - 1, LINES - 1)
    assert memory(rig.gateway.pid)["peak"] < 400 * MIB
