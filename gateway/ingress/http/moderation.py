"""Moderation: texts that wait, claims, decisions, and the trail of them.

In: calls. Out: answers. Whoever is shown a text is in the trail first. A key with the scope `admin`
besides sees all accounts' items, any other its own account's. Knows the store's contract.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from gateway import ids
from gateway.ingress.http import answers_moderation as a
from gateway.ingress.http import values
from gateway.ingress.http.call import Answer, Call, answer, not_found, page_link
from gateway.ingress.http.decode import decoder, refuse_nul
from gateway.ingress.http.parameters import ADMIN
from gateway.ingress.http.problem import Problem, field_problem, parameter_problem
from gateway.ingress.http.shapes_moderation import (
    ApproveRequest,
    DecisionsRequest,
    ModeratorRequest,
    RejectRequest,
)
from gateway.ingress.http.values import instant, maybe_instant
from gateway.store.moderation import Claimed, Decision, Item, ItemState
from gateway.store.registry import EVERYBODY, Audit

ITEMS: Final = frozenset({"account", "state", "limit", "cursor"})
TRAIL: Final = frozenset({"account", "action", "item", "limit", "cursor"})
PREFIX: Final = "itm"
ACTIONS: Final = ("list", "view", "claim", "release", "approve", "reject")

_decode_moderator: Final = decoder(ModeratorRequest)
_decode_approve: Final = decoder(ApproveRequest)
_decode_reject: Final = decoder(RejectRequest)
_decode_decisions: Final = decoder(DecisionsRequest)

Request = TypeVar("Request", bound=ModeratorRequest)


async def items(call: Call) -> Answer:
    """A page of items, oldest first. That it was looked at is in the trail, once for the page."""
    query = call.query(ITEMS)
    limit = values.limit_of(query)
    account = _account(call, query)
    store = call.service.store
    found = await store.items(account, _states(query), limit + 1, values.cursor_of(query))
    cursor = values.spell_cursor(found[limit - 1].id) if len(found) > limit else None
    found = found[:limit]
    if found:
        detail = {"items": len(found), "first": _spelt(found[0].id), "last": _spelt(found[-1].id)}
        owner = EVERYBODY if account is None else account
        entry = Audit(owner, call.actor, "moderation.list", owner, call.now, detail)
        await store.note_audit([entry])
    page = a.ItemPage([item_out(one, call.now) for one in found], cursor)
    return answer(200, page, *page_link(call, query, cursor))


async def item(call: Call) -> Answer:
    """One item; that it was looked at is in the trail."""
    identifier = call.id(PREFIX)
    store = call.service.store
    found = await store.item(_sight(call), identifier)
    if found is None:
        raise not_found(PREFIX)
    owner = found.text.account
    entry = Audit(owner, call.actor, "moderation.view", _spelt(identifier), call.now)
    await store.note_audit([entry])
    return answer(200, item_out(found, call.now))


async def claim(call: Call) -> Answer:
    """Keep an item from other moderators for `[policy] claim_timeout`."""
    return await _claim(call, release=False)


async def release(call: Call) -> Answer:
    """Give a claim up."""
    return await _claim(call, release=True)


async def _claim(call: Call, *, release: bool) -> Answer:
    moderator = _moderator(call, _checked(await call.body(), _decode_moderator))
    until = call.now + int(call.service.settings.policy.claim_timeout * 1_000_000)
    met, found = await call.service.store.claim(
        _sight(call), call.id(PREFIX), moderator, call.now, until, release=release
    )
    return _answer(met, found, call.now)


async def approve(call: Call) -> Answer:
    """Its messages may leave."""
    request = _checked(await call.body(), _decode_approve)
    return await _decide(call, request, request.reason, approve=True)


async def reject(call: Call) -> Answer:
    """Its messages end as rejected."""
    request = _checked(await call.body(), _decode_reject)
    return await _decide(call, request, request.reason, approve=False)


async def _decide(call: Call, request: ModeratorRequest, reason: str, *, approve: bool) -> Answer:
    actor = _moderator(call, request)
    decision = Decision(call.id(PREFIX), approve, actor, call.now, reason)
    ((met, found),) = await call.service.store.decide(_sight(call), [decision])
    return _answer(met, found, call.now)


async def decisions(call: Call) -> Answer:
    """Many decisions, each with its outcome; one that cannot be made stops no other."""
    request = _checked(await call.body(), _decode_decisions)
    actor = _moderator(call, request)
    known: list[Decision] = []
    for place, one in enumerate(request.decisions):
        if one.decision == "reject" and not one.reason:
            pointer = f"#/decisions/{place}/reason"
            raise field_problem("missing_field", pointer, "`reason`: the customer must know why")
        identifier = ids.decode(PREFIX, one.id)
        # What is no id names nothing: no item has the id 0.
        known.append(
            Decision(identifier or 0, one.decision == "approve", actor, call.now, one.reason)
        )
    outcomes = await call.service.store.decide(_sight(call), known)
    return answer(
        200,
        a.Outcomes(
            [
                _outcome(one.id, met, found, call.now)
                for one, (met, found) in zip(request.decisions, outcomes, strict=True)
            ]
        ),
    )


async def trail(call: Call) -> Answer:
    """Who looked at, claimed and decided what, newest first."""
    query = call.query(TRAIL)
    limit = values.limit_of(query)
    action = query.get("action")
    if action is not None and action.removeprefix("moderation.") not in ACTIONS:
        raise parameter_problem("action", f"`action` is one of {', '.join(ACTIONS)}")
    identifier = values.id_of(query, "item", PREFIX)
    found = await call.service.store.audit(
        _account(call, query),
        limit + 1,
        values.cursor_of(query),
        action=f"moderation.{(action or '').removeprefix('moderation.')}",
        subject=None if identifier is None else _spelt(identifier),
    )
    cursor = values.spell_cursor(found[limit - 1].id) if len(found) > limit else None
    page = a.AuditPage([_audit_out(one) for one in found[:limit]], cursor)
    return answer(200, page, *page_link(call, query, cursor))


def item_out(one: Item, now: int) -> a.ItemOut:
    """An item as the API shows it."""
    text = one.text
    holder = one.holder(now)
    return a.ItemOut(
        _spelt(one.id),
        one.state.value,
        text.account,
        text.sender,
        text.category,
        text.text,
        list(text.words),
        text.template,
        one.messages,
        one.waiting,
        instant(one.created),
        instant(one.first_due),
        max(0, (one.decided_at or now) - one.created) / 1e6,
        holder,
        maybe_instant(one.claimed_until) if holder is not None else None,
        one.decided_by,
        maybe_instant(one.decided_at),
        one.reason or None,
    )


def _answer(met: Claimed, found: Item | None, now: int) -> Answer:
    """The item as it stands, or why it was not to be had."""
    if met is Claimed.UNKNOWN or found is None:
        raise not_found(PREFIX)
    if met is Claimed.TAKEN:
        until = instant(found.claimed_until or now)
        raise Problem("item_taken", f"{found.claimed_by} has it until {until:%H:%M:%S} UTC")
    if met is Claimed.DECIDED:
        raise Problem("item_decided", f"{found.decided_by} has {found.state.value} it")
    return answer(200, item_out(found, now))


def _outcome(spelt: str, met: Claimed, found: Item | None, now: int) -> a.OutcomeOut:
    if found is None:
        return a.OutcomeOut(spelt, met.value, None, None, None)
    return a.OutcomeOut(spelt, met.value, found.state.value, found.holder(now), found.decided_by)


def _audit_out(one: Audit) -> a.AuditOut:
    item = one.subject if ids.decode(PREFIX, one.subject) is not None else None
    return a.AuditOut(instant(one.at), one.account, one.actor, one.action, item, one.detail)


def _checked(body: bytes, decode: Callable[[bytes], Request]) -> Request:
    # Who has nothing to add sends no body.
    request = decode(body if body.strip() else b"{}")
    refuse_nul(body)
    return request


def _moderator(call: Call, request: ModeratorRequest) -> str:
    """Who acts, as claims compare it and the trail names it."""
    name = request.moderator.strip()
    return f"{call.actor}/{name}" if name else call.actor


def _sight(call: Call) -> str | None:
    """Whose items the key sees; None: all."""
    return None if ADMIN in call.identity.scopes else call.account.name


def _account(call: Call, query: dict[str, str]) -> str | None:
    """Whose items are asked for."""
    wanted, sight = query.get("account"), _sight(call)
    if wanted is not None and sight not in (None, wanted):
        raise Problem("missing_scope", "other accounts' items are for keys with the scope `admin`")
    return wanted or sight


def _states(query: dict[str, str]) -> list[ItemState] | None:
    value = query.get("state")
    if value is None:
        return None
    names = value.split(",")
    if not set(names) <= set(ItemState):
        raise parameter_problem("state", f"`state` is one or several of {', '.join(ItemState)}")
    return [ItemState(name) for name in names]


def _spelt(identifier: int) -> str:
    return ids.encode(PREFIX, identifier)
