"""What is posted: the events of a delivery in the envelope customers know.

In: deliveries as the store cut them. Out: octets, the same at every try of a delivery. Knows no
endpoint and no clock: the envelope's time is when the delivery was cut.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from gateway import ids
from gateway.store.records import Delivery

STATUS: Final = "message.status"
STATUS_BATCH: Final = "message.status_batch"
"""The one type whose `data` is a list."""

TEST: Final = "webhook.test"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def delivery_id(identifier: int) -> str:
    """`webhook-id`, and the id of the delivery in the API."""
    return ids.encode("dlv", identifier)


def event_type(delivery: Delivery) -> str:
    """The type of the events inside, however many travel together."""
    return STATUS if delivery.type == STATUS_BATCH else delivery.type


def envelope(delivery: Delivery) -> bytes:
    """`{"type", "timestamp", "data"}`: `data` is a list for a batch, else the one event.

    The events are JSON already and are joined as octets, never parsed: a parser between the log
    and the wire would cost 2 us an event and could spell one differently at the next try.
    """
    events = delivery.body if delivery.type == STATUS_BATCH else delivery.body[1:-1]
    return b"".join((_head(delivery.type, delivery.created), events, b"}"))


def test_envelope(webhook: int, now: int) -> bytes:
    """The body of a `webhook.test`; `now` is UTC in µs."""
    data = msgspec.json.encode({"webhook": ids.encode("whk", webhook)})
    return b"".join((_head(TEST, now), data, b"}"))


def _head(type: str, at: int) -> bytes:
    # Adding to the epoch is exact to the microsecond; a float of seconds is not.
    stamp = (_EPOCH + timedelta(microseconds=at)).isoformat(timespec="microseconds")
    return b'{"type":"%s","timestamp":"%sZ","data":' % (type.encode(), stamp[:-6].encode())
