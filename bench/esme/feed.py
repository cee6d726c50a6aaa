"""The submits that are still to be sent, made when they are taken.

In: how many, which text. Out: bodies of submit_sm to numbers no two of which are equal. All binds
of a process take from one feed, so a bind that is answered sooner sends more: that is what shows
whether one is starved.
"""

from collections.abc import Iterator
from typing import Final

from bench.load.messages import TEXTS, number
from protocol import constants as c
from protocol.pdu import SubmitSm, prepare

_NAMES: Final = (b"Anna", b"Boris", b"Chiara", b"Dmitri", b"Elin", b"Farid", b"Greta", b"Hugo")


class Feed:
    """`count` messages to the numbers from `first` on; `templated` gives each a text of its own."""

    __slots__ = ("_after", "_before", "_fixed", "_next", "_template", "_until", "count")

    def __init__(self, count: int, *, first: int = 0, templated: bool = False) -> None:
        self.count = count
        self._next = first
        self._until = first + count
        template = TEXTS["templated", "gsm"].replace("{{name}}", "%b").replace("{{n}}", "%d")
        self._template = template.encode("ascii") if templated else b""
        pdu = SubmitSm(
            source_addr_ton=c.TON_ALPHANUMERIC,
            source_addr="ACME",
            dest_addr_ton=c.TON_INTERNATIONAL,
            dest_addr_npi=c.NPI_ISDN,
            registered_delivery=1,
        )
        self._before, after = prepare(pdu, "destination_addr")
        self._after = after[:-1]  # the sm_length of an empty text
        fixed = TEXTS["fixed", "gsm"].encode("ascii")  # GSM 7 and ASCII agree in all of it
        self._fixed = self._after + bytes((len(fixed),)) + fixed

    @property
    def left(self) -> int:
        """Messages nobody has taken."""
        return self._until - self._next

    def take(self, count: int) -> Iterator[bytes]:
        """Bodies of the next `count` messages, fewer at the end."""
        first, self._next = self._next, min(self._until, self._next + count)
        before, fixed = self._before, self._fixed
        for index in range(first, self._next):
            digits = number(index)[1:].encode()
            if not self._template:
                yield before + digits + fixed
                continue
            text = self._template % (_NAMES[index % len(_NAMES)], index)
            yield b"%b%b%b%c%b" % (before, digits, self._after, len(text), text)
