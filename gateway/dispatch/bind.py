"""One bind slot: a session that is wanted for as long as its carrier is.

In: a carrier's hosts and pauses. Out: a bound `Link` handed to the owner, again and again. Hosts
are tried in turn, pauses grow, refused credentials are not hammered at. Knows no message.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from gateway import metrics as m
from gateway.dispatch.backoff import reconnect_pause
from gateway.dispatch.link import Link, LinkFailed, Listener
from gateway.dispatch.profile import Profile
from gateway.dispatch.statuses import CREDENTIALS_REFUSED
from gateway.link import Watch, unwatched
from gateway.tally import Tally

_log = logging.getLogger("aldis.dispatch")


class Owner(Listener, Protocol):
    """Whoever uses the links."""

    def on_up(self, link: Link) -> None:
        """The link is bound."""

    def on_down(self, link: Link, reason: str) -> None:
        """A link that was up is over; what was outstanding has been reported."""


class Bind:
    """`kind` is "trx", "tx" or "rx"; `jitter` returns a random number 0..1."""

    def __init__(
        self,
        profile: Profile,
        kind: str,
        owner: Owner,
        tally: Tally,
        jitter: Callable[[], float],
        watch: Watch = unwatched,
    ) -> None:
        self._profile = profile
        self._kind = kind
        self._owner = owner
        self._tally = tally
        self._jitter = jitter
        self._watch = watch
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self.link: Link | None = None
        self.last_error = ""

    @property
    def up(self) -> bool:
        """Whether the session is bound."""
        return self.link is not None

    def start(self) -> None:
        """Begin to connect."""
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name=f"bind {self._profile.name}"
        )

    def give_up(self) -> None:
        """Want no new session; one that is up stays until `stop`."""
        self._stopping = True
        if self._task is not None and self.link is None:
            self._task.cancel()

    async def stop(self, timeout: float) -> None:
        """Unbind; after `timeout` seconds close without."""
        self.give_up()
        link = self.link
        if link is not None:
            link.unbind()
            await asyncio.wait({link.closed}, timeout=timeout)
            link.abort()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        carrier = self._profile.carrier
        hosts = self._profile.hosts
        loop = asyncio.get_running_loop()
        failures = turn = 0
        while not self._stopping:
            host, port = hosts[turn % len(hosts)]
            link, refused = await self._connect(host, port)
            if link is None:
                turn += 1
            else:
                since = loop.time()
                self.link = link
                self._owner.on_up(link)
                await asyncio.wait({link.closed})
                self.link = None
                self.last_error = link.closed.result()
                self._owner.on_down(link, self.last_error)
                # A peer that accepts every bind and drops it at once gets no storm either.
                if loop.time() - since >= carrier.reconnect_max:
                    failures = 0
            failures += 1
            pause = reconnect_pause(
                failures, len(hosts), carrier.reconnect_min, carrier.reconnect_max, self._jitter()
            )
            if refused:
                pause = max(pause, carrier.refused_pause)
            if not self._stopping:
                await asyncio.sleep(pause)

    async def _connect(self, host: str, port: int) -> tuple[Link | None, bool]:
        """A bound link, or None and whether the credentials were refused."""
        profile = self._profile
        loop = asyncio.get_running_loop()
        link = Link(profile, self._kind, self._owner, loop)
        self._watch(profile.name, link)
        name = None
        if profile.tls is not None and profile.carrier.tls is not None:
            name = profile.carrier.tls.server_name or host
        refused = bound = False
        try:
            async with asyncio.timeout(profile.carrier.connect_timeout):
                await loop.create_connection(
                    lambda: link, host, port, ssl=profile.tls, server_hostname=name
                )
                await link.bound
        except LinkFailed as failure:
            self.last_error = str(failure)
            refused = failure.command_status in CREDENTIALS_REFUSED
        except TimeoutError:
            self.last_error = "no answer in time"
        except OSError as error:
            self.last_error = error.strerror or type(error).__name__
        except UnicodeError:
            self.last_error = "not a host name"  # one that IDNA cannot spell
        else:
            bound = True
            self._tally.count(m.RECONNECTS, 1, profile.name, "bound")
            return link, False
        finally:
            # Also when it came up in the moment we stopped waiting: nobody would ever close it.
            if not bound:
                link.abort()
        self._tally.count(m.RECONNECTS, 1, profile.name, "refused" if refused else "failed")
        _log.log(
            logging.ERROR if refused else logging.WARNING,
            "bind refused" if refused else "bind failed",
            extra={
                "carrier": profile.name,
                "host": f"{host}:{port}",
                "bind": self._kind,
                "error": self.last_error,
            },
        )
        return None, refused
