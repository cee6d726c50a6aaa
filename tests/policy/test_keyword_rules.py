"""An account's own keywords: what matches, in which order, and what no pattern may cost."""

from __future__ import annotations

import time

import pytest

from gateway.policy.keyword_rules import (
    BUDGET,
    LONGEST_PATTERN,
    MOST_TIMEOUTS,
    BadPattern,
    Match,
    Rule,
    Rules,
    check,
)

SLOW = r"(?:a|aa)+$"
BOMB = "a" * 300 + "!"


def rules(**own: Rule) -> Rules:
    return Rules(list(own.items()))


def found(rules: Rules, text: str, sender: str = "2020") -> str | None:
    hit = rules.find(text, sender)
    return None if hit is None else hit[0]


@pytest.mark.parametrize(
    ("match", "pattern", "hits", "misses"),
    [
        (
            "exact",
            "Win",
            ["win", " WIN! ", "«Win»", "w\u200bin", "wín"],
            ["win it", "a win", "wi n"],
        ),
        ("exact", "цена", ["Цена?", "ЦЕНА"], ["цены"]),
        ("prefix", "code", ["CODE 17", "code17", "Code: 17"], ["my code", "cod"]),
        (
            "contains",
            "price list",
            ["Your PRICE-LIST, please", "price list"],
            ["pricelist", "price"],
        ),
        (
            "regex",
            r"^order\s*#?\d{4,8}$",
            ["Order #12345", "ORDER 1234"],
            ["order 12", "an order 1234"],
        ),
        ("regex", r"\bда\b", ["ну Да, конечно"], ["дача"]),
    ],
)
def test_what_matches(match: str, pattern: str, hits: list[str], misses: list[str]) -> None:
    check(Match(match), pattern)
    own = rules(one=Rule(Match(match), pattern))
    for text in hits:
        assert found(own, text) == "one", text
    for text in misses:
        assert found(own, text) is None, text


def test_the_highest_priority_wins_then_the_name() -> None:
    own = rules(
        b=Rule(Match.CONTAINS, "x"),
        a=Rule(Match.CONTAINS, "x"),
        low=Rule(Match.CONTAINS, "x", priority=-1),
        high=Rule(Match.EXACT, "x y", priority=5),
        off=Rule(Match.CONTAINS, "x", priority=9, disabled="timed out"),
        elsewhere=Rule(Match.CONTAINS, "x", priority=9, senders=("3030",)),
    )
    assert found(own, "X y") == "high"
    assert found(own, "x") == "a"
    assert found(own, "x", sender="3030") == "elsewhere"


@pytest.mark.parametrize(
    ("pattern", "says", "position"),
    [
        ("(", "missing )", 1),
        ("a{2,1}", "min repeat greater than max repeat", 2),
        ("[a", "unterminated character set", 2),
        ("*a", "nothing to repeat", 0),
        ("ab(?P<x", "missing >", 7),
        ("\\", "bad escape", 1),
        ("(((((a{999}){999}){999}){999}){999})", "repetitions multiply to", 6),
        ("a{17}b{17}", "repetitions multiply to 289; at most 256 may", 6),
        ("(?:" * 60 + "a" + ")+" * 60, "characters; a pattern has at most", None),
        ("(?:" * 30 + "a" + ")+" * 30, "30 groups have a repetition; at most 6 may", 103),
        ("(?x)(?:a) +", "the flag x is not allowed", 0),
        ("(?i-sx:a)", "the flag x is not allowed", 0),
        ("a" * (LONGEST_PATTERN + 1), "201 characters; a pattern has at most 200", None),
    ],
)
def test_a_pattern_that_cannot_be_used_is_told_with_its_place(
    pattern: str, says: str, position: int | None
) -> None:
    started = time.perf_counter()
    with pytest.raises(BadPattern) as raised:
        check(Match.REGEX, pattern)
    assert says in str(raised.value)
    assert raised.value.position == position
    assert time.perf_counter() - started < 5
    own = rules(one=Rule(Match.REGEX, pattern))  # an older version may have kept it
    assert found(own, "a") is None


@pytest.mark.parametrize("match", [Match.EXACT, Match.PREFIX, Match.CONTAINS])
def test_a_pattern_of_nothing_is_refused(match: Match) -> None:
    with pytest.raises(BadPattern, match="at least one letter or digit"):
        check(match, " !? ")


@pytest.mark.parametrize(
    "pattern", [r"(a+)+$", r"(a|a)*b", SLOW, r"(.*?,){20}X", r"(?:a?){100}b", r"^(\w+\s?)*\.$"]
)
def test_no_pattern_takes_long(pattern: str) -> None:
    check(Match.REGEX, pattern)
    own = rules(one=Rule(Match.REGEX, pattern))
    started = time.perf_counter()
    for _ in range(20):
        found(own, BOMB)
        found(own, ",a" * 300)
    # Each bad one costs at most its timeouts; the margin is for a busy machine.
    assert time.perf_counter() - started < 2


def test_a_pattern_that_times_out_again_and_again_is_not_tried_any_more() -> None:
    own = rules(slow=Rule(Match.REGEX, SLOW, priority=1), good=Rule(Match.CONTAINS, "aaa"))
    for n in range(MOST_TIMEOUTS):
        assert own.timed_out == []
        assert found(own, BOMB) == "good", n
    assert own.timed_out == ["slow"]
    assert found(own, "aaaa") == "good"  # it would match, and is left out
    assert own.timed_out == ["slow"]


def test_patterns_together_have_a_budget() -> None:
    clock = iter(n * BUDGET * 0.6 for n in range(100))
    patterns = [(f"r{n}", Rule(Match.REGEX, f"x{n}")) for n in range(5)]
    own = Rules(patterns, timer=lambda: next(clock))
    assert found(own, "nothing of it") is None
    assert own.skipped == 3  # two took more than half of it each
    assert found(own, "x4") is None
    assert own.skipped == 6
