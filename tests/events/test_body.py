"""Envelopes: JSON as customers read it, the same octets whenever they are made."""

from __future__ import annotations

import json

from gateway.events.body import delivery_id, envelope, event_type, test_envelope
from gateway.store.records import Delivery, DeliveryState

test_envelope.__test__ = False  # type: ignore[attr-defined]
CREATED = 1_800_000_000_000_001


def delivery(type: str, events: list[str]) -> Delivery:
    body = ("[" + ",".join(events) + "]").encode()
    return Delivery(7, 1, type, len(events), 0, 0, DeliveryState.PENDING, CREATED, body=body)


def test_a_batch():
    events = ['{"a":"],[ é"}', '{"a":2}']
    octets = envelope(delivery("message.status_batch", events))
    assert json.loads(octets) == {
        "type": "message.status_batch",
        "timestamp": "2027-01-15T08:00:00.000001Z",
        "data": [{"a": "],[ é"}, {"a": 2}],
    }
    assert b",".join(event.encode() for event in events) in octets  # joined, not respelt


def test_a_batch_of_one_is_a_list_still():
    assert json.loads(envelope(delivery("message.status_batch", ['{"a":1}'])))["data"] == [{"a": 1}]


def test_a_single_event():
    told = json.loads(envelope(delivery("message.status", ['{"a":[1]}'])))
    assert (told["type"], told["data"]) == ("message.status", {"a": [1]})


def test_a_retry_has_the_same_octets():
    first, again = (delivery("message.inbound", ['{"a":1}']) for _ in range(2))
    again.attempts, again.next_at = 5, CREATED * 2
    assert envelope(first) == envelope(again)


def test_the_test_event():
    assert json.loads(test_envelope(1, CREATED)) == {
        "type": "webhook.test",
        "timestamp": "2027-01-15T08:00:00.000001Z",
        "data": {"webhook": "whk_0000000000001"},
    }


def test_names():
    assert delivery_id(1) == "dlv_0000000000001"
    assert event_type(delivery("message.status_batch", ["{}"])) == "message.status"
    assert event_type(delivery("optout.created", ["{}"])) == "optout.created"
