"""Messages that wait for a moderator: items by fingerprint, counts, who waits for what."""

from __future__ import annotations

from held import HELD, decide, held, hold, items, text
from workbench import DAY, HOUR, SECOND, START, Bench

from gateway.metrics import MODERATION_HELD
from gateway.store.messages import Text
from gateway.store.moderation import ItemState
from gateway.store.sqlite.names import ACCOUNT


async def test_one_item_for_all_that_say_the_same(bench: Bench):
    ids = await bench.accept(5)
    await hold(bench, {text(): [(one, START + 9) for one in ids[:2]]})
    await hold(bench, {text(): [(ids[2], START + 5)], text("other"): [(ids[3], START + 7)]})
    assert items(bench) == [
        ("hello", "waiting", 3, START + 5, 3),
        ("other", "waiting", 1, START + 7, 1),
    ]
    assert bench.store._memory.moderation.waiting() == {1: (2, 4, [START, START])}
    assert bench.metric(MODERATION_HELD, "shop") == 4
    # Two texts with one fingerprint: the category is no part of it.
    one = text()
    other = Text(one.fingerprint, "shop", "ACME", "advertising", one.text)
    await hold(bench, {one: [(ids[4], START)], other: [(4711, START)]})
    assert items(bench)[0] == ("hello", "waiting", 5, START, 5)


async def test_many_texts_at_once(bench: Bench):
    ids = await bench.accept(2_000)
    waits = {text(f"{n % 1_500}"): [] for n in range(2_000)}
    for n, one in enumerate(ids):
        waits[text(f"{n % 1_500}")].append((one, START))
    await hold(bench, waits)
    assert len(items(bench)) == 1_500
    assert bench.sql("SELECT count(*), count(DISTINCT item) FROM held") == [(2_000, 1_500)]
    assert bench.store._memory.moderation.waiting()[1][:2] == (1_500, 2_000)
    assert len(bench.store._memory.moderation.waiting()[1][2]) == 1_000


async def test_accounts_do_not_mix(bench: Bench):
    (one,) = await bench.accept(1)
    (two,) = await bench.accept(1, account="other")
    await hold(bench, {text(): [(one, START)]})
    bench.now += HOUR
    await hold(bench, {text(account="other"): [(two, START)]}, "other")
    assert bench.store._memory.moderation.waiting() == {
        1: (1, 1, [START]), bench.store._names.known(ACCOUNT, "other"): (1, 1, [START + HOUR]),
    }  # fmt: skip


async def test_a_full_queue_is_nobody_elses_affair(bench: Bench):
    bench.store.set_moderation(lambda account: True, 3)
    assert bench.store.texts_room("shop") == 3
    await held(bench, 2)
    await held(bench, 1, "b")
    # Of three for all two are taken: another has the third, who has two is beyond that.
    assert (bench.store.texts_room("shop"), bench.store.texts_room("other")) == (0, 1)
    assert await bench.store.judged([text().fingerprint, b"x" * 16]) == {
        text().fingerprint: ItemState.WAITING
    }
    # Whoever was let in meanwhile: a list holds several customers' messages, and is never refused
    # for one of them.
    late = bench.submission(1, status=HELD)
    late.texts = [text("c")]
    plain = bench.submission(1, account="other")
    assert await bench.store.accept([late, plain]) == [None, None]
    assert bench.statuses() == {"held_moderation": 4, "queued": 1}


async def test_texts_that_come_and_go_fill_the_queue_until_they_are_forgotten(bench: Bench):
    bench.store.set_moderation(lambda account: True, 10)
    for said in "abcd":
        ids = await held(bench, 1, said)
        await bench.store.cancel("shop", ids, bench.now)
    assert bench.store._memory.moderation.waiting() == {1: (0, 0, [])}
    assert (bench.store.texts_room("shop"), bench.store.texts_room("other")) == (2, 6)
    await bench.reopen()
    bench.store.set_moderation(lambda account: True, 10)
    assert bench.store.texts_room("shop") == 2
    await held(bench, 1, "a")
    await decide(bench, "b")
    assert bench.store.texts_room("shop") == 4
    bench.now += int(bench.settings.keep_text * SECOND) + HOUR
    await bench.maintain()
    assert [row[:2] for row in items(bench)] == [("", "approved")]
    assert bench.store.texts_room("shop") == 10


async def test_what_ends_waits_no_longer(bench: Bench):
    ids = await held(bench, 2, validity=HOUR)
    await held(bench, 1, "b", validity=HOUR)
    await bench.store.cancel("shop", ids[:1], bench.now)
    assert [row[2:] for row in items(bench)] == [(2, START, 1), (1, START, 1)]
    assert bench.store._memory.moderation.waiting() == {1: (2, 2, [START, START])}
    bench.now += DAY
    await bench.maintain()
    assert bench.statuses() == {"canceled": 1, "expired": 2}
    assert [row[4] for row in items(bench)] == [0, 0]
    assert bench.store._memory.moderation.waiting() == {1: (0, 0, [])}
    # The next one makes it wait again, from now on.
    await held(bench)
    assert items(bench)[0] == ("hello", "waiting", 3, bench.now, 1)
    assert bench.store._memory.moderation.waiting() == {1: (1, 1, [bench.now])}
    bench.check()


async def test_a_restart_knows_what_waits(bench: Bench):
    ids = await bench.accept(3)
    await hold(bench, {text(): [(one, START) for one in ids[:2]], text("b"): [(ids[2], START)]})
    newest = bench.sql("SELECT max(id) FROM items")[0][0]
    await bench.reopen(crash=True)
    assert bench.store._memory.moderation.waiting() == {1: (2, 3, [START, START])}
    assert bench.store.new_ids(1, START)[0] > newest


async def test_validity_may_stand_still_while_held(bench: Bench):
    bench.store._memory.validity_counts = lambda account: account != "patient"
    (one,) = await held(bench, 1, account="patient", validity=HOUR)
    await held(bench, 1, validity=HOUR)
    bench.now += 2 * HOUR
    await bench.maintain()
    assert bench.statuses() == {"held_moderation": 1, "expired": 1}
    assert bench.sql("SELECT message, rest FROM held") == [(one, HOUR)]
    keep = int(bench.settings.keep_messages * 1_000_000)
    assert bench.sql("SELECT deadline FROM messages WHERE id = ?", one) == [(START + keep,)]
    bench.now = START + keep
    await bench.maintain()
    assert bench.statuses()["expired"] == 2  # nobody waits for ever
    assert bench.sql("SELECT * FROM held") == []


async def test_a_text_only_an_erased_person_would_have_read_goes_with_them(bench: Bench):
    await held(bench, 1, "dear Ann", numbers=[79161234567])
    await held(bench, 2, "dear all", numbers=[79161234567, 79161234568])
    await bench.store.erase("shop", 79161234567, "ak_1 desk", bench.now)
    assert [(row[0], row[4]) for row in items(bench)] == [("", 0), ("dear all", 1)]
    assert bench.statuses() == {"canceled": 2, "held_moderation": 1}
    bench.check()
