"""The gateway: asyncio stages around the pure `protocol`, wired by `app`."""

from typing import Final

VERSION: Final = "0.3.0"
"""As in pyproject.toml; a test holds them together."""
