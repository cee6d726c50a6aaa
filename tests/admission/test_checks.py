from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from config.settings import Route
from gateway.admission import Checks
from gateway.admission.world import World
from gateway.draft import Ask, Draft
from gateway.errors import Refused
from gateway.model import Category, Priority, Status
from gateway.routing import RoutingTable
from tests.admission.conftest import NOW, Ledger, drafts

MakeAsk = Callable[..., Ask]
RU = "+79161234567"
HOUR = 3_600_000_000


async def codes(checks: Checks, ask: Ask, *numbers: str | list[str]) -> list[str | None]:
    given = drafts(*numbers)
    passed = await checks.admit(ask, given)
    assert passed == [draft for draft in given if draft.code is None]
    return [draft.code for draft in given]


async def test_a_plain_message_is_complete(checks: Checks, ask: MakeAsk) -> None:
    [draft] = await checks.admit(ask(), drafts(RU))
    assert (draft.number, draft.country, draft.lane) == (79161234567, "RU", "main/service")
    assert (draft.parts, draft.characters, draft.encoding) == (1, 5, 0)
    assert (draft.status, draft.due, draft.deadline) == (Status.QUEUED, NOW, NOW + 24 * HOUR)


@pytest.mark.parametrize(
    "sender", ["ACME", "A", "Bank 24", "A&B Co.", "12345678901", "+33612345678", "12345", "100"]
)
async def test_senders_that_may_pass(checks: Checks, ask: MakeAsk, sender: str) -> None:
    assert await codes(checks, ask(sender=sender), RU) == [None]


@pytest.mark.parametrize(
    "sender",
    [None, "", "TWELVELETTER", "Банк", "A\x00B", " ACME", "ACME ", "1234567890123456", "12", "$$$"],
)
async def test_senders_that_may_not(checks: Checks, ask: MakeAsk, sender: str | None) -> None:
    with pytest.raises(Refused) as refused:
        await checks.admit(ask(sender=sender), drafts(RU))
    assert refused.value.reason.code == "sender_not_allowed"
    assert refused.value.pointer == "#/from"


async def test_sender_of_another_account(checks: Checks, ask: MakeAsk) -> None:
    account = {"senders": ("ACME", "33612345678")}
    assert await codes(checks, ask(account=account), RU) == [None]
    assert await codes(checks, ask(sender="+33612345678", account=account), RU) == [None]
    with pytest.raises(Refused, match="may not use this sender"):
        await checks.admit(ask(sender="EVIL", account=account), drafts(RU))


async def test_default_sender(checks: Checks, ask: MakeAsk) -> None:
    assert await codes(checks, ask(sender=None, account={"default_sender": "SHOP"}), RU) == [None]


async def test_numbers_and_candidates(checks: Checks, ask: MakeAsk) -> None:
    request = ask(account={"default_region": "FR"})
    given = drafts("06 12 34 56 78", "01 42 68 53 00", "x", ["01 42 68 53 00", "0612345679"], [])
    passed = await checks.admit(request, given)
    assert [draft.number for draft in passed] == [33612345678, 33612345679]
    assert [d.code for d in given] == [None, "not_mobile", "invalid_number", None, "invalid_number"]


async def test_a_submission_says_which_country_its_national_numbers_are_of(
    checks: Checks, ask: MakeAsk
) -> None:
    request = ask(account={"default_region": "FR"}, default_region="RU")
    [draft] = await checks.admit(request, drafts("8 (916) 123-45-67"))
    assert draft.number == 79161234567
    given = drafts("06 39 98 12 34")
    assert await checks.admit(ask(account={"default_region": "FR"}), given) == []
    assert given[0].detail == "no such number in its country's numbering plan"


async def test_fixed_lines_where_the_account_allows_them(checks: Checks, ask: MakeAsk) -> None:
    request = ask(account={"mobile_only": False})
    assert await codes(checks, request, "+33142685300", ["+33142685301"]) == [None, None]


async def test_countries(checks: Checks, ask: MakeAsk) -> None:
    request = ask(account={"countries": ("FR",)})
    assert await codes(checks, request, RU, "+33612345678") == ["country_not_allowed", None]


async def test_opted_out(checks: Checks, ask: MakeAsk, ledger: Ledger) -> None:
    ledger.numbers = {79161234567}
    assert await codes(checks, ask(), RU, "+79161234568") == ["opted_out", None]


class Seen:
    def __init__(self) -> None:
        self.numbers: set[int] = set()

    def add_new(self, numbers: Any) -> list[bool]:
        answers = []
        for number in numbers:
            answers.append(number not in self.numbers)
            self.numbers.add(number)
        return answers

    def forget(self, numbers: Any) -> None:
        self.numbers -= set(numbers)


async def test_duplicates_only_in_batches(checks: Checks, ask: MakeAsk) -> None:
    assert await codes(checks, ask(), RU, RU) == [None, None]
    request = ask(seen=Seen(), account={"default_region": "RU"})
    assert await codes(checks, request, RU, "8 916 123 45 67") == [None, "duplicate"]


async def test_a_refused_recipient_does_not_bar_a_better_entry(
    checks: Checks, ask: MakeAsk
) -> None:
    request = ask("Hi {{name}}", seen=Seen())
    given = [Draft(RU), Draft(RU, {"name": "Ann"})]
    passed = await checks.admit(request, given)
    assert [draft.text for draft in passed] == ["Hi Ann"]
    assert given[0].code == "missing_variable"
    assert given[0].detail == "no value for name"


async def test_placeholders_and_percent_signs(checks: Checks, ask: MakeAsk) -> None:
    request = ask("100% {{a}} {{ b }} %s {{a}}")
    [draft] = await checks.admit(request, [Draft(RU, {"a": "1%", "b": "{{a}}"})])
    assert draft.text == "100% 1% {{a}} %s 1%"


@pytest.mark.parametrize("text", ["", " \n "])
async def test_empty_text(checks: Checks, ask: MakeAsk, text: str) -> None:
    with pytest.raises(Refused, match="empty"):
        await checks.admit(ask(text), drafts(RU))


async def test_too_long_is_refused_with_its_count(checks: Checks, ask: MakeAsk) -> None:
    assert await codes(checks, ask("x" * 459), RU) == [None]
    with pytest.raises(Refused, match="460 characters take 4 parts; at most 3"):
        await checks.admit(ask("x" * 460), drafts(RU))
    request = ask("{{v}}")
    given = [Draft(RU, {"v": "ж" * 202}), Draft(RU, {"v": "ok"})]
    await checks.admit(request, given)
    assert [draft.code for draft in given] == ["too_long", None]
    assert "4 parts" in given[0].detail
    assert "ж" not in given[0].detail


async def test_lone_surrogate(checks: Checks, ask: MakeAsk) -> None:
    with pytest.raises(Refused) as refused:
        await checks.admit(ask("\ud83d"), drafts(RU))
    assert refused.value.reason.code == "invalid_text"


async def test_transliteration_saves_parts(checks: Checks, ask: MakeAsk) -> None:
    text = "“" + "x" * 100 + "”"
    [draft] = await checks.admit(ask(text), drafts(RU))
    assert draft.parts == 2
    [draft] = await checks.admit(ask(text, transliterate=True), drafts(RU))
    assert (draft.parts, draft.encoding) == (1, 0)


async def test_schedule(checks: Checks, ask: MakeAsk) -> None:
    [draft] = await checks.admit(ask(send_at=NOW + HOUR, validity=HOUR), drafts(RU))
    assert (draft.status, draft.due, draft.deadline) == (
        Status.SCHEDULED, NOW + HOUR, NOW + 2 * HOUR
    )  # fmt: skip
    [draft] = await checks.admit(ask(send_at=NOW - 60_000_000), drafts(RU))
    assert (draft.status, draft.due) == (Status.QUEUED, NOW)


@pytest.mark.parametrize(
    "times",
    [
        {"validity": 0},
        {"validity": 15 * 24 * HOUR},
        {"send_at": NOW + 401 * 24 * HOUR},
        {"send_at": NOW - 2 * HOUR, "validity": HOUR},
    ],
)
async def test_times_without_sense(checks: Checks, ask: MakeAsk, times: dict[str, int]) -> None:
    with pytest.raises(Refused) as refused:
        await checks.admit(ask(**times), drafts(RU))
    assert refused.value.reason.code == "validity_expired"


async def test_routes_and_lanes(world: World, ask: MakeAsk) -> None:
    world.routing = RoutingTable(
        [
            Route(name="rest", carriers=("a",), countries=("RU", "FR")),
            Route(name="mts", carriers=("a",), prefixes=("7916", "+7915")),
            Route(name="france", carriers=("a",), countries=("FR",)),
            Route(name="vip", carriers=("a",), accounts=("vip",)),
        ]
    )
    checks = Checks(world)
    request = ask(category=Category.ADVERTISING)
    given = drafts(RU, "+79151234567", "+79031234567", "+33612345678", "+4915123456789")
    passed = await checks.admit(request, given)
    assert [draft.lane for draft in passed] == [
        "mts/bulk", "mts/bulk", "rest/bulk", "rest/bulk"
    ]  # fmt: skip
    assert given[4].code == "no_route"
    request = ask(category=Category.ADVERTISING, priority=Priority.HIGH)
    assert (await checks.admit(request, drafts(RU)))[0].lane == "mts/service"
    request = ask(category=Category.TRANSACTIONAL)
    assert (await checks.admit(request, drafts(RU)))[0].lane == "mts/otp"


@pytest.mark.parametrize("encoding", ["auto", "gsm", "ucs2"])
@pytest.mark.parametrize("plain", [False, True])
async def test_a_text_of_a_template_counts_as_it_would_alone(
    checks: Checks, ask: MakeAsk, encoding: str, plain: bool
) -> None:
    texts = ["x", "a" * 160, "a" * 161, "€" * 80, "€" * 81, "ж" * 70, "ж" * 71, "ç", "\ud800"]
    numbers = [f"+7916123{n:04}" for n in range(len(texts))]
    together = [Draft(to, {"t": text}) for to, text in zip(numbers, texts, strict=True)]
    await checks.admit(ask(text="{{t}}", encoding=encoding, transliterate=plain), together)

    for draft, text in zip(together, texts, strict=True):
        alone = drafts("+79161234567")
        code: str | None = None
        try:
            await checks.admit(ask(text=text, encoding=encoding, transliterate=plain), alone)
        except Refused as refused:
            code = refused.reason.code
        (one,) = alone
        assert draft.code == code, text[:1]
        assert (draft.encoding, draft.parts, draft.characters) == (
            one.encoding,
            one.parts,
            one.characters,
        )
