"""Keywords of an account's own: list, get, put, delete, try out.

In: calls. Out: answers. What a reply means is returns' to say (`ports.Keywords`); what a pattern
may be, `gateway.policy.keyword_rules`'s.
"""

from __future__ import annotations

from typing import Final

import msgspec

from config.keyword_references import MOST_PARTS, parts_of
from gateway.ingress.http import answers_keywords as a
from gateway.ingress.http import registries as r
from gateway.ingress.http import values
from gateway.ingress.http.call import Answer, Call, answer
from gateway.ingress.http.decode import decoder, refuse_nul
from gateway.ingress.http.problem import Problem, field_problem
from gateway.ingress.http.shapes_keywords import (
    KeywordRequest,
    KeywordTrial,
    NewKeywordRequest,
)
from gateway.policy.keyword_rules import MOST_RULES, BadPattern, Match, Rule, check
from gateway.store.ledgers import ALL, spelt
from gateway.store.registry import Entry, Kind

NOTHING: Final = frozenset[str]()
RESERVED: Final = "test"
"""A name the path has another use for."""

_decode: Final = decoder(KeywordRequest)
_decode_new: Final = decoder(NewKeywordRequest)
_decode_trial: Final = decoder(KeywordTrial)


async def listing(call: Call) -> Answer:
    """All of the account's."""
    call.query(NOTHING)
    found = await call.service.store.entries(Kind.KEYWORD, call.account.name)
    return answer(200, a.KeywordList([_out(entry) for entry in found]))


async def get(call: Call) -> Answer:
    """One of them."""
    call.query(NOTHING)
    return answer(200, _out(await r.one(call, Kind.KEYWORD, call.account.name)))


async def create(call: Call) -> Answer:
    """One under a name that is not taken."""
    call.query(NOTHING)
    body = await call.body()
    request = _decode_new(body)
    refuse_nul(body)
    others = await call.service.store.entries(Kind.KEYWORD, call.account.name)
    if any(entry.name == request.name for entry in others):
        raise Problem("wrong_state", "there is one of this name; PUT replaces it")
    return answer(201, _out(await _put(call, request.name, request, others)))


async def put(call: Call) -> Answer:
    """Create or replace one."""
    call.query(NOTHING)
    body = await call.body()
    request = _decode(body)
    refuse_nul(body)
    name, _, others = await r.own(call, Kind.KEYWORD, call.account.name)
    return answer(200, _out(await _put(call, name, request, others)))


async def delete(call: Call) -> Answer:
    """Take one away."""
    call.query(NOTHING)
    name, _, _ = await r.own(call, Kind.KEYWORD, call.account.name)
    await r.remove(call, Kind.KEYWORD, call.account.name, name)
    return Answer(204, b"")


async def trial(call: Call) -> Answer:
    """What a reply would do; nothing is done."""
    call.query(NOTHING)
    body = await call.body()
    request = _decode_trial(body)
    refuse_nul(body)
    number = values.e164(request.number)
    if number is None:
        raise field_problem(
            "invalid_number", "#/number", "`number`: it is not in international form"
        )
    account, sender = call.account.name, request.sender.lstrip("+")
    refusing = await call.service.store.opted_out(account, sender, ALL, [number])
    outcomes = [
        a.KeywordOutcome(
            when,
            meaning.kind.value,
            meaning.keyword.word,
            meaning.keyword.language,
            meaning.answer,
            meaning.silent,
            meaning.webhook,
        )
        for when, meaning in call.service.keywords.outcomes(account, request.text, number, sender)
    ]
    return answer(200, a.KeywordTrialOut(outcomes, bool(refusing)))


async def _put(call: Call, name: str, request: KeywordRequest, others: list[Entry]) -> Entry:
    if name == RESERVED:
        raise field_problem("invalid_value", "#/name", f"`{RESERVED}` is no name for a keyword")
    if len(others) >= MOST_RULES and all(entry.name != name for entry in others):
        raise Problem(
            "wrong_state", f"the account has {MOST_RULES} already; delete what is not used"
        )
    rule = Rule(
        Match(request.match),
        request.pattern,
        tuple(dict.fromkeys(map(spelt, request.senders))),
        request.language,
        request.reply,
        request.webhook,
        request.priority,
    )
    _check(call, rule)
    return await r.put(call, Kind.KEYWORD, call.account.name, name, rule, others)


def _check(call: Call, rule: Rule) -> None:
    try:
        check(rule.match, rule.pattern)
    except BadPattern as error:
        raise field_problem("invalid_value", "#/pattern", f"`pattern`: {error}") from None
    if rule.reply is not None and "{{" in rule.reply:
        raise field_problem(
            "invalid_value", "#/reply", "`reply`: an answer has no placeholders but {brand}"
        )
    if rule.reply is not None:
        parts = parts_of(rule.reply, call.account.keywords.brand)
        if parts > MOST_PARTS:
            raise field_problem(
                "invalid_value", "#/reply", f"`reply`: {parts} parts; it has at most {MOST_PARTS}"
            )
    if rule.match in (Match.EXACT, Match.PREFIX):
        taken = call.service.keywords.everybodys(call.account.name, rule.pattern)
        if taken is not None:
            raise field_problem(
                "invalid_value",
                "#/pattern",
                f"`pattern`: it means {taken} for every account, which comes first",
            )


def _out(entry: Entry) -> a.KeywordOut:
    rule = msgspec.convert(entry.doc, Rule)
    return a.KeywordOut(
        entry.name,
        rule.match.value,
        rule.pattern,
        list(rule.senders),
        rule.language,
        rule.reply,
        rule.webhook,
        rule.priority,
        rule.disabled,
        entry.version,
        values.instant(entry.updated),
        entry.actor,
    )
