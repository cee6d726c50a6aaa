"""What admission knows of a number, for whoever asks about one without sending to it.

In: the `World`. Out: the reading of numbers and where they are, by the rules in force now. The HTTP
API takes it as its port `Numbering`.
"""

from __future__ import annotations

from gateway.admission.numbering import Verdict, kind_of
from gateway.admission.world import World


class Numbers:
    """Numbering plans and time zones."""

    __slots__ = ("_world",)

    def __init__(self, world: World) -> None:
        self._world = world

    def look(self, raw: str, region: str | None) -> Verdict:
        """See `Numbering.look`."""
        return self._world.numbering.look(raw, region)

    def kind_of(self, detail: str) -> str:
        """See `numbering.kind_of`."""
        return kind_of(detail)

    def zones(self, number: int) -> tuple[str, ...]:
        """Time zones an E.164 number can be in; a reload may bring a new table."""
        return self._world.quiet.zones.place(number).zones
