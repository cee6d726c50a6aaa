"""The template registry: list, get, put, delete.

In: calls. Out: answers. Which texts a template covers is `gateway.policy.templates`'s to say.
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
from gateway.ingress.http.senders import ACCOUNT, STATUSES
from gateway.ingress.http.shapes_registries import ApprovalRequest, TemplateRequest
from gateway.ingress.http.values import maybe_instant
from gateway.model import Category
from gateway.policy.templates import (
    DEFAULT_SLOT,
    Approval,
    RegisteredTemplate,
    Template,
    complaints,
)
from gateway.store.registry import Entry, Kind

FILTERS: Final = frozenset({"account", "category", "carrier", "status"})

_decode: Final = decoder(TemplateRequest)


async def listing(call: Call) -> Answer:
    """Entries that fit the filters."""
    query = call.query(FILTERS)
    for name, known in (("status", STATUSES), ("category", tuple(Category))):
        if query.get(name, known[0]) not in known:
            raise parameter_problem(name, f"`{name}` is one of {', '.join(known)}")
    found = []
    for entry in await r.seen(call, Kind.TEMPLATE, query):
        doc = _doc(entry)
        if query.get("category", doc.category) == doc.category and _said(doc, query):
            found.append(_out(call, entry, doc))
    return answer(200, a.TemplateList(found))


async def get(call: Call) -> Answer:
    """One entry."""
    account = r.whose(call, call.query(ACCOUNT))
    entry = await r.one(call, Kind.TEMPLATE, account)
    return answer(200, _out(call, entry, _doc(entry)))


async def put(call: Call) -> Answer:
    """Ask for a template, or put on record what operators said of it."""
    account = r.whose(call, call.query(ACCOUNT))
    body = await call.body()
    request = _decode(body)
    refuse_nul(body)
    wrong = complaints(request.text, request.slots)
    if wrong:
        pointer = "#/slots" if wrong.startswith("there is no slot") else "#/text"
        raise field_problem("invalid_value", pointer, f"`{pointer[2:]}`: {wrong}")
    name, before, others = await r.own(call, Kind.TEMPLATE, account)
    doc = RegisteredTemplate(
        request.text,
        request.category.value,
        request.slots,
        _approvals(call, request, None if before is None else _doc(before)),
        request.fallback,
        None if request.valid_from is None else values.microseconds(request.valid_from),
        None if request.valid_to is None else values.microseconds(request.valid_to),
        request.note,
    )
    r.check_dates(doc.valid_from, doc.valid_to)
    entry = await r.put(call, Kind.TEMPLATE, account, name, doc, others)
    return answer(200, _out(call, entry, doc))


async def delete(call: Call) -> Answer:
    """Take an entry away, and what was approved of it."""
    account = r.whose(call, call.query(ACCOUNT))
    name, _, _ = await r.own(call, Kind.TEMPLATE, account)
    await r.remove(call, Kind.TEMPLATE, account, name)
    return Answer(204, b"")


def _approvals(
    call: Call, request: TemplateRequest, before: RegisteredTemplate | None
) -> tuple[Approval, ...]:
    admin = r.is_admin(call)
    if before is not None and not admin:
        decided = [one.status for one in before.approvals if one.status != "pending"]
        r.refuse_decided(decided[0] if decided else None, "change")
    if request.approvals is not None:
        approvals = tuple(
            _approval(call, one, f"#/approvals/{place}", admin=admin)
            for place, one in enumerate(request.approvals)
        )
        _check_once(approvals)
        return approvals
    if before is None:
        return (Approval(),)
    same = (before.text, before.category, before.slots)
    if same == (request.text, request.category.value, request.slots):
        return before.approvals
    # Another text is one nobody has approved.
    return tuple(msgspec.structs.replace(one, status="pending") for one in before.approvals)


def _approval(call: Call, one: ApprovalRequest, at: str, *, admin: bool) -> Approval:
    if not admin and one.status != "pending":
        r.refuse_deciding(f"{at}/status")
    r.check_carrier(call, one.carrier, f"{at}/carrier")
    if one.tlv is not None:
        if not one.operator_id:
            raise field_problem(
                "missing_field", f"{at}/operator_id", "`tlv` needs an `operator_id` to carry"
            )
        names = {
            name
            for carrier in call.service.settings.carrier
            if one.carrier in ("*", carrier.name)
            for name in carrier.tlvs
        }
        if one.tlv not in names:
            raise field_problem(
                "invalid_value", f"{at}/tlv", "`tlv`: the carrier has no TLV of this name"
            )
    return Approval(one.carrier, one.status, one.operator_id, one.tlv)


def _check_once(approvals: tuple[Approval, ...]) -> None:
    carriers = [one.carrier for one in approvals]
    tlvs: dict[str, str] = {}
    for place, one in enumerate(approvals):
        if one.carrier in carriers[:place]:
            raise field_problem(
                "invalid_value", f"#/approvals/{place}/carrier", "`carrier` is there twice"
            )
        # A message has one value for a name, whichever carrier takes it.
        if one.tlv is not None and tlvs.setdefault(one.tlv, one.operator_id) != one.operator_id:
            raise field_problem(
                "invalid_value",
                f"#/approvals/{place}/operator_id",
                f"another carrier's `{one.tlv}` has another value; give the TLV of one of them "
                "another name in its profile",
            )


def _said(doc: RegisteredTemplate, query: dict[str, str]) -> bool:
    if "carrier" not in query and "status" not in query:
        return True
    return any(
        query.get("carrier", one.carrier) == one.carrier
        and query.get("status", one.status) == one.status
        for one in doc.approvals
    )


def _doc(entry: Entry) -> RegisteredTemplate:
    return msgspec.convert(entry.doc, RegisteredTemplate)


def _out(call: Call, entry: Entry, doc: RegisteredTemplate) -> a.TemplateOut:
    template = Template(entry.account, entry.name, doc)
    return a.TemplateOut(
        entry.name,
        entry.account,
        doc.text,
        doc.category,
        {name: doc.slots.get(name, DEFAULT_SLOT) for name in template.names},
        [a.ApprovalOut(one.carrier, one.status, one.operator_id, one.tlv) for one in doc.approvals],
        doc.fallback,
        template.usable(call.now),
        maybe_instant(doc.valid_from),
        maybe_instant(doc.valid_to),
        doc.note,
        entry.version,
        values.instant(entry.updated),
        entry.actor,
    )
