"""What a command_status in a response means for the message: one table, overridable per carrier.

In: a carrier's exceptions (`status` in its profile). Out: a look-up command_status -> Rule. Knows
neither messages nor links.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from config.settings import StatusRule
from gateway.errors import REASONS, ConfigError
from protocol import constants as c

Action = Literal["ok", "throttle", "retry", "next_carrier", "reject", "fail"]


class Rule(NamedTuple):
    """What to do with a part.

    ok            the operator has it
    throttle      not an attempt: slow down and send it again
    retry         this carrier again later, bounded, then the next one of the route
    next_carrier  this carrier will never take it, another may
    reject, fail  final: the message is `rejected` or `failed` for `reason`
    """

    action: Action
    reason: str = "network_error"


OK: Final = Rule("ok", "")
UNKNOWN_STATUS: Final = Rule("retry")
"""Vendors use 0x400-0x4FF and more as they please. An error says at least that the message was
not taken, so trying again cannot double it; attempts are bounded and then another carrier's turn
comes."""

_MISFIT: Final = Rule("next_carrier", "operator_blocked")
"""The operator does not like how our profile spells the PDU: another carrier may."""

STATUSES: Final[Mapping[int, Rule]] = {
    c.ESME_ROK: OK,
    # SMPP 3.4 §5.1.3. The queue of the SMSC being full is its wish for a slower pace.
    c.ESME_RTHROTTLED: Rule("throttle", "throttled_out"),
    c.ESME_RMSGQFUL: Rule("throttle", "throttled_out"),
    c.ESME_RSYSERR: Rule("retry"),
    c.ESME_RSUBMITFAIL: Rule("retry"),
    c.ESME_RX_T_APPN: Rule("retry"),
    c.ESME_RUNKNOWNERR: Rule("retry"),
    c.ESME_RINVBNDSTS: Rule("retry"),
    c.ESME_RSERTYPUNAVAIL: Rule("retry"),
    c.ESME_RINVMSGLEN: Rule("next_carrier", "too_long"),
    c.ESME_RINVCMDLEN: _MISFIT,
    c.ESME_RINVCMDID: _MISFIT,
    c.ESME_RINVPRTFLG: _MISFIT,
    c.ESME_RINVREGDLVFLG: _MISFIT,
    c.ESME_RINVSERTYP: _MISFIT,
    c.ESME_RINVESMCLASS: _MISFIT,
    c.ESME_RINVSRCTON: _MISFIT,
    c.ESME_RINVSRCNPI: _MISFIT,
    c.ESME_RINVDSTTON: _MISFIT,
    c.ESME_RINVDSTNPI: _MISFIT,
    c.ESME_RINVSYSTYP: _MISFIT,
    c.ESME_RINVREPFLAG: _MISFIT,
    c.ESME_RINVSCHED: _MISFIT,
    c.ESME_RINVEXPIRY: _MISFIT,
    c.ESME_RINVTLVSTREAM: _MISFIT,
    c.ESME_RTLVNOTALLWD: _MISFIT,
    c.ESME_RINVTLVLEN: _MISFIT,
    c.ESME_RMISSINGTLV: _MISFIT,
    c.ESME_RINVTLVVAL: _MISFIT,
    c.ESME_RINVDCS: Rule("next_carrier", "invalid_text"),
    c.ESME_RINVSRCADR: Rule("reject", "sender_not_allowed"),
    c.ESME_RINVDSTADR: Rule("reject", "unknown_subscriber"),
    c.ESME_RX_P_APPN: Rule("reject", "operator_blocked"),
    c.ESME_RX_R_APPN: Rule("reject", "operator_blocked"),
    c.ESME_RSERTYPUNAUTH: Rule("reject", "operator_blocked"),
    c.ESME_RSERTYPDENIED: Rule("reject", "operator_blocked"),
    c.ESME_RPROHIBITED: Rule("reject", "operator_blocked"),
    c.ESME_RDELIVERYFAILURE: Rule("fail", "handset_error"),
}

CREDENTIALS_REFUSED: Final = frozenset(
    {c.ESME_RINVPASWD, c.ESME_RINVSYSID, c.ESME_RBINDFAIL, c.ESME_RPROHIBITED}
)
"""Answers to a bind after which trying again soon can only lock the account. ESME_RBINDFAIL says
nothing, and most SMSCs say it for a wrong password."""

_STATUS_BY_NAME: Final = {name: number for number, (name, _) in c.COMMAND_STATUS.items()}

_DEFAULT_REASON: Final[Mapping[str, str]] = {
    "throttle": "throttled_out",
    "retry": "network_error",
    "next_carrier": "network_error",
    "reject": "operator_blocked",
    "fail": "network_error",
}


def status_table(carrier: str, exceptions: Mapping[str, StatusRule]) -> dict[int, Rule]:
    """The common table with one carrier's exceptions.

    Keys of `exceptions` are numbers (`0x58`, `88`) or the specification's names. Raises
    ConfigError for a name, number or reason nobody knows, and for calling success a failure.
    """
    table = dict(STATUSES)
    problems = []
    for key, exception in exceptions.items():
        number = _STATUS_BY_NAME.get(key.upper())
        if number is None:
            try:
                number = int(key, 0)
            except ValueError:
                number = -1
        reason = exception.reason or _DEFAULT_REASON[exception.action]
        if not 0 < number <= 0xFFFFFFFF:
            problems.append(
                f"carrier {carrier}: status {key!r} is neither the name nor the number of an "
                'error; write "ESME_RTHROTTLED" or "0x58".'
            )
        elif reason not in REASONS:
            problems.append(
                f"carrier {carrier}: status {key!r} has the reason {reason!r}, which is not in the "
                f"table of reasons ({', '.join(sorted(REASONS))})."
            )
        else:
            table[number] = Rule(exception.action, reason)
    if problems:
        raise ConfigError(problems)
    return table
