"""Queries, replies and deliveries through the whole store, beside messages that move."""

from __future__ import annotations

import asyncio
import json

import pytest
from test_inbound_joining import part
from workbench import DAY, HOUR, START, Bench

from gateway.metrics import WEBHOOK_LOST
from gateway.model import BatchState, Status
from gateway.store.messages import InboundMessage, StoredAnswer
from gateway.store.records import ApiKey, Delivered, DeliveryState, MessageFilter, Webhook
from gateway.store.sqlite import number_index

HOOK = Webhook(1, "shop", "https://shop.example/", [], True, "whsec_x", START)


async def found(bench: Bench, **where) -> list[int]:
    where.setdefault("account", "shop")
    return [view.id for view in await bench.store.search(MessageFilter(**where), 100)]


async def test_a_delivered_message_is_seen_with_its_parts(bench):
    (identifier,) = await bench.accept(parts=2, refs=["ord-1"])
    await bench.sent(await bench.lease())
    await bench.receive(bench.receipt(identifier, part=1), bench.receipt(identifier, part=2))
    (view, missing) = await bench.store.messages("shop", [identifier, 5])
    assert missing is None
    assert view is not None
    assert (view.status, view.carrier, view.client_ref) == (Status.DELIVERED, "op1", "ord-1")
    assert [(p.part, p.operator_id, p.status) for p in view.part_list] == [
        (1, f"{identifier}-1", Status.DELIVERED), (2, f"{identifier}-2", Status.DELIVERED),
    ]  # fmt: skip
    assert await bench.store.messages("other", [identifier]) == [None]


async def test_search_finds_the_same_before_and_after_indexing(bench, monkeypatch):
    ids = await bench.accept(6, refs=["a", None, "b", "a", None, "b"])
    (other,) = await bench.accept(account="other", numbers=[79160000003], refs=["a"])
    sent = await bench.lease(4)
    await bench.sent(sent)
    shops = [message.id for message in sent if message.account == "shop"]
    assert 0 < len(shops) < 4

    async def look() -> list[list[int]]:
        return [
            await found(bench),
            await found(bench, number=79160000003),
            await found(bench, client_ref="a"),
            await found(bench, statuses=[Status.SENT]),
            await found(bench, account="other", client_ref="a"),
            await found(bench, from_time=START + HOUR),
        ]

    before = await look()
    assert before == [ids[::-1], [ids[3]], [ids[3], ids[0]], shops[::-1], [other], []]
    monkeypatch.setattr(number_index, "RUN", 4)
    await bench.maintain()
    assert bench.sql("SELECT count(*) FROM runs") == [(1,)]  # 4 of 7 are indexed
    assert await look() == before


async def test_a_batch_is_reported(bench):
    submission = bench.submission(3, new_batch=True)
    await bench.store.accept([submission])
    identifier = submission.batch.id
    leased = await bench.lease(2)
    await bench.sent(leased)
    view = await bench.store.batch("shop", identifier)
    assert view is not None
    assert (view.state, view.accepted) == (BatchState.RUNNING, 3)
    assert view.counts == {Status.SENT: 2, Status.QUEUED: 1}
    assert [one.id for one in await bench.store.batches("shop", 10)] == [identifier]
    assert await bench.store.batch("other", identifier) is None
    page = await bench.store.batch_messages(identifier, None, 2)
    rest = await bench.store.batch_messages(identifier, None, 2, page[-1].id)
    assert [one.id for one in page + rest] == [message.id for message in submission.messages]
    sent = await bench.store.batch_messages(identifier, [Status.SENT], 10)
    assert [one.id for one in sent] == [one.id for one in leased]
    assert await found(bench, batch=identifier, statuses=[Status.QUEUED]) == [
        submission.messages[2].id
    ]


async def test_an_idempotency_key_is_answered(bench):
    await bench.accept(key="k", body=b'{"id": 1}')
    answer = await bench.store.answered("shop", "POST /v1/messages", "k")
    assert isinstance(answer, StoredAnswer) and answer.body == b'{"id": 1}'
    bench.now += DAY
    assert await bench.store.answered("shop", "POST /v1/messages", "k") is None


async def test_events_become_deliveries_until_they_are_taken(bench):
    await bench.store.put_webhook(HOOK)
    assert await bench.store.webhooks("shop") == [HOOK]
    ids = await bench.accept(3)
    await bench.sent(await bench.lease())
    await bench.receive(*[bench.receipt(identifier) for identifier in ids])
    assert bench.events_seen["shop"] == 6
    (cut,) = await bench.store.next_deliveries({1: 4}, bench.now)
    events = json.loads(cut.body)
    assert (cut.type, cut.events, len(events)) == ("message.status_batch", 6, 6)
    assert events == bench.events()
    await bench.store.settle_deliveries(
        [Delivered(cut.id, DeliveryState.PENDING, bench.now, bench.now + HOUR, 500, "oops")]
    )
    await bench.reopen(crash=True)
    assert await bench.store.due_deliveries(1, bench.now, 9) == []
    (again,) = await bench.store.due_deliveries(1, bench.now + HOUR, 9)
    assert (again.id, again.body, again.attempts) == (cut.id, cut.body, 1)
    await bench.store.settle_deliveries([Delivered(cut.id, DeliveryState.DEAD, bench.now, 0, 410)])
    assert [one.id for one in await bench.store.deliveries(1, "dead", 9)] == [cut.id]
    assert await bench.store.replay(1, bench.now, since=0) == 1
    assert len(await bench.store.due_deliveries(1, bench.now, 9)) == 1
    await bench.store.delete_webhook(1)
    assert await bench.store.webhooks() == []


async def test_what_an_endpoint_sleeps_through_is_metered(bench):
    await bench.store.put_webhook(HOOK)
    await bench.accept(3)
    await bench.sent(await bench.lease())
    bench.now += 2 * DAY
    await bench.accept(1)
    await bench.sent(await bench.lease())
    bench.now += 2 * DAY  # keep_events is three days
    await bench.maintain()
    assert bench.metric(WEBHOOK_LOST, "shop") >= 3
    assert bench.sql("SELECT count(*) FROM events WHERE created < ?", START + DAY) == [(0,)]


async def test_a_reply_finds_its_message_and_is_told(bench):
    (identifier,) = await bench.accept(numbers=[79161234567])
    await bench.sent(await bench.lease())
    bench.now += HOUR
    assert await bench.store.inbound([part(2, 2, "!", at=bench.now)]) == []
    await bench.reopen(crash=True)
    (reply,) = await bench.store.inbound([part(1, 2, "Yes", at=bench.now)])
    assert (reply.account, reply.text, reply.in_reply_to) == ("shop", "Yes!", identifier)
    assert await bench.store.inbound_messages("shop", 9) == [reply]
    assert [event["text"] for event in bench.events("message.inbound")] == ["Yes!"]
    assert await bench.store.inbound([]) == []


async def test_replies_of_calls_at_once_keep_their_order(bench):
    """Looking up many phones takes several steps of the reader, one phone takes one."""
    crowd = [
        part(1, 1, "STOP", at=bench.now, source=str(79160000000 + n), account="shop")
        for n in range(100)
    ]
    one = part(1, 1, "START", at=bench.now, source="79160000000", account="shop")
    results: list[list[InboundMessage]] = await asyncio.gather(
        bench.store.inbound(crowd), bench.store.inbound([one])
    )
    assert max(reply.id for reply in results[0]) < results[1][0].id


async def test_incomplete_replies_come_with_maintenance(bench):
    await bench.store.inbound([part(1, 2, "half", at=bench.now, account="shop")])
    bench.now += HOUR
    await bench.maintain()
    (reply,) = await bench.store.inbound_messages("shop", 9)
    assert (reply.text, reply.complete) == ("half", False)
    assert [event["complete"] for event in bench.events("message.inbound")] == [False]


async def test_keys_are_kept(bench):
    key = ApiKey(7, b"d" * 32, "ak_1", "shop", ("admin",), ("10.0.0.0/8",), START)
    await bench.store.put_key(key)
    assert await bench.store.key(b"d" * 32) == key
    assert await bench.store.key(b"e" * 32) is None
    assert await bench.store.keys("shop") == [key]


async def test_a_state_that_is_none_is_refused(bench):
    with pytest.raises(ValueError, match="lost"):
        await bench.store.deliveries(1, "lost", 9)
