"""Counts and durations, gathered in memory and passed on to the metrics once a second.

A labelled Prometheus counter costs 2 µs a touch, a dictionary 0.05, and a read may hold a single
response. Knows the metrics' table and nothing else of ours.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.metrics import Metrics, Row


class Tally:
    """What has happened since the last `flush`."""

    __slots__ = ("_counts", "_metrics", "_values")

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._counts: dict[tuple[Row, tuple[str, ...]], float] = {}
        self._values: dict[tuple[Row, tuple[str, ...]], list[float]] = {}

    def count(self, row: Row, amount: float, *labels: str) -> None:
        """Add to a counter."""
        key = (row, labels)
        self._counts[key] = self._counts.get(key, 0) + amount

    def observe(self, row: Row, values: Sequence[float], *labels: str) -> None:
        """Add observations to a histogram."""
        self._values.setdefault((row, labels), []).extend(values)

    def flush(self) -> None:
        """Pass everything on."""
        counts, self._counts = self._counts, {}
        values, self._values = self._values, {}
        for (row, labels), amount in counts.items():
            self._metrics.count(row, amount, *labels)
        for (row, labels), observed in values.items():
            self._metrics.observe(row, observed, *labels)
