"""What refusals cost: a ledger of millions on every message's way, an import, a STOP, a sweep.

In: how many refusals and waiting messages. Out: the figures as a table and
`bench/results/<date>-optouts.json`. The store alone, on a real file with the settings of the
product; the gateway around it is `bench.load`'s. While refusals are recorded and messages cancelled
a one-time code is accepted and leased every 20 ms: how long it takes is told beside.
Run: `python -m bench.optouts`.
"""

import asyncio
import contextlib
import gc
import random
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import click

from bench.load.report import RESULTS, percentiles, report
from config.settings import StoreSettings
from gateway.app import GC_THRESHOLD
from gateway.metrics import Metrics
from gateway.model import OnUnknown, Status
from gateway.store.messages import Content, Demand, NewMessage, OptOut, Outcome, Settled, Submission
from gateway.store.sqlite import SqliteStore

ACCOUNT: Final = "shop"
SENDER: Final = "ACME"
LANE: Final = "main/bulk"
OTP: Final = "main/otp"
LIST: Final = 1_000
LEASED: Final = 20_000
FIRST: Final = 79_000_000_000
DAY: Final = 86_400_000_000

LEDGER: Final = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
INSERT INTO opt_outs (account, number, sender, category, at, source, position)
SELECT ?2, ?3 + i * 97, '*', '*', ?4, 'import', i FROM n
"""
"""In order of their numbers, which is the quickest way to fill a table."""


def now() -> int:
    return time.time_ns() // 1_000


class Rig:
    """One store and what is asked of it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "aldis.db"
        self.store = self._store()
        self.codes: list[float] = []

    def _store(self) -> SqliteStore:
        return SqliteStore(StoreSettings(path=str(self.path)), 1, Metrics(), now)

    async def open(self) -> float:
        """Seconds it takes."""
        begun = time.perf_counter()
        await self.store.open(lambda carrier, category: OnUnknown.FAIL, now())
        return time.perf_counter() - begun

    async def reopen(self) -> float:
        """As `open`; stopping is not counted."""
        await self.store.close()
        self.store = self._store()
        return await self.open()

    async def filled(self) -> float:
        """Seconds until the marks tell."""
        begun = time.perf_counter()
        thread = self.store._marking._thread
        assert thread is not None
        await asyncio.to_thread(thread.join)
        return time.perf_counter() - begun

    def content(self, category: str = "service") -> Content:
        (identifier,) = self.store.new_ids(1, now())
        return Content(identifier, ACCOUNT, SENDER, "hello", category)

    async def accept(self, numbers: list[int], lane: str = LANE) -> None:
        at = now()
        content = self.content()
        ids = self.store.new_ids(len(numbers), at)
        await self.store.accept([
            Submission(content, [
                NewMessage(ids[n], number, lane, Status.QUEUED, at, at + DAY, 1, 0)
                for n, number in enumerate(numbers)
            ])
        ])  # fmt: skip

    async def wait(self, numbers: list[int]) -> None:
        """Accept messages that stay."""
        for first in range(0, len(numbers), LIST):
            await self.accept(numbers[first : first + LIST])

    async def code(self) -> float:
        """Seconds from a one-time code's acceptance to its lease."""
        begun = time.perf_counter()
        await self.accept([FIRST], OTP)
        lease = await self.store.lease([Demand("op", [OTP], 10)], now())
        seconds = time.perf_counter() - begun
        assert len(lease.taken[0]) == 1
        await self.store.settle(
            [Settled(m, "op", Outcome.FAILED, now(), Status.FAILED) for m in lease.taken[0]]
        )
        return seconds

    @contextlib.asynccontextmanager
    async def codes_beside(self) -> AsyncIterator[list[float]]:
        """One-time codes all the while; their seconds."""
        seconds: list[float] = []
        over = asyncio.Event()

        async def codes() -> None:
            while not over.is_set():
                seconds.append(await self.code())
                await asyncio.sleep(0.02)

        task = asyncio.create_task(codes())
        try:
            yield seconds
        finally:
            over.set()
            await task

    async def lease_us(self) -> float:
        """Microseconds a message, leased in lists of a thousand."""
        leased = 0
        begun = time.perf_counter()
        while leased < LEASED:
            lease = await self.store.lease([Demand("op", [LANE], LIST)], now())
            leased += len(lease.taken[0])
            assert lease.taken[0]
        return (time.perf_counter() - begun) / leased * 1e6

    async def admission_us(self, numbers: list[int]) -> float:
        """Microseconds a number."""
        begun = time.perf_counter()
        for first in range(0, len(numbers), LIST):
            await self.store.opted_out(ACCOUNT, SENDER, "service", numbers[first : first + LIST])
        return (time.perf_counter() - begun) / len(numbers) * 1e6

    async def write(self, fn: Callable[[Any], object]) -> None:
        await self.store._writer.call("bench", fn)


def clean(count: int, seed: int) -> list[int]:
    """Numbers the ledger made by `LEDGER` does not have."""
    chance = random.Random(seed)
    return [FIRST + chance.randrange(10_000_000) * 97 + 1 for _ in range(count)]


async def _way(rig: Rig, figures: dict[str, Any], name: str) -> None:
    """What a message pays."""
    numbers = clean(LEASED, 1)
    figures[f"admission_us_{name}"] = round(
        min([await rig.admission_us(numbers) for _ in range(5)]), 3
    )
    leases = []
    for n in range(3):
        await rig.wait(clean(LEASED, n))
        leases.append(await rig.lease_us())
    figures[f"lease_us_{name}"] = round(min(leases), 2)


async def _import(rig: Rig, count: int, figures: dict[str, Any], name: str) -> None:
    numbers = clean(count, 3)
    async with rig.codes_beside() as codes:
        begun = time.perf_counter()
        for first in range(0, count, 50_000):
            await rig.store.import_opt_outs([
                OptOut(ACCOUNT, number, "*", "*", now(), "import")
                for number in numbers[first : first + 50_000]
            ])  # fmt: skip
        figures[f"import_{name}_s"] = round(time.perf_counter() - begun, 2)
    figures[f"import_{name}_code_ms"] = percentiles(codes)


async def _stops(rig: Rig, waiting: int, figures: dict[str, Any]) -> None:
    numbers = [FIRST + 50 + n * 97 for n in range(waiting)]
    await rig.wait(numbers)
    seconds = []
    async with rig.codes_beside():
        for number in numbers[:: waiting // 20]:
            begun = time.perf_counter()
            gone = await rig.store.opt_out([OptOut(ACCOUNT, number, SENDER, "*", now(), "mo")])
            seconds.append(time.perf_counter() - begun)
            assert gone == 1, gone
    figures["stop_ms"] = percentiles(seconds)


async def _sweep(rig: Rig, waiting: int, figures: dict[str, Any]) -> None:
    """An import that concerns all that waits."""
    stopped = waiting // (waiting // 20)
    async with rig.codes_beside() as codes:
        begun = time.perf_counter()
        entries = [
            OptOut(ACCOUNT, FIRST + 50 + n * 97, "*", "*", now(), "import") for n in range(waiting)
        ]
        for first in range(0, waiting, 20_000):
            await rig.store.import_opt_outs(entries[first : first + 20_000])
        recorded = time.perf_counter()
        lease = await rig.store.lease([Demand("op", [LANE], LIST)], now())
        assert not lease.taken[0]
        begun_sweep = time.perf_counter()
        gone = await rig.store.cancel_opted_out(ACCOUNT, now())
        swept = time.perf_counter()
    assert waiting - stopped - 40_000 < gone <= waiting, gone
    figures["sweep_recorded_s"] = round(recorded - begun, 2)
    figures["sweep_canceled"] = gone
    figures["sweep_canceled_s"] = round(swept - begun_sweep, 2)
    figures["sweep_code_ms"] = percentiles(codes)


async def _run(ledger: int, imported: int, waiting: int, directory: Path) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    rig = Rig(directory)
    await rig.open()
    await rig.filled()
    await _way(rig, figures, "with_none")
    await _import(rig, imported, figures, "into_none")
    await rig.store.close()
    rig.path.unlink()
    rig = Rig(directory)
    await rig.open()
    await rig.code()
    at = now()
    account = rig.store._names.known("account", ACCOUNT)
    await rig.write(lambda t: t.connection.execute(LEDGER, (ledger, account, FIRST, at)))
    figures["open_s"] = round(await rig.reopen(), 3)
    figures["filled_s"] = round(await rig.filled(), 2)
    figures["marks_mib"] = rig.store._memory.opt_outs.marks.octets / 2**20
    asked = clean(100_000, 9)
    suspects = rig.store._memory.opt_outs.marks.candidates(account or 0, asked)
    figures["suspected_for_nothing"] = round(len(suspects) / len(asked), 4)
    await _way(rig, figures, "with_ledger")
    await rig.reopen()
    await rig.filled()
    await _stops(rig, waiting, figures)
    await _sweep(rig, waiting, figures)
    await _import(rig, imported, figures, "into_ledger")
    figures["peak_rss_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    await rig.store.close()
    return figures


@click.command()
@click.option("--ledger", default=10_000_000, show_default=True)
@click.option("--imported", default=1_000_000, show_default=True)
@click.option("--waiting", default=200_000, show_default=True)
@click.option("--keep/--no-keep", default=True, help="Write a results file.")
def main(ledger: int, imported: int, waiting: int, keep: bool) -> None:
    """Measure refusals."""
    sys.setswitchinterval(0.0005)  # these two as the gateway sets them
    gc.set_threshold(*GC_THRESHOLD)
    with tempfile.TemporaryDirectory() as directory:
        figures = asyncio.run(_run(ledger, imported, waiting, Path(directory)))
    settings = {"ledger": ledger, "imported": imported, "waiting": waiting}
    report("optouts", settings, figures, RESULTS if keep else None)


if __name__ == "__main__":
    main()
