"""Refusals that outlive the number they were made for.

In: a number whose subject wants to be forgotten. Out: its refusals as keyed hashes, which stop
messages as before. See `OptOutMemory.digest` for what a hash hides.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from gateway.log import masked
from gateway.model import mask_number
from gateway.store.sqlite.memory import Memory
from gateway.store.sqlite.names import ACCOUNT
from gateway.store.sqlite.packed import unpack
from gateway.store.sqlite.values import Values
from gateway.store.sqlite.writer import Transaction

ROWS: Final = """
SELECT json_group_array(json_array(sender, category, at, source, proof)) FROM opt_outs
WHERE account = ? AND number = ? AND removed IS NULL
"""
DROP: Final = "DELETE FROM opt_outs WHERE account = ? AND number = ?"
KEEP: Final = Values(
    """
INSERT OR IGNORE INTO opt_out_hashes
    (account, digest, mark, sender, category, at, source, proof, position)
SELECT ?, ?, ?, column1, column2, column3, column4, column5, column6 FROM """,
    6,
    " WHERE column1 IS NOT NULL",
)
_BETWEEN: Final = r"[\s().\-/\u2010-\u2013]{0,3}"
"""What may stand between two digits of a number."""
SAME: Final = 7
"""Last digits that tell a number, whatever is before them at home."""
_rows: Final = msgspec.json.Decoder(list[tuple[str, str, int, str, str | None]])


def erase_opt_outs(transaction: Transaction, memory: Memory, account: str, number: int) -> int:
    """Put a keyed hash in the place of the number; returns how many refusals are kept.

    What was taken back before is forgotten. Refusals of account `*` are another's ledger and stay.
    """
    connection = transaction.connection
    owner = memory.names.known(ACCOUNT, account)
    if owner is None:
        return 0
    ledger = memory.opt_outs
    rows = unpack(connection, _rows, ROWS, owner, number)
    connection.execute(DROP, (owner, number))
    if not rows:
        return 0
    flat: list[Any] = []
    for position, (sender, category, at, source, proof) in enumerate(
        rows, start=ledger.take_positions(len(rows))
    ):
        # Whoever recorded it may have written the number into its proof.
        flat += (sender, category, at, source, proof and _without(proof, number), position)
    # First the mark and the set, then the row: whoever can see the row finds it.
    new = owner not in ledger.erased
    mark = ledger.marks.mark(owner, number)
    ledger.marks.add_marks(owner, [mark])
    ledger.erased.add(owner)
    if new:
        transaction.on_rollback(lambda: ledger.erased.discard(owner))
    KEEP.run(connection, flat, before=(owner, ledger.digest(owner, number), mark))
    transaction.after_commit(lambda: ledger.stands(-len(rows)))
    return len(rows)


def _without(proof: str, number: int) -> str:
    """A proof (JSON of texts) with the number masked however it is spelt, and what else looks like
    one."""
    end = _BETWEEN.join(str(number)[-SAME:])
    pattern = rf"\+?(?:\d{_BETWEEN}){{0,8}}{end}(?!\d)"
    return masked(re.sub(pattern, mask_number(number), proof))
