"""Hosts that are no operator of ours: another protocol, another name, another time."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from config.settings import CarrierTls
from gateway.model import Status
from tests.hostile.conftest import Site
from tests.hostile.operator import Session, well_behaved

pytestmark = pytest.mark.slow

VALID = str(Path(__file__).parents[1] / "dispatch" / "operator.pem")
"""Self-signed for `smsc.example`, valid until 2126, with its key."""
EXPIRED = str(Path(__file__).parent / "expired.pem")
"""The same, valid on the first day of 2020 only; made with `openssl ca -selfsign -startdate
20200101000000Z -enddate 20200102000000Z`."""


def server_tls(certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def http(session: Session) -> None:
    session.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    await session.gone()


async def ssh(session: Session) -> None:
    session.send(b"SSH-2.0-OpenSSH_9.6\r\n")
    await session.gone()


async def tls_alert(session: Session) -> None:
    session.send(bytes.fromhex("15030300020228"))
    await session.gone()


async def zeros(session: Session) -> None:
    session.send(bytes(1 << 20))
    await session.gone()


@pytest.mark.parametrize("script", [http, ssh, tls_alert, zeros])
async def test_what_is_not_smpp_costs_a_failed_attempt_and_no_password_twice(
    site: Site, script: Any
) -> None:
    world = await site(script)
    await world.counted("reconnects_total", 2, result="failed")
    assert world.dispatcher.status()[0].last_error == "framing"
    await world.holds()


async def test_a_host_that_floods_before_the_bind_is_left(site: Site) -> None:
    async def script(session: Session) -> None:
        while True:
            session.send(b"\0\1\0\0" + bytes(65_532))  # as long as a PDU may be, of no command
            await session.flush()

    world = await site(script)
    await world.counted("malformed_pdus_total", 100)
    await world.counted("reconnects_total", result="failed")
    await world.holds()


# ---- TLS


async def test_an_operator_with_its_own_ca_is_bound(site: Site) -> None:
    tls = CarrierTls(ca=VALID, server_name="smsc.example")
    world = await site(server_tls=server_tls(VALID), tls=tls)
    ids = await world.put(1)
    await world.settled(ids, Status.SENT)
    await world.holds()


STRANGERS = {
    "another name": (VALID, CarrierTls(ca=VALID, server_name="other.example"), "mismatch"),
    "self-signed": (VALID, CarrierTls(server_name="smsc.example"), "self-signed"),
    "expired": (EXPIRED, CarrierTls(ca=EXPIRED, server_name="smsc.example"), "expired"),
}


@pytest.mark.parametrize("name", STRANGERS)
async def test_a_certificate_that_does_not_hold_gets_no_octet_of_ours(
    site: Site, name: str
) -> None:
    certificate, tls, why = STRANGERS[name]
    heard: list[bytes] = []

    async def script(session: Session) -> None:
        heard.append(await session.gone())

    world = await site(script, server_tls=server_tls(certificate), tls=tls)
    await world.counted("reconnects_total", 2, result="failed")
    assert why in world.dispatcher.status()[0].last_error
    assert b"".join(heard) == b""
    await world.holds()


async def test_a_plain_operator_behind_a_tls_setting_is_a_failed_attempt(site: Site) -> None:
    async def script(session: Session) -> None:
        session.send(b"\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0\1")
        hello = await session.reader.read(3)
        assert hello[:2] == b"\x16\x03"  # a ClientHello, and no bind
        await session.gone()

    world = await site(script, tls=CarrierTls(ca=VALID, server_name="smsc.example"))
    await world.counted("reconnects_total", 2, result="failed")
    assert world.dispatcher.status()[0].last_error
    await world.holds()


async def test_a_tls_operator_behind_a_plain_setting_is_a_failed_attempt(site: Site) -> None:
    world = await site(well_behaved, server_tls=server_tls(VALID))
    await world.counted("reconnects_total", 2, result="failed")
    assert world.dispatcher.status()[0].bound == 0
    await world.holds()


async def test_a_tls_handshake_that_never_ends_is_given_up(site: Site) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x16\x03\x03")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    tls = CarrierTls(ca=VALID, server_name="smsc.example")
    world = await site(hosts=(host,), tls=tls, connect_timeout=0.1)
    await world.counted("reconnects_total", 2, result="failed")
    assert world.dispatcher.status()[0].last_error == "no answer in time"
    await world.holds()
    server.close()
