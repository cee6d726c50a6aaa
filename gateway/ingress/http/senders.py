"""The sender registry: list, get, put, delete.

In: calls. Out: answers. What an entry means for a message is `gateway.policy.senders`'s to say.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.ingress.http import answers_registries as a
from gateway.ingress.http import registries as r
from gateway.ingress.http import values
from gateway.ingress.http.call import Answer, Call, answer
from gateway.ingress.http.decode import decoder, refuse_nul
from gateway.ingress.http.problem import field_problem, parameter_problem
from gateway.ingress.http.shapes_registries import SenderRequest
from gateway.ingress.http.values import maybe_instant
from gateway.policy.senders import RegisteredSender, SenderStatus, complaint, kind_of, plain
from gateway.store.registry import Entry, Kind

FILTERS: Final = frozenset({"account", "sender", "carrier", "status"})
ACCOUNT: Final = frozenset({"account"})
STATUSES: Final = ("pending", "approved", "rejected", "suspended")

_decode: Final = decoder(SenderRequest)


async def listing(call: Call) -> Answer:
    """Entries that fit the filters."""
    query = call.query(FILTERS)
    if query.get("status", "pending") not in STATUSES:
        raise parameter_problem("status", f"`status` is one of {', '.join(STATUSES)}")
    wanted = {name: value for name, value in query.items() if name != "account"}
    if "sender" in wanted:
        wanted["sender"] = plain(wanted["sender"])
    found = []
    for entry in await r.seen(call, Kind.SENDER, query):
        doc = _doc(entry)
        if all(getattr(doc, name) == value for name, value in wanted.items()):
            found.append(_out(entry, doc))
    return answer(200, a.SenderList(found))


async def get(call: Call) -> Answer:
    """One entry."""
    account = r.whose(call, call.query(ACCOUNT))
    entry = await r.one(call, Kind.SENDER, account)
    return answer(200, _out(entry, _doc(entry)))


async def put(call: Call) -> Answer:
    """Ask for a sender, or put on record what an operator said of it."""
    account = r.whose(call, call.query(ACCOUNT))
    body = await call.body()
    request = _decode(body)
    refuse_nul(body)
    if kind_of(request.sender) is None:
        raise field_problem("invalid_value", "#/sender", f"`sender`: {complaint(request.sender)}")
    r.check_carrier(call, request.carrier, "#/carrier")
    name, before, others = await r.own(call, Kind.SENDER, account)
    status = _status(call, request, None if before is None else _doc(before))
    doc = RegisteredSender(
        plain(request.sender),
        request.carrier,
        status,
        None if request.valid_from is None else values.microseconds(request.valid_from),
        None if request.valid_to is None else values.microseconds(request.valid_to),
        tuple(dict.fromkeys(request.countries)),
        request.note,
    )
    r.check_dates(doc.valid_from, doc.valid_to)
    entry = await r.put(call, Kind.SENDER, account, name, doc, others)
    return answer(200, _out(entry, doc))


async def delete(call: Call) -> Answer:
    """Take an entry away. Whoever may only ask may give up what was asked for or granted, not
    what was refused: without the entry an approval for all operators would hold again."""
    account = r.whose(call, call.query(ACCOUNT))
    name, before, _ = await r.own(call, Kind.SENDER, account)
    if before is not None and not r.is_admin(call):
        status = _doc(before).status
        r.refuse_decided(status if status in ("rejected", "suspended") else None, "delete")
    await r.remove(call, Kind.SENDER, account, name)
    return Answer(204, b"")


def _status(call: Call, request: SenderRequest, before: RegisteredSender | None) -> SenderStatus:
    if r.is_admin(call):
        kept: SenderStatus = "pending" if before is None else before.status
        return request.status or kept
    if request.status not in (None, "pending"):
        r.refuse_deciding("#/status")
    if before is not None and before.status != "pending":
        r.refuse_decided(before.status, "change")
    return "pending"


def _doc(entry: Entry) -> RegisteredSender:
    return msgspec.convert(entry.doc, RegisteredSender)


def _out(entry: Entry, doc: RegisteredSender) -> a.SenderOut:
    return a.SenderOut(
        entry.name,
        entry.account,
        doc.sender,
        doc.carrier,
        doc.status,
        maybe_instant(doc.valid_from),
        maybe_instant(doc.valid_to),
        list(doc.countries),
        doc.note,
        entry.version,
        values.instant(entry.updated),
        entry.actor,
    )
