"""Steps that find the type of number and numbering plan the peer takes for each kind of address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from gateway.commands.conformance import asked as kinds
from gateway.commands.conformance.findings import Outcome, Result
from gateway.commands.conformance.peer import Peer
from gateway.commands.conformance.wire import Reply

Pair = tuple[int, int]

# The gateway's own default stands first: what is accepted first goes into the profile.
_DESTINATIONS: Final[tuple[Pair, ...]] = ((1, 1), (0, 0), (0, 1))
_SOURCES: Final[dict[str, tuple[Pair, ...]]] = {
    kinds.INTERNATIONAL: ((1, 1), (1, 0), (0, 1), (0, 0)),
    kinds.ALPHANUMERIC: ((5, 0), (5, 1), (0, 0)),
    kinds.SHORT_CODE: ((3, 0), (3, 1), (0, 1), (0, 0)),
}


async def destination(peer: Peer) -> Result:
    """The recipient under each TON and NPI."""

    async def attempt(pair: Pair) -> Reply:
        ton, npi = pair
        text = f"Aldis test destination {ton}/{npi}".encode()
        return await peer.submit(dest_addr_ton=ton, dest_addr_npi=npi, short_message=text)

    result, first = await _variants(_DESTINATIONS, attempt)
    peer.facts.destination = first
    return result


async def sender_international(peer: Peer) -> Result:
    """An international number as sender."""
    return await _sender(peer, kinds.INTERNATIONAL, "an international number")


async def sender_alphanumeric(peer: Peer) -> Result:
    """A name as sender."""
    return await _sender(peer, kinds.ALPHANUMERIC, "a name")


async def sender_short_code(peer: Peer) -> Result:
    """A short code as sender."""
    return await _sender(peer, kinds.SHORT_CODE, "a short code")


async def _sender(peer: Peer, kind: str, words: str) -> Result:
    sender = peer.asked.sender_of(kind)
    if sender is None:
        return Result(Outcome.SKIPPED, f"no --from is {words}")

    async def attempt(pair: Pair) -> Reply:
        fields: dict[str, Any] = peer.source(sender)
        fields["source_addr_ton"], fields["source_addr_npi"] = pair
        text = f"Aldis test sender {pair[0]}/{pair[1]}".encode()
        return await peer.submit(**fields, short_message=text)

    result, first = await _variants(_SOURCES[kind], attempt)
    if first is not None:
        peer.facts.sources[kind] = first
    return result


async def _variants(
    pairs: tuple[Pair, ...], attempt: Callable[[Pair], Awaitable[Reply]]
) -> tuple[Result, Pair | None]:
    """Try each pair; ends at the first that is not answered, or a silent peer costs a timeout
    each."""
    details = []
    taken: list[Pair] = []
    silence = ""
    for pair in pairs:
        reply = await attempt(pair)
        details.append((f"TON {pair[0]} NPI {pair[1]}", reply.words))
        if reply.accepted:
            taken.append(pair)
        elif not reply.refused:
            silence = reply.words
            break
    first = taken[0] if taken else None
    listed = " ".join(f"{ton}/{npi}" for ton, npi in taken)
    if silence:
        return Result(Outcome.FAILED, silence, tuple(details)), first
    if len(taken) == len(pairs):
        return Result(Outcome.PASSED, f"all accepted: {listed}", tuple(details)), first
    if taken:
        return Result(Outcome.NOTED, f"accepted: {listed} of TON/NPI", tuple(details)), first
    return Result(Outcome.FAILED, "none accepted", tuple(details)), first
