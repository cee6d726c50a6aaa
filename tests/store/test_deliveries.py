"""Deliveries: nothing lost, nothing doubled, the same octets at every try."""

from __future__ import annotations

import json

import pytest
from database import HOUR, NOW, SECOND, Database, next_deliveries
from test_webhooks import endpoint

from gateway.store.records import Delivered, DeliveryState
from gateway.store.sqlite.deliveries import (
    deliveries,
    due_deliveries,
    replay,
    settle_deliveries,
    take,
)
from gateway.store.sqlite.log_reading import prepare
from gateway.store.sqlite.webhooks import delete_webhook, put_webhook
from gateway.store.sqlite.writer import Transaction


@pytest.fixture
def db(tmp_path):
    database = Database(tmp_path / "store.db")
    yield database
    database.close()


def body(events: list[str]) -> bytes:
    return ("[" + ",".join(events) + "]").encode()


def test_status_events_of_several_chunks_go_together(db):
    put_webhook(db.writer, endpoint(), db.names)
    first, second = db.log(2), db.log(3)
    db.log(4, account="other")
    (delivery,) = next_deliveries(db.writer, {1: 4}, NOW, db.new_ids)
    assert (delivery.type, delivery.events) == ("message.status_batch", 5)
    assert delivery.body == body(first + second)
    assert (delivery.state, delivery.next_at, delivery.attempts) == (DeliveryState.PENDING, NOW, 0)
    assert next_deliveries(db.writer, {1: 4}, NOW, db.new_ids) == []


def test_a_delivery_never_holds_more_than_500(db):
    put_webhook(db.writer, endpoint(), db.names)
    for _ in range(3):
        db.log(300)
    cut = next_deliveries(db.writer, {1: 2}, NOW, db.new_ids)
    assert [one.events for one in cut] == [300, 300]
    assert [one.events for one in next_deliveries(db.writer, {1: 2}, NOW, db.new_ids)] == [300]


def test_one_event_each_for_an_endpoint_that_wants_it_so(db):
    put_webhook(db.writer, endpoint(batched=False), db.names)
    events = db.log(3) + db.log(2)
    got = []
    while cut := next_deliveries(db.writer, {1: 2}, NOW, db.new_ids):
        got += cut
    assert [(one.type, one.events) for one in got] == [("message.status", 1)] * 5
    assert [one.body for one in got] == [body([event]) for event in events]


def test_other_types_are_single_even_when_batched(db):
    put_webhook(db.writer, endpoint(), db.names)
    db.log(1)
    replies = db.log(2, "message.inbound")
    db.log(1)
    got = next_deliveries(db.writer, {1: 9}, NOW, db.new_ids)
    assert [(one.type, one.events) for one in got] == [
        ("message.status_batch", 1), ("message.inbound", 1), ("message.inbound", 1),
        ("message.status_batch", 1),
    ]  # fmt: skip
    assert [one.body for one in got[1:3]] == [body([reply]) for reply in replies]


def test_unwanted_types_are_passed_over_even_between_lists(db):
    put_webhook(db.writer, endpoint(types=["message.status"]), db.names)
    put_webhook(db.writer, endpoint(2, types=["message.inbound"]), db.names)
    before, reply, after = db.log(1), db.log(1, "message.inbound"), db.log(1)
    first, second = next_deliveries(db.writer, {1: 9, 2: 9}, NOW, db.new_ids)
    assert (first.webhook, first.body) == (1, body(before + after))
    assert (second.webhook, second.body) == (2, body(reply))
    assert [one.body for one in due_deliveries(db.reader, 1, NOW, 9)] == [first.body]


def test_disabled_and_unknown_endpoints_get_none(db):
    put_webhook(db.writer, endpoint(state="disabled"), db.names)
    db.log(1)
    assert next_deliveries(db.writer, {1: 1, 77: 1}, NOW, db.new_ids) == []
    put_webhook(db.writer, endpoint(), db.names)
    assert len(next_deliveries(db.writer, {1: 1}, NOW, db.new_ids)) == 1


@pytest.mark.parametrize("batched", [True, False])
def test_a_crash_neither_loses_nor_doubles(db, batched):
    """Every second call is lost before its commit; the connection with it."""
    put_webhook(db.writer, endpoint(batched=batched), db.names)
    events = [event for size in (3, 1, 2) for event in db.log(size)]
    for round_ in range(20):
        db.writer.execute("BEGIN IMMEDIATE")
        next_deliveries(db.writer, {1: 1}, NOW, db.new_ids)
        if round_ % 2:
            db.writer.execute("COMMIT")
        else:
            db.close()
            db.open()
    pending = due_deliveries(db.reader, 1, NOW, 100)
    assert [json.loads(event) for event in events] == [
        event for one in pending for event in json.loads(one.body)
    ]


def test_a_retry_has_the_same_id_and_octets_after_a_restart(db):
    put_webhook(db.writer, endpoint(batched=False), db.names)
    db.log(3)
    first = next_deliveries(db.writer, {1: 2}, NOW, db.new_ids)
    db.close()
    db.open()
    again = due_deliveries(db.reader, 1, NOW, 10)
    assert [(one.id, one.body) for one in again] == [(one.id, one.body) for one in first]


def test_tries_are_counted_and_wait_for_their_time(db):
    put_webhook(db.writer, endpoint(), db.names)
    db.log(1)
    (one,) = next_deliveries(db.writer, {1: 1}, NOW, db.new_ids)
    later = NOW + 5 * SECOND
    settle_deliveries(
        db.writer, [Delivered(one.id, DeliveryState.PENDING, NOW, later, 503, "busy")]
    )
    assert due_deliveries(db.reader, 1, later - 1, 10) == []
    (again,) = due_deliveries(db.reader, 1, later, 10)
    assert (again.attempts, again.last_status, again.last_error) == (1, 503, "busy")
    settle_deliveries(db.writer, [Delivered(one.id, DeliveryState.DELIVERED, later, 0, 204)])
    assert due_deliveries(db.reader, 1, NOW + HOUR, 10) == []
    (listed,) = deliveries(db.reader, 1, "delivered", 10)
    assert (listed.attempts, listed.last_status, listed.last_error) == (2, 204, "")


def test_what_was_taken_stays_taken(db):
    put_webhook(db.writer, endpoint(), db.names)
    db.log(1)
    (one,) = next_deliveries(db.writer, {1: 1}, NOW, db.new_ids)
    settle_deliveries(db.writer, [Delivered(one.id, DeliveryState.DELIVERED, NOW, 0, 200)])
    settle_deliveries(db.writer, [Delivered(one.id, DeliveryState.DEAD, NOW, 0, 0, "late")])
    assert [listed.state for listed in deliveries(db.reader, 1, None, 10)] == ["delivered"]


def test_the_oldest_due_come_first_and_no_more_than_asked(db):
    put_webhook(db.writer, endpoint(batched=False), db.names)
    db.log(4)
    cut = next_deliveries(db.writer, {1: 4}, NOW, db.new_ids)
    order = [2, 0, 3, 1]
    settle_deliveries(
        db.writer,
        [
            Delivered(cut[n].id, DeliveryState.PENDING, NOW, NOW + place, 500)
            for place, n in enumerate(order)
        ],
    )
    due = due_deliveries(db.reader, 1, NOW + 10, 3)
    assert [one.id for one in due] == [cut[n].id for n in order[:3]]


def test_listing_pages_newest_first(db):
    put_webhook(db.writer, endpoint(batched=False), db.names)
    db.log(5)
    cut = next_deliveries(db.writer, {1: 5}, NOW, db.new_ids)
    settle_deliveries(
        db.writer, [Delivered(one.id, DeliveryState.DEAD, NOW, 0, 500) for one in cut[::2]]
    )
    page = deliveries(db.reader, 1, None, 3)
    rest = deliveries(db.reader, 1, None, 3, page[-1].id)
    assert [one.id for one in page + rest] == [one.id for one in reversed(cut)]
    assert all(one.body == b"" for one in page)
    dead = deliveries(db.reader, 1, "dead", 2)
    dead += deliveries(db.reader, 1, "dead", 2, dead[-1].id)
    assert [one.id for one in dead] == [one.id for one in reversed(cut[::2])]


def test_dead_letters_are_replayed_by_id_or_since(db):
    put_webhook(db.writer, endpoint(batched=False), db.names)
    put_webhook(db.writer, endpoint(2), db.names)
    db.log(2)
    old = next_deliveries(db.writer, {1: 2}, NOW, db.new_ids)
    db.log(2)
    new = next_deliveries(db.writer, {1: 2}, NOW + HOUR, db.new_ids)
    settle_deliveries(
        db.writer, [Delivered(one.id, DeliveryState.DEAD, NOW, 0, 500) for one in old + new]
    )
    assert replay(db.writer, 2, NOW, ids=[old[0].id]) == 0  # not this endpoint's
    later = NOW + 2 * HOUR
    assert replay(db.writer, 1, later, ids=[old[0].id]) == 1
    assert replay(db.writer, 1, later, ids=[old[0].id]) == 0  # pending already
    assert replay(db.writer, 1, later, since=NOW + HOUR) == 2
    due = due_deliveries(db.reader, 1, later, 10)
    assert [one.id for one in due] == [old[0].id, new[0].id, new[1].id]
    assert {one.attempts for one in due} == {0}
    assert due[0].body == old[0].body


def test_a_delivered_one_can_be_sent_again_by_id(db):
    put_webhook(db.writer, endpoint(), db.names)
    db.log(2)
    (one,) = next_deliveries(db.writer, {1: 1}, NOW, db.new_ids)
    settle_deliveries(db.writer, [Delivered(one.id, DeliveryState.DELIVERED, NOW, 0, 200)])
    assert replay(db.writer, 1, NOW, since=0) == 0
    assert replay(db.writer, 1, NOW, ids=[one.id]) == 1
    assert [again.body for again in due_deliveries(db.reader, 1, NOW, 5)] == [one.body]


def test_a_cursor_that_moved_meanwhile_gives_nothing_twice(db):
    put_webhook(db.writer, endpoint(), db.names)
    put_webhook(db.writer, endpoint(2), db.names)
    db.log(2)
    prepared = prepare(db.reader, {1: 1, 2: 1, 3: 1})
    assert len(next_deliveries(db.writer, {1: 1}, NOW, db.new_ids)) == 1
    taken, moved = take(Transaction(db.writer), prepared, NOW, db.new_ids)
    assert ([one.webhook for one in taken], moved) == ([2], [1])
    delete_webhook(db.writer, 2)
    assert take(Transaction(db.writer), prepared, NOW, db.new_ids) == ([], [1])
    assert len(deliveries(db.reader, 1, None, 9)) == 1
