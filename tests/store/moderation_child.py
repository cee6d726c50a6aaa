"""Texts that are held, decided and carried out until it is killed; run by `test_moderation_crash`.

Each line on standard output is one acknowledged call. `python moderation_child.py <directory>
<seed>`.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path

from held import held
from workbench import SECOND, Bench

from gateway.store.moderation import Decision, ItemState


def tell(kind: str, ids: list[int]) -> None:
    sys.stdout.write(json.dumps([kind, ids]) + "\n")
    sys.stdout.flush()


async def main(directory: str, seed: int) -> None:
    choice = random.Random(seed)
    bench = Bench(Path(directory))
    bench.numbers += seed * 1_000_000
    bench.now += seed * 60 * SECOND  # each run is a later one
    await bench.open()

    async def accepting() -> None:
        n = 0
        while True:
            n += 1
            ids = await held(
                bench, choice.choice((1, 30, 700)), f"text {choice.randint(0, n)} of {seed}",
                new_batch=n % 2 == 0,
            )  # fmt: skip
            tell("accepted", ids)
            if choice.random() < 0.3:
                gone = choice.sample(ids, 1)
                before = await bench.store.cancel("shop", gone, bench.now)
                if before == [2]:
                    tell("canceled", gone)

    async def deciding() -> None:
        while True:
            waiting = await bench.store.items(None, [ItemState.WAITING], 50)
            some = choice.sample(waiting, min(len(waiting), choice.randint(1, 3)))
            decisions = [
                Decision(one.id, choice.random() < 0.7, "ann", bench.now, "so") for one in some
            ]
            await bench.store.decide(None, decisions)
            for one in decisions:
                tell("approved" if one.approve else "rejected", [one.item])
            await asyncio.sleep(0)

    async def carrying() -> None:
        while True:
            await bench.store.carry_out(bench.now)
            tell("step", [])

    async def sending() -> None:
        while True:
            leased = await bench.lease(choice.choice((5, 50, 200)))
            await bench.sent(leased)
            tell("sent", [m.id for m in leased])
            await asyncio.sleep(0)

    await asyncio.gather(accepting(), deciding(), carrying(), sending())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
