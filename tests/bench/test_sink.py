"""The webhook sink: what it counts, what it notices, how it fails."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from bench.processes import Sink as SinkProcess
from bench.processes import get_json, request
from bench.sink import Sink, SinkBehaviour

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def _body(*events: tuple[str, str, int], type: str = "message.status_batch") -> bytes:
    return json.dumps(
        {
            "type": type,
            "data": [
                {"message": f"msg_{name}", "status": status, "sequence": sequence, "to": f"+{name}"}
                for name, status, sequence in events
            ],
        }
    ).encode()


async def _post(sink: Sink, body: bytes, *headers: str) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", sink.port)
    lines = [f"POST /events HTTP/1.1\r\nContent-Length: {len(body)}", *headers, "", ""]
    writer.write("\r\n".join(lines).encode() + body)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    writer.close()
    return int(head.split()[1]), head


async def test_events_are_counted_by_type_and_status() -> None:
    async with Sink() as sink:
        body = _body(("1", "sent", 2), ("2", "sent", 2), ("1", "delivered", 3))
        assert (await _post(sink, body))[0] == 204
        single = b'{"type":"message.status","data":{"message":"msg_3","status":"failed"}}'
        await _post(sink, single)
        inbound = b'{"type":"message.inbound","data":{"from":"+46","text":"STOP"}}'
        await _post(sink, inbound)
        await sink.until(5)
        assert sink.statuses == {"sent": 2, "delivered": 1, "failed": 1}
        assert sink.types == {
            "message.status_batch": 3,
            "message.status": 1,
            "message.inbound": 1,
        }
        assert sink.lines() == b"msg_1 delivered 3\nmsg_3 failed 0\n"


async def test_a_second_end_is_told_apart_from_a_repeated_event() -> None:
    async with Sink(by_number=True) as sink:
        await _post(sink, _body(("1", "delivered", 3), ("2", "unknown", 3), ("3", "failed", 3)))
        await _post(sink, _body(("1", "delivered", 3)))
        assert (sink.repeated, sink.revised, sink.contradicted) == (1, 0, 0)
        await _post(sink, _body(("2", "delivered", 4)))
        assert (sink.repeated, sink.revised, sink.contradicted) == (1, 1, 0)
        await _post(sink, _body(("3", "delivered", 4), ("1", "delivered", 4)))
        assert (sink.repeated, sink.revised, sink.contradicted) == (1, 1, 2)
        assert sink.lines() == b"+1 delivered 3\n+2 delivered 4\n+3 failed 3\n"


async def test_finals_are_bounded() -> None:
    async with Sink(limit=1) as sink:
        await _post(sink, _body(("1", "delivered", 3), ("2", "delivered", 3)))
        assert (len(sink.finals), sink.not_remembered) == (1, 1)


async def test_signatures_of_the_reference_library_are_good_and_others_are_not() -> None:
    body = _body(("1", "delivered", 3))
    now = datetime.now(tz=UTC)
    signature = Webhook(SECRET).sign("evt_1", now, body.decode())
    stamp = int(now.timestamp())
    async with Sink(secret=SECRET) as sink:
        headers = ["webhook-id: evt_1", f"webhook-timestamp: {stamp}"]
        good = [*headers, f"webhook-signature: v1,AAAA {signature}"]
        assert (await _post(sink, body, *good))[0] == 204
        assert (await _post(sink, body + b" ", *good))[0] == 400
        assert (await _post(sink, body))[0] == 400
        old = datetime.fromtimestamp(stamp - 1000, tz=UTC)
        stale = Webhook(SECRET).sign("evt_1", old, body.decode())
        stamps = ["webhook-id: evt_1", f"webhook-timestamp: {stamp - 1000}"]
        assert (await _post(sink, body, *stamps, f"webhook-signature: {stale}"))[0] == 400
        assert (sink.signatures_checked, sink.signatures_bad, sink.events) == (4, 3, 1)


async def test_failing_for_a_while_with_retry_after() -> None:
    async with Sink() as sink:
        sink.behaviour = SinkBehaviour(fail_next=2, retry_after=7)
        body = _body(("1", "delivered", 3))
        status, head = await _post(sink, body)
        assert (status, b"Retry-After: 7\r\n" in head) == (503, True)
        assert [(await _post(sink, body))[0] for _ in range(2)] == [503, 204]
        assert (sink.failed, sink.events) == (2, 1)
        sink.behaviour = SinkBehaviour(status=410)
        assert (await _post(sink, body))[0] == 410


async def test_a_slow_answer_and_requests_in_one_write() -> None:
    async with Sink() as sink:
        sink.behaviour = SinkBehaviour(delay=0.02)
        body = _body(("1", "delivered", 3))
        one = f"POST / HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        reader, writer = await asyncio.open_connection("127.0.0.1", sink.port)
        started = asyncio.get_running_loop().time()
        for at in range(0, len(one) * 2, 50):
            writer.write((one * 2)[at : at + 50])
            await asyncio.sleep(0)
        for _ in range(2):
            assert b"204" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert asyncio.get_running_loop().time() - started >= 0.04
        writer.close()


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{]", b"400"),
        (b"GET /nowhere HTTP/1.1\r\n\r\n", b"404"),
    ],
)
async def test_what_cannot_be_served(request_head: bytes, status: bytes) -> None:
    async with Sink() as sink:
        reader, writer = await asyncio.open_connection("127.0.0.1", sink.port)
        writer.write(request_head)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert head.split()[1] == status
        writer.close()


async def test_as_a_process_of_its_own() -> None:
    async with SinkProcess() as sink:
        body = _body(("1", "delivered", 3))
        assert (await request(sink.port, "PUT", "/behaviour", b'{"fail_next": 1}'))[0] == 204
        assert (await request(sink.port, "PUT", "/behaviour", b'{"mood": 1}'))[0] == 400
        assert (await request(sink.port, "POST", "/events", body))[0] == 503
        assert (await request(sink.port, "POST", "/events", body))[0] == 204
        assert (await get_json(sink.port, "/stats"))["finals"] == 1
        assert await request(sink.port, "GET", "/finals") == (200, b"msg_1 delivered 3\n")
    assert not sink.running
