"""Connections that come and go: what a port on the open network has to bear.

In: how many a second. Out: counts of what became of them.
"""

import asyncio
import socket
import struct
import time
from array import array
from typing import Any, Final, cast

from bench.esme.customer import PASSWORD
from bench.load.report import percentiles
from protocol.pdu import BindTransceiver, encode

_TICK: Final = 0.01
_HTTP: Final = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: on, no time


def _bind(system_id: str) -> bytes:
    pdu = BindTransceiver(
        sequence_number=1, system_id=system_id, password=PASSWORD, interface_version=0x34
    )
    return encode(pdu)


class Visitor(asyncio.Protocol):
    """One connection; the kinds take turns.

    0  connects and hangs up
    1  binds as a customer, hears the answer, hangs up without an unbind
    2  binds as nobody known, and is gone with a reset before it hears anything
    3  speaks something else and waits to be thrown out
    """

    KINDS: Final = 4

    def __init__(self, visits: "Visits", kind: int) -> None:
        self._visits = visits
        self._kind = kind
        self._came = time.monotonic()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._visits.opened += 1
        if self._kind == 0:
            transport.close()
        elif self._kind == 3:
            self._transport.write(_HTTP)
        elif self._kind == 1:
            self._transport.write(self._visits.known)
        else:
            self._transport.write(_UNKNOWN)
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._kind == 1:
            if int.from_bytes(data[8:12], "big"):
                self._visits.refused += 1
            else:
                self._visits.delays.append(time.monotonic() - self._came)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._visits.ended += 1
        self._visits.thrown_out += self._kind == 3


_UNKNOWN: Final = _bind("nobody")


class Visits:
    """`rate` connections a second for `seconds`; those that bind do it as `system_id`.

    delays  seconds from the beginning of connecting to the answer to a bind
    """

    def __init__(self, port: int, rate: float, seconds: float, system_id: str) -> None:
        self.known = _bind(system_id)
        self.delays = array("d")
        self.opened = 0
        self.ended = 0
        self.refused = 0
        self.thrown_out = 0
        self._failed = 0
        self._port = port
        self._rate = rate
        self._seconds = seconds
        self._tasks: set[asyncio.Task[Any]] = set()
        self._took = 0.0

    def start(self) -> None:
        """Begin."""
        self._keep(self._come())

    async def stop(self) -> None:
        """Whoever is still there goes."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def statistics(self) -> dict[str, Any]:
        """All counts, for JSON."""
        return {
            "visits": self.opened,
            "visits_failed": self._failed,
            "visits_ended": self.ended,
            "visits_bound": len(self.delays),
            "visits_refused": self.refused,
            "visits_thrown_out": self.thrown_out,
            "visits_took": self._took,
        }

    def figures(self) -> dict[str, Any]:
        """How long binding took."""
        return {"bind_ms": percentiles(self.delays)}

    async def _come(self) -> None:
        began, came = time.monotonic(), 0
        while came < self._rate * self._seconds:
            due = min(
                int((time.monotonic() - began) * self._rate),
                int(self._rate * self._seconds),
            )
            for n in range(came, due):
                self._keep(self._visit(n % Visitor.KINDS))
            came = max(came, due)
            await asyncio.sleep(_TICK)
        self._took = time.monotonic() - began

    async def _visit(self, kind: int) -> None:
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: Visitor(self, kind), "127.0.0.1", self._port
            )
        except OSError:
            self._failed += 1

    def _keep(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
