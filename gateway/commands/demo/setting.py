"""The stage: `config/gateway.toml` with this run's ports in it, and the environment beside it.

In: addresses of what already listens. Out: a configuration file, and variables for what can be
set without touching the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

KEY: Final = "ak_trial_only"
"""The trial key in `gateway.toml`."""

SECRET_VARIABLE: Final = "ALDIS_WEBHOOK_SECRET"  # noqa: S105 - the name of it


def prepare(
    source: Path,
    directory: Path,
    *,
    carriers: Mapping[str, int],
    webhook: str,
    secret: str,
    http_port: int,
) -> tuple[Path, dict[str, str]]:
    """Write `directory/gateway.toml`; returns it and the environment the gateway needs.

    Raises `ValueError` when a line that is to be changed is not in `source` exactly once: the
    demonstration then no longer runs what the file shows.
    """
    changes = {
        'hosts = ["127.0.0.1:2775"]': f'hosts = ["127.0.0.1:{carriers["north"]}"]',
        'hosts = ["127.0.0.1:2776"]': f'hosts = ["127.0.0.1:{carriers["south"]}"]',
        # Whoever tries the demonstration beside a gateway has the port in use already.
        "port = 2770 ": "port = 0    ",
        "# webhooks = [\n#   { url = ": "webhooks = [\n  { url = ",
        "https://platform.example/events": webhook,
        f'"{SECRET_VARIABLE}" }},\n# ]': f'"{SECRET_VARIABLE}" }},\n]',
    }
    text = source.read_text("utf-8")
    for old, new in changes.items():
        if text.count(old) != 1:
            raise ValueError(f"{source}: {old!r} is there {text.count(old)} times, not once")
        text = text.replace(old, new)
    path = directory / "gateway.toml"
    path.write_text(text, "utf-8")
    return path, {
        SECRET_VARIABLE: secret,
        "ALDIS_HTTP__PORT": str(http_port),
        # A Prometheus on the same machine has 9090 already.
        "ALDIS_OPS__PORT": "0",
        "ALDIS_STORE__PATH": str(directory / "aldis.db"),
        "ALDIS_WEBHOOKS__ALLOW_PRIVATE": "true",
        "ALDIS_LOG__FORMAT": "json",
    }
