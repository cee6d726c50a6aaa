"""SMPP customers are told of the steps they asked for, each id with its own end."""

from __future__ import annotations

import msgspec
import pytest
from workbench import DAY, SECOND, Bench

from gateway.metrics import FINISHED
from gateway.model import OnUnknown, Status
from gateway.store.messages import Content, Esme, News, OptOut, Outcome, RawPart, Receipts, Sent
from gateway.store.records import RECEIPT, ReceiptNews, Webhook

DELIVERED, UNDELIVERED, SENT = Status.DELIVERED, Status.UNDELIVERED, Status.SENT
_news = msgspec.json.Decoder(list[ReceiptNews])


def content(bench: Bench, wish: int | None = 1, raw: tuple[RawPart, ...] = (), **more) -> Content:
    esme = None if wish is None else Esme("acme", "ACME", 5, registered_delivery=wish)
    return Content(bench.new_id(), "shop", "ACME", "hello", "service", esme=esme, raw=raw, **more)


async def told(bench: Bench, account: str = "shop") -> list[ReceiptNews]:
    chunks = await bench.store.read_log(account, [RECEIPT], 0, 1_000_000)
    for chunk in chunks:
        assert chunk.count == sum(len(news.ids) for news in _news.decode(chunk.body))
    return [news for chunk in chunks for news in _news.decode(chunk.body)]


def short(news: list[ReceiptNews]) -> list[tuple[list[int], str]]:
    return [(one.ids, Status(one.status).public) for one in news]


async def test_a_customer_hears_of_the_end_with_everything_a_receipt_needs(bench: Bench):
    shared = content(bench)
    ids = await bench.accept(3, content=shared)
    await bench.sent(await bench.lease())
    assert await told(bench) == []
    bench.now += SECOND
    await bench.receive(
        bench.receipt(ids[0]),
        bench.receipt(ids[1], UNDELIVERED, reason="absent_subscriber", code="27"),
        bench.receipt(ids[2]),
    )
    assert shared.esme is not None
    numbers = [row[0] for row in bench.sql("SELECT number FROM messages ORDER BY id")]
    assert await told(bench) == [
        ReceiptNews(
            shared.esme, DELIVERED, bench.now, [ids[0], ids[2]], [numbers[0], numbers[2]],
            None, "000",
        ),
        ReceiptNews(
            shared.esme, UNDELIVERED, bench.now, [ids[1]], [numbers[1]], "absent_subscriber", "27",
        ),
    ]  # fmt: skip
    assert len(bench.events()) == 6  # webhooks' events are as before


WISHES = [
    (0, []),
    (1, ["delivered", "undelivered"]),
    (2, ["undelivered"]),
    (3, ["delivered"]),
    (0x10, ["sent"]),
    (0x11, ["sent", "delivered", "undelivered"]),
    (0x12, ["sent", "undelivered"]),
    (0x0C, []),  # the phone's own acknowledgement is asked of the operator, not of us
    (0xE1, ["delivered", "undelivered"]),  # reserved bits
]


@pytest.mark.parametrize(("wish", "steps"), WISHES)
async def test_only_what_registered_delivery_asks_for_is_told(bench: Bench, wish, steps):
    ids = await bench.accept(2, content=content(bench, wish))
    await bench.sent(await bench.lease())
    await bench.receive(bench.receipt(ids[0]), bench.receipt(ids[1], UNDELIVERED))
    assert [status for _, status in short(await told(bench))] == steps


async def test_every_way_to_end_is_told(bench: Bench):
    bench.policy["service"] = OnUnknown.FAIL
    ends = {}
    canceled, expired, opted, rejected, failed, lost, silent, taken = [
        (await bench.accept(1, content=content(bench), validity=DAY + n))[0] for n in range(8)
    ]
    await bench.store.cancel("shop", [canceled], bench.now)
    ends[canceled] = "canceled"
    (number,) = bench.sql("SELECT number FROM messages WHERE id = ?", opted)[0]
    await bench.store.opt_out([OptOut("shop", number, "*", "*", bench.now, "STOP")])
    ends[opted] = "canceled"
    leased = {message.id: message for message in await bench.lease()}
    await bench.store.settle(
        [
            bench.result(
                leased[rejected], Outcome.FAILED, Status.REJECTED, reason="operator_blocked"
            ),
            bench.result(leased[failed], Outcome.UNKNOWN, Status.UNKNOWN),
            bench.result(leased[expired], Outcome.RETRY, Status.QUEUED),
        ],
        [
            Sent("op1", bench.now, True, [leased[silent]], ["s"]),
            Sent("op1", bench.now, False, [leased[taken]], ["t"]),
        ],
    )
    ends |= {rejected: "rejected", failed: "unknown", taken: "unknown"}
    await bench.reopen(crash=True)
    ends[lost] = "unknown"
    assert {one.ids[0]: Status(one.status).public for one in await told(bench)} == ends
    bench.now += 30 * DAY  # the log forgets what was told before
    await bench.maintain()
    assert sorted(short(await told(bench))) == sorted(
        [([expired], "expired"), ([silent], "unknown")]
    )


async def test_better_news_after_unknown_is_told_again(bench: Bench):
    (one,) = await bench.accept(1, content=content(bench))
    await bench.sent(await bench.lease(), receipts=False)
    await bench.receive(bench.receipt(one))
    assert short(await told(bench)) == [([one], "unknown"), ([one], "delivered")]


async def test_news_of_the_column_paths_hold_at_most_a_chunk(bench: Bench):
    ids = await bench.accept(1_300, content=content(bench, 0x11))
    others = await bench.accept(7, content=content(bench, None))
    foreign = await bench.accept(3, account="other")
    leased = await bench.lease(5_000)
    await bench.store.settle(
        [], [Sent("op1", bench.now, True, leased, [str(m.id) for m in leased])]
    )
    everyone = [*ids, *others, *foreign]
    news = [News(DELIVERED, None, "000", "DELIVRD")] * len(everyone)
    await bench.store.receive(Receipts("op1", bench.now, [str(i) for i in everyone], news))
    chunks = await bench.store.read_log("shop", [RECEIPT], 0, 10_000)
    assert [chunk.count for chunk in chunks] == [500, 500, 300] * 2
    sent, delivered = (await told(bench))[:3], (await told(bench))[3:]
    assert [i for one in sent for i in one.ids] == ids
    assert [i for one in delivered for i in one.ids] == ids
    assert {one.status for one in sent} == {SENT}
    assert await told(bench, "other") == []
    assert bench.sql("SELECT count(*) FROM events WHERE type = ?", RECEIPT) == [(6,)]


def raw(*ids: int) -> tuple[RawPart, ...]:
    return tuple(
        RawPart(identifier, 0x40, 0, 0, b"\x05\x00\x03\x01\x02\x01hi") for identifier in ids
    )


async def test_each_part_the_customer_sent_has_its_own_end(bench: Bench):
    first, second = bench.store.new_ids(2, bench.now)
    shared = content(bench, 0x11, raw(first, second, 0))
    (message,) = await bench.accept(1, content=shared, parts=3)
    await bench.sent(await bench.lease())
    assert short(await told(bench)) == [([first, second, message], "sent")]
    bench.now += SECOND
    await bench.receive(
        bench.receipt(message, part=1, code="000"),
        bench.receipt(message, UNDELIVERED, 2, reason="absent_subscriber", code="27"),
    )
    assert len(await told(bench)) == 1  # the message is not over yet
    await bench.receive(bench.receipt(message, part=3, code="000"))
    delivered, undelivered = (await told(bench))[1:]
    assert (delivered.ids, delivered.status, delivered.reason) == (
        [first, message],
        DELIVERED,
        None,
    )
    assert delivered.carrier_code == "000"
    assert (undelivered.ids, undelivered.status) == ([second], UNDELIVERED)
    assert (undelivered.reason, undelivered.carrier_code) == ("absent_subscriber", "27")


async def test_parts_that_fail_alike_keep_their_own_codes(bench: Bench):
    first, second = bench.store.new_ids(2, bench.now)
    (message,) = await bench.accept(1, content=content(bench, 2, raw(first, second)), parts=2)
    await bench.sent(await bench.lease())
    for part, code in ((1, "27"), (2, "31")):
        await bench.receive(
            bench.receipt(message, UNDELIVERED, part, reason="absent_subscriber", code=code)
        )
    assert [(one.ids, one.carrier_code, one.reason) for one in await told(bench)] == [
        ([first], "27", "absent_subscriber"), ([second], "31", "absent_subscriber"),
    ]  # fmt: skip


async def test_a_part_never_heard_of_is_unknown(bench: Bench):
    first, second = bench.store.new_ids(2, bench.now)
    (message,) = await bench.accept(1, content=content(bench, 1, raw(first, second)), parts=2)
    await bench.sent(await bench.lease())
    await bench.receive(bench.receipt(message, UNDELIVERED, 1, reason="absent_subscriber"))
    bench.now += 4 * DAY
    await bench.maintain()
    assert sorted(short(await told(bench))) == [([first], "undelivered"), ([second], "unknown")]


async def test_news_are_no_webhooks_business(bench: Bench):
    for identifier, types in ((1, []), (2, [RECEIPT, "message.status"])):
        await bench.store.put_webhook(
            Webhook(identifier, "shop", "https://x.example/", types, True, "whsec_x", bench.now)
        )
    (one,) = await bench.accept(1, content=content(bench))
    await bench.sent(await bench.lease())
    bench.events_seen.clear()
    await bench.receive(bench.receipt(one))
    assert bench.events_seen == {"shop": 1}
    given = await bench.store.next_deliveries({1: 9, 2: 9}, bench.now)
    assert [(d.webhook, d.type, d.events) for d in given] == [
        (1, "message.status_batch", 2), (2, "message.status_batch", 2),
    ]  # fmt: skip


async def test_what_is_refused_after_parts_were_accepted_ends_at_once(bench: Bench):
    parts = bench.store.new_ids(2, bench.now)
    submission = bench.submission(
        1, content=content(bench, 1, raw(*parts)), status=Status.REJECTED, parts=2
    )
    submission.messages[0].reason = "too_long"
    submission.joined = parts
    before = bench.metric(FINISHED, "rejected")
    assert await bench.store.accept([submission]) == [None]
    (view,) = await bench.store.messages("shop", [submission.messages[0].id])
    assert view is not None
    assert (view.status, view.reason, view.sequence) == (Status.REJECTED, "too_long", 1)
    assert (view.due, view.deadline) == (None, None)
    (event,) = bench.events()
    assert (event["status"], event["reason"]["code"]) == ("rejected", "too_long")
    (news,) = await told(bench)
    assert (news.ids, news.status, news.reason) == (parts, Status.REJECTED, "too_long")
    assert await bench.lease() == []
    assert bench.store.waiting("shop") == 0
    assert bench.metric(FINISHED, "rejected") == before + 1
    assert await bench.store.resolve("shop", parts) == [view.id] * 2
