"""Keywords on their way: from deliver_sm to the ledger, the queue and the answer."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import Mock

import msgspec
import pytest

from config.keyword_files import read_keywords
from config.policies import Moderation
from config.settings import Account
from gateway.admission.judging import Moderation as Judging
from gateway.errors import StoreUnavailable
from gateway.metrics import KEYWORD_RULES_OFF, TASK_ERRORS
from gateway.model import Status
from gateway.store.messages import OptOut
from gateway.store.registry import Entry, Kind
from gateway.store.sqlite import inbound
from tests.returns.talking import HOUR, OTHER, OURS, PHONE, SECOND, START, Talk, deliver, shop

EN = read_keywords("keywords").answers["en"]
STOPPED = EN.stop.replace("{brand}", "Kestrel")
HELPED = EN.help.replace("{brand}", "Kestrel")
RESTARTED = EN.start.replace("{brand}", "Kestrel")
WELCOME = "Kestrel offers, 4 a month. HELP for help, STOP to end."


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Talk]:
    talk = Talk(tmp_path)
    await talk.open()
    await talk.configure()
    yield talk
    await talk.store.close()


# --- STOP


async def test_a_stop_blocks_its_sender_cancels_and_is_confirmed_once(talk: Talk) -> None:
    mine = await talk.send()
    others = await talk.send(sender="4930111111")
    elsewhere = await talk.send(number=OTHER)
    assert await talk.says("Stop!") == [STOPPED]
    assert [await talk.status(one) for one in (mine, others, elsewhere)] == [
        "canceled", "queued", "queued",
    ]  # fmt: skip
    assert await talk.refuses()
    assert await talk.refuses(category="transactional")
    assert not await talk.refuses("4930111111")
    assert not await talk.refuses(number=OTHER)
    (answer,) = [one for one in talk.contents() if one.get("answer")]
    assert (answer["sender"], answer["category"]) == (OURS, "transactional")
    (event,) = talk.events("message.inbound")
    assert event["keyword"] == {"kind": "stop", "word": "STOP", "language": None}
    assert (talk.counted("stop"), talk.fate("stop", "accepted")) == (1, 1)
    # Again within the day: it holds, and is not confirmed again - also after a restart.
    assert await talk.says("stop", "UNSUBSCRIBE") == []
    await talk.again()
    talk.now += 24 * HOUR - SECOND
    assert await talk.says("STOP") == []
    assert talk.fate("stop", "daily") == 3
    talk.now += SECOND
    assert await talk.says("STOP") == [STOPPED]


async def test_the_answer_speaks_the_language_of_the_keyword(talk: Talk) -> None:
    answers = read_keywords("keywords").answers
    assert await talk.says("CTOП") == [answers["ru"].stop.replace("{brand}", "Kestrel")]
    (event,) = talk.events("message.inbound")
    assert event["keyword"] == {"kind": "stop", "word": "СТОП", "language": "ru"}
    await talk.configure(language="de")
    expected = [answers["de"].help.replace("{brand}", "Kestrel")]
    assert await talk.says("help", source=OTHER) == expected


async def test_without_a_brand_the_sender_is_named(talk: Talk) -> None:
    await talk.configure(brand="")
    assert await talk.says("STOP") == [EN.stop.replace("{brand}", f"+{OURS}")]
    await talk.send(sender="ACME", number=OTHER, sent=True)
    assert await talk.says("STOP", source=OTHER) == [EN.stop.replace("{brand}", "ACME")]


async def test_the_confirmation_is_not_taken_back_by_a_second_stop(talk: Talk) -> None:
    assert await talk.says("STOP") == [STOPPED]
    assert await talk.says("STOP!!") == []
    (leaving,) = await talk.leave()
    (view,) = await talk.store.messages("shop", [leaving])
    assert view is not None
    assert view.text == STOPPED


async def test_a_stop_takes_back_the_answers_that_promise_messages(talk: Talk) -> None:
    await talk.configure(welcome=WELCOME)
    assert await talk.says("STOP", "START", source=OTHER) == [STOPPED, RESTARTED]
    assert await talk.says("JOIN", "HELP", "STOP") == [WELCOME, HELPED, STOPPED]
    assert await talk.says("STOP", source=OTHER) == []
    views = await talk.store.messages("shop", await talk.leave())
    left = [(str(view.number), view.text) for view in views if view is not None]
    assert left == [(OTHER, STOPPED), (PHONE, HELPED), (PHONE, STOPPED)]


async def test_an_answer_that_promises_messages_is_asked_about_when_it_leaves(talk: Talk) -> None:
    await talk.configure(welcome=WELCOME)
    assert await talk.says("JOIN") == [WELCOME]
    no = OptOut("shop", int(PHONE), "*", "*", talk.now, "import")
    await talk.store.import_opt_outs([no])
    assert await talk.leave() == []


async def test_a_name_cannot_be_written_to_so_its_stop_comes_to_a_number(talk: Talk) -> None:
    await talk.send(sender="ACME", sent=True)
    waiting = await talk.send(sender="ACME")
    await talk.says("STOP")
    assert await talk.status(waiting) == "canceled"
    assert [await talk.refuses(one) for one in ("ACME", "acme", OURS, "Beta")] == [
        True, True, True, False,
    ]  # fmt: skip
    await talk.says("START")
    assert [await talk.refuses(one) for one in ("ACME", OURS)] == [False, False]


async def test_a_cancelling_that_fails_keeps_nobody_elses_from_being_made(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk.apply(shop(), shop("bank", ["4930111111"]))
    waiting = {
        "shop": await talk.send(),
        "bank": await talk.send(account="bank", sender="4930111111", number=OTHER),
    }
    cancel, tried = talk.store.cancel_opted_out, []

    async def fails(account: str, *more: object) -> int:
        tried.append(account)
        if len(tried) == 1:
            raise StoreUnavailable("the disk is full")
        return await cancel(account, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(talk.store, "cancel_opted_out", fails)
    await talk.returns.take(
        "op1", [*deliver("STOP"), *deliver("STOP", source=OTHER, to="4930111111")]
    )
    await talk.returns.listening.settled()
    assert await talk.status(waiting[tried[1]]) == "canceled"
    assert await talk.status(waiting[tried[0]]) == "queued"
    await talk.answering.drain()
    assert not set(waiting.values()) & set(await talk.leave())  # it ends in the lease
    assert talk.metric(TASK_ERRORS, "refusals") == 1


async def test_an_answer_in_between_does_not_hide_the_name(talk: Talk) -> None:
    await talk.send(sender="ACME", sent=True)
    talk.now += SECOND
    assert await talk.says("HELP") == [HELPED]
    await talk.leave()
    talk.now += SECOND
    await talk.says("STOP")
    assert await talk.refuses("ACME")


async def test_a_stop_nobody_knows_the_account_of_holds_for_all(talk: Talk) -> None:
    assert await talk.says("STOP", to="31611111111") == []
    assert await talk.refuses("31611111111")
    assert await talk.refuses("31611111111", account="another")
    assert not await talk.refuses(OURS)
    assert talk.fate("stop", "no_account", "*") == 1
    await talk.says("START", to="31611111111")
    assert not await talk.refuses("31611111111")


@pytest.mark.parametrize(
    ("source", "to"),
    [("+33612345678", "+33700000000"), ("0612345678", "0700000000"), ("612345678", "33700000000"),
     ("0033612345678", "0033700000000")],
)  # fmt: skip
async def test_a_stop_counts_however_the_operator_writes_its_numbers(
    talk: Talk, source: str, to: str
) -> None:
    waiting = await talk.send(number="33612345678", sender="+33700000000")
    await talk.apply(shop(numbers=["+33700000000"]), region="FR")
    assert len(await talk.says("STOP", source=source, to=to)) == 1
    assert await talk.status(waiting) == "canceled"
    assert await talk.refuses("+33700000000", number="33612345678")


async def test_a_national_number_of_an_unknown_country_is_not_taken_for_another_countrys(
    talk: Talk,
) -> None:
    assert await talk.says("STOP", source="0612345678") == []
    assert not await talk.refuses(number="612345678")  # somebody in Australia
    assert talk.sql("SELECT count(*) FROM opt_outs") == [(0,)]
    assert talk.fate("stop", "no_number") == 1


async def test_a_stop_in_parts_counts_when_it_is_whole(talk: Talk) -> None:
    first, second = deliver("STOP sending me all of this, I never asked for it. " * 4)
    await talk.returns.take("op1", [second])
    assert not await talk.refuses()
    await talk.returns.take("op1", [first])
    assert await talk.refuses()
    await talk.returns.take("op1", [first, second])  # the operator repeats itself
    await talk.answering.drain()
    assert await talk.answers() == [STOPPED]
    assert talk.counted("stop") == 1


async def test_a_stop_whose_end_never_came_counts_too(talk: Talk) -> None:
    first, _ = deliver("STOP sending me all of this, I never asked for it. " * 4)
    await talk.returns.take("op1", [first])
    talk.now += HOUR
    while await talk.store.maintain(talk.now):
        pass
    assert await talk.refuses()
    await talk.answering.drain()
    assert await talk.answers() == [STOPPED]
    assert talk.counted("stop") == 1


async def test_stop_and_start_in_one_read_stay_in_order(talk: Talk) -> None:
    await talk.says("STOP", "START")
    assert not await talk.refuses()
    await talk.says("START", "STOP")
    assert await talk.refuses()


async def test_a_stop_survives_that_nothing_can_be_answered(talk: Talk) -> None:
    await talk.apply(shop(numbers=(OURS,), brand="Kestrel"))
    talk.world.routing = type(talk.world.routing)([])
    assert await talk.says("STOP") == []
    assert await talk.refuses()
    assert talk.fate("stop", "no_route") == 1

    async def full(submissions: object) -> None:
        raise StoreUnavailable("the disk is full")

    await talk.again()
    # A disk that is full for answers alone: what was said is stored.
    talk.answering._store = type("Full", (), {"accept": staticmethod(full),
                                 "new_ids": talk.store.new_ids})()  # fmt: skip
    assert await talk.says("STOP", source=OTHER) == []
    assert await talk.refuses(number=OTHER)
    assert talk.fate("stop", "store") == 1


async def test_what_could_not_be_stored_has_no_effect(talk: Talk) -> None:
    await talk.store.close()
    with pytest.raises(StoreUnavailable):
        await talk.returns.take("op1", deliver("STOP"))
    assert talk.counted("stop") == 0
    await talk.again()
    assert not await talk.refuses()


async def test_a_reply_and_its_effect_are_stored_together_or_not_at_all(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails after the refusal was written takes the reply back too: the operator is told to
    send it again."""
    waiting = await talk.send()
    with monkeypatch.context() as broken:
        full = sqlite3.OperationalError("database or disk is full")
        broken.setattr(inbound, "_tell", Mock(side_effect=full))
        with pytest.raises(StoreUnavailable):
            await talk.returns.take("op1", deliver("STOP"))
    assert await talk.store.inbound_messages("shop", 10) == []
    assert not await talk.refuses()
    assert await talk.status(waiting) == "queued"
    assert talk.events("optout.created") == []
    assert await talk.says("STOP") == [STOPPED]
    assert await talk.status(waiting) == "canceled"
    assert len(talk.events("optout.created")) == 1


# --- START, YES, JOIN


async def test_start_restores_and_says_so(talk: Talk) -> None:
    await talk.says("STOP")
    assert await talk.says("start") == [RESTARTED]
    assert not await talk.refuses()
    again = await talk.send()
    assert again in await talk.leave()


async def test_start_takes_back_no_refusal_of_everything(talk: Talk) -> None:
    await talk.store.opt_out([OptOut("shop", int(PHONE), "*", "*", talk.now, "api")])
    assert await talk.says("START") == []
    assert await talk.refuses()
    assert talk.fate("start", "opted_out") == 1


async def test_yes_is_a_start_for_who_has_stopped_and_nothing_for_others(talk: Talk) -> None:
    assert await talk.says("YES") == []
    assert talk.events("message.inbound")[-1]["keyword"] is None
    assert talk.counted("start") == 0
    await talk.says("STOP")
    assert await talk.says("Yes") == [RESTARTED]
    assert not await talk.refuses()
    event = talk.events("message.inbound")[-1]
    assert event["keyword"] == {"kind": "start", "word": "YES", "language": None}


async def test_join_is_an_ordinary_reply_without_a_welcome(talk: Talk) -> None:
    assert await talk.says("JOIN") == []
    assert not await talk.consents()


async def test_join_welcomes_and_records_a_consent(talk: Talk) -> None:
    await talk.configure(welcome=WELCOME, join=("JOIN", "Küsse"))
    await talk.says("STOP")
    assert await talk.says("kusse!") == [WELCOME]
    assert await talk.consents()
    assert await talk.consents("Kestrel")
    assert not await talk.refuses()
    (consent, _) = await talk.store.consents("shop", 10)
    assert consent.source == "keyword"
    assert "Küsse" in consent.wording
    assert WELCOME in consent.wording
    assert await talk.says("Join us tonight?") == []  # the whole text only
    assert talk.counted("join") == 1


async def test_a_double_opt_in_asks_and_counts_a_yes_within_a_day(talk: Talk) -> None:
    await talk.configure(welcome=WELCOME, double_opt_in=True)
    question = EN.confirm.replace("{brand}", "Kestrel")
    assert await talk.says("JOIN") == [question]
    assert not await talk.consents()
    assert await talk.says("Maybe") == []
    await talk.again()
    talk.now += 24 * HOUR
    assert await talk.says("YES") == []
    assert not await talk.consents()
    assert await talk.says("JOIN") == [question]
    talk.now += 24 * HOUR - 1
    assert await talk.says("yes.") == [WELCOME]
    assert await talk.consents()
    (consent, *_) = await talk.store.consents("shop", 10)
    assert question in consent.wording
    assert await talk.says("YES") == []  # to what?


async def test_a_stop_withdraws_the_question(talk: Talk) -> None:
    await talk.configure(welcome=WELCOME, double_opt_in=True)
    await talk.says("JOIN", "STOP")
    await talk.says("YES")  # takes back the STOP, and subscribes to nothing
    assert not await talk.consents()


# --- HELP, what is configured, whom nothing is answered to


async def test_help_is_answered(talk: Talk) -> None:
    assert await talk.says("help me") == [HELPED]
    assert not await talk.refuses()
    await talk.configure(help_answer="{brand}: call +49 30 1234")
    assert await talk.says("INFO") == ["Kestrel: call +49 30 1234"]


async def test_registered_senders_are_ours(talk: Talk) -> None:
    doc = {"sender": "4930777777", "carrier": "*", "status": "approved"}
    await talk.store.put_entries([Entry(Kind.SENDER, "shop", "one", doc)])
    await talk.registries.settled()
    assert await talk.says("HELP", source="4930777777") == []
    assert talk.fate("help", "own_sender") == 1


async def test_an_account_may_answer_nothing(talk: Talk) -> None:
    await talk.configure(stop_answer="")
    assert await talk.says("STOP") == []
    assert await talk.refuses()
    await talk.configure(answers=False)
    assert await talk.says("HELP", "STOP", source=OTHER) == []
    assert await talk.refuses(number=OTHER)
    assert talk.fate("help", "off") == 1


@pytest.mark.parametrize(
    ("source", "why"),
    [(OURS, "own_sender"), ("4930999999", "own_sender"), ("72345", "short_code"),
     ("ACME", "no_number"), ("4930888888", "own_sender")],
)  # fmt: skip
async def test_machines_get_no_answer(talk: Talk, source: str, why: str) -> None:
    other = shop("other", ("+4930999999",))
    sender = Account(name="third", senders=("+4930888888",))
    await talk.apply(shop(brand="Kestrel"), other, sender)
    assert await talk.says("HELP", source=source) == []
    assert talk.fate("help", why) == 1


async def test_two_machines_that_answer_each_other_come_to_an_end(tmp_path: Path) -> None:
    """Ours, and one that answers everything with a text our rule answers."""
    ours, theirs = Talk(tmp_path / "ours"), Talk(tmp_path / "theirs")
    for talk, number, reply in (
        (ours, OURS, "Thanks! Text INFO for our help."),
        (theirs, OTHER, "Help wanted? We reply to any text about help."),
    ):
        talk.path.parent.mkdir()
        await talk.open()
        await talk.apply(shop(numbers=(number,), brand="A"))
        await talk.rules(any={"match": "contains", "pattern": "help", "reply": reply})
    said, turns = ["Can you help?"], 0
    talk, other, source, to = ours, theirs, OTHER, OURS
    while said and turns < 100:
        turns += 1
        said = await talk.says(*said, source=source, to=to)
        talk, other, source, to = other, talk, to, source
        ours.now += SECOND
        theirs.now += SECOND
    assert 2 <= turns <= 12
    # What was exhausted in this hour is there again in the next, for a person.
    ours.now += HOUR
    assert len(await ours.says("Help", source=OTHER, to=OURS)) == 1
    for one in (ours, theirs):
        await one.store.close()


async def test_an_echo_of_what_we_said_is_not_answered(talk: Talk) -> None:
    await talk.configure(help_answer="Help: see our page.")
    assert await talk.says("HELP") == ["Help: see our page."]
    assert await talk.says("> HELP: see our page") == []
    assert talk.fate("help", "echo") == 1
    assert await talk.says("help?") == ["Help: see our page."]


async def test_one_number_gets_so_many_answers_an_hour(talk: Talk) -> None:
    await talk.configure(answers_per_hour=2)
    assert len(await talk.says("help 1", "help 2", "help 3")) == 2
    assert await talk.says("help 4", source=OTHER) == [HELPED]  # another phone
    await talk.again()
    assert await talk.says("help 5") == []
    assert talk.fate("help", "hourly") == 2
    assert await talk.says("STOP") == [STOPPED]  # has a limit of its own
    talk.now += HOUR
    assert await talk.says("help 6") == [HELPED]


async def test_what_no_limit_asks_for_is_forgotten(talk: Talk) -> None:
    await talk.says("HELP", "STOP")
    assert talk.sql("SELECT count(*) FROM keyword_answers") == [(2,)]
    talk.now += 73 * HOUR
    while await talk.store.maintain(talk.now):
        pass
    assert talk.sql("SELECT count(*) FROM keyword_answers") == [(0,)]
    assert await talk.refuses()


# --- rules of the account's own


async def test_a_rule_answers_and_tells(talk: Talk) -> None:
    await talk.rules(
        prices={"match": "contains", "pattern": "price", "reply": "{brand}: from 5 EUR",
                "webhook": True, "language": "en"},
        orders={"match": "regex", "pattern": r"^order \d+$", "webhook": True},
        elsewhere={"match": "contains", "pattern": "price", "priority": 9, "senders": ["3030"]},
    )  # fmt: skip
    assert await talk.says("What’s the PRICE?") == ["Kestrel: from 5 EUR"]
    assert await talk.says("Order 17") == []
    first, second = talk.events("keyword.matched")
    replies = talk.events("message.inbound")
    assert first == {
        "rule": "prices", "language": "en", "message": replies[0]["id"], "from": PHONE,
        "to": OURS, "at": replies[0]["at"],
    }  # fmt: skip
    assert second["rule"] == "orders"
    assert replies[0]["keyword"] == {"kind": "rule", "word": "prices", "language": "en"}
    assert talk.counted("rule") == 2


async def test_a_rule_shadows_no_keyword_of_everybody(talk: Talk) -> None:
    await talk.rules(all={"match": "regex", "pattern": "", "reply": "mine", "priority": 99})
    assert await talk.says("anything") == ["mine"]
    assert await talk.says("stop") == [STOPPED]
    assert await talk.says("START") == [RESTARTED]
    assert await talk.says("help") == [HELPED]
    assert await talk.says("YES") == ["mine"]  # nobody was asked: an ordinary text


async def test_a_rule_answers_nobody_who_has_opted_out(talk: Talk) -> None:
    await talk.rules(prices={"match": "contains", "pattern": "price", "reply": "5 EUR"})
    await talk.says("STOP")
    assert await talk.says("price?") == []
    assert talk.fate("rule", "opted_out") == 1
    assert await talk.says("help") == [HELPED]


async def test_the_reply_of_a_rule_is_no_way_around_a_moderator(talk: Talk) -> None:
    account = msgspec.structs.replace(talk.accounts[0], moderation=Moderation(mode="manual"))
    await talk.apply(account)
    await talk.rules(prices={"match": "contains", "pattern": "price", "reply": "5 EUR"})
    assert await talk.says("price?") == ["5 EUR"]
    assert await talk.leave() == []
    assert talk.sql("SELECT status FROM messages") == [(Status.HELD_MODERATION,)]
    assert await talk.says("STOP") == [STOPPED]
    assert len(await talk.leave()) == 1


async def test_a_reply_that_cannot_wait_for_a_moderator_takes_no_other_with_it(talk: Talk) -> None:
    talk.world.moderation = Judging(judgements=talk.store)
    talk.store.set_moderation(lambda account: True, 1)
    await talk.apply(msgspec.structs.replace(talk.accounts[0], moderation=Moderation("manual")))
    await talk.rules(
        prices={"match": "contains", "pattern": "price", "reply": "5 EUR"},
        hours={"match": "contains", "pattern": "hours", "reply": "8 to 8"},
    )
    assert await talk.says("price?") == ["5 EUR"]
    await talk.returns.take("op1", [*deliver("hours?", OTHER, OURS), *deliver("STOP", PHONE, OURS)])
    await talk.answering.drain()
    assert sorted(await talk.answers()) == sorted(["5 EUR", STOPPED])
    assert talk.fate("rule", "store") == 1


async def test_rules_of_another_account_are_its_own(talk: Talk) -> None:
    await talk.rules(account="other", all={"match": "contains", "pattern": "a", "reply": "other"})
    assert await talk.says("a") == []


async def test_a_rule_that_times_out_is_put_on_record_as_disabled(talk: Talk) -> None:
    await talk.rules(slow={"match": "regex", "pattern": r"(?:a|aa)+$", "reply": "x"})
    for _ in range(3):
        assert await talk.says("a" * 150 + "!") == []
    assert await talk.says("aaaa") == []
    (entry,) = await talk.store.entries(Kind.KEYWORD)
    assert entry.doc["disabled"] == "timed out 3 times"
    assert talk.metric(KEYWORD_RULES_OFF, "shop") == 1
    trail = await talk.store.audit("shop", 10, action="keyword.disable")
    assert [one.subject for one in trail] == ["keyword/shop/slow"]
    await talk.again()
    assert await talk.says("aaaa") == []
    await talk.rules(slow={"match": "regex", "pattern": "^a+$", "reply": "x"})
    assert await talk.says("aaaa") == ["x"]


async def test_replies_are_listed_with_their_keywords(talk: Talk) -> None:
    assert talk.now == START
    await talk.says("STOP", "Hello")
    hello, stop = await talk.store.inbound_messages("shop", 10)
    assert hello.heard is None
    assert stop.heard is not None
    assert stop.heard.keyword.word == "STOP"
