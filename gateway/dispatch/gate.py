"""Whether a carrier may be sent anything now: its send windows, and its caps.

In: a carrier's settings, its meter, moments (UTC µs). Out: which categories it does not take, how
many PDUs may leave, when that changes. Knows no messages and no links; a carrier with neither
windows nor caps has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from config.settings import Carrier
from gateway.dispatch.allowances import Allowances, caps_of
from gateway.policy.caps import Meter, Usage
from gateway.policy.windows import CATEGORIES, State, Windows

_PDUS: Final = 1 << 62
"""No cap."""


class CategoryWindow(msgspec.Struct, frozen=True):
    """Whether a carrier takes a category now."""

    category: str
    open: bool
    changes_at: int | None
    """UTC µs; None: it stays so."""


def gate_of(carrier: Carrier, allowances: Allowances) -> Gate | None:
    """The gate of a carrier, if its settings make one."""
    caps = caps_of(carrier.caps)
    if not carrier.send_windows and not caps:
        return None
    windows = Windows(carrier.send_windows, carrier.zone) if carrier.send_windows else None
    owner = f"carrier/{carrier.name}"
    meter = allowances.meter(owner, caps, carrier.zone) if caps else None
    return Gate(windows, meter, allowances, fails=carrier.cap_reached == "fail")


class Gate:
    """`closed` and `shut` are as of the last `look`."""

    __slots__ = ("_allowances", "_meter", "_states", "_windows", "closed", "fails", "shut", "until")

    def __init__(
        self, windows: Windows | None, meter: Meter | None, allowances: Allowances, *, fails: bool
    ) -> None:
        self._windows = windows
        self._meter = meter
        self._allowances = allowances
        self.fails = fails
        """Whether messages over a cap are not to wait."""
        self.closed: Mapping[str, int] = {}
        """Categories it does not take, and when it does again (UTC µs)."""
        self.shut = False
        """Whether it takes none at all."""
        self.until: int | None = None
        """When the windows change next."""
        self._states: dict[str, State] = {}

    def look(self, at: int, *, anew: bool = False) -> bool:
        """Bring the windows up to date; whether anything opened or closed. `anew`: even if nothing
        should have changed (the clock may have been set)."""
        windows = self._windows
        if windows is None:
            return False
        if self._states and not anew and (self.until is None or at < self.until):
            return False
        before = self.closed, self.shut
        self._states = {category: windows.state(category, at) for category in CATEGORIES}
        self.closed = {
            category: state.changes_at or _PDUS
            for category, state in self._states.items()
            if not state.open
        }
        self.shut = len(self.closed) == len(CATEGORIES)
        changes = [state.changes_at for state in self._states.values() if state.changes_at]
        self.until = min(changes, default=None)
        return (self.closed.keys(), self.shut) != (before[0].keys(), before[1])

    # ---- caps

    def left(self, at: int) -> int:
        """PDUs that may leave now; whoever finds few has more written down."""
        meter = self._meter
        if meter is None:
            return _PDUS
        self._allowances.look(meter, at)
        return meter.left(at)

    def take(self, pdus: int, at: int) -> None:
        """PDUs have left."""
        if self._meter is not None:
            self._meter.take(pdus, at)
            self._allowances.look(self._meter, at)

    def spent(self, at: int) -> bool:
        """Whether a cap is reached."""
        return self._meter is not None and self._meter.room(at) <= 0

    def fits(self, pdus: int) -> bool:
        """Whether a message of so many PDUs can ever leave."""
        return self._meter is None or pdus <= self._meter.largest

    def want(self, pdus: int, at: int) -> None:
        """So many PDUs of one message are next, and fewer may leave. What is longer than the caps'
        remainder ends the period: that remainder would be asked for without end."""
        meter = self._meter
        if meter is None:
            return
        if meter.room(at) < pdus:
            meter.use_up(at, pdus)
        else:
            self._allowances.look(meter, at, pdus)

    def next_change(self, at: int) -> int | None:
        """When to look again: a window changes, or a reached cap begins anew."""
        moments = [] if self.until is None else [self.until]
        if self._meter is not None and (until := self._meter.resets_at(at)) > at:
            moments.append(until)
        return min(moments, default=None)

    # ---- shown

    def windows(self) -> list[CategoryWindow]:
        """Each category's window; empty if there is none to keep."""
        return [
            CategoryWindow(category, state.open, state.changes_at)
            for category, state in self._states.items()
        ]

    def usage(self, at: int) -> list[Usage]:
        """How its caps stand."""
        return [] if self._meter is None else self._meter.usage(at)
