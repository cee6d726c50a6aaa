"""The answers to one list of requests, gathered and sent together.

In: for each request its answer. Out: one write a bind. What was refused, and why, is counted on the
way. Knows no store.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from gateway import metrics as m
from gateway.errors import REASONS, Busy, Refused
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
    return c.ESME_RSYSERR  # the store is away, or a mistake of ours: to be tried again


class Answers:
    """What has been decided so far; `send` tells everybody."""

    __slots__ = ("_done", "_errors", "_tally")

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._done: defaultdict[tuple[Bind, int], tuple[list[int], list[bytes]]] = defaultdict(
            lambda: ([], [])
        )
        """(bind, command_id) -> sequence_numbers, bodies."""
        self._errors: defaultdict[tuple[Bind, int, int], list[int]] = defaultdict(list)

    def ok(self, bind: Bind, pdu: Any, body: bytes) -> None:
        """The request was carried out; `body` is its response's."""
        numbers, bodies = self._done[bind, pdu.command_id]
        numbers.append(pdu.sequence_number)
        bodies.append(body)

    def told(self, origins: Sequence[tuple[Bind, Any]], ids: Sequence[int]) -> None:
        """Requests were carried out, and each hears an id. Most of a list comes from one bind, so
        where an answer goes is looked up when that changes: 0.3 us a message instead of 0.8."""
        to: Bind | None = None
        command_id, decimal = 0, False
        numbers: list[int] = []
        bodies: list[bytes] = []
        for (bind, pdu), identifier in zip(origins, ids, strict=True):
            if bind is not to or pdu.command_id != command_id:
                to, command_id = bind, pdu.command_id
                numbers, bodies = self._done[bind, command_id]
                decimal = form_of(bind) == "decimal"
            numbers.append(pdu.sequence_number)
            bodies.append(b"%d\0" % identifier if decimal else told_body(bind, identifier))

    def no(self, bind: Bind, pdu: Any, status: int) -> None:
        """The request was refused."""
        self._errors[bind, pdu.command_id, status].append(pdu.sequence_number)

    def answered(self) -> set[tuple[Bind, int]]:
        """(bind, sequence_number) of all that has an answer."""
        done = {(bind, n) for (bind, _), (numbers, _) in self._done.items() for n in numbers}
        return done | {(bind, n) for (bind, *_), numbers in self._errors.items() for n in numbers}

    def send(self) -> None:
        """Answer everything, a write for each bind and kind of answer."""
        for (bind, command_id), (numbers, bodies) in self._done.items():
            bind.answer(command_id, numbers, c.ESME_ROK, bodies)
            self._count(bind, command_id, c.ESME_ROK, len(numbers))
        for (bind, command_id, status), numbers in self._errors.items():
            bind.answer(command_id, numbers, status)
            self._count(bind, command_id, status, len(numbers))
        self._done.clear()
        self._errors.clear()

    def _count(self, bind: Bind, command_id: int, status: int, count: int) -> None:
        login = bind.login
        account = "" if login is None else login.account.name
        self._tally.count(
            m.SMPP_REQUESTS, count, account, c.command_name(command_id), c.status_name(status)
        )


def form_of(bind: Bind) -> str:
    """How ids are spelt to a bind."""
    return "decimal" if bind.login is None else bind.login.settings.message_id


def told_body(bind: Bind, identifier: int) -> bytes:
    """The body of a response that tells an id."""
    return spell(identifier, form_of(bind)).encode() + b"\0"
