"""`backlog`: a million messages wait for a carrier that is down. What does waiting cost, how soon
does a gateway with that much on disk serve again, and how fast does it drain?"""

import time
from typing import Any

from bench.load import messages
from bench.load.batch import post_batches
from bench.load.report import percentiles
from bench.load.site import Site, SiteSettings


async def run(
    settings: SiteSettings, *, count: int, connections: int, text: str, drain: float
) -> dict[str, Any]:
    """Queue `count` messages, kill and restart the gateway, let the carrier come up, watch it
    drain for `drain` seconds."""
    async with Site(settings) as site:
        idle = site.rss
        cpu = site.cpu
        started = time.monotonic()
        took, _ = await post_batches(site, connections, messages.chunks(count, 1_000), text)
        queued_in = time.monotonic() - started
        cpu = site.cpu - cpu
        queued = site.rss
        store = site.store_size
        await site.kill_gateway()
        serving_in = await site.start_gateway()
        restarted = site.rss
        await site.smsc.start()
        up = time.monotonic()
        await site.bound()
        bound_in = time.monotonic() - up
        await site.all_ended(1)
        before = await site.sink_stats()
        cpu_drain = site.cpu
        await site.all_ended(count, limit=drain)
        after = await site.sink_stats()
        cpu_drain = site.cpu - cpu_drain
        drained = after["finals"] - before["finals"]
        return {
            "queued": count,
            "accepted_per_second": round(count / queued_in),
            "accept_ms": percentiles(took),
            "cpu_us_per_message_to_accept": round(cpu / count * 1e6, 2),
            "rss_idle_mib": idle >> 20,
            "rss_queued_mib": queued >> 20,
            "rss_octets_per_message": round((queued - idle) / count, 1),
            "store_octets_per_message": round(store / count, 1),
            "restart_to_serving_seconds": round(serving_in, 2),
            "rss_after_restart_mib": restarted >> 20,
            "carrier_up_to_bound_seconds": round(bound_in, 2),
            "ended": after["finals"],
            "drained": drained,
            "drained_per_second": round(drained / max(1e-9, after["last_at"] - before["last_at"])),
            "cpu_us_per_message_to_drain": round(cpu_drain / max(1, drained) * 1e6, 2),
            "gateway_peak_rss_mib": site.peak_rss >> 20,
        }
