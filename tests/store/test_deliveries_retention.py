"""Pruning of the log: what endpoints lose by it is counted and said."""

from __future__ import annotations

import pytest
from database import HOUR, NOW, Database, next_deliveries
from test_webhooks import endpoint

from gateway.store.records import RECEIPT, Delivered, DeliveryState
from gateway.store.sqlite.deliveries import (
    deliveries,
    due_deliveries,
    replay,
    settle_deliveries,
)
from gateway.store.sqlite.log_retention import GONE, STEP_CHUNKS, STEP_EVENTS, prune
from gateway.store.sqlite.webhooks import put_webhook

OLD, LATER = NOW, NOW + HOUR


@pytest.fixture
def db(tmp_path):
    database = Database(tmp_path / "store.db")
    yield database
    database.close()


def positions(db: Database) -> list[int]:
    return [row[0] for row in db.writer.execute("SELECT position FROM events ORDER BY 1")]


def test_old_chunks_go_the_newest_stays(db):
    db.log(1, at=OLD)
    db.log(1, at=OLD)
    pruned = prune(db.writer, LATER, LATER, db.names)
    assert (pruned.lost, pruned.more) == ({}, False)
    assert positions(db) == [2]
    db.log(1, at=LATER)
    prune(db.writer, LATER, LATER, db.names)
    assert positions(db) == [3]  # never 1 again: a cursor at 2 would have passed it over


@pytest.mark.parametrize(("chunks", "events"), [(STEP_CHUNKS + 2, 1), (22, 500)])
def test_many_chunks_take_several_steps(db, chunks, events):
    db.writer.execute("BEGIN")
    for _ in range(chunks):
        db.log(events, at=OLD)
    db.writer.execute("COMMIT")
    steps = [prune(db.writer, LATER, LATER, db.names).more]
    left = len(positions(db))
    assert 0 < chunks - left < chunks and (chunks - left) * events <= STEP_EVENTS + 500
    while steps[-1]:
        steps.append(prune(db.writer, LATER, LATER, db.names).more)
    assert len(steps) > 1
    assert len(positions(db)) == 1


def test_a_clock_set_back_takes_nothing_young_with_it(db):
    db.log(1, at=OLD)
    db.log(1, at=LATER)
    db.log(1, at=OLD)
    db.log(1, at=LATER)
    prune(db.writer, LATER, LATER, db.names)
    assert positions(db) == [2, 3, 4]


def test_what_an_endpoint_was_not_given_is_counted(db):
    put_webhook(db.writer, endpoint(1, batched=False), db.names)
    put_webhook(db.writer, endpoint(2, types=["message.inbound"]), db.names)
    put_webhook(db.writer, endpoint(3, state="disabled"), db.names)
    put_webhook(db.writer, endpoint(4, "other"), db.names)
    db.log(5, at=OLD)
    db.log(2, "message.inbound", at=OLD)
    db.log(3, account="other", at=OLD)
    db.log(1, at=LATER)
    (given,) = next_deliveries(db.writer, {1: 1}, OLD, db.new_ids)
    settle_deliveries(db.writer, [Delivered(given.id, DeliveryState.DELIVERED, OLD, 0, 200)])
    # shop: 4 + 2 for the first endpoint, 2 for the second; the disabled one waits for nothing
    pruned = prune(db.writer, LATER, LATER, db.names)
    assert pruned.lost == {"shop": 8, "other": 3}
    assert prune(db.writer, LATER, LATER, db.names).lost == {}  # counted once
    rest = next_deliveries(db.writer, {1: 9, 2: 9, 4: 9}, LATER, db.new_ids)
    assert [(one.webhook, one.events) for one in rest] == [(1, 1)]


def test_news_for_smpp_receivers_are_no_endpoints_loss(db):
    put_webhook(db.writer, endpoint(1), db.names)
    put_webhook(db.writer, endpoint(2, types=["message.status"]), db.names)
    db.log(5, RECEIPT, at=OLD)
    db.log(1, at=LATER)
    pruned = prune(db.writer, LATER, LATER, db.names)
    assert (pruned.lost, pruned.untaken) == ({}, {})  # and there is no receiver either


def test_what_an_endpoint_was_given_is_not_lost(db):
    put_webhook(db.writer, endpoint(batched=False), db.names)
    db.log(2, at=OLD)
    db.log(3, at=OLD)
    db.log(1, at=LATER)
    given = next_deliveries(db.writer, {1: 3}, OLD, db.new_ids)  # one chunk and a third
    settle_deliveries(
        db.writer, [Delivered(one.id, DeliveryState.DELIVERED, OLD, 0, 200) for one in given]
    )
    assert prune(db.writer, LATER, LATER, db.names).lost == {"shop": 2}


def test_pending_deliveries_without_events_die_and_say_why(db):
    put_webhook(db.writer, endpoint(), db.names)
    db.log(7, at=OLD)
    (dead,) = next_deliveries(db.writer, {1: 1}, OLD, db.new_ids)
    db.log(1, at=LATER)
    (alive,) = next_deliveries(db.writer, {1: 1}, LATER, db.new_ids)
    assert prune(db.writer, LATER, LATER, db.names).lost == {"shop": 7}
    assert [one.id for one in due_deliveries(db.reader, 1, LATER, 9)] == [alive.id]
    (listed,) = deliveries(db.reader, 1, "dead", 9)
    assert (listed.id, listed.last_error) == (dead.id, GONE)
    assert replay(db.writer, 1, LATER, ids=[dead.id]) == 0
    assert replay(db.writer, 1, LATER, since=0) == 0


def test_finished_deliveries_are_forgotten_with_the_log(db):
    put_webhook(db.writer, endpoint(batched=False), db.names)
    db.log(3, at=OLD)
    taken, dead, late = next_deliveries(db.writer, {1: 3}, OLD, db.new_ids)
    settle_deliveries(
        db.writer,
        [
            Delivered(taken.id, DeliveryState.DELIVERED, OLD, 0, 200),
            Delivered(dead.id, DeliveryState.DEAD, OLD, 0, 500),
            Delivered(late.id, DeliveryState.DEAD, LATER, 0, 500),
        ],
    )
    prune(db.writer, LATER, LATER, db.names)
    assert [one.id for one in deliveries(db.reader, 1, None, 9)] == [late.id]
