"""How much a run may send: so many PDUs a second, so many in all.

In: how many PDUs are about to leave. Out: their turn, or `LimitReached`. What a session owes its
peer (deliver_sm_resp, enquire_link_resp) is not counted: not answering would be the worse guest.
"""

from __future__ import annotations

import asyncio


class LimitReached(Exception):
    """The run has sent all it may."""


class Budget:
    """`rate` PDUs a second, `most` in all."""

    def __init__(self, rate: float, most: int) -> None:
        self.rate = rate
        self.most = most
        self.sent = 0
        self._free_at = 0.0

    async def take(self, count: int = 1) -> None:
        """Wait until `count` PDUs may leave in one write.

        The time they are worth passes before them and after them, so that no second, wherever it
        begins, sees more than the rate and the write itself.
        """
        if self.sent + count > self.most:
            raise LimitReached(f"the limit of {self.most} PDUs is reached (--max-pdus)")
        self.sent += count
        loop = asyncio.get_running_loop()
        begin = max(self._free_at, loop.time()) + (count - 1) / self.rate
        self._free_at = begin + count / self.rate
        await asyncio.sleep(begin - loop.time())
