"""Frequency: how many messages of a kind one person gets in a period (the account's `frequency`).

The last check: what it lets pass it remembers, and forgets again if the submission is not stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from config.policies import FrequencyCap
from gateway.admission.contacts import applies, spelt
from gateway.admission.world import World, standing
from gateway.draft import Ask, Draft
from gateway.model import Status
from gateway.policy.frequency import Contacts

SOURCE = "the account's frequency"


def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
    """Refuse recipients who have had enough; a message that takes another's place, or answers a
    keyword, is none more."""
    caps = ask.account.frequency
    if not caps or not drafts or ask.replacing or ask.answer or world.contacts is None:
        return drafts
    sender, category = spelt(ask.sender or ""), ask.category.value
    account = ask.account.name
    noted: list[tuple[Contacts, FrequencyCap]] = []
    for cap in caps:
        if applies(cap, sender, category):
            noted.append((world.contacts.table(account, cap, sender), cap))
    # What is dropped reaches nobody, so it neither counts nor is in the way of the count.
    counted = [draft for draft in drafts if draft.status != Status.REJECTED]
    for place, (table, cap) in enumerate(noted):
        refused: list[Draft] = []
        passing: list[Draft] = []
        answers = table.add([draft.number for draft in counted], ask.now, dry=ask.dry)
        for draft, until in zip(counted, answers, strict=True):
            if draft.notes is not None:
                draft.note(_rule(cap), SOURCE)
            if until:
                draft.refuse("frequency_cap", f"{_rule(cap)}; the next after {_time(until)}")
                refused.append(draft)
            else:
                passing.append(draft)
        counted = passing
        if ask.dry:
            continue
        # Who is refused by this cap has not been written to, whatever the others have noted.
        for earlier, _ in noted[:place]:
            earlier.forget([draft.number for draft in refused], ask.now)
    if noted and not ask.dry:
        numbers = [draft.number for draft in counted]
        ask.undo.append(partial(_forget, [table for table, _ in noted], numbers, ask.now))
    return standing(drafts)


def _forget(tables: Sequence[Contacts], numbers: Sequence[int], at: int) -> None:
    for table in tables:
        table.forget(numbers, at)


def _rule(cap: FrequencyCap) -> str:
    senders = "these senders together" if cap.senders else "one sender"
    kinds = " and ".join(cap.categories)
    return f"at most {cap.messages} {kinds} of {senders} in {_span(cap.period)}"


def _span(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000_000, UTC).isoformat(timespec="seconds")
