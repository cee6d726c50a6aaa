"""What waits for a moderator, as which item, and what a decision does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from config.policies import Moderation as ModerationSettings
from config.policies import ModerationOverride, Policy
from config.settings import Account, Route
from gateway import metrics as m
from gateway.admission import Checks
from gateway.admission.judging import Moderation
from gateway.admission.numbering import Numbering
from gateway.admission.word_lists import WordLists
from gateway.admission.world import World
from gateway.draft import Ask, Draft
from gateway.errors import Busy
from gateway.ingress.smpp.reading import text_of
from gateway.model import Category, Status
from gateway.policy.stopwords import lists
from gateway.policy.stopwords.lists import ListDoc, WordClass
from gateway.policy.templates import Approval, RegisteredTemplate, Templates
from gateway.routing import RoutingTable
from gateway.store.messages import RawPart, Text
from gateway.store.moderation import ItemState
from gateway.store.registry import EVERYBODY, Entry, Kind
from tests.admission.conftest import NOW, Ledger

RU = "+7916123{:04}"
HELD = Status.HELD_MODERATION


class Registry:
    """Lists in a list, decisions in a dict: the store's own are tested with the store."""

    def __init__(self) -> None:
        self.lists: list[Entry] = []
        self.states: dict[bytes, ItemState] = {}
        self.asked = 0
        self.room = 100
        self.listeners: list[Callable[[], None]] = []

    async def entries(self, kind: Kind, account: str | None = None) -> list[Entry]:
        assert kind is Kind.STOPWORDS
        return list(self.lists)

    async def judged(self, fingerprints: Sequence[bytes]) -> dict[bytes, ItemState]:
        self.asked += 1
        return {one: self.states[one] for one in fingerprints if one in self.states}

    def texts_room(self, account: str) -> int:
        return self.room

    def on_decided(self, listener: Callable[[], None]) -> None:
        self.listeners.append(listener)

    def decide(self, text: Text, state: ItemState) -> None:
        self.states[text.fingerprint] = state
        for listener in self.listeners:
            listener()

    def put(
        self, name: str, *entries: str, account: str = EVERYBODY, on_match: Any = "hold"
    ) -> None:
        kept = [one for one in self.lists if (one.account, one.name) != (account, name)]
        version = len(self.lists) - len(kept) + 1
        group = WordClass(name="any", entries=list(entries))
        doc = lists.to_json(ListDoc(language="ru", on_match=on_match, classes=[group]))
        self.lists = [*kept, Entry(Kind.STOPWORDS, account, name, doc, version)]


class Bench:
    """Admission with words and decisions."""

    def __init__(self, numbering: Numbering) -> None:
        self.registry = Registry()
        self.metrics = m.Metrics()
        self.words = WordLists(self.registry, self.metrics)
        self.world = World(
            numbering,
            RoutingTable([Route(name="main", carriers=("op",))]),
            Ledger(),
            moderation=Moderation(self.words, self.registry),
        )
        self.checks = Checks(self.world)
        self.account = Account(name="shop")

    def set(self, **moderation: Any) -> None:
        self.account = Account(name="shop", moderation=ModerationSettings(**moderation))

    async def load(self) -> None:
        await self.words.apply(Policy())

    async def drafts(self, text: str, *values: str, **options: Any) -> list[Draft]:
        ask = Ask(self.account, text, NOW, **{"sender": "ACME", **options})
        given = [
            Draft(RU.format(place), {"v": value}, position=place)
            for place, value in enumerate(values or ("",))
        ]
        passed = await self.checks.admit(ask, given)
        assert passed == [draft for draft in given if draft.code is None]
        return given

    async def one(self, text: str, **options: Any) -> Draft:
        (draft,) = await self.drafts(text, **options)
        return draft


@pytest.fixture
async def bench(numbering: Numbering) -> Bench:
    bench = Bench(numbering)
    bench.registry.put("bad", "кредит*", "казино", "casino")
    await bench.load()
    return bench


async def test_nothing_is_held_without_lists(numbering: Numbering) -> None:
    bench = Bench(numbering)
    await bench.load()
    draft = await bench.one("Казино и кредит")
    assert (draft.status, draft.judged, draft.reason) == (Status.QUEUED, None, None)
    assert bench.registry.asked == 0


async def test_a_text_with_a_word_waits(bench: Bench) -> None:
    draft = await bench.one("Лучшее КА3ИН0 города")
    assert (draft.status, draft.reason, draft.code) == (HELD, "stop_word", None)
    assert draft.judged is not None
    assert draft.judged.words == ("bad/any: казино",)
    assert (draft.judged.account, draft.judged.sender, draft.judged.category) == (
        "shop", "ACME", "service",
    )  # fmt: skip
    assert (draft.judged.text, len(draft.judged.fingerprint)) == ("Лучшее КА3ИН0 города", 16)
    assert (await bench.one("Лучшее кино города")).status == Status.QUEUED


async def test_no_more_texts_wait_than_have_room(bench: Bench) -> None:
    known = (await bench.one("казино")).judged
    assert known is not None
    bench.registry.states[known.fingerprint] = ItemState.WAITING
    bench.registry.room = 1
    both = await bench.drafts("{{v}}", "казино", "другое казино")
    assert [draft.status for draft in both] == [HELD, HELD]
    bench.registry.room = 0
    assert (await bench.one("казино")).status == HELD  # it waits already
    with pytest.raises(Busy, match=r"1 new texts .* account shop has room for 0"):
        await bench.one("другое казино")
    assert (await bench.one("кино")).status == Status.QUEUED


async def test_a_scheduled_text_is_judged_ahead_of_its_time(bench: Bench) -> None:
    later = NOW + 3_600_000_000
    draft = await bench.one("казино", send_at=later)
    assert (draft.status, draft.due) == (HELD, later)


async def test_a_sender_with_a_word_waits(bench: Bench) -> None:
    draft = await bench.one("Добрый день", sender="CASlN0")
    assert draft.judged is not None
    assert (draft.status, draft.judged.words) == (HELD, ("bad/any: casino (sender)",))


async def test_the_mode_none_lets_everything_pass(bench: Bench) -> None:
    bench.registry.put("worse", "казино", on_match="reject")
    await bench.load()
    bench.set(mode="none")
    assert (await bench.one("казино")).status == Status.QUEUED


async def test_the_mode_manual_holds_everything(bench: Bench) -> None:
    bench.set(mode="manual")
    draft = await bench.one("Добрый день")
    assert draft.judged is not None
    assert (draft.status, draft.reason, draft.judged.words) == (HELD, "awaiting_moderation", ())
    assert (await bench.one("казино")).reason == "stop_word"


async def test_answers_to_keywords_are_never_held(bench: Bench) -> None:
    bench.set(mode="manual")
    assert (await bench.one("казино", answer=True)).status == Status.QUEUED


async def test_the_first_override_that_fits_wins(bench: Bench) -> None:
    bench.set(
        mode="manual",
        overrides=(
            ModerationOverride(mode="none", categories=("transactional",), templates=("code",)),
            ModerationOverride(mode="automatic", senders=("ACME", "BETA")),
        ),
    )
    approved = RegisteredTemplate(
        "казино", "transactional", approvals=(Approval("op", "approved"),)
    )
    bench.world.registered.templates = Templates([("shop", "code", approved)])
    assert (await bench.one("День", category=Category.TRANSACTIONAL)).status == Status.QUEUED
    assert (await bench.one("казино!", category=Category.TRANSACTIONAL)).status == HELD
    # Whether the caller names the template, or the text is made from it alone.
    assert (await bench.one("казино", category=Category.TRANSACTIONAL)).status == Status.QUEUED
    free = {"category": Category.TRANSACTIONAL, "template": "code"}
    assert (await bench.one("казино", **free)).status == Status.QUEUED
    assert (await bench.one("казино", sender="BETA")).status == HELD
    assert (await bench.one("День", sender="BETA")).status == Status.QUEUED
    assert (await bench.one("День", sender="GAMMA")).status == HELD


async def test_an_account_names_the_lists_that_apply(bench: Bench) -> None:
    bench.set(lists=("others",))
    assert (await bench.one("казино")).status == Status.QUEUED
    bench.registry.put("others", "покер")
    await bench.load()
    assert (await bench.one("казино")).status == Status.QUEUED
    assert (await bench.one("покер")).status == HELD


async def test_lists_that_do_not_exist_are_told(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.set(lists=("bad", "bda"))
    await bench.words.apply(Policy(), [bench.account])
    assert [one.getMessage() for one in caplog.records] == [
        "account shop: there is no stop-word list `bda`"
    ]


async def test_a_list_of_an_account_is_its_own(bench: Bench) -> None:
    bench.registry.put("mine", "носки", account="shop")
    bench.registry.put("theirs", "варежки", account="other")
    await bench.load()
    draft = await bench.one("носки и варежки, казино")
    assert draft.judged is not None
    assert draft.judged.words == ("bad/any: казино", "mine/any: носки")


async def test_a_list_may_reject(bench: Bench) -> None:
    bench.registry.put("worse", "покер", on_match="reject")
    await bench.load()
    draft = await bench.one("покер и казино")
    assert (draft.code, draft.pointer) == ("stop_word", "#/text")
    assert draft.detail == "an entry of the stop-word list `worse`, class `any`"
    draft = await bench.one("Добрый день", sender="Poker")
    assert draft.code is None  # written in the other alphabet the word has another letter
    draft = await bench.one("Добрый день", sender="nokep")
    assert (draft.code, draft.pointer) == ("stop_word", "#/from")


# --- items


def items(drafts: Sequence[Draft]) -> list[Text | None]:
    return [draft.judged for draft in drafts]


async def test_one_text_of_many_recipients_is_one_item(bench: Bench) -> None:
    drafts = await bench.drafts("Возьмите кредит", *["x"] * 100)
    assert len(set(items(drafts))) == 1
    assert bench.registry.asked == 1


async def test_a_word_of_the_template_makes_one_item_of_all_its_texts(bench: Bench) -> None:
    template = "Здравствуйте, {{v}}! Ваш кредит одобрен"
    drafts = await bench.drafts(template, "Анна", "Пётр", "Казино")
    one, other, third = items(drafts)
    assert one is other and one is not None
    assert one.text == template
    assert third is not None and third.fingerprint != one.fingerprint
    assert third.text == "Здравствуйте, Казино! Ваш кредит одобрен"


async def test_a_word_of_the_values_alone_shows_what_one_recipient_reads(bench: Bench) -> None:
    drafts = await bench.drafts("Здравствуйте, {{v}}!", "Анна", "казино", "КАЗИНО", "кредит")
    none, one, other, third = items(drafts)
    assert none is None and drafts[0].status == Status.QUEUED
    assert one is other and one is not None and third is not None
    assert (one.text, one.words) == ("Здравствуйте, казино!", ("bad/any: казино",))
    assert third.words == ("bad/any: кредит*",)


async def test_a_template_that_says_nothing_hides_no_text(bench: Bench) -> None:
    bench.set(mode="manual")
    drafts = await bench.drafts("{{v}}", "Добрый день", "Добрый вечер", "Добрый день")
    one, other, third = items(drafts)
    assert one is third and one is not None and other is not None
    assert (one.text, other.text) == ("Добрый день", "Добрый вечер")
    one, other = items(await bench.drafts("Добрый день, {{v}}", "Анна", "Пётр"))
    assert one is other and one is not None and one.text == "Добрый день, {{v}}"


async def test_words_end_at_placeholders_of_the_template(bench: Bench) -> None:
    (text,) = items(await bench.drafts("Уважаемый клиент, ка{{v}} ждёт", "зино"))
    assert text is not None
    assert text.text == "Уважаемый клиент, казино ждёт"


async def test_octets_that_are_no_text_are_told_apart(bench: Bench) -> None:
    bench.set(mode="manual")
    one = await bench.one("", raw=(RawPart(0, 0, 4, 0, b"\x01"),))
    other = await bench.one("", raw=(RawPart(0, 0, 4, 0, b"\x02"),))
    assert one.judged is not None and other.judged is not None
    assert one.judged.fingerprint != other.judged.fingerprint


@pytest.mark.parametrize(
    ("coding", "payload"),
    [
        (0xF5, b"Best CASINO"),  # octets, for the phone itself
        (0x04, b"Best CASINO"),
        (0x18, b"\xff\xfe" + "Best CASINO".encode("utf-16-be")),  # a mark that turns it for us
        (0x10, b"Best CASINO \xff\xd0\x9f"),
    ],
)
async def test_what_leaves_as_it_came_is_read_as_phones_do(
    bench: Bench, coding: int, payload: bytes
) -> None:
    encoding = {0x18: "ucs2", 0x10: "gsm"}.get(coding)
    said = text_of(payload, encoding, 0)
    draft = await bench.one(said, raw=(RawPart(0, 0, coding, 0, payload),))
    assert draft.judged is not None
    assert (draft.status, draft.judged.words) == (HELD, ("bad/any: casino",))


async def test_a_moderator_sees_octets_and_decides_of_no_others(bench: Bench) -> None:
    parts = [
        RawPart(1, 64, 0, 0, b"\5\0\3\1\2\1Hello "),
        RawPart(2, 64, 4, 0, b"\5\0\3\1\2\2CASINO"),
    ]
    one = await bench.one("Hello ", raw=tuple(parts))
    assert one.judged is not None
    assert (one.judged.text, one.judged.words) == ("Hello CASINO", ("bad/any: casino",))
    bench.registry.decide(one.judged, ItemState.APPROVED)
    assert (await bench.one("Hello ", raw=tuple(parts))).status == Status.QUEUED
    parts[1] = RawPart(2, 64, 4, 0, b"\5\0\3\1\2\2CASINO!\1")
    other = await bench.one("Hello ", raw=tuple(parts))
    assert other.judged is not None and other.judged.text == "Hello CASINO!·"


async def test_a_customers_own_parts_are_one_text(bench: Bench) -> None:
    parts = (RawPart(1, 64, 8, 0, b"..."), RawPart(2, 64, 8, 0, b"..."))
    draft = await bench.one("Лучшее каз" + "ино города {{v}}", raw=parts)
    assert draft.judged is not None and draft.judged.text == "Лучшее казино города {{v}}"


# --- decisions


async def test_decisions_are_remembered(bench: Bench) -> None:
    held = await bench.one("Возьмите кредит")
    assert held.judged is not None
    bench.registry.decide(held.judged, ItemState.APPROVED)
    passed = await bench.one("Возьмите кредит")
    assert (passed.status, passed.judged, passed.reason) == (Status.QUEUED, None, None)
    asked = bench.registry.asked
    assert (await bench.one("Возьмите кредит")).status == Status.QUEUED
    assert bench.registry.asked == asked

    held = await bench.one("Возьмите другой кредит")
    assert held.judged is not None and held.status == HELD
    bench.registry.decide(held.judged, ItemState.REJECTED)
    refused = await bench.one("Возьмите другой кредит")
    assert (refused.code, refused.detail) == (
        "moderation_rejected", "a moderator rejected this text",
    )  # fmt: skip


async def test_a_decision_is_of_one_account_and_sender(bench: Bench) -> None:
    held = await bench.one("Возьмите кредит")
    assert held.judged is not None
    bench.registry.decide(held.judged, ItemState.APPROVED)
    assert (await bench.one("Возьмите кредит", sender="BETA")).status == HELD
    bench.account = Account(name="other")
    assert (await bench.one("Возьмите кредит")).status == HELD


async def test_a_decision_holds_until_a_list_changes(bench: Bench) -> None:
    held = await bench.one("Возьмите кредит")
    assert held.judged is not None
    bench.registry.decide(held.judged, ItemState.APPROVED)
    bench.registry.put("bad", "кредит*", "казино", "рулетка")
    bench.words.changed(Kind.SENDER)
    assert (await bench.one("Возьмите кредит")).status == Status.QUEUED
    bench.words.changed(Kind.STOPWORDS)
    await bench.words.settled()
    assert (await bench.one("Возьмите кредит")).status == HELD
    assert (await bench.one("рулетка")).status == HELD
    assert (await bench.one("casino")).status == Status.QUEUED


async def test_an_estimate_counts_no_hits(bench: Bench) -> None:
    ask = Ask(bench.account, "казино", NOW, sender="ACME")
    ask.dry = True
    await bench.checks.admit(ask, [Draft(RU.format(1))])
    assert b"stop_word_hits_total{" not in bench.metrics.exposition()


async def test_metrics_tell_hits_and_versions_but_no_texts(bench: Bench) -> None:
    bench.registry.put("mine", "носки", account="shop")
    await bench.load()
    await bench.drafts("кредит {{v}}", *["носки"] * 3)
    told = bench.metrics.exposition().decode()
    assert 'aldis_stop_word_hits_total{class="any",list="bad"} 3.0' in told
    assert 'aldis_stop_word_hits_total{class="own",list="own"} 3.0' in told
    assert 'aldis_stop_word_list_entries{list="bad",version="1"} 3.0' in told
    bench.registry.put("bad", "кредит*")
    await bench.load()
    told = bench.metrics.exposition().decode()
    assert 'list="bad",version="2"} 1.0' in told and 'version="1"' not in told


async def test_checks_explain_themselves(bench: Bench) -> None:
    draft = Draft(RU.format(1))
    draft.notes = []
    await bench.checks.admit(Ask(bench.account, "кредит", NOW, sender="ACME"), [draft])
    rules = [(note.rule, note.source) for note in draft.notes]
    assert (
        "waits for a moderator: found bad/any: кредит*", "account.moderation.mode",
    ) in rules  # fmt: skip
