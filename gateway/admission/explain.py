"""Why a message would, or would not, leave: what each check does with it, in order.

In: one ask and one draft that nobody has judged yet. Out: a step for each check, with the rules it
went by. The checks are those of every submission; what they write is compared before and after.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from gateway.admission.world import Check, World
from gateway.draft import Ask, Decision, Draft, Note, Step
from gateway.errors import REASONS, Busy, Refused
from gateway.model import ENCODING_NAMES, STATUS_NAMES, Status, mask_number

_HELD: Final = {
    Status.HELD_MODERATION: Decision.HOLDS,
    Status.HELD_QUIET: Decision.PUTS_OFF,
    Status.REJECTED: Decision.DROPS,
}


def _time(value: int) -> str:
    return datetime.fromtimestamp(value / 1_000_000, UTC).isoformat(timespec="seconds")


_SHOWN: Final[dict[str, Callable[[Ask, Draft], str]]] = {
    "sender": lambda ask, draft: ask.sender or "",
    "category": lambda ask, draft: ask.category.value,
    "template": lambda ask, draft: ask.template or "",
    "number": lambda ask, draft: mask_number(draft.number) if draft.number else "",
    "country": lambda ask, draft: draft.country or "",
    "characters": lambda ask, draft: str(draft.characters or ""),
    "parts": lambda ask, draft: str(draft.parts or ""),
    "encoding": lambda ask, draft: ENCODING_NAMES[draft.encoding] if draft.parts else "",
    "leaves": lambda ask, draft: _time(draft.due) if draft.due else "",
    "window closes": lambda ask, draft: _time(draft.closes) if draft.closes else "",
    "given up": lambda ask, draft: _time(draft.deadline) if draft.deadline else "",
    "status": lambda ask, draft: STATUS_NAMES[draft.status] if draft.due else "",
    "lane": lambda ask, draft: draft.lane,
    "carriers excluded": lambda ask, draft: ", ".join(draft.without),
}
"""What is worth showing of what checks write; the text itself is not."""


async def explain(order: Sequence[Check], ask: Ask, draft: Draft, world: World) -> list[Step]:
    """See `draft.Admission.explain`."""
    ask.dry = True
    steps: list[Step] = []
    over = False
    before = _seen(ask, draft)
    for check in order:
        name = check.__module__.rpartition(".")[2]
        if over:
            steps.append(Step(name, Decision.NOT_REACHED, None, "", {}, ()))
            continue
        draft.notes = []
        status, reason = draft.status, draft.reason
        try:
            result: Any = check(ask, [draft], world)
            if isinstance(result, Awaitable):
                await result
        except Refused as error:
            draft.refuse(error.reason.code, error.detail, error.pointer)
        except Busy as error:
            steps.append(Step(name, Decision.REFUSES, None, str(error), {}, draft.notes))
            over = True
            continue
        after = _seen(ask, draft)
        changes = {key: value for key, value in after.items() if value != before[key]}
        before = after
        decision, code, detail = Decision.CHANGES if changes else Decision.PASSES, None, ""
        if draft.code is not None:
            decision, code, detail = Decision.REFUSES, draft.code, draft.detail
            over = True
        elif (draft.status, draft.reason) != (status, reason) and draft.status in _HELD:
            decision, code = _HELD[Status(draft.status)], draft.reason
            detail = REASONS[draft.reason].text if draft.reason else ""
        notes = draft.notes or [Note(_says(check), "")]
        steps.append(Step(name, decision, code, detail, changes, notes))
    ask.take_back()
    return steps


def _says(check: Check) -> str:
    """What a check that has nothing special to say looks at: the first line of its module."""
    text = (sys.modules[check.__module__].__doc__ or "").partition("\n\n")[0]
    return " ".join(text.split())


def _seen(ask: Ask, draft: Draft) -> dict[str, str]:
    return {name: shown(ask, draft) for name, shown in _SHOWN.items()}
