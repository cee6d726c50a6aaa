"""What the simulated operator remembers: counters, submits in full, submits per destination.

In: what sessions report, a list per read. Out: plain values. All of it is bounded; what no longer
fits is counted, so that an audit knows when it is incomplete.
"""

from dataclasses import dataclass, field, fields
from typing import Any

from protocol import gsm7
from protocol.constants import ESM_CLASS_UDHI
from protocol.pdu import SubmitSm
from protocol.udh import parse as parse_udh


@dataclass(slots=True)
class Counters:
    """Since the start. `submits` is what came in; each is one of accepted, throttled,
    queue_full, refused, silent."""

    connections: int = 0
    binds: int = 0
    binds_refused: int = 0
    submits: int = 0
    accepted: int = 0
    throttled: int = 0
    queue_full: int = 0
    refused: int = 0
    silent: int = 0
    cut: int = 0
    """Of these, answered by hanging up."""
    answered: int = 0
    """submit_sm_resp of any status written so far."""
    late: int = 0
    """Silent ones that were answered after all."""
    window_peak: int = 0
    """Most unanswered submits of one bind."""
    receipts: int = 0
    """Receipts made."""
    delivers_sent: int = 0
    """deliver_sm written: receipts, inbound messages, and both again when resent."""
    delivers_acknowledged: int = 0
    delivers_refused: int = 0
    """Answered with an error; a temporary one sends the deliver_sm again."""
    delivers_resent: int = 0
    delivers_dropped: int = 0
    """Beyond the number kept, or lost with a bind when resending is off."""
    inbound: int = 0
    """Inbound messages put on their way, parts counted."""
    inbound_acknowledged: int = 0
    enquire_links: int = 0
    malformed: int = 0
    not_recorded: int = 0
    """Submits that no longer fitted into `submits` or the audit."""
    statuses: dict[int, int] = field(default_factory=dict)
    """command_status -> submits answered with it, ESME_ROK left out."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        shown = {f.name: getattr(self, f.name) for f in fields(self)}
        shown["statuses"] = {f"0x{status:08X}": n for status, n in self.statuses.items()}
        return shown


@dataclass(slots=True)
class Submit:
    """One submit_sm as it came."""

    at: float
    """time.monotonic()"""
    system_id: str
    bind: int
    """Number of the session, in order of connection."""
    pdu: SubmitSm
    command_status: int | None
    """What it was answered with; None for silence."""
    message_id: str
    """As in the response; "" unless it was taken."""

    @property
    def destination(self) -> str:
        return self.pdu.destination_addr

    @property
    def parts(self) -> int:
        """How many parts the user data header speaks of."""
        if not self.pdu.esm_class & ESM_CLASS_UDHI:
            return 1
        concat = parse_udh(self.pdu.short_message)[0].concat
        return concat.total if concat else 1

    @property
    def text(self) -> str:
        """User data as text: GSM-7 for data_coding 0, UCS-2 for 8, else Latin-1."""
        data = self.pdu.short_message
        if self.pdu.esm_class & ESM_CLASS_UDHI:
            data = parse_udh(data)[1]
        if self.pdu.data_coding == 8:
            return data.decode("utf-16-be", "replace")
        if self.pdu.data_coding == 0:
            return gsm7.decode(data)
        return data.decode("latin-1")


class Audit:
    """Per destination: how many submits were taken, and when the first one was.

    `suffix` samples: only destinations that end in it are kept. A million destinations take about
    250 MB here, hence the limit.
    """

    __slots__ = ("first", "limit", "suffix", "taken")

    def __init__(self, suffix: str = "", limit: int = 3_000_000) -> None:
        self.suffix = suffix.encode()
        self.limit = limit
        self.taken: dict[bytes, int] = {}
        self.first: dict[bytes, float] = {}

    def note(self, parties: list[bytes], now: float) -> int:
        """Count the submits to these parties (as in `receipts.bodies`); how many found no room."""
        taken = self.taken
        suffix = self.suffix
        missed = 0
        for party in parties:
            destination = party[2 : party.index(b"\0", 2)]
            if not destination.endswith(suffix):
                continue
            seen = taken.get(destination)
            if seen is not None:
                taken[destination] = seen + 1
            elif len(taken) < self.limit:
                taken[destination] = 1
                self.first[destination] = now
            else:
                missed += 1
        return missed

    def lines(self) -> bytes:
        """`destination count first_at` per line, for a reader in another process."""
        first = self.first
        return b"".join(
            b"%b %d %.6f\n" % (destination, count, first[destination])
            for destination, count in self.taken.items()
        )
