"""The registry of endpoints and their places in the log."""

from __future__ import annotations

import pytest
from database import NOW, Database, next_deliveries

from gateway.store.records import Webhook
from gateway.store.sqlite.deliveries import deliveries
from gateway.store.sqlite.webhooks import delete_webhook, put_webhook, webhooks


@pytest.fixture
def db(tmp_path):
    database = Database(tmp_path / "store.db")
    yield database
    database.close()


def endpoint(identifier: int = 1, account: str = "shop", **more) -> Webhook:
    return Webhook(
        id=identifier,
        account=account,
        url=f"https://{account}.example/{identifier}",
        types=more.pop("types", []),
        batched=more.pop("batched", True),
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        created=NOW,
        **more,
    )


def test_what_was_put_is_what_is_read(db):
    hook = endpoint(types=["message.status"], old_secret="whsec_x", old_secret_until=5,
                    state="disabled", description="Ünïcode", from_config=True)  # fmt: skip
    put_webhook(db.writer, hook, db.names)
    put_webhook(db.writer, endpoint(2, "other"), db.names)
    assert webhooks(db.reader, "shop", db.names) == [hook]
    assert [one.id for one in webhooks(db.reader, None, db.names)] == [1, 2]
    assert webhooks(db.reader, "nobody", db.names) == []


def test_a_new_endpoint_starts_at_the_end_of_the_log(db):
    db.log(3)
    put_webhook(db.writer, endpoint(), db.names)
    assert next_deliveries(db.writer, {1: 5}, NOW, db.new_ids) == []
    db.log(2)
    assert [one.events for one in next_deliveries(db.writer, {1: 5}, NOW, db.new_ids)] == [2]


def test_a_replaced_endpoint_keeps_its_place(db):
    put_webhook(db.writer, endpoint(), db.names)
    db.log(3)
    put_webhook(db.writer, endpoint(description="new"), db.names)
    assert [one.events for one in next_deliveries(db.writer, {1: 5}, NOW, db.new_ids)] == [3]


def test_an_endpoint_never_changes_hands(db):
    put_webhook(db.writer, endpoint(), db.names)
    put_webhook(db.writer, endpoint(account="other"), db.names)
    assert [one.account for one in webhooks(db.reader, None, db.names)] == ["shop"]


def test_deleting_forgets_the_deliveries_too(db):
    put_webhook(db.writer, endpoint(), db.names)
    put_webhook(db.writer, endpoint(2), db.names)
    db.log(3)
    next_deliveries(db.writer, {1: 1, 2: 1}, NOW, db.new_ids)
    delete_webhook(db.writer, 1)
    assert [one.id for one in webhooks(db.reader, None, db.names)] == [2]
    assert deliveries(db.reader, 1, None, 10) == []
    assert len(deliveries(db.reader, 2, None, 10)) == 1
