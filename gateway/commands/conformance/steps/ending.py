"""The last steps: what the peer said unasked, and how it parts."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import pairwise
from typing import Final

from gateway.commands.conformance.findings import Outcome, Result
from gateway.commands.conformance.peer import Peer
from gateway.commands.conformance.steps.session import milliseconds
from protocol import constants as c
from protocol.pdu import Unbind

_CLOSES: Final = 2.0
"""Seconds given to the peer to close after its unbind_resp."""


async def peer_enquires(peer: Peer) -> Result:
    """The peer's own enquire_links during the run."""
    trace = peer.trace
    if not trace.pdus:
        return Result(Outcome.SKIPPED, "nothing was said")
    observed = asyncio.get_running_loop().time() - trace.pdus[0].at
    seen = trace.received(c.ENQUIRE_LINK)
    if not seen:
        return Result(Outcome.NOTED, f"none in {observed:.0f} s")
    by_connection: dict[int, list[float]] = {}
    for one in seen:
        by_connection.setdefault(one.connection, []).append(one.at)
    gaps = sorted(
        after - before for moments in by_connection.values() for before, after in pairwise(moments)
    )
    if not gaps:
        return Result(Outcome.NOTED, f"{len(seen)} in {observed:.0f} s, no two on one connection")
    middle = gaps[len(gaps) // 2]
    peer.facts.peer_enquires = middle
    return Result(Outcome.NOTED, f"every {milliseconds(middle)}, {len(seen)} seen")


async def unbind(peer: Peer) -> Result:
    """Take leave, and see who closes and whether anything is said after it."""
    kind = peer.asked.kinds[0]
    wire = await peer.session(kind)
    await peer.budget.take()
    reply = await wire.ask_beside(Unbind(), peer.asked.timeout)
    if not reply.accepted:
        wire.close()
        return Result(Outcome.FAILED, reply.words)
    said = wire.said
    closed = False
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(wire.closed), _CLOSES)
        closed = True
    silent = wire.said == said
    wire.close()
    after = "the peer closed" if closed else f"the peer left closing to us for {_CLOSES:g} s"
    if silent:
        return Result(Outcome.PASSED, f"unbind_resp in {milliseconds(reply.seconds)}; {after}")
    return Result(Outcome.FAILED, f"unbind_resp, then the peer went on talking; {after}")
