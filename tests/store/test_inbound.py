"""Replies: durable until whole, told of once, linked to what they answer."""

from __future__ import annotations

import json

import pytest
from database import HOUR, NOW, SECOND, Database
from test_inbound_joining import part

from gateway.ids import encode
from gateway.model import Status
from gateway.store.messages import InboundMessage, InboundPart
from gateway.store.sqlite import inbound as module
from gateway.store.sqlite.inbound import expire, inbound, inbound_messages, prune
from gateway.store.sqlite.joining import JOIN_WITHIN
from gateway.store.sqlite.linking import STEP, Links, askers

PHONE = "79161234567"


@pytest.fixture
def db(tmp_path):
    database = Database(tmp_path / "store.db")
    yield database
    database.close()


def receive(db: Database, *parts: InboundPart) -> list[InboundMessage]:
    links = Links(askers(parts), max(one.at for one in parts), db.names)
    while not links.step(db.reader):
        pass
    return inbound(db.writer, parts, links, db.names, db.events, db.new_ids)


def reply(text: str = "Yes", *, at: int = NOW, account: str | None = None, source: str = PHONE):
    return part(1, 1, text, at=at, account=account, source=source)


def told(db: Database) -> list[tuple[str, list[dict]]]:
    """The log: account, events."""
    rows = db.reader.execute("SELECT account, type, count, body FROM events ORDER BY position")
    log = []
    for account, type_, count, body in rows.fetchall():
        events = json.loads(b"[" + body + b"]")
        assert (type_, count) == ("message.inbound", len(events))
        log.append((db.names.name(account), events))
    return log


def test_a_reply_is_stored_and_told(db):
    (message,) = receive(db, reply('"é" 👍', at=NOW + 5, account="shop"))
    assert inbound_messages(db.reader, "shop", 10, None, db.names) == [message]
    assert (message.account, message.carrier, message.text) == ("shop", "op1", '"é" 👍')
    assert (message.complete, message.parts, message.in_reply_to) == (True, 1, None)
    assert told(db) == [
        ("shop", [{
            "id": encode("inb", message.id), "from": PHONE, "to": "2020", "text": '"é" 👍',
            "at": "2027-01-15T08:00:00.000005Z", "in_reply_to": None, "complete": True,
            "keyword": None,
        }])
    ]  # fmt: skip


def test_octets_that_are_no_text_are_kept_whole(db):
    (message,) = receive(db, reply("\0\1\0b", account="shop"))
    assert receive(db, part(2, 2, "b\0", account="shop")) == []
    (joined,) = receive(db, part(1, 2, "\0a", account="shop"))
    assert joined.text == "\0ab\0"
    assert inbound_messages(db.reader, "shop", 10, None, db.names) == [joined, message]


def test_parts_wait_on_disk(db):
    assert receive(db, part(2, 2, " world", account="shop")) == []
    db.close()
    db.open()
    (message,) = receive(db, part(1, 2, "Hello", account="shop"))
    assert (message.text, message.parts) == ("Hello world", 2)
    assert receive(db, part(2, 2, " world", account="shop")) == []  # the operator repeats it
    assert len(told(db)) == 1


def test_a_part_lost_with_its_transaction_can_come_again(db):
    receive(db, part(1, 2, "a", account="shop"))
    db.writer.execute("BEGIN IMMEDIATE")
    assert len(receive(db, part(2, 2, "b", account="shop"))) == 1
    db.close()
    db.open()
    assert told(db) == []
    (message,) = receive(db, part(2, 2, "b", account="shop"))
    assert message.text == "ab"


def test_replies_of_one_call_are_one_chunk_for_each_account(db):
    receive(db, *[reply(str(n), account="shop" if n % 2 else "other") for n in range(6)])
    assert sorted((account, len(events)) for account, events in told(db)) == [
        ("other", 3), ("shop", 3)
    ]  # fmt: skip


@pytest.mark.parametrize("indexed", [True, False])
def test_a_reply_belongs_to_the_last_message(db, indexed):
    for account in ("other", "shop"):
        (last,) = db.messages(1, account=account)
        db.sent(last, f"id-{account}")
    if indexed:
        db.index(last)
    (message,) = receive(db, reply(at=NOW + HOUR))
    assert (message.account, message.in_reply_to) == ("shop", last)
    ((account, (event,)),) = told(db)
    assert (account, event["in_reply_to"]) == ("shop", encode("msg", last))


@pytest.mark.parametrize("indexed", [True, False])
def test_the_owner_of_the_number_sees_no_message_of_another(db, indexed):
    (mine,) = db.messages(1, account="other")
    (theirs,) = db.messages(1, account="shop")
    db.sent(mine, "a")
    db.sent(theirs, "b")
    if indexed:
        db.index(theirs)
    (first, second) = receive(db, reply(account="other"), reply(account="third"))
    assert (first.account, first.in_reply_to) == ("other", mine)
    assert (second.account, second.in_reply_to) == ("third", None)


@pytest.mark.parametrize("indexed", [True, False])
def test_after_72_hours_a_text_is_no_reply(db, indexed):
    (last,) = db.messages(1)
    db.sent(last, "a")
    if indexed:
        db.index(last)
    in_time, late = receive(db, reply(at=NOW + 72 * HOUR)), receive(db, reply(at=NOW + 73 * HOUR))
    assert in_time[0].in_reply_to == last
    assert (late[0].account, late[0].in_reply_to) == (None, None)


def test_the_newest_is_found_across_runs_and_tail(db):
    content, found = db.content(), []
    for _ in range(3):
        (last,) = db.messages(1, content=content)  # the one right after what is indexed
        db.sent(last, str(last))
        found.append((last, receive(db, reply())[0].in_reply_to))
        db.index(last)
        found.append((last, receive(db, reply())[0].in_reply_to))
    assert [last for last, _ in found] == [linked for _, linked in found]


def test_a_run_may_begin_before_the_72_hours_and_end_within(db):
    old, young = [db.messages(1, at=at)[0] for at in (NOW, NOW + 10 * HOUR)]
    db.messages(1, at=NOW + 20 * HOUR, number=79160000000)
    db.sent(old, "a")
    db.sent(young, "b")
    db.index(young)
    assert receive(db, reply(at=NOW + 80 * HOUR))[0].in_reply_to == young
    assert receive(db, reply(at=NOW + 83 * HOUR))[0].in_reply_to is None


def test_what_never_left_cannot_be_answered(db):
    (sent,) = db.messages(1)
    db.sent(sent, "a")
    db.messages(1, status=Status.QUEUED)
    db.messages(1, status=Status.CANCELED)
    assert receive(db, reply())[0].in_reply_to == sent
    (doubtful,) = db.messages(1, status=Status.UNKNOWN)
    assert receive(db, reply())[0].in_reply_to == doubtful


def test_nobodys_reply_is_kept_and_told_to_nobody(db):
    senders = ("+7 916", "ALPHA", "", "12345678901234567890", "٣٣", PHONE)
    messages = receive(db, *[reply(source=source) for source in senders])
    assert [message.account for message in messages] == [None] * len(senders)
    assert told(db) == []
    stored = db.reader.execute("SELECT source FROM inbound ORDER BY id").fetchall()
    assert [row[0] for row in stored] == list(senders)


def test_a_plus_does_not_hide_the_number(db):
    (last,) = db.messages(1)
    db.sent(last, "a")
    assert receive(db, reply(source="+" + PHONE))[0].in_reply_to == last


def test_incomplete_replies_are_told_after_half_an_hour(db):
    receive(db, part(3, 3, "c", account="shop"), part(1, 3, "a", account="shop"))
    receive(db, part(1, 2, "x", reference=2, account="shop"), part(2, 2, "y", reference=2))
    args = (db.names, db.events, db.new_ids)
    assert expire(db.writer, NOW + JOIN_WITHIN - 1, *args) == ([], False)
    ((message,), more) = expire(db.writer, NOW + JOIN_WITHIN, *args)
    assert (message.text, message.complete, message.parts, more) == ("ac", False, 2, False)
    assert told(db)[-1][1][0]["complete"] is False
    assert expire(db.writer, NOW + HOUR, *args) == ([], False)
    assert db.reader.execute("SELECT count(*) FROM mo_groups").fetchone() == (0,)


def test_many_incomplete_replies_take_several_steps(db, monkeypatch):
    monkeypatch.setattr(module, "EXPIRE_STEP", 3)
    for n in range(5):
        receive(db, part(1, 2, str(n), reference=n, at=NOW + n, account="shop"))
    args = (db.names, db.events, db.new_ids)
    steps = [expire(db.writer, NOW + HOUR, *args) for _ in range(2)]
    assert [([one.text for one in messages], more) for messages, more in steps] == [
        (["0", "1", "2"], True), (["3", "4"], False)
    ]  # fmt: skip


def test_a_reference_used_again_after_a_stop_of_hours_mixes_nothing(db):
    """Nobody swept while the gateway was down."""
    receive(db, part(1, 2, "old ", account="shop"))
    later = NOW + 5 * HOUR
    (old,) = receive(db, part(2, 2, "new", at=later, account="shop"))
    assert (old.text, old.complete) == ("old ", False)
    (new,) = receive(db, part(1, 2, "all ", at=later + SECOND, account="shop"))
    assert (new.text, new.complete) == ("all new", True)


def test_replies_page_newest_first(db):
    ids = [receive(db, reply(str(n), account="shop"))[0].id for n in range(5)]
    receive(db, reply(account="other"))
    page = inbound_messages(db.reader, "shop", 3, None, db.names)
    rest = inbound_messages(db.reader, "shop", 3, page[-1].id, db.names)
    assert [one.id for one in page + rest] == ids[::-1]
    assert inbound_messages(db.reader, "nobody", 3, None, db.names) == []


def test_retention_erases_texts_before_it_forgets_replies(db):
    for hour in range(4):
        receive(db, reply(str(hour), at=NOW + hour * HOUR, account="shop"))
    assert prune(db.writer, NOW + 3 * HOUR, NOW + HOUR, limit=2)
    while prune(db.writer, NOW + 3 * HOUR, NOW + HOUR, limit=2):
        pass
    texts = [one.text for one in inbound_messages(db.reader, "shop", 9, None, db.names)]
    assert texts == ["3", "", ""]


def test_many_phones_are_looked_up_a_few_at_a_time(db):
    numbers = [79160000000 + n for n in range(2 * STEP + 1)]
    sent = {number: db.messages(1, number=number)[0] for number in numbers}
    for message in sent.values():
        db.sent(message, str(message))
    db.index(sent[numbers[STEP]])
    parts = [reply(source=str(number)) for number in numbers * 2]
    links = Links(askers(parts), NOW, db.names)
    assert [links.step(db.reader) for _ in range(3)] == [False, False, True]
    found = [links.get(db.reader, (number, None)) for number in numbers]
    assert [one and one.id for one in found] == list(sent.values())


def test_an_incomplete_reply_is_linked_too(db):
    (last,) = db.messages(1)
    db.sent(last, "a")
    receive(db, part(1, 2, "a"))
    ((message,), _) = expire(db.writer, NOW + HOUR, db.names, db.events, db.new_ids)
    assert (message.account, message.in_reply_to) == ("shop", last)
