"""Why a message would, or would not, leave: for whoever is asked at night.

In: a message as it would be submitted, or the id of one that was. Out: the decision of each check
in order with its rule, and which carriers could take it now. Nothing is stored and nothing
remembered.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway import ids
from gateway.draft import Ask, Decision, Draft, Step
from gateway.ingress.http import answers_explain as x
from gateway.ingress.http.asking import ask_for
from gateway.ingress.http.call import Answer, Call, answer
from gateway.ingress.http.decode import decoder, refuse_nul
from gateway.ingress.http.ports import CarrierStatus
from gateway.ingress.http.problem import Problem, field_problem
from gateway.ingress.http.shapes_explain import ExplainRequest
from gateway.ingress.http.values import instant
from gateway.ingress.http.views import message_out, reason_out, status_name
from gateway.model import FINAL, STATUS_NAMES, Category, Lane, Status
from gateway.store.records import MessageView

_decode: Final = decoder(ExplainRequest)
_decode_vars: Any = msgspec.json.Decoder(dict[str, str]).decode


async def explain(call: Call) -> Answer:
    """Judge it, step by step."""
    body = await call.body()
    request = _decode(body)
    refuse_nul(body)
    view = None
    if request.id is not None:
        if len(msgspec.json.decode(body)) > 1:
            raise field_problem("invalid_value", "#/id", "`id` stands alone: give it, or a message")
        view = await _stored(call, request.id)
        ask, draft = _again(call, view)
    elif request.to is None or (request.text is None and request.template is None):
        missing = "to" if request.to is None else "text"
        detail = "give a message (`to` and `text`), or the `id` of one"
        raise field_problem("missing_field", f"#/{missing}", detail)
    else:
        ask, draft = ask_for(call, request, request.text), Draft(request.to, request.vars)
    steps = await call.service.admission.explain(ask, draft)
    return answer(200, _explanation(call, ask, draft, steps, view))


async def _stored(call: Call, text: str) -> MessageView:
    identifier = ids.decode("msg", text)
    view = None
    if identifier is not None:
        (view,) = await call.service.store.messages(call.account.name, [identifier])
    if view is None:
        raise field_problem("invalid_value", "#/id", "`id`: the account has no such message")
    if not view.text:
        raise Problem("wrong_state", "its text was removed by retention: nothing can judge it")
    return view


def _again(call: Call, view: MessageView) -> tuple[Ask, Draft]:
    """A stored message as if it were submitted now."""
    ask = Ask(
        call.account, view.text, call.now, sender=view.sender, category=Category(view.category)
    )
    ask.replacing = True  # it counts already wherever messages are counted
    values = None if view.vars is None else _decode_vars(view.vars)
    return ask, Draft(f"+{view.number}", values, view.client_ref)


def _explanation(
    call: Call, ask: Ask, draft: Draft, steps: list[Step], view: MessageView | None
) -> x.Explanation:
    stopped = next((one for one in steps if one.decision is Decision.REFUSES), None)
    route, carriers = (None, []) if stopped else _carriers(call, draft, ask.category.value)
    status = None if stopped else status_name(draft.status)
    code = stopped.code if stopped else draft.reason
    detail = stopped.detail if stopped else ""
    return x.Explanation(
        instant(call.now),
        _verdict(ask, draft, stopped, carriers, view),
        status,
        None if code is None else reason_out(code, detail),
        None if stopped else instant(draft.due),
        [_step(one) for one in steps],
        route,
        carriers,
        None if view is None else message_out(view),
    )


def _step(one: Step) -> x.StepOut:
    return x.StepOut(
        one.check,
        one.decision.value,
        None if one.code is None else reason_out(one.code, one.detail),
        one.changes,
        [x.RuleOut(note.rule, note.source) for note in one.notes],
    )


def _carriers(call: Call, draft: Draft, category: str) -> tuple[str | None, list[x.CarrierChoice]]:
    if not draft.lane:
        return None, []
    lane = Lane.parse(draft.lane)
    statuses = {one.name: one for one in call.service.carriers()}
    found = []
    first: int | None = None
    for rank, name in _ranked(call, lane.route):
        if name in draft.without or name in lane.without:
            why = draft.without.get(name) or "another reason"
            found.append(x.CarrierChoice(name, False, f"it must not take this message: {why}"))
        elif name not in statuses:
            found.append(x.CarrierChoice(name, False, "it is not configured (any more)"))
        else:
            takes, why = _takes(statuses[name], category)
            if takes and first is None:
                first = rank
            if takes and rank != first:
                takes, why = False, f"it stands by: rank {rank}, and one of rank {first} is up"
            found.append(x.CarrierChoice(name, takes, why))
    return lane.route, found


def _ranked(call: Call, name: str) -> list[tuple[int, str]]:
    """A route's carriers, those that come first first."""
    return sorted(
        (
            (0, each) if isinstance(each, str) else (each.rank, each.name)
            for route in call.service.settings.route
            if route.name == name
            for each in route.carriers
        ),
        key=lambda one: one[0],
    )


def _takes(status: CarrierStatus, category: str) -> tuple[bool, str]:
    """Whether a carrier takes messages now, and why (not)."""
    if status.bound <= 0:
        return False, f"no session is up ({status.last_error or 'not bound yet'})"
    if status.rate_now <= 0:
        return False, "the operator wants silence"
    for window in status.windows:
        if window.category == category and not window.open:
            until = "" if window.changes_at is None else f" until {_when(window.changes_at)}"
            return False, f"its send window for {category} messages is closed{until}"
    for cap in status.caps:
        if cap.used >= cap.limit:
            until = _when(cap.resets_at)
            return False, f"its cap of {cap.limit} PDUs a {cap.period} is reached until {until}"
    slowed = " (slowed down by its complaints)" if status.rate_now < status.rate else ""
    return True, f"up, {status.rate_now:g} PDU/s{slowed}"


def _when(at: int) -> str:
    return instant(at).isoformat(timespec="seconds")


def _verdict(
    ask: Ask,
    draft: Draft,
    stopped: Step | None,
    carriers: list[x.CarrierChoice],
    view: MessageView | None,
) -> str:
    """One sentence; of a message that was submitted, first how it stands."""
    said = ""
    if view is not None:
        said = f"It is {STATUS_NAMES[view.status]}"
        said += f" ({view.reason}). " if view.reason else ". "
        if view.status in FINAL or view.status == Status.SENT:
            said += "If it were submitted now, "
    if stopped is not None:
        text = f"it would be refused by `{stopped.check}`: {stopped.detail or stopped.code}"
    elif draft.status == Status.REJECTED:
        text = f"it would be accepted and dropped ({draft.reason})"
    elif draft.status == Status.HELD_MODERATION:
        text = "it would wait for a moderator"
    elif draft.due > ask.now:
        when = instant(draft.due).isoformat(timespec="seconds")
        text = f"it would wait until {when}" + (f" ({draft.reason})" if draft.reason else "")
    elif not any(one.takes for one in carriers):
        text = "it would wait: no carrier of its route takes messages now"
    else:
        takers = ", ".join(one.name for one in carriers if one.takes)
        text = f"it would leave now, over {takers}"
    if not said.endswith(", "):
        text = text[0].upper() + text[1:]
    return f"{said}{text}."
