"""A gateway's worth of store calls until it is killed; run by `test_crash`.

Each line on standard output is one acknowledged call: what a caller, an operator or a carrier's
link was told. `python crash_child.py <directory> <seed>`.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path

from workbench import SECOND, Bench

from gateway.model import Status
from gateway.store.messages import Outcome, Settled, WaitingPart


def tell(kind: str, ids: list[int]) -> None:
    sys.stdout.write(json.dumps([kind, ids]) + "\n")
    sys.stdout.flush()


async def main(directory: str, seed: int) -> None:
    choice = random.Random(seed)
    bench = Bench(Path(directory))
    bench.numbers += seed * 1_000_000
    bench.now += seed * 60 * SECOND  # each run is a later one
    await bench.open()
    sent: list[int] = []

    async def accepting() -> None:
        n = 0
        while True:
            n += 1
            submission = bench.submission(
                choice.choice((1, 20, 300)), account=f"account{n % 3}", new_batch=n % 2 == 0,
                key=f"{seed}-{n}",
            )  # fmt: skip
            await bench.store.accept([submission])
            tell("accepted", [m.id for m in submission.messages])

    async def joining() -> None:
        """A customer's parts come one by one; the last brings its message."""
        n = 0
        waiting = [part.id for part in await bench.store.waiting_parts()]
        tell("found", waiting)
        while True:
            n += 1
            for identifier in bench.store.new_ids(choice.randint(0, 3), bench.now):
                part = WaitingPart(identifier, "account0", "acme", bench.now, b"pdu")
                await bench.store.keep_parts([part])
                tell("kept", [identifier])
                waiting.append(identifier)
            if not waiting:
                await asyncio.sleep(0)
                continue
            submission = bench.submission(1, account="account0", key=f"{seed}-joined-{n}")
            submission.joined, waiting = waiting, []
            await bench.store.accept([submission])
            tell("joined", list(submission.joined))
            tell("accepted", [submission.messages[0].id])

    async def sending() -> None:
        while True:
            leased = await bench.lease(choice.choice((5, 50, 200)))
            bench.now += SECOND // 100
            if not leased:
                await asyncio.sleep(0)
                continue
            tell("leased", [m.id for m in leased])
            results = []
            for message in leased:
                outcome, status = choice.choice(
                    [(Outcome.SENT, Status.SENT)] * 6
                    + [(Outcome.RETRY, Status.QUEUED), (Outcome.FAILED, Status.REJECTED)]
                )
                ids = [f"{message.id}-1"] if outcome is Outcome.SENT else []
                results.append(Settled(message, "op1", outcome, bench.now, status, ids))
            await bench.store.settle(results)
            tell("sent", [r.message.id for r in results if r.outcome is Outcome.SENT])
            tell("rejected", [r.message.id for r in results if r.outcome is Outcome.FAILED])
            sent.extend(r.message.id for r in results if r.outcome is Outcome.SENT)

    async def receiving() -> None:
        while True:
            await asyncio.sleep(0)
            taken, sent[:] = sent[:100], sent[100:]
            if taken:
                await bench.receive(*(bench.receipt(identifier) for identifier in taken))
                tell("delivered", taken)

    async def maintaining() -> None:
        while True:
            await bench.store.maintain(bench.now)

    await asyncio.gather(accepting(), joining(), sending(), receiving(), maintaining())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
