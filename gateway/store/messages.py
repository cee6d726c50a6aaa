"""What a message is to a store on its way: submitted, leased, settled, told of, answered.

In: nothing. Out: plain values, as the calls of the contract take and return them. They speak names
(accounts, carriers, lanes as `str(Lane)`), public enum numbers and UTC microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from gateway.model import BatchState, Status

# --- accepting


class Tlv(msgspec.Struct, frozen=True, array_like=True):
    """A TLV a caller asks for; each carrier's profile says how it is written."""

    tag: str
    """A name from carriers' profiles, or a tag in hex (`0x1400`)."""
    value: str
    hex: bool = False
    """Whether `value` is octets in hex rather than text or a number."""


class RawPart(msgspec.Struct, frozen=True, array_like=True):
    """One submit_sm as an SMPP customer made it, to be sent as it came: a part of a message it
    split itself, or octets that are no text."""

    id: int
    """The id the customer was told for it; 0 if that is the message's own."""
    esm_class: int
    data_coding: int
    protocol_id: int
    payload: bytes
    """short_message, its user data header included; or message_payload if `tlvs` has none."""
    tlvs: tuple[tuple[int, bytes], ...] = ()
    """sar_*, user_message_reference and what the login may pass on, in wire order."""
    as_payload: bool = False
    """Whether `payload` came, and leaves, as message_payload."""


class Esme(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an SMPP customer is told of its messages, and how."""

    system_id: str
    source_addr: str
    """As the customer wrote it."""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    registered_delivery: int = 0


class Content(msgspec.Struct, frozen=True, omit_defaults=True):
    """What all messages of one submission share; stored once."""

    id: int
    account: str
    sender: str
    text: str
    """The text, or a template with `{{placeholders}}` that each message's `vars` fill."""
    category: str
    batch: int | None = None
    templated: bool = False
    encoding: str = "auto"
    transliterate: bool = False
    max_parts: int = 3
    metadata: dict[str, str] | None = None
    tlvs: tuple[Tlv, ...] = ()
    esme: Esme | None = None
    """Set for messages that came over SMPP."""
    raw: tuple[RawPart, ...] = ()
    """Set where the customer's own parts go out; `text` is then what they say together."""
    template: str | None = None
    """Name of the template it was made from, if the caller said so."""
    on_quiet: str = "defer"
    """defer, reject or drop: what happens when its window has closed before it left."""
    strict_hours: str = "standard"
    """standard, strict or none: which quiet hours hold (the account's, kept with the message so
    that a lease needs no configuration)."""
    answer: bool = False
    """The one answer to a keyword: it may reach who has just said STOP, at any hour."""
    refusable: bool = False
    """Of an answer: a refusal stops it all the same. It says that messages will come (START, JOIN),
    and whoever says STOP before it has left wants none."""
    discard_text: bool = False
    """Erase text and values as soon as the operator has taken the message."""


class Text(msgspec.Struct, frozen=True):
    """What a moderator judges: one for all messages that say the same."""

    fingerprint: bytes
    """Of account, sender, text, the words found and the versions of the lists: 16 octets. A later
    version of a list makes another one, so that nothing is decided by outdated rules."""
    account: str
    sender: str
    category: str
    text: str
    """The text with its placeholders, or, if the words are in the values alone, as one recipient
    would read it."""
    words: tuple[str, ...] = ()
    """Entries of the lists that were found (`ru/credit: кредит*`, in a sender with ` (sender)`
    after it); none if it waits for the mode `manual` alone."""
    template: str | None = None


class NewMessage(msgspec.Struct, array_like=True, gc=False):
    """One text to one number, about to be stored. `status` is QUEUED or SCHEDULED (or held), or
    REJECTED with a `reason`: parts of it were accepted before the whole was refused, or it was to
    be dropped; so it exists and ends with its first event."""

    id: int
    number: int
    lane: str
    status: int
    due: int
    """When it may leave, UTC µs."""
    deadline: int
    """When it is given up if it has not left, UTC µs."""
    parts: int
    encoding: int
    vars: str | None = None
    """JSON object of placeholder values; None unless the content is templated."""
    client_ref: str | None = None
    reason: str | None = None
    """Why it is held or put off (`stop_word`, `quiet_hours`), or rejected."""
    closes: int | None = None
    """When the window it may leave in closes, UTC µs; None: it never does."""
    zone: str | None = None
    """The recipient's time zone, if the caller said it."""
    text: int | None = None
    """HELD_MODERATION: which of its submission's `texts` it waits for."""


class Ineligible(msgspec.Struct, array_like=True):
    """A recipient of a batch that cannot be served, kept for the report."""

    position: int
    """0-based place among the recipients of the whole batch (all uploads)."""
    to: str
    code: str
    detail: str
    client_ref: str | None = None


class Idempotency(msgspec.Struct, frozen=True):
    """The answer to keep with the submission it answers."""

    account: str
    scope: str
    """Method and path template, e.g. `POST /v1/messages`."""
    key: str
    fingerprint: bytes
    """SHA-256 of the request's body."""
    status: int
    body: bytes


class StoredAnswer(msgspec.Struct, frozen=True):
    """What was answered the first time."""

    fingerprint: bytes
    status: int
    body: bytes


class NewBatch(msgspec.Struct, frozen=True):
    """A campaign as it is created."""

    id: int
    account: str
    content: Content
    state: BatchState
    created: int
    options: dict[str, Any]
    """What later uploads of recipients need (send_at, validity, priority ...): JSON."""


class Submission(msgspec.Struct):
    """One caller's list, all or nothing.

    `batch` is set when the submission creates one; uploads to an existing batch carry its id in
    `content.batch`. `ids` inside must come from `Store.new_ids` with no `await` between taking
    them and calling `accept`: the store relies on ids arriving in ascending order.
    """

    content: Content
    messages: list[NewMessage]
    ineligible: list[Ineligible] = []
    batch: NewBatch | None = None
    idempotency: Idempotency | None = None
    joined: Sequence[int] = ()
    """Ids told to an SMPP customer for the parts of the one message there is: from here on they
    stand for it (`Store.resolve`), and what `keep_parts` holds of them is dropped."""
    texts: Sequence[Text] = ()
    """What its held messages wait for."""


class WaitingPart(msgspec.Struct, array_like=True):
    """One part of a message an SMPP customer splits itself, accepted before the others came."""

    id: int
    """As told to the customer."""
    account: str
    system_id: str
    at: int
    pdu: bytes
    """The submit_sm or data_sm as it came, header included."""


class Replacement(msgspec.Struct):
    """A message that has not left, with another content (replace_sm)."""

    message: int
    content: Content
    """Its `id` must come from `Store.new_ids`."""
    parts: int
    encoding: int
    status: int
    due: int
    deadline: int
    vars: str | None = None
    """As of a `NewMessage`; so are the others."""
    reason: str | None = None
    closes: int | None = None
    text: Text | None = None
    """HELD_MODERATION: what it waits for."""


# --- leasing and settling


class Closed(msgspec.Struct, gc=False):
    """A due message whose window has closed."""

    number: int
    content: Content
    zone: str | None
    deadline: int


class Opening(msgspec.Struct, gc=False):
    """When a message whose window has closed may leave."""

    due: int | None
    """UTC µs; None: it ends as `rejected`, reason `quiet_hours`."""
    closes: int | None = None


Reopen = Callable[[Sequence[Closed], int], "list[Opening]"]
"""The next window of each, seen from now (UTC µs). Pure; called on the store's thread."""


class Demand(msgspec.Struct):
    """What one carrier can take now."""

    carrier: str
    lanes: Sequence[str]
    """In order of preference: a later lane is asked only for what earlier ones left."""
    parts: int
    """At most this many PDUs. Messages are leased whole: one with more parts than are left of
    this waits for the next lease (and whatever would overtake it in its source waits too)."""
    idle: bool = False
    """Nothing is outstanding on the carrier: the first message is leased whatever its parts, so
    that one longer than the whole window still leaves."""


class Leased(msgspec.Struct, array_like=True, gc=False):
    """A message that is now durably `sending`. It belongs to the caller until settled."""

    id: int
    content: int
    number: int
    parts: int
    attempts: int
    """Submissions begun before this one."""
    sequence: int
    """Status changes so far, this lease included."""
    deadline: int
    lane: str
    account: str
    batch: int | None
    vars: str | None
    client_ref: str | None
    created: int


class Lease(msgspec.Struct):
    """The answer to one `lease` call."""

    taken: list[list[Leased]]
    """One list for each demand, in the same order; fair between accounts and batches."""
    contents: Mapping[int, Content]
    """Every content the leased messages name."""
    next_due: int | None
    """When the earliest message in any of the asked lanes becomes due (UTC µs), if none is due
    now that was not taken; None if there is none at all. In the past: more waits already."""
    more: bool = False
    """So many messages were ended or put off that the call left the rest of what is due for the
    next one, which should follow at once."""


class Outcome(StrEnum):
    """How a lease ended."""

    SENT = "sent"
    """The operator took every part."""
    RETRY = "retry"
    """Back to a lane: throttled (`attempts` unchanged) or failed for now (`attempts` + 1)."""
    FAILED = "failed"
    """Will not be sent: `status` is REJECTED, FAILED, EXPIRED or CANCELED."""
    UNKNOWN = "unknown"
    """No answer: `status` is QUEUED (resend; counted as a possible duplicate) or UNKNOWN."""


class Settled(msgspec.Struct, gc=False):
    """What became of one leased message."""

    message: Leased
    carrier: str
    outcome: Outcome
    at: int
    status: int
    """The status the message has now (SENT, QUEUED, REJECTED ...)."""
    operator_ids: Sequence[str] = ()
    """SENT: the operator's id of each part in order, normalised for this carrier."""
    receipts: bool = True
    """SENT: whether a receipt was asked for; without one the message ends as `unknown`."""
    due: int = 0
    lane: str = ""
    attempts: int | None = None
    """Submissions begun so far, this one included if it counts; None leaves it to the store (as
    before the lease, and one more if the outcome is UNKNOWN or SENT)."""
    reason: str | None = None
    carrier_code: str | None = None


class Sent(msgspec.Struct, gc=False):
    """Leased messages of one part each that one carrier took; the columns are in step.

    What nearly every message comes to, without an object for each: the same as a `Settled` with
    `Outcome.SENT` and one operator's id for every message.
    """

    carrier: str
    at: int
    receipts: bool
    """Whether receipts were asked for; see `Settled`."""
    messages: list[Leased]
    operator_ids: list[str]
    """Normalised for this carrier; empty where the operator gave none."""

    def spelt_out(self) -> list[Settled]:
        """The same, a result for each message."""
        carrier, at, receipts = self.carrier, self.at, self.receipts
        return [
            Settled(message, carrier, Outcome.SENT, at, Status.SENT, (operator_id,), receipts)
            for message, operator_id in zip(self.messages, self.operator_ids, strict=True)
        ]


class LateAnswer(msgspec.Struct):
    """A response that came after its message had been settled as unknown."""

    message: int
    carrier: str
    part: int
    parts: int
    operator_id: str
    at: int


# --- receipts and inbound


class News(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What a receipt says of its part; one object serves all receipts that say the same."""

    status: int
    """The message status it means; SENT for `ENROUTE`/`ACCEPTD` news."""
    reason: str | None = None
    carrier_code: str | None = None
    state: str = ""
    """The operator's own word (`DELIVRD`)."""


class Receipts(msgspec.Struct):
    """Delivery receipts of one carrier in the order they came; the columns are in step.

    Two values a receipt instead of an object with seven: most receipts of a read differ in their
    ids alone.
    """

    carrier: str
    at: int
    keys: list[str]
    """The operator's id each is known by; the likeliest where there are several."""
    news: list[News]
    others: dict[int, Sequence[str]] = {}
    """By position: further ids to try, in this order (only while the carrier's id form is still
    being learnt, or where a receipt brings two ids)."""


class ReceiptFates(msgspec.Struct):
    """What became of `Receipts`."""

    sent_at: list[int | None]
    """When the part of each was submitted (UTC µs), for the receipt-delay histogram; None where
    that is not known."""
    unmatched: list[int]
    """Positions of those parked until their response comes or they become orphans."""
    matched: dict[int, int]
    """By position: which id matched, 1 for the first of `others`; of all else it was `keys`."""


class InboundPart(msgspec.Struct):
    """One `deliver_sm` from a phone: a whole message or a part of one. A part's text may have marks
    of half characters at its ends (`protocol.halves`), which joining resolves."""

    carrier: str
    source: str
    destination: str
    text: str
    at: int
    account: str | None = None
    """The account that owns `destination`, if configuration says; else the last sender's."""
    reference: int = 0
    total: int = 1
    part: int = 1
    data_coding: int = 0


class Keyword(msgspec.Struct, frozen=True):
    """Which keyword a reply was."""

    kind: str
    """stop, help, start, join or rule."""
    word: str
    """As the file of keywords spells it; of the account's own rules the name."""
    language: str | None = None


class Heard(msgspec.Struct, frozen=True):
    """What became of a keyword in the transaction that stored it."""

    keyword: Keyword
    answer: str | None = None
    """What is to be answered now, from the number the reply came to."""
    unanswered: str | None = None
    """Why nothing is (`daily`, `hourly`, `echo`, `own_sender` ...); None if there is an answer."""
    event: bool = False
    """Whether it is an event `keyword.matched`."""


class InboundMessage(msgspec.Struct):
    """A reply as it was stored."""

    id: int
    account: str | None
    carrier: str
    source: str
    destination: str
    text: str
    at: int
    complete: bool
    parts: int
    in_reply_to: int | None
    """The last message sent to `source` within 72 h."""
    heard: Heard | None = None
    """If it was a keyword."""


class OptOut(msgspec.Struct, array_like=True):
    """A recipient's no. `sender` and `category` are `*` for all, `account` `*` for everyone's."""

    account: str
    number: int
    sender: str
    category: str
    at: int
    source: str
    """`mo` (a reply), `api`, `import`, `smpp`: a label of metrics."""
    proof: dict[str, Any] = {}
    """What shows it: the reply's id and its keyword, what the caller said. Never a number: it is
    kept when the number is erased."""
