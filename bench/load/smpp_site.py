"""What the SMPP scenarios share: a gateway with an SMPP port, and waiting for customers.

In: how many logins and accounts. Out: TOML for `SiteSettings.extra`; what customers of a process
have to say once they were bound, or once they heard of everything.
"""

import asyncio
import time
from typing import Any, Final

from bench.esme.customer import PASSWORD
from bench.processes import Customers

_POLL: Final = 0.1


def smpp_toml(
    port: int,
    *,
    logins: int = 1,
    accounts: int = 1,
    max_binds: int = 10,
    enquire_interval: str = "60s",
) -> str:
    """An SMPP port and the logins `bench.esme` binds with. Limits that slow customers down are
    off; the windows are those of the customers."""
    lines = [
        f"""
[[smpp]]
port = {port}
enquire_interval = "{enquire_interval}"
"""
    ]
    for account in range(accounts):
        lines.append(f"""
[[account]]
name = "customer{account}"
""")
        lines += [
            f"""
[[account.smpp]]
system_id = "esme{login}"
password = "{PASSWORD}"
max_binds = {max_binds}
window = 1000
deliver_window = 1000
rate = 1000000.0
"""
            for login in range(account, logins, accounts)
        ]
    return "".join(lines)


async def all_bound(customers: Customers, binds: int, limit: float = 120.0) -> dict[str, Any]:
    """Have them bind; their counts once all are bound."""
    await customers.tell("bind")
    async with asyncio.timeout(limit):
        while True:
            stats = await customers.stats()
            if stats["bound"] >= binds:
                return stats
            if stats["binds_refused"] or stats["connections_lost"]:
                raise RuntimeError(f"not all can bind: {stats}")
            await asyncio.sleep(_POLL)


async def all_told(
    customers: Customers, count: int, *, stall: float = 20.0, limit: float = 600.0
) -> dict[str, Any]:
    """Their counts once `count` submits were answered and as many receipts have come, or once
    nothing has moved for `stall` seconds."""
    begun = moved = time.monotonic()
    best = -1
    while True:
        stats = await customers.stats()
        now = time.monotonic()
        done = stats["answered"] + stats["receipts"]
        if done >= 2 * count or now - moved > stall or now - begun > limit:
            return stats
        if done > best:
            best, moved = done, now
        await asyncio.sleep(_POLL)


def complete(stats: dict[str, Any], count: int) -> bool:
    """Whether every submit got one positive response and every id one receipt of a delivery."""
    return (
        stats["sent"] == stats["answered"] == stats["receipts_matched"] == count
        and stats["stats"] == ({"DELIVRD": count} if count else {})
        and not any(
            stats[name]
            for name in (
                "refused",
                "unexpected",
                "receipts_repeated",
                "receipts_unknown",
                "malformed",
                "same_ids",
                "connections_lost",
            )
        )
    )
