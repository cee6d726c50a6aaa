"""`smpp`: customers that submit over SMPP, an operator, and receipts back over the same binds."""

from typing import Any

import msgspec

from bench.load.site import Site, SiteSettings, free_port
from bench.load.smpp_site import all_bound, all_told, complete, smpp_toml
from bench.processes import Customers, loop_seconds


async def run(
    settings: SiteSettings,
    *,
    count: int,
    templated: bool,
    binds: int = 1,
    logins: int = 1,
    accounts: int = 1,
    window: int = 1_000,
) -> dict[str, Any]:
    """Send `count` messages over `binds` binds as fast as they are answered, and wait for the last
    receipt."""
    port = free_port()
    extra = smpp_toml(port, logins=logins, accounts=accounts, max_binds=-(-binds // logins))
    settings = msgspec.structs.replace(settings, extra=settings.extra + extra)
    async with Site(settings) as site:
        customers = Customers(
            port,
            f"--binds={binds}",
            f"--logins={logins}",
            f"--accounts={accounts}",
            f"--messages={count}",
            f"--window={window}",
            "--templated" if templated else "--fixed",
            log=site.directory / "esme.log",
        )
        async with customers:
            await site.bound()
            before = await all_bound(customers, binds)
            operator_cpu = (await site.smsc_stats())["cpu"]
            cpu, loop_cpu = site.cpu, loop_seconds(site.gateway.pid)
            await customers.tell("start")
            after = await all_told(customers, count)
            cpu = site.cpu - cpu
            loop_cpu = loop_seconds(site.gateway.pid) - loop_cpu
            operator_cpu = (await site.smsc_stats())["cpu"] - operator_cpu
            figures = await customers.figures()
            seconds = max(1e-9, after["last_at"] - after["first_at"])
            least, most = figures["least_served"], figures["most_served"]
            return {
                "messages_per_second": round(after["receipts_matched"] / seconds),
                "seconds": round(seconds, 2),
                "complete": complete(after, count),
                "response_ms": figures["response_ms"],
                "receipt_ms": figures["receipt_ms"],
                "gateway_cpu_us_per_message": round(cpu / count * 1e6, 2),
                "of_it_event_loop_us": round(loop_cpu / count * 1e6, 2),
                "gateway_peak_rss_mib": site.peak_rss >> 20,
                "store_mib": site.store_size >> 20,
                "refused": after["refused"],
                "receipts": after["stats"],
                "receipts_unknown": after["receipts_unknown"],
                "receipts_repeated": after["receipts_repeated"],
                "least_served": least,
                "most_served": most,
                "most_by_least": round(most / least, 3) if least else 0.0,
                "esme_cpu_us_per_message": round((after["cpu"] - before["cpu"]) / count * 1e6, 2),
                "smsc_cpu_us_per_message": round(operator_cpu / count * 1e6, 2),
            }
