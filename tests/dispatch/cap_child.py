"""A process that uses up a day's cap and says so before each use, until somebody kills it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from config.settings import StoreSettings
from gateway.dispatch.allowances import Allowances
from gateway.metrics import Metrics
from gateway.model import OnUnknown
from gateway.store.sqlite import SqliteStore

CAP = 2_000
NOW = 1_795_687_200_000_000
"""2026-11-26T10:00:00Z; it stays so."""


async def main(directory: str) -> None:
    metrics = Metrics()
    path = str(Path(directory) / "aldis.db")
    store = SqliteStore(StoreSettings(path=path), 0, metrics, lambda: NOW)
    await store.open(lambda carrier, category: OnUnknown.FAIL, NOW)
    room = asyncio.Event()
    allowances = Allowances(store, metrics, lambda: NOW, room.set)
    await allowances.start()
    meter = allowances.meter("carrier/op1", {"day": CAP}, "UTC")
    while meter.room(NOW) > 0:
        allowances.look(meter, NOW)
        left = meter.left(NOW)
        if left <= 0:
            room.clear()
            await room.wait()
            continue
        meter.take(1, NOW)
        print(json.dumps({"sent": 1, "done": False}), flush=True)
        await asyncio.sleep(0)
    print(json.dumps({"sent": 0, "done": True}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
