"""Answers -> results: what the events of one read mean for the messages they belong to.

In: a list of events of a link. Out: one `Harvest`: what was sent, other results for the store, late
answers, requests of the operator, parts to send again, and the events that concern the session
only. The hot half of dispatch: one pass, and no object for a message that was simply taken.

Knows messages, statuses and the throttle; no socket and no store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from gateway import metrics as m
from gateway.dispatch.lanes import Routes
from gateway.dispatch.outgoing import Context, Outgoing, Part, context_of
from gateway.dispatch.profile import Profile
from gateway.dispatch.statuses import UNKNOWN_STATUS
from gateway.dispatch.throttle import Pace, Throttle
from gateway.dispatch.verdict import SEVERITY, judge
from gateway.model import Status
from gateway.store.messages import LateAnswer, Leased, Outcome, Sent, Settled
from gateway.tally import Tally
from protocol import constants as c
from protocol.events import (
    Answered,
    Event,
    Late,
    Lost,
    Malformed,
    Received,
    Refused,
    TimedOut,
    Unexpected,
    Unsent,
)
from protocol.message_id import canonical, canonical_all
from protocol.pdu import Pdu, SubmitSmResp

_CONGESTION_STATE: Final = 0x0428
_MESSAGES: Final = frozenset({c.DELIVER_SM, c.DATA_SM, c.ALERT_NOTIFICATION})
_QUEUED: Final = int(Status.QUEUED)


class Harvest:
    """What one list of events came to. `sent` holds the messages of one part that were taken at
    once, `settled` all others that are through."""

    __slots__ = ("again", "late", "others", "requests", "sent", "settled")

    def __init__(self) -> None:
        self.sent: Sent | None = None
        self.settled: list[Settled] = []
        self.late: list[LateAnswer] = []
        self.requests: list[Pdu] = []
        self.again: list[Context] = []
        self.others: list[Event] = []


class Fates:
    """Judges for one carrier. `jitter` returns a random number 0..1."""

    def __init__(
        self,
        profile: Profile,
        routes: Routes,
        throttle: Throttle,
        pace: Pace,
        tally: Tally,
        jitter: Callable[[], float],
    ) -> None:
        self.routes = routes
        """Replaced when the configuration is reloaded."""
        self.congestion_state: int | None = None
        """The last one the operator told; None as long as it tells none."""
        self._profile = profile
        self._throttle = throttle
        self._pace = pace
        self._tally = tally
        self._jitter = jitter

    def take(self, events: Iterable[Event], at: int, now: float, link_up: bool = True) -> Harvest:
        """Work through the events of one read; `at` is UTC µs, `now` the link's clock."""
        harvest = Harvest()
        name = self._profile.name
        messages: list[Leased] = []
        ids: list[str] = []
        sent_ats: list[float] = []
        accepted_at = 0.0
        for event in events:
            if isinstance(event, Answered):
                context, response, sent_at = event.context, event.response, event.sent_at
                sent_ats.append(sent_at)
                if event.error is not None:
                    self._tally.count(m.MALFORMED_PDUS, 1, name)
                if (
                    isinstance(context, Outgoing)
                    and isinstance(response, SubmitSmResp)
                    and not response.command_status
                    and not response.tlvs
                ):
                    accepted_at = sent_at
                    context.settled = True
                    messages.append(context.message)
                    ids.append(response.message_id)
                else:
                    outgoing, index = _whose(context)
                    self._answered(outgoing, index, response, sent_at, now)
                    self._part_done(outgoing, at, now, link_up, harvest)
            elif isinstance(event, Received):
                pdu = event.pdu
                if pdu.command_id in _MESSAGES:
                    harvest.requests.append(pdu)
                else:
                    self._tally.count(m.UNEXPECTED_PDUS, 1, name, pdu.command)
            else:
                self._rare(event, at, now, link_up, harvest)
        if sent_ats:
            self._pace.add(len(sent_ats), now)
            self._tally.observe(m.SUBMIT_SECONDS, [now - each for each in sent_ats], name)
        if messages:
            self._throttle.accepted(accepted_at)
            harvest.sent = Sent(
                name, at, self._profile.carrier.receipts, messages, canonical_all(ids)
            )
            lanes = [message.lane for message in messages]
            for lane in set(lanes):  # a handful at most, and list.count runs in C
                count = lanes.count(lane)
                self._tally.count(m.SUBMITS, count, name, lane, "ESME_ROK")
                self._tally.count(m.SETTLED, count, name, lane, "sent", "")
        return harvest

    def unsent(self, contexts: Iterable[Context], at: int, now: float) -> Harvest:
        """Parts that waited at a link that is gone."""
        return self.take([Unsent(list(contexts))], at, now, link_up=False)

    # ---- the rare ones

    def _rare(self, event: Event, at: int, now: float, link_up: bool, harvest: Harvest) -> None:
        name = self._profile.name
        if isinstance(event, TimedOut):
            outgoing, _ = _whose(event.context)
            self._nobody_knows(outgoing, "timeout")
            self._part_done(outgoing, at, now, link_up, harvest)
        elif isinstance(event, Lost):
            for context in event.contexts:
                outgoing, _ = _whose(context)
                self._nobody_knows(outgoing, "link")
                self._part_done(outgoing, at, now, False, harvest)
        elif isinstance(event, Unsent):
            for context in event.contexts:
                outgoing, index = _whose(context)
                outgoing.again.append(index)
                self._part_done(outgoing, at, now, False, harvest)
        elif isinstance(event, Late):
            self._late(event, at, now, link_up, harvest)
        elif isinstance(event, Malformed):
            self._tally.count(m.MALFORMED_PDUS, 1, name)
        elif isinstance(event, Unexpected):
            self._tally.count(m.UNEXPECTED_PDUS, 1, name, event.pdu.command)
        elif isinstance(event, Refused):
            self._tally.count(m.REFUSED_PDUS, 1, name, c.command_name(event.command_id))
        else:
            harvest.others.append(event)

    def _answered(
        self, outgoing: Outgoing, index: int, response: Pdu, sent_at: float, now: float
    ) -> None:
        """Note what one response says of one part."""
        status = response.command_status
        if not status and not isinstance(response, SubmitSmResp):
            status = c.ESME_RUNKNOWNERR  # a generic_nack is a refusal, whatever status it carries
        rule = self._profile.statuses.get(status, UNKNOWN_STATUS)
        name, lane = self._profile.name, outgoing.message.lane
        self._tally.count(m.SUBMITS, 1, name, lane, c.status_name(status))
        if rule.action == "throttle":
            self._throttle.complain(sent_at, now)
        if response.tlvs:
            congestion = response.tlv(_CONGESTION_STATE)
            if congestion and len(congestion) == 1:
                # Whatever version the bind speaks: who sends it means it.
                self.congestion_state = congestion[0]
                self._throttle.congestion(congestion[0], sent_at, now)
        if rule.action == "ok":
            self._throttle.accepted(sent_at)
            if outgoing.ids is None:
                outgoing.ids = [None] * len(outgoing.bodies)
            outgoing.ids[index] = canonical(getattr(response, "message_id", ""))
        elif rule.action == "throttle":
            self._tally.count(m.THROTTLED, 1, name)
            outgoing.again.append(index)
        elif outgoing.bad is None or SEVERITY[rule.action] > SEVERITY[outgoing.bad[1]]:
            outgoing.bad = (status, rule.action, rule.reason)

    def _nobody_knows(self, outgoing: Outgoing, cause: str) -> None:
        outgoing.unknown += 1
        self._tally.count(m.OUTCOME_UNKNOWN, 1, self._profile.name, cause)

    def _late(self, event: Late, at: int, now: float, link_up: bool, harvest: Harvest) -> None:
        """An answer after we gave up.

        If the message still waits for other parts it is simply an answer; if its result has left,
        the store hears of it when the operator did take the part.
        """
        outgoing, index = _whose(event.context)
        self._tally.count(m.LATE_RESPONSES, 1, self._profile.name)
        if event.error is not None:
            self._tally.count(m.MALFORMED_PDUS, 1, self._profile.name)
        if not outgoing.settled:
            outgoing.unknown -= 1
            self._answered(outgoing, index, event.response, event.sent_at, now)
        elif not event.response.command_status and isinstance(event.response, SubmitSmResp):
            harvest.late.append(
                LateAnswer(
                    outgoing.message.id,
                    self._profile.name,
                    index + 1,
                    len(outgoing.bodies),
                    canonical(event.response.message_id),
                    at,
                )
            )

    def _part_done(
        self, outgoing: Outgoing, at: int, now: float, link_up: bool, harvest: Harvest
    ) -> None:
        """One part more has a fate; the last one brings the verdict."""
        outgoing.pending -= 1
        if outgoing.pending:
            return
        settled = judge(
            outgoing,
            self._profile,
            self.routes,
            at,
            self._jitter(),
            self._throttle.paused(now),
            link_up,
        )
        if settled is None:
            again = sorted(outgoing.again)
            outgoing.again.clear()
            outgoing.pending = len(again)
            harvest.again += [context_of(outgoing, index) for index in again]
            return
        outgoing.settled = True
        harvest.settled.append(settled)
        name, lane = self._profile.name, outgoing.message.lane
        self._tally.count(m.SETTLED, 1, name, lane, settled.outcome.value, settled.reason or "")
        if settled.outcome is Outcome.UNKNOWN and settled.status == _QUEUED:
            self._tally.count(m.POSSIBLE_DUPLICATES, 1, name)


def _whose(context: object) -> tuple[Outgoing, int]:
    """The message a context belongs to, and which of its parts it is."""
    if isinstance(context, Outgoing):
        return context, 0
    assert isinstance(context, Part)
    return context.outgoing, context.index
