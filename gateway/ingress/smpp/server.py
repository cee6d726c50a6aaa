"""The SMPP server: its ports, the connections on them, and who may bind.

In: settings, connections. Out: binds, whose requests go to the parts that understand them (intake,
operations), and receivers for whoever has something to deliver. Reads as a table of contents; what
octets mean is the bind's, what messages mean the parts'.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Coroutine, Sequence
from functools import partial
from typing import Final

from config.settings import Settings, SmppPort
from gateway import metrics as m
from gateway.draft import Admission
from gateway.ingress.smpp.bind import Bind, timers_of
from gateway.ingress.smpp.intake import Intake
from gateway.ingress.smpp.logins import KIND, BindRefused, Login, Logins
from gateway.ingress.smpp.operations import Operations
from gateway.ingress.smpp.outbind import Caller
from gateway.ingress.smpp.ports import Clock, Deliveries, Store
from gateway.ingress.smpp.receivers import Receivers
from gateway.ingress.smpp.slowing import Slowing, Source, network_of, source_of
from gateway.link import Watch, unwatched
from gateway.metrics import Metrics, Row
from gateway.tally import Tally
from protocol import constants as c
from protocol.pdu import Bind as BindPdu
from protocol.timers import Timers

log = logging.getLogger("aldis.ingress")

BACKLOG: Final = 1_024
ACCEPTED_AT_ONCE: Final = 8
"""Handles on one listening socket. libuv takes one connection for each in a turn of the loop, and
while messages fill the turns a thousand new connections a second overran the kernel's queue: they
were dropped and came back after seconds."""
LEAST_UNBOUND: Final = 8
"""Connections one network may have unbound however low `max_unbound` is: an application's start."""
TICK: Final = 1.0
"""Seconds between hand-overs to the metrics, and looks at parts that wait for too long."""
CLOSING: Final = 0.5
"""Of a stop's time, seconds kept for closing binds that do not answer our unbind."""
BINDS_AT_ONCE: Final = 1_000
"""Binds that may be under way when another wants to wait for its slowing; beyond it that one is
refused. Half of `max_unbound`, so that those who guess leave room for those who know."""


class _Turn:
    """Who waits for a look at its password, and how many of them."""

    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0


class SmppServer:
    """All SMPP ports of the gateway. Construct it inside the running event loop."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        admission: Admission,
        clock: Clock,
        metrics: Metrics,
        watch: Watch = unwatched,
    ) -> None:
        """Opens nothing before `start`."""
        self._loop = asyncio.get_running_loop()
        self._settings = settings
        self._metrics = metrics
        self._watch = watch
        self._tally = Tally(metrics)
        self.logins = Logins()
        self.logins.configure(settings, self._loop.time())
        self.intake = Intake(self.logins, store, admission, clock, self._tally)
        self.operations = Operations(self.intake, store, clock, self._tally)
        self.deliveries: Deliveries
        """Who has something for receivers; set before `start`."""
        self._slowing = Slowing()
        self._counted: set[str] = set()
        self._turns: dict[Source, _Turn] = {}
        self._servers: list[asyncio.Server] = []
        self._sockets: list[socket.socket] = []
        self._connections: dict[int, set[Bind]] = defaultdict(set)
        self._unbound: dict[int, int] = defaultdict(int)
        self._unbound_from: Counter[tuple[int, str]] = Counter()
        self._binding: set[asyncio.Task[None]] = set()
        self._accepting: set[asyncio.Task[None]] = set()
        self._receivers: dict[str, Receivers] = {}
        self._callers: dict[str, Caller] = {}
        self._ticker: asyncio.TimerHandle | None = None
        self._draining = False
        self.ports: list[int] = []
        """The TCP ports listened on, in the order of the configuration."""

    # ---- life

    async def start(self) -> None:
        """Take up parts that waited, and listen. Raises `OSError` when a port is taken, and
        `ssl.SSLError` when a certificate cannot be used."""
        await self.intake.start()
        for port in self._settings.smpp:
            if port.tls is None:
                self.ports.append(await self._listen_plain(port))
            else:
                listening = _listen(port)
                self._sockets.append(listening)
                self.ports.append(listening.getsockname()[1])
                self._keep(self._accepting, self._accept(port, listening))
        self._tick()

    def configure(self, settings: Settings) -> None:
        """Take accounts and logins from new settings; ports stay. Binds of logins that are gone
        are unbound."""
        self._settings = settings
        self.intake.asking.forget()
        for login in self.logins.configure(settings, self._loop.time()):
            for bind in list(login.binds):
                bind.unbind()
            caller = self._callers.pop(login.settings.system_id, None)
            if caller is not None:
                caller.stop()
        self.intake.take_up()

    async def stop(self, timeout: float) -> None:
        """Listen no more, answer what is under way, unbind, close; within `timeout` seconds."""
        self._draining = True
        deadline = self._loop.time() + timeout
        if self._ticker is not None:
            self._ticker.cancel()
        for server in self._servers:
            server.close()
        for task in (*self._accepting, *self._binding):
            task.cancel()
        for listening in self._sockets:
            listening.close()
        for caller in self._callers.values():
            caller.stop()
        self.intake.drain()
        await self.intake.finished(max(0.0, deadline - self._loop.time() - CLOSING))
        await self.operations.finished(max(0.0, deadline - self._loop.time() - CLOSING))
        binds = [bind for of_port in self._connections.values() for bind in of_port]
        for bind in binds:
            bind.unbind()
        if binds:
            await asyncio.wait(
                [bind.closed for bind in binds], timeout=max(0.1, deadline - self._loop.time())
            )
        for bind in binds:
            bind.abort()
        self.flush()

    # ---- for whoever delivers

    def room(self, account: str, wanted: int) -> int:
        """How many of `wanted` deliver_sm the account's receivers can take now."""
        receivers = self._receivers.get(account)
        return 0 if receivers is None else receivers.room(wanted)

    def listens(self, account: str) -> bool:
        """Whether a receiver of the account is bound; if none is, those that can be called are."""
        if self._receivers.get(account):
            return True
        if not self._draining:
            self._call(account)
        return False

    def deliver(
        self, account: str, bodies: Sequence[tuple[bytes, ...]], contexts: Sequence[object]
    ) -> int:
        """Send deliver_sm, spread over the account's receivers; returns how many of them left.

        A body is (all up to the TLVs, the TLVs): a receiver of 3.3 gets only the first.
        """
        receivers = self._receivers.get(account)
        return 0 if receivers is None else receivers.deliver(bodies, contexts)

    # ---- for binds

    def count(self, row: Row, *labels: str) -> None:
        """Count one thing that happened on a connection."""
        self._tally.count(row, 1, *labels)

    def connected(self, bind: Bind) -> None:
        """A connection was made; more than there may be are closed."""
        key = id(bind.port)
        connections = self._connections[key]
        connections.add(bind)
        self._unbound[key] += 1
        bind.network = network_of(bind.host)
        self._unbound_from[key, bind.network] += 1
        most = bind.port.max_unbound
        if self._draining or len(connections) > bind.port.max_connections:
            self._loop.call_soon(bind.abort, "too_many_connections")
        elif self._unbound[key] > most or self._unbound_from[key, bind.network] > max(
            LEAST_UNBOUND, most // 2
        ):
            # Half for one network: who connects and stays silent keeps nobody else out.
            self._loop.call_soon(bind.abort, "too_many_unbound")

    def disconnected(self, bind: Bind, reason: str) -> None:
        """A connection is over."""
        key = id(bind.port)
        self._connections[key].discard(bind)
        self._tally.count(m.SMPP_ENDS, 1, reason)
        self._tally.count(m.SMPP_ENQUIRIES, bind.take_enquiries())
        login = bind.login
        if login is None:
            self._no_longer_unbound(bind)
            return
        login.binds.remove(bind)
        if bind.among is not None:
            bind.among.remove(bind)
        log.info(
            "customer's bind down",
            extra={"system_id": login.settings.system_id, "bind": bind.kind, "reason": reason},
        )

    def _no_longer_unbound(self, bind: Bind) -> None:
        key = id(bind.port)
        self._unbound[key] -= 1
        self._unbound_from[key, bind.network] -= 1
        if not self._unbound_from[key, bind.network]:
            del self._unbound_from[key, bind.network]

    def bind(self, bind: Bind, request: BindPdu) -> None:
        """A connection wants to bind."""
        known = self.logins.get(request.system_id)
        source = source_of(bind.host, request.system_id if known is not None else "")
        wait = self._slowing.wait(source, self._loop.time())
        # Only those who wait for their own failures take each other's places: while somebody tries
        # names by the thousand, customers bind as ever.
        if self._draining or (wait and len(self._binding) >= BINDS_AT_ONCE):
            bind.refuse(request, c.ESME_RBINDFAIL)
            return
        self._keep(self._binding, self._bind(bind, request, source, wait))

    # ---- within

    async def _bind(self, bind: Bind, request: BindPdu, source: Source, wait: float) -> None:
        loop, host = self._loop, bind.host
        kind = KIND[request.command_id]
        if wait:
            await asyncio.wait({bind.closed}, timeout=wait)
            if bind.closed.done():
                return  # its turn is spent all the same
        failures = self._slowing.failures(source)
        async with self._in_turn(source):
            if self._slowing.failures(source) > failures:
                # It was tried beside one that has failed since: not looked at, or guesses made at
                # once would cost no time.
                refused = BindRefused(c.ESME_RBINDFAIL, "slowed")
                self._refuse(bind, request, refused, self.logins.get(request.system_id))
                return
            try:
                login = await self.logins.check(request.system_id, request.password)
                if bind.called is not None and login is not bind.called:
                    raise BindRefused(c.ESME_RINVSYSID, "not_the_called")
            except BindRefused as refused:
                self._slowing.failed(source, loop.time())
                self._refuse(bind, request, refused, self.logins.get(request.system_id))
                return
            self._slowing.passed(source)
        try:
            login.admits(kind, host, bind.tls)
            if bind.called is not None and kind == "tx":  # we called to deliver
                raise BindRefused(c.ESME_RBINDFAIL, "kind")
        except BindRefused as refused:
            self._refuse(bind, request, refused, login)
            return
        if bind.closed.done():
            return
        self._watch(login.account.name, bind)
        bind.accept(request, login, kind)
        if bind.login is not login:
            return
        self._no_longer_unbound(bind)
        self._tally.count(m.SMPP_BIND_ATTEMPTS, 1, "ok")
        log.info(
            "customer's bind up",
            extra={"system_id": login.settings.system_id, "bind": kind, "host": host},
        )
        if bind.receives:
            account = login.account.name
            bind.among = self._receivers.setdefault(account, Receivers())
            bind.among.look(bind)
            self.deliveries.room(account)

    @contextlib.asynccontextmanager
    async def _in_turn(self, source: Source) -> AsyncIterator[None]:
        """Of one source, one password at a time is looked at."""
        turn = self._turns.setdefault(source, _Turn())
        turn.users += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[source]

    def _refuse(
        self, bind: Bind, request: BindPdu, refused: BindRefused, login: Login | None
    ) -> None:
        self._tally.count(m.SMPP_BIND_ATTEMPTS, 1, refused.why)
        log.warning(
            "customer's bind refused",
            extra={
                "system_id": login.settings.system_id if login else "unknown",
                "host": bind.host,
                "reason": refused.why,
            },
        )
        bind.refuse(request, refused.command_status)

    async def _listen_plain(self, port: SmppPort) -> int:
        """Listen on a port without TLS; returns which one it is."""
        make = partial(Bind, self, port, timers_of(port), self._loop)
        server = await self._loop.create_server(make, port.host, port.port, backlog=BACKLOG)
        self._servers.append(server)
        for each in server.sockets:
            for _ in range(ACCEPTED_AT_ONCE - 1):
                again = socket.fromfd(each.fileno(), each.family, each.type)
                self._servers.append(
                    await self._loop.create_server(make, sock=again, backlog=BACKLOG)
                )
        number: int = server.sockets[0].getsockname()[1]
        return number

    async def _accept(self, port: SmppPort, listening: socket.socket) -> None:
        """Take connections of a TLS port: made by hand, so that a handshake that fails is known."""
        context, timers = tls_context(port), timers_of(port)
        while True:
            try:
                connection, _ = await self._loop.sock_accept(listening)
            except OSError as error:  # out of file descriptors: those there are go on
                self._tally.count(m.SMPP_ENDS, 1, "accept_failed")
                log.error("cannot accept a connection", extra={"error": str(error)})
                await asyncio.sleep(0.1)
                continue
            if len(self._accepting) > port.max_unbound:
                self._tally.count(m.SMPP_ENDS, 1, "too_many_unbound")
                connection.close()
                continue
            self._keep(self._accepting, self._handshake(port, connection, context, timers))

    async def _handshake(
        self,
        port: SmppPort,
        connection: socket.socket,
        context: ssl.SSLContext,
        timers: Timers,
    ) -> None:
        bind = Bind(self, port, timers, self._loop)
        try:
            await self._loop.connect_accepted_socket(
                lambda: bind, connection, ssl=context, ssl_handshake_timeout=port.bind_timeout
            )
        except (OSError, TimeoutError):
            # Plain octets, a scanner, a client that does not trust us, one without a certificate.
            self._tally.count(m.SMPP_ENDS, 1, "tls")
            connection.close()

    def _call(self, account: str) -> None:
        """Send an outbind to those of the account that want one."""
        if not self._settings.smpp:
            return
        for login in self.logins.all():
            if login.account.name == account and login.settings.outbind is not None:
                caller = self._callers.get(login.settings.system_id)
                if caller is None:
                    caller = Caller(self, login, self._settings.smpp[0], self._loop)
                    self._callers[login.settings.system_id] = caller
                caller.call()

    def _tick(self) -> None:
        self.flush()
        self.intake.tick()
        for login in self.logins.all():
            account = login.account.name
            if login.settings.outbind is not None and not self._receivers.get(account):
                self.deliveries.room(account)  # it may have been away when it was called
        self._ticker = self._loop.call_later(TICK, self._tick)

    def flush(self) -> None:
        """Bring the metrics up to date."""
        enquiries = [bind.take_enquiries() for of in self._connections.values() for bind in of]
        self._tally.count(m.SMPP_ENQUIRIES, sum(enquiries))
        self._tally.flush()
        everyone = len(enquiries)
        unbound = sum(self._unbound.values())
        self._metrics.set(m.SMPP_CONNECTIONS, everyone - unbound, "bound")
        self._metrics.set(m.SMPP_CONNECTIONS, unbound, "unbound")
        binds = dict.fromkeys(self._counted, 0)  # also of accounts whose last login is gone
        for login in self.logins.all():
            binds[login.account.name] = binds.get(login.account.name, 0) + len(login.binds)
        self._counted = {login.account.name for login in self.logins.all()}
        for account, count in binds.items():
            self._metrics.set(m.SMPP_BINDS, count, account)
        self._metrics.set(m.SMPP_WAITING_PARTS, self.intake.waiting_parts)

    def _keep(self, tasks: set[asyncio.Task[None]], coroutine: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(self._guard(coroutine))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _guard(self, coroutine: Coroutine[None, None, None]) -> None:
        try:
            await coroutine
        except Exception:  # the task's edge: one connection must not end the server
            log.exception("smpp connection")
            self._metrics.count(m.TASK_ERRORS, 1, "smpp")


def tls_context(port: SmppPort) -> ssl.SSLContext:
    """The server side of TLS as a port asks for it; raises `ssl.SSLError`, `OSError`."""
    assert port.tls is not None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=port.tls.client_ca)
    context.load_cert_chain(port.tls.certificate, port.tls.key)
    if port.tls.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _listen(port: SmppPort) -> socket.socket:
    family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind((port.host, port.port))
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening
