"""From what a caller sent to what admission checks.

In: structs of `shapes`, or a stored batch. Out: an `Ask`, `Draft`s. Knows no store.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from config.policies import OnQuiet
from gateway.draft import Ask, Draft, SeenNumbers
from gateway.ingress.http.call import Call
from gateway.ingress.http.problem import field_problem
from gateway.ingress.http.shapes import Options, Recipient
from gateway.ingress.http.tlvs import tlvs_of
from gateway.ingress.http.values import microseconds
from gateway.model import Category, Priority
from gateway.store.records import BatchView


def ask_for(call: Call, options: Options, text: str | None, seen: SeenNumbers | None = None) -> Ask:
    """What all messages of this submission share."""
    if text is None:
        if options.template is None:
            raise field_problem(
                "missing_field", "#/text", "there must be a field `text`, or `template`"
            )
        text = ""
    validity = options.validity
    if options.send_at is not None and options.send_at_local is not None:
        raise field_problem(
            "invalid_value", "#/send_at_local", "give `send_at` or `send_at_local`, not both"
        )
    return Ask(
        call.account,
        text,
        call.now,
        sender=options.sender,
        template=options.template,
        category=options.category,
        priority=options.priority,
        send_at=None if options.send_at is None else microseconds(options.send_at),
        validity=None if validity is None else _duration(validity),
        encoding=options.encoding,
        transliterate=options.transliterate,
        max_parts=options.max_parts,
        metadata=options.metadata,
        seen=seen,
        default_region=options.default_region,
        tlvs=tlvs_of(options.tlvs) if options.tlvs else (),
        discard_text=options.retention == "discard_text",
        timezone=options.timezone,
        on_quiet=options.on_quiet,
        send_at_local=options.send_at_local,
        catch_up=options.catch_up,
    )


def _duration(value: Any) -> int:
    return int(value.days * 86_400 + value.seconds) * 1_000_000 + int(value.microseconds)


def batch_options(ask: Ask) -> dict[str, Any]:
    """What later uploads need beyond the content, as the store keeps it."""
    return {
        "send_at": ask.send_at,
        "validity": ask.validity,
        "priority": ask.priority.value,
        "default_region": ask.default_region,
        "timezone": ask.timezone,
        "send_at_local": None if ask.send_at_local is None else ask.send_at_local.isoformat(),
        "catch_up": ask.catch_up,
        "template": ask.template if ask.named else None,
    }


def ask_again(call: Call, batch: BatchView, seen: SeenNumbers) -> Ask:
    """The ask of an existing batch, for more recipients."""
    content, options = batch.content, batch.options
    clock = options.get("send_at_local")
    return Ask(
        call.account,
        content.text,
        call.now,
        sender=content.sender,
        template=options.get("template"),
        category=Category(content.category),
        priority=Priority(options["priority"]),
        send_at=options["send_at"],
        validity=options["validity"],
        encoding=content.encoding,
        transliterate=content.transliterate,
        max_parts=content.max_parts,
        metadata=content.metadata,
        batch=batch.id,
        seen=seen,
        default_region=options.get("default_region"),
        tlvs=content.tlvs,
        discard_text=content.discard_text,
        timezone=options.get("timezone"),
        on_quiet=cast(OnQuiet, content.on_quiet),
        send_at_local=None if clock is None else datetime.fromisoformat(clock),
        catch_up=options.get("catch_up"),
    )


def drafts_of(recipients: Sequence[Recipient], first: int) -> list[Draft]:
    """One draft for each recipient; the first is number `first` of its batch."""
    return [
        Draft(one.to, one.vars, one.client_ref, position, one.timezone)
        for position, one in enumerate(recipients, first)
    ]


def without_nul(drafts: Sequence[Draft]) -> list[Draft]:
    """The drafts whose strings have no NUL; the others are refused."""
    kept: list[Draft] = []
    for draft in drafts:
        strings = [*([draft.to] if isinstance(draft.to, str) else draft.to), draft.client_ref or ""]
        for name, value in (draft.vars or {}).items():
            strings += (name, value)
        if any("\0" in string for string in strings):
            draft.refuse("invalid_text", "a string of the recipient has a NUL character", "#")
            # It is repeated in reports; SQLite and C end a string there.
            draft.to = "".join(draft.to).replace("\0", "")
            draft.client_ref = None
        else:
            kept.append(draft)
    return kept
