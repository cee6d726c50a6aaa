"""`batch`: the main figure. A campaign in batches, everything on: durable store, all checks,
receipts, signed webhooks."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from bench.load import messages
from bench.load.client import Caller
from bench.load.report import percentiles
from bench.load.site import Site, SiteSettings
from bench.processes import loop_seconds


async def post_batches(
    site: Site, connections: int, todo: Sequence[tuple[int, int]], text: str, **options: str
) -> tuple[list[float], dict[int, float]]:
    """Post batches over several connections; seconds each POST took, and when the batch that
    begins with number `first` was begun (time.monotonic()).

    Every answer must be a 202 that accepted every recipient.
    """
    took: list[float] = []
    begun: dict[int, float] = {}
    rest = iter(todo)

    async def post(caller: Caller) -> None:
        for first, count in rest:
            body = messages.batch(first, count, text, **options)
            begun[first] = started = time.monotonic()
            status, answer = await caller.post("/v1/batches", body)
            took.append(time.monotonic() - started)
            if status != 202 or b'"ineligible":0' not in answer:
                raise RuntimeError(f"HTTP {status}: {answer[:500]!r}")

    opened = await site.callers(connections)
    try:
        await asyncio.gather(*map(post, opened))
    finally:
        for caller in opened:
            caller.close()
    return took, begun


def submit_delays(
    submitted: dict[str, tuple[int, float]],
    begun: dict[int, float],
    batches: Sequence[tuple[int, int]],
) -> list[float]:
    """Seconds from a POST's first octet to the submit_sm, of the destinations that were timed."""
    delays = []
    for first, count in batches:
        for index in range(first, first + count):
            seen = submitted.get(messages.number(index)[1:])
            if seen is not None:
                delays.append(seen[1] - begun[first])
    return delays


async def run(
    settings: SiteSettings,
    *,
    count: int,
    recipients: int,
    connections: int,
    text: str,
    **options: str,
) -> dict[str, Any]:
    """Send `count` messages as fast as they are accepted, and wait for the last webhook."""
    todo = messages.chunks(count, recipients)
    async with Site(settings) as site:
        await site.bound()
        ready_in = await site.settled()
        others = (await site.smsc_stats())["cpu"], (await site.sink_stats())["cpu"]
        cpu, loop_cpu = site.cpu, loop_seconds(site.gateway.pid)
        started = time.monotonic()
        took, begun = await post_batches(site, connections, todo, text, **options)
        accepted_in = time.monotonic() - started
        complete = await site.all_ended(count)
        cpu = site.cpu - cpu
        loop_cpu = loop_seconds(site.gateway.pid) - loop_cpu
        sink = await site.sink_stats()
        smsc = await site.smsc_stats()
        delays = submit_delays(await site.submitted(), begun, todo)
        delivered_in = sink["last_at"] - started
        return {
            "accepted_per_second": round(count / accepted_in),
            "delivered_per_second": round(sink["finals"] / delivered_in),
            "seconds": round(delivered_in, 2),
            "ledgers_read_in_seconds": round(ready_in, 2),
            "complete": complete,
            "accept_ms": percentiles(took),
            "post_to_submit_ms": percentiles(delays),
            "gateway_cpu_us_per_message": round(cpu / count * 1e6, 2),
            "of_it_event_loop_us": round(loop_cpu / count * 1e6, 2),
            "gateway_peak_rss_mib": site.peak_rss >> 20,
            "store_mib": site.store_size >> 20,
            "submits": smsc["submits"],
            "receipts_acknowledged": smsc["delivers_acknowledged"],
            "window_peak": smsc["window_peak"],
            "webhook_posts": sink["posts"],
            "webhook_events": sink["events"],
            "signatures_checked": sink["signatures_checked"],
            "signatures_bad": sink["signatures_bad"],
            "statuses": sink["statuses"],
            "contradicted": sink["contradicted"],
            "smsc_cpu_us_per_message": round((smsc["cpu"] - others[0]) / count * 1e6, 2),
            "sink_cpu_us_per_message": round((sink["cpu"] - others[1]) / count * 1e6, 2),
        }
