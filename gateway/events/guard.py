"""Keeps webhooks out of private networks.

In: addresses that names resolved to, or that stand in URLs. Out: those that may be connected to.
Knows the special-purpose registries and aiohttp's two hooks; no endpoint.

A customer chooses the URL and we connect from inside the operator's network, so a URL is a way in:
to a database, to the cloud's metadata service. The name is resolved here, the answer is checked,
and the connection goes to the address that was checked; there is no second look-up for a name
server to answer differently (DNS rebinding). The socket is checked once more where it is made,
which also covers addresses written into the URL, for those are never resolved.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from aiohttp.abc import AbstractResolver, ResolveResult

FORBIDDEN_V4: Final = tuple(
    (IPv4Network(network), why)
    for network, why in (
        # IANA IPv4 Special-Purpose Address Registry (RFC 6890 and what followed)
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared address space"),  # Alibaba's metadata service lives here
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),  # most clouds' metadata services
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol assignments"),  # Oracle's metadata service
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4 relays"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarks"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        # A public address that every Azure machine reaches its host by.
        ("168.63.129.16/32", "a cloud's metadata"),
    )
)

GLOBAL_V6: Final = IPv6Network("2000::/3")
"""All IANA has given out for global unicast; whatever lies outside is local or unknown."""

FORBIDDEN_V6: Final = tuple(
    (IPv6Network(network), why)
    for network, why in (
        # IANA IPv6 Special-Purpose Address Registry, as far as it lies in 2000::/3
        ("2001::/23", "protocol assignments"),  # Teredo among them: an IPv4 address in disguise
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
    )
)

NAT64: Final = IPv6Network("64:ff9b::/96")
"""RFC 6052: an IPv4 address behind a translator, and judged as that."""

RESOLVING_THREADS: Final = 32
"""getaddrinfo blocks a thread for up to 20 s when a customer's name servers are dead. The loop's
own pool has a handful, which such customers would fill for everyone else."""


class ForbiddenAddress(OSError):
    """The target is on a network webhooks may not reach."""

    def __init__(self, why: str) -> None:
        super().__init__(errno.EACCES, f"webhooks may not reach this network ({why})")


def forbidden(address: str) -> str | None:
    """Why webhooks may not go to an address; None if they may."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "not an address"
    if isinstance(parsed, IPv6Address):
        return _forbidden_v6(parsed)
    return _forbidden_v4(parsed)


def _forbidden_v4(address: IPv4Address) -> str | None:
    return next((why for network, why in FORBIDDEN_V4 if address in network), None)


def _forbidden_v6(address: IPv6Address) -> str | None:
    if address.ipv4_mapped is not None:
        return _forbidden_v4(address.ipv4_mapped)
    if address in NAT64:
        return _forbidden_v4(IPv4Address(int(address) & 0xFFFFFFFF))
    if address not in GLOBAL_V6:
        return "not global unicast"
    return next((why for network, why in FORBIDDEN_V6 if address in network), None)


class GuardedResolver(AbstractResolver):
    """Names to addresses that may be connected to."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._threads = ThreadPoolExecutor(RESOLVING_THREADS, "aldis-webhook-names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of `host`, less the forbidden ones.

        Raises ForbiddenAddress when none is left, OSError when there are none.
        """
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _look_up, host, port, family)
        allowed: list[ResolveResult] = []
        refused: str | None = None
        for family_, _, proto, _, address in found:
            numeric = str(address[0])
            why = None if self._allow_private else forbidden(numeric)
            if why is not None:
                refused = why
                continue
            allowed.append(
                ResolveResult(
                    hostname=host,
                    host=numeric,
                    port=port,
                    family=family_,
                    proto=proto,
                    flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                )
            )
        if refused is not None and not allowed:
            raise ForbiddenAddress(refused)
        return allowed

    async def close(self) -> None:
        """Let go of the threads; a look-up under way ends on its own."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int, family: int) -> list[tuple[Any, ...]]:
    return socket.getaddrinfo(
        host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
    )


def guarded_socket(address_info: tuple[Any, ...]) -> socket.socket:
    """A socket for the address that is about to be connected to, if it may be.

    Raises ForbiddenAddress. `address_info` is as getaddrinfo gives it.
    """
    family, kind, proto, _, address = address_info
    why = forbidden(str(address[0]))
    if why is not None:
        raise ForbiddenAddress(why)
    return socket.socket(family, kind, proto)
