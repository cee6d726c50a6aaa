"""What leaves next, and over which link: a carrier's short buffer, its windows and its pace.

In: encoded messages, links, the throttle. Out: submits on links. Messages leave by class, most
urgent first, and within a class in the order they were leased. A message is admitted to a window
as a unit, and all its parts travel over that link. Knows no store and no answers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable
from typing import Final

from gateway.dispatch.lanes import ORDER, parse
from gateway.dispatch.link import Link
from gateway.dispatch.outgoing import Body, Context, Outgoing, body_of, context_of
from gateway.dispatch.throttle import Throttle

UNLIMITED: Final = 1 << 62


class Feed:
    """The buffer of one carrier. `parts` counts the PDUs in it."""

    __slots__ = ("_classes", "_of_lane", "_throttle", "links", "parts", "sent")

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle
        self._classes: tuple[deque[Outgoing], ...] = tuple(deque() for _ in ORDER)
        self._of_lane: dict[str, deque[Outgoing]] = {}
        self.links: list[Link] = []
        self.parts = 0
        self.sent = 0
        """PDUs that have left so far."""

    def add(self, messages: Iterable[Outgoing]) -> None:
        """Take messages in the order they should leave within their class."""
        of_lane = self._of_lane
        parts = 0
        for outgoing in messages:
            queue = of_lane.get(outgoing.message.lane)
            if queue is None:
                queue = self._queue(outgoing.message.lane)
            queue.append(outgoing)
            parts += len(outgoing.bodies)
        self.parts += parts

    def take_back(self) -> list[Outgoing]:
        """Empty the buffer: nothing in it has been sent."""
        messages = [outgoing for queue in self._classes for outgoing in queue]
        for queue in self._classes:
            queue.clear()
        self.parts = 0
        return messages

    def take_out(self, categories: Container[str]) -> list[Outgoing]:
        """Take what is of these categories out of the buffer."""
        found: list[Outgoing] = []
        for queue in self._classes:
            taken = [outgoing for outgoing in queue if outgoing.category in categories]
            if taken:
                kept = [outgoing for outgoing in queue if outgoing.category not in categories]
                queue.clear()
                queue.extend(kept)
                found += taken
        self.parts -= sum([len(outgoing.bodies) for outgoing in found])
        return found

    @property
    def next_parts(self) -> int:
        """PDUs of the message that is next in the buffer; 0 if there is none."""
        return next((len(queue[0].bodies) for queue in self._classes if queue), 0)

    def room(self) -> int:
        """Places free in the windows, less what waits at the links."""
        return sum([max(0, link.free - len(link.waiting)) for link in self.links])

    def send(self, now: float, allowed: int = UNLIMITED) -> float | None:
        """Send what may leave now, `allowed` PDUs at the very most; returns when to try again if
        only the pace forbids more."""
        if allowed <= 0 or not self._held():
            return None
        most = self.sent + allowed
        tokens = min(self._throttle.available(now), allowed)
        if tokens > 0:
            tokens = self._send(tokens, now, most)
        if tokens > 0 or self.sent >= most or not self._held():
            return None
        return self._throttle.ready_at(now)

    def _held(self) -> bool:
        if self.parts:
            return True
        return any(link.waiting for link in self.links)

    def _send(self, tokens: int, now: float, most: int) -> int:
        """Send at most about `tokens` PDUs, and none once `most` have left in all; returns how many
        more may leave."""
        able: list[Link] = []
        for link in self.links:
            if link.waiting:
                tokens -= self._send_waiting(link, tokens, now)
            elif link.free:
                able.append(link)
        most -= sum([len(link.waiting) for link in self.links])  # theirs before anybody's
        while tokens > 0 and self.parts and able:
            able.sort(key=_by_room)
            # An even share each, so that one read's worth of tokens does not fill one link.
            share = -(-tokens // len(able))
            for link in list(able):
                sent = self._fill(link, min(share, tokens), now, most) if tokens > 0 else 0
                tokens -= sent
                if not sent or not link.free or link.waiting:
                    able.remove(link)
        return tokens

    def _send_waiting(self, link: Link, tokens: int, now: float) -> int:
        """Parts that were throttled, or did not fit the window with the rest of their message."""
        count = min(tokens, link.free, len(link.waiting))
        if count > 0:
            contexts = [link.waiting.popleft() for _ in range(count)]
            link.submit([body_of(context) for context in contexts], contexts, now)
            self._throttle.take(count, now)
            self.sent += count
        return max(count, 0)

    def _fill(self, link: Link, tokens: int, now: float, most: int) -> int:
        """Send whole messages, at least `tokens` PDUs if window and buffer have them."""
        free = link.free
        allowed = most - self.sent
        tokens = min(tokens, allowed)
        idle = link.outstanding == 0
        bodies: list[Body] = []
        contexts: list[Context] = []
        sent = 0
        for queue in self._classes:
            while queue and sent < tokens:
                outgoing = queue[0]
                parts = outgoing.bodies
                count = len(parts)
                if count == 1:
                    if sent == free:
                        break
                    bodies.append(parts[0])
                    contexts.append(outgoing)
                elif count > allowed - sent:
                    break  # a limit that holds: a message is within it as a whole
                elif count <= free - sent:
                    bodies += parts
                    contexts += [context_of(outgoing, index) for index in range(count)]
                elif idle and not sent:
                    # Longer than the whole window: it has the idle link to itself, and what does
                    # not fit now follows before anything else.
                    bodies += parts[:free]
                    contexts += [context_of(outgoing, index) for index in range(free)]
                    link.waiting += [context_of(outgoing, index) for index in range(free, count)]
                    self.parts -= count - free
                    count = free
                else:
                    break
                queue.popleft()
                sent += count
            if queue:
                break  # what is less urgent does not overtake what has no room yet
        if sent:
            link.submit(bodies, contexts, now)
            self.parts -= sent
            self.sent += sent
            self._throttle.take(sent, now)
        return sent

    def _queue(self, lane: str) -> deque[Outgoing]:
        queue = self._classes[ORDER[parse(lane).lane_class]]
        if len(self._of_lane) > 4096:
            self._of_lane.clear()
        self._of_lane[lane] = queue
        return queue


def _by_room(link: Link) -> int:
    return -link.free
