"""TLS towards an operator: both sides are who they say, or not a word is said."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bench.smsc import Behaviour, SimulatedSmsc
from config.settings import CarrierTls
from tests.dispatch.conftest import Log, Smsc, Start, carrier, settings

HERE = Path(__file__).parent
CERTIFICATE = str(HERE / "operator.pem")
"""Self-signed for `smsc.example`, valid until 2126, with its key; made with
`openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500
-subj /CN=smsc.example -addext subjectAltName=DNS:smsc.example`."""
EXPIRED = str(HERE / "expired.pem")
"""The same with a key of its own, valid from 2020 to 2021 (`openssl ca -selfsign -startdate
20200101000000Z -enddate 20210101000000Z`)."""
CLIENT = str(HERE / "client.pem")
"""Self-signed for `aldis.example`, made as the first."""

KNOWN = {"ca": CERTIFICATE, "server_name": "smsc.example"}

Operator = Callable[..., Awaitable[SimulatedSmsc]]


@pytest.fixture
async def operator() -> AsyncIterator[Operator]:
    """Simulated operators that speak TLS; `names` collects the SNI they are asked for."""
    async with AsyncExitStack() as stack:

        async def start(
            certificate: str = CERTIFICATE,
            client_ca: str | None = None,
            names: list[str] | None = None,
        ) -> SimulatedSmsc:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            if client_ca is not None:
                context.load_verify_locations(client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
            if names is not None:
                asked = names

                def note(sock: Any, name: str | None, context: ssl.SSLContext) -> None:
                    asked.append(name or "")

                context.sni_callback = note
            smsc = SimulatedSmsc(Behaviour(receipts={}), record=True, tls=context)
            return await stack.enter_async_context(smsc)

        yield start


async def test_an_operator_is_known_by_its_ca_and_name(operator: Operator, start: Start) -> None:
    names: list[str] = []
    smsc = await operator(names=names)
    world = await start(settings(carrier("op1", smsc, tls=CarrierTls(**KNOWN))))
    await world.store.put([46700000001])
    await world.store.sent(1)
    assert smsc.counters.submits == 1
    assert names == ["smsc.example"]


async def test_without_a_name_the_host_is_asked_for_and_must_match(
    operator: Operator, start: Start, log: Log
) -> None:
    names: list[str] = []
    smsc = await operator(names=names)
    hosts = (f"localhost:{smsc.port}",)
    world = await start(settings(carrier("op1", hosts=hosts, tls=CarrierTls(ca=CERTIFICATE))))
    await log.until("bind failed", 2)
    assert set(names) == {"localhost"}
    assert "Hostname mismatch" in world.statuses()["op1"].last_error
    assert smsc.counters.binds == 0


@pytest.mark.parametrize(
    ("certificate", "tls", "complaint"),
    [
        (CERTIFICATE, {"ca": CERTIFICATE, "server_name": "elsewhere.example"}, "Hostname mismatch"),
        (CERTIFICATE, {"server_name": "smsc.example"}, "self-signed certificate"),
        (CERTIFICATE, {"ca": CLIENT, "server_name": "smsc.example"}, "self-signed certificate"),
        (EXPIRED, {"ca": EXPIRED, "server_name": "smsc.example"}, "certificate has expired"),
    ],
    ids=["another name", "a CA nobody knows", "another CA", "expired"],
)
async def test_a_stranger_gets_no_password(
    operator: Operator,
    start: Start,
    certificate: str,
    tls: dict[str, Any],
    complaint: str,
    log: Log,
) -> None:
    stranger = await operator(certificate)
    world = await start(settings(carrier("op1", stranger, stranger, tls=CarrierTls(**tls))))
    # it never gets as far as a session, so only our log can tell that it was tried
    await log.until("bind failed", 2)
    assert world.metric("aldis_reconnects_total", carrier="op1", result="failed") >= 2
    assert stranger.counters.connections == stranger.counters.binds == 0
    assert complaint in world.statuses()["op1"].last_error
    assert all(complaint in vars(record)["error"] for record in log.of("bind failed"))


async def test_a_stranger_is_taken_where_nothing_is_verified(
    operator: Operator, start: Start
) -> None:
    stranger = await operator(EXPIRED)
    world = await start(settings(carrier("op1", stranger, tls=CarrierTls(verify=False))))
    await world.store.put([46700000001])
    await world.store.sent(1)


async def test_a_host_that_speaks_no_tls_gets_no_password(smsc: Smsc, start: Start) -> None:
    plain = await smsc()
    world = await start(settings(carrier("op1", plain, tls=CarrierTls(**KNOWN))))
    await plain.until(lambda: plain.counters.connections >= 2)
    assert plain.counters.binds == 0
    assert world.metric("aldis_reconnects_total", carrier="op1", result="failed") >= 1


async def test_a_client_certificate_is_shown_where_one_is_demanded(
    operator: Operator, start: Start
) -> None:
    smsc = await operator(client_ca=CLIENT)
    tls = CarrierTls(**KNOWN, certificate=CLIENT, key=CLIENT)
    world = await start(settings(carrier("op1", smsc, tls=tls)))
    await world.store.put([46700000001])
    await world.store.sent(1)
    assert smsc.counters.submits == 1


@pytest.mark.parametrize("own", [{}, {"certificate": EXPIRED, "key": EXPIRED}],
                         ids=["absent", "not the one agreed"])  # fmt: skip
async def test_without_the_client_certificate_nothing_is_bound(
    operator: Operator, start: Start, own: dict[str, str], log: Log
) -> None:
    smsc = await operator(client_ca=CLIENT)
    world = await start(settings(carrier("op1", smsc, tls=CarrierTls(**KNOWN, **own))))
    await log.until("bind failed", 2)
    assert smsc.counters.binds == 0
    assert world.statuses()["op1"].bound == 0


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_the_operators_alert_is_told(start: Start, log: Log, version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    context.load_verify_locations(CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = context.maximum_version = version

    def shake_hands(listener: socket.socket) -> None:
        # In a thread: asyncio's own server closes without sending the alert.
        for _ in range(2):
            sock, _ = listener.accept()
            with sock, pytest.raises(ssl.SSLError):
                context.wrap_socket(sock, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        ended = asyncio.ensure_future(asyncio.to_thread(shake_hands, listener))
        world = await start(settings(carrier("op1", hosts=(host,), tls=CarrierTls(**KNOWN))))
        await ended
        await log.until("bind failed", 2)
    assert "alert" in vars(log.of("bind failed")[0])["error"].lower()
    assert world.statuses()["op1"].bound == 0
