"""What one account was promised and what it heard.

In: message ids from responses, bodies of deliver_sm. Out: counts of all that is not as it should
be, and how long receipts took. Knows no socket.
"""

from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Final

_TOLD: Final = 0.0  # in place of a moment: the receipt of this id has come


class Ledger:
    """Every id of one account.

    receipt_delays  seconds from the writing of a submit to the reading of its receipt
    stats           receipts by their `stat`
    same_ids        responses with an id that another response had
    repeated        receipts of an id that had one
    malformed       deliver_sm that are no receipts
    last_at         time.monotonic() of the last receipt that was waited for
    """

    __slots__ = (
        "_early", "_sent_at", "last_at", "malformed", "receipt_delays", "repeated", "same_ids",
        "stats",
    )  # fmt: skip

    def __init__(self) -> None:
        self._sent_at: dict[bytes, float] = {}
        self._early: dict[bytes, float] = {}
        self.receipt_delays = array("d")
        self.stats: Counter[str] = Counter()
        self.same_ids = 0
        self.repeated = 0
        self.malformed = 0
        self.last_at = 0.0

    @property
    def unknown(self) -> int:
        """Receipts whose id no response has told (a receipt may overtake its response)."""
        return len(self._early)

    def accepted(self, told: Sequence[tuple[bytes, float]]) -> None:
        """Responses: (message_id, when the submit was written)."""
        known, early = self._sent_at, self._early
        for identifier, sent_at in told:
            if identifier in known:
                self.same_ids += 1
            elif early and identifier in early:
                self.receipt_delays.append(early.pop(identifier) - sent_at)
                known[identifier] = _TOLD
            else:
                known[identifier] = sent_at

    def receipts(self, bodies: Sequence[bytes], now: float) -> None:
        """Bodies of deliver_sm, read at `now`."""
        known, early, delays, stats = self._sent_at, self._early, self.receipt_delays, self.stats
        for body in bodies:
            start = body.find(b"id:") + 3
            stat = body.find(b" stat:", start) + 6
            if start < 3 or stat < 6:
                self.malformed += 1
                continue
            stats[body[stat : body.find(b" ", stat)].decode("latin-1")] += 1
            identifier = body[start : body.find(b" ", start)]
            sent_at = known.get(identifier)
            if sent_at:
                delays.append(now - sent_at)
                known[identifier] = _TOLD
            elif sent_at is None and identifier not in early:
                early[identifier] = now
            else:
                self.repeated += 1
        self.last_at = now
