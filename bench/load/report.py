"""Figures as a person reads them and as a file keeps them.

In: a scenario's name, its settings, its figures. Out: a table on standard output and
`bench/results/<date>-<scenario>.json` with the machine and the command beside it.
"""

import os
import platform
import shlex
import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from bench.processes import REPOSITORY

RESULTS: Final = REPOSITORY / "bench" / "results"


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and the most, in milliseconds; empty without values."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    last = len(ordered) - 1
    found = {f"p{p}": ordered[min(last, len(ordered) * p // 100)] for p in (50, 95, 99)}
    return {name: round(value * 1e3, 2) for name, value in (found | {"max": ordered[-1]}).items()}


def machine() -> dict[str, Any]:
    """What the figures were made on."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def report(
    scenario: str, settings: dict[str, Any], figures: dict[str, Any], directory: Path | None
) -> None:
    """Print the figures; keep them in `directory` unless that is None."""
    click.echo(f"\n{scenario}")
    for name, value in figures.items():
        if isinstance(value, dict):
            shown = "  ".join(f"{key} {_shown(one)}" for key, one in value.items())
        else:
            shown = _shown(value)
        click.echo(f"  {_title(name):<40} {shown}")
    if directory is None:
        return
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{time.strftime('%Y-%m-%d', time.gmtime())}-{scenario}.json"
    content = {
        "scenario": scenario,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": shlex.join(["python", "-m", *_module_arguments()]),
        "machine": machine(),
        "settings": settings,
        "figures": figures,
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content)) + b"\n")
    click.echo(f"  -> {path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path}")


def _module_arguments() -> list[str]:
    """`bench.load batch ...` as it was called, without this machine's paths."""
    script = Path(sys.argv[0])
    module = script.parent.name if script.name == "__main__.py" else script.stem
    return [f"bench.{module}", *sys.argv[1:]]


def _title(name: str) -> str:
    """`peak_rss` -> `peak rss`; a name that is a phrase already stays, submit_sm and all."""
    return name if " " in name else name.replace("_", " ")


def _shown(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
