"""What a step is, how it may end, and what is remembered of the peer for its profile.

In and out: plain values. Knows no socket and no layout.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.commands.conformance.peer import Peer


class Outcome(StrEnum):
    """How a step ends."""

    PASSED = "passed"
    FAILED = "failed"
    NOTED = "noted"  # the peer's choice, recorded
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """What one step saw: a sentence, and a line for each variant it tried."""

    outcome: Outcome
    seen: str
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the plan.

    expects  what the specification asks for; `clause` of SMPP 3.4 unless it names another
    submits  needs a recipient: skipped without --to
    """

    name: str
    does: str
    expects: str
    clause: str
    run: Callable[[Peer], Awaitable[Result]]
    submits: bool = False
    optional: str = ""
    """The option that leaves it out: `throttle`, or `tlvs` for what SMPP 3.3 does not have."""


@dataclass(slots=True)
class Facts:
    """What the profile is made from; None and empty where a step did not run."""

    binds: dict[str, bool] = field(default_factory=dict)
    """Kind of bind -> whether it was accepted."""
    sc_interface_version: int | None = None
    bound: bool = False
    enquire_seconds: float | None = None
    sources: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Kind of sender -> first TON and NPI that were accepted."""
    destination: tuple[int, int] | None = None
    data_codings: dict[int, bool] = field(default_factory=dict)
    long_messages: dict[str, bool] = field(default_factory=dict)
    """In the order they were tried."""
    receipts_wanted: int = 0
    receipts_came: int = 0
    id_form: str | None = None
    """A value of `message_id`, None if no form explains the ids."""
    id_words: str = ""
    receipt_offset: int | None = None
    """Seconds the dates in receipts are ahead of UTC; None if that is not clear."""
    validity: dict[str, bool] = field(default_factory=dict)
    window: int | None = None
    """Most submits in one write that were taken."""
    window_limit: str = ""
    """The status that said there were too many."""
    accepted_rate: float | None = None
    """PDUs a second the peer took when it throttled."""
    peer_enquires: float | None = None
    """Seconds between the peer's own enquire_links."""


def accepted_or_noted(accepted: bool, answered: bool) -> Outcome:
    """For what a peer may do or leave: no answer at all is the only failure."""
    if accepted:
        return Outcome.PASSED
    return Outcome.NOTED if answered else Outcome.FAILED
