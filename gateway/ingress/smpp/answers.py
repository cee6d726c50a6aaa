"""The answers to one list of requests, gathered and sent together.

In: for each request its answer. Out: one write a bind. What was refused, and why, is counted on the
way. Knows no store.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from gateway import metrics as m
from gateway.errors import REASONS, AldisError, Busy, Refused
from gateway.ingress.smpp.bind import Bind
from gateway.ingress.smpp.ids import spell
from gateway.tally import Tally
from protocol import constants as c

_POINTERS: Final = {
    "#/send_at": c.ESME_RINVSCHED,
    "#/validity": c.ESME_RINVEXPIRY,
    "#/from": c.ESME_RINVSRCADR,
}
"""Where the field at fault says more than the reason: one reason covers both times."""


def status_of(code: str, pointer: str = "") -> int:
    """What a customer hears for a reason: the reject table, told more precisely by the field."""
    return _POINTERS.get(pointer) or REASONS[code].command_status


def status_for(error: Exception) -> int:
    """What a customer hears when a whole submission could not be taken."""
    if isinstance(error, Refused):
        return status_of(error.reason.code, error.pointer)
    if isinstance(error, Busy):
        return c.ESME_RMSGQFUL
    if isinstance(error, AldisError):  # the store is away: to be tried again
        return c.ESME_RSYSERR
    return c.ESME_RSYSERR


class Answers:
    """What has been decided so far; `send` tells everybody."""

    __slots__ = ("_bodies", "_errors", "_numbers", "_tally")

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._numbers: defaultdict[tuple[Bind, int], list[int]] = defaultdict(list)
        self._bodies: defaultdict[tuple[Bind, int], list[bytes]] = defaultdict(list)
        self._errors: defaultdict[tuple[Bind, int, int], list[int]] = defaultdict(list)

    def ok(self, bind: Bind, pdu: Any, body: bytes) -> None:
        """The request was carried out; `body` is its response's."""
        key = (bind, pdu.command_id)
        self._numbers[key].append(pdu.sequence_number)
        self._bodies[key].append(body)

    def no(self, bind: Bind, pdu: Any, status: int) -> None:
        """The request was refused."""
        self._errors[bind, pdu.command_id, status].append(pdu.sequence_number)

    def send(self) -> None:
        """Answer everything, a write for each bind and kind of answer."""
        for (bind, command_id), numbers in self._numbers.items():
            bind.answer(command_id, numbers, c.ESME_ROK, self._bodies[bind, command_id])
            self._count(bind, command_id, c.ESME_ROK, len(numbers))
        for (bind, command_id, status), numbers in self._errors.items():
            bind.answer(command_id, numbers, status)
            self._count(bind, command_id, status, len(numbers))
        self._numbers.clear()
        self._bodies.clear()
        self._errors.clear()

    def _count(self, bind: Bind, command_id: int, status: int, count: int) -> None:
        login = bind.login
        account = "" if login is None else login.account.name
        self._tally.count(
            m.SMPP_REQUESTS, count, account, c.command_name(command_id), c.status_name(status)
        )


def told_body(bind: Bind, identifier: int) -> bytes:
    """The body of a response that tells an id."""
    login = bind.login
    form = "decimal" if login is None else login.settings.message_id
    if form == "decimal":
        return b"%d\0" % identifier
    return spell(identifier, form).encode() + b"\0"
