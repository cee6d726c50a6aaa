"""How far it is, on one line that renews itself, or on a line a second where nobody looks.

In: counts. Out: text on standard output. The moment is an argument.
"""

from __future__ import annotations

import sys
from typing import Final, TextIO

WIDTH: Final = 30
PLAIN_INTERVAL: Final = 1.0
"""Seconds between lines in a log."""


class Progress:
    """One campaign's progress; `since` is when it started, seconds of any origin."""

    def __init__(self, total: int, since: float, out: TextIO = sys.stdout) -> None:
        self._total = total
        self._since = since
        self._out = out
        self._live = out.isatty()
        self._next = since + PLAIN_INTERVAL

    def show(self, waiting: int, sent: int, final: int, now: float) -> None:
        """waiting: not yet at an operator. sent: there, without a receipt. final: ended."""
        if not self._live and now < self._next:
            return
        self._next = now + PLAIN_INTERVAL
        passed = now - self._since
        share = final / self._total if self._total else 1.0
        bar = "█" * int(share * WIDTH) + "░" * (WIDTH - int(share * WIDTH))
        figures = (
            f"{passed:5.1f} s  {bar}  {final:,} of {self._total:,} final, "
            f"{sent:,} with operators, {waiting:,} waiting"
        )
        self._out.write(f"\r  {figures}\x1b[K" if self._live else f"  {figures}\n")
        self._out.flush()

    def done(self) -> None:
        """Leave the line."""
        if self._live:
            self._out.write("\r\x1b[K")
            self._out.flush()
