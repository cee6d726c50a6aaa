"""Search: the same page as a plain walk over everything, whatever is indexed."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from database import HOUR, NOW, Database

from gateway.model import Status
from gateway.store.records import MessageFilter, MessageView
from gateway.store.sqlite import search
from gateway.store.sqlite.search import BatchWalk, Search


@pytest.fixture
def db(tmp_path):
    database = Database(tmp_path / "store.db")
    yield database
    database.close()


def page(db: Database, walk: Search | BatchWalk) -> list[MessageView]:
    for _ in range(1000):
        if (found := walk.step(db.reader)) is not None:
            return found
    raise AssertionError("the walk does not end")


def find(db: Database, limit: int = 100, cursor: int | None = None, **where) -> list[int]:
    where.setdefault("account", "shop")
    return [view.id for view in page(db, Search(MessageFilter(**where), limit, cursor, db.names))]


def everything(db: Database) -> dict[int, MessageView]:
    """Two accounts, two batches among single messages, 480 messages over 40 hours."""
    chance = random.Random(7)
    content = {name: db.content(name) for name in ("shop", "other")}
    batches = {n: db.content("shop", n) for n in (11, 12)}
    db.writer.execute("BEGIN")
    for hour in range(40):
        for _ in range(4):
            batch = chance.choice([None, None, 11, 12])
            account = "shop" if batch else chance.choice(["shop", "other"])
            db.messages(
                3,
                account=account,
                at=NOW + hour * HOUR,
                content=batches[batch] if batch else content[account],
                batch=batch,
                number=chance.choice([1, 2, 3]),
                status=chance.choices([Status.SENT, Status.FAILED], [9, 1])[0],
                client_ref=chance.choice([None, "a", "b"]),
            )
    db.writer.execute("COMMIT")
    rows = db.writer.execute("SELECT id FROM messages ORDER BY id DESC").fetchall()
    from gateway.store.sqlite.queries import views

    return {view.id: view for view in views(db.writer, [row[0] for row in rows], db.names)}


FILTERS: list[tuple[dict, Callable[[MessageView], bool]]] = [
    ({}, lambda _: True),
    ({"number": 2}, lambda m: m.number == 2),
    ({"client_ref": "a"}, lambda m: m.client_ref == "a"),
    ({"batch": 11}, lambda m: m.batch == 11),
    ({"statuses": [Status.FAILED]}, lambda m: m.status == Status.FAILED),
    ({"statuses": [Status.FAILED, Status.SENT]}, lambda _: True),
    ({"statuses": []}, lambda _: False),
    ({"statuses": [Status.QUEUED]}, lambda _: False),
    ({"number": 9}, lambda _: False),
    ({"client_ref": ""}, lambda _: False),
    ({"batch": 13}, lambda _: False),
    (
        {"number": 1, "client_ref": "b", "batch": 12},
        lambda m: (m.number, m.client_ref, m.batch) == (1, "b", 12),
    ),
    (
        {"number": 3, "statuses": [Status.FAILED]},
        lambda m: m.number == 3 and m.status == Status.FAILED,
    ),
    (
        {"from_time": NOW + 10 * HOUR, "to_time": NOW + 20 * HOUR},
        lambda m: NOW + 10 * HOUR <= m.created < NOW + 20 * HOUR,
    ),
    (
        {"from_time": NOW + 10 * HOUR, "to_time": NOW + 20 * HOUR, "batch": 12},
        lambda m: m.batch == 12 and NOW + 10 * HOUR <= m.created < NOW + 20 * HOUR,
    ),
    (
        {"from_time": NOW + 5 * HOUR, "number": 1},
        lambda m: m.number == 1 and m.created >= NOW + 5 * HOUR,
    ),
]


@pytest.mark.parametrize("indexed", [0.0, 0.5, 1.0])
def test_every_page_is_what_a_plain_walk_finds(db, monkeypatch, indexed):
    monkeypatch.setattr(search, "FIRST_STEP", 7)
    monkeypatch.setattr(search, "LONGEST_STEP", 40)
    stored = everything(db)
    if indexed:
        ids = sorted(stored)
        db.index(ids[len(ids) // 4])  # two runs
        db.index(ids[round((len(ids) - 1) * indexed)])
    for account in ("shop", "other", "nobody"):
        for where, matches in FILTERS:
            expected = [m.id for m in stored.values() if m.account == account and matches(m)]
            found: list[int] = []
            while chunk := find(db, 9, found[-1] if found else None, account=account, **where):
                assert len(chunk) == 9 or len(found) + len(chunk) == len(expected)
                found += chunk
            assert found == expected, (account, where)


def test_a_page_may_end_at_the_edge_of_the_index(db):
    ids = db.messages(6)
    db.index(ids[2])
    pages = {cursor: find(db, cursor=cursor, number=79161234567) for cursor in ids}
    assert pages == {cursor: ids[:place][::-1] for place, cursor in enumerate(ids)}


def test_a_view_is_whole(db):
    (identifier,) = db.messages(1, carrier=db.carrier(), client_ref="x")
    db.sent(identifier, "op-id")
    (view,) = page(db, Search(MessageFilter("shop", client_ref="x"), 5, None, db.names))
    assert (view.id, view.text, view.part_list[0].operator_id) == (identifier, "Hello", "op-id")


def test_no_step_walks_more_than_its_share(db):
    """A page of rare matches takes many steps, none of them long."""
    db.writer.execute("BEGIN")
    content = db.content()
    rare = db.messages(1, content=content, status=Status.FAILED)
    db.messages(120_000, content=content)
    db.writer.execute("COMMIT")
    walk = Search(MessageFilter("shop", statuses=[Status.FAILED]), 50, None, db.names)
    steps, found = 1, walk.step(db.reader)
    while found is None:
        steps, found = steps + 1, walk.step(db.reader)
    assert [view.id for view in found] == rare
    assert 120_000 / search.LONGEST_STEP < steps < 10


def test_a_batch_is_walked_in_order_of_acceptance(db, monkeypatch):
    monkeypatch.setattr(search, "FIRST_STEP", 1)
    stored = everything(db)
    for statuses in (None, [Status.FAILED], [Status.SENT, Status.FAILED], [Status.QUEUED]):
        expected = sorted(
            m.id for m in stored.values()
            if m.batch == 11 and (statuses is None or m.status in statuses)
        )  # fmt: skip
        found: list[int] = []
        while chunk := page(db, BatchWalk(11, statuses, 2, found[-1] if found else None, db.names)):
            found += [view.id for view in chunk]
        assert found == expected
    assert page(db, BatchWalk(99, None, 5, None, db.names)) == []
