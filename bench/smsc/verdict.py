"""What each submit gets: the behaviour's chances, limits and scripted answers, a list at a time.

In: how many submits, to whom, how many are unanswered already. Out: one verdict for each, a
command_status or SILENT. It may not know sockets; the moment is an argument, the dice are seeded.
"""

from collections import deque
from collections.abc import Sequence
from random import Random
from typing import Final

from bench.smsc.behaviour import Behaviour
from protocol.constants import ESME_RMSGQFUL, ESME_ROK, ESME_RTHROTTLED

SILENT: Final = -1

Script = deque[int]


class Bucket:
    """A token bucket: `rate` per second, at most `burst` at once."""

    __slots__ = ("_at", "_tokens")

    def __init__(self) -> None:
        self._tokens = 0.0
        self._at = float("-inf")

    def take(self, wanted: int, rate: float, burst: float, now: float) -> int:
        """How many of `wanted` may pass at `now` (seconds of any origin)."""
        self._tokens = min(burst, self._tokens + (now - self._at) * rate)
        self._at = now
        taken = min(wanted, int(self._tokens))
        self._tokens -= taken
        return taken


class Judge:
    """One behaviour made ready for the hot path. `clean` says that every verdict is ESME_ROK."""

    __slots__ = ("_errors", "_silence", "behaviour", "clean", "errors_of", "receipts_of")

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self._errors = tuple(behaviour.errors.items())
        self._silence = behaviour.silence
        self.errors_of = {to.encode(): status for to, status in behaviour.error_of.items()}
        self.receipts_of = {to.encode(): stat for to, stat in behaviour.receipt_of.items()}
        self.clean = not (
            behaviour.errors
            or behaviour.error_of
            or behaviour.silence
            or behaviour.rate
            or behaviour.window
        )

    def verdicts(
        self,
        parties: Sequence[bytes],
        unanswered: int,
        bucket: Bucket,
        script: Script,
        dice: Random,
        now: float,
    ) -> list[int]:
        """One verdict for each submit, in order.

        The limits come first, as an operator's front door does: what finds the window or the rate
        exhausted is refused before anything else is looked at.
        """
        behaviour = self.behaviour
        count = room = len(parties)
        if behaviour.window:
            room = min(count, max(0, behaviour.window - unanswered))
        passing = room
        if behaviour.rate:
            burst = behaviour.burst or max(1.0, behaviour.rate)
            passing = bucket.take(room, behaviour.rate, burst, now)
        verdicts = [self._verdict(party, script, dice) for party in parties[:passing]]
        verdicts += [ESME_RTHROTTLED] * (room - passing)
        verdicts += [ESME_RMSGQFUL] * (count - room)
        return verdicts

    def _verdict(self, party: bytes, script: Script, dice: Random) -> int:
        if script:
            return script.popleft()
        if self.errors_of:
            status = self.errors_of.get(destination(party))
            if status is not None:
                return status
        if self._silence and dice.random() < self._silence:
            return SILENT
        if self._errors:
            drawn = dice.random()
            for status, chance in self._errors:
                drawn -= chance
                if drawn < 0:
                    return status
        return ESME_ROK

    def stats(self, parties: Sequence[bytes], dice: Random) -> dict[str, list[int]]:
        """Which submits get which final receipt: `stat` -> indexes; those without are left out."""
        chances = self.behaviour.receipts
        if not self.receipts_of and len(chances) == 1:
            (stat,) = chances
            if chances[stat] >= 1:
                return {stat: list(range(len(parties)))}
        found: dict[str, list[int]] = {}
        for index, party in enumerate(parties):
            stat = self.receipts_of.get(destination(party), "?") if self.receipts_of else "?"
            if stat == "?":
                stat = self._drawn_stat(dice)
            if stat:
                found.setdefault(stat, []).append(index)
        return found

    def _drawn_stat(self, dice: Random) -> str:
        drawn = dice.random()
        for stat, chance in self.behaviour.receipts.items():
            drawn -= chance
            if drawn < 0:
                return stat
        return ""


def destination(party: bytes) -> bytes:
    """The recipient's address out of a party (see `receipts.bodies`)."""
    return party[2 : party.index(b"\0", 2)]
