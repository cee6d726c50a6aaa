"""The simulated operator: a listening socket, its sessions, and what they share.

In: a `Behaviour`, exchangeable at any moment. Out: real SMPP over real TCP, counters, records.

    async with SimulatedSmsc(Behaviour(latency=0.01), record=True) as smsc:
        ...connect to 127.0.0.1:smsc.port...
        await smsc.until(lambda: smsc.counters.submits >= 3)
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

from bench.smsc import receipts
from bench.smsc.behaviour import Behaviour
from bench.smsc.esme import Esme, Inbound
from bench.smsc.record import Audit, Counters, Submit
from bench.smsc.session import Session
from bench.smsc.verdict import SILENT, Judge, Script
from protocol.pdu import DeliverSm, Outbind, Pdu, body
from protocol.segment import UDH8, frame, segment

_BACKLOG: Final = 512
_MO_TICK: Final = 0.05  # made-up inbound messages come in handfuls


class SimulatedSmsc:
    """An operator on one port; `async with`, or `start` and `stop`.

    record        keep every submit in `submits`, the first `record_limit` of them
    audit         count submits per destination in another process's reach; see `Audit`
    seed          makes the dice fall the same way each time
    first_id      number of the first message id; distinct for operators that run one after another
    tls           speak TLS with this server context
    """

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        record: bool = False,
        record_limit: int = 100_000,
        audit: Audit | None = None,
        seed: int = 1,
        first_id: int = 1_000_000_001,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.counters = Counters()
        self.submits: list[Submit] = []
        self.record = record
        self.record_limit = record_limit
        self.audit = audit
        self.script: Script = Script()
        """Verdicts for the next submits, before chance has its turn: a command_status or SILENT."""
        self.dice = Random(seed)
        self.sessions: list[Session] = []
        self.esmes: dict[str, Esme] = {}
        self.loop: asyncio.AbstractEventLoop
        self._next_id = first_id
        self._tls = tls
        self._next_session = 1
        self._reference = 0
        self._server: asyncio.Server | None = None
        self._mo_timer: asyncio.TimerHandle | None = None
        self._mo_owed = 0.0
        self._mo_number = 0
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self.behaviour = behaviour or Behaviour()

    @property
    def behaviour(self) -> Behaviour:
        """What is in force; assign another one at any moment."""
        return self.judge.behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self.judge = Judge(behaviour)
        self.id_writers = receipts.id_writers(behaviour)
        for esme in self.esmes.values():
            esme.pump()  # the window for deliver_sm may have grown
        if self._server is not None:
            self._time_inbound()

    # ---- life

    async def __aenter__(self) -> "SimulatedSmsc":
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()
        for esme in self.esmes.values():
            esme.clear()

    async def start(self) -> None:
        """Listen. After a `stop` on the same port as before, with everything undelivered kept."""
        self.loop = asyncio.get_running_loop()
        self._server = await self.loop.create_server(
            self._session, self.host, self.port, backlog=_BACKLOG, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._time_inbound()

    async def stop(self) -> None:
        """Stop listening and break every connection."""
        if self._mo_timer is not None:
            self._mo_timer.cancel()
            self._mo_timer = None
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for session in list(self.sessions):
            session.abort()
        await self.until(lambda: not self.sessions)
        await server.wait_closed()

    def hang_up(self) -> None:
        """Close every connection without unbind; new ones are accepted."""
        for session in list(self.sessions):
            session.hang_up()

    # ---- for tests

    async def until(self, condition: Callable[[], bool], timeout: float = 10.0) -> None:
        """Return once `condition` holds; it is looked at after whatever changes a counter."""
        if condition():
            return
        future: asyncio.Future[None] = self.loop.create_future()
        self._waiters.append((condition, future))
        await asyncio.wait_for(future, timeout)

    @property
    def binds(self) -> list[Session]:
        """The bound sessions, in order of connection."""
        return [session for session in self.sessions if session.bound_by]

    @property
    def undelivered(self) -> int:
        """deliver_sm that nobody has acknowledged yet."""
        return sum(esme.undelivered for esme in self.esmes.values())

    def stay_silent(self, count: int = 1) -> None:
        """Take the next submits and never answer them."""
        self.script.extend([SILENT] * count)

    def send_mo(
        self,
        source: str,
        destination: str,
        text: str,
        *,
        system_id: str | None = None,
        mode: str = UDH8,
        parts: Sequence[int] | None = None,
    ) -> int:
        """Deliver an inbound message; how many deliver_sm that takes.

        system_id: whose binds get it; without it the one ESME there is. mode: how a long text is
        tied together, as in `protocol.segment`. parts: which parts (from 1) and in which order, to
        leave some out, shuffle or repeat them.
        """
        if system_id is None:
            (system_id,) = self.esmes
        segments = segment(text, mode=mode)
        self._reference += 1
        pdus: list[Pdu] = [
            DeliverSm(
                source_addr_ton=1,
                source_addr_npi=1,
                source_addr=source,
                dest_addr_ton=1,
                dest_addr_npi=1,
                destination_addr=destination,
                esm_class=esm_class,
                data_coding=segments.data_coding,
                short_message=short_message,
                tlvs=tlvs,
            )
            for esm_class, short_message, tlvs in frame(segments, self._reference)
        ]
        if parts is not None:
            pdus = [pdus[part - 1] for part in parts]
        self.counters.inbound += len(pdus)
        esme = self.esme(system_id)
        esme.post([Inbound(body(pdu)) for pdu in pdus])
        for bind in esme.binds:
            bind.flush()
        return len(pdus)

    async def call(
        self, host: str, port: int, *, system_id: str = "simulator", password: str = ""
    ) -> Session:
        """Connect to an ESME and send outbind; what it binds is served like any other session."""
        _, session = await self.loop.create_connection(self._session, host, port)
        session.send(Outbind(system_id=system_id, password=password))
        return session

    # ---- for sessions

    def connected(self, session: Session) -> None:
        """A connection was made."""
        self.counters.connections += 1
        self.sessions.append(session)
        self.changed()

    def disconnected(self, session: Session) -> None:
        """A connection is gone."""
        self.sessions.remove(session)
        self.changed()

    def esme(self, system_id: str) -> Esme:
        """What is kept for a system_id, from its first bind on."""
        found = self.esmes.get(system_id)
        if found is None:
            found = self.esmes[system_id] = Esme(system_id, self.loop, self.counters)
        return found

    def take_ids(self, count: int) -> range:
        """Numbers of as many message ids."""
        first = self._next_id
        self._next_id += count
        return range(first, first + count)

    def changed(self) -> None:
        """Wake those whose condition holds now."""
        if not self._waiters:
            return
        waiting, self._waiters = self._waiters, []
        for condition, future in waiting:
            if future.done():
                continue
            if condition():
                future.set_result(None)
            else:
                self._waiters.append((condition, future))

    def statistics(self) -> dict[str, Any]:
        """Counters and the present state, for JSON."""
        return self.counters.as_dict() | {
            "sessions": len(self.sessions),
            "bound": len(self.binds),
            "undelivered": self.undelivered,
        }

    def _session(self) -> Session:
        session = Session(self, self._next_session)
        self._next_session += 1
        return session

    # ---- made-up inbound messages

    def _time_inbound(self) -> None:
        if self._mo_timer is None and self.behaviour.mo_rate:
            self._mo_timer = self.loop.call_later(_MO_TICK, self._make_inbound)

    def _make_inbound(self) -> None:
        self._mo_timer = None
        behaviour = self.behaviour
        self._mo_owed += behaviour.mo_rate * _MO_TICK
        count = int(self._mo_owed)
        self._mo_owed -= count
        for esme in self.esmes.values():
            if not esme.binds:
                continue  # nobody would have asked for them
            for _ in range(count):
                self._mo_number = (self._mo_number + 1) % 10_000_000
                source = f"4670{self._mo_number:07d}"
                self.send_mo(
                    source,
                    behaviour.mo_destination,
                    behaviour.mo_text,
                    system_id=esme.system_id,
                )
        self._time_inbound()
