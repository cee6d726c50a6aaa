"""What strangers' servers do to a POST."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess

import pytest
from aiohttp import web
from yarl import URL

from gateway.events.post import MOST_RESPONSE, Poster

from .conftest import PATIENCE, Customer

HEADERS = {
    "webhook-id": "dlv_1",
    "webhook-timestamp": "1",
    "webhook-signature": "v1,x",
}


@pytest.fixture
async def poster():
    poster = Poster(0.2, allow_private=True)
    await poster.open()
    yield poster
    await poster.close()


@pytest.fixture
async def guarded():
    poster = Poster(2.0, allow_private=False)
    await poster.open()
    yield poster
    await poster.close()


async def post(poster, url, body=b"{}"):
    return await poster.post(URL(url), HEADERS, body)


@pytest.mark.parametrize("status", [200, 201, 204])
async def test_success(poster, customer, status):
    customer.otherwise["/hook"] = status
    reply = await post(poster, customer.url())
    assert (reply.result, reply.status, reply.error) == ("ok", status, "")
    assert 0 < reply.seconds < PATIENCE


@pytest.mark.parametrize(
    ("status", "result"), [(400, "client_error"), (404, "client_error"), (500, "server_error")]
)
async def test_refusals(poster, customer, status, result):
    customer.otherwise["/hook"] = status
    reply = await post(poster, customer.url())
    assert (reply.result, reply.status, reply.error) == (result, status, f"HTTP {status}")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(poster, customer, status):
    async def elsewhere(request):
        return web.Response(status=status, headers={"Location": customer.url("/private")})

    customer.otherwise["/hook"] = elsewhere
    reply = await post(poster, customer.url())
    assert (reply.result, reply.status) == ("redirect", status)
    assert customer.waiting("/hook") == 1
    assert customer.waiting("/private") == 0


async def test_the_timeout_is_for_the_whole_answer(poster, customer):
    gate = asyncio.Event()

    async def late(request):
        await gate.wait()
        return web.Response()

    customer.otherwise["/hook"] = late
    reply = await post(poster, customer.url())
    assert (reply.result, reply.status, reply.error) == ("timeout", 0, "no answer within 0.2 s")
    assert customer.waiting() == 1  # and it was not tried twice
    gate.set()


async def test_an_endless_answer_is_cut_off_and_counts(poster, customer):
    cut_off = asyncio.Event()

    async def endless(request):
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65_536)
        except ConnectionError:
            cut_off.set()
        return response

    customer.script["/hook"].append(endless)
    reply = await post(poster, customer.url())
    assert (reply.result, reply.status) == ("ok", 200)
    async with asyncio.timeout(PATIENCE):
        await cut_off.wait()
    assert (await post(poster, customer.url())).result == "ok"
    first, second = await customer.next(), await customer.next()
    assert first.connection != second.connection


async def test_a_large_answer_is_not_read_at_all(poster, customer):
    async def large(request):
        return web.Response(body=b"x" * (128 * MOST_RESPONSE))

    customer.script["/hook"].append(large)
    assert (await post(poster, customer.url())).result == "ok"
    assert (await post(poster, customer.url())).result == "ok"
    assert (await customer.next()).connection != (await customer.next()).connection


async def test_an_answer_whose_body_never_ends_counts_for_its_status(poster, customer):
    gate = asyncio.Event()

    async def trickle(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"ok")
        await gate.wait()
        return response

    customer.otherwise["/hook"] = trickle
    assert (await post(poster, customer.url())).result == "ok"
    gate.set()


async def test_connections_serve_again(poster, customer):
    for _ in range(3):
        await post(poster, customer.url())
    assert len({(await customer.next()).connection for _ in range(3)}) == 1


async def raw_server(*answers: bytes):
    """Answers each connection's first request with octets, then closes it."""
    script = list(answers)

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(script.pop(0))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def test_a_closed_connection_gets_one_more_chance(poster):
    server, url = await raw_server(b"", b"HTTP/1.1 204 No Content\r\n\r\n")
    async with server:
        assert (await post(poster, url)).result == "ok"


async def test_an_endpoint_that_only_closes(poster):
    server, url = await raw_server(b"", b"", b"HTTP/1.1 204 No Content\r\n\r\n")
    async with server:
        reply = await post(poster, url)
    assert (reply.result, reply.status) == ("disconnect", 0)


async def test_what_is_not_http(poster):
    server, url = await raw_server(b"SSH-2.0-OpenSSH\r\n\r\n", b"SSH-2.0-OpenSSH\r\n\r\n")
    async with server:
        assert (await post(poster, url)).result == "invalid"


async def test_a_header_beyond_measure(poster):
    huge = b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000 + b"\r\n\r\n"
    server, url = await raw_server(huge, huge)
    async with server:
        assert (await post(poster, url)).result == "invalid"


async def test_nobody_listens(poster, unused_tcp_port):
    reply = await post(poster, f"http://127.0.0.1:{unused_tcp_port}/")
    assert (reply.result, reply.error) == ("connect", "connection refused")


async def test_a_name_that_does_not_exist(poster):
    reply = await post(poster, "http://nowhere.invalid/")
    assert reply.result == "dns"


async def test_an_unusable_url(poster):
    assert (await post(poster, "ftp://c.example/")).result == "invalid"
    assert (await post(poster, "/hook")).result == "invalid"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]"]
)
async def test_private_targets_are_refused(guarded, customer, host):
    reply = await post(guarded, customer.url(host=host))
    assert reply.result == "forbidden"
    assert "may not reach" in reply.error
    assert customer.waiting() == 0


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1"])
async def test_other_spellings_of_loopback(guarded, customer, host):
    reply = await post(guarded, customer.url(host=host))
    assert reply.status == 0
    assert customer.waiting() == 0


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate")
async def test_certificates_are_verified(poster, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    await asyncio.to_thread(
        subprocess.run,
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    customer = Customer()
    await customer.start(ssl_context=context)
    reply = await post(poster, customer.url().replace("http:", "https:"))
    await customer.close()
    assert (reply.result, reply.status) == ("tls", 0)
    assert customer.waiting() == 0
