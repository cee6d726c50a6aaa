"""The session's timers as arithmetic: what was noted when, and what is due next.

In: moments (`now`, seconds of any monotonic origin). Out: moments. SMPP 3.4 §7.2 and 5.0 §2.7 name
four timers: session_init, enquire_link, inactivity and response. The response timer of requests
lives with the requests, in window.py; this module knows nothing of PDUs, states or the clock.
"""

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Timers:
    """Durations in seconds; 0 switches a timer off.

    The defaults are what operators ask for (an enquire_link every 30-60 s, a response within 30 s);
    session_init follows smppex (10 s), which leaves a bind over a slow network ample time and a
    port scanner little. Inactivity is off: quiet hours are no reason to lose a bind.
    """

    session_init: float = 10.0
    enquire_link: float = 30.0
    enquire_link_response: float = 30.0
    # Two enquire_links are never closer than this: one operator unbinds who asks more often.
    enquire_link_gap: float = 10.0
    # Another operator wants enquire_link at its interval whatever else passes.
    enquire_link_under_traffic: bool = False
    inactivity: float = 0.0
    response: float = 30.0


def after(moment: float, duration: float) -> float:
    """When a timer of `duration` started at `moment` runs out; never, if it is switched off.

    Deadlines are computed here and nowhere else, so that the moment `next_timer` announces is to
    the last bit the moment at which `handle_timer` finds it due.
    """
    return moment + duration if duration else inf


class Clockwork:
    """Remembers the moments from which session_init, enquire_link and inactivity count."""

    __slots__ = ("busy_at", "enquired_at", "heard_at", "opened_at", "timers")

    def __init__(self, timers: Timers, now: float) -> None:
        self.timers = timers
        self.opened_at = now  # connected, or last refused a bind
        self.heard_at = now  # last whole PDU from the peer, of whatever kind
        self.busy_at = now  # last PDU either way other than enquire_link and its response
        self.enquired_at = -inf  # our last enquire_link

    def bound(self, now: float) -> None:
        """The session is bound: enquire_link and inactivity count from here."""
        self.heard_at = self.busy_at = now
        if self.timers.enquire_link_under_traffic:
            self.enquired_at = now

    def session_init_at(self) -> float:
        """By when the session must have seen a bind."""
        return after(self.opened_at, self.timers.session_init)

    def enquire_at(self) -> float:
        """When to send the next enquire_link.

        Idle means nothing *heard*: requests of ours into a dead link must not keep it "alive".
        """
        timers = self.timers
        since = self.enquired_at if timers.enquire_link_under_traffic else self.heard_at
        return max(after(since, timers.enquire_link), self.enquired_at + timers.enquire_link_gap)

    def inactive_at(self) -> float:
        """When the session counts as given up by its application."""
        return after(self.busy_at, self.timers.inactivity)
