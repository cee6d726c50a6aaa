"""The peer under test as the steps see it: connections, one bound session, submits, deliveries.

In: what was asked for. Out: connections and replies, every PDU paced by the budget. It remembers
what the steps find (`facts`); what a finding is worth it leaves to them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Any, Final

from gateway.commands.conformance.asked import Asked, sender_kind
from gateway.commands.conformance.budget import Budget
from gateway.commands.conformance.findings import Facts
from gateway.commands.conformance.receipts import Told, receipt_of
from gateway.commands.conformance.trace import Trace
from gateway.commands.conformance.wire import Reply, Wire
from protocol import constants as c
from protocol import pdu as p
from protocol.address import classify
from protocol.tlv import TLVS

_BINDS: Final[dict[str, type[p.Bind]]] = {
    "transmitter": p.BindTransmitter,
    "receiver": p.BindReceiver,
    "transceiver": p.BindTransceiver,
}
_SC_INTERFACE_VERSION: Final = TLVS["sc_interface_version"].tag
_LEAVE: Final = 2.0
"""Seconds an unbind may take at the end, where nothing depends on it any more."""
_MOST_DELIVERED: Final = 1_000
"""Receipts looked at; a peer may have a backlog of them for this account."""


class Unreachable(Exception):
    """No TCP or TLS connection."""


class NotBound(Exception):
    """No session to do the step in."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """One receipt."""

    at: float
    """Seconds of the loop's clock."""
    pdu: p.Pdu


class Peer:
    """One run's dealings with the peer."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.budget = Budget(asked.rate, asked.most_pdus)
        self.trace = Trace()
        self.facts = Facts()
        self.delivered: list[Delivered] = []
        self.scheduled: tuple[str, p.SubmitSm] | None = None
        """A message to ask about: its id, and how it was submitted."""
        self.receipts_asked: list[str] = []
        """Ids of the messages that asked for a receipt."""
        self.receipts_told: list[Told] = []
        """The receipts that came for them."""
        self.left = 0
        """Requests of the peer that were no receipts, answered with a temporary error."""
        self.news = asyncio.Event()
        """Set with every receipt."""
        self.refusal = ""
        """Why there can be no bound session; empty as long as there can."""
        self.spoke_smpp = False
        self._wires: list[Wire] = []
        self._bound: dict[str, Wire] = {}
        self._turn = 0
        self._reference = int(time.time()) & 0xFF  # a run soon after another: other references

    # ---- connections

    async def connect(self) -> Wire:
        """A connection with nothing said on it yet; raises Unreachable."""
        asked = self.asked
        loop = asyncio.get_running_loop()
        tls = asked.tls
        number = len(self._wires) + 1
        try:
            _, wire = await asyncio.wait_for(
                loop.create_connection(
                    lambda: Wire(number, self.trace, asked.interface_version, self._take),
                    asked.host,
                    asked.port,
                    ssl=None if tls is None else tls.context,
                    server_hostname=None if tls is None else tls.server_name or asked.host,
                ),
                asked.timeout,
            )
        except TimeoutError:
            raise Unreachable(f"no connection in {asked.timeout:g} s") from None
        except ConnectionRefusedError:
            raise Unreachable("connection refused: nobody listens there") from None
        except OSError as error:  # unknown host, unreachable, TLS alert, certificate
            raise Unreachable(str(error)) from None
        self._wires.append(wire)
        return wire

    def bind_pdu(self, kind: str, password: str | None = None) -> p.Bind:
        """The bind of a kind, with the password asked for or another one."""
        asked = self.asked
        return _BINDS[kind](
            system_id=asked.system_id,
            password=asked.password if password is None else password,
            system_type=asked.system_type,
            interface_version=asked.interface_version,
        )

    async def bind(self, wire: Wire, kind: str, password: str | None = None) -> Reply:
        """Bind on a connection of its own."""
        await self.budget.take()
        reply = await wire.ask(self.bind_pdu(kind, password), self.asked.timeout)
        self.spoke_smpp = self.spoke_smpp or wire.spoke_smpp
        if reply.accepted and reply.pdu is not None:
            offered = reply.pdu.tlv(_SC_INTERFACE_VERSION)
            if offered:
                self.facts.sc_interface_version = offered[0]
        return reply

    async def session(self, kind: str) -> Wire:
        """The bound session of a kind, bound now if need be; raises NotBound."""
        wire = self._bound.get(kind)
        if wire is not None and wire.alive:
            return wire
        if self.refusal:
            raise NotBound(self.refusal)
        try:
            wire = await self.connect()
        except Unreachable as error:
            self.refusal = f"no connection: {error}"
            raise NotBound(self.refusal) from None
        reply = await self.bind(wire, kind)
        if not reply.accepted:
            wire.close()
            self.refusal = f"not bound as {kind}: {reply.words}"
            raise NotBound(self.refusal)
        self.facts.bound = True
        self._bound[kind] = wire
        return wire

    async def submitter(self) -> Wire:
        """The session that submits, with the one that receives beside it."""
        wire = await self.session(self.asked.kinds[0])
        await self.session(self.asked.kinds[-1])
        return wire

    async def leave(self, wire: Wire) -> Reply:
        """Unbind and close; at the end of a step that had a session of its own."""
        reply = await wire.ask_beside(p.Unbind(), min(self.asked.timeout, _LEAVE))
        wire.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(wire.closed), _LEAVE)
        return reply

    async def close(self) -> None:
        """Unbind what is bound and close what is open."""
        for wire in self._bound.values():
            if wire.alive:
                await self.leave(wire)
        for wire in self._wires:
            wire.close()
        for wire in self._wires:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(wire.closed), _LEAVE)

    async def answers(self, wire: Wire) -> Reply:
        """Whether the link still lives: an enquire_link."""
        await self.budget.take()
        return await wire.ask_beside(p.EnquireLink(), self.asked.timeout)

    # ---- messages

    def submit_pdu(self, cls: type[p.Pdu] = p.SubmitSm, **fields: Any) -> Any:
        """A submit_sm or data_sm with the sender and the next recipient asked for."""
        given: dict[str, Any] = self.source() | self.destination() | fields
        return cls(**given)

    def source(self, sender: str | None = None) -> dict[str, Any]:
        """Address fields of a sender; by default the first one asked for, or the operator's."""
        if sender is None:
            if not self.asked.senders:
                return {}
            sender = self.asked.senders[0]
        ton, npi = self.facts.sources.get(sender_kind(sender), classify(sender))
        return {
            "source_addr_ton": ton,
            "source_addr_npi": npi,
            "source_addr": sender.removeprefix("+"),
        }

    def destination(self) -> dict[str, Any]:
        """Address fields of the next recipient; several take turns."""
        number = self.asked.to[self._turn % len(self.asked.to)]
        self._turn += 1
        ton, npi = self.facts.destination or (c.TON_INTERNATIONAL, c.NPI_ISDN)
        return {"dest_addr_ton": ton, "dest_addr_npi": npi, "destination_addr": number}

    async def submit(self, **fields: Any) -> Reply:
        """One submit_sm and what came of it."""
        return await self.request(self.submit_pdu(**fields))

    async def request(self, pdu: p.Pdu) -> Reply:
        """Any request on the session that submits."""
        wire = await self.submitter()
        await self.budget.take()
        return await wire.ask(pdu, self.asked.timeout)

    def next_reference(self) -> int:
        """A reference for the parts of one long message."""
        self._reference += 1
        return self._reference

    def _take(self, pdu: p.Pdu, at: float) -> int:
        """Keep a receipt; leave what people wrote with the operator, for whom it is meant."""
        if receipt_of(pdu) is None:
            self.left += 1
            return c.ESME_RX_T_APPN
        if len(self.delivered) < _MOST_DELIVERED:
            self.delivered.append(Delivered(at, pdu))
        self.news.set()
        return c.ESME_ROK
