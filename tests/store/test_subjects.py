"""What is kept of a person, and that nothing of it is left where it was erased."""

from __future__ import annotations

import json

import msgspec
import pytest
from workbench import DAY, SECOND, Bench

from gateway.model import Status
from gateway.store.ledgers import AccountRules, Consent, ConsentState
from gateway.store.messages import (
    Content,
    Esme,
    InboundPart,
    Ineligible,
    LateAnswer,
    OptOut,
    Outcome,
    RawPart,
    Replacement,
    Settled,
    Tlv,
)
from gateway.store.records import MessageFilter
from gateway.store.sqlite import number_index

ANN, BOB = 79161234567, 79161234568
ACTOR = "ak_1 desk"


@pytest.fixture(params=[1, 10_000], ids=["indexed", "not indexed"], autouse=True)
def indexing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages in the index of numbers, and above it."""
    monkeypatch.setattr(number_index, "RUN", request.param)


async def accept(bench: Bench, number: int, text: str = "private words", **more: object) -> int:
    if "new_batch" not in more:  # a campaign's metadata are its own
        more |= {"metadata": {"who": f"m-{number}"}, "tlvs": (Tlv("0x1400", f"t-{number}"),)}
    submission = bench.submission(1, numbers=[number], refs=[f"ref-{number}"], **more)
    submission.content = msgspec.structs.replace(submission.content, text=text)
    if submission.batch is not None:
        submission.batch = msgspec.structs.replace(submission.batch, content=submission.content)
    submission.messages[0].vars = json.dumps({"name": f"v-{number}"})
    await bench.store.accept([submission])
    return submission.messages[0].id


async def deliver(bench: Bench, status: Status = Status.DELIVERED, **more: str) -> None:
    leased = await bench.lease()
    await bench.sent(leased)
    await bench.receive(*(bench.receipt(one.id, status, **more) for one in leased))


def consent(number: int) -> Consent:
    yes = ConsentState.GRANTED
    return Consent("shop", number, "*", yes, 1_000, "wording", "form", ACTOR)


async def live(bench: Bench, number: int) -> None:
    """Everything that can be kept of a number."""
    bench.store.rule_accounts({"shop": AccountRules(3)})
    store = bench.store
    await accept(bench, number)
    await accept(bench, number, new_batch=True, text="campaign {{name}}")
    await deliver(bench)
    await accept(bench, number)
    await deliver(bench, Status.UNDELIVERED, reason="unknown_subscriber")
    for text, total in (("a reply", 1), ("half a reply", 2)):
        part = InboundPart(
            "op1", f"+{number}", "777", f"{text} of {number}", bench.now, "shop", 7, total
        )
        await store.inbound([part])
    await store.record_consents([consent(number)])
    await store.opt_out([OptOut("shop", number, "ACME", "*", bench.now, "api")])
    submission = bench.submission(0, new_batch=True)
    submission.ineligible = [
        Ineligible(0, f"+{number}", "opted_out", "said no", f"ref-{number}"),
        Ineligible(1, f"8 ({str(number)[1:4]}) {str(number)[4:]}", "opted_out", "said no"),
        Ineligible(2, copied(number), "opted_out", "copied from a page"),
    ]
    await store.accept([submission])
    await bench.maintain()


def copied(number: int) -> str:
    """With the signs a text processor sets between digits."""
    digits = str(number)
    return (
        f"+{digits[0]}\u00a0{digits[1:4]}\u202f{digits[4:7]}\u2011{digits[7:9]}\u2013{digits[9:]}"
    )


def traces(bench: Bench, number: int) -> dict[str, int]:
    """Tables in which the number, or what came with it, can be read; the log of events apart."""
    tables = [row[0] for row in bench.sql("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found: dict[str, int] = {}
    for table in tables:
        if table in ("events", "idempotency"):
            continue
        for row in bench.sql(f"SELECT * FROM {table}"):
            if str(number) in str(row) or copied(number) in row:
                found[table] = found.get(table, 0) + 1
    return found


async def test_everything_kept_is_told(bench: Bench) -> None:
    await live(bench, ANN)
    await live(bench, BOB)
    subject = await bench.store.subject("shop", ANN)
    assert [one.wording for one in subject.consents] == ["wording"]
    assert [one.sender for one in subject.opt_outs] == ["acme"]
    assert (subject.failures, subject.suppressed) == (1, False)
    assert subject.failed_at is not None
    (reply,) = await bench.store.replies("shop", ANN, 10)
    assert reply.text == f"a reply of {ANN}"
    assert await bench.store.replies("shop", ANN, 10, reply.id) == []
    excluded = await bench.store.excluded("shop", ANN)
    assert [one.recipient.position for one in excluded] == [0, 1, 2]
    nobody = await bench.store.subject("shop", 33612345678)
    assert (nobody.consents, nobody.opt_outs, nobody.failures) == ([], [], 0)
    assert await bench.store.excluded("nobody", ANN) == []


async def test_one_message_that_waits_keeps_no_numbers_of_those_that_are_gone(bench: Bench) -> None:
    await accept(bench, ANN)
    await deliver(bench)
    # Behind it in time, before it in the table: the run of its number stays as long as it waits.
    bench.now += 1
    year = 400 * DAY
    waiting = bench.submission(1, numbers=[BOB], due=bench.now + year, validity=2 * year)
    await bench.store.accept([waiting])
    await accept(bench, ANN)
    await deliver(bench)
    await bench.maintain()
    bench.now += int(bench.settings.keep_messages * SECOND) + DAY
    for _ in range(3):
        await bench.maintain()
        bench.now += DAY
    assert (await bench.store.messages("shop", [waiting.messages[0].id])) != [None]
    assert traces(bench, ANN) == {}


async def test_what_fails_after_an_erasure_is_not_counted_for_the_number(bench: Bench) -> None:
    bench.store.rule_accounts({"shop": AccountRules(3)})
    await accept(bench, ANN)
    await accept(bench, BOB)
    leased = await bench.lease()
    await bench.sent(leased)
    await bench.store.erase("shop", ANN, ACTOR, bench.now)
    await bench.reopen()
    bench.store.rule_accounts({"shop": AccountRules(3)})
    lost = {"status": Status.UNDELIVERED, "reason": "unknown_subscriber"}
    await bench.receive(*(bench.receipt(one.id, **lost) for one in leased))
    bench.now += SECOND
    await bench.maintain()
    assert traces(bench, ANN) == {}
    assert bench.sql("SELECT number FROM failures") == [(BOB,)]


async def test_what_comes_back_after_an_erasure_leaves_no_more(bench: Bench) -> None:
    message = await accept(bench, ANN)
    await accept(bench, BOB)
    leased = await bench.lease()
    assert (await bench.store.erase("shop", ANN, ACTOR, bench.now)).under_way == 1
    back = [
        Settled(one, "op1", Outcome.RETRY, bench.now, Status.QUEUED, due=bench.now)
        for one in leased
    ]
    await bench.store.settle(back)
    await bench.reopen()
    assert [one.number for one in await bench.lease()] == [BOB]
    (view,) = await bench.store.messages("shop", [message])
    assert view is not None
    assert (view.status, view.reason) == (Status.CANCELED, "erased")
    bench.now += SECOND
    await bench.maintain()
    assert traces(bench, ANN) == {}
    assert bench.store._memory.erasing == set()


async def test_an_erasure_leaves_no_trace_and_nobody_elses_harmed(bench: Bench) -> None:
    await live(bench, ANN)
    before = traces(bench, ANN)
    assert {"messages", "contents", "inbound", "consents", "opt_outs", "failures"} <= set(before)
    assert {"mo_groups", "ineligible"} <= set(before)
    await live(bench, BOB)
    kept = traces(bench, BOB)
    counts = [batch.counts for batch in await bench.store.batches("shop", 10)]
    gone = await bench.store.erase("shop", ANN, ACTOR, bench.now)
    assert (gone.messages, gone.canceled, gone.under_way) == (3, 0, 0)
    assert (gone.replies, gone.excluded, gone.consents, gone.opt_outs_kept) == (1, 3, 1, 1)
    assert traces(bench, ANN) == {}
    assert traces(bench, BOB) == kept
    assert [batch.counts for batch in await bench.store.batches("shop", 10)] == counts
    texts = bench.sql(
        "SELECT c.json ->> 'text' FROM messages AS m JOIN contents AS c ON c.id = m.content"
        " WHERE m.number = 0 AND c.batch IS NULL"
    )
    assert texts == [("",), ("",)]
    # Seen by its owner it is a message to nobody.
    empty = await bench.store.search(MessageFilter("shop", number=ANN), 10)
    assert empty == []
    (identifier,) = bench.sql("SELECT max(id) FROM messages WHERE number = 0")[0]
    (view,) = await bench.store.messages("shop", [identifier])
    assert view is not None
    assert (view.number, view.text, view.vars, view.client_ref) == (0, "", None, None)
    assert (view.metadata, view.part_list) == (None, [])
    # The refusal still stops messages.
    assert await bench.store.opted_out("shop", "ACME", "service", [ANN, BOB]) == {ANN, BOB}
    (entry,) = await bench.store.audit("shop", 5)
    assert (entry.action, entry.actor, entry.subject) == ("subject.erase", ACTOR, "+7916****567")
    assert entry.detail["messages"] == 3
    again = await bench.store.erase("shop", ANN, ACTOR, bench.now)
    assert (again.messages, again.consents, again.excluded) == (0, 0, 0)


async def test_another_accounts_data_stay(bench: Bench) -> None:
    await bench.accept(numbers=[ANN], account="other")
    await deliver(bench)
    other = msgspec.structs.replace(consent(ANN), account="other")
    await bench.store.record_consents([other])
    await bench.store.inbound([InboundPart("op1", f"{ANN}", "777", "hi", bench.now, "other")])
    before = traces(bench, ANN)
    gone = await bench.store.erase("shop", ANN, ACTOR, bench.now)
    assert gone.messages == gone.replies == gone.consents == 0
    assert traces(bench, ANN) == before


async def test_what_waits_is_cancelled_with_an_event(bench: Bench) -> None:
    batch = await accept(bench, ANN, new_batch=True)
    held = await accept(bench, ANN, due=bench.now + DAY, status=Status.SCHEDULED)
    other = await accept(bench, BOB)
    await bench.maintain()
    gone = await bench.store.erase("shop", ANN, ACTOR, bench.now)
    assert (gone.messages, gone.canceled, gone.under_way) == (2, 2, 0)
    told = {event["message"]: event for event in bench.events()}
    assert len(told) == 2
    for event in told.values():
        assert event["status"] == "canceled"
        assert event["reason"]["code"] == "erased"
        assert event["to"] == f"+{ANN}"
    assert [one.id for one in await bench.lease()] == [other]
    views = await bench.store.messages("shop", [batch, held])
    assert [view and view.reason for view in views] == ["erased", "erased"]
    assert traces(bench, ANN) == {}


async def test_what_is_on_its_way_is_erased_when_it_is_over(bench: Bench) -> None:
    sending = await accept(bench, ANN)
    (leased,) = await bench.lease()
    sent = await accept(bench, ANN)
    await bench.sent(await bench.lease())
    await bench.maintain()
    gone = await bench.store.erase("shop", ANN, ACTOR, bench.now)
    assert (gone.messages, gone.canceled, gone.under_way) == (0, 0, 2)
    # The text of what the operator has is needed by nobody.
    texts = bench.sql("SELECT json ->> 'text' FROM contents ORDER BY id")
    assert texts == [("private words",), ("",)]
    await bench.maintain()
    assert traces(bench, ANN)["messages"] == 2
    await bench.sent([leased])
    await bench.receive(bench.receipt(sending), bench.receipt(sent))
    assert [event["to"] for event in bench.events()][-2:] == [f"+{ANN}"] * 2
    bench.now += SECOND
    await bench.maintain()
    assert traces(bench, ANN) == {}
    assert bench.sql("SELECT * FROM erasing") == []


async def test_what_comes_back_from_its_way_is_cancelled(bench: Bench) -> None:
    await accept(bench, ANN)
    (leased,) = await bench.lease()
    await bench.store.erase("shop", ANN, ACTOR, bench.now)
    again = bench.result(leased, Outcome.RETRY, Status.QUEUED, due=bench.now + DAY)
    await bench.store.settle([again])
    bench.now += SECOND
    await bench.maintain()
    assert bench.statuses() == {"canceled": 1}
    assert bench.events()[-1]["reason"]["code"] == "erased"
    assert traces(bench, ANN) == {}


async def test_news_of_erased_messages_tell_of_nobody(bench: Bench) -> None:
    """Receipts and late answers that come after all, also after a restart."""
    identifier = await accept(bench, ANN)
    (leased,) = await bench.lease()
    await bench.sent([leased], receipts=False)  # ends as unknown
    await bench.store.erase("shop", ANN, ACTOR, bench.now)
    events = len(bench.events())
    for _ in range(2):
        await bench.receive(bench.receipt(identifier))
        late = LateAnswer(identifier, "op1", 1, 1, f"{identifier}-1", bench.now)
        await bench.store.settle_late([late])
        await bench.receive(bench.receipt(identifier))
        await bench.reopen()
    assert len(bench.events()) == events
    assert bench.statuses() == {"unknown": 1}
    assert traces(bench, ANN) == {}


async def test_a_customers_own_parts_go_too(bench: Bench) -> None:
    raw = (RawPart(1, 0x40, 0, 0, b"secret one"), RawPart(2, 0x40, 0, 0, b"secret two"))
    esme = Esme("acme", "ACME", registered_delivery=1)
    await bench.accept(numbers=[ANN], parts=2, raw=raw, esme=esme)
    await bench.sent(await bench.lease())
    await bench.receive(*[bench.receipt(row[0], part=p) for row in bench.sql(
        "SELECT id FROM messages") for p in (1, 2)])  # fmt: skip
    await bench.store.erase("shop", ANN, ACTOR, bench.now)
    (stored,) = bench.sql("SELECT json FROM contents")[0]
    assert "c2Vjcm" not in stored  # base64 of what they said


async def test_many_messages_are_erased_in_steps(bench: Bench) -> None:
    await bench.accept(900, numbers=[ANN] * 450 + [BOB] * 450)
    await deliver(bench)
    while leased := await bench.lease(300):
        await bench.sent(leased)
        await bench.receive(*(bench.receipt(one.id) for one in leased))
    await bench.maintain()
    gone = await bench.store.erase("shop", ANN, ACTOR, bench.now)
    assert gone.messages == 450
    assert bench.sql("SELECT number, count(*) FROM messages GROUP BY number") == [
        (0, 450), (BOB, 450),
    ]  # fmt: skip
    # They shared a text that is still somebody's.
    assert bench.sql("SELECT json ->> 'text' FROM contents") == [("hello",)]
    await bench.store.erase("shop", BOB, ACTOR, bench.now)
    assert bench.sql("SELECT json ->> 'text' FROM contents") == [("",)]


async def test_a_text_that_was_replaced_is_gone_at_once(bench: Bench) -> None:
    """replace_sm: nothing leads to the old text any more, so nothing could erase it later."""
    identifier = await accept(bench, ANN, "first words")
    batch = await accept(bench, ANN, "campaign", new_batch=True)
    content = Content(bench.new_id(), "shop", "ACME", "last words", "service")
    due, deadline = bench.now, bench.now + DAY
    ones = [
        Replacement(one, msgspec.structs.replace(content, id=bench.new_id()), 1, 0,
                    Status.QUEUED, due, deadline)
        for one in (identifier, batch)
    ]  # fmt: skip
    await bench.store.replace("shop", ones, bench.now)
    texts = bench.sql("SELECT json ->> 'text' FROM contents ORDER BY id")
    assert texts == [("campaign",), ("last words",), ("last words",)]
    await bench.store.erase("shop", ANN, ACTOR, bench.now)
    texts = bench.sql("SELECT json ->> 'text' FROM contents ORDER BY id")
    assert texts == [("campaign",), ("",), ("",)]
