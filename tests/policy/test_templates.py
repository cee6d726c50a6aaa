"""Which template a text is made from."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.templates import (
    DEFAULT_SLOT,
    MOST_SLOTS,
    SLOT,
    Approval,
    Over,
    RegisteredTemplate,
    Template,
    Templates,
    complaints,
)
from gateway.template import Template as Rendered

NOW = 1_795_000_000_000_000


def template(text: str, **fields: Any) -> Template:
    return Template("shop", "t", RegisteredTemplate(text, **fields))


@pytest.mark.parametrize(
    ("made", "text", "matches"),
    [
        ("Hello", "Hello", True),
        ("Hello", "Hello!", False),
        ("Order {{n}} is ready", "Order 17 is ready", True),
        ("Order {{n}} is ready", "Order  is ready", True),
        ("Order {{n}} is ready", "order 17 is ready", False),
        ("Order {{n}} is ready", "Order is ready", False),
        ("Order {{n}} is ready", "Order 17 is ready, pay now", False),
        ("Hi {{a}}, {{b}}", "Hi Ann, Bob, Carl", True),
        ("{{a}}: code {{b}}.", "Bank: code 4711.", True),
        ("{{a}}: code {{b}}.", "Bank: code 4711", False),
        # The first place a word is found at is not the right one.
        ("{{a}} is {{b}}", "x" * 25 + " is is " + "y" * 30, True),
        ("a{{a}}b{{b}}b", "ab" + "x" * 30 + "b", True),
        ("a{{a}}b{{b}}b", "abbxb", True),
        ("ab{{a}}bc", "abc", False),
        ("Заказ {{n}} готов", "Заказ 15879 готов", True),
    ],
)
def test_matching(made: str, text: str, matches: bool) -> None:
    assert template(made).matches(text) is matches


def test_a_value_may_be_so_long_and_no_longer() -> None:
    short = template("Hi {{a}}, code {{b}}", slots={"a": 3})
    assert short.matches("Hi Ann, code " + "7" * DEFAULT_SLOT)
    assert not short.matches("Hi Anne, code 1")
    assert short.over("Hi Anne, code 1") == Over("a", 4, 3)
    assert short.over("Hi Ann, code " + "7" * 31) == Over("b", 31, DEFAULT_SLOT)
    assert short.over("Bye Anne") is None
    # A later place for the word would make the first value longer and the second fit.
    assert template("{{a}}-{{b}}", slots={"a": 5, "b": 2}).matches("a-b-cd")


_pieces = st.text("ab-", max_size=4)


@given(
    st.lists(st.tuples(st.integers(1, 4), st.text("ab-", min_size=1, max_size=3)), max_size=4),
    _pieces,
    st.text("ab-", max_size=24),
)
def test_it_says_what_a_regular_expression_says(
    slots: list[tuple[int, str]], head: str, text: str
) -> None:
    made, expression, limits = head, re.escape(head), {}
    for place, (most, word) in enumerate(slots):
        made += f"{{{{s{place}}}}}{word}"
        limits[f"s{place}"] = most
        expression += f".{{0,{most}}}{re.escape(word)}"
    assert template(made, slots=limits).matches(text) is (
        re.fullmatch(expression, text) is not None
    )


@given(
    st.lists(st.tuples(st.integers(1, 4), st.sampled_from("ab-")), min_size=1, max_size=4),
    st.data(),
)
def test_what_was_made_from_it_matches(slots: list[tuple[int, str]], data: Any) -> None:
    made = text = ""
    limits = {}
    for place, (most, word) in enumerate(slots):
        made += f"{{{{s{place}}}}}{word}"
        text += data.draw(st.text("ab-", max_size=most)) + word
        limits[f"s{place}"] = most
    assert template(made, slots=limits).matches(text)


def test_a_spiteful_text_costs_no_more_than_a_fair_one() -> None:
    """What makes a regular expression try for ever: the words are everywhere, the end is not."""
    made = template("a".join(f"{{{{s{n}}}}}" for n in range(MOST_SLOTS)) + "b!", slots={})
    text = "a" * 560 + "cb!"
    begun = time.process_time()
    for _ in range(20):
        made.matches(text)
    assert time.process_time() - begun < 2.0


def approvals(**status: str) -> tuple[Approval, ...]:
    return tuple(Approval(name, word) for name, word in status.items())  # type: ignore[arg-type]


def test_a_carriers_own_word_outweighs_one_for_all() -> None:
    both = template("x", approvals=(Approval("*", "approved"), Approval("op1", "rejected")))
    assert both.approved("op2") and not both.approved("op1")
    assert both.usable(NOW)
    asked = template("x", approvals=approvals(op1="pending"))
    assert not asked.approved("op1") and not asked.usable(NOW)
    refused = template("x", approvals=approvals(op1="suspended"))
    assert not refused.usable(NOW)
    dated = template("x", approvals=approvals(op1="approved"), valid_from=NOW, valid_to=NOW + 1)
    assert [dated.usable(NOW + each) for each in (-1, 0, 1)] == [False, True, False]


def test_a_text_finds_its_templates_among_thousands() -> None:
    entries = [
        ("shop", f"t{n}", RegisteredTemplate(f"Shop {n}: order {{{{n}}}} is ready"))
        for n in range(5_000)
    ]
    entries.append(("*", "any", RegisteredTemplate("{{who}}: order {{n}} is ready")))
    entries.append(("other", "t", RegisteredTemplate("Shop 17: order {{n}} is ready")))
    templates = Templates(entries)
    found = templates.matching("shop", "Shop 17: order 5 is ready")
    assert [(one.account, one.name) for one in found] == [("shop", "t17"), ("*", "any")]
    assert templates.matching("shop", "Shop 17: order 5 is ready") is found
    assert templates.matching("other", "Shop x: order 5 is ready")[0].name == "any"
    assert templates.named("shop", "any") is not None
    assert templates.named("nobody", "t17") is None
    assert templates.concern("nobody")  # those for all concern everybody


@pytest.mark.parametrize(
    ("text", "slots", "said"),
    [
        ("Hi {{a}}", ("a",), ""),
        ("Hi {{ a }}, {{b}}", (), ""),
        ("Hi {{a}}{{b}}", (), "without a word between"),
        ("{{a}}", (), "slots alone"),
        (" {{a}} ", (), "slots alone"),
        ("Hi {{1a}}", (), "two braces"),
        ("Hi {{a}", (), "two braces"),
        ("Hi {{a}}", ("b",), "no slot {{b}}"),
        ("x".join("{{a}}" for _ in range(MOST_SLOTS + 1)), (), "at most 20"),
    ],
)
def test_what_is_no_template(text: str, slots: tuple[str, ...], said: str) -> None:
    found = complaints(text, slots)
    assert said in found if said else not found


def test_slots_are_what_placeholders_are() -> None:
    text = "Hi {{a}}, {{ b.c }} {{1}} {{_d-e}} {{" + "x" * 64 + "}} {{" + "x" * 65 + "}}"
    assert tuple(dict.fromkeys(SLOT.findall(text))) == Rendered(text).names
