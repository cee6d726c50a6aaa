"""What a receipt means: outcome -> message status and reason, error codes -> better reasons.

In: a parsed receipt. Out: (status, reason code). Tables only; knows no store and no carrier.
"""

from __future__ import annotations

from typing import Final

from gateway.model import Status
from protocol.receipt import Outcome, Receipt

MEANING: Final[dict[Outcome, tuple[Status, str | None]]] = {
    # News on the way: the message is still `sent`.
    Outcome.SCHEDULED: (Status.SENT, None),
    Outcome.ENROUTE: (Status.SENT, None),
    Outcome.ACCEPTED: (Status.SENT, None),
    Outcome.DELIVERED: (Status.DELIVERED, None),
    # The message centre tried until the validity was over: the phone was not there.
    Outcome.EXPIRED: (Status.EXPIRED, "absent_subscriber"),
    Outcome.DELETED: (Status.FAILED, "operator_blocked"),
    Outcome.UNDELIVERABLE: (Status.UNDELIVERED, "network_error"),
    Outcome.UNKNOWN: (Status.UNKNOWN, "outcome_unknown"),
    Outcome.REJECTED: (Status.REJECTED, "operator_blocked"),
    Outcome.SKIPPED: (Status.FAILED, "operator_blocked"),
}

GSM_NETWORK: Final = 3
"""network_error_code's first octet for GSM (SMPP 3.4 §5.3.2.31)."""

MAP_ERRORS: Final[dict[int, str]] = {
    # 3GPP TS 29.002 §17.6.6, the errors MT-ForwardSM and SendRoutingInfoForSM can return.
    1: "unknown_subscriber",
    5: "unknown_subscriber",  # unidentified subscriber
    6: "absent_subscriber",  # absent subscriber SM
    9: "operator_blocked",  # illegal subscriber
    11: "operator_blocked",  # teleservice not provisioned
    12: "handset_error",  # illegal equipment
    13: "operator_blocked",  # call barred
    21: "operator_blocked",  # facility not supported
    27: "absent_subscriber",
    31: "absent_subscriber",  # subscriber busy for MT-SMS
    32: "handset_error",  # SM delivery failure: memory full, protocol error in the phone
    34: "network_error",  # system failure
}
"""Why a phone did not get a message, where the network says it in the standard's own numbers."""


def meaning(receipt: Receipt) -> tuple[Status, str | None] | None:
    """(message status, reason code) of a receipt; None when it does not say."""
    outcome = receipt.outcome
    if outcome is None:
        return None
    status, reason = MEANING[outcome]
    error = receipt.network_error_code
    if reason is not None and error is not None and error[0] == GSM_NETWORK:
        reason = MAP_ERRORS.get(error[1], reason)
    return status, reason
