"""The receivers of one account: whose turn it is to be given deliver_sm.

In: binds that come, go, fill up and have room again. Out: deliver_sm spread over those with room.
Knows binds; no mailbox and no login.

Ten thousand binds may be one account's, and most reads bring the answers of one of them. So nobody
is looked at who has no room: a bind that is found full leaves the round until it tells of room.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.ingress.smpp.bind import Bind

SHARE: Final = 20
"""Deliver_sm one bind is given at least before it is the next one's turn: each turn is a write, and
a read of the answers. Over two hundred binds of a customer it still takes turns many times a
second."""


class Receivers:
    """Bound receivers of one account, each in one of three places:

    ready    has had room when last looked at; in the order of their turns
    full     had none
    silent   let a deliver_sm time out and has answered none since
    """

    __slots__ = ("_full", "_ready", "_silent")

    def __init__(self) -> None:
        self._ready: OrderedDict[Bind, None] = OrderedDict()
        self._full: set[Bind] = set()
        self._silent: OrderedDict[Bind, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ready) + len(self._full) + len(self._silent)

    def look(self, bind: Bind) -> None:
        """A bind is new, or its room or its silence has changed."""
        if bind.silent:
            self.remove(bind)
            self._silent[bind] = None
        elif bind not in self._ready:
            self.remove(bind)
            self._ready[bind] = None

    def remove(self, bind: Bind) -> None:
        """A bind is over."""
        self._ready.pop(bind, None)
        self._silent.pop(bind, None)
        self._full.discard(bind)

    def room(self, wanted: int) -> int:
        """How many of `wanted` deliver_sm can be taken now."""
        room = 0
        for bind in self._round():
            room += bind.room
            if room >= wanted:
                return wanted
        return room

    def deliver(self, bodies: Sequence[tuple[bytes, ...]], contexts: Sequence[object]) -> int:
        """Send deliver_sm in turns; returns how many of them left."""
        turns = self._round()
        total, sent, passed = len(bodies), 0, 0
        share = max(SHARE, -(-total // max(1, len(turns))))
        while sent < total and passed < len(turns):
            bind = next(iter(turns))
            count = min(share, bind.room, total - sent)
            if count:
                bind.deliver(bodies[sent : sent + count], contexts[sent : sent + count])
                sent += count
                passed = 0
            elif turns is self._ready:
                del turns[bind]
                self._full.add(bind)
                continue
            else:
                passed += 1
            turns.move_to_end(bind)
        return sent

    def _round(self) -> OrderedDict[Bind, None]:
        """Those who take turns. Not the silent ones as long as there are others: what they are
        offered waits for its time-out, and might be offered to them again."""
        return self._silent if not self._ready and not self._full else self._ready
