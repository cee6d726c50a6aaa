"""One customer's connection: unbound at first, then a bind of its login.

In: octets. Out: lists of requests for the server's parts, and answers. What a request means is
theirs; the bind knows its login, its window and its place among the connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from config.settings import SmppPort
from gateway import metrics as m
from gateway.link import MOST_UNREAD, SmppLink
from protocol import constants as c
from protocol.connection import Connection
from protocol.events import (
    Answered,
    CloseReason,
    Event,
    Late,
    Lost,
    Malformed,
    Received,
    Refused,
    TimedOut,
    Unexpected,
    Unsent,
)
from protocol.pdu import (
    Bind as BindPdu,
)
from protocol.pdu import (
    CancelSm,
    DataSm,
    Outbind,
    Pdu,
    QuerySm,
    ReplaceSm,
    SubmitMulti,
    SubmitSm,
    response_to,
)
from protocol.state import Role, State
from protocol.timers import Timers
from protocol.tlv import TLVS

if TYPE_CHECKING:
    from gateway.ingress.smpp.logins import Login
    from gateway.ingress.smpp.receivers import Receivers
    from gateway.ingress.smpp.server import SmppServer

SUBMITS: Final = frozenset({SubmitSm, DataSm, SubmitMulti})
OPERATIONS: Final = frozenset({QuerySm, CancelSm, ReplaceSm})
BIND_ATTEMPTS: Final = 3
"""Refused binds on one connection before it is closed: a client that tries another password gets
its chance, one that tries many has to connect again."""
UNBOUND_UNREAD: Final = 128 << 10
"""As `link.MOST_UNREAD`, before the bind: nobody knows who it is, and there may be thousands."""
_RECEIVING: Final = (State.BOUND_RX, State.BOUND_TRX)
_SC_INTERFACE_VERSION: Final = TLVS["sc_interface_version"].tag


def timers_of(port: SmppPort) -> Timers:
    """The session timers a port asks for."""
    return Timers(
        session_init=port.bind_timeout,
        enquire_link=port.enquire_interval,
        enquire_link_response=port.response_timeout,
        enquire_link_gap=0.0,  # it is for operators who forbid more: a customer gets its interval
        inactivity=port.inactivity_timeout,
        response=port.response_timeout,
    )


class Bind(SmppLink):
    """A connection to one of our SMPP ports, or one we made for an outbind.

    login     whose it is, once bound
    kind      "tx", "rx" or "trx", once bound
    busy      whether reading is paused because the window is full
    among     the receivers of its account, once it is one
    silent    whether it let a deliver_sm time out and has answered none since
    """

    __slots__ = (
        "_attempts", "_leaving", "_server", "_timers", "among", "busy", "called", "kind", "login",
        "network", "port", "receives", "silent", "tls",
    )  # fmt: skip

    def __init__(
        self,
        server: SmppServer,
        port: SmppPort,
        timers: Timers,
        loop: asyncio.AbstractEventLoop,
        called: Login | None = None,
    ) -> None:
        """`called`: we connect to this login's outbind address, and only it may bind."""
        super().__init__(loop)
        self._server = server
        self._timers = timers
        self._attempts = 0
        self._most_unread = UNBOUND_UNREAD
        self._leaving = False
        self.port = port
        self.tls = port.tls is not None
        self.called = called
        self.login: Login | None = None
        self.network = ""
        self.kind = ""
        self.receives = False
        self.busy = False
        self.silent = False
        self.among: Receivers | None = None

    # ---- what the server's parts ask

    @property
    def host(self) -> str:
        """Where it comes from."""
        return self.addresses[1][0]

    @property
    def room(self) -> int:
        """How many deliver_sm it can take now."""
        if not self.receives or not self._writable or self._connection is None:
            return 0
        return self._connection.window_free

    @property
    def has_tlvs(self) -> bool:
        """Whether it understands TLVs (3.4 and later)."""
        connection = self._connection
        return connection is not None and connection.interface_version >= c.INTERFACE_VERSION_34

    def deliver(self, bodies: Sequence[tuple[bytes, ...]], contexts: Sequence[object]) -> None:
        """Send one deliver_sm per body; there must be `room` for all."""
        if not self.has_tlvs:
            bodies = [body[:1] for body in bodies]
        self.send_requests(c.DELIVER_SM, bodies, contexts, self._loop.time())

    def answer(
        self,
        command_id: int,
        numbers: Sequence[int],
        status: int = c.ESME_ROK,
        bodies: Sequence[bytes] | None = None,
    ) -> None:
        """Answer requests of one command, all with one status, in one write; vanishes when the
        customer has left."""
        self.owed -= len(numbers)
        connection = self._connection
        if connection is None or connection.state is State.CLOSED:
            return
        connection.respond_many(
            command_id | c.RESPONSE_BIT, numbers, self._loop.time(), status, bodies
        )
        self._after_answer()

    def answer_with(self, response: Pdu) -> None:
        """Answer one request with a response made for it."""
        self.owed -= 1
        connection = self._connection
        if connection is None or connection.state is State.CLOSED:
            return
        connection.send(response, self._loop.time())
        self._after_answer()

    def _after_answer(self) -> None:
        self._flush()
        self._arm()
        self._leave()
        login = self.login
        if self.busy and login is not None and self.owed <= login.settings.window // 2:
            self.busy = False
            self.pause_reading(False)

    # ---- binding

    def accept(self, request: BindPdu, login: Login, kind: str) -> None:
        """The bind is granted."""
        connection = self._connection
        if connection is None or connection.state is State.CLOSED:
            return
        self.login = login
        self._most_unread = MOST_UNREAD
        self.kind = kind
        login.binds.append(self)
        connection.window = login.settings.deliver_window
        tlvs: tuple[tuple[int, bytes], ...] = ()
        if self.has_tlvs:
            tlvs = ((_SC_INTERFACE_VERSION, bytes((connection.interface_version,))),)
        response = response_to(request, system_id=self.port.system_id, tlvs=tlvs)
        connection.send(response, self._loop.time())
        self._flush()
        self._arm()
        self.receives = connection.state in _RECEIVING

    def refuse(self, request: BindPdu, command_status: int) -> None:
        """The bind is refused; the connection may try again, a few times."""
        connection = self._connection
        if connection is None or connection.state is State.CLOSED:
            return
        connection.send(response_to(request, command_status), self._loop.time())
        self._flush()
        self._arm()
        self._attempts += 1
        if self._attempts >= BIND_ATTEMPTS:
            self._close(CloseReason.CLOSED)

    def unbind(self) -> None:
        """Take leave; nothing is delivered from here on."""
        self.receives = False
        super().unbind()

    def _close(self, reason: str) -> None:
        """End it once what is queued is written."""
        if self._connection is not None:
            now = self._loop.time()
            self._settle(self._connection.close(now, reason), now)

    # ---- the session

    def eof_received(self) -> bool:
        """Who has nothing more to say may still listen (`nc` does): what it has sent is answered
        before the connection ends, or it would not know that we have it. TLS has no half end."""
        self._leaving = bool(self.owed) and not self.tls
        if self._leaving:
            self.receives = False  # it could not answer
        return self._leaving

    def _leave(self) -> None:
        if self._leaving and not self.owed:
            self._close(CloseReason.EOF)

    def _open(self, now: float) -> Connection:
        connection = Connection(
            Role.SMSC,
            now=now,
            timers=self._timers,
            window=1,
            interface_version=c.INTERFACE_VERSION_50,
        )
        if self.called is not None:
            settings = self.called.settings
            connection.send(
                Outbind(system_id=self.port.system_id, password=settings.outbind_password or ""),
                now,
            )
        self._server.connected(self)
        return connection

    def _on_events(self, events: list[Event], now: float) -> list[Event]:
        submits: list[Any] = []
        operations: list[Any] = []
        answers: list[tuple[object, int]] = []
        lost: list[object] = []
        others: list[Event] = []
        late = False
        for event in events:
            kind = type(event)
            if kind is Received:
                pdu = event.pdu  # type: ignore[union-attr]
                if type(pdu) in SUBMITS:
                    submits.append(pdu)
                elif type(pdu) in OPERATIONS:
                    operations.append(pdu)
                else:
                    others.append(event)
            elif isinstance(event, Answered):
                self.silent = False
                answers.append((event.context, _status(event)))
            elif isinstance(event, Late):
                # It was offered again when it timed out, so this answer changes nothing but this.
                self.silent, late = False, True
                self._server.count(m.SMPP_UNEXPECTED, event.response.command)
            elif isinstance(event, TimedOut):
                self.silent = True
                lost.append(event.context)
            elif isinstance(event, Lost | Unsent):
                lost += event.contexts
            else:
                others.append(event)
        login = self.login
        if login is not None:
            assert self._connection is not None
            self.receives = self._connection.state in _RECEIVING  # before anybody asks for room
            account = login.account.name
            if self.among is not None and (answers or lost or late):
                self.among.look(self)
            if answers:
                self._server.deliveries.answered(account, answers)
            if lost:
                self._server.deliveries.lost(account, lost)
            if submits or operations:
                self.owed += len(submits) + len(operations)
                if self.owed >= login.settings.window and not self.busy:
                    self.busy = True
                    self.pause_reading(True)
                    self._server.count(m.SMPP_READING_PAUSED, account)
                if submits:
                    self._server.intake.put(self, submits)
                if operations:
                    self._server.operations.put(self, operations)
        return others

    def _on_session(self, event: Event) -> None:
        server = self._server
        if isinstance(event, Received):
            pdu = event.pdu
            if isinstance(pdu, BindPdu):
                server.bind(self, pdu)
            else:  # broadcast_sm and its family, which are the operators' own
                self.owed += 1
                server.count(m.SMPP_REFUSED, pdu.command, c.status_name(c.ESME_RINVCMDID))
                self.answer(pdu.command_id, [pdu.sequence_number], c.ESME_RINVCMDID)
        elif isinstance(event, Refused):
            server.count(
                m.SMPP_REFUSED,
                c.command_name(event.command_id),
                c.status_name(event.command_status),
            )
        elif isinstance(event, Malformed):
            error = event.error
            command = c.COMMAND_NAME.get(error.command_id, "unknown")
            server.count(m.SMPP_REFUSED, command, c.status_name(error.command_status))
        elif isinstance(event, Unexpected):
            server.count(m.SMPP_UNEXPECTED, event.pdu.command)

    def _on_writable(self) -> None:
        if self.receives and self.login is not None:
            if self.among is not None:
                self.among.look(self)
            self._server.deliveries.room(self.login.account.name)

    def _on_end(self, reason: str) -> None:
        self.receives = False
        self._server.disconnected(self, reason)


def _status(event: Answered) -> int:
    """What the customer says to a deliver_sm; a generic_nack is a no, whatever it carries."""
    status = event.response.command_status
    if not status and event.response.command_id == c.GENERIC_NACK:
        return c.ESME_RUNKNOWNERR
    return status
