"""An operator's calls: it connects to us, sends outbind, and we bind as receiver over its
connection (SMPP 3.4 §2.2.1).

In: `[carrier.outbind]`, connections. Out: receiving links handed to the owner like those we made
ourselves. Whoever is not the operator costs one closed connection and one count. Knows no message.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
from typing import Final

from config.settings import Outbind as OutbindSettings
from gateway import metrics as m
from gateway.dispatch.bind import Owner
from gateway.dispatch.link import Link, LinkFailed
from gateway.dispatch.profile import Profile, host_port
from gateway.tally import Tally
from protocol.connection import Connection
from protocol.events import CloseReason, Event, Received
from protocol.pdu import Outbind

MOST_CALLS: Final = 32
"""Connections at once, bound or not. An operator calls from a few front ends, each once; more are
somebody who found the port."""
REFUSED: Final = "refused"
"""Why a link ends whose outbind was wrong."""

_log = logging.getLogger("aldis.dispatch")


class CalledLink(Link):
    """A session over a connection of the operator's. Nothing but an outbind counts until it is
    bound; the session's own timer ends it if none comes."""

    __slots__ = ("_calls", "peer")

    def __init__(self, profile: Profile, calls: Calls, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(profile, "rx", calls.owner, loop)
        self._calls = calls
        self.peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has called."""
        name = transport.get_extra_info("peername")
        self.peer = name[0] if name else ""
        if self._calls.admit(self):
            super().connection_made(transport)
        else:
            transport.close()

    def _open(self, now: float) -> Connection:
        return self._session(now)  # the first word is the operator's

    def _on_events(self, events: list[Event], now: float) -> list[Event]:
        if self.bound.done():
            return super()._on_events(events, now)
        others: list[Event] = []
        for event in events:
            if isinstance(event, Received) and isinstance(event.pdu, Outbind):
                self._called(event.pdu, now)
            else:
                others.append(event)
        return super()._on_events(others, now)

    def _called(self, outbind: Outbind, now: float) -> None:
        if self._calls.knows(outbind):
            self._ask(now)
        else:
            # Not within the handling of the read that brought it.
            self._loop.call_soon(self.abort, REFUSED)


class Calls:
    """Listens for one carrier. `owner` gets the links once they are bound."""

    def __init__(
        self, profile: Profile, settings: OutbindSettings, owner: Owner, tally: Tally
    ) -> None:
        self.owner: Final = owner
        self._profile = profile
        self._settings = settings
        self._address = host_port(profile.name, settings.listen)
        self._networks = [ipaddress.ip_network(each) for each in settings.networks]
        self._tally = tally
        self._server: asyncio.Server | None = None
        self._listening: asyncio.Task[None] | None = None
        self._tasks: dict[asyncio.Task[None], CalledLink] = {}
        self._stopping = False
        self.up = 0
        """Receivers bound on calls."""

    def start(self) -> None:
        """Begin to listen; a port that is taken is tried again."""
        self._listening = asyncio.get_running_loop().create_task(
            self._listen(), name=f"outbind {self._profile.name}"
        )

    def give_up(self) -> None:
        """Take no new calls; sessions that are up stay until `stop`."""
        self._stopping = True
        if self._listening is not None:
            self._listening.cancel()
        if self._server is not None:
            self._server.close()
        for link in list(self._tasks.values()):
            if not link.bound.done():
                link.abort()

    async def stop(self, timeout: float) -> None:
        """Unbind; after `timeout` seconds close without."""
        self.give_up()
        links = list(self._tasks.values())
        for link in links:
            link.unbind()
        if links:
            await asyncio.wait([link.closed for link in links], timeout=timeout)
        for link in links:
            link.abort()
        ending = [*self._tasks]
        if self._listening is not None:
            ending.append(self._listening)
        await asyncio.gather(*ending, return_exceptions=True)

    # ---- what a link asks

    def admit(self, link: CalledLink) -> bool:
        """Whether whoever has called may say what it wants."""
        if not self._allowed(link.peer):
            self._count("network")
        elif len(self._tasks) >= MOST_CALLS:
            self._count("full")
        else:
            task = asyncio.get_running_loop().create_task(
                self._serve(link), name=f"outbind {self._profile.name}"
            )
            self._tasks[task] = link
            task.add_done_callback(self._tasks.pop)
            return True
        return False

    def knows(self, outbind: Outbind) -> bool:
        """Whether an outbind is the operator's."""
        wanted = self._settings
        if wanted.system_id and outbind.system_id != wanted.system_id:
            return False
        return wanted.password is None or hmac.compare_digest(
            outbind.password.encode(), wanted.password.encode()
        )

    # ---- within

    async def _listen(self) -> None:
        host, port = self._address
        loop = asyncio.get_running_loop()
        while True:
            try:
                self._server = await loop.create_server(
                    lambda: CalledLink(self._profile, self, loop), host, port
                )
            except OSError as error:
                self._count("not_listening")
                _log.error(
                    "cannot listen for outbind",
                    extra={
                        "carrier": self._profile.name,
                        "listen": self._settings.listen,
                        "error": error.strerror or type(error).__name__,
                    },
                )
                await asyncio.sleep(self._profile.carrier.reconnect_max)
            else:
                return

    async def _serve(self, link: CalledLink) -> None:
        """One call from the first octet to the last."""
        try:
            async with asyncio.timeout(self._profile.carrier.connect_timeout):
                await link.bound
        except (LinkFailed, TimeoutError) as failure:
            link.abort()
            if self._stopping:
                return
            reason = str(failure) or CloseReason.SESSION_INIT
            refused = reason == REFUSED
            self._count("refused" if refused else "failed")
            _log.warning(
                "outbind refused" if refused else "outbind failed",
                extra={"carrier": self._profile.name, "peer": link.peer, "error": reason},
            )
            return
        self._count("bound")
        self.up += 1
        self.owner.on_up(link)
        await asyncio.wait({link.closed})
        self.up -= 1
        self.owner.on_down(link, link.closed.result())

    def _allowed(self, peer: str) -> bool:
        if not self._networks:
            return True
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)

    def _count(self, result: str) -> None:
        self._tally.count(m.OUTBINDS, 1, self._profile.name, result)
