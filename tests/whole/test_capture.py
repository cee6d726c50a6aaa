"""`aldis capture` against a whole gateway, read by tshark."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.whole.conftest import Rig

pytestmark = pytest.mark.slow

NUMBER = "+79161234567"
TEXT = "Your secret code is 4711"
LONG = "Ваш секретный код 4711. " * 7


async def tshark(file: Path, port: int, *arguments: str) -> str:
    """What tshark makes of a file."""
    process = await asyncio.create_subprocess_exec(
        "tshark", "-r", str(file), "-d", f"tcp.port=={port},smpp",
        "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


@asynccontextmanager
async def capturing(
    rig: Rig, file: Path, *arguments: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`aldis capture`, begun: the gateway says so in its metrics. It is over when the block is."""
    before = await rig.metric("aldis_captures_total")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "capture", f"--ops=http://127.0.0.1:{rig.ops_port}",
        "--out", str(file), *arguments,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip

    async def begun() -> bool:
        return await rig.metric("aldis_captures_total") > before

    try:
        await rig.until(begun)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_wireshark_reads_it_and_nobody_is_in_it(rig: Rig, tmp_path: Path) -> None:
    await rig.start()
    file = tmp_path / "north.pcap"

    async def all_there() -> bool:
        commands = await tshark(file, rig.north.port, "-T", "fields", "-e", "smpp.command_id")
        return commands.count("0x80000005") >= 1 + 3 + 2  # deliver_sm_resp: receipts and a reply

    async with capturing(rig, file, "--carrier", "north", "--seconds", "600") as process:
        rig.north.hang_up()  # so that a bind is captured too
        await rig.north.until(lambda: rig.north.counters.binds >= 2)
        await rig.post(NUMBER, TEXT)
        await rig.post(NUMBER, LONG)
        await rig.sink.until(4)
        rig.north.send_mo("79161234567", "2020", "Спасибо, Анна! " * 8)
        await rig.sink.until(5)
        await rig.until(all_there)
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
        assert process.returncode == 0, err
    assert file.stat().st_mode & 0o777 == 0o600

    port = rig.north.port
    for wrong in (
        "_ws.malformed", "tcp.checksum.status == 0", "ip.checksum.status == 0",
        "tcp.analysis.lost_segment", "tcp.analysis.retransmission", "tcp.analysis.out_of_order",
    ):  # fmt: skip
        assert await tshark(file, port, "-Y", wrong) == "", wrong
    shown = await tshark(file, port, "-V")
    for command in (
        "Bind_transceiver", "Bind_transceiver - resp", "Submit_sm", "Submit_sm - resp",
        "Deliver_sm", "Deliver_sm - resp",
    ):  # fmt: skip
        assert f"Operation: {command} (" in shown, command
    assert "System ID: aldis" in shown
    octets = file.read_bytes()
    for secret in (b"79161234567", b"4711", b"secret", "секретный".encode("utf-16-be")):
        assert secret not in octets
    assert "4711".encode("utf-16-be") not in octets
    assert "Анна".encode("utf-16-be") not in octets
    assert b"79160000067" in octets, "the ends of a number are left to compare by"


async def test_full_is_refused_unless_configured(rig: Rig, tmp_path: Path) -> None:
    await rig.start()
    file = tmp_path / "north.pcap"
    arguments = ["-m", "gateway", "capture", f"--ops=http://127.0.0.1:{rig.ops_port}"]
    for more, words in (
        (["--carrier", "north", "--full"], "full_capture = true"),
        (["--carrier", "nobody"], "there are: north, south"),
    ):
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, "--out", str(file), *more,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, err = await process.communicate()
        assert process.returncode == 1
        assert words in err.decode()
        assert not file.exists()


async def test_a_capture_ends_when_the_gateway_drains(rig: Rig, tmp_path: Path) -> None:
    await rig.start()
    file = tmp_path / "north.pcap"
    async with capturing(rig, file, "--carrier", "north", "--seconds", "3600") as process:
        rig.signal(signal.SIGTERM)
        assert await asyncio.wait_for(rig.gateway.ended(), 20) == 0
        assert await asyncio.wait_for(process.wait(), 10) == 0
