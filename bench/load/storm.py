"""`storm`: a thousand connections a second that come to nothing. Does a customer that sends at a
steady rate notice?"""

import asyncio
import time
from typing import Any

import msgspec

from bench.load.site import Site, SiteSettings, free_port
from bench.load.smpp_site import all_bound, all_told, complete, smpp_toml
from bench.processes import Customers


async def run(
    settings: SiteSettings, *, visits: float, rate: float, seconds: float
) -> dict[str, Any]:
    """`visits` connections a second for `seconds` beside `rate` messages a second of one bind."""
    port = free_port()
    extra = smpp_toml(port, logins=2, accounts=2, max_binds=1_000)
    settings = msgspec.structs.replace(settings, extra=settings.extra + extra)
    count = int(rate * seconds)
    async with Site(settings) as site:
        log = site.directory / "esme.log"
        sender = Customers(port, f"--messages={count}", f"--rate={rate}", log=log)
        visitors = Customers(
            port, "--binds=0", "--login=1", f"--visits={visits}", f"--seconds={seconds}", log=log
        )
        async with sender, visitors:
            await site.bound()
            await all_bound(sender, 1)
            rss, cpu = site.rss, site.cpu
            await visitors.tell("visit")
            await sender.tell("start")
            after = await all_told(sender, count)
            seen = await _all_gone(visitors, int(visits * seconds))
            figures = await sender.figures()
            return {
                "visits": seen["visits"],
                "visits_per_second": round(seen["visits"] / max(1e-9, seen["visits_took"])),
                "visits_failed": seen["visits_failed"],
                "visits_ended": seen["visits_ended"],
                "visits_bound": seen["visits_bound"],
                "visits_refused": seen["visits_refused"],
                "bind_ms": (await visitors.figures())["bind_ms"],
                "thrown_out": seen["visits_thrown_out"],
                "messages": count,
                "complete": complete(after, count),
                "response_ms": figures["response_ms"],
                "receipt_ms": figures["receipt_ms"],
                "gateway_cpu_seconds_per_second": round((site.cpu - cpu) / seconds, 3),
                "rss_before_mib": rss >> 20,
                "rss_after_mib": site.rss >> 20,
                "connections_left": await site.metric("aldis_smpp_connections") - 1,
            }


async def _all_gone(visitors: Customers, count: int, limit: float = 20.0) -> dict[str, Any]:
    """Their counts once all have come and gone."""
    begun = time.monotonic()
    while True:
        stats = await visitors.stats()
        gone = stats["visits_ended"] + stats["visits_failed"] >= count
        if gone or time.monotonic() - begun > limit:
            return stats
        await asyncio.sleep(0.1)
