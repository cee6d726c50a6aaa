"""`otp`: one-time codes while a campaign saturates the same carrier. How long do the codes wait?"""

import asyncio
import time
from typing import Any, Final

from bench.load import messages
from bench.load.batch import post_batches
from bench.load.report import percentiles
from bench.load.site import Site, SiteSettings

_RECIPIENTS: Final = 1_000
_FIRST_CODE: Final = 30_000_000  # numbers no campaign here reaches


async def run(
    settings: SiteSettings, *, bulk: int, codes: int, per_second: float, text: str
) -> dict[str, Any]:
    """Queue `bulk` adverts, then post `codes` codes one by one while they trickle out."""
    async with Site(settings) as site:
        await site.bound()
        started = time.monotonic()
        took, _ = await post_batches(
            site, 2, messages.chunks(bulk, _RECIPIENTS), text, category="advertising"
        )
        queued_in = time.monotonic() - started
        before = await site.smsc_stats()
        (caller,) = await site.callers(1)
        accept: list[float] = []
        begun: dict[str, float] = {}
        first = time.monotonic()
        for index in range(codes):
            await asyncio.sleep(max(0.0, first + index / per_second - time.monotonic()))
            number = _FIRST_CODE + index
            body = messages.single(
                number, "Your code is 482913", category="transactional", priority="high"
            )
            begun[messages.number(number)[1:]] = now = time.monotonic()
            status, answer = await caller.post("/v1/messages", body)
            accept.append(time.monotonic() - now)
            if status != 202:
                raise RuntimeError(f"HTTP {status}: {answer[:500]!r}")
        caller.close()
        await asyncio.sleep(1.0)
        after = await site.smsc_stats()
        submitted = await site.submitted()
        delays = [submitted[to][1] - at for to, at in begun.items() if to in submitted]
        span = after["monotonic"] - before["monotonic"]
        return {
            "bulk_accepted_per_second": round(bulk / queued_in),
            "bulk_left_at_the_end": bulk - (after["submits"] - len(delays)),
            "carrier_pdus_per_second": round((after["submits"] - before["submits"]) / span),
            "codes": codes,
            "codes_submitted": len(delays),
            "accept_ms": percentiles(accept),
            "post_to_submit_ms": percentiles(delays),
            "throttled": after["throttled"],
            "bulk_accept_ms": percentiles(took),
            "gateway_peak_rss_mib": site.peak_rss >> 20,
        }
