"""What a caller asked for, on its way through admission.

In: an ingress fills an `Ask` (what all recipients share) and a list of `Draft` (one recipient
each). Admission's checks write on the drafts. Out: `submission()` turns those that passed into
what the store accepts. Knows no stage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import msgspec

from config.policies import CatchUp, OnQuiet
from config.settings import Account
from gateway.model import Category, Priority, Status
from gateway.store.messages import Content, Esme, Ineligible, NewMessage, RawPart, Text, Tlv
from protocol.transliterate import Change


class Ask:
    """What all messages of one submission share. Times are UTC microseconds."""

    __slots__ = (
        "account",
        "answer",
        "batch",
        "catch_up",
        "categorised",
        "category",
        "default_region",
        "discard_text",
        "dry",
        "encoding",
        "esme",
        "max_parts",
        "metadata",
        "named",
        "now",
        "on_quiet",
        "priority",
        "raw",
        "replacing",
        "seen",
        "send_at",
        "send_at_local",
        "sender",
        "template",
        "text",
        "timezone",
        "tlvs",
        "transliterate",
        "undo",
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
        template: str | None = None,
        timezone: str | None = None,
        on_quiet: OnQuiet | None = None,
        send_at_local: datetime | None = None,
        catch_up: CatchUp | None = None,
        discard_text: bool = False,
        answer: bool = False,
    ) -> None:
        self.account = account
        self.text = text
        self.now = now
        self.sender = sender if sender is not None else account.default_sender
        self.category = category or Category(account.default_category)
        self.categorised = category is not None
        """Whether the caller said so."""
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
        self.template = template
        """Name of the template it is made from: as the caller says, or as was found."""
        self.named = template is not None
        """Whether the caller says so: then every text has to be made from it."""
        self.timezone = timezone
        """Time zone of recipients that have none of their own."""
        self.on_quiet: OnQuiet = on_quiet or account.on_quiet
        self.send_at_local = send_at_local
        """Time of the clock where each recipient is, without an offset; instead of `send_at`."""
        self.catch_up: CatchUp = catch_up or account.catch_up
        """What happens to a message that has a time and misses it by `account.catch_up_late`."""
        self.discard_text = discard_text
        self.answer = answer
        """An answer to a keyword: see `messages.Content.answer`."""
        self.undo: list[Callable[[], None]] = []
        """What checks remembered of the drafts that passed: called if they cannot be stored."""
        self.dry = False
        """Whether nothing will be stored (an estimate, an explanation): checks judge as ever and
        remember nothing."""
        self.replacing = False
        """Whether it takes the place of a message that was accepted already."""

    def take_back(self) -> None:
        """Nothing of it was stored: let the checks forget what they remembered."""
        while self.undo:
            self.undo.pop()()


@contextmanager
def undone_on_error(ask: Ask) -> Iterator[None]:
    """Around what happens between admission and the commit: an error means that nothing was
    stored. A cancelled task tells nothing about the store, so what was remembered stays."""
    try:
        yield
    except Exception:
        ask.take_back()
        raise
    ask.undo.clear()


_NOBODY: Mapping[str, str] = MappingProxyType({})


class Draft:
    """One recipient on the way. A check that refuses it sets `code` and `detail`."""

    __slots__ = (
        "changes",
        "characters",
        "client_ref",
        "closes",
        "code",
        "country",
        "deadline",
        "detail",
        "due",
        "encoding",
        "judged",
        "lane",
        "notes",
        "number",
        "parts",
        "pointer",
        "position",
        "reason",
        "status",
        "text",
        "to",
        "vars",
        "without",
        "zone",
    )

    def __init__(
        self,
        to: str | Sequence[str],
        vars: Mapping[str, str] | None = None,
        client_ref: str | None = None,
        position: int = 0,
        zone: str | None = None,
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
        self.zone = zone
        """Its time zone, if the caller said it."""
        self.closes: int | None = None
        """When the window it may leave in closes; None: it never does."""
        self.judged: Text | None = None
        """What a moderator has to see before it leaves."""
        self.reason: str | None = None
        """Key of `errors.REASONS`: why it is held or put off; or dropped (status REJECTED)."""
        self.without: Mapping[str, str] = _NOBODY
        """Carriers that must not take it, each with the reason (key of `errors.REASONS`)."""
        self.notes: list[Note] | None = None
        """What checks have to say for an explanation; None: nobody asked."""

    def refuse(self, code: str, detail: str, pointer: str = "#/to") -> None:
        """Mark the draft as refused; later checks do not see it."""
        self.code = code
        self.detail = detail
        self.pointer = pointer

    def note(self, rule: str, source: str = "") -> None:
        """Say which rule decided and where it comes from, if somebody asked."""
        if self.notes is not None:
            self.notes.append(Note(rule, source))


class Note(NamedTuple):
    """Why a check did what it did: for `explain`."""

    rule: str
    """A sentence with the rule's own values, without the text or the full number."""
    source: str
    """Where the rule stands: a setting, a file with its date, a law."""


class Decision(StrEnum):
    """What a check did with a draft."""

    PASSES = "passes"
    CHANGES = "changes"
    HOLDS = "holds"
    PUTS_OFF = "puts off"
    DROPS = "drops"
    REFUSES = "refuses"
    NOT_REACHED = "not reached"


class Step(NamedTuple):
    """One check's part in an explanation."""

    check: str
    """The check's name, as in the order of admission."""
    decision: Decision
    code: str | None
    """Key of `errors.REASONS` where it holds, puts off, drops or refuses."""
    detail: str
    changes: dict[str, str]
    """What it wrote, by name; numbers masked, texts left out."""
    notes: Sequence[Note]


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

    def apart(self, account: str) -> bool:
        """Whether the text decides what a message of the account is: then messages that were
        submitted one by one must not share an `Ask`."""
        ...

    async def admit(self, ask: Ask, drafts: list[Draft]) -> list[Draft]:
        """Run every check over the list; returns the drafts that passed, in order.

        The others carry `code` and `detail`. Raises `errors.Refused` when the ask itself cannot
        be served whoever the recipient is (sender, empty text, times).
        """
        ...

    async def explain(self, ask: Ask, draft: Draft) -> list[Step]:
        """Run every check over one draft and tell what each of them did, in order; nothing is
        remembered. After a refusal the rest is `NOT_REACHED`. Raises nothing a check refuses for.
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
        template=ask.template,
        on_quiet=ask.on_quiet,
        strict_hours=ask.account.quiet_hours,
        answer=ask.answer,
        discard_text=ask.discard_text,
    )


def vars_of(draft: Draft) -> str | None:
    """A recipient's placeholder values, as the store keeps them."""
    return _encode_vars(draft.vars).decode() if draft.vars else None


def texts_of(drafts: Sequence[Draft]) -> list[Text]:
    """What the held ones among the drafts wait for (`messages.Submission.texts`)."""
    return list(dict.fromkeys([draft.judged for draft in drafts if draft.judged is not None]))


def new_messages(
    ask: Ask, drafts: Sequence[Draft], ids: Sequence[int], texts: Sequence[Text] = ()
) -> list[NewMessage]:
    """Drafts that passed, as the store accepts them; `texts` is `texts_of` the same drafts."""
    templated = "{{" in ask.text
    places: dict[Text | None, int | None] = {text: place for place, text in enumerate(texts)}
    places[None] = None
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
            draft.reason,
            draft.closes,
            draft.zone,
            places[draft.judged],
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
