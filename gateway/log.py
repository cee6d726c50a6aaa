"""The log: one JSON object a line, numbers masked.

In: stdlib log records; what belongs in fields comes as `extra`. Out: lines on standard error.
Nothing here is on the way of a message: state changes are logged, messages are counted.
"""

from __future__ import annotations

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from gateway.model import mask_number

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_NUMBER: Final = re.compile(r"(?<![\w.:-])\+?[1-9][0-9]{8,14}(?![\w.:-])")
_encode = msgspec.json.Encoder(enc_hook=str).encode


def masked(text: str) -> str:
    """`text` with everything that could be a phone number masked.

    The last line of defence: callers do not log numbers, but an exception's text may hold one.
    """
    return _NUMBER.sub(lambda match: mask_number(match[0]), text)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {
        key: masked(value) if isinstance(value, str) else value
        for key, value in vars(record).items()
        if key not in _STANDARD
    }


class JsonFormatter(logging.Formatter):
    """For machines."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": masked(record.getMessage()),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = masked(self.formatException(record.exc_info))
        return _encode(line).decode()


class TextFormatter(logging.Formatter):
    """For a person at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback where there is one."""
        moment = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        fields = " ".join(f"{key}={value}" for key, value in _fields(record).items())
        line = f"{moment} {record.levelname.lower():7} {masked(record.getMessage())} {fields}"
        if record.exc_info:
            line += "\n" + masked(self.formatException(record.exc_info))
        return line.rstrip()


def set_up(level: str, style: str) -> None:
    """Send the root logger to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
