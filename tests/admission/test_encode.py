"""Encoding as admission does it: each distinct text once, and what was exchanged in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.admission import Checks, encode
from gateway.draft import Ask, Draft
from protocol.transliterate import Change
from tests.admission.conftest import drafts

MakeAsk = Callable[..., Ask]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were really segmented, in order."""
    texts: list[str] = []
    original = encode.count_only

    def spy(text: str, **options: Any) -> tuple[str, int, int]:
        texts.append(text)
        return original(text, **options)

    monkeypatch.setattr(encode, "count_only", spy)
    encode.measure.cache_clear()
    return texts


async def test_a_thousand_recipients_of_one_text_cost_one_segmentation(
    checks: Checks, ask: MakeAsk, counted: list[str]
) -> None:
    text = "Ваш заказ ждёт вас 👨\u200d👩\u200d👧 " * 4
    given = drafts(*[f"+7916{n:07}" for n in range(1_000)])
    passed = await checks.admit(ask(text), given)
    assert len(passed) == 1_000
    assert {(draft.parts, draft.characters) for draft in passed} == {(2, 112)}
    assert counted == [text]


async def test_texts_of_a_template_cost_one_segmentation_each(
    checks: Checks, ask: MakeAsk, counted: list[str]
) -> None:
    given = [
        Draft(f"+7916{n:07}", {"who": "Аня" if n % 2 else "Женя"}, position=n) for n in range(1_000)
    ]
    passed = await checks.admit(ask("Привет, {{who}}"), given)
    assert len(passed) == 1_000
    assert sorted(counted) == ["Привет, Аня", "Привет, Женя"]


async def test_what_was_exchanged_is_on_every_draft(checks: Checks, ask: MakeAsk) -> None:
    passed = await checks.admit(
        ask("It’s “new” – isn’t it?", transliterate=True), drafts("+79161234567", "+79161234568")
    )
    told = (Change("’", "'", 2), Change("“", '"', 1), Change("”", '"', 1), Change("–", "-", 1))
    assert [draft.changes for draft in passed] == [told, told]


async def test_what_was_exchanged_in_a_template_is_each_recipient_s(
    checks: Checks, ask: MakeAsk
) -> None:
    given = [
        Draft("+79161234567", {"who": "Zoë’s"}),  # ë is not in the alphabet
        Draft("+79161234568", {"who": "Ann"}),
        Draft("+79161234569", {"who": "Аня’s"}),  # would not fit: nothing is exchanged
    ]
    await checks.admit(ask("Hi {{who}}", transliterate=True), given)
    assert given[0].changes == (Change("ë", "e", 1), Change("’", "'", 1))
    assert given[1].changes == given[2].changes == ()
    assert [draft.encoding for draft in given] == [0, 0, 1]


async def test_nothing_is_exchanged_unless_asked_for(checks: Checks, ask: MakeAsk) -> None:
    (draft,) = await checks.admit(ask("It’s"), drafts("+79161234567"))
    assert (draft.changes, draft.encoding) == ((), 1)
