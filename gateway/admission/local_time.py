"""Local time: `send_at_local` -> when that is where each recipient is."""

from __future__ import annotations

from gateway.admission.schedule import SKIPPED, too_late, validity_of
from gateway.admission.world import World, standing
from gateway.draft import Ask, Draft
from gateway.model import Status
from gateway.policy.hours import instant_of, shown
from gateway.policy.zones import Place


def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
    """Write `due`, `deadline` and `status` by the recipient's clock; refuse whom it is over for.

    Somebody who may be in several zones gets it when that hour has come in the last of them: too
    late can be explained, too early wakes people.
    """
    clock = ask.send_at_local
    if clock is None:
        return drafts
    now, validity = ask.now, validity_of(ask)
    earliest = now - too_late(ask)
    zones = world.quiet.zones
    times: dict[Place, int] = {}
    for draft in drafts:
        if draft.zone is None:
            place = zones.place(draft.number)
        else:
            place = zones.named(draft.zone, draft.country)
        due = times.get(place)
        if due is None:
            due = times[place] = instant_of(clock, place.zones)
        if due + validity <= now:
            draft.refuse(
                "validity_expired",
                "send_at_local plus validity is in the past where the recipient is",
                "#/send_at_local",
            )
            continue
        if due <= earliest:
            problem = f"send_at_local is past where the recipient is, and {SKIPPED}"
            draft.refuse("validity_expired", problem, "#/send_at_local")
            continue
        draft.due = max(due, now)
        draft.deadline = draft.due + validity
        draft.status = Status.SCHEDULED if due > now else Status.QUEUED
        if draft.notes is not None:
            where = ", ".join(place.zones)
            draft.note(f"send_at_local is {shown(due)} in {where}", "the submission")
    return standing(drafts)
