"""An ESME of a few lines, through the codec and over a real socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from bench.smsc import Behaviour, SimulatedSmsc
from protocol import constants as c
from protocol.pdu import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DeliverSm,
    Pdu,
    SubmitSm,
    decode,
    encode,
    response_to,
)

BINDS = {"trx": BindTransceiver, "tx": BindTransmitter, "rx": BindReceiver}


class Esme:
    """One connection; `read` gives PDUs in the order of the wire."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.sequence = 0

    def send(self, *pdus: Pdu) -> None:
        """Number requests and write all of it at once."""
        octets = b""
        for pdu in pdus:
            if not pdu.command_id & c.RESPONSE_BIT:
                self.sequence += 1
                pdu.sequence_number = self.sequence
            octets += encode(pdu)
        self.writer.write(octets)

    async def read(self) -> Pdu:
        """The next PDU; IncompleteReadError when the operator has hung up."""
        async with asyncio.timeout(5):
            length = await self.reader.readexactly(4)
            rest = await self.reader.readexactly(int.from_bytes(length, "big") - 4)
        return decode(length + rest)

    async def ask(self, pdu: Pdu) -> Pdu:
        """Send a request and read one PDU."""
        self.send(pdu)
        return await self.read()

    async def bind(self, kind: str = "trx", system_id: str = "esme", password: str = "") -> Pdu:
        """Bind and return the response."""
        cls = BINDS[kind]
        return await self.ask(cls(system_id=system_id, password=password, interface_version=0x34))

    async def receipt(self) -> DeliverSm:
        """Read a deliver_sm and acknowledge it."""
        pdu = await self.read()
        assert isinstance(pdu, DeliverSm)
        self.send(response_to(pdu))
        return pdu


def submit(destination: str = "46700000001", **fields: object) -> SubmitSm:
    """A submit_sm that asks for a receipt."""
    given = {"source_addr": "ALDIS", "short_message": b"Hello", "registered_delivery": 1}
    return SubmitSm(destination_addr=destination, **(given | fields))


Connect = Callable[[SimulatedSmsc], Awaitable[Esme]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Connections that are closed at the end."""
    opened: list[Esme] = []

    async def open_connection(smsc: SimulatedSmsc) -> Esme:
        esme = Esme(*await asyncio.open_connection("127.0.0.1", smsc.port))
        opened.append(esme)
        return esme

    yield open_connection
    for esme in opened:
        esme.writer.close()


Start = Callable[..., Awaitable[tuple[SimulatedSmsc, Esme]]]


@pytest.fixture
async def start(connect: Connect) -> AsyncIterator[Start]:
    """An operator that behaves so, and a bound ESME."""
    async with AsyncExitStack() as stack:

        async def operator(kind: str = "trx", **behaviour: object) -> tuple[SimulatedSmsc, Esme]:
            smsc = SimulatedSmsc(Behaviour(**behaviour), record=True)  # type: ignore[arg-type]
            await stack.enter_async_context(smsc)
            esme = await connect(smsc)
            assert (await esme.bind(kind)).command_status == c.ESME_ROK
            return smsc, esme

        yield operator
