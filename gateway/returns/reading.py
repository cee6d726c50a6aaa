"""What a receipt says: its ids, and the news for its message.

In: the short_message and TLVs of a receipt. Out: the ids it may be known by and one `News`, the
same object for all receipts that say the same. Knows no carrier and no store.

Receipts in the usual form (protocol.receipt.brief) come down to a handful of stat, err and TLVs,
so what these mean is worked out once and remembered: 1 µs a receipt; any other is read field by
field, 4 µs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from gateway.returns.meaning import meaning
from gateway.store.messages import News
from protocol.receipt import (
    MESSAGE_PAYLOAD,
    OUTCOMES,
    RECEIPTED_MESSAGE_ID,
    Receipt,
    Tlvs,
    brief,
    parse,
)

REMEMBERED: Final = 256
"""Meanings kept: the states and error codes of a few operators. Were each as long as a PDU allows,
it would be 16 MiB."""

Reading = tuple[tuple[str, ...], News]
"""Ids, the likeliest first; what is said of them."""


def read(short_message: bytes, tlvs: Tlvs) -> Reading | None:
    """Read a receipt; None if it tells no id or no outcome. Never raises."""
    usual = brief(short_message, tlvs)
    if usual is not None:
        identifier, stat, err, others = usual
        news = _usual(stat, err, others)
        if news is not None:
            return (str(identifier, "latin-1"),), news
    receipt = parse(short_message, tlvs)
    if receipt is None or not receipt.ids:
        return None
    news = _news(receipt)
    return None if news is None else (receipt.ids, news)


@lru_cache(maxsize=REMEMBERED)
def _usual(stat: bytes, err: bytes, tlvs: Tlvs) -> News | None:
    """The news of a receipt in the usual form; None if there is none, or if `tlvs` may say more
    about the id."""
    if any(tag in (RECEIPTED_MESSAGE_ID, MESSAGE_PAYLOAD) for tag, _ in tlvs):
        return None
    receipt = parse(b"id:0 stat:%b err:%b" % (stat, err) if stat else b"", tlvs)
    return None if receipt is None else _news(receipt)


def _news(receipt: Receipt) -> News | None:
    outcome = receipt.outcome
    told = meaning(receipt)
    if outcome is None or told is None:
        return None
    status, reason = told
    return _same(int(status), reason, receipt.error_code, OUTCOMES[outcome][1][0])


@lru_cache(maxsize=REMEMBERED)
def _same(status: int, reason: str | None, carrier_code: str | None, state: str) -> News:
    return News(status, reason, carrier_code, state)
