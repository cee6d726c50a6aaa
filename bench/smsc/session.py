"""One TCP connection to the simulated operator.

In: whole reads. Out: one write per read, and what timers add. submit_sm and deliver_sm_resp are cut
out of the octets by hand, a read at a time (a submit_sm through the codec takes 4 µs, this way
0.7); everything else goes through `protocol.pdu`. What becomes of submits is `answers`'; the
session binds, enquires, unbinds, delivers, and refuses what cannot be read.
"""

import asyncio
from collections.abc import Sequence
from struct import Struct
from typing import TYPE_CHECKING, Final, cast

from bench.smsc.answers import Answers
from bench.smsc.esme import Inbound
from protocol import constants as c
from protocol.errors import LinkError, PduError
from protocol.pdu import (
    PDUS,
    Bind,
    DataSm,
    EnquireLink,
    GenericNack,
    Pdu,
    SubmitMulti,
    SubmitSm,
    decode,
    encode,
    read_header,
    response_to,
)

if TYPE_CHECKING:
    from bench.smsc.esme import Esme
    from bench.smsc.server import SimulatedSmsc

SYSTEM_ID: Final = "aldis-smsc"

_HEADER: Final = Struct(">IIII")
_SC_INTERFACE_VERSION: Final = 0x0210
_TEMPORARY: Final = frozenset(
    {c.ESME_RX_T_APPN, c.ESME_RMSGQFUL, c.ESME_RTHROTTLED, c.ESME_RSYSERR}
)
_TRANSMITS: Final = frozenset({c.BIND_TRANSMITTER, c.BIND_TRANSCEIVER})
_RECEIVES: Final = frozenset({c.BIND_RECEIVER, c.BIND_TRANSCEIVER})
# What a simulated operator cannot do, as an operator says it.
_UNSUPPORTED: Final = {
    c.QUERY_SM: c.ESME_RQUERYFAIL,
    c.CANCEL_SM: c.ESME_RCANCELFAIL,
    c.REPLACE_SM: c.ESME_RREPLACEFAIL,
}


class Session(asyncio.Protocol):
    """A connection from its first octet to its last; bound to one system_id in between."""

    def __init__(self, smsc: "SimulatedSmsc", number: int) -> None:
        self.number = number
        self.esme: Esme | None = None
        self.bound_by = 0
        """command_id of the bind that succeeded, 0 before it."""
        self.unacknowledged: dict[int, bytes] = {}
        """deliver_sm without a response yet: sequence_number -> body."""
        self._smsc = smsc
        self._transport: asyncio.Transport
        self._tail = b""
        self._out: list[bytes] = []
        self._reading = False
        self._paused = False
        self._closed = False
        self._sequence = 0
        self._enquirer: asyncio.TimerHandle | None = None
        self._answers = Answers(self, smsc)

    # ---- what tests and the mailbox ask of a bind

    @property
    def owner(self) -> "Esme":
        """The system_id it is bound to; only for bound sessions."""
        assert self.esme is not None
        return self.esme

    @property
    def closed(self) -> bool:
        """Whether nothing more can be sent."""
        return self._closed

    @property
    def room(self) -> int:
        """How many deliver_sm it can take now."""
        if self.bound_by not in _RECEIVES or self._paused or self._closed:
            return 0
        return max(0, self._smsc.behaviour.deliver_window - len(self.unacknowledged))

    def deliver(self, bodies: Sequence[bytes]) -> None:
        """Queue a deliver_sm for each body; `flush` writes them."""
        first = self._sequence + 1
        if first + len(bodies) > c.MAX_SEQUENCE:
            first = 1
        self._sequence = first + len(bodies) - 1
        numbers = range(first, first + len(bodies))
        self.unacknowledged.update(zip(numbers, bodies, strict=True))
        pack = _HEADER.pack
        self._out += [
            pack(16 + len(body), c.DELIVER_SM, 0, number) + body
            for number, body in zip(numbers, bodies, strict=True)
        ]
        self._smsc.counters.delivers_sent += len(bodies)

    def queue(self, octets: Sequence[bytes]) -> None:
        """Queue whole PDUs; `flush` writes them."""
        self._out += octets

    def send(self, pdu: Pdu) -> None:
        """Send any PDU: a request of our own (it is numbered), or a response nobody expects."""
        if not pdu.command_id & c.RESPONSE_BIT and not pdu.sequence_number:
            self._sequence += 1
            pdu.sequence_number = self._sequence
        self.send_octets(encode(pdu))

    def send_octets(self, octets: bytes) -> None:
        """Send anything at all."""
        self._out.append(octets)
        self.flush()

    def hang_up(self) -> None:
        """Close the connection once what is queued is written, without unbind."""
        self.flush(now=True)
        self._closed = True
        self._transport.close()

    def abort(self) -> None:
        """Break the connection: what is queued is lost, the peer sees a reset."""
        self._closed = True
        self._transport.abort()

    def flush(self, *, now: bool = False) -> None:
        """Write what is queued; during a read that is left to its end, unless `now`."""
        if self._out and (now or not self._reading):
            self._transport.write(b"".join(self._out))
            self._out.clear()

    # ---- the socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._smsc.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True
        self._answers.drop()
        if self._enquirer is not None:
            self._enquirer.cancel()
        self._smsc.disconnected(self)
        esme = self.esme
        if esme is None:
            return
        esme.binds.remove(self)
        lost = list(self.unacknowledged.values())
        self.unacknowledged.clear()
        if self._smsc.behaviour.resend:
            esme.give_back(lost)
        else:
            self._smsc.counters.delivers_dropped += len(lost)

    def pause_writing(self) -> None:
        """The peer does not read: neither answer more of it nor deliver more to it."""
        self._paused = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._paused = False
        self._transport.resume_reading()
        if self.esme is not None:
            self.esme.pump()

    def data_received(self, data: bytes) -> None:
        self._reading = True
        try:
            self._tail = self._read(self._tail + data if self._tail else data)
        except LinkError as error:
            self._smsc.counters.malformed += 1
            self._out.append(encode(GenericNack(command_status=error.command_status)))
            self._reading = False
            self.hang_up()
        self._reading = False
        if self.esme is not None and self.esme.pending and self.room:
            self.esme.pump()
        self.flush()
        self._smsc.changed()

    def _read(self, data: bytes) -> bytes:
        """Take every whole PDU and return what is left."""
        unpack = _HEADER.unpack_from
        find = data.index
        transmits = self.bound_by in _TRANSMITS
        numbers: list[int] = []
        parties: list[bytes] = []
        wishes: list[int] = []
        spans: list[tuple[int, int]] = []
        acknowledged: list[int] = []
        size = len(data)
        pos = 0
        while size - pos >= c.HEADER_LENGTH and not self._closed:
            length, command_id, command_status, number = unpack(data, pos)
            end = pos + length
            if end > size or length < c.HEADER_LENGTH or length > c.MAX_PDU:
                read_header(data, pos)
                break
            if command_id == c.DELIVER_SM_RESP and command_status == 0:
                acknowledged.append(number)
                pos = end
                continue
            if command_id == c.SUBMIT_SM and transmits:
                # service_type, source, destination, then up to validity_period, each to its NUL.
                try:
                    service = find(0, pos + 16)
                    source = find(0, service + 3)
                    destination = find(0, source + 3)
                    schedule = find(0, destination + 4)
                    validity = find(0, schedule + 1)
                    whole = validity + 6 + data[validity + 5] <= end
                except (ValueError, IndexError):
                    whole = False
                if whole:
                    numbers.append(number)
                    parties.append(
                        data[source + 1 : destination + 1] + data[service + 1 : source + 1]
                    )
                    wishes.append(data[validity + 1])
                    spans.append((pos, end))
                    pos = end
                    continue
            # Answers keep the order of the requests.
            if numbers:
                self._answers.take(data, numbers, parties, wishes, spans)
                numbers, parties, wishes, spans = [], [], [], []
                if self._closed:
                    break
            self._other(data, pos, end, command_id, command_status, number)
            transmits = self.bound_by in _TRANSMITS
            pos = end
        if acknowledged:
            self._acknowledged(acknowledged)
        if numbers and not self._closed:
            self._answers.take(data, numbers, parties, wishes, spans)
        return data[pos:]

    def _acknowledged(self, numbers: list[int]) -> None:
        counters = self._smsc.counters
        pop = self.unacknowledged.pop
        for number in numbers:
            body = pop(number, None)
            if body is None:
                counters.malformed += 1  # a response to nothing
                continue
            counters.delivers_acknowledged += 1
            if type(body) is Inbound:
                counters.inbound_acknowledged += 1

    # ---- everything else, through the codec

    def _other(
        self, data: bytes, pos: int, end: int, command_id: int, command_status: int, number: int
    ) -> None:
        smsc = self._smsc
        if command_id == c.DELIVER_SM_RESP:
            self._deliver_refused(number, command_status)
            return
        if command_id & c.RESPONSE_BIT:
            return  # the answer to an enquire_link or unbind of ours, or to nothing
        try:
            pdu = decode(data, pos, end)
        except PduError as error:
            smsc.counters.malformed += 1
            cls = PDUS.get(command_id | c.RESPONSE_BIT)
            kind = cls if cls is not None and command_id in PDUS else GenericNack
            self._out.append(
                encode(kind(command_status=error.command_status, sequence_number=number))
            )
            return
        if isinstance(pdu, Bind):
            self._bind(pdu)
        elif command_id == c.ENQUIRE_LINK:
            smsc.counters.enquire_links += 1
            if smsc.behaviour.answer_enquire_link:
                self._out.append(encode(response_to(pdu)))
        elif command_id == c.UNBIND:
            self._unbind(pdu)
        elif isinstance(pdu, (SubmitSm, DataSm, SubmitMulti)):
            if self.bound_by not in _TRANSMITS:
                self._out.append(encode(response_to(pdu, c.ESME_RINVBNDSTS)))
            elif isinstance(pdu, SubmitSm):
                wish = pdu.registered_delivery
                parties = _parties(pdu)
                self._answers.take(data, [pdu.sequence_number], parties, [wish], [(pos, end)])
            else:
                self._take(pdu)
        elif PDUS.get(command_id | c.RESPONSE_BIT) is not None:
            status = _UNSUPPORTED.get(command_id, c.ESME_RINVCMDID)
            self._out.append(encode(response_to(pdu, status)))

    def _take(self, pdu: DataSm | SubmitMulti) -> None:
        """Answer a data_sm or submit_multi at once, with receipts but none of the faults."""
        counters = self._smsc.counters
        counters.submits += 1
        counters.accepted += 1
        counters.answered += 1
        parties = _parties(pdu)
        ids = self._smsc.take_ids(1)
        write_id, _ = self._smsc.id_writers
        self._out.append(encode(response_to(pdu, message_id=write_id(ids[0]).decode())))
        for party in parties:  # one id, and a receipt from every recipient
            self._answers.make_receipts(ids, [party], [pdu.registered_delivery], 0.0)

    def _deliver_refused(self, number: int, command_status: int) -> None:
        counters = self._smsc.counters
        body = self.unacknowledged.pop(number, None)
        if body is None:
            counters.malformed += 1
            return
        counters.delivers_refused += 1
        if command_status in _TEMPORARY:
            counters.delivers_resent += 1
            self.owner.post((body,), self._smsc.behaviour.retry_after, self)

    def _bind(self, pdu: Bind) -> None:
        smsc = self._smsc
        behaviour = smsc.behaviour
        if behaviour.bind_silence:
            return
        status = behaviour.refuse_bind or self._bind_status(pdu)
        if status:
            smsc.counters.binds_refused += 1
            self._out.append(encode(response_to(pdu, status)))
            return
        response = response_to(pdu, system_id=SYSTEM_ID)
        if pdu.interface_version >= c.INTERFACE_VERSION_34:
            # §7.4.4: an ESME of 3.3 must see no TLVs.
            response.tlvs = ((_SC_INTERFACE_VERSION, bytes((c.INTERFACE_VERSION_34,))),)
        self._out.append(encode(response))
        smsc.counters.binds += 1
        self.bound_by = pdu.command_id
        self.esme = smsc.esme(pdu.system_id)
        self.esme.binds.append(self)
        if behaviour.enquire_interval:
            self._enquire_later(behaviour.enquire_interval)

    def _bind_status(self, pdu: Bind) -> int:
        behaviour = self._smsc.behaviour
        if self.bound_by:
            return c.ESME_RALYBND
        if behaviour.credentials:
            password = behaviour.credentials.get(pdu.system_id)
            if password is None:
                return c.ESME_RINVSYSID
            if password != pdu.password:
                return c.ESME_RINVPASWD
        esme = self._smsc.esmes.get(pdu.system_id)
        if behaviour.max_binds and esme and len(esme.binds) >= behaviour.max_binds:
            return c.ESME_RBINDFAIL
        return c.ESME_ROK

    def _unbind(self, pdu: Pdu) -> None:
        """Answer what is still owed, then the unbind."""
        self._answers.settle()
        self._out.append(encode(response_to(pdu)))
        self.hang_up()

    def _enquire_later(self, interval: float) -> None:
        def enquire() -> None:
            self.send(EnquireLink())
            self._enquire_later(interval)

        self._enquirer = self._smsc.loop.call_later(interval, enquire)


def _parties(pdu: SubmitSm | DataSm | SubmitMulti) -> list[bytes]:
    """Recipient and sender of each message, as they stand in a deliver_sm body after the swap."""
    source = bytes((pdu.source_addr_ton, pdu.source_addr_npi))
    source += pdu.source_addr.encode("latin-1") + b"\0"
    if isinstance(pdu, SubmitMulti):
        return [
            bytes((to.ton, to.npi)) + to.addr.encode("latin-1") + b"\0" + source
            for to in pdu.dest_address
            if not isinstance(to, str)  # distribution lists are the operator's own
        ]
    recipient = bytes((pdu.dest_addr_ton, pdu.dest_addr_npi))
    return [recipient + pdu.destination_addr.encode("latin-1") + b"\0" + source]
