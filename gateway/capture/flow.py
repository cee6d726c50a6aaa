"""One link as a capture sees it: two streams of octets with positions, cut into whole PDUs.

In: reads and writes with their place in the stream. Out: records of a pcap, redacted. Nothing is
let through before its PDU is whole: half a number is a number. Knows no socket and no limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.capture.pcap import Address, Ends
from gateway.capture.redact import redact
from protocol.constants import HEADER_LENGTH, MAX_PDU

_FIRST: Final = 1
"""sequence number of a stream's first octet, as after a SYN numbered 0."""


class _Stream:
    """One direction. `next` is the position behind what has come out."""

    __slots__ = ("_full", "_lost", "_tail", "next")

    def __init__(self, full: bool) -> None:
        self._full = full
        self._tail = b""
        self._lost = False
        self.next = 0

    def whole(self, position: int, data: bytes) -> bytes:
        """The PDUs that are whole with `data`, which stands at `position` of the stream."""
        if position != self.next + len(self._tail):  # something was dropped before it
            self._tail = b""
            self.next = position
        data = self._tail + data
        out: list[bytes] = []
        at = 0
        while not self._lost and len(data) - at >= HEADER_LENGTH:
            length = int.from_bytes(data[at : at + 4], "big")
            if not HEADER_LENGTH <= length <= MAX_PDU:
                self._lost = True
            elif length > len(data) - at:
                break
            else:
                out.append(redact(data[at : at + length], self._full))
                at += length
        if self._lost:  # no SMPP, so nobody knows what it is
            out.append(data[at:] if self._full else bytes(len(data) - at))
            at = len(data)
        self._tail = data[at:]
        return b"".join(out)


class Flow:
    """A link's two streams and its ends."""

    __slots__ = ("_ends", "_streams", "broken", "seen")

    def __init__(self, ours: Address, theirs: Address, full: bool) -> None:
        self._ends = Ends(ours, theirs)
        self._streams = (_Stream(full), _Stream(full))
        self.seen = [0, 0]
        """Octets that have passed since the flow is watched: read, written."""
        self.broken = [True, False]
        """Whether the next octets follow on nothing kept: read, written. A read may begin within
        a PDU, a write never does."""

    def records(self, sent: bool, position: int, data: bytes, at: int) -> Iterator[bytes]:
        """The records that one read or write has made whole."""
        stream = self._streams[sent]
        other = self._streams[not sent]
        octets = stream.whole(position, data)
        sequence = stream.next
        stream.next += len(octets)
        if octets:
            yield from self._ends.segments(sent, _FIRST + sequence, _FIRST + other.next, octets, at)
