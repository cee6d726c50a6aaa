"""The registry of endpoints, each with its place in the event log.

In: endpoints as the API or the configuration gives them. Out: the same. Nothing here posts, and
nothing but `deliveries` moves a cursor.
"""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec

from gateway.store.records import Webhook
from gateway.store.sqlite.names import ACCOUNT, Names
from gateway.store.sqlite.packed import pack, unpack

_webhooks: Final = msgspec.json.Decoder(list[Webhook])

PUT: Final = """
INSERT INTO webhooks (id, account, spec, position, skip)
VALUES (?, ?, ?, (SELECT coalesce(max(position), 0) + 1 FROM events), 0)
ON CONFLICT (id) DO UPDATE SET spec = excluded.spec WHERE account = excluded.account
"""
"""A new endpoint is told of what happens from now on; a changed one keeps its place. An id never
changes hands: the deliveries it has are another account's events."""

ALL: Final = """
SELECT '[' || coalesce(group_concat(spec), '') || ']' FROM (SELECT spec FROM webhooks ORDER BY id)
"""
OF_ACCOUNT: Final = """
SELECT '[' || coalesce(group_concat(spec), '') || ']'
FROM (SELECT spec FROM webhooks WHERE account = ? ORDER BY id)
"""
FORGET: Final = (
    "DELETE FROM deliveries WHERE webhook = ?",
    "DELETE FROM webhooks WHERE id = ?",
)


def webhooks(connection: sqlite3.Connection, account: str | None, names: Names) -> list[Webhook]:
    """All endpoints, or those of an account, oldest first."""
    if account is None:
        return unpack(connection, _webhooks, ALL)
    return unpack(connection, _webhooks, OF_ACCOUNT, names.known(ACCOUNT, account))


def put_webhook(connection: sqlite3.Connection, webhook: Webhook, names: Names) -> None:
    """Create or replace an endpoint; nothing happens if its id is another account's."""
    account = names.intern(connection, ACCOUNT, webhook.account)
    connection.execute(PUT, (webhook.id, account, pack(webhook)))


def delete_webhook(connection: sqlite3.Connection, webhook: int) -> None:
    """Forget an endpoint and its deliveries."""
    for statement in FORGET:
        connection.execute(statement, (webhook,))
