"""Steps about the connection and the session: connect, the binds, enquire_link."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from typing import Any, Final

from gateway.commands.conformance.findings import Outcome, Result
from gateway.commands.conformance.peer import Peer, Unreachable
from gateway.commands.conformance.wire import Wire
from protocol import constants as c

_WRONG: Final = "!wrong!"
_GREETING: Final = 0.2
"""Seconds a peer may take to say something unasked; SMPP servers never do, others greet at once."""


async def connect(peer: Peer) -> Result:
    """TCP and TLS."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    try:
        wire = await peer.connect()
    except Unreachable as error:
        peer.refusal = f"no connection: {error}"
        return Result(Outcome.FAILED, str(error))
    took = loop.time() - begun
    details = tls_details(wire)
    await asyncio.wait({wire.closed}, timeout=_GREETING)
    if wire.said and not wire.spoke_smpp:
        ending = wire.ending or "the peer spoke first"
        wire.close()
        return Result(Outcome.FAILED, f"connected in {milliseconds(took)}; {ending}", details)
    hung_up = not wire.alive
    wire.close()
    if hung_up:
        seen = f"connected in {milliseconds(took)}; {wire.ending} before anything was sent"
        return Result(Outcome.FAILED, seen, details)
    return Result(Outcome.PASSED, f"connected in {milliseconds(took)}", details)


def tls_details(wire: Wire) -> tuple[tuple[str, str], ...]:
    """What TLS agreed on; empty without it."""
    tls: ssl.SSLObject | None = wire.transport.get_extra_info("ssl_object")
    if tls is None:
        return ()
    cipher = tls.cipher()
    details = [("TLS", f"{tls.version()}, {cipher[0] if cipher else 'no cipher'}")]
    certificate: dict[str, Any] = tls.getpeercert() or {}
    if certificate:  # only one that was verified is told
        names = [value for _, value in certificate.get("subjectAltName", ())]
        names = names or [pair[0][1] for pair in certificate["subject"]]
        words = f"for {', '.join(names)}, valid until {certificate['notAfter']}, verified"
        details.append(("certificate", words))
    else:
        details.append(("certificate", "not verified (--insecure)"))
    octets = tls.getpeercert(binary_form=True)
    if octets:
        details.append(("fingerprint", f"SHA-256 {hashlib.sha256(octets).hexdigest()}"))
    return tuple(details)


async def bind_transceiver(peer: Peer) -> Result:
    """bind_transceiver on a connection of its own."""
    return await _bind(peer, "transceiver")


async def bind_transmitter(peer: Peer) -> Result:
    """bind_transmitter on a connection of its own."""
    return await _bind(peer, "transmitter")


async def bind_receiver(peer: Peer) -> Result:
    """bind_receiver on a connection of its own."""
    return await _bind(peer, "receiver")


async def _bind(peer: Peer, kind: str) -> Result:
    wanted = kind in peer.asked.kinds
    wire = await peer.connect()
    reply = await peer.bind(wire, kind)
    peer.facts.binds[kind] = reply.accepted
    if not reply.accepted:
        wire.close()
        if wanted:
            peer.refusal = peer.refusal or f"not bound as {kind}: {reply.words}"
            return Result(Outcome.FAILED, reply.words)
        return Result(Outcome.NOTED, f"{reply.words} (--bind {peer.asked.bind} does not need it)")
    peer.facts.bound = True
    details = []
    system_id = getattr(reply.pdu, "system_id", "")
    if system_id:
        details.append(("system_id of the SMSC", system_id))
    offered = peer.facts.sc_interface_version
    said = "not said" if offered is None else f"{offered >> 4}.{offered & 15}"
    details.append(("sc_interface_version", said))
    await peer.leave(wire)
    return Result(Outcome.PASSED, f"bound in {milliseconds(reply.seconds)}", tuple(details))


async def bind_wrong_password(peer: Peer) -> Result:
    """A bind that has to be refused."""
    wire = await peer.connect()
    reply = await peer.bind(wire, peer.asked.kinds[0], _WRONG)
    if reply.accepted:
        await peer.leave(wire)
        return Result(Outcome.FAILED, "accepted: anybody can bind as this system_id")
    wire.close()
    if reply.status == c.ESME_RINVPASWD:
        return Result(Outcome.PASSED, reply.words)
    return Result(Outcome.NOTED, f"refused otherwise: {reply.words}")


async def bind_twice(peer: Peer) -> Result:
    """The same bind again on a bound session."""
    kind = peer.asked.kinds[0]
    wire = await peer.session(kind)
    await peer.budget.take()
    reply = await wire.ask_beside(peer.bind_pdu(kind), peer.asked.timeout)
    if reply.status == c.ESME_RALYBND:
        return Result(Outcome.PASSED, reply.words)
    if reply.refused:
        return Result(Outcome.NOTED, f"refused otherwise: {reply.words}")
    return Result(Outcome.FAILED, "accepted twice" if reply.accepted else reply.words)


async def enquire_link(peer: Peer) -> Result:
    """enquire_link on each bound session."""
    details = []
    failed = False
    for kind in peer.asked.kinds:
        reply = await peer.answers(await peer.session(kind))
        failed = failed or not reply.accepted
        took = f"answered in {milliseconds(reply.seconds)}" if reply.accepted else reply.words
        details.append((kind, took))
        if reply.accepted:
            peer.facts.enquire_seconds = max(peer.facts.enquire_seconds or 0.0, reply.seconds)
    if len(details) == 1:
        return Result(Outcome.FAILED if failed else Outcome.PASSED, details[0][1])
    seen = "not answered everywhere" if failed else "answered on both binds"
    return Result(Outcome.FAILED if failed else Outcome.PASSED, seen, tuple(details))


def milliseconds(seconds: float) -> str:
    """A short time as a person reads it."""
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"
