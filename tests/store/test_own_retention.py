"""Accounts that keep less than the store does."""

from __future__ import annotations

import pytest
from workbench import DAY, HOUR, Bench

from gateway.model import Status
from gateway.store.ledgers import AccountRules
from gateway.store.messages import InboundPart, Ineligible
from gateway.store.sqlite import number_index, own_retention

SHORT = {"shop": AccountRules(2, keep_text=3600.0, keep_messages=2 * 86_400.0)}


async def over(bench: Bench, count: int = 1, **more: object) -> list[int]:
    """Messages that were delivered just now."""
    ids = await bench.accept(count, **more)
    await bench.sent(await bench.lease(count))
    await bench.receive(*(bench.receipt(one) for one in ids))
    return ids


def texts(bench: Bench) -> list[tuple[str, str]]:
    return bench.sql("SELECT json ->> 'account', json ->> 'text' FROM contents ORDER BY id")


@pytest.fixture(params=["indexed", "tail", "both"])
def indexing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages in the index, above it, or on both sides of its end."""
    run = {"indexed": 1, "tail": 10_000, "both": 2}[request.param]
    monkeypatch.setattr(number_index, "RUN", run)
    monkeypatch.setattr(own_retention, "STEP", 2)


@pytest.mark.usefixtures("indexing")
async def test_texts_and_messages_of_their_own_time(bench: Bench) -> None:
    bench.store.rule_accounts(SHORT)
    for _ in range(3):
        await over(bench, account="shop")
        await over(bench, account="other")
    await over(bench, 3, account="shop", new_batch=True)
    await bench.maintain()
    bench.now += HOUR // 2
    (late,) = await over(bench)
    await bench.maintain()
    assert {text for _, text in texts(bench)} == {"hello"}
    bench.now += HOUR // 2 + 60_000_000
    await bench.maintain()
    assert texts(bench) == [
        *[("shop", ""), ("other", "hello")] * 3, ("shop", ""), ("shop", "hello"),
    ]  # fmt: skip
    (view,) = await bench.store.messages("shop", [late])
    assert view is not None and view.text == "hello"
    bench.now += HOUR
    await bench.maintain()
    assert texts(bench)[-1] == ("shop", "")

    bench.now += 2 * DAY
    await bench.maintain()
    left = bench.sql("SELECT n.name FROM messages AS m JOIN names AS n ON n.id = m.account")
    assert left == [("other",)] * 3
    shop = bench.sql("SELECT id FROM names WHERE name = 'shop'")[0][0]
    assert bench.sql("SELECT * FROM by_account WHERE account = ?", shop) == []
    others = {row[0] for row in bench.sql("SELECT number FROM messages")}
    assert {row[0] for row in bench.sql("SELECT number FROM by_number")} <= others
    assert await bench.store.batches("shop", 1) == []


@pytest.mark.usefixtures("indexing")
async def test_what_is_under_way_is_come_back_to(bench: Bench) -> None:
    bench.store.rule_accounts(SHORT)
    (slow,) = await bench.accept(validity=14 * DAY, due=bench.now + 3 * DAY)
    await over(bench, 3)
    bench.now += 2 * DAY + HOUR
    await bench.maintain()
    assert bench.sql("SELECT id FROM messages") == [(slow,)]
    bench.now += DAY
    await bench.sent(await bench.lease())
    await bench.receive(bench.receipt(slow))
    bench.now += HOUR + 60_000_000
    await bench.maintain()
    assert texts(bench)[0] == ("shop", "")
    bench.now += 2 * DAY
    await bench.maintain()
    assert bench.sql("SELECT id FROM messages") == []


async def test_replies_excluded_recipients_and_failures_too(bench: Bench) -> None:
    bench.store.rule_accounts(SHORT)
    submission = bench.submission(1, new_batch=True)
    submission.ineligible = [Ineligible(1, "06 12", "invalid_number", "too short", "ref")]
    await bench.store.accept([submission])
    (message,) = await bench.lease()
    await bench.sent([message])
    no = bench.receipt(message.id, Status.UNDELIVERED, reason="unknown_subscriber")
    await bench.receive(no)
    for account in ("shop", "other"):
        part = InboundPart("op1", "79161234567", "777", "yes", bench.now, account)
        await bench.store.inbound([part])
    await bench.maintain()
    bench.now += HOUR + 60_000_000
    await bench.maintain()
    assert bench.sql("SELECT text FROM inbound ORDER BY id") == [("",), ("yes",)]
    bench.now += 2 * DAY
    await bench.maintain()
    for table, left in (("inbound", 1), ("ineligible", 0), ("failures", 0), ("messages", 0)):
        assert bench.sql(f"SELECT count(*) FROM {table}") == [(left,)], table


async def test_longer_times_than_the_stores_are_the_stores(bench: Bench) -> None:
    year = 365 * 86_400.0
    bench.store.rule_accounts({"shop": AccountRules(keep_text=year, keep_messages=year)})
    await over(bench)
    bench.now += 8 * DAY
    await bench.maintain()
    assert texts(bench) == [("shop", "")]
    bench.now += 90 * DAY
    await bench.maintain()
    assert bench.sql("SELECT id FROM messages") == []
