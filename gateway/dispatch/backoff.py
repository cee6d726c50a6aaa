"""How long to wait before connecting again. Pure: failures and a random number in, seconds out."""

from __future__ import annotations


def reconnect_pause(
    failures: int, hosts: int, shortest: float, longest: float, jitter: float
) -> float:
    """Seconds to wait after the `failures`-th failure in a row (1 is the first).

    The pause doubles once every host has had its turn, up to `longest`; `jitter` (0..1) spreads
    it over its upper half, so that the binds a carrier's restart has cut do not come back in
    step (Jasmin #1079).
    """
    rounds = min(max(failures - 1, 0) // max(hosts, 1), 32)  # 2**32 s is long enough
    pause = min(longest, shortest * 2.0**rounds)
    return pause * (0.5 + 0.5 * jitter)


def retry_pause(attempts: int, delay: float, jitter: float) -> float:
    """Seconds before a message that `attempts` submissions could not place is tried again.

    Doubles from `delay` (attempts = 1); `jitter` (0..1) adds up to a quarter, so that a batch
    refused in one second does not return in one second.
    """
    return delay * 2.0 ** min(attempts - 1, 20) * (1.0 + 0.25 * jitter)
