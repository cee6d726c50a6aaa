"""How many messages one person gets, and what survives a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from config.base import Duration
from config.policies import FrequencyCap
from config.settings import Account, Route, StoreSettings
from gateway.admission import Checks, contacts, frequency
from gateway.admission.contacts import Ledger
from gateway.admission.numbering import Numbering
from gateway.admission.seen import NumberSet
from gateway.admission.world import World
from gateway.draft import Ask, Draft, content, new_messages
from gateway.errors import Busy, StoreUnavailable
from gateway.metrics import Metrics
from gateway.model import Category, OnUnknown, Status
from gateway.routing import RoutingTable
from gateway.store.messages import Submission
from gateway.store.records import MessageFilter
from gateway.store.sqlite import SqliteStore
from tests.admission.conftest import NOW, drafts

SECOND = 1_000_000
DAY = 86_400
ONE_A_DAY = FrequencyCap(messages=1, period=Duration(DAY))
ANN, BOB, CLEO = "+79161234567", "+79161234568", "+79161234569"


class Rig:
    """Admission over a real store that can be started anew."""

    def __init__(self, directory: Path, numbering: Numbering) -> None:
        self._numbering = numbering
        self._settings = StoreSettings(path=str(directory / "aldis.db"), synchronous="NORMAL")
        self.now = NOW

    async def start(self, *caps: FrequencyCap) -> None:
        self.metrics = Metrics()
        self.store = SqliteStore(self._settings, 0, self.metrics, lambda: self.now, strict=True)
        await self.store.open(lambda carrier, category: OnUnknown.RESEND, self.now)
        self.ledger = Ledger(self.store, self.metrics, lambda: self.now)
        routing = RoutingTable([Route(name="main", carriers=("op",))])
        world = World(self._numbering, routing, self.store, contacts=self.ledger)
        self.checks = Checks(world)
        self.account = Account(name="shop", frequency=caps)
        self.ledger.configure([self.account])

    async def stop(self) -> None:
        await self.ledger.stop()
        await self.store.close()

    def ask(self, sender: str = "ACME", category: str = "advertising", **more: Any) -> Ask:
        return Ask(
            self.account, "Hello", self.now, sender=sender, category=Category(category), **more
        )

    async def admit(self, *numbers: str, **more: Any) -> list[str | None]:
        """The code of each number's refusal, None for those that pass."""
        given = drafts(*numbers)
        await self.checks.admit(self.ask(**more), given)
        return [draft.code for draft in given]

    async def send(self, *numbers: str, **more: Any) -> list[str | None]:
        """As `admit`, and those that pass are stored."""
        ask, given = self.ask(**more), drafts(*numbers)
        passed = await self.checks.admit(ask, given)
        shared, *ids = self.store.new_ids(1 + len(passed), self.now)
        await self.store.accept([Submission(content(ask, shared), new_messages(ask, passed, ids))])
        return [draft.code for draft in given]


@pytest.fixture
async def rig(tmp_path: Path, numbering: Numbering) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path, numbering)
    await rig.start(ONE_A_DAY)
    await rig.ledger.ready()
    yield rig
    await rig.stop()


async def with_caps(rig: Rig, *caps: FrequencyCap) -> None:
    rig.account = Account(name="shop", frequency=caps)
    rig.ledger.configure([rig.account])
    await rig.ledger.ready()


async def test_a_person_has_had_enough_until_the_period_is_over(rig: Rig) -> None:
    assert await rig.admit(ANN, BOB) == [None, None]
    given = drafts(ANN, CLEO)
    rig.now += 3600 * SECOND
    passed = await rig.checks.admit(rig.ask(), given)
    assert [draft.to for draft in passed] == [CLEO]
    assert given[0].code == "frequency_cap"
    assert given[0].detail.startswith(
        "at most 1 advertising of one sender in 1 d; the next after 2026-11-19T11:0"
    )
    assert "7916" not in given[0].detail
    rig.now += DAY * SECOND
    assert await rig.admit(ANN) == [None]


async def test_only_its_categories_and_each_sender_by_itself(rig: Rig) -> None:
    assert await rig.admit(ANN) == [None]
    assert await rig.admit(ANN, category="service") == [None]
    assert await rig.admit(ANN, sender="BETA") == [None]
    assert await rig.admit(ANN, sender="acme") == ["frequency_cap"]


async def test_senders_that_count_together(rig: Rig) -> None:
    cap = FrequencyCap(messages=2, period=Duration(DAY), senders=("ACME", "+79160000000"))
    await with_caps(rig, cap)
    assert await rig.admit(ANN, sender="ACME") == [None]
    assert await rig.admit(ANN, sender="79160000000") == [None]
    assert await rig.admit(ANN, sender="+79160000000") == ["frequency_cap"]
    assert await rig.admit(ANN, sender="BETA") == [None]


async def test_a_message_one_cap_refuses_does_not_count_under_another(rig: Rig) -> None:
    week = FrequencyCap(messages=2, period=Duration(7 * DAY))
    await with_caps(rig, week, ONE_A_DAY)
    assert await rig.admit(ANN) == [None]
    for _ in range(5):
        assert await rig.admit(ANN) == ["frequency_cap"]
    rig.now += (DAY + 60) * SECOND
    assert await rig.admit(ANN) == [None]
    rig.now += (DAY + 60) * SECOND
    assert await rig.admit(ANN) == ["frequency_cap"]  # the week's


async def test_what_could_not_be_stored_is_forgotten(rig: Rig) -> None:
    ask, given = rig.ask(), drafts(ANN, BOB)
    await rig.checks.admit(ask, given)
    ask.take_back()
    assert await rig.admit(ANN, BOB) == [None, None]


async def test_what_is_refused_after_numbers_were_remembered_leaves_nothing(rig: Rig) -> None:
    seen = NumberSet()
    rig.account = Account(name="unknown", frequency=(ONE_A_DAY,))  # its past is not read
    with pytest.raises(Busy):
        await rig.checks.admit(rig.ask(seen=seen), drafts(ANN))
    assert len(seen) == 0


async def test_who_only_asks_leaves_no_trace(rig: Rig) -> None:
    for _ in range(3):
        ask = rig.ask()
        ask.dry = True
        assert len(await rig.checks.admit(ask, drafts(ANN))) == 1
        assert ask.undo == []
    assert await rig.admit(ANN) == [None]
    ask = rig.ask()
    ask.dry = True
    draft = Draft(ANN)
    draft.notes = []
    assert await rig.checks.admit(ask, [draft]) == []
    assert ("at most 1 advertising of one sender in 1 d", "the account's frequency") in draft.notes


async def test_what_takes_anothers_place_or_answers_a_keyword_is_none_more(rig: Rig) -> None:
    assert await rig.admit(ANN) == [None]
    ask = rig.ask()
    ask.replacing = True
    assert len(await rig.checks.admit(ask, drafts(ANN))) == 1
    assert await rig.admit(ANN, answer=True) == [None]


async def test_the_past_is_read_after_a_restart(rig: Rig) -> None:
    assert await rig.send(ANN, BOB) == [None, None]
    assert await rig.send(CLEO, category="service") == [None]
    (cancel,) = [view.id for view in await rig.store.search(_all(), 9) if str(view.number) in BOB]
    await rig.store.cancel("shop", [cancel], rig.now)
    rig.now += 3600 * SECOND
    await rig.stop()
    await rig.start(ONE_A_DAY)
    with pytest.raises(Busy) as busy:  # not known yet: a message too many cannot be taken back
        await rig.admit(CLEO)
    assert busy.value.retry_after > 0
    assert await rig.admit(CLEO, category="service") == [None]  # nobody's business
    assert rig.metrics.registry.get_sample_value("aldis_frequency_caps_unread") == 1
    await rig.ledger.ready()
    assert await rig.admit(ANN, BOB, CLEO) == ["frequency_cap", "frequency_cap", None]
    rig.now += DAY * SECOND
    assert await rig.admit(ANN) == [None]


async def test_a_cap_that_is_new_reads_its_own_past(rig: Rig) -> None:
    assert await rig.send(ANN) == [None]
    week = FrequencyCap(messages=1, period=Duration(7 * DAY))
    rig.now += 2 * DAY * SECOND
    assert await rig.send(BOB) == [None]
    await with_caps(rig, week)
    assert await rig.admit(ANN, BOB, CLEO) == ["frequency_cap", "frequency_cap", None]
    await with_caps(rig)
    assert await rig.admit(ANN, BOB, CLEO) == [None, None, None]
    assert rig.ledger.entries == 0


async def test_a_past_longer_than_a_slice(rig: Rig) -> None:
    numbers = [f"+791612{n:05}" for n in range(12_000)]
    assert not any(await rig.send(*numbers))
    await rig.stop()
    await rig.start(ONE_A_DAY)
    await rig.ledger.ready()
    assert rig.ledger.entries == 12_000
    assert set(await rig.admit(*numbers[::500])) == {"frequency_cap"}


async def test_a_store_that_is_away_is_read_when_it_is_back(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(contacts, "RETRY", 0.0)
    tries = 0
    read = rig.store.written_since

    async def away(*args: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise StoreUnavailable("away")
        return await read(*args)

    monkeypatch.setattr(rig.store, "written_since", away)
    await with_caps(rig, FrequencyCap(messages=1, period=Duration(3600)))
    assert tries == 3
    assert await rig.admit(ANN) == [None]


async def test_what_is_dropped_reaches_nobody(rig: Rig) -> None:

    draft = Draft(ANN)
    draft.number, draft.status = 79161234567, Status.REJECTED
    world = rig.checks.world
    assert frequency.check(rig.ask(), [draft], world) == [draft]
    assert await rig.admit(ANN) == [None]


async def test_too_many_are_refused_for_now(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:

    assert await rig.admit(ANN, BOB) == [None, None]
    monkeypatch.setattr(contacts, "MOST", 2)
    rig.ledger.tick()
    with pytest.raises(Busy, match="2 messages are remembered for frequency caps, 2 may be"):
        await rig.admit(CLEO)


async def test_out_of_date_is_swept(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await rig.admit(*[f"+791612{n:05}" for n in range(3_000)])
    assert rig.ledger.entries == 3_000
    rig.now += 3 * DAY * SECOND
    for table in rig.ledger._tables.values():
        table.tend(rig.now)
    assert rig.ledger.entries == 0


def _all() -> Any:

    return MessageFilter("shop")
