"""Seeds: what real peers sent, as tests/vectors keeps it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from protocol.pdu import PDUS, encode

VECTORS = Path(__file__).parents[1] / "vectors"


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (VECTORS / name).read_text("utf-8").splitlines()]


@cache
def pdus() -> tuple[bytes, ...]:
    """Every recorded or probed PDU, and one of each command with its defaults."""
    recorded = [bytes.fromhex(row["hex"]) for row in rows("pdus.jsonl") if _is_hex(row["hex"])]
    return (*recorded, *(encode(cls(sequence_number=1)) for cls in PDUS.values()))


@cache
def receipts() -> tuple[bytes, ...]:
    texts = [row["short_message"] for row in rows("receipts.jsonl")]
    return tuple(text.encode("utf-8", "surrogateescape") for text in texts if text is not None)


@cache
def headers() -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(row["hex"]) for row in rows("udh.jsonl") if _is_hex(row["hex"]))


def _is_hex(text: str) -> bool:
    """A few vectors are abridged: their hex ends in a remark."""
    try:
        bytes.fromhex(text)
    except ValueError:
        return False
    return True
