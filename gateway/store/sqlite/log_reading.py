"""What the event log holds for endpoints.

In: how many deliveries each endpoint can take. Out: the stretches of the log they would be, with
their bodies. Reads, on the reader's thread: putting 500 events together takes most of a
millisecond, which the writer has better uses for. Nothing is given out before `deliveries.take`
has moved the cursor.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.store.records import Webhook
from gateway.store.sqlite.cutting import BATCH_EVENTS, Chunk, Cursor, Cut, cut, log_type
from gateway.store.sqlite.event_log import INTERNAL
from gateway.store.sqlite.packed import pack, unpack


class Prepared(msgspec.Struct, frozen=True):
    """The next deliveries of one endpoint: from cursor `before` to cursor `after`."""

    webhook: int
    before: Cursor
    after: Cursor
    cuts: list[Cut]
    bodies: list[bytes]


class _Endpoint(msgspec.Struct, array_like=True):
    id: int
    account: int
    position: int
    skip: int
    spec: Webhook


_endpoints: Final = msgspec.json.Decoder(list[_Endpoint])
_chunks: Final = msgspec.json.Decoder(list[Chunk])
_types: Final = msgspec.json.Decoder(list[str])
_events: Final = msgspec.json.Decoder(list[msgspec.Raw])

ENDPOINTS: Final = """
SELECT json_group_array(json_array(w.id, w.account, w.position, w.skip, json(w.spec)))
FROM json_each(?) AS j CROSS JOIN webhooks AS w ON w.id = j.value
"""
TYPES: Final = """
WITH RECURSIVE t (type) AS (
    SELECT min(type) FROM events WHERE account = ?1
    UNION ALL
    SELECT (SELECT min(type) FROM events WHERE account = ?1 AND type > t.type)
    FROM t WHERE t.type IS NOT NULL
)
SELECT json_group_array(type) FROM t WHERE type IS NOT NULL
"""
"""The types an account has in the log: one seek for each, however many events there are."""

CHUNKS: Final = """
SELECT json_group_array(json_array(position, type, count)) FROM (
    SELECT position, type, count FROM events
    WHERE account = ? AND type = ? AND position >= ? ORDER BY position LIMIT ?
)
"""
BODY: Final = """
SELECT CAST(group_concat(body, ',') AS BLOB), sum(count) FROM (
    SELECT body, count FROM events
    WHERE account = ? AND type = ? AND position BETWEEN ? AND ? ORDER BY position
)
"""


def prepare(connection: sqlite3.Connection, wanted: Mapping[int, int]) -> list[Prepared]:
    """Up to `wanted[webhook]` deliveries for each endpoint that has any.

    Endpoints that are not active, or not known, have none. To be called in one read transaction.
    """
    prepared: list[Prepared] = []
    for endpoint in unpack(connection, _endpoints, ENDPOINTS, pack(list(wanted))):
        if endpoint.spec.state != "active":
            continue
        cuts, after = _cut(connection, endpoint, wanted[endpoint.id])
        if not cuts:
            continue
        reader = Bodies(connection, endpoint.account)
        bodies = [body for one in cuts if (body := reader.of(one)) is not None]
        before = Cursor(endpoint.position, endpoint.skip)
        prepared.append(Prepared(endpoint.id, before, after, cuts, bodies))
    return prepared


class Bodies:
    """Puts bodies together; reads a chunk once for neighbours that share it."""

    __slots__ = ("_account", "_connection", "_events", "_stretch")

    def __init__(self, connection: sqlite3.Connection, account: int) -> None:
        self._connection = connection
        self._account = account
        self._stretch: tuple[str, int, int] | None = None
        self._events: list[msgspec.Raw] = []

    def of(self, one: Cut) -> bytes | None:
        """The events as a JSON array; None if they have left the log."""
        stretch = (log_type(one.type), one.first, one.last)
        if stretch != self._stretch:
            row = self._connection.execute(BODY, (self._account, *stretch)).fetchone()
            body, count = row
            if body is None:
                return None
            if one.skip == 0 and one.events == count:
                return b"[" + bytes(body) + b"]"
            self._events = _events.decode(b"[" + bytes(body) + b"]")
            self._stretch = stretch
        events = self._events[one.skip : one.skip + one.events]
        if len(events) < one.events:
            return None
        return b"[" + b",".join(bytes(event) for event in events) + b"]"


def _cut(
    connection: sqlite3.Connection, endpoint: _Endpoint, wanted: int
) -> tuple[list[Cut], Cursor]:
    """The endpoint's next deliveries. Each type it wants is sought on its own, so what lies
    between costs nothing."""
    webhook = endpoint.spec
    types = webhook.types or unpack(connection, _types, TYPES, endpoint.account)
    types = [kind for kind in types if not kind.startswith(INTERNAL)]
    most = wanted * BATCH_EVENTS if webhook.batched else wanted
    chunks: list[Chunk] = []
    for kind in dict.fromkeys(types):
        of_kind: list[Chunk] = unpack(
            connection, _chunks, CHUNKS, endpoint.account, kind, endpoint.position, most
        )
        chunks += of_kind
    chunks.sort(key=lambda chunk: chunk.position)
    cursor = Cursor(endpoint.position, endpoint.skip)
    return cut(chunks, cursor, batched=webhook.batched, wanted=wanted)
