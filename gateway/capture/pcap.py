"""Octets of a session as a capture file: classic pcap, raw IP packets, TCP segments made up to
carry what was read and written.

In: addresses, positions in the two streams, octets, a moment. Out: octets of the file. The headers
are as the peer's kernel would accept them (checksums, sequence numbers), so that a dissector puts
the streams together as it does real ones. Knows no SMPP.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from struct import Struct
from typing import Final

LINKTYPE_RAW: Final = 101
"""Packets begin with their IP header (tcpdump.org, link-layer header types)."""
SNAPLEN: Final = 65_535
MOST_IN_SEGMENT: Final = SNAPLEN - 40 - 20
"""Octets of one segment: an IPv4 packet's length has 16 bits, and an IPv6 header 40 octets."""

FILE_HEADER: Final = Struct("<IHHiIII").pack(0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, LINKTYPE_RAW)
_RECORD: Final = Struct("<IIII")
_IPV4: Final = Struct("!BBHHHBBH4s4s")
_IPV6: Final = Struct("!IHBB16s16s")
_TCP: Final = Struct("!HHIIBBHHH")
_PSEUDO_IPV4: Final = Struct("!4s4sBBH")
_PSEUDO_IPV6: Final = Struct("!16s16sII")
_PROTOCOL_TCP: Final = 6
_HOPS: Final = 64
_DO_NOT_FRAGMENT: Final = 0x4000
_PUSH_ACK: Final = 0x18
_DATA_OFFSET: Final = 5 << 4
_WINDOW: Final = 65_535

Address = tuple[str, int]
_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


class Ends:
    """The two ends of one connection, ready to write headers for either direction."""

    __slots__ = ("_addresses", "_identification", "_ports", "_six")

    def __init__(self, ours: Address, theirs: Address) -> None:
        addresses = [_ip(ours[0]), _ip(theirs[0])]
        self._six = any(isinstance(address, ipaddress.IPv6Address) for address in addresses)
        # Never both on one real connection; an end that does not tell its address has the other's.
        if self._six:
            addresses = [
                address if address.version == 6 else ipaddress.IPv6Address(0)
                for address in addresses
            ]
        self._addresses = [address.packed for address in addresses]
        self._ports = [ours[1], theirs[1]]
        self._identification = 0

    def segments(
        self, sent: bool, sequence: int, ack: int, data: bytes, at: int
    ) -> Iterator[bytes]:
        """The records of one read or write; `at` is UTC in µs."""
        for start in range(0, len(data), MOST_IN_SEGMENT):
            piece = data[start : start + MOST_IN_SEGMENT]
            packet = self._packet(sent, sequence + start, ack, piece)
            seconds, micros = divmod(at, 1_000_000)
            yield _RECORD.pack(seconds, micros, len(packet), len(packet)) + packet

    def _packet(self, sent: bool, sequence: int, ack: int, data: bytes) -> bytes:
        source, target = (0, 1) if sent else (1, 0)
        ports = self._ports[source], self._ports[target]
        numbers = sequence & 0xFFFFFFFF, ack & 0xFFFFFFFF
        addresses = self._addresses[source], self._addresses[target]
        length = _TCP.size + len(data)
        if self._six:
            pseudo = _PSEUDO_IPV6.pack(*addresses, length, _PROTOCOL_TCP)
            ip = _IPV6.pack(6 << 28, length, _PROTOCOL_TCP, _HOPS, *addresses)
        else:
            pseudo = _PSEUDO_IPV4.pack(*addresses, 0, _PROTOCOL_TCP, length)
            ip = self._ipv4(length, *addresses)
        fixed = (*ports, *numbers, _DATA_OFFSET, _PUSH_ACK, _WINDOW)
        total = _checksum(pseudo + _TCP.pack(*fixed, 0, 0) + data)
        return ip + _TCP.pack(*fixed, total, 0) + data

    def _ipv4(self, length: int, source: bytes, target: bytes) -> bytes:
        self._identification = (self._identification + 1) & 0xFFFF
        fixed = (0x45, 0, _IPV4.size + length, self._identification, _DO_NOT_FRAGMENT, _HOPS)
        total = _checksum(_IPV4.pack(*fixed, _PROTOCOL_TCP, 0, source, target))
        return _IPV4.pack(*fixed, _PROTOCOL_TCP, total, source, target)


def _checksum(data: bytes) -> int:
    """RFC 1071. 2^16 is 1 modulo 65,535, so the remainder of the octets read as one number is the
    ones' complement sum: a hundredth of the time of adding words."""
    if len(data) % 2:
        data += b"\0"
    return 0xFFFF - int.from_bytes(data, "big") % 0xFFFF


def _ip(host: str) -> _Ip:
    """An address as the socket tells it; one it does not tell is 0.0.0.0."""
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ipaddress.IPv4Address(0)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
