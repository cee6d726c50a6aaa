"""One bind of a customer: submits out as far as the window allows, receipts in.

In: reads. Out: writes, and what was heard to the account's ledger. Packs by hand.
"""

from __future__ import annotations

import asyncio
import time
from itertools import repeat
from struct import Struct
from typing import TYPE_CHECKING, Final, cast

from bench.esme.ledger import Ledger
from protocol import constants as c
from protocol.pdu import BindTransceiver, encode

if TYPE_CHECKING:
    from bench.esme.crowd import Crowd

_HEADER: Final = Struct(">IIII")
_DELIVER_SM_RESP: Final = Struct(">IIIIB")
PASSWORD: Final = "secret"


class Customer(asyncio.Protocol):
    """A transceiver.

    answered  responses to submits, whatever they say
    up        whether it is bound
    """

    __slots__ = (
        "_crowd", "_ledger", "_next", "_sent_at", "_system_id", "_tail", "_transport", "answered",
        "up",
    )  # fmt: skip

    def __init__(self, crowd: Crowd, ledger: Ledger, system_id: str) -> None:
        self._crowd = crowd
        self._ledger = ledger
        self._system_id = system_id
        self._sent_at: dict[int, float] = {}
        self._next = 2
        self._tail = b""
        self._transport: asyncio.Transport
        self.answered = 0
        self.up = False

    def protocol(self) -> Customer:
        """Itself, for the loop to connect."""
        return self

    @property
    def outstanding(self) -> int:
        """Submits that were not answered yet."""
        return len(self._sent_at)

    # ---- the wire

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        bind = BindTransceiver(
            sequence_number=1,
            system_id=self._system_id,
            password=PASSWORD,
            interface_version=c.INTERFACE_VERSION_34,
        )
        self._transport.write(encode(bind))

    def connection_lost(self, exc: Exception | None) -> None:
        self.up = False
        self._crowd.lost(self)

    def data_received(self, data: bytes) -> None:
        if self._tail:
            data = self._tail + data
        now = time.monotonic()
        crowd = self._crowd
        sent_at, unpack, pack = self._sent_at, _HEADER.unpack_from, _DELIVER_SM_RESP.pack
        accepted: list[tuple[bytes, float]] = []
        receipts: list[bytes] = []
        out: list[bytes] = []
        delays: list[float] = []
        size, pos = len(data), 0
        while size - pos >= c.HEADER_LENGTH:
            length, command_id, status, number = unpack(data, pos)
            end = pos + length
            if end > size:
                break
            if command_id == c.SUBMIT_SM_RESP:
                written = sent_at.pop(number, None)
                if written is None:
                    crowd.unexpected += 1
                else:
                    delays.append(now - written)
                    if status:
                        crowd.refused[c.status_name(status)] += 1
                    else:
                        accepted.append((data[pos + 16 : end - 1], written))
            elif command_id == c.DELIVER_SM:
                receipts.append(data[pos + 16 : end])
                out.append(pack(17, c.DELIVER_SM_RESP, 0, number, 0))
            elif command_id == c.ENQUIRE_LINK:
                crowd.asked_by_gateway += 1
                out.append(_HEADER.pack(16, c.ENQUIRE_LINK_RESP, 0, number))
            elif command_id == c.ENQUIRE_LINK_RESP:
                crowd.enquiries_answered += 1
            elif command_id == c.BIND_TRANSCEIVER_RESP:
                self.up = not status
                crowd.bound(self, status)
            else:
                crowd.unexpected += 1
            pos = end
        self._tail = data[pos:]
        if accepted:
            self._ledger.accepted(accepted)
        if receipts:
            self._ledger.receipts(receipts, now)
        if out:
            self._transport.write(b"".join(out))
        if delays:
            self.answered += len(delays)
            crowd.answered(self, delays)

    # ---- what the crowd asks

    def submit(self, count: int) -> None:
        """Send the next `count` of the feed in one write."""
        pack, first = _HEADER.pack, self._next
        out: list[bytes] = []
        for number, body in enumerate(self._crowd.feed.take(count), first):
            out += pack(16 + len(body), c.SUBMIT_SM, 0, number), body
        if not out:
            return
        self._next = first + len(out) // 2
        self._sent_at.update(zip(range(first, self._next), repeat(time.monotonic()), strict=False))
        self._transport.write(b"".join(out))

    def enquire(self) -> None:
        """Send an enquire_link."""
        self._transport.write(_HEADER.pack(16, c.ENQUIRE_LINK, 0, self._next))
        self._next += 1

    def close(self) -> None:
        """Hang up."""
        self._transport.close()
