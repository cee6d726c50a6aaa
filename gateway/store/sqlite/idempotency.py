"""Answers kept for idempotency keys.

In: who asked, what for, with which key. Out: what was answered the first time. The answer itself is
written where the messages are accepted, in the same transaction.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from gateway.store.messages import StoredAnswer
from gateway.store.sqlite.names import ACCOUNT, Names

KEPT: Final = 24 * 3600 * 1_000_000
"""How long an answer is kept, in µs: what Stripe and the payment world promise, and longer than
any client repeats a request."""

ANSWERED: Final = """
SELECT fingerprint, status, body FROM idempotency
WHERE account = ? AND scope = ? AND key = ? AND created > ?
"""
PRUNE: Final = """
DELETE FROM idempotency WHERE rowid IN (
    SELECT rowid FROM idempotency WHERE created <= ? ORDER BY created LIMIT ?
)
"""


def answered(
    connection: sqlite3.Connection, account: str, scope: str, key: str, now: int, names: Names
) -> StoredAnswer | None:
    """The answer kept for a key, if it was used in the last 24 h."""
    owner = names.known(ACCOUNT, account)
    row = connection.execute(ANSWERED, (owner, scope, key, now - KEPT)).fetchone()
    return StoredAnswer(*row) if row else None


def prune(connection: sqlite3.Connection, now: int, limit: int = 500) -> bool:
    """Forget at most `limit` answers that are no longer kept; True if more may be."""
    return connection.execute(PRUNE, (now - KEPT, limit)).rowcount == limit
