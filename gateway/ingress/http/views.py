"""What the store holds, as the API shows it.

In: views of the store's contract. Out: structs of `answers`. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, cast

import msgspec

from gateway import ids
from gateway.draft import Ask, Draft
from gateway.errors import REASONS
from gateway.ingress.http import answers as a
from gateway.ingress.http.values import instant, maybe_instant
from gateway.model import ENCODING_NAMES, FINAL, STATUS_NAMES, Status
from gateway.store import records as c
from gateway.store.messages import InboundMessage, Ineligible, Keyword
from gateway.template import compile_template

CHANGES: Final = 100
"""Most of the changes an answer lists: as an upload's problems."""

_encodings: Final = cast("Sequence[a.EncodingName]", ENCODING_NAMES)
_statuses: Final = cast("Sequence[a.StatusName]", STATUS_NAMES)
_decode_vars: Any = msgspec.json.Decoder(dict[str, str]).decode


def status_name(status: int) -> a.StatusName:
    """The public name of a status number."""
    return _statuses[status]


def encoding_name(encoding: int) -> a.EncodingName:
    """The public name of an encoding number."""
    return _encodings[encoding]


def reason_out(code: str, detail: str = "", carrier_code: str | None = None) -> a.ReasonOut:
    """A reason of the table, with what exactly was wrong if that is known."""
    reason = REASONS[code]
    return a.ReasonOut(code, reason.permanent, detail or reason.text, carrier_code)


def draft_accepted(ask: Ask, draft: Draft, identifier: int) -> a.MessageAccepted:
    """The answer to a single message, made before its commit."""
    return a.MessageAccepted(
        ids.encode("msg", identifier),
        _statuses[draft.status],
        ask.sender or "",
        f"+{draft.number}",
        draft.parts,
        _encodings[draft.encoding],
        draft.characters,
        instant(draft.due),
        None if draft.reason is None else reason_out(draft.reason),
        draft.client_ref,
        instant(ids.created_at(identifier)),
        [a.Transliterated(*change) for change in draft.changes] or None,
    )


def transliterated(drafts: Sequence[Draft]) -> list[a.Transliterated] | None:
    """What was exchanged in all these texts together, most frequent first; None if nothing."""
    times: Counter[tuple[str, str]] = Counter()
    for draft in drafts:
        for change in draft.changes:
            times[change.original, change.replacement] += change.times
    return [a.Transliterated(*pair, count) for pair, count in times.most_common(CHANGES)] or None


def message_out(view: c.MessageView) -> a.MessageOut:
    """A stored message; its text as the recipient reads it."""
    text = view.text
    if view.vars is not None and text:
        text = compile_template(text).render(_decode_vars(view.vars))
    reason = None
    if view.reason is not None:
        reason = reason_out(view.reason, carrier_code=view.carrier_code)
    return a.MessageOut(
        ids.encode("msg", view.id),
        _statuses[view.status],
        view.sender,
        f"+{view.number}" if view.number else "",
        text,
        view.category,
        view.parts,
        _encodings[view.encoding],
        None if view.batch is None else ids.encode("bat", view.batch),
        view.client_ref,
        reason,
        view.metadata,
        view.sequence,
        view.attempts,
        view.carrier,
        maybe_instant(view.due),
        maybe_instant(view.deadline),
        instant(view.created),
        instant(view.updated),
        [
            a.PartOut(
                one.part,
                one.carrier,
                one.operator_id,
                _statuses[one.status],
                one.carrier_code,
            )
            for one in view.part_list
        ],
    )


def ineligible_out(one: Ineligible) -> a.IneligibleOut:
    """A recipient that cannot be served."""
    return a.IneligibleOut(one.position, one.to, reason_out(one.code, one.detail), one.client_ref)


def _named(counts: dict[int, int]) -> dict[a.StatusName, int]:
    return {_statuses[status]: count for status, count in sorted(counts.items()) if count}


def batch_out(view: c.BatchView) -> a.BatchOut:
    """A stored batch."""
    return a.BatchOut(
        ids.encode("bat", view.id),
        view.state.value,
        view.content.sender,
        view.content.text,
        view.content.category,
        a.BatchCounts(view.accepted, view.ineligible),
        view.recipients,
        _named(view.counts),
        view.content.metadata,
        maybe_instant(view.options.get("send_at")),
        view.options.get("send_at_local"),
        instant(view.created),
        instant(view.updated),
    )


def batch_stats(view: c.BatchView) -> a.BatchStats:
    """A stored batch in figures."""
    final = sum(view.counts.get(status, 0) for status in FINAL)
    sent = view.counts.get(Status.SENT, 0)
    delivered = view.counts.get(Status.DELIVERED, 0)
    return a.BatchStats(
        ids.encode("bat", view.id),
        view.state.value,
        view.recipients,
        view.accepted,
        view.ineligible,
        sum(view.counts.values()) - final - sent,
        sent,
        final,
        delivered,
        delivered / final if final else None,
        _named(view.counts),
    )


def webhook_out(view: c.Webhook, *, reveal: bool = False) -> a.WebhookOut:
    """An endpoint; its secret whole only if `reveal`."""
    return a.WebhookOut(
        ids.encode("whk", view.id),
        view.url,
        view.types,
        view.batched,
        "active" if view.state == "active" else "disabled",
        view.description,
        view.secret if reveal else "whsec_****",
        instant(view.old_secret_until) if view.old_secret is not None else None,
        view.from_config,
        instant(view.created),
    )


def delivery_out(view: c.Delivery) -> a.DeliveryOut:
    """A delivery without its body."""
    return a.DeliveryOut(
        ids.encode("dlv", view.id),
        view.type,
        view.events,
        view.state.value,
        view.attempts,
        instant(view.next_at) if view.state is c.DeliveryState.PENDING else None,
        view.last_status or None,
        view.last_error or None,
        instant(view.created),
    )


def inbound_out(view: InboundMessage) -> a.InboundOut:
    """A reply."""
    return a.InboundOut(
        ids.encode("inb", view.id),
        view.source,
        view.destination,
        view.text,
        view.parts,
        view.complete,
        None if view.in_reply_to is None else ids.encode("msg", view.in_reply_to),
        None if view.heard is None else _heard(view.heard.keyword),
        instant(view.at),
    )


def _heard(keyword: Keyword) -> a.KeywordHeard:
    return a.KeywordHeard(keyword.kind, keyword.word, keyword.language)


def key_out(view: c.ApiKey) -> a.KeyOut:
    """A key without itself."""
    return a.KeyOut(
        ids.encode("key", view.id),
        view.prefix,
        view.account,
        list(view.scopes),
        list(view.networks),
        view.name,
        instant(view.created),
        maybe_instant(view.expires),
        maybe_instant(view.revoked),
    )
