"""Texts that go as soon as nobody needs them to send."""

from __future__ import annotations

import msgspec
import pytest
from workbench import HOUR, Bench

from gateway.model import BatchState, Status
from gateway.store.messages import OptOut, Outcome

SECRET = "code {{n}}"


def texts(bench: Bench) -> list[str]:
    return [row[0] for row in bench.sql("SELECT json ->> 'text' FROM contents ORDER BY id")]


def values(bench: Bench) -> list[str | None]:
    return [row[0] for row in bench.sql("SELECT vars FROM messages ORDER BY id")]


async def accept(bench: Bench, count: int = 1, discard: bool = True, **more: object) -> list[int]:
    submission = bench.submission(count, discard_text=discard, templated=True, **more)
    content = msgspec.structs.replace(submission.content, text=SECRET)
    submission.content = content
    if submission.batch is not None:
        submission.batch = msgspec.structs.replace(submission.batch, content=content)
    for message in submission.messages:
        message.vars = '{"n":"4711"}'
    assert await bench.store.accept([submission]) == [None]
    return [message.id for message in submission.messages]


async def test_a_text_goes_when_the_operator_has_it(bench: Bench) -> None:
    kept = await accept(bench, discard=False)
    gone = await accept(bench, metadata={"campaign": "x"})
    leased = await bench.lease()
    assert texts(bench) == [SECRET, SECRET]
    await bench.sent(leased)
    assert texts(bench) == [SECRET, ""]
    assert values(bench) == ['{"n":"4711"}', None]
    await bench.receive(*(bench.receipt(one) for one in kept + gone))
    assert [event.get("metadata") for event in bench.events()][-1] == {"campaign": "x"}
    (view,) = await bench.store.messages("shop", gone)
    assert view is not None
    assert (view.text, view.vars, Status(view.status)) == ("", None, Status.DELIVERED)


async def test_a_text_stays_while_it_may_have_to_be_sent_again(bench: Bench) -> None:
    await accept(bench)
    (message,) = await bench.lease()
    again = bench.result(message, Outcome.RETRY, Status.QUEUED, due=bench.now)
    await bench.store.settle([again])
    (message,) = await bench.lease()
    unknown = bench.result(message, Outcome.UNKNOWN, Status.QUEUED, due=bench.now)
    await bench.store.settle([unknown])
    assert (texts(bench), values(bench)) == ([SECRET], ['{"n":"4711"}'])
    await bench.reopen()
    await bench.sent(await bench.lease())
    assert (texts(bench), values(bench)) == ([""], [None])


@pytest.mark.parametrize("way", ["cancel", "expire", "opt out", "fail"])
async def test_a_text_goes_however_the_message_ends(bench: Bench, way: str) -> None:
    ids = await accept(bench, validity=HOUR)
    if way == "cancel":
        await bench.store.cancel("shop", ids, bench.now)
    elif way == "expire":
        bench.now += 2 * HOUR
        await bench.maintain()
    elif way == "fail":
        (message,) = await bench.lease()
        await bench.store.settle([bench.result(message, Outcome.FAILED, Status.FAILED)])
    else:
        number = bench.sql("SELECT number FROM messages")[0][0]
        await bench.store.opt_out([OptOut("shop", number, "*", "*", bench.now, "api")])
    assert (texts(bench), values(bench)) == ([""], [None])


async def test_a_campaigns_text_goes_with_its_end_and_its_values_at_once(bench: Bench) -> None:
    ids = await accept(bench, 3, new_batch=True)
    leased = await bench.lease(2)
    await bench.sent(leased)
    assert values(bench) == [None, None, '{"n":"4711"}']
    assert texts(bench) == [SECRET]
    await bench.sent(await bench.lease())
    await bench.receive(*(bench.receipt(one) for one in ids))
    await bench.maintain()
    assert (texts(bench), values(bench)) == ([""], [None] * 3)


async def test_a_campaign_that_grows_while_it_ends_has_its_text(bench: Bench) -> None:
    """The rest of an upload brings the text again."""
    submission = bench.submission(1, new_batch=True, discard_text=True)
    await bench.store.accept([submission])
    content = submission.content
    for _ in range(2):
        leased = await bench.lease()
        await bench.sent(leased)
        await bench.receive(*(bench.receipt(one.id) for one in leased))
        await bench.maintain()
        assert texts(bench) == [""]
        await bench.store.messages("shop", [one.id for one in leased])
        more = bench.submission(1, content=content)
        await bench.store.accept([more])
        assert texts(bench) == ["hello"]
    batch = await bench.store.batch("shop", content.batch or 0)
    assert batch is not None and batch.state is BatchState.RUNNING
