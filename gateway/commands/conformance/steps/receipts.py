"""Steps about delivery receipts: whether they come, and how this operator writes them."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from gateway.commands.conformance import receipts as r
from gateway.commands.conformance.findings import Outcome, Result
from gateway.commands.conformance.peer import Peer
from gateway.commands.conformance.steps.session import milliseconds
from protocol.constants import REGISTERED_DELIVERY_FINAL
from protocol.receipt import FINAL, Receipt

MESSAGES: Final = 3
"""Messages that ask for a receipt. One id can fit two forms by chance; three in a row do not."""


async def receipts(peer: Peer) -> Result:
    """Ask for receipts and wait for them."""
    loop = asyncio.get_running_loop()
    sent: list[tuple[str, float, int]] = []
    details = []
    for number in range(MESSAGES):
        at, utc = loop.time(), time.time_ns() // 1000
        reply = await peer.submit(
            short_message=f"Aldis test receipt {number + 1}".encode(),
            registered_delivery=REGISTERED_DELIVERY_FINAL,
        )
        if not reply.accepted:
            return Result(Outcome.FAILED, f"the submit that asks for one: {reply.words}")
        sent.append((reply.message_id, at, utc))
        details.append((f"id {number + 1} in the response", r.shape(reply.message_id)))
    told = await _wait(peer, sent)
    peer.receipts_asked = [message_id for message_id, _, _ in sent]
    peer.receipts_told = told
    peer.facts.receipts_wanted = MESSAGES
    final = [one for one in told if one.receipt.outcome in FINAL]
    peer.facts.receipts_came = len(final)
    waited = f"{peer.asked.receipt_wait:g} s"
    if not told:
        return Result(
            Outcome.FAILED, f"none of {MESSAGES} in {waited}; --receipt-wait waits longer"
        )
    last = max(one.at for one in told) - sent[0][1]
    outcomes = ", ".join(one.receipt.outcome.name for one in told if one.receipt.outcome)
    details.append(("outcomes", outcomes or "none that can be read"))
    if len(final) < MESSAGES:
        seen = f"{len(final)} of {MESSAGES} final ones in {waited}"
        return Result(Outcome.NOTED, seen, tuple(details))
    seen = f"all {MESSAGES}, the last {milliseconds(last)} after the first submit"
    return Result(Outcome.PASSED, seen, tuple(details))


async def _wait(peer: Peer, sent: list[tuple[str, float, int]]) -> list[r.Told]:
    """The receipts since the first submit: all that are wanted, or those that came in time."""
    loop = asyncio.get_running_loop()
    begun, utc = sent[0][1], sent[0][2]
    deadline = loop.time() + peer.asked.receipt_wait
    while True:
        peer.news.clear()
        told = [
            r.Told(receipt, delivered.pdu.tlvs, delivered.at, utc)
            for delivered in peer.delivered
            if delivered.at >= begun and (receipt := r.receipt_of(delivered.pdu)) is not None
        ]
        if sum(one.receipt.outcome in FINAL for one in told) >= len(sent):
            return told
        try:
            await asyncio.wait_for(peer.news.wait(), deadline - loop.time())
        except TimeoutError:
            return told


async def receipt_id(peer: Peer) -> Result:
    """How the ids of responses and receipts relate."""
    told = peer.receipts_told
    if not told:
        return _none()
    responses = peer.receipts_asked
    ids = [one.receipt.ids for one in told if one.receipt.ids]
    texts, tlvs = r.values(told, "id"), r.values(told, "receipted_message_id")
    details = [
        ("response", f"{r.shape(responses[0])}: {responses[0]}"),
        ("id in the text", f"{r.shape(texts[0])}: {texts[0]}" if texts else "none"),
        ("receipted_message_id", f"{r.shape(tlvs[0])}: {tlvs[0]}" if tlvs else "none"),
    ]
    if not ids:
        return Result(Outcome.FAILED, "no receipt carries an id", tuple(details))
    found = r.id_form(responses, [first for first, *_ in ids])
    if found is None:
        peer.facts.id_words = "no known form explains them"
        seen = "the receipts' ids cannot be told from the responses'"
        return Result(Outcome.FAILED, seen, tuple(details))
    peer.facts.id_form, peer.facts.id_words = found
    outcome = Outcome.PASSED if found[0] == "as_is" else Outcome.NOTED
    return Result(outcome, found[1], tuple(details))


async def receipt_dates(peer: Peer) -> Result:
    """How dates are written, and in which zone."""
    told = peer.receipts_told
    if not told:
        return _none()
    dates = [*r.values(told, "submit_date"), *r.values(told, "done_date")]
    if not dates:
        return Result(Outcome.NOTED, "the receipts carry no dates")
    lengths = sorted({len(date) for date in dates})
    digits = " or ".join(map(str, lengths))
    # The first submit was a moment ago at most; the receipts of one run share its offset or none.
    offsets = {r.date_offset(one.receipt.submit_date, one.utc) for one in told}
    if len(offsets) != 1 or None in offsets:
        return Result(Outcome.NOTED, f"{digits} digits; the zone is not clear")
    (offset,) = offsets
    peer.facts.receipt_offset = offset
    words = r.offset_words(offset or 0)
    standard = lengths == [10]
    return Result(Outcome.PASSED if standard else Outcome.NOTED, f"{digits} digits, {words}")


async def receipt_fields(peer: Peer) -> Result:
    """Which words, codes and TLVs receipts use."""
    told = peer.receipts_told
    if not told:
        return _none()
    stats, errs = r.values(told, "stat"), r.values(told, "err")
    names = r.tlv_names(told)
    details = (
        ("stat", " ".join(stats) or "none"),
        ("err", " ".join(errs) or "none"),
        ("TLVs", " ".join(names) or "none"),
        ("text quoted", "yes" if any(r.values(told, "text")) else "no"),
    )
    unread = [stat for stat in stats if stat and not _readable(stat)]
    if unread:
        return Result(Outcome.NOTED, f"stat {' '.join(unread)} is not known", details)
    carries = [word for word, there in (("text", stats), ("TLVs", names)) if there]
    return Result(Outcome.PASSED, f"state in {' and '.join(carries) or 'nothing'}", details)


def _readable(stat: str) -> bool:
    return Receipt(stat=stat).outcome is not None


def _none() -> Result:
    return Result(Outcome.SKIPPED, "no receipt came")
