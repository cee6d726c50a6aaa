"""How many files and sockets the gateway may have open."""

import asyncio
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.processes import REPOSITORY
from gateway import app


@pytest.fixture
def lowered() -> Iterator[int]:
    """A soft limit below the hard one, which is returned."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_the_gateway_takes_as_many_as_the_system_grants(lowered: int, tmp_path: Path) -> None:
    config = tmp_path / "aldis.toml"
    config.write_text(
        f'[http]\nport = 0\n[ops]\nport = 0\n[store]\npath = "{tmp_path / "aldis.db"}"\n'
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "serve", f"--config={config}",
        cwd=REPOSITORY, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        async with asyncio.timeout(20):
            while b'"serving"' not in await process.stderr.readline():
                assert process.returncode is None
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (lowered, lowered)
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()


def test_a_system_that_refuses_changes_nothing(
    lowered: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    app._raise_descriptors()
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 512
    assert "file descriptors stay at 512" in caplog.text
