"""Quiet hours: nobody is disturbed when it is night where they are."""

from __future__ import annotations

from collections import Counter
from typing import Final

from gateway.admission.world import World, standing
from gateway.draft import Ask, Draft
from gateway.model import Status
from gateway.policy.hours import SECOND, shown
from gateway.policy.quiet import Answer, QuietHours, spread_over
from gateway.policy.zones import Place

REASON: Final = "quiet_hours"
_SHOWN: Final = 3
"""Zones named in a sentence; a Russian mobile has eleven."""


def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
    """Write `closes`, and for whom it is not the hour `due`, `status` and `reason`, or refuse.

    What waits for a moderator keeps waiting for them, and for its hour as well.
    """
    quiet = world.quiet
    if ask.answer or not quiet.binds(ask.category.value, ask.account.quiet_hours):
        for draft in drafts:
            if draft.notes is not None:
                draft.note(f"no quiet hours for {_exemption(ask)}", "config/policy/quiet_hours")
    else:
        drafts = _hours(ask, drafts, quiet)
    if ask.catch_up == "skip":
        _be_punctual(ask, drafts)
    return drafts


def _hours(ask: Ask, drafts: list[Draft], quiet: QuietHours) -> list[Draft]:
    category, profile = ask.category.value, ask.account.quiet_hours
    place_of, named = quiet.zones.place, quiet.zones.named
    # Nearly always all have the same time, and a place is all that is asked about.
    answers: dict[int, dict[Place, Answer | None]] = {}
    asked: dict[Place, Answer | None] = {}
    at = -1
    later: dict[Answer, list[Draft]] = {}
    for draft in drafts:
        due = draft.due
        if due != at:
            at = due
            asked = answers.setdefault(due, {})
        place = place_of(draft.number) if draft.zone is None else named(draft.zone, draft.country)
        try:
            answer = asked[place]
        except KeyError:
            answer = asked[place] = quiet.when(place, category, profile, due)
        if answer is None:
            continue
        if draft.notes is not None:
            draft.note(_sentence(place, answer), answer.rule.source)
        if answer.opens == due:
            draft.closes = answer.closes
        elif answer in later:
            later[answer].append(draft)
        else:
            later[answer] = [draft]
    if not later:
        return drafts
    outcomes: Counter[tuple[str, str]] = Counter()
    for answer, waiting in later.items():
        _put_off(ask, quiet, answer, waiting, outcomes)
    if not ask.dry:
        quiet.tell(outcomes)
    return standing(drafts)


def _put_off(
    ask: Ask,
    quiet: QuietHours,
    answer: Answer,
    drafts: list[Draft],
    outcomes: Counter[tuple[str, str]],
) -> None:
    """What becomes of messages that may not leave before `answer.opens`."""
    rule, opens = answer.rule, answer.opens
    if ask.on_quiet == "reject":
        outcomes[rule.name, "rejected"] += len(drafts)
        _refuse(drafts, f"{_hour(answer)}; on_quiet is reject")
        return
    if ask.on_quiet == "drop":
        outcomes[rule.name, "dropped"] += len(drafts)
        for draft in drafts:
            draft.status, draft.reason = Status.REJECTED, REASON
            draft.judged = None  # nobody needs to judge what is never sent
        return
    late = [draft for draft in drafts if opens is None or opens >= draft.deadline]
    if late:
        outcomes[rule.name, "beyond_validity"] += len(late)
        _refuse(late, f"{_hour(answer)}, which is beyond its validity")
        drafts = [draft for draft in drafts if draft.code is None]
        if not drafts:
            return
    outcomes[rule.name, "deferred"] += len(drafts)
    slots = spread_over(len(drafts), drafts[0].number)
    for draft, slot in zip(drafts, slots, strict=True):
        draft.due = quiet.slot(answer, draft.deadline, slot)
        draft.closes = answer.closes
        if draft.status != Status.HELD_MODERATION:
            draft.status, draft.reason = Status.HELD_QUIET, REASON


def _refuse(drafts: list[Draft], detail: str) -> None:
    for draft in drafts:
        draft.refuse(REASON, detail)


def _be_punctual(ask: Ask, drafts: list[Draft]) -> None:
    """What has its time and misses it by too much, whoever was down, is not sent any more."""
    late = int(ask.account.catch_up_late * SECOND)
    for draft in drafts:
        if draft.due > ask.now:
            draft.deadline = min(draft.deadline, draft.due + late)
        elif ask.send_at is not None:
            draft.deadline = min(draft.deadline, ask.send_at + late)


def _hour(answer: Answer) -> str:
    if answer.opens is None:
        return f"rule {answer.rule.name} has no hour that is allowed in all its time zones"
    return f"rule {answer.rule.name} allows it from {shown(answer.opens)}"


def _sentence(place: Place, answer: Answer) -> str:
    zones = ", ".join(place.zones[:_SHOWN])
    if len(place.zones) > _SHOWN:
        zones += f" and {len(place.zones) - _SHOWN} more zones"
    ends = "" if answer.closes is None else f" to {shown(answer.closes)}"
    return f"quiet hours in {zones}: {_hour(answer)}{ends}"


def _exemption(ask: Ask) -> str:
    if ask.answer:
        return "answers to keywords"
    if ask.account.quiet_hours == "none":
        return f'account {ask.account.name}: quiet_hours = "none"'
    return f"category {ask.category.value}"
