"""Failed binds make their source wait.

In: where a bind came from and as whom, whether it failed, the moment. Out: how long the next one
has to wait before it is even looked at. Pure; knows no socket.

A source is a host (of IPv6 the /64 a customer is given) and the system_id it tries, so that one
program with an old password does not slow its neighbours behind the same address; all system_ids
that do not exist are one. What a source tries in parallel waits as well, so guessing over many
connections is no faster.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from typing import Final

FIRST: Final = 0.25
"""Seconds after a first failure: nobody notices it after a typing error."""
LONGEST: Final = 16.0
"""Below what clients wait for a bind_resp (30 s is usual)."""
FORGIVEN: Final = 300.0
"""Seconds without a failure after which a source begins anew."""
Source = tuple[str, str]
_KEPT: Final = 20_000
"""Sources remembered, the longest quiet forgotten first; about 3 MB."""


class Slowing:
    """What sources have failed at lately."""

    __slots__ = ("_failures",)

    def __init__(self) -> None:
        self._failures: OrderedDict[Source, tuple[int, float, float]] = OrderedDict()
        """source -> (failures, the last one's moment, until when its attempts queue)"""

    def wait(self, source: Source, now: float) -> float:
        """Seconds this attempt has to wait; each attempt of a failing source takes its turn."""
        known = self._failures.get(source)
        if known is None:
            return 0.0
        failures, last, until = known
        if now - last > FORGIVEN:
            del self._failures[source]
            return 0.0
        turn = max(now, until)
        step = min(LONGEST, FIRST * 2.0 ** min(failures - 1, 10))
        self._failures[source] = (failures, last, min(turn + step, now + 4 * LONGEST))
        return turn + step - now

    def failures(self, source: Source) -> int:
        """How often this source has failed lately."""
        known = self._failures.get(source)
        return 0 if known is None else known[0]

    def failed(self, source: Source, now: float) -> None:
        """An attempt of this source failed."""
        failures, _, until = self._failures.pop(source, (0, now, now))
        self._failures[source] = (failures + 1, now, until)
        if len(self._failures) > _KEPT:
            self._failures.popitem(last=False)

    def passed(self, source: Source) -> None:
        """An attempt of this source was right: it is a customer with a typing error behind it."""
        self._failures.pop(source, None)


def source_of(host: str, system_id: str) -> Source:
    """What is slowed together; `system_id` is "" for one that does not exist."""
    return network_of(host), system_id


def network_of(host: str) -> str:
    """The host, or of IPv6 the /64 one customer is given."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return host
