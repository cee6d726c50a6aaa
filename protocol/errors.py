"""The errors of the protocol package, split by whose fault it is and what to do.

SmppError            .command_status says what to answer with
├── UsageError       ours: the caller asked for what the specification forbids; nothing was sent
├── PduError         the peer's PDU is wrong but the framing holds: answer it, keep the link
└── LinkError        the framing or the session is lost: generic_nack if a status is set, close
"""

from typing import TYPE_CHECKING

from .constants import (
    ESME_RINVCMDLEN,
    ESME_RINVMSGLEN,
    ESME_RUNKNOWNERR,
    command_name,
    status_name,
)

if TYPE_CHECKING:
    from .pdu import Pdu


class SmppError(Exception):
    """Anything the protocol package raises on purpose.

    `command_status` is the status to answer with, 0 when there is nothing to answer.
    """

    command_status: int = ESME_RUNKNOWNERR

    def __init__(self, message: str, command_status: int | None = None) -> None:
        super().__init__(message)
        if command_status is not None:
            self.command_status = command_status


class UsageError(SmppError):
    """Our own caller is wrong: a value out of range, a PDU that the state does not allow."""


class PduError(SmppError):
    """One PDU of the peer is wrong; answer it with `command_status` and go on.

    `command_id` and `sequence_number` are those of the refused PDU, so that the session can build
    the matching response (or a generic_nack for ESME_RINVCMDID, SMPP 3.4 §4.3). `pdu` is what could
    be read of it, an UnknownPdu for an unknown command: a submit_sm_resp with a broken tail still
    settles its submit_sm, where forgetting it would send the message twice.
    """

    command_status = ESME_RINVMSGLEN

    def __init__(
        self,
        message: str,
        command_status: int | None = None,
        command_id: int = 0,
        sequence_number: int = 0,
    ) -> None:
        super().__init__(message, command_status)
        self.command_id = command_id
        self.sequence_number = sequence_number
        self.pdu: Pdu | None = None

    def __str__(self) -> str:
        return (
            f"{command_name(self.command_id)} {self.sequence_number}: {self.args[0]}"
            f" -> {status_name(self.command_status)}"
        )


class LinkError(SmppError):
    """The octet stream can no longer be cut into PDUs, or the session is over: close the link.

    A generic_nack with `command_status` goes out first unless it is 0.
    """

    command_status = ESME_RINVCMDLEN
