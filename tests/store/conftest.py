from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from workbench import Bench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """An open store; what must hold at rest is checked at the end of every test."""
    bench = Bench(tmp_path)
    await bench.open()
    yield bench
    bench.check()
    await bench.store.close()
