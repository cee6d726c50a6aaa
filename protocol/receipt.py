"""Delivery receipts: what a deliver_sm says about a message sent earlier, and how to say it.

In: the short_message and the TLVs of a deliver_sm. Out: a `Receipt` that holds every field as the
raw string that came, or None when nothing in it is a receipt. Also the classic text (SMPP 3.4
Appendix B), for the side that sends receipts.

It may not know carriers, message states of the gateway, or the forms an id may take in a receipt
and in its submit_sm_resp (message_id.py). Nothing here raises on what a peer sent: a text that
cannot be parsed has killed links (jsmpp #62, cloudhopper #105).
"""

import re
from enum import IntEnum
from typing import Final

from . import times
from .constants import (
    ESM_CLASS_DELIVERY_RECEIPT,
    ESM_CLASS_INTERMEDIATE_NOTIFICATION,
)

RECEIPTED_MESSAGE_ID: Final = 0x001E
NETWORK_ERROR_CODE: Final = 0x0423
MESSAGE_PAYLOAD: Final = 0x0424
MESSAGE_STATE: Final = 0x0427

Tlvs = tuple[tuple[int, bytes], ...]

_RECEIPT: Final = ESM_CLASS_DELIVERY_RECEIPT | ESM_CLASS_INTERMEDIATE_NOTIFICATION


class Outcome(IntEnum):
    """message_state, SMPP 3.4 §5.2.28 and 5.0 §4.7.15."""

    SCHEDULED = 0
    ENROUTE = 1
    DELIVERED = 2
    EXPIRED = 3
    DELETED = 4
    UNDELIVERABLE = 5
    ACCEPTED = 6
    UNKNOWN = 7
    REJECTED = 8
    SKIPPED = 9


# outcome: (final, its `stat` in Appendix B first, then spellings peers use).
# ACCEPTED is final in the specification; carriers send it when they take the message over and a
# DELIVRD later, so a final reading would lose the delivery.
OUTCOMES: Final[dict[Outcome, tuple[bool, tuple[str, ...]]]] = {
    Outcome.SCHEDULED: (False, ("SCHEDULED", "SCHEDLD")),
    Outcome.ENROUTE: (False, ("ENROUTE", "EN_ROUTE", "BUFFERED", "BUFFRED")),
    Outcome.DELIVERED: (True, ("DELIVRD", "DELIVERED", "DELIVERD")),
    Outcome.EXPIRED: (True, ("EXPIRED",)),
    Outcome.DELETED: (True, ("DELETED",)),
    Outcome.UNDELIVERABLE: (
        True,
        ("UNDELIV", "UNDELIVERABLE", "UNDELIVERED", "UNDELIVRD", "FAILED"),
    ),
    Outcome.ACCEPTED: (False, ("ACCEPTD", "ACCEPTED")),
    Outcome.UNKNOWN: (True, ("UNKNOWN",)),
    Outcome.REJECTED: (True, ("REJECTD", "REJECTED", "DND_REJECTED", "DND_REJ")),
    Outcome.SKIPPED: (True, ("SKIPPED",)),
}
FINAL: Final = frozenset(outcome for outcome, (final, _) in OUTCOMES.items() if final)
_BY_STATE: Final = {int(outcome): outcome for outcome in Outcome}
_BY_STAT: Final = {stat: outcome for outcome, (_, stats) in OUTCOMES.items() for stat in stats}


class Receipt:
    """One delivery receipt. Text fields are raw strings, None when the text does not have them.

    `receipted_message_id`, `message_state` and `network_error_code` (type, code) come from TLVs.
    """

    __slots__ = (
        "dlvrd",
        "done_date",
        "err",
        "id",
        "message_state",
        "network_error_code",
        "receipted_message_id",
        "stat",
        "sub",
        "submit_date",
        "text",
    )

    def __init__(
        self,
        id: str | None = None,
        sub: str | None = None,
        dlvrd: str | None = None,
        submit_date: str | None = None,
        done_date: str | None = None,
        stat: str | None = None,
        err: str | None = None,
        text: str | None = None,
    ) -> None:
        self.id = id
        self.sub = sub
        self.dlvrd = dlvrd
        self.submit_date = submit_date
        self.done_date = done_date
        self.stat = stat
        self.err = err
        self.text = text
        self.receipted_message_id: str | None = None
        self.message_state: int | None = None
        self.network_error_code: tuple[int, int] | None = None

    def __repr__(self) -> str:
        return "Receipt(" + ", ".join(f"{k}={getattr(self, k)!r}" for k in self.__slots__) + ")"

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids to look the message up by, the TLV's first: some carriers send two."""
        tlv, text = self.receipted_message_id, self.id
        if tlv and text and tlv != text:
            return tlv, text
        one = tlv or text
        return (one,) if one else ()

    @property
    def outcome(self) -> Outcome | None:
        """What became of the message; None when the receipt does not say or we cannot read it.

        The TLV wins over the text, except that a TLV of UNKNOWN says less than a text that names
        an outcome.
        """
        state = _BY_STATE.get(self.message_state) if self.message_state is not None else None
        if state is not None and state is not Outcome.UNKNOWN:
            return state
        named = None if self.stat is None else _outcome_of_stat(self.stat)
        return state if named is None else named

    @property
    def error_code(self) -> str | None:
        """`err` without padding, or else the code of network_error_code in decimal."""
        err = self.err.strip(" \0") if self.err else ""
        if err:
            return err
        return str(self.network_error_code[1]) if self.network_error_code else None

    def submitted_at(self, utc_offset: int = 0) -> int | None:
        """`submit_date` in µs since the epoch; see `times.receipt_date`."""
        return times.receipt_date(self.submit_date, utc_offset)

    def done_at(self, utc_offset: int = 0) -> int | None:
        """`done_date` in µs since the epoch; see `times.receipt_date`."""
        return times.receipt_date(self.done_date, utc_offset)


def _outcome_of_stat(stat: str) -> Outcome | None:
    outcome = _BY_STAT.get(stat)
    if outcome is None:
        # In GSM septets an underscore is 0x11.
        outcome = _BY_STAT.get(stat.strip(" \0").replace("\x11", "_").upper())
    return outcome


# The form most message centres send, character for character (2 µs for a whole receipt is the
# budget). Possessive groups: a text that is not of this form fails in one pass.
_typical: Final = re.compile(
    r"id:([^\s:,;]++)(?: sub:(\d++) dlvrd:(\d++))?+ submit date:(\d++) done date:(\d++)"
    r" stat:([A-Z]++) err:(\w++)(?: [tT]ext:(.*+)| ?+)",
    re.DOTALL | re.ASCII,
).fullmatch

# Of the same form what decides the fate, read from the octets as they are: a third of the cost.
# Ids of visible ASCII only: a TLV's id is stripped of more than ASCII's blanks.
_brief: Final = re.compile(
    rb"id:([!-+\--9<-~]++)(?: sub:\d++ dlvrd:\d++)?+ submit date:\d++ done date:\d++"
    rb" stat:([A-Z]++) err:(\w++)(?: [tT]ext:.*+| ?+)",
    re.DOTALL,
).fullmatch

_keys: Final = re.compile(
    r"(?<![a-z0-9_])"
    r"(?:(id)|(sub)|(dlvrd)|(submit[ _]?date)|(done[ _]?date)|(stat)|(err)|(text)) ?:",
    re.IGNORECASE | re.ASCII,
).finditer
_FIELDS: Final = ("id", "sub", "dlvrd", "submit_date", "done_date", "stat", "err", "text")
_TEXT: Final = 7


def parse(short_message: bytes | str, tlvs: Tlvs = ()) -> Receipt | None:
    """Read a receipt; None when neither an id nor a state is found. Never raises.

    `short_message` is without user data header; octets are read as Latin-1, one character each,
    so `text` can be turned back into octets. An empty or unreadable short_message gives way to
    the message_payload TLV.
    """
    body = short_message if isinstance(short_message, str) else str(short_message, "latin-1")
    match = _typical(body)
    receipt = Receipt(*match.groups()) if match else _parse_leniently(body)
    for tag, value in tlvs:
        if tag == RECEIPTED_MESSAGE_ID:
            if receipt.receipted_message_id:
                continue  # the first of two counts, as in the text, and as `brief` has it
            receipt.receipted_message_id = str(value.partition(b"\0")[0], "latin-1").strip()
        elif tag == MESSAGE_STATE:
            # One octet in the specification; wider integers have been seen.
            receipt.message_state = int.from_bytes(value[:4], "big") if value else None
        elif tag == NETWORK_ERROR_CODE and len(value) == 3:
            receipt.network_error_code = (value[0], value[1] << 8 | value[2])
        elif tag == MESSAGE_PAYLOAD and receipt.id is None and receipt.stat is None:
            told = _parse_leniently(str(value, "latin-1"))
            for field in _FIELDS:
                setattr(receipt, field, getattr(told, field))
    if (
        receipt.id is None
        and receipt.stat is None
        and not receipt.receipted_message_id
        and receipt.message_state is None
    ):
        return None
    return receipt


def brief(short_message: bytes, tlvs: Tlvs = ()) -> tuple[bytes, bytes, bytes, Tlvs] | None:
    """(id, stat, err, the TLVs behind the id's) of a receipt in the usual form: the text of most
    message centres, receipted_message_id as the first TLV, or both with the same id (ASCII).

    `parse` reads the same id, stat and err there, unless the other TLVs hold an id or a text as
    well: whoever asks looks at them, once for all that are equal. None for every other receipt.
    """
    if short_message:
        match = _brief(short_message)
        if match is None:
            return None
        id, stat, err = match.groups()
    else:
        id = stat = err = b""
    if tlvs and tlvs[0][0] == RECEIPTED_MESSAGE_ID:
        value = tlvs[0][1]
        if not id:
            id = value[:-1] if value[-1:] == b"\0" else value
            if not id.isalnum():
                return None
        elif value != id + b"\0" and value != id:
            return None
        tlvs = tlvs[1:]
    return (id, stat, err, tlvs) if id else None


def _parse_leniently(body: str) -> Receipt:
    """Keys in any order and case, any of them missing, anything before, between and behind.

    What follows `text:` is the text, keys and all; fields found nowhere else are taken from there
    too, because some peers put `text:` first. The first of two equal keys counts.
    """
    found = list(_keys(body))
    if not found and "\0" in body:
        # UCS-2 under a data_coding that does not say so.
        body = body.encode("latin-1", "replace").decode("utf-16-be", "replace")
        found = list(_keys(body))
    fields: list[str | None] = [None] * len(_FIELDS)
    end = len(body)
    for match in reversed(found):
        field = (match.lastindex or 0) - 1
        if field == _TEXT:
            fields[field] = body[match.end() :]
        else:
            value = body[match.end() : end].split(None, 1)
            fields[field] = value[0].rstrip(",;") if value else ""
        end = match.start()
    return Receipt(*fields)


def is_receipt(esm_class: int, tlvs: Tlvs = ()) -> bool:
    """Whether a deliver_sm is a receipt or an intermediate notification (§5.2.12).

    Some centres leave esm_class at 0 and send receipted_message_id, which nothing else carries.
    """
    if esm_class & _RECEIPT:
        return True
    return any(tag == RECEIPTED_MESSAGE_ID for tag, _ in tlvs)


def build(
    id: str,
    outcome: Outcome,
    *,
    submit_date: str,
    done_date: str,
    sub: int = 1,
    dlvrd: int | None = None,
    err: str = "000",
    text: str = "",
) -> bytes:
    """The text of Appendix B in ASCII, for deliver_sm with esm_class 0x04.

    Dates are YYMMDDhhmm (`times.format_receipt_date`); `dlvrd` follows the outcome unless given;
    the first 20 characters of `text` are quoted, others than ASCII as "?".
    """
    if dlvrd is None:
        dlvrd = sub if outcome is Outcome.DELIVERED else 0
    return (
        f"id:{id} sub:{sub:03d} dlvrd:{dlvrd:03d} submit date:{submit_date} done date:{done_date}"
        f" stat:{OUTCOMES[outcome][1][0]} err:{err} text:{text[:20]}"
    ).encode("ascii", "replace")


def build_tlvs(
    id: str, outcome: Outcome, network_error_code: tuple[int, int] | None = None
) -> Tlvs:
    """The same in TLVs, to send along with the text."""
    tlvs: Tlvs = (
        (RECEIPTED_MESSAGE_ID, id.encode("ascii", "replace") + b"\0"),
        (MESSAGE_STATE, bytes((outcome,))),
    )
    if network_error_code is not None:
        network_type, code = network_error_code
        tlvs += ((NETWORK_ERROR_CODE, bytes((network_type, code >> 8 & 0xFF, code & 0xFF))),)
    return tlvs
