"""Reloads of the configuration that come together, and with a stop."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from config.load import load
from config.settings import Settings
from gateway import app as module
from gateway.app import App


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(f'[store]\npath = "{tmp_path}/aldis.db"\n')
    return path


async def test_reloads_come_one_after_another_and_none_after_a_stop(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = App(load(written))
    begun, go_on, seen = asyncio.Event(), asyncio.Event(), []

    async def reload(settings: Settings) -> None:
        seen.append("begin")
        begun.set()
        await go_on.wait()
        seen.append("end")

    monkeypatch.setattr(gateway, "reload", reload)
    lock, stopping = asyncio.Lock(), asyncio.Event()
    reloads = [
        asyncio.create_task(module._reload(gateway, written, lock, stopping)) for _ in range(3)
    ]
    await begun.wait()
    for _ in range(5):
        await asyncio.sleep(0)
    assert seen == ["begin"]
    stopping.set()
    go_on.set()
    await asyncio.gather(*reloads)
    assert seen == ["begin", "end"]
