"""Messages whose window closed before they could leave -> their next one.

In: due messages, as a lease met them. Out: when each may leave instead, or that it ends. The same
rules as at admission, by what is stored with the message alone: a lease asks no configuration but
the rules in force. Pure; called on the store's thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from config.zone_names import zone_names
from gateway.policy.quiet import Answer, QuietHours, spread_over
from gateway.policy.zones import Place
from gateway.store.messages import Closed, Opening


def reopen(quiet: QuietHours, closed: Sequence[Closed], now: int) -> list[Opening]:
    """`messages.Reopen`, once it is given the rules."""
    names = zone_names()
    answers: dict[tuple[Place, str, str], Answer | None] = {}
    openings: list[Opening] = []
    waiting: dict[Answer, list[int]] = {}
    outcomes: Counter[tuple[str, str]] = Counter()
    for index, one in enumerate(closed):
        content = one.content
        place = quiet.zones.place(one.number)
        # A name that is stored may be none by now: the database drops some, and a lease that fails
        # for it would fail for all.
        if one.zone is not None and one.zone in names:
            place = quiet.zones.named(one.zone, place.country)
        key = (place, content.category, content.strict_hours)
        if key not in answers:
            answers[key] = quiet.when(*key, now)
        answer = answers[key]
        if answer is None or content.answer:
            openings.append(Opening(now))
        elif answer.opens == now:
            openings.append(Opening(now, answer.closes))
        elif content.on_quiet != "defer":
            outcomes[answer.rule.name, "dropped"] += 1
            openings.append(Opening(None))
        elif answer.opens is None or answer.opens >= one.deadline:
            outcomes[answer.rule.name, "beyond_validity"] += 1
            openings.append(Opening(None))
        else:
            waiting.setdefault(answer, []).append(index)
            openings.append(Opening(answer.opens, answer.closes))
    for answer, indexes in waiting.items():
        outcomes[answer.rule.name, "deferred_again"] += len(indexes)
        slots = spread_over(len(indexes), closed[indexes[0]].number)
        for index, slot in zip(indexes, slots, strict=True):
            openings[index].due = quiet.slot(answer, closed[index].deadline, slot)
    quiet.tell(outcomes)
    return openings
