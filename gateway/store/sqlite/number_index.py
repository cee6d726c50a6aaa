"""The index of numbers, references and accounts, built behind the hot path.

In: messages above meta `indexed_to`. Out: sorted runs (see `schema`). Appending a sorted run costs
3 us a message; inserting numbers one by one, each into its own page, 16 us.

3 us are a tenth of the writer's work under full load, and most campaigns are over before anybody
asks for a number. So while traffic is heavy the index waits, unless somebody does ask.
"""

from __future__ import annotations

from typing import Final

from gateway.store.sqlite.memory import MICROS, Memory
from gateway.store.sqlite.writer import Transaction

RUN: Final = 4_096
"""Messages in a run: about 10 ms to write, and a tail a query walks in 2 ms. Ten million messages
are 2,400 runs, which a look-up seeks through in 5 ms."""

LONGEST_TAIL: Final = 300_000
"""Messages that may wait for their index. Who asks first walks them all: a search in 50 to 80 ms, a
refusal or a reply in 25 to 40 (refusals on the writer's thread, and a one-time code waits
behind)."""
BUSY: Final = 10_000
"""Messages accepted or leased in a second that make traffic heavy: 5,000 on their whole way, a
quarter of what the writer can do."""
ASKED_FOR: Final = 60 * MICROS
"""How long after a question the index is kept up whatever the traffic, us: where there is one
reply there are more."""

INDEXED_TO: Final = "SELECT coalesce((SELECT value FROM meta WHERE name = 'indexed_to'), 0)"
END: Final = """
SELECT min(id), max(id) FROM (SELECT id FROM messages WHERE id > ? ORDER BY id LIMIT ?)
"""
UNINDEXED: Final = f"SELECT count(*) FROM messages WHERE id > ({INDEXED_TO})"
STATEMENTS: Final = (
    "INSERT INTO runs (run, last) VALUES (?1, ?2)",
    """INSERT INTO by_number (run, number, id)
    SELECT ?1, number, id FROM messages WHERE id BETWEEN ?1 AND ?2 ORDER BY number, id""",
    """INSERT INTO by_ref (run, account, ref, id)
    SELECT ?1, account, client_ref, id FROM messages
    WHERE id BETWEEN ?1 AND ?2 AND client_ref IS NOT NULL ORDER BY account, client_ref, id""",
    """INSERT INTO by_account (account, id)
    SELECT account, id FROM messages WHERE id BETWEEN ?1 AND ?2 ORDER BY account, id""",
)
MARK: Final = "INSERT OR REPLACE INTO meta (name, value) VALUES ('indexed_to', ?)"


class Schedule:
    """When a run is written. Looks at the traffic once a second of the clock it is given."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._looked = 0
        self._busy = False
        self._asked_until = 0

    def step(self, transaction: Transaction, now: int) -> bool:
        """Write one run if it is time; True if it is for another."""
        memory = self._memory
        if memory.sought:
            memory.sought = False
            self._asked_until = now + ASKED_FOR
        if not 0 <= now - self._looked < MICROS:
            seconds = max(1.0, (now - self._looked) / MICROS)
            self._busy = memory.moved > BUSY * seconds
            self._looked = now
            memory.moved = 0
        if self._busy and now >= self._asked_until and memory.unindexed < LONGEST_TAIL:
            return False
        return index(transaction, memory)


def index(transaction: Transaction, memory: Memory) -> bool:
    """Write one run if there are enough messages for it; True if there are for another."""
    if memory.unindexed < RUN:
        return False
    connection = transaction.connection
    (after,) = connection.execute(INDEXED_TO).fetchone()
    first, last = connection.execute(END, (after, RUN)).fetchone()
    if first is None:
        memory.unindexed = 0
        return False
    for statement in STATEMENTS:
        connection.execute(statement, (first, last))
    connection.execute(MARK, (last,))

    def committed() -> None:
        memory.unindexed -= RUN

    transaction.after_commit(committed)
    return memory.unindexed >= 2 * RUN
