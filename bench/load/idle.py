"""`idle`: ten thousand customers that are bound and say nothing but enquire_link. What does each
cost, and does one who sends notice the others?"""

import asyncio
import time
from typing import Any, Final

import msgspec

from bench.load.site import Site, SiteSettings, free_port
from bench.load.smpp_site import all_bound, all_told, complete, smpp_toml
from bench.processes import Customers

ASK_EVERY: Final = 10.0
"""Seconds between a customer's enquire_links."""
ASKED_AFTER: Final = "4s"
"""Silence after which the gateway asks: sooner than the customers do, so both sides ask."""


async def run(settings: SiteSettings, *, binds: int, rate: float, seconds: float) -> dict[str, Any]:
    """Bind `binds` customers, then have one more send `rate` messages a second for `seconds`."""
    port = free_port()
    extra = smpp_toml(port, logins=2, accounts=2, max_binds=binds, enquire_interval=ASKED_AFTER)
    settings = msgspec.structs.replace(settings, extra=settings.extra + extra)
    count = int(rate * seconds)
    async with Site(settings) as site:
        log = site.directory / "esme.log"
        idle = Customers(port, f"--binds={binds}", f"--enquire={ASK_EVERY}", log=log)
        # The one who sends is of another account: its login is the second.
        sender = Customers(
            port,
            "--login=1",
            f"--messages={count}",
            f"--rate={rate}",
            log=log,
        )
        async with idle, sender:
            await site.bound()
            await all_bound(sender, 1)
            rss, cpu = site.rss, site.cpu
            bound = await all_bound(idle, binds)
            rss_bound, cpu_bound = site.rss, site.cpu
            await sender.tell("start")
            after = await all_told(sender, count)
            figures = await sender.figures()
            cpu_after = site.cpu
            rss_after = site.rss
            await idle.tell("quiet")
            quiet = await _all_answered(idle, binds)
            return {
                "bound": quiet["bound"],
                "bound_in_seconds": round(bound["bound_in"], 2),
                "connections_lost": quiet["connections_lost"],
                "cpu_us_per_bind": round((cpu_bound - cpu) / binds * 1e6, 1),
                "rss_before_mib": rss >> 20,
                "rss_bound_mib": rss_bound >> 20,
                "octets_per_bind": round((rss_bound - rss) / binds),
                "rss_after_mib": rss_after >> 20,
                "enquiries": quiet["enquiries"],
                "enquiries_answered": quiet["enquiries_answered"],
                "asked_by_gateway": quiet["asked_by_gateway"],
                "messages": count,
                "complete": complete(after, count),
                "response_ms": figures["response_ms"],
                "receipt_ms": figures["receipt_ms"],
                "cpu_seconds_per_second": round((cpu_after - cpu_bound) / seconds, 3),
                "gateway_peak_rss_mib": site.peak_rss >> 20,
            }


async def _all_answered(idle: Customers, binds: int, limit: float = 10.0) -> dict[str, Any]:
    """Their counts once every enquire_link of theirs is answered and the gateway has asked as often
    as there are binds, or when `limit` seconds are over."""
    begun = time.monotonic()
    while True:
        stats = await idle.stats()
        answered = stats["enquiries_answered"] == stats["enquiries"]
        if (answered and stats["asked_by_gateway"] >= binds) or time.monotonic() - begun > limit:
            return stats
        await asyncio.sleep(0.1)
