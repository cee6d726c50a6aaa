"""A message on its way through one carrier, and the fates of its parts so far.

Knows nothing of how it was encoded or what its fates will mean; `verdict` judges when all are in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable

import msgspec

from gateway.store.messages import Leased

Body = tuple[bytes, ...]
"""An encoded submit_sm body in pieces, as `Connection.send_many` joins them."""


class Outgoing(msgspec.Struct, eq=False, gc=False):
    """One leased message with the bodies of its parts.

    pending     parts at a link, on the wire or waiting for room, that have no fate yet
    ids         operator ids by part, None until taken; the list exists once one was taken and
                never for a message of one part that simply succeeds
    again       parts to be sent again on the same link: throttled, or never written
    unknown     parts whose outcome nobody knows
    bad         the worst refusal (command_status, action, reason)
    settled     its result has left: what comes now is late

    While it travels, the message itself is the context of its only part; parts of several have a
    `Part` each. That saves an object per message where it matters. A struct, because C fills its
    defaults in a quarter of the time an `__init__` takes.
    """

    message: Leased
    category: str
    bodies: tuple[Body, ...]
    pending: int = 1
    unknown: int = 0
    settled: bool = False
    ids: list[str | None] | None = None
    bad: tuple[int, str, str] | None = None
    _again: list[int] | None = None

    @property
    def again(self) -> list[int]:
        """Indices of parts to be sent again."""
        if self._again is None:
            self._again = []
        return self._again

    @property
    def taken(self) -> int:
        """Parts the operator has confirmed."""
        return 0 if self.ids is None else sum(each is not None for each in self.ids)


class Part:
    """The context of one part of several: `outgoing.bodies[index]`."""

    __slots__ = ("index", "outgoing")

    def __init__(self, outgoing: Outgoing, index: int) -> None:
        self.outgoing = outgoing
        self.index = index


Context = Outgoing | Part


def context_of(outgoing: Outgoing, index: int) -> Context:
    """What stands for a part on the wire."""
    return outgoing if len(outgoing.bodies) == 1 else Part(outgoing, index)


def message_of(context: Context) -> Outgoing:
    """The message a context belongs to."""
    return context if isinstance(context, Outgoing) else context.outgoing


def unbegun(waiting: Iterable[Context], categories: Container[str]) -> list[Outgoing]:
    """Of parts that wait at a link, the messages of these categories of which nothing has been
    taken and nothing is on the wire."""
    parts = Counter(message_of(context) for context in waiting)
    return [
        outgoing
        for outgoing, count in parts.items()
        if outgoing.category in categories
        and count == outgoing.pending
        and not outgoing.taken
        and not outgoing.unknown
    ]


def body_of(context: Context) -> Body:
    """The body a context stands for."""
    if isinstance(context, Outgoing):
        return context.bodies[0]
    return context.outgoing.bodies[context.index]
