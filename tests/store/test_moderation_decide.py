"""What moderators do with items: look, claim, decide; and what is told and kept of it."""

from __future__ import annotations

import asyncio

from held import decide, held, item_of, items, text
from workbench import DAY, HOUR, SECOND, START, Bench

from gateway.ids import encode
from gateway.metrics import MODERATION_DECISIONS, MODERATION_SECONDS
from gateway.store.ledgers import AccountRules
from gateway.store.moderation import Claimed, Decision, ItemState
from gateway.store.sqlite import judging

MINUTE = 60 * SECOND


async def claim(bench: Bench, item: int, who: str, **more):
    account = more.pop("account", None)
    return await bench.store.claim(account, item, who, bench.now, bench.now + 10 * MINUTE, **more)


async def test_items_oldest_first_in_pages(bench: Bench):
    for n in range(5):
        await held(bench, n + 1, f"text {n}", account="shop" if n % 2 else "other")
        bench.now += SECOND
    await decide(bench, "text 1")
    await decide(bench, "text 2", account="other", approve=False)
    store = bench.store

    async def said(*more, **named):
        return [one.text.text for one in await store.items(*more, **named)]

    assert await said(None, None, 10) == [f"text {n}" for n in range(5)]
    assert await said(None, [ItemState.WAITING], 10) == ["text 0", "text 3", "text 4"]
    assert await said("shop", [ItemState.WAITING], 10) == ["text 3"]
    assert await said("shop", None, 10) == ["text 1", "text 3"]
    assert await said("nobody", None, 10) == []
    two = await store.items(None, [ItemState.WAITING, ItemState.REJECTED], 2)
    assert [one.text.text for one in two] == ["text 0", "text 2"]
    assert await said(None, [ItemState.WAITING, ItemState.REJECTED], 2, two[-1].id) == [
        "text 3", "text 4",
    ]  # fmt: skip
    one = two[0]
    assert (one.messages, one.waiting, one.first_due, one.state) == (1, 1, START, "waiting")
    assert one.text == text("text 0", "other")
    assert await store.item(None, one.id) == await store.item("other", one.id) == one
    assert await store.item("shop", one.id) is None
    assert await store.item(None, 4711) is None


async def test_a_claim_keeps_others_away_until_it_is_over(bench: Bench):
    await held(bench)
    item = item_of(bench)
    result, found = await claim(bench, item, "ann")
    assert (result, found and found.holder(bench.now)) == (Claimed.DONE, "ann")
    assert (await claim(bench, item, "bob"))[0] is Claimed.TAKEN
    assert (await claim(bench, item, "bob", release=True))[0] is Claimed.TAKEN
    assert await decide(bench, actor="bob") is Claimed.TAKEN
    bench.now += 5 * MINUTE
    assert (await claim(bench, item, "ann"))[0] is Claimed.DONE  # renewed
    bench.now += 9 * MINUTE
    assert (await claim(bench, item, "bob"))[0] is Claimed.TAKEN
    bench.now += MINUTE
    assert (await claim(bench, item, "bob"))[0] is Claimed.DONE
    assert (await claim(bench, item, "bob", release=True))[0] is Claimed.DONE
    assert (await claim(bench, item, "ann", release=True))[0] is Claimed.DONE  # nobody's
    assert await decide(bench, actor="carl") is Claimed.DONE
    assert (await claim(bench, item, "ann"))[0] is Claimed.DECIDED
    assert (await claim(bench, 4711, "ann")) == (Claimed.UNKNOWN, None)
    assert (await claim(bench, item, "ann", account="other"))[0] is Claimed.UNKNOWN
    actions = [(entry.action, entry.actor) for entry in await bench.store.audit("shop", 10)]
    assert actions == [
        ("moderation.approve", "carl"),
        ("moderation.release", "ann"),
        ("moderation.release", "bob"),
        ("moderation.claim", "bob"),
        ("moderation.claim", "ann"),
        ("moderation.claim", "ann"),
    ]


async def test_two_moderators_at_once(bench: Bench):
    for n in range(20):
        await held(bench, 1, f"text {n}")
    for n in range(20):
        item = item_of(bench, f"text {n}")
        got = await asyncio.gather(*(claim(bench, item, who) for who in ("ann", "bob")))
        assert sorted(result for result, _ in got) == [Claimed.DONE, Claimed.TAKEN]
        decisions = [
            bench.store.decide(None, [Decision(item, who == "ann", who, bench.now)])
            for who in ("ann", "bob")
        ]
        results = [one[0][0] for one in await asyncio.gather(*decisions)]
        holder = "ann" if got[0][0] is Claimed.DONE else "bob"
        assert results == (
            [Claimed.DONE, Claimed.DECIDED] if holder == "ann" else [Claimed.TAKEN, Claimed.DONE]
        )
    assert len(bench.events("moderation.decided")) == 20


async def test_a_decision_is_told_and_kept(bench: Bench):
    said = "Кредит? +79161234567 " + "x" * 5_000
    one = text(said, words=("ru/credit: кредит*",), template="welcome")
    ids = await held(bench, 3, one)
    await bench.store.cancel("shop", ids[:1], bench.now)
    bench.now += 2 * MINUTE
    item = item_of(bench, said)
    bench.events_seen.clear()
    ((result, found),) = await bench.store.decide(
        "shop", [Decision(item, False, "ak_12345678 (desk)/ann", bench.now, "no licence")]
    )
    assert result is Claimed.DONE
    assert found is not None
    assert (found.state, found.reason, found.waiting) == ("rejected", "no licence", 2)
    assert await bench.store.item(None, item) == found
    assert bench.events_seen == {"shop": 1}
    (event,) = bench.events("moderation.decided")
    assert event == {
        "item": encode("itm", item), "account": "shop", "decision": "rejected",
        "reason": "no licence", "actor": "ak_12345678 (desk)/ann", "sender": "ACME",
        "category": "service", "words": ["ru/credit: кредит*"], "template": "welcome",
        "text": said[: judging.TEXT], "messages": 2, "at": "2027-01-15T08:02:00.000000Z",
    }  # fmt: skip
    (entry,) = await bench.store.audit("shop", 10, subject=encode("itm", item))
    assert (entry.action, entry.at) == ("moderation.reject", bench.now)
    assert entry.detail == {"messages": 2, "reason": "no licence"}
    assert await bench.store.judged([one.fingerprint, b"x" * 16]) == {
        one.fingerprint: ItemState.REJECTED
    }
    assert bench.metric(MODERATION_DECISIONS, "shop", "rejected") == 1
    name = f"{MODERATION_SECONDS.name}_sum"
    assert bench.metrics.registry.get_sample_value(name, {"account": "shop"}) == 120


async def test_a_list_of_decisions(bench: Bench):
    for n in range(250):
        await held(bench, 1, f"text {n}")
    await held(bench, 1, "text 0", account="other")
    rows = bench.sql("SELECT id FROM items ORDER BY id")
    decisions = [Decision(row[0], n % 3 > 0, "ann", bench.now) for n, row in enumerate(rows)]
    again = decisions[0]
    answers = await bench.store.decide("shop", [*decisions, again, Decision(1, True, "ann", 0)])
    assert [result for result, _ in answers[:250]] == [Claimed.DONE] * 250
    assert [result for result, _ in answers[250:]] == [
        Claimed.UNKNOWN, Claimed.DECIDED, Claimed.UNKNOWN,
    ]  # fmt: skip
    states = [row[1] for row in items(bench)]
    assert states == [*(["rejected", "approved", "approved"] * 84)[:250], "waiting"]
    assert len(bench.events("moderation.decided")) == 250
    assert bench.sql("SELECT count(*) FROM audit") == [(250,)]
    assert {a: w.items for a, w in bench.store.items_waiting().items()} == {"shop": 0, "other": 1}


async def test_texts_stay_no_longer_than_their_account_says(bench: Bench):
    bench.store.rule_accounts({"shop": AccountRules(keep_text=3600.0), "other": AccountRules()})
    for account in ("shop", "other"):
        await held(bench, 1, account=account)
        await decide(bench, account=account)
    await bench.store.carry_out(bench.now)
    bench.now += HOUR
    await bench.maintain()
    assert [row[0] for row in items(bench)] == ["hello", "hello"]
    bench.now += HOUR
    await bench.maintain()
    assert [row[0] for row in items(bench)] == ["", "hello"]


async def test_old_texts_are_taken_and_old_items_forgotten(bench: Bench):
    keep_text = int(bench.settings.keep_text * SECOND)
    keep = int(bench.settings.keep_messages * SECOND)
    (gone,) = await held(bench, 1, "gone", validity=HOUR)
    await held(bench, 1, "decided")
    await held(bench, 1, "waits", validity=4 * keep)
    bench.now += HOUR
    await bench.maintain()
    await decide(bench, "decided")
    await bench.store.carry_out(bench.now)
    bench.now = START + keep_text + HOUR // 2
    await bench.maintain()
    assert [row[0] for row in items(bench)] == ["decided", "waits"]
    bench.now += HOUR
    await bench.maintain()
    assert [row[0] for row in items(bench)] == ["", "waits"]
    # Later messages bring the text back, and still follow the decision.
    await held(bench, 1, "decided")
    assert items(bench)[0][:2] == ("decided", "approved")
    await bench.store.carry_out(bench.now)
    bench.now = START + keep + HOUR // 2
    await bench.maintain()
    assert [row[0] for row in items(bench)] == ["", "waits"]
    # A decision that texts are still judged by is not forgotten.
    assert text("decided").fingerprint in await bench.store.judged([text("decided").fingerprint])
    await bench.maintain()
    bench.now += DAY
    await bench.maintain()
    assert [row[0] for row in items(bench)] == ["", "waits"]
    bench.now += keep + HOUR
    await bench.maintain()
    assert [row[0] for row in items(bench)] == ["waits"]
    assert await bench.store.judged([text("decided").fingerprint]) == {}
    assert gone
