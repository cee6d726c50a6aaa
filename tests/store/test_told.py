"""Parts that wait for the others, and the ids customers were told for them."""

from __future__ import annotations

import sqlite3

import pytest
from workbench import DAY, HOUR, SECOND, Bench

from gateway.errors import StoreUnavailable
from gateway.store.messages import WaitingPart


def parts(bench: Bench, count: int, account: str = "shop") -> list[WaitingPart]:
    return [
        WaitingPart(identifier, account, "acme", bench.now + n, bytes([n, 0, 255]) * 20)
        for n, identifier in enumerate(bench.store.new_ids(count, bench.now))
    ]


async def test_parts_are_kept_until_their_message_is_accepted(bench: Bench):
    first, second, other = parts(bench, 3)
    await bench.store.keep_parts([first, second])
    await bench.store.keep_parts([other])
    await bench.reopen(crash=True)
    assert await bench.store.waiting_parts() == [first, second, other]
    submission = bench.submission(1, parts=3)
    submission.joined = [first.id, second.id]
    message = submission.messages[0].id
    assert message > other.id  # ids told before a restart are not given again
    assert await bench.store.accept([submission]) == [None]
    assert await bench.store.waiting_parts() == [other]
    asked = [first.id, message, other.id, second.id, 4711]
    known = [message, message, None, message, None]
    assert await bench.store.resolve("shop", asked) == known
    assert await bench.store.resolve("other", asked) == [None] * 5
    await bench.accept(1, account="other")
    assert await bench.store.resolve("other", asked) == [None] * 5
    await bench.reopen()
    assert await bench.store.resolve("shop", asked) == known


async def test_a_message_among_its_own_joined_ids_stands_for_itself(bench: Bench):
    (part,) = parts(bench, 1)
    await bench.store.keep_parts([part])
    submission = bench.submission(1, parts=2)
    message = submission.messages[0].id
    submission.joined = [part.id, message]
    await bench.store.accept([submission])
    assert await bench.store.resolve("shop", [part.id, message]) == [message, message]
    assert bench.sql("SELECT * FROM told_ids") == [(part.id, message)]


async def test_what_cannot_be_accepted_leaves_its_parts_waiting(bench: Bench):
    kept = parts(bench, 2)
    await bench.store.keep_parts(kept)
    submission = bench.submission(2)  # two messages: whose would the ids be?
    submission.joined = [part.id for part in kept]
    with pytest.raises(ValueError):
        await bench.store.accept([submission])
    assert await bench.store.waiting_parts() == kept
    assert bench.sql("SELECT count(*) FROM told_ids, messages") == [(0,)]


async def test_an_id_is_told_once(bench: Bench):
    kept = parts(bench, 1)
    await bench.store.keep_parts(kept)
    with pytest.raises((sqlite3.IntegrityError, StoreUnavailable)):
        await bench.store.keep_parts(kept)
    assert await bench.store.waiting_parts() == kept


async def test_told_ids_go_with_their_message_and_waiting_parts_stay(bench: Bench):
    kept = parts(bench, 3)
    await bench.store.keep_parts(kept)
    joined = []
    for part in kept[:2]:
        submission = bench.submission(1)
        submission.joined = [part.id]
        await bench.store.accept([submission])
        joined.append(submission.messages[0].id)
    canceled = await bench.store.cancel("shop", joined[:1], bench.now)
    assert canceled == [4]
    bench.now += HOUR
    leased = await bench.lease()
    await bench.sent(leased)
    days = bench.settings.keep_messages / 86_400
    bench.now += int(days * DAY) - 2 * HOUR
    await bench.maintain()
    asked = [part.id for part in kept]
    assert await bench.store.resolve("shop", asked) == [*joined, None]
    bench.now += 2 * HOUR + SECOND
    for _ in range(3):
        await bench.maintain()
        bench.now += 61 * SECOND
    # The second ended as `unknown` a moment ago.
    assert await bench.store.resolve("shop", asked) == [None, joined[1], None]
    assert bench.sql("SELECT id FROM told_ids") == [(kept[1].id,)]
    assert await bench.store.waiting_parts() == kept[2:]
