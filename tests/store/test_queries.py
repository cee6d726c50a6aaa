"""Messages and batches as their owners see them."""

from __future__ import annotations

import json

import pytest
from database import HOUR, NOW, Database

from gateway.errors import REASONS
from gateway.model import BatchState, Status
from gateway.store.messages import Ineligible
from gateway.store.records import PartView
from gateway.store.sqlite.queries import batch, batches, ineligible, messages


@pytest.fixture
def db(tmp_path):
    database = Database(tmp_path / "store.db")
    yield database
    database.close()


def make_batch(db: Database, account: str = "shop", state: str = "running") -> int:
    (identifier,) = db.new_ids(1, NOW)
    content = db.content(account, identifier, text="Sale", metadata={"campaign": "x"})
    db.writer.execute(
        "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, 12, 10, 2, NULL)",
        (identifier, db.account(account), content, state, NOW, NOW + 1, '{"send_at": 5}'),
    )
    return identifier


def test_a_message_as_it_stands(db):
    content = db.content(text="Hi {{n}}", templated=True, metadata={"order": "7"})
    reason = REASONS["absent_subscriber"].number
    (identifier,) = db.messages(
        1, content=content, status=Status.UNDELIVERED, carrier=db.carrier("op2"), reason=reason,
        carrier_code="027", client_ref="ord-7", vars='{"n": "é\\"1"}', attempts=1, sequence=3,
        deadline=None, updated=NOW + 5,
    )  # fmt: skip
    db.sent(identifier, "op-id", carrier="op2")
    (view,) = messages(db.reader, "shop", [identifier], db.names)
    assert view is not None
    assert (view.account, view.sender, view.text, view.category) == (
        "shop", "ACME", "Hi {{n}}", "service",
    )  # fmt: skip
    assert (view.number, view.batch, view.client_ref) == (79161234567, None, "ord-7")
    assert json.loads(view.vars or "") == {"n": 'é"1'}
    assert (view.status, view.sequence, view.attempts) == (Status.UNDELIVERED, 3, 1)
    assert (view.carrier, view.reason, view.carrier_code) == ("op2", "absent_subscriber", "027")
    assert (view.due, view.deadline, view.created, view.updated) == (None, None, NOW, NOW + 5)
    assert view.metadata == {"order": "7"}
    assert view.part_list == [PartView(1, "op2", "op-id", Status.UNDELIVERED, "027")]


def test_each_part_has_its_own_status(db):
    (identifier,) = db.messages(1, parts=2, carrier=db.carrier())
    db.sent(identifier, "a", "b")
    db.writer.execute(
        "UPDATE parts SET status = ?, carrier_code = '000' WHERE part = 2", (Status.DELIVERED,)
    )
    (view,) = messages(db.reader, None, [identifier], db.names)
    assert view is not None
    assert view.part_list == [
        PartView(1, "op1", "a", Status.SENT), PartView(2, "op1", "b", Status.DELIVERED, "000"),
    ]  # fmt: skip


def test_of_two_attempts_the_last_is_shown(db):
    (identifier,) = db.messages(1, carrier=db.carrier("op2"))
    db.sent(identifier, "first")
    db.sent(identifier, "second", carrier="op2")
    (view,) = messages(db.reader, None, [identifier], db.names)
    assert view is not None
    assert [(part.carrier, part.operator_id) for part in view.part_list] == [("op2", "second")]


def test_a_leased_message_is_due_at_no_time(db):
    (identifier,) = db.messages(1, status=Status.SENDING, due=-NOW)
    (view,) = messages(db.reader, None, [identifier], db.names)
    assert view is not None and view.due is None


def test_others_messages_are_nobodys(db):
    mine, theirs = db.messages(2), db.messages(1, account="other")
    asked = [theirs[0], mine[1], 12345, mine[0], mine[1]]
    found = messages(db.reader, "shop", asked, db.names)
    assert [view and view.id for view in found] == [None, mine[1], None, mine[0], mine[1]]
    assert messages(db.reader, "nobody", mine, db.names) == [None, None]
    everyone = messages(db.reader, None, asked[:2], db.names)
    assert [view and view.account for view in everyone] == ["other", "shop"]


def test_a_batch_with_its_counts(db):
    identifier = make_batch(db)
    db.messages(3, batch=identifier)
    db.messages(2, batch=identifier, status=Status.DELIVERED)
    db.writer.execute("INSERT INTO batch_counts VALUES (?, ?, 0)", (identifier, Status.QUEUED))
    view = batch(db.reader, "shop", identifier, db.names)
    assert view is not None
    assert view.counts == {Status.SENT: 3, Status.DELIVERED: 2}
    assert (view.state, view.account) == (BatchState.RUNNING, "shop")
    assert (view.content.text, view.content.metadata) == ("Sale", {"campaign": "x"})
    assert view.options == {"send_at": 5}
    assert (view.recipients, view.accepted, view.ineligible) == (12, 10, 2)
    assert (view.created, view.updated) == (NOW, NOW + 1)
    assert batch(db.reader, "other", identifier, db.names) is None


def test_an_empty_batch_has_no_counts(db):
    view = batch(db.reader, "shop", make_batch(db), db.names)
    assert view is not None and view.counts == {}


def test_batches_page_newest_first(db):
    made = [make_batch(db) for _ in range(5)]
    make_batch(db, "other")
    page = batches(db.reader, "shop", 3, None, db.names)
    rest = batches(db.reader, "shop", 3, page[-1].id, db.names)
    assert [one.id for one in page + rest] == made[::-1]


def test_ineligible_recipients_page_in_order(db):
    identifier = make_batch(db)
    rows = [
        Ineligible(n, f"+7{n}", "not_mobile", "a landline", None if n else "r") for n in range(5)
    ]
    db.writer.executemany(
        "INSERT INTO ineligible (batch, position, number, code, detail, client_ref)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [(identifier, one.position, one.to, one.code, one.detail, one.client_ref) for one in rows],
    )
    page = ineligible(db.reader, identifier, 2)
    assert page == rows[:2]
    assert ineligible(db.reader, identifier, 9, page[-1].position) == rows[2:]


def test_queries_read_while_a_write_is_under_way(db):
    (identifier,) = db.messages(1)
    db.writer.execute("BEGIN IMMEDIATE")
    db.writer.execute("UPDATE messages SET status = ?", (Status.DELIVERED,))
    (view,) = messages(db.reader, "shop", [identifier], db.names)
    assert view is not None and view.status == Status.SENT
    db.writer.execute("COMMIT")
    (view,) = messages(db.reader, "shop", [identifier], db.names)
    assert view is not None and view.status == Status.DELIVERED


def test_messages_of_many_submissions_share_their_contents(db):
    first = db.messages(3, content=db.content(text="one"), at=NOW + HOUR)
    second = db.messages(2, content=db.content(text="two"), at=NOW + HOUR)
    found = messages(db.reader, "shop", first + second, db.names)
    assert [view and view.text for view in found] == ["one"] * 3 + ["two"] * 2
