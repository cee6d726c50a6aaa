"""Stop-word lists: list, get, put, delete, import, export, and try out.

In: calls. Out: answers. A list belongs to an account, or to all (`account=*`, scope `admin`). What
a list must be like is `gateway.policy.stopwords`'s to say; here it is told by pointer or line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from gateway.ingress.http import answers_stopwords as a
from gateway.ingress.http import ports
from gateway.ingress.http import registries as r
from gateway.ingress.http.call import JSON, Answer, Call, answer, not_found
from gateway.ingress.http.decode import decoder, refuse_nul
from gateway.ingress.http.problem import FieldProblem, Problem, parameter_problem
from gateway.ingress.http.shapes_stopwords import StopWordCheck
from gateway.ingress.http.values import instant
from gateway.policy.stopwords import forms
from gateway.policy.stopwords.lists import (
    ListDoc,
    ListProblem,
    ListProblems,
    StopList,
    compile_list,
    from_json,
    to_json,
)
from gateway.policy.stopwords.matcher import Hit
from gateway.store.registry import EVERYBODY, Entry, Kind

PLAIN: Final = "text/plain"
CSV: Final = "text/csv"
MEDIA: Final = (JSON, PLAIN, CSV)
RESERVED: Final = frozenset({"check"})
"""Names that are paths of their own."""
MOST_LISTS: Final = 100
"""Lists of one account: one for each language and purpose."""
MOST_ENTRIES: Final = 100_000
"""Entries of one account's lists: one automaton, whose last step holds the interpreter for 0.1
to 0.2 s at that size."""
OTHER: Final = "other"
"""Class of imported entries that name none."""

ACCOUNT: Final = frozenset({"account"})
IMPORT: Final = frozenset({"account", "class", "language", "on_match"})

_READ: Final[Mapping[str, Callable[[bytes, str], forms.Form]]] = {
    PLAIN: forms.read_plain,
    CSV: forms.read_csv,
}
_WRITE: Final[Mapping[str, Callable[[ListDoc], str]]] = {
    PLAIN: forms.write_plain,
    CSV: forms.write_csv,
}

_decode_list: Final = decoder(ListDoc)
_decode_check: Final = decoder(StopWordCheck)


async def listing(call: Call) -> Answer:
    """The account's lists and those for all, without their entries."""
    account = r.whose(call, call.query(ACCOUNT))
    found = [_out(call, account, one) for one in call.service.words.of(account)]
    return answer(200, a.StopLists(found))


async def get(call: Call) -> Answer:
    """One list with its entries, in the form the caller accepts."""
    account = r.whose(call, call.query(ACCOUNT))
    for one in call.service.words.of(account):
        if one.words.name == call.item and one.account == account:
            return _whole(call, one)
    for one in call.service.words.of(account):
        if one.words.name == call.item:
            if not r.is_admin(call):
                detail = f"to read a list for all accounts takes the scope `{r.ADMIN}`"
                raise Problem("missing_scope", detail)
            return _whole(call, one)
    raise not_found(Kind.STOPWORDS.value)


async def put(call: Call) -> Answer:
    """Create or replace a list; it is in force when this is answered."""
    query = call.query(IMPORT)
    account = r.whose(call, query)
    name, before, others = await r.own(call, Kind.STOPWORDS, account)
    if name in RESERVED:
        raise Problem("configured", f"a list cannot be called `{name}`; choose another name")
    body = await call.body()
    doc, lines = await _read(call, body, query, before)
    compiled = await _compile(name, doc, lines)
    _refuse_beyond_most(compiled, [one for one in others if one.name != name])
    entry = Entry(Kind.STOPWORDS, account, name, to_json(doc), updated=call.now, actor=call.actor)
    (stored,) = await call.service.store.put_entries([entry])
    await call.service.words.settled()
    kept = a.StopListStored(
        name, account, stored.version, compiled.entries, instant(stored.updated)
    )
    return answer(200, kept)


async def delete(call: Call) -> Answer:
    """Take a list away."""
    account = r.whose(call, call.query(ACCOUNT))
    name, _, _ = await r.own(call, Kind.STOPWORDS, account)
    await r.remove(call, Kind.STOPWORDS, account, name)
    await call.service.words.settled()
    return Answer(204, b"")


async def check(call: Call) -> Answer:
    """What a text and a sender have."""
    name = r.whose(call, call.query(ACCOUNT))
    body = await call.body()
    request = _decode_check(body)
    refuse_nul(body)
    if name == EVERYBODY:
        raise parameter_problem("account", "`account`: name one; lists apply by account")
    account = call.service.keyring.accounts[name]
    words = call.service.words
    found = [_found(hit, "text") for hit in words.finder(account)(request.text)]
    found += [_found(hit, "from") for hit in words.in_sender(account, request.sender)]
    outcome: a.Outcome = "hold" if found else "pass"
    if any(one.on_match == "reject" for one in found):
        outcome = "reject"
    return answer(200, a.StopWordsFound(outcome, found))


# --- in


async def _read(
    call: Call, body: bytes, query: Mapping[str, str], before: Entry | None
) -> tuple[ListDoc, forms.Form | None]:
    """The list, and where its entries stand if it is not JSON."""
    if call.media == JSON:
        for name in IMPORT - ACCOUNT:
            if name in query:
                raise parameter_problem(name, f"`{name}` is for imports; JSON has it in the body")
        doc = _decode_list(body)
        refuse_nul(body)
        return doc, None
    try:
        form = await asyncio.to_thread(_READ[call.media], body, query.get("class", OTHER))
    except forms.FormError as error:
        raise Problem(error.code, str(error)) from None
    kept = None if before is None else from_json(before.doc)
    try:
        doc = msgspec.convert(
            {
                "language": query.get("language", "und" if kept is None else kept.language),
                "about": "" if kept is None else kept.about,
                "on_match": query.get("on_match", "hold" if kept is None else kept.on_match),
                "classes": msgspec.to_builtins(form.classes),
            },
            ListDoc,
        )
    except msgspec.ValidationError as error:
        raise Problem("invalid_value", f"the list cannot be used: {error}") from None
    return doc, form


async def _compile(name: str, doc: ListDoc, form: forms.Form | None) -> StopList:
    try:
        return await asyncio.to_thread(compile_list, name, "", doc)
    except ListProblems as error:
        told = [_problem(one, form) for one in error.problems]
        detail = told[0].detail
        if len(told) + error.more > 1:
            detail = f"{len(told) + error.more} entries cannot be used; {len(told)} are listed"
        raise Problem("invalid_value", detail, told) from None


def _problem(problem: ListProblem, form: forms.Form | None) -> FieldProblem:
    index, kind, place = problem.place
    if form is None:
        pointer = f"#/classes/{index}/{kind}/{place}"
        return FieldProblem("invalid_value", problem.detail, pointer)
    line = form.lines.get(problem.place)
    where = "" if line is None else f"line {line}: "
    return FieldProblem("invalid_value", f"{where}{problem.detail}")


def _refuse_beyond_most(words: StopList, others: list[Entry]) -> None:
    if len(others) >= MOST_LISTS:
        raise Problem("wrong_state", f"there are {MOST_LISTS} lists already; delete one")
    entries = words.entries + sum(
        len(group["entries"]) for one in others for group in one.doc["classes"]
    )
    if entries > MOST_ENTRIES:
        raise Problem(
            "wrong_state",
            f"the account's lists would have {entries} entries together, at most {MOST_ENTRIES}; "
            "delete a list",
        )


# --- out


def _whole(call: Call, listed: ports.Listed) -> Answer:
    doc = listed.words.doc
    accepted = call.request.headers.get("Accept", "")
    for media, write in _WRITE.items():
        if media in accepted:
            return Answer(200, write(doc).encode(), f"{media}; charset=utf-8")
    whole = a.StopListWhole(
        listed.words.name,
        listed.account,
        "file" if listed.from_file else "api",
        listed.words.version,
        doc.language,
        doc.about,
        doc.on_match,
        doc.classes,
    )
    return answer(200, whole)


def _out(call: Call, name: str, listed: ports.Listed) -> a.StopListOut:
    words = listed.words
    account = call.service.keyring.accounts.get(name)
    applying = ("*",) if account is None else account.moderation.lists
    return a.StopListOut(
        words.name,
        listed.account,
        "file" if listed.from_file else "api",
        words.doc.language,
        words.doc.about,
        words.version,
        words.doc.on_match,
        words.entries,
        "*" in applying or words.name in applying,
        [
            a.StopClassOut(one.name, len(one.entries), len(one.exceptions), one.as_of, one.source)
            for one in words.doc.classes
        ],
    )


def _found(hit: Hit, where: a.Where) -> a.StopWordFound:
    return a.StopWordFound(hit.list, hit.cls, hit.entry, where, "reject" if hit.reject else "hold")
