"""Messages that have not left get another content."""

from __future__ import annotations

import pytest
from workbench import DAY, HOUR, SECOND, Bench, held

from gateway.model import Status
from gateway.store.messages import Content, Demand, Esme, Outcome, Replacement

QUEUED, SCHEDULED, HELD, NIGHT = (
    Status.QUEUED, Status.SCHEDULED, Status.HELD_MODERATION, Status.HELD_QUIET,
)  # fmt: skip


def replacement(bench: Bench, message: int, **more) -> Replacement:
    fields = {
        "parts": 2, "encoding": 1, "status": QUEUED, "due": bench.now, "deadline": bench.now + DAY,
    } | {key: more.pop(key) for key in ("parts", "encoding", "status", "due", "deadline")
         if key in more}  # fmt: skip
    content = Content(
        bench.new_id(), "shop", "ACME", more.pop("text", "another"), "service",
        esme=Esme("acme", "ACME"), **more,
    )  # fmt: skip
    if fields["status"] == HELD:
        fields |= {"text": held(), "reason": "stop_word"}
    return Replacement(message, content, **fields)


async def replace(bench: Bench, *ones: Replacement, account: str = "shop") -> list[int | None]:
    return await bench.store.replace(account, ones, bench.now)


async def test_a_message_leaves_with_its_last_text(bench: Bench):
    submission = bench.submission(2, refs=["a", "b"], templated=True)
    for message in submission.messages:
        message.vars = '{"name":"value"}'
    await bench.store.accept([submission])
    ids = [message.id for message in submission.messages]
    one = replacement(bench, ids[0], text="never seen")
    two = replacement(bench, ids[0], text="the last", metadata={"a": "b"}, deadline=bench.now + 7)
    assert await replace(bench, one, two) == [QUEUED, QUEUED]
    (view,) = await bench.store.messages("shop", [ids[0]])
    assert view is not None
    assert (view.text, view.parts, view.encoding, view.sequence) == ("the last", 2, 1, 0)
    assert (view.status, view.due, view.deadline) == (QUEUED, bench.now, bench.now + 7)
    assert (view.client_ref, view.metadata) == ("a", {"a": "b"})
    assert bench.events() == []
    await bench.reopen()
    demand = await bench.store.lease([Demand("op1", ["main/bulk"], 9)], bench.now)
    first = next(m for m in demand.taken[0] if m.id == ids[0])
    assert demand.contents[first.content] == two.content
    assert [m.vars for m in demand.taken[0]] == [None, '{"name":"value"}']
    assert first is demand.taken[0][0]


async def test_only_what_has_not_left_changes(bench: Bench):
    queued, leased, sent, over = await bench.accept(4)
    await bench.store.cancel("shop", [over], bench.now)
    taken = {m.id: m for m in await bench.lease(2)}
    assert set(taken) == {queued, leased}
    await bench.store.settle([bench.result(taken[queued], Outcome.RETRY, QUEUED)])
    last = {m.id: m for m in await bench.lease()}
    assert set(last) == {queued, sent}
    await bench.store.settle([bench.result(last[queued], Outcome.RETRY, QUEUED)])
    await bench.sent([last[sent]])
    answers = await replace(
        bench, *(replacement(bench, one) for one in (queued, leased, sent, over, 4711))
    )
    assert answers == [QUEUED, Status.SENDING, Status.SENT, Status.CANCELED, None]
    views = await bench.store.messages("shop", [queued, leased, sent, over])
    assert [view.text for view in views if view] == ["another", "hello", "hello", "hello"]
    assert bench.sql("SELECT count(*) FROM contents") == [(2,)]  # nothing is stored in vain
    (foreign,) = await bench.accept(1, account="other")
    assert await replace(bench, replacement(bench, foreign)) == [None]


@pytest.mark.parametrize("status", [QUEUED, SCHEDULED, NIGHT])
async def test_a_message_moves_in_time(bench: Bench, status):
    (one,) = await bench.accept(1, status=status, due=bench.now + HOUR)
    assert await bench.lease() == []
    bench.work_seen = 0
    await replace(bench, replacement(bench, one, status=status))
    assert bench.work_seen == 1
    (leased,) = await bench.lease()
    assert (leased.id, leased.parts) == (one, 2)
    await bench.store.settle([bench.result(leased, Outcome.RETRY, QUEUED)])
    await replace(bench, replacement(bench, one, status=SCHEDULED, due=bench.now + HOUR))
    assert await bench.lease() == []
    bench.now += HOUR
    assert [m.id for m in await bench.lease()] == [one]


@pytest.mark.parametrize(
    ("before", "wanted", "after"),
    [
        (QUEUED, SCHEDULED, QUEUED),
        (NIGHT, SCHEDULED, NIGHT),
        (SCHEDULED, QUEUED, QUEUED),
        (QUEUED, HELD, HELD),
        (SCHEDULED, HELD, HELD),
        (NIGHT, HELD, HELD),
        (HELD, QUEUED, QUEUED),
        (HELD, SCHEDULED, SCHEDULED),
        (QUEUED, NIGHT, NIGHT),
        (HELD, HELD, HELD),
    ],
)
async def test_the_status_follows_where_the_table_allows_it(bench: Bench, before, wanted, after):
    (one,) = await bench.accept(1, status=before, new_batch=True)
    assert await replace(bench, replacement(bench, one, status=wanted)) == [before]
    (view,) = await bench.store.messages("shop", [one])
    assert view is not None
    assert view.status == after
    told = [(event["status"], event["sequence"]) for event in bench.events()]
    expected = [before.public] if before in (HELD, NIGHT) else []  # told when it was accepted
    expected += [] if before == after else [after.public]
    assert told == [(status, place) for place, status in enumerate(expected, 1)]
    assert view.sequence == len(told)
    assert len(await bench.lease()) == (after is not HELD)
    bench.check()


async def test_a_replacement_that_fails_changes_nothing(bench: Bench):
    ids = await bench.accept(2)
    held = replacement(bench, ids[1], status=HELD)
    held.content = replacement(bench, ids[0]).content  # an id that is taken twice
    broken = replacement(bench, ids[0])
    broken.parts = None  # type: ignore[assignment]
    with pytest.raises(Exception, match="NOT NULL"):
        await replace(bench, held, broken)
    bench.check()
    assert held.content.id not in bench.store._memory.contents
    assert broken.content.id not in bench.store._memory.contents
    views = await bench.store.messages("shop", ids)
    assert [(view.text, view.status) for view in views if view] == [("hello", QUEUED)] * 2
    assert [m.id for m in await bench.lease()] == ids


async def test_the_old_text_is_gone_at_once_and_retention_finds_the_new(bench: Bench):
    (one,) = await bench.accept(1)
    keep_text = int(bench.settings.keep_text * SECOND)
    later = bench.now + keep_text + DAY
    await replace(bench, replacement(bench, one, text="new", due=later, deadline=later + DAY))

    async def texts() -> list[str]:
        for _ in range(5):
            await bench.maintain()
            bench.now += 61 * SECOND
        return [row[0] for row in bench.sql("SELECT json ->> 'text' FROM contents ORDER BY id")]

    assert await texts() == ["new"]
    bench.now = later
    assert await texts() == ["new"]  # what waits is kept, however old
    await bench.sent(await bench.lease(), receipts=False)
    bench.now += keep_text + HOUR
    assert await texts() == [""]
    bench.now += int(bench.settings.keep_messages * SECOND)
    assert await texts() == []
    assert bench.sql("SELECT count(*) FROM messages") == [(0,)]
