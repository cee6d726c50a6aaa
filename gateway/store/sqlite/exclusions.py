"""Events of recipients that were left out.

In: the excluded recipients of one list of a batch. Out, in the transaction under way: an event for
each. A single message that is refused is no event: its caller has the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from gateway.errors import REASONS
from gateway.ids import encode
from gateway.store.messages import Ineligible
from gateway.store.sqlite.memory import Memory
from gateway.store.sqlite.packed import pack
from gateway.store.sqlite.status_events import stamp
from gateway.store.sqlite.writer import Transaction

TYPE: Final = "message.excluded"
"""Its object: account, batch, index (0-based among all recipients of the batch), to (as given), at,
reason {code permanent text}, client_ref if there is one."""


def tell_excluded(
    transaction: Transaction,
    memory: Memory,
    account: str,
    batch: int,
    excluded: Sequence[Ineligible],
    at: int,
) -> None:
    """Write the events of one list."""
    name, when = encode("bat", batch), stamp(at)
    events = []
    for one in excluded:
        reason = REASONS[one.code]
        event: dict[str, Any] = {
            "account": account,
            "batch": name,
            "index": one.position,
            "to": one.to,
            "at": when,
            "reason": {"code": one.code, "permanent": reason.permanent, "text": one.detail},
        }
        if one.client_ref is not None:
            event["client_ref"] = one.client_ref
        events.append(pack(event))
    memory.events.add(transaction.connection, account, TYPE, events, at)
