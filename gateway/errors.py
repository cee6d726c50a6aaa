"""Every reason a message can be refused or lost for, in one table, and the gateway's error tree.

AldisError
  Refused          the caller's submission cannot be taken as a whole (a Reason says why)
  Busy             a buffer of ours is full: come back after `retry_after` seconds
  StoreError       the store could not do what its contract says
    StoreUnavailable   now: the disk is full, the file is locked, the server is away
    StoreTooNew        the data was written by a newer version of Aldis
  ConfigError      the configuration cannot be used; says where and what to do
"""

from __future__ import annotations

from typing import Final

import msgspec

from protocol import constants as c


class Reason(msgspec.Struct, frozen=True):
    """Why a message did not, or will not, arrive.

    `number` is what the store keeps; `http` the status when a single message is refused for it;
    `command_status` what an SMPP customer hears; `permanent` whether trying again can help.
    """

    code: str
    number: int
    http: int
    command_status: int
    permanent: bool
    text: str


def _table(*rows: tuple[str, int, int, int, bool, str]) -> dict[str, Reason]:
    reasons = {row[0]: Reason(*row) for row in rows}
    if len({reason.number for reason in reasons.values()}) != len(rows):
        raise AssertionError("two reasons share a number")
    return reasons


REASONS: Final[dict[str, Reason]] = _table(
    # code, number, HTTP, command_status, permanent, public sentence
    ("opted_out", 1, 422, c.ESME_RINVDSTADR, True, "The recipient has opted out."),
    ("no_consent", 2, 422, c.ESME_RINVDSTADR, True, "No consent of the recipient is on record."),
    ("invalid_number", 3, 422, c.ESME_RINVDSTADR, True, "Not a phone number anyone can have."),
    ("not_mobile", 4, 422, c.ESME_RINVDSTADR, True, "The number cannot receive SMS."),
    ("duplicate", 5, 422, c.ESME_RSUBMITFAIL, True, "This batch already has the number."),
    ("frequency_cap", 6, 422, c.ESME_RTHROTTLED, False, "The number had enough messages lately."),
    ("quiet_hours", 7, 422, c.ESME_RSUBMITFAIL, False, "Quiet hours where the recipient is."),
    ("moderation_rejected", 8, 422, c.ESME_RSUBMITFAIL, True, "A moderator rejected the text."),
    ("stop_word", 9, 422, c.ESME_RSUBMITFAIL, True, "The text has a forbidden word."),
    ("sender_not_allowed", 10, 422, c.ESME_RINVSRCADR, True, "The account may not use the sender."),
    ("template_mismatch", 11, 422, c.ESME_RSUBMITFAIL, True, "The text matches no template."),
    ("missing_variable", 12, 422, c.ESME_RSUBMITFAIL, True, "A placeholder has no value."),
    ("too_long", 13, 422, c.ESME_RINVMSGLEN, True, "The text needs more parts than allowed."),
    ("country_not_allowed", 14, 422, c.ESME_RINVDSTADR, True, "The account may not send there."),
    ("no_route", 15, 422, c.ESME_RINVDSTADR, True, "No route leads to the number."),
    ("insufficient_funds", 16, 402, c.ESME_RSUBMITFAIL, False, "The balance does not cover it."),
    ("validity_expired", 17, 422, c.ESME_RINVEXPIRY, True, "Its time was over before it left."),
    ("absent_subscriber", 18, 422, c.ESME_RSUBMITFAIL, False, "The phone was off or away."),
    ("handset_error", 19, 422, c.ESME_RSUBMITFAIL, False, "The phone did not take the message."),
    ("unknown_subscriber", 20, 422, c.ESME_RINVDSTADR, True, "The operator knows no such number."),
    ("operator_blocked", 21, 422, c.ESME_RSUBMITFAIL, True, "The operator blocked the message."),
    (
        "mass_mailing_refused",
        22,
        422,
        c.ESME_RSUBMITFAIL,
        True,
        "The operator refused bulk traffic.",
    ),
    ("network_error", 23, 503, c.ESME_RSYSERR, False, "The operator's network failed."),
    ("throttled_out", 24, 503, c.ESME_RTHROTTLED, False, "The operator took no traffic in time."),
    ("outcome_unknown", 25, 503, c.ESME_RSYSERR, False, "Nobody told us what became of it."),
    ("canceled", 26, 409, c.ESME_RCANCELFAIL, True, "Canceled by the caller."),
    ("empty_text", 27, 422, c.ESME_RINVMSGLEN, True, "The text is empty."),
    ("invalid_text", 28, 422, c.ESME_RSUBMITFAIL, True, "The text cannot be encoded."),
    (
        "missing_tlv",
        29,
        422,
        c.ESME_RMISSINGTLV,
        True,
        "A TLV the operator demands is missing or unfit.",
    ),
    (
        "suppressed",
        30,
        422,
        c.ESME_RINVDSTADR,
        True,
        "The number failed for good too often in a row.",
    ),
    ("awaiting_moderation", 31, 422, c.ESME_RSUBMITFAIL, False, "A moderator has to see the text."),
    (
        "erased",
        32,
        409,
        c.ESME_RCANCELFAIL,
        True,
        "Ended because the recipient's data were erased.",
    ),
    ("invalid_timezone", 33, 422, c.ESME_RSUBMITFAIL, True, "There is no such time zone."),
)
"""One table; the HTTP API, the SMPP server, the documentation and the tests read it."""

ABOUT_THE_NUMBER: Final = frozenset({"unknown_subscriber", "invalid_number", "not_mobile"})
"""Permanent reasons that are the number's own: the same number fails again whatever is sent, by
whomever. Where an operator blocked a text or a sender, another may well arrive. Which reason a
carrier's codes stand for is its profile's to say."""
if not all(REASONS[code].permanent for code in ABOUT_THE_NUMBER):
    raise AssertionError("a number is not suppressed for what may pass")

REASON_BY_NUMBER: Final = {reason.number: reason for reason in REASONS.values()}


class AldisError(Exception):
    """The root of everything the gateway raises on purpose."""


class Refused(AldisError):
    """The submission cannot be taken as a whole.

    `pointer` is a JSON pointer to the field at fault (`#/from`), `detail` names the limit and the
    value's size, never the text or the full number.
    """

    def __init__(self, code: str, detail: str, pointer: str = "#") -> None:
        super().__init__(detail)
        self.reason = REASONS[code]
        self.detail = detail
        self.pointer = pointer


class Busy(AldisError):
    """A buffer of ours is full; nothing was accepted."""

    def __init__(self, detail: str, retry_after: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class StoreError(AldisError):
    """The store could not keep its contract."""


class StoreUnavailable(StoreError):
    """The store cannot write now; what was asked did not happen."""


class StoreTooNew(StoreError):
    """The data was written by a newer version; this one would damage it."""


class ConfigError(AldisError):
    """The configuration cannot be used.

    `problems` are complete sentences, each with the file, the line and the remedy.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
