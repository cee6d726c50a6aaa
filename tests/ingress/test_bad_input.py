"""Everything a caller can get wrong, and the documented error for it."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from gateway.admission.numbering import Numbering
from gateway.ingress.http import call
from tests.ingress.client import Client
from tests.ingress.conftest import Rig

GOOD: dict[str, Any] = {"from": "ACME", "to": "+79161234567", "text": "Hello"}


pytestmark = pytest.mark.asyncio(loop_scope="module")


# One API for the whole module: nothing here is stored but by accident, and 150 start-ups are 10 s.
@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory, numbering: Numbering) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path_factory.mktemp("bad"), numbering, {"max_body": 100_000})
    await rig.start()
    yield rig
    await rig.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(rig: Rig) -> AsyncIterator[Client]:
    async with rig.client() as client:
        yield client


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "empty_body"),
        (b"  \n", 400, "empty_body"),
        (b"{", 400, "malformed_json"),
        (b"{'to': 1}", 400, "malformed_json"),
        (b'{"to":"1","text":"x"} trailing', 400, "malformed_json"),
        (b'\xef\xbb\xbf{"to":"1","text":"x"}', 400, "malformed_json"),
        (b'{"to":"1","text":"a\x00b"}', 400, "malformed_json"),
        (b'{"to":"1","text":"\xff"}', 400, "invalid_utf8"),
        (b'{"to":"1","text":"\xed\xa0\x80"}', 400, "invalid_utf8"),
        (rb'{"to":"1","text":"\ud800"}', 400, "lone_surrogate"),
        (rb'{"to":"1","text":"\udc00 "}', 400, "lone_surrogate"),
        (rb'{"to":"1","text":"\ud800\u0041"}', 400, "lone_surrogate"),
        (b"[]", 422, "invalid_type"),
        (b"null", 422, "invalid_type"),
        (b"[" * 90_000, 422, "invalid_type"),
        (b'{"to":"1","text":' + b"[" * 90_000, 422, "invalid_type"),
        (b'{"metadata":{"a":' + b"[" * 90_000, 422, "invalid_type"),
        (b'{"a":' * 10_000, 422, "unknown_field"),
    ],
)
async def test_bodies(client: Client, body: bytes, status: int, code: str) -> None:
    # A batch has no field `to`.
    paths = ["/v1/messages", "/v1/messages/estimate"] + ["/v1/batches"] * (b'"to"' not in body)
    for path in paths:
        reply = await client.post(path, body)
        assert (reply.status, reply.code) == (status, code)


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"text": 5}, "invalid_type", "#/text"),
        ({"to": 79161234567}, "invalid_type", "#/to"),
        ({"to": ["+79161234567", 5]}, "invalid_type", "#/to/1"),
        ({"vars": {"n": 1}}, "invalid_type", "#/vars"),
        ({"max_parts": "3"}, "invalid_type", "#/max_parts"),
        ({"transliterate": "yes"}, "invalid_type", "#/transliterate"),
        ({"template_id": "tpl_1"}, "unknown_field", "#/template_id"),
        ({"callback_url": "https://x"}, "unknown_field", "#/callback_url"),
        ({"a/b~c": 1}, "unknown_field", "#/a~1b~0c"),
        ({"category": "spam"}, "invalid_value", "#/category"),
        ({"priority": "urgent"}, "invalid_value", "#/priority"),
        ({"encoding": "utf-8"}, "invalid_value", "#/encoding"),
        ({"max_parts": 0}, "invalid_value", "#/max_parts"),
        ({"max_parts": 256}, "invalid_value", "#/max_parts"),
        ({"client_ref": "r" * 129}, "invalid_value", "#/client_ref"),
        ({"text": "t" * 40_001}, "invalid_value", "#/text"),
        ({"metadata": {"k": "v" * 501}}, "invalid_value", "#/metadata"),
        ({"metadata": {str(n): "" for n in range(51)}}, "invalid_value", "#/metadata"),
        ({"send_at": "tomorrow"}, "invalid_value", "#/send_at"),
        ({"send_at": "2026-11-20T00:00:00"}, "invalid_value", "#/send_at"),
        ({"send_at": "2026-02-30T00:00:00Z"}, "invalid_value", "#/send_at"),
        ({"send_at": 1795000000}, "invalid_type", "#/send_at"),
        ({"validity": "4 hours"}, "invalid_value", "#/validity"),
        ({"validity": "P1Y"}, "invalid_value", "#/validity"),
        ({"validity": 60}, "invalid_type", "#/validity"),
        ({"validity": "PT0S"}, "validity_expired", "#/validity"),
        ({"validity": "-PT1H"}, "validity_expired", "#/validity"),
        ({"validity": "P999999999D"}, "validity_expired", "#/validity"),
        ({"send_at": "9999-12-31T23:59:59-23:59"}, "validity_expired", "#/send_at"),
        ({"send_at": "0001-01-01T00:00:00+14:00"}, "validity_expired", "#/send_at"),
        ({"default_region": "Russia"}, "invalid_value", "#/default_region"),
        ({"text": "nul\0"}, "invalid_text", "#/text"),
        ({"from": "A\0"}, "invalid_text", "#/from"),
        ({"client_ref": "\0"}, "invalid_text", "#/client_ref"),
        ({"vars": {"a": "\0"}}, "invalid_text", "#/vars/a"),
        ({"metadata": {"\0": "a"}}, "invalid_text", "#/metadata"),
        ({"to": "+7916\ud83d\ude00"}, "invalid_number", "#/to"),
        ({"to": ""}, "invalid_number", "#/to"),
        ({"to": []}, "invalid_number", "#/to"),
        ({"to": "1" * 60_000}, "invalid_number", "#/to"),
    ],
)
async def test_fields(client: Client, change: dict[str, Any], code: str, pointer: str) -> None:
    reply = await client.post("/v1/messages", {**GOOD, **change})
    assert (reply.status, reply.code) == (422, code)
    (error,) = reply.json["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)


@pytest.mark.parametrize("field", ["to", "text"])
async def test_missing_fields_are_named(client: Client, field: str) -> None:
    body = {name: value for name, value in GOOD.items() if name != field}
    reply = await client.post("/v1/messages", body)
    assert (reply.status, reply.code) == (422, "missing_field")
    assert reply.json["errors"][0]["pointer"] == f"#/{field}"


async def test_details_tell_limit_and_size_and_never_the_value(client: Client) -> None:
    secret = "geheim" * 100
    reply = await client.post("/v1/messages", {**GOOD, "client_ref": secret})
    assert "128" in reply.json["detail"] and "600" in reply.json["detail"]
    for field in ("client_ref", "category", "send_at", "validity", "from", "to", "encoding"):
        reply = await client.post("/v1/messages", {**GOOD, field: secret})
        assert reply.status == 422
        assert "geheim" not in reply.body.decode()
    reply = await client.post("/v1/messages", {**GOOD, "category": "spam"})
    assert "transactional, service, informational, advertising" in reply.json["detail"]


async def test_recipients_are_pointed_at(client: Client) -> None:
    recipients = [{"to": "1"}, {"to": "2", "phone": "3"}]
    body = {"from": "ACME", "text": "x", "recipients": recipients}
    reply = await client.post("/v1/batches", body)
    assert reply.json["errors"][0]["pointer"] == "#/recipients/1/phone"


async def test_bodies_over_the_limit(client: Client) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 50_000

    over = json.dumps({**GOOD, "text": "x" * 100_000}).encode()
    packed = gzip.compress(b" " * 10_000_000)
    for body, headers in ((over, {}), (endless(), {}), (packed, {"Content-Encoding": "gzip"})):
        try:
            reply = await client.post("/v1/messages", body, headers=headers)
        except OSError:
            # The answer was sent and the connection closed while the client still wrote; some
            # clients report that instead. What matters: nobody read on.
            continue
        assert (reply.status, reply.code) == (413, "body_too_large")
    assert (await client.post("/v1/messages", json.dumps(GOOD).encode())).status == 202


async def test_chunked_and_compressed_bodies_are_taken(client: Client) -> None:
    raw = json.dumps(GOOD).encode()

    async def chunks() -> AsyncIterator[bytes]:
        for octet in raw:
            yield bytes([octet])

    assert (await client.post("/v1/messages", chunks())).status == 202
    packed = gzip.compress(raw)
    reply = await client.post("/v1/messages", packed, headers={"Content-Encoding": "gzip"})
    assert reply.status == 202


async def test_media_types(client: Client) -> None:
    for media in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
        reply = await client.post("/v1/messages", json.dumps(GOOD).encode(), media=media)
        assert (reply.status, reply.code) == (415, "unsupported_media_type")
    for good in ("application/json; charset=UTF-8", "Application/JSON", None):
        reply = await client.post("/v1/messages", json.dumps(GOOD).encode(), media=good)
        assert reply.status == 202
    latin = "application/json; charset=latin-1"
    assert (await client.post("/v1/messages", b"{}", media=latin)).status == 415


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/v1/messages", "GET, POST, HEAD"),
        ("PUT", "/v1/messages/msg_0000000000000", "GET, HEAD"),
        ("GET", "/v1/messages/estimate", "POST"),
        ("GET", "/v1/batches/bat_0000000000000/start", "POST"),
        ("OPTIONS", "/v1/messages", "GET, POST, HEAD"),
    ],
)
async def test_wrong_methods(client: Client, method: str, path: str, allow: str) -> None:
    reply = await client.call(method, path)
    assert (reply.status, reply.code) == (405, "method_not_allowed")
    assert reply.headers["Allow"] == allow


@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v1/", "/v2/messages", "/v1/messages/", "/v1/messages/x/y/z", "//v1/messages",
     "/v1/messages/x/retry", "/openapi.json/", "/v1/batches/{id}/start/", "/..%2f..%2fetc"],
)  # fmt: skip
async def test_unknown_paths(client: Client, path: str) -> None:
    reply = await client.get(path)
    assert (reply.status, reply.code) == (404, "not_found")


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=x", "limit=-1", "limit=1&limit=2", "limit=%D9%A1",
     "cursor=12", "cursor=msg_0000000000000", "status=lost", "offset=5", "to=abc", "to=1",
     "from_time=yesterday", "from_time=2026-11-18T00:00:00", "batch=msg_0000000000000",
     "client_ref=%00", "client_ref=%ff"],
)  # fmt: skip
async def test_wrong_parameters(client: Client, query: str) -> None:
    reply = await client.get(f"/v1/messages?{query}")
    assert (reply.status, reply.code) == (400, "invalid_parameter")
    if query != "client_ref=%ff":
        assert reply.json["errors"][0]["parameter"] == query.partition("=")[0]


async def raw(rig: Rig, request: bytes) -> tuple[int, dict[str, str], Any]:
    """One request as octets, for what no client library will send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.api.port)
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    fields = {
        name.lower(): value
        for name, _, value in (line.partition(": ") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(fields["content-length"]))
    if int(head[0].split()[1]) in (400, 431):
        assert await reader.read() == b"", "the connection should have been closed"
    writer.close()
    return int(head[0].split()[1]), fields, json.loads(body)


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431, "header_too_large"),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", 431, "header_too_large"),
        (b"BREW / HTTP/1.1\r\n\r\n", 400, "bad_request"),
        (b"GARBAGE\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nBad Header\r\n\r\n", 400, "bad_request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 500 + b"\r\n", 400, "bad_request"),
    ],
)
async def test_what_is_not_http(rig: Rig, request_: bytes, status: int, code: str) -> None:
    got, fields, body = await raw(rig, request_)
    assert (got, body["code"], body["status"]) == (status, code, status)
    assert fields["content-type"] == "application/problem+json"
    assert fields["x-request-id"] == body["request_id"]


async def test_a_body_longer_than_allowed_is_not_even_asked_for(client: Client, rig: Rig) -> None:
    request = (
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
        + (client.key or "").encode()
        + b"\r\nContent-Type: application/json\r\nContent-Length: 100001\r\n"
        b"Expect: 100-continue\r\n\r\n"
    )
    status, _, body = await raw(rig, request)
    assert (status, body["code"]) == (413, "body_too_large")


async def test_a_body_that_was_announced_is_asked_for(client: Client, rig: Rig) -> None:
    payload = json.dumps(GOOD).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.api.port)
    writer.write(
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
        + (client.key or "").encode()
        + b"\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % len(payload)
        + b"Expect: 100-continue\r\n\r\n"
    )
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(payload)
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 202 ")
    writer.close()


async def test_broken_codings(client: Client, rig: Rig) -> None:
    reply = await client.post("/v1/messages", b"not gzip", headers={"Content-Encoding": "gzip"})
    assert (reply.status, reply.code) == (400, "bad_request")
    head = (
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
        + (client.key or "").encode()
        + b"\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    status, _, body = await raw(rig, head + b"5\r\n{    \r\nxyz\r\n")
    assert (status, body["code"]) == (400, "bad_request")


async def test_bodies_that_stall(client: Client, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call, "STALL", 0.01)

    async def stalling() -> AsyncIterator[bytes]:
        yield b'{"to":'
        await asyncio.Event().wait()

    reply = await client.post("/v1/messages", stalling())
    assert (reply.status, reply.code) == (408, "request_timeout")


async def test_all_bodies_together_have_a_limit(
    client: Client, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call, "BUFFERED", 50_000)

    async def large() -> AsyncIterator[bytes]:
        yield b" " * 60_000
        await asyncio.Event().wait()

    reply = await client.post("/v1/messages", large())
    assert (reply.status, reply.code) == (503, "overloaded")
    assert reply.headers["Retry-After"] == "1"
    assert (await client.post("/v1/messages", GOOD)).status == 202


async def test_request_ids(client: Client) -> None:
    reply = await client.get("/v1/messages", headers={"X-Request-Id": "caller-7.A:b_c"})
    assert reply.headers["X-Request-Id"] == "caller-7.A:b_c"
    made = set()
    for given in ("", "a b", "x" * 129, "<script>"):
        reply = await client.get("/v1/messages/x", headers={"X-Request-Id": given})
        made.add(reply.headers["X-Request-Id"])
        assert reply.headers["X-Request-Id"].startswith("req_")
        assert reply.json["instance"] == f"urn:aldis:request:{reply.json['request_id']}"
    assert len(made) == 4


async def test_head_is_get_without_a_body(client: Client) -> None:
    reply = await client.call("HEAD", "/v1/messages")
    assert (reply.status, reply.body) == (200, b"")
