"""TLS towards an operator: verified, with the operator's own CA."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench.smsc import SimulatedSmsc
from config.settings import CarrierTls
from tests.dispatch.conftest import Smsc, Start, carrier, settings

HERE = Path(__file__).parent
CERTIFICATE = str(HERE / "operator.pem")
"""Self-signed for `smsc.example`, valid until 2126, with its key; made with
`openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500
-subj /CN=smsc.example -addext subjectAltName=DNS:smsc.example`."""


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


@pytest.fixture
async def operator(smsc: Smsc) -> AsyncIterator[tuple[SimulatedSmsc, str]]:
    """A simulated operator behind a TLS front, and the front's address."""
    plain = await smsc()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)

    async def front(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", plain.port)
        await asyncio.gather(_pipe(reader, inner_writer), _pipe(inner_reader, writer))

    server = await asyncio.start_server(front, "127.0.0.1", 0, ssl=context)
    yield plain, f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def test_an_operator_is_known_by_its_ca_and_name(
    operator: tuple[SimulatedSmsc, str], start: Start
) -> None:
    smsc, host = operator
    tls = CarrierTls(ca=CERTIFICATE, server_name="smsc.example")
    world = await start(settings(carrier("op1", hosts=(host,), tls=tls)))
    await world.store.put([46700000001])
    await world.store.sent(1)
    assert smsc.counters.submits == 1


@pytest.mark.parametrize(
    "tls",
    [
        CarrierTls(ca=CERTIFICATE, server_name="elsewhere.example"),
        CarrierTls(server_name="smsc.example"),
    ],
    ids=["another name", "a CA nobody knows"],
)
async def test_a_stranger_gets_no_password(
    operator: tuple[SimulatedSmsc, str], start: Start, tls: CarrierTls
) -> None:
    smsc, host = operator
    other = SimulatedSmsc()
    async with other:
        hosts = (host, f"127.0.0.1:{other.port}")
        world = await start(settings(carrier("op1", hosts=hosts, tls=tls)))
        # the second host does not speak TLS at all: both are tried, neither is bound
        await other.until(lambda: other.counters.connections >= 2)
        assert world.statuses()["op1"].bound == 0
        assert smsc.counters.binds == 0
        assert world.metric("aldis_reconnects_total", carrier="op1", result="failed") >= 2
