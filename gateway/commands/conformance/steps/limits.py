"""Steps about how much a peer takes: a burst at the rate allowed, submits that stand unanswered."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

from gateway.commands.conformance.findings import Outcome, Result
from gateway.commands.conformance.peer import Peer
from gateway.commands.conformance.wire import Reply
from protocol import constants as c
from protocol.tlv import TLVS

_CONGESTION_STATE: Final = TLVS["congestion_state"].tag
_TOO_MANY: Final = frozenset({c.ESME_RTHROTTLED, c.ESME_RMSGQFUL})
_MOST_AT_ONCE: Final = 100
"""Submits in one write at most; ten times the window operators grant."""


async def burst(peer: Peer) -> Result:
    """--burst submits at --rate, without waiting for answers."""
    loop = asyncio.get_running_loop()
    wire = await peer.submitter()
    numbers = []
    await peer.budget.take()
    begun = loop.time()
    for place in range(peer.asked.burst):
        if place:
            await peer.budget.take()
        text = f"Aldis test burst {place + 1}".encode()
        numbers.append(wire.send(peer.submit_pdu(short_message=text)))
    seconds = max(loop.time() - begun, 1 / peer.budget.rate)
    replies = [await wire.outcome(number, peer.asked.timeout) for number in numbers]
    congestion = {
        value[0]
        for reply in replies
        if reply.pdu is not None and (value := reply.pdu.tlv(_CONGESTION_STATE))
    }
    details = _statuses(replies)
    if congestion:
        details += (("congestion_state", " ".join(map(str, sorted(congestion)))),)
    accepted = sum(reply.accepted for reply in replies)
    pace = f"{len(replies)} in {seconds:.1f} s"
    if any(reply.status in _TOO_MANY for reply in replies):
        peer.facts.accepted_rate = accepted / seconds
        seen = f"{accepted} accepted of {pace}, the others throttled"
        return Result(Outcome.NOTED, seen, details)
    return _ended(replies, f"all accepted, {pace}", details)


async def window(peer: Peer) -> Result:
    """As many submits in one write as the rate allows in a second."""
    count = max(1, min(_MOST_AT_ONCE, int(peer.budget.rate)))
    wire = await peer.submitter()
    await peer.budget.take(count)
    numbers = [
        wire.send(peer.submit_pdu(short_message=f"Aldis test window {place + 1}".encode()))
        for place in range(count)
    ]
    replies = [await wire.outcome(number, peer.asked.timeout) for number in numbers]
    details = _statuses(replies)
    accepted = sum(reply.accepted for reply in replies)
    full = next((reply for reply in replies if reply.status in _TOO_MANY), None)
    if full is not None:
        peer.facts.window = max(1, accepted)
        peer.facts.window_limit = full.words
        seen = f"{accepted} of {count} in one write are taken, then {full.words}"
        return Result(Outcome.NOTED, seen, details)
    if accepted == count:
        peer.facts.window = count
    return _ended(
        replies, f"all {count} in one write accepted (a higher --rate tries more)", details
    )


def _statuses(replies: Sequence[Reply]) -> tuple[tuple[str, str], ...]:
    """How often each answer came; nothing to tell if all are the same."""
    counts = Counter(reply.words for reply in replies)
    if len(counts) < 2:
        return ()
    return tuple((words, f"{count} of {len(replies)}") for words, count in counts.most_common())


def _ended(replies: Sequence[Reply], all_well: str, details: tuple[tuple[str, str], ...]) -> Result:
    accepted = sum(reply.accepted for reply in replies)
    if accepted == len(replies):
        return Result(Outcome.PASSED, all_well, details)
    lost = next((reply for reply in replies if reply.status is None), None)
    if lost is not None:
        seen = f"{accepted} of {len(replies)} accepted: {lost.words}"
        return Result(Outcome.FAILED, seen, details)
    other = next(reply for reply in replies if not reply.accepted)
    seen = f"{accepted} of {len(replies)} accepted: {other.words}"
    return Result(Outcome.NOTED, seen, details)
