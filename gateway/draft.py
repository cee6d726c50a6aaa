"""What a caller asked for, on its way through admission.

In: an ingress fills an `Ask` (what all recipients share) and a list of `Draft` (one recipient
each). Admission's checks write on the drafts. Out: `submission()` turns those that passed into
what the store accepts. Knows no stage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from config.settings import Account
from gateway.model import Category, Priority, Status
from gateway.store.messages import Content, Esme, Ineligible, NewMessage, RawPart, Tlv
from protocol.transliterate import Change


class Ask:
    """What all messages of one submission share. Times are UTC microseconds."""

    __slots__ = (
        "account",
        "batch",
        "category",
        "default_region",
        "encoding",
        "esme",
        "max_parts",
        "metadata",
        "now",
        "priority",
        "raw",
        "seen",
        "send_at",
        "sender",
        "text",
        "tlvs",
        "transliterate",
        "validity",
    )

    def __init__(
        self,
        account: Account,
        text: str,
        now: int,
        *,
        sender: str | None = None,
        category: Category | None = None,
        priority: Priority = Priority.NORMAL,
        send_at: int | None = None,
        validity: int | None = None,
        encoding: str = "auto",
        transliterate: bool = False,
        max_parts: int | None = None,
        metadata: dict[str, str] | None = None,
        batch: int | None = None,
        seen: SeenNumbers | None = None,
        default_region: str | None = None,
        tlvs: tuple[Tlv, ...] = (),
        esme: Esme | None = None,
        raw: tuple[RawPart, ...] = (),
    ) -> None:
        self.account = account
        self.text = text
        self.now = now
        self.sender = sender if sender is not None else account.default_sender
        self.category = category or Category(account.default_category)
        self.priority = priority
        self.send_at = send_at
        self.validity = validity
        """How long it may try to leave, µs, counted from `send_at` or now."""
        self.encoding = encoding
        self.transliterate = transliterate
        self.max_parts = max_parts if max_parts is not None else account.max_parts
        self.metadata = metadata
        self.batch = batch
        self.default_region = default_region or account.default_region
        """ISO 3166 code national numbers are read in; None refuses them."""
        self.seen = seen
        """Numbers the batch already has; None for single messages (no duplicates to look for)."""
        self.tlvs = tlvs
        self.esme = esme
        """The SMPP customer it came from, if it did."""
        self.raw = raw
        """The customer's own parts, sent as they are; `text` is what they say, "" if it is none."""


class Draft:
    """One recipient on the way. A check that refuses it sets `code` and `detail`."""

    __slots__ = (
        "changes",
        "characters",
        "client_ref",
        "code",
        "country",
        "deadline",
        "detail",
        "due",
        "encoding",
        "lane",
        "number",
        "parts",
        "pointer",
        "position",
        "status",
        "text",
        "to",
        "vars",
    )

    def __init__(
        self,
        to: str | Sequence[str],
        vars: Mapping[str, str] | None = None,
        client_ref: str | None = None,
        position: int = 0,
    ) -> None:
        self.to = to
        """As given: one number or candidates of one person, in any customary form."""
        self.vars = vars
        self.client_ref = client_ref
        self.position = position
        self.number = 0
        """E.164 digits as an integer, once `number` has passed it."""
        self.country: str | None = None
        """ISO 3166 code; None for numbers of no country."""
        self.text = ""
        """What the recipient reads, once `render` has passed it."""
        self.encoding = 0
        self.characters = 0
        """Septets, UTF-16 units or octets, as the encoding counts."""
        self.parts = 0
        self.changes: tuple[Change, ...] = ()
        """What transliteration exchanged in `text` to save parts, if it was asked to."""
        self.status: int = Status.QUEUED
        self.due = 0
        self.deadline = 0
        self.lane = ""
        self.code: str | None = None
        """Key of `errors.REASONS` when refused."""
        self.detail = ""
        self.pointer = "#/to"
        """Field at fault, as a JSON pointer within the recipient."""

    def refuse(self, code: str, detail: str, pointer: str = "#/to") -> None:
        """Mark the draft as refused; later checks do not see it."""
        self.code = code
        self.detail = detail
        self.pointer = pointer


class SeenNumbers(Protocol):
    """The numbers of one batch."""

    def add_new(self, numbers: Sequence[int]) -> list[bool]:
        """For each number, whether it is new; new ones are remembered."""
        ...

    def forget(self, numbers: Sequence[int]) -> None:
        """Take back numbers just added, because their submission could not be stored."""
        ...


class Admission(Protocol):
    """The ordered checks, as an ingress sees them."""

    async def admit(self, ask: Ask, drafts: list[Draft]) -> list[Draft]:
        """Run every check over the list; returns the drafts that passed, in order.

        The others carry `code` and `detail`. Raises `errors.Refused` when the ask itself cannot
        be served whoever the recipient is (sender, empty text, times).
        """
        ...


_encode_vars = msgspec.json.Encoder().encode


def content(ask: Ask, identifier: int) -> Content:
    """The shared part, as the store keeps it."""
    return Content(
        id=identifier,
        account=ask.account.name,
        sender=ask.sender or "",
        text=ask.text,
        category=ask.category.value,
        batch=ask.batch,
        templated="{{" in ask.text and not ask.raw,
        encoding=ask.encoding,
        transliterate=ask.transliterate,
        max_parts=ask.max_parts,
        metadata=ask.metadata,
        tlvs=ask.tlvs,
        esme=ask.esme,
        raw=ask.raw,
    )


def vars_of(draft: Draft) -> str | None:
    """A recipient's placeholder values, as the store keeps them."""
    return _encode_vars(draft.vars).decode() if draft.vars else None


def new_messages(ask: Ask, drafts: Sequence[Draft], ids: Sequence[int]) -> list[NewMessage]:
    """Drafts that passed, as the store accepts them."""
    templated = "{{" in ask.text
    return [
        NewMessage(
            identifier,
            draft.number,
            draft.lane,
            draft.status,
            draft.due,
            draft.deadline,
            draft.parts,
            draft.encoding,
            vars_of(draft) if templated else None,
            draft.client_ref,
        )
        for draft, identifier in zip(drafts, ids, strict=True)
    ]


def ineligible(drafts: Sequence[Draft]) -> list[Ineligible]:
    """Drafts that did not pass, for the batch's report."""
    return [
        Ineligible(draft.position, _shown(draft.to), draft.code, draft.detail, draft.client_ref)
        for draft in drafts
        if draft.code is not None
    ]


def _shown(to: Any) -> str:
    """What the caller sent as number, bounded: it may be anything."""
    return (to if isinstance(to, str) else ", ".join(to))[:64]
