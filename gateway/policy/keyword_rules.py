"""An account's own keywords: rules -> the one a reply matches.

In: rules as they stand in the registry, and texts. Out: the rule with the highest priority that
matches, if one does; a complaint that names the position for a pattern that cannot be used. Knows
no store and no reply but its text.

Patterns are customers' and run between commits, so nothing about them may cost much. Compiling is
bounded by what a pattern may repeat (the `regex` library writes repetitions out: `(((a{999}){999})
{999})` or forty nested `(?:…)+` take all memory there is); matching by a timeout, by a budget for
all patterns of one text, and by the end of patterns that time out again and again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec
import regex

from gateway.policy.keywords import fold

LONGEST_PATTERN: Final = 200
"""Characters of a pattern; a keyword is a word or two."""
LONGEST_REPLY: Final = 1_530
"""Characters of an answer: ten parts of the GSM alphabet."""
MOST_RULES: Final = 200
"""Rules of one account. A regular expression costs 12 us a text on a busy machine, so a text that
matches none of so many holds a commit up for 2 ms."""
LONGEST_TEXT: Final = 1_530
"""Characters of a text that are looked at."""
TIMEOUT: Final = 0.005
"""Seconds one pattern may take for one text; an honest one takes some µs."""
BUDGET: Final = 0.020
"""Seconds all patterns of an account may take for one text: what a commit may wait for it."""
MOST_TIMEOUTS: Final = 3
"""After so many a pattern is not tried any more; it may have had bad luck once."""
MOST_GROUPS: Final = 6
"""Groups with a repetition in one pattern. Each may double what the compiler writes out."""
MOST_REPEATED: Final = 256
"""Product of the counts in braces of one pattern; a text of one part is `.{0,160}`. With both
limits the worst pattern took 0.1 s and 20 MiB to compile, and it is compiled once."""

_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_NUMBERS: Final = re.compile(r"[0-9]+")
_REPEATED_GROUP: Final = re.compile(r"\)\s*[+*?{]")
_FLAGS: Final = re.compile(r"\(\?[A-Za-z0-9-]*x")


class Match(StrEnum):
    """How a pattern is compared. All but `regex` compare what is left of case, accents and
    punctuation; `regex` looks anywhere in the text as it came, case aside."""

    EXACT = "exact"
    PREFIX = "prefix"
    CONTAINS = "contains"
    REGEX = "regex"


class Rule(msgspec.Struct, frozen=True, omit_defaults=True):
    """A keyword of an account, as the registry keeps it."""

    match: Match
    pattern: str
    senders: tuple[str, ...] = ()
    """Our numbers it is for, without `+`; empty for all of the account's."""
    language: str | None = None
    reply: str | None = None
    """What is answered; None: nothing."""
    webhook: bool = False
    """Whether a match is an event `keyword.matched`."""
    priority: int = 0
    """Higher ones are tried first; equal ones by name."""
    disabled: str | None = None
    """Why it is not tried any more."""


class BadPattern(ValueError):
    """A pattern that cannot be used; `position` counts its characters from 0."""

    def __init__(self, problem: str, position: int | None = None) -> None:
        super().__init__(problem if position is None else f"{problem} at position {position}")
        self.position = position


def check(match: Match, pattern: str) -> None:
    """Raise `BadPattern` for a pattern no rule can have."""
    if len(pattern) > LONGEST_PATTERN:
        raise BadPattern(f"{len(pattern)} characters; a pattern has at most {LONGEST_PATTERN}")
    if match is Match.REGEX:
        _compile(pattern)
    elif not fold(pattern):
        raise BadPattern("a pattern has at least one letter or digit")


def _compile(pattern: str) -> Any:
    _check_repetitions(pattern)
    try:
        return regex.compile(pattern, regex.IGNORECASE)
    except regex.error as error:
        raise BadPattern(error.msg, error.pos) from None
    except (ValueError, KeyError, OverflowError, RecursionError, MemoryError) as error:
        raise BadPattern(f"the pattern cannot be compiled ({type(error).__name__})") from None


def _check_repetitions(pattern: str) -> None:
    # Deliberately coarse: what stands in a character class or after a backslash counts too.
    flags = _FLAGS.search(pattern)
    if flags is not None:  # spaces and comments would hide what is counted here
        raise BadPattern("the flag x is not allowed", flags.start())
    groups = [found.start() for found in _REPEATED_GROUP.finditer(pattern)]
    if len(groups) > MOST_GROUPS:
        raise BadPattern(
            f"{len(groups)} groups have a repetition; at most {MOST_GROUPS} may",
            groups[MOST_GROUPS],
        )
    product = 1
    for found in _BRACES.finditer(pattern):
        product *= max([1, *(int(number) for number in _NUMBERS.findall(found[1]))])
        if product > MOST_REPEATED:
            raise BadPattern(
                f"repetitions multiply to {product}; at most {MOST_REPEATED} may", found.start()
            )


class _Compiled:
    """One rule, ready to be tried."""

    __slots__ = ("folded", "name", "regex", "rule", "timeouts")

    def __init__(self, name: str, rule: Rule) -> None:
        self.name = name
        self.rule = rule
        self.folded = fold(rule.pattern)
        self.regex: Any = _compile(rule.pattern) if rule.match is Match.REGEX else None
        self.timeouts = 0


class Rules:
    """The rules of one account."""

    __slots__ = ("_compiled", "_plain", "_timer", "skipped", "timed_out")

    def __init__(
        self,
        rules: Sequence[tuple[str, Rule]],
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`rules` by name; disabled ones are passed over, and those whose pattern is not allowed
        (any more). `timer` measures what patterns cost, in seconds."""
        self._timer = timer
        self._compiled: list[_Compiled] = []
        for name, rule in sorted(rules, key=lambda one: (-one[1].priority, one[0])):
            if rule.disabled is None:
                try:
                    self._compiled.append(_Compiled(name, rule))
                except BadPattern:
                    continue
        self._plain = any(one.regex is None for one in self._compiled)
        self.timed_out: list[str] = []
        """Names of rules that have timed out too often, for the caller to take and put on record;
        they are not tried any more."""
        self.skipped = 0
        """Patterns not tried because the budget of a text was spent."""

    def find(self, text: str, sender: str) -> tuple[str, Rule] | None:
        """(name, rule) for a text that came to `sender` (one of our numbers, without `+`)."""
        compiled = self._compiled
        if not compiled:
            return None
        folded = fold(text[:LONGEST_TEXT]) if self._plain else ""
        left = BUDGET
        for one in compiled:
            rule = one.rule
            if rule.senders and sender not in rule.senders:
                continue
            if one.regex is not None:
                if left <= 0:
                    self.skipped += 1
                    continue
                started = self._timer()
                hit = self._search(one, text[:LONGEST_TEXT], min(TIMEOUT, left))
                left -= self._timer() - started
            elif rule.match is Match.EXACT:
                hit = folded == one.folded
            elif rule.match is Match.PREFIX:
                hit = folded.startswith(one.folded)
            else:
                hit = one.folded in folded
            if hit:
                return one.name, rule
        return None

    def _search(self, one: _Compiled, text: str, timeout: float) -> bool:
        if one.timeouts >= MOST_TIMEOUTS:
            return False
        try:
            # Not giving up the interpreter lock: taking it back from a busy event loop costs up
            # to half a millisecond, for each pattern.
            return one.regex.search(text, timeout=timeout, concurrent=False) is not None
        except TimeoutError:
            one.timeouts += 1
            if one.timeouts == MOST_TIMEOUTS:
                self.timed_out.append(one.name)
        except MemoryError:  # its memory of ways back outgrew what there is: as a timeout, at once
            one.timeouts = MOST_TIMEOUTS
            self.timed_out.append(one.name)
        return False
