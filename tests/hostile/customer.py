"""A customer's program of raw octets, and the gateway's SMPP side it connects to."""

from __future__ import annotations

import ssl
import struct
from typing import Any, Self

from config.settings import Account, Duration, SmppLogin, SmppPort, SmppTls
from gateway.ingress.smpp import intake
from gateway.link import MOST_UNREAD
from tests.hostile.wire import (
    BIND_TRANSCEIVER,
    DELIVER_SM,
    RESP,
    SUBMIT_SM,
    Pdu,
    Wire,
    pdu,
    short_message,
)
from tests.ingress.smpp.conftest import Rig

_numbers = iter(range(79_160_000_000, 79_169_000_000))


def number() -> bytes:
    """A recipient no test has used before."""
    return b"%d" % next(_numbers)


def bind_body(system_id: bytes = b"bad", password: bytes = b"secret", version: int = 0x34) -> bytes:
    return system_id + b"\0" + password + b"\0" + b"\0" + struct.pack("BBB", version, 0, 0) + b"\0"


def submit_body(text: bytes = b"Hello", **options: Any) -> bytes:
    """A submit_sm to a number of its own, with a receipt asked for."""
    options.setdefault("registered_delivery", 1)
    return short_message(text, b"ACME", number(), **options)


class Customer(Wire):
    """One connection of a customer to us."""

    async def bind(
        self, system_id: bytes = b"bad", password: bytes = b"secret", kind: int = BIND_TRANSCEIVER
    ) -> int:
        """Ask for a bind; the status of the answer."""
        self.send(pdu(kind, 0, 1, bind_body(system_id, password)))
        return (await self.expect(kind | RESP)).status

    async def submit(self, count: int, first: int = 100) -> list[Pdu]:
        """Send submits in one write and wait for as many answers; receipts are answered."""
        self.send(b"".join(pdu(SUBMIT_SM, 0, first + n, submit_body()) for n in range(count)))
        return await self.answers(SUBMIT_SM | RESP, count)

    async def answers(self, command_id: int, count: int) -> list[Pdu]:
        """So many PDUs of this command; receipts on the way are answered."""
        found: list[Pdu] = []
        while len(found) < count:
            got = await self.read()
            if got.command_id == DELIVER_SM:
                self.send(pdu(DELIVER_SM | RESP, 0, got.number, b"\0"))
            if got.command_id == command_id:
                found.append(got)
        return found


class Server:
    """The gateway between the customers "bad" and "good" and an operator that does all right."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.wires: list[Customer] = []
        self._good: Customer | None = None
        self._next = 1_000

    @classmethod
    async def start(
        cls,
        rig: Rig,
        *,
        login: dict[str, Any] | None = None,
        tls: SmppTls | None = None,
        **port: Any,
    ) -> Self:
        """`login` changes the login of "bad", anything else the port (and the one with TLS)."""
        values: dict[str, Any] = {"password": "secret", **(login or {})}
        rig.accounts = (
            Account(name="bad", smpp=(SmppLogin(system_id="bad", **values),)),
            Account(name="good", smpp=(SmppLogin(system_id="good", password="secret"),)),
        )
        given: dict[str, Any] = {"bind_timeout": Duration(2.0), **port}
        rig.ports = (SmppPort(port=0, **given),)
        if tls is not None:
            rig.ports += (SmppPort(port=0, tls=tls, **given),)
        await rig.start()
        return cls(rig)

    async def connect(self, port: int = 0, **options: Any) -> Customer:
        wire = await Customer.connect(self.rig.server.ports[port], **options)
        self.wires.append(wire)
        return wire

    async def bound(self, system_id: bytes = b"bad", **options: Any) -> Customer:
        wire = await self.connect()
        assert await wire.bind(system_id, **options) == 0
        return wire

    async def close(self) -> None:
        for wire in self.wires:
            wire.close()

    # ---- what is seen

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric over the series that have these labels."""
        self.rig.server.flush()
        self.rig.mailboxes.flush()
        return sum(
            sample.value
            for family in self.rig.metrics.registry.collect()
            for sample in family.samples
            if sample.name == f"aldis_{name}" and labels.items() <= sample.labels.items()
        )

    async def counted(
        self, name: str, least: float = 1, timeout: float = 10, **labels: str
    ) -> None:
        """Wait until a counter has reached `least`."""
        await self.rig.until(lambda: self.metric(name, **labels) >= least, timeout)

    @property
    def accepted(self) -> int:
        """Messages of "bad" that are stored."""
        return int(self.metric("messages_accepted_total", account="bad"))

    def refused(self, **labels: str) -> int:
        return int(self.metric("smpp_refused_total", **labels))

    def ended(self, reason: str) -> int:
        return int(self.metric("smpp_connection_ends_total", reason=reason))

    # ---- what must hold, whatever a customer does

    async def holds(self) -> None:
        """The other customer is served, nothing has grown, no task has met its edge."""
        self.bounded()
        if self._good is None:
            self._good = await self.bound(b"good")
        before = self.metric("messages_accepted_total", account="good")
        self._next += 10
        answers = await self._good.submit(3, self._next)
        assert [each.status for each in answers] == [0, 0, 0]
        assert len({each.body for each in answers}) == 3
        assert self.metric("messages_accepted_total", account="good") == before + 3
        self.bounded()
        assert self.metric("task_errors_total") == 0
        assert self.metric("illegal_transitions_total") == 0

    async def sent(self, count: int) -> None:
        """Wait until so many messages of "bad" have reached the operator, none of them twice."""
        await self.rig.until(lambda: self._submits() >= count)
        assert self._submits() == count == self.accepted
        numbers = [each.destination for each in self.rig.smsc.submits]
        assert len(set(numbers)) == len(numbers), "one was sent twice"

    def _submits(self) -> int:
        return len(self.rig.smsc.submits) - int(
            self.metric("messages_accepted_total", account="good")
        )

    def bounded(self) -> None:
        server = self.rig.server
        for connections in server._connections.values():
            for bind in connections:
                connection, transport = bind._connection, bind._transport
                assert connection is not None and transport is not None
                assert len(connection._tail) <= connection.max_pdu
                assert connection.outstanding <= max(1, connection.window)
                assert transport.get_write_buffer_size() <= MOST_UNREAD + (1 << 16)
                if bind.login is not None:
                    # The window, and the rest of the read that filled it: 256 KiB of small PDUs.
                    assert bind.owed <= bind.login.settings.window + 16_384
        assert len(server.intake._tasks) <= intake.UNDER_WAY
        assert len(server._slowing._failures) <= 20_000


def client_tls(certificate: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    return context
