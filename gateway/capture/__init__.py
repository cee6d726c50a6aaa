"""Who looks at the octets of which carrier's or account's links: `aldis capture`.

In: links as they come up, requests of the operators' port. Out: reads and writes for at most four
streams, and in the readers' threads pcap records. A link that nobody looks at pays one `is None`
for each read and write, one that is looked at an entry in a list. What a stream cannot take in time
is dropped and counted: traffic never waits for a diagnosis.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple

from config.settings import Settings
from gateway import metrics as m
from gateway.capture.flow import Flow
from gateway.capture.pcap import FILE_HEADER
from gateway.link import SmppLink
from gateway.metrics import Metrics

__all__ = ["FILE_HEADER", "Capture", "Kind", "Refused", "Taps", "records"]

log = logging.getLogger("aldis.capture")

Kind = Literal["carrier", "account"]

MOST_STREAMS: Final = 4
"""At once: each may use a quarter of a core (see ingress/captures.py)."""
MOST_HELD: Final = 4 << 20
"""Octets waiting in one stream: 20,000 usual PDUs, a second's worth of a busy carrier."""
MOST_PIECES: Final = 10_000
"""Reads and writes waiting in one stream; small ones cost more than their octets."""
BATCH: Final = 64
"""Reads and writes taken out at once; so many of 64 KiB are what waits at most."""


class Refused(Exception):
    """No capture; `status` is HTTP's, the message says why and what to do."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Piece(NamedTuple):
    """One read or write that waits to become records."""

    flow: Flow
    sent: bool
    position: int
    data: bytes
    at: int


class Capture:
    """One stream. Its links hand it octets; its reader takes records.

    ended     whether there will be no more; what waits can still be taken
    dropped   octets it could not keep
    """

    def __init__(self, kind: Kind, name: str, full: bool, clock: Callable[[], int]) -> None:
        self.kind: Final = kind
        self.name: Final = name
        self.full: Final = full
        self.ended = False
        self.dropped = 0
        self._clock = clock
        self._flows: dict[SmppLink, Flow] = {}
        self._waiting: deque[Piece] = deque()
        self._held = 0
        self._news = asyncio.Event()

    def octets(self, link: SmppLink, sent: bool, data: bytes) -> None:
        """One read or one write of `link`."""
        flow = self._flows.get(link)
        if flow is None:
            flow = self._flows[link] = Flow(*link.addresses, self.full)
        position = flow.seen[sent]
        flow.seen[sent] += len(data)
        if flow.broken[sent]:
            before = b"" if sent else link.partial
            if not position:  # the first read: what came before is the stream's beginning
                flow.seen[sent] += len(before)
                position = len(before)
            data = before + data
            position -= len(before)
        if self._held + len(data) > MOST_HELD or len(self._waiting) >= MOST_PIECES:
            self.dropped += len(data)
            flow.broken[sent] = True
            return
        flow.broken[sent] = False
        self._held += len(data)
        self._waiting.append(Piece(flow, sent, position, data, self._clock()))
        self._news.set()

    def forget(self, link: SmppLink) -> None:
        """The link is over."""
        self._flows.pop(link, None)

    def end(self) -> None:
        """No more."""
        self.ended = True
        self._news.set()

    async def wait(self, timeout: float) -> None:
        """Return when something waits, at the end, or after `timeout` seconds."""
        if self._waiting or self.ended:
            return
        self._news.clear()
        try:
            await asyncio.wait_for(self._news.wait(), timeout)
        except TimeoutError:
            return

    def take(self) -> list[Piece]:
        """The next reads and writes, a batch of them, for `records`."""
        taken = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        self._held -= sum(len(piece.data) for piece in taken)
        return taken

    @property
    def waiting(self) -> int:
        """Reads and writes not yet made into records."""
        return len(self._waiting)


def records(pieces: Sequence[Piece]) -> list[bytes]:
    """What becomes of reads and writes in the file, in their order.

    May run in a thread: a flow's streams are nobody else's, and only one batch of a capture is
    under way at a time.
    """
    return [
        record
        for piece in pieces
        for record in piece.flow.records(piece.sent, piece.position, piece.data, piece.at)
    ]


class Taps:
    """All links that may be looked at, and the captures that look."""

    def __init__(self, settings: Settings, metrics: Metrics, clock: Callable[[], int]) -> None:
        self._metrics = metrics
        self._clock = clock
        self._links: dict[tuple[Kind, str], set[SmppLink]] = {}
        self._captures: dict[tuple[Kind, str], Capture] = {}
        self._closing = False
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """Know the carriers and accounts there are, and whether texts may be shown."""
        self._full = settings.ops.full_capture
        self._names: dict[Kind, set[str]] = {
            "carrier": {carrier.name for carrier in settings.carrier},
            "account": {account.name for account in settings.account},
        }

    def watch(self, kind: Kind, name: str, link: SmppLink) -> None:
        """A link is about to speak, or has become this account's; it is forgotten when it ends."""
        links = self._links.setdefault((kind, name), set())
        links.add(link)
        link.tap = self._captures.get((kind, name))

        def over(_: object) -> None:
            links.discard(link)
            capture = self._captures.get((kind, name))
            if capture is not None:
                capture.forget(link)

        link.closed.add_done_callback(over)

    def open(self, kind: Kind, name: str, full: bool) -> Capture:
        """Begin to look; `close` it. Raises `Refused`."""
        if self._closing:
            raise Refused(503, "The gateway is stopping.")
        if full and not self._full:
            raise Refused(
                403,
                "Numbers and texts are shown only where the configuration allows it: "
                "[ops] full_capture = true.",
            )
        if name not in self._names[kind]:
            known = ", ".join(sorted(self._names[kind])) or "none"
            raise Refused(404, f"No {kind} is called {name!r}; there are: {known}.")
        if (kind, name) in self._captures:
            raise Refused(409, f"The {kind} {name} is being captured already; one at a time.")
        if len(self._captures) >= MOST_STREAMS:
            raise Refused(429, f"There are {MOST_STREAMS} captures already; end one of them.")
        capture = Capture(kind, name, full, self._clock)
        self._captures[kind, name] = capture
        for link in self._links.get((kind, name), ()):
            link.tap = capture
        self._metrics.count(m.CAPTURES, 1, kind, name)
        # Who looks at traffic is for the record.
        log.warning("capture begins", extra={"kind": kind, "target": name, "full": full})
        return capture

    def close(self, capture: Capture) -> None:
        """Look no more."""
        capture.end()
        key = (capture.kind, capture.name)
        if self._captures.get(key) is not capture:
            return
        del self._captures[key]
        for link in self._links.get(key, ()):
            link.tap = None
        if capture.dropped:
            self._metrics.count(m.CAPTURE_DROPPED, capture.dropped, *key)
        extra = {"kind": capture.kind, "target": capture.name, "dropped": capture.dropped}
        log.warning("capture ends", extra=extra)

    def stop(self) -> None:
        """The gateway drains: end all, begin none."""
        self._closing = True
        for capture in list(self._captures.values()):
            capture.end()
