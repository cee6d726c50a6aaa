"""Every PDU of a run, in the order of the wire.

In: octets as they were written and read, however they were cut. Out: whole PDUs with time and
direction, for dumps and for what can only be seen from outside a session (it answers the peer's
enquire_link by itself). Knows no meaning beyond the header.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from protocol.constants import HEADER_LENGTH, MAX_PDU

MOST_KEPT: Final = 5_000
"""PDUs kept: ten times what a run sends by default, with answers and receipts. What a peer sends
beyond is counted; a run is a diagnostic, no capture."""


class Seen(NamedTuple):
    """One PDU, or the octets that were none."""

    at: float
    """Seconds of the loop's clock."""
    ours: bool
    connection: int
    octets: bytes

    @property
    def command_id(self) -> int:
        """The command, -1 where there is no whole header."""
        if len(self.octets) < HEADER_LENGTH:
            return -1
        return int.from_bytes(self.octets[4:8], "big")


class Trace:
    """What all connections of one run carried."""

    def __init__(self) -> None:
        self.pdus: list[Seen] = []
        self.not_kept = 0

    def note(self, seen: Seen) -> None:
        """Keep one PDU, within the limit."""
        if len(self.pdus) < MOST_KEPT:
            self.pdus.append(seen)
        else:
            self.not_kept += 1

    def received(self, command_id: int) -> list[Seen]:
        """The peer's PDUs of one command."""
        return [seen for seen in self.pdus if not seen.ours and seen.command_id == command_id]


class Stream:
    """One direction of one connection, cut into PDUs."""

    def __init__(self, trace: Trace, connection: int, ours: bool) -> None:
        self._trace = trace
        self._connection = connection
        self._ours = ours
        self._tail = b""

    def feed(self, octets: bytes, at: float) -> None:
        """Take one read or write."""
        data = self._tail + octets
        while len(data) >= 4:
            length = int.from_bytes(data[:4], "big")
            if not HEADER_LENGTH <= length <= MAX_PDU:
                length = len(data)  # no SMPP: what there is, as it is
            elif length > len(data):
                break
            self._trace.note(Seen(at, self._ours, self._connection, data[:length]))
            data = data[length:]
        self._tail = data

    def end(self, at: float) -> None:
        """The connection is over: what was no whole PDU is kept as it is."""
        if self._tail:
            self._trace.note(Seen(at, self._ours, self._connection, self._tail))
            self._tail = b""
