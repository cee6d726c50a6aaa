"""`single`: one message per POST over many kept connections, each durable before its 202."""

import asyncio
import time
from itertools import count
from typing import Any

from bench.load import messages
from bench.load.client import Caller
from bench.load.report import percentiles
from bench.load.site import Site, SiteSettings


async def run(
    settings: SiteSettings, *, seconds: float, connections: int, text: str
) -> dict[str, Any]:
    """Post for `seconds`, then wait for the last webhook."""
    took: list[float] = []
    begun: dict[str, float] = {}
    numbers = count()
    async with Site(settings) as site:
        await site.bound()
        cpu = site.cpu
        started = time.monotonic()
        deadline = started + seconds

        async def post(caller: Caller) -> None:
            while (now := time.monotonic()) < deadline:
                index = next(numbers)
                begun[messages.number(index)[1:]] = now
                status, answer = await caller.post("/v1/messages", messages.single(index, text))
                took.append(time.monotonic() - now)
                if status != 202:
                    raise RuntimeError(f"HTTP {status}: {answer[:500]!r}")

        opened = await site.callers(connections)
        await asyncio.gather(*map(post, opened))
        accepted_in = time.monotonic() - started
        for caller in opened:
            caller.close()
        complete = await site.all_ended(len(took))
        cpu = site.cpu - cpu
        sink = await site.sink_stats()
        submitted = await site.submitted()
        return {
            "accepted_per_second": round(len(took) / accepted_in),
            "delivered_per_second": round(sink["finals"] / (sink["last_at"] - started)),
            "messages": len(took),
            "complete": complete,
            "accept_ms": percentiles(took),
            "post_to_submit_ms": percentiles(
                [first - begun[to] for to, (_, first) in submitted.items()]
            ),
            "gateway_cpu_us_per_message": round(cpu / len(took) * 1e6, 2),
            "gateway_peak_rss_mib": site.peak_rss >> 20,
            "signatures_bad": sink["signatures_bad"],
            "contradicted": sink["contradicted"],
            "statuses": sink["statuses"],
        }
