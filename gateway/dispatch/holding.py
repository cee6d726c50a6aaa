"""What one carrier may not send now, and what becomes of it: windows, its caps, others' limits.

In: messages ready to leave, moments (UTC µs). Out: those that may, and results for the others.
Knows the carrier's gate and campaigns, and the limits all carriers share; no link.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from gateway import metrics as m
from gateway.dispatch.campaigns import Campaigns
from gateway.dispatch.feed import Feed
from gateway.dispatch.gate import Gate
from gateway.dispatch.lanes import Routes
from gateway.dispatch.limits import Limits
from gateway.dispatch.outgoing import Outgoing, message_of, unbegun
from gateway.dispatch.verdict import left_to_others, put_off, throttled_out
from gateway.metrics import Metrics
from gateway.store.messages import Content, Leased, Settled

Elsewhere = Callable[[str, str, str], bool]
"""(lane, carrier, category): whether another carrier of the lane takes the category now."""


class Holding:
    """For one carrier. `routes` is replaced when the configuration is reloaded."""

    def __init__(
        self,
        name: str,
        gate: Gate | None,
        campaigns: Campaigns | None,
        limits: Limits,
        routes: Routes,
        metrics: Metrics,
        elsewhere: Elsewhere,
    ) -> None:
        self.gate = gate
        self.campaigns = campaigns
        self.routes = routes
        self._name = name
        self._limits = limits
        self._metrics = metrics
        self._elsewhere = elsewhere

    def admit(
        self, ready: list[Outgoing], contents: Mapping[int, Content], at: int
    ) -> tuple[list[Outgoing], list[Settled]]:
        """Those that may leave, noted under the limits they fall under; results for the others."""
        results: list[Settled] = []
        if self.gate is not None:
            ready, results = self._through_gate(self.gate, ready, at)
        ready, held = self._limits.admit(
            ready, contents, self._name, self.campaigns, self.routes, at
        )
        return ready, results + held

    def clear_out(self, feed: Feed, fed_since: int, at: int) -> list[Settled]:
        """Windows have closed: what has not begun to leave does not. What has is finished: half a
        message is worse than one that ends a second late."""
        gate = self.gate
        assert gate is not None
        out = feed.take_out(gate.closed)
        self.refund(out, fed_since)
        for link in feed.links:
            waiting = unbegun(link.waiting, gate.closed) if link.waiting else []
            if waiting:
                gone = set(waiting)
                link.waiting = deque(each for each in link.waiting if message_of(each) not in gone)
                for outgoing in waiting:
                    outgoing.settled = True
                out += waiting
        return self._shut_out(gate, out, at)

    def turned_away(self, messages: list[Leased], at: int) -> list[Settled]:
        """A cap of the carrier is reached, and what is over it does not wait here."""
        self._metrics.count(m.PUT_OFF, len(messages), self._name, "carrier_cap")
        return [throttled_out(each, self._name, at, self.routes) for each in messages]

    def refund(self, unsent: list[Outgoing], since: int) -> None:
        """Messages admitted at `since` or later have not been sent."""
        if unsent:
            self._limits.refund(unsent, self.campaigns, since)

    def _through_gate(
        self, gate: Gate, ready: list[Outgoing], at: int
    ) -> tuple[list[Outgoing], list[Settled]]:
        closed = gate.closed
        if not closed and (not ready or gate.fits(max([len(one.bodies) for one in ready]))):
            return ready, []
        kept: list[Outgoing] = []
        out: list[Outgoing] = []
        never: list[Leased] = []
        for outgoing in ready:
            if outgoing.category in closed:
                out.append(outgoing)
            elif gate.fits(len(outgoing.bodies)):
                kept.append(outgoing)
            else:
                never.append(outgoing.message)
        results = self._shut_out(gate, out, at)
        if never:
            results += self.turned_away(never, at)
        return kept, results

    def _shut_out(self, gate: Gate, out: list[Outgoing], at: int) -> list[Settled]:
        """Messages of categories the carrier does not take now: another's, or later."""
        name, elsewhere, closed = self._name, self._elsewhere, gate.closed
        if out:
            self._metrics.count(m.PUT_OFF, len(out), name, "window")
        return [
            left_to_others(one.message, name, at)
            if elsewhere(one.message.lane, name, one.category)
            else put_off(one.message, name, at, closed[one.category])
            for one in out
        ]
