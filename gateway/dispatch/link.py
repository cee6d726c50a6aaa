"""A carrier's link: it binds, then carries submits one way and the operator's requests back.

In: a profile, and bodies to submit. Out: lists of events for the listener. It knows no message,
rate or carrier policy; what a PDU means is the listener's.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

from gateway.dispatch.outgoing import Body, Context
from gateway.dispatch.profile import Profile
from gateway.link import SmppLink
from protocol import constants as c
from protocol.connection import Connection
from protocol.events import BindRefused, Bound, Event
from protocol.pdu import BindReceiver, BindTransceiver, BindTransmitter
from protocol.state import Role, State

BINDS: Final = {"trx": BindTransceiver, "tx": BindTransmitter, "rx": BindReceiver}
_SUBMITTING: Final = (State.BOUND_TRX, State.BOUND_TX)


class LinkFailed(Exception):
    """The link could not be bound; `command_status` is the operator's answer, 0 if it gave none."""

    def __init__(self, reason: str, command_status: int = 0) -> None:
        super().__init__(reason)
        self.command_status = command_status


class Listener(Protocol):
    """Whoever the messages on a link belong to."""

    def on_events(self, link: Link, events: list[Event], now: float) -> list[Event]:
        """Take the events about messages; returns the others, about the session."""

    def on_writable(self, link: Link) -> None:
        """The peer reads again after a stall."""


class Link(SmppLink):
    """One session with an operator, as its ESME.

    bound    done when the operator has accepted the bind; LinkFailed if it has not
    waiting  parts that go before anything else on this link (see feed.py)
    """

    __slots__ = ("_kind", "_listener", "_profile", "_submits", "bound", "waiting")

    def __init__(
        self, profile: Profile, kind: str, listener: Listener, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(loop)
        self._profile = profile
        self._kind = kind
        self._listener = listener
        self._submits = False
        self.bound: asyncio.Future[None] = loop.create_future()
        self.waiting: deque[Context] = deque()

    # ---- the listener's side

    @property
    def free(self) -> int:
        """How many submit_sm may be sent now."""
        if not self._submits or not self._writable or self._connection is None:
            return 0
        return self._connection.window_free

    @property
    def submits(self) -> bool:
        """Whether the session is of a kind and in a state that carries submit_sm."""
        return self._submits

    def submit(self, bodies: Sequence[Body], contexts: Sequence[Context], now: float) -> None:
        """Send one submit_sm per body; there must be room for all (`free`)."""
        self.send_requests(c.SUBMIT_SM, bodies, contexts, now)

    def unbind(self) -> None:
        """Take leave; nothing is submitted from here on."""
        self._submits = False
        super().unbind()

    # ---- the session

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone, whoever closed it."""
        if isinstance(exc, ssl.SSLError) and not self.bound.done():
            # In TLS 1.3 our half of the handshake is over when the operator looks at our
            # certificate: its "certificate required" comes while we wait for the bind.
            self._fail(LinkFailed(exc.strerror or type(exc).__name__))
        super().connection_lost(exc)

    def _open(self, now: float) -> Connection:
        self._connection = connection = self._session(now)
        self._ask(now)
        return connection

    def _session(self, now: float) -> Connection:
        """A session in which nothing has been said yet."""
        profile = self._profile
        return Connection(
            Role.ESME,
            now=now,
            timers=profile.timers,
            window=profile.carrier.window,
            interface_version=profile.interface_version,
        )

    def _ask(self, now: float) -> None:
        """Ask to be bound."""
        profile = self._profile
        carrier = profile.carrier
        assert self._connection is not None
        self._connection.bind(
            BINDS[self._kind](
                system_id=carrier.system_id,
                password=profile.password,
                system_type=carrier.system_type,
                interface_version=profile.interface_version,
                address_range=carrier.address_range,
            ),
            now,
        )

    def _on_events(self, events: list[Event], now: float) -> list[Event]:
        assert self._connection is not None
        self._submits = self._connection.state in _SUBMITTING
        return self._listener.on_events(self, events, now)

    def _on_writable(self) -> None:
        self._listener.on_writable(self)

    def _on_session(self, event: Event) -> None:
        if isinstance(event, Bound):
            if not self.bound.done():
                self.bound.set_result(None)
        elif isinstance(event, BindRefused) and not self.bound.done():
            name = c.status_name(event.command_status)
            self._fail(LinkFailed(name, event.command_status))

    def _on_end(self, reason: str) -> None:
        self._submits = False
        if not self.bound.done():
            self._fail(LinkFailed(reason))

    def _fail(self, failure: LinkFailed) -> None:
        self.bound.set_exception(failure)
        self.bound.exception()  # seen: whoever stopped waiting is not told of it at exit
