"""The acceptance plan against peers that are no SMSC, or a bad one: it ends, soon, and says why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from struct import Struct

import pytest

from gateway.commands.conformance import report as reports
from gateway.commands.conformance.run import Report, conduct
from protocol import constants as c
from tests.commands.conformance import asked, failed, result

pytestmark = pytest.mark.slow

HEADER = Struct(">IIII")
Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(peer: Peer) -> AsyncIterator[int]:
    """A peer on a port of its own; every connection is over when the block is."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await peer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def read_pdu(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    """(command_id, sequence_number, body)."""
    length, command_id, _, number = HEADER.unpack(await reader.readexactly(16))
    return command_id, number, await reader.readexactly(max(0, length - 16))


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes everything, says nothing."""
    while await reader.read(65536):
        pass


async def closes_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hangs up."""


async def closes_on_bind(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hangs up over the first PDU."""
    await read_pdu(reader)


async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A web server: whatever comes is a bad request."""
    await reader.read(16)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    await writer.drain()


async def ssh(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speaks first."""
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    await reader.read(65536)


async def nacks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers everything with generic_nack."""
    while True:
        _, number, _ = await read_pdu(reader)
        writer.write(HEADER.pack(16, c.GENERIC_NACK, c.ESME_RINVCMDID, number))


async def answers_ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers ESME_ROK to everything, whatever it is, with or without a bind."""
    while True:
        command_id, number, _ = await read_pdu(reader)
        writer.write(HEADER.pack(17, command_id | c.RESPONSE_BIT, 0, number) + b"\0")


async def binds_and_dies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A good session, until anything but bind, enquire_link or unbind comes."""
    while True:
        command_id, number, _ = await read_pdu(reader)
        if command_id not in (c.BIND_TRANSCEIVER, c.ENQUIRE_LINK, c.UNBIND):
            return
        body = b"smsc\0" if command_id == c.BIND_TRANSCEIVER else b""
        writer.write(HEADER.pack(16 + len(body), command_id | c.RESPONSE_BIT, 0, number) + body)


async def babbles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Binds, then cuts its PDUs wrong."""
    _, number, _ = await read_pdu(reader)
    writer.write(HEADER.pack(21, c.BIND_TRANSCEIVER_RESP, 0, number) + b"smsc\0")
    await read_pdu(reader)
    writer.write(b"\xff" * 40)
    await reader.read(65536)


async def floods(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Binds, then sends enquire_links as fast as they go."""
    _, number, _ = await read_pdu(reader)
    writer.write(HEADER.pack(21, c.BIND_TRANSCEIVER_RESP, 0, number) + b"smsc\0")
    block = b"".join(HEADER.pack(16, c.ENQUIRE_LINK, 0, n) for n in range(1, 1001))
    while True:
        writer.write(block)
        await writer.drain()
        await reader.read(65536)


async def run(peer: Peer, **changes: object) -> Report:
    async with listening(peer) as port, asyncio.timeout(20):
        report = await conduct(asked(port, **changes))
    # whatever the peer was, all three layouts can tell it
    for layout in (reports.table, reports.markdown):
        assert layout(report)
    assert json.loads(reports.as_json(report))["exit_code"] == report.exit_code
    return report


@pytest.mark.parametrize(
    ("peer", "step", "seen"),
    [
        (silent, "bind-transceiver", "no answer in 0.1 s"),
        (closes_at_once, "connect", "the peer closed the connection before anything was sent"),
        (closes_on_bind, "bind-transceiver", "the peer closed the connection"),
        (http, "bind-transceiver", "what came is not SMPP: 485454502f312e3120343030"),
        (ssh, "connect", "what came is not SMPP: 5353482d322e30"),
        (nacks, "bind-transceiver", "generic_nack ESME_RINVCMDID"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_whoever_cannot_be_bound_to(peer: Peer, step: str, seen: str) -> None:
    report = await run(peer, timeout=0.1)
    assert report.exit_code == 3
    assert seen in result(report, step).seen
    assert result(report, "text-gsm").outcome == "skipped"
    assert result(report, "burst").outcome == "skipped"
    assert report.pdus < 12, "nothing is tried again and again"
    assert json.loads(reports.as_json(report))["profile"] is None


async def test_nobody_listens() -> None:
    async with listening(silent) as port:
        pass
    report = await conduct(asked(port))
    assert report.exit_code == 3
    assert report.pdus == 0
    assert "refused" in result(report, "connect").seen.lower()


async def test_a_web_server_is_recognised() -> None:
    report = await run(http, timeout=0.1)
    assert "|HTTP/1.1 400" in result(report, "bind-transceiver").seen
    # nothing more can be learnt from it
    assert result(report, "short-length").outcome == "skipped"


async def test_what_accepts_everything_fails_where_it_must_refuse() -> None:
    report = await run(answers_ok, receipt_wait=0.05)
    assert report.exit_code == 1
    assert {
        "bind-wrong-password",
        "bind-twice",
        "submit-before-bind",
        "unknown-command",
        "short-body",
        "no-destination",
        "receipts",
    } <= set(failed(report))
    assert "anybody can bind" in result(report, "bind-wrong-password").seen


async def test_a_link_that_dies_is_bound_again_and_each_step_says_so() -> None:
    report = await run(binds_and_dies)
    assert "unknown-command" in failed(report)
    assert "the peer closed the connection" in result(report, "unknown-command").seen
    assert result(report, "octet-by-octet").outcome == "passed"
    assert result(report, "glued").outcome == "passed"
    assert "the peer closed the connection" in result(report, "text-gsm").seen
    assert report.exit_code == 1


async def test_octets_that_are_no_pdu_end_the_session_not_the_run() -> None:
    report = await run(babbles, to=())
    assert report.rows[-1].step.name == "unbind"
    assert any("what came is not SMPP" in row.result.seen for row in report.rows)


async def test_a_flood_is_counted_not_kept() -> None:
    steps = frozenset({"enquire-link", "octet-by-octet", "unbind"})
    report = await run(floods, only=steps, most_seconds=1.0, timeout=0.2)
    assert report.not_kept > 0
    assert sum(len(row.pdus) for row in report.rows) <= 5_000
