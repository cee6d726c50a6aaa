"""Quiet hours: may this message disturb its recipient now, and if not, when?

In: the rules and the table of zones, where the recipient is, a category, an account's profile, a
moment. Out: the next opening, its end and the rule that says so, and how lists are spread over an
opening's first minutes. Pure but for `count`, which is told what became of how many. The lease asks
from the store's thread, admission from the loop's: what is remembered in here bears that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from typing import Final, NamedTuple

from config.base import Duration
from config.hours import QuietHoursFile, QuietRule, ZonesFile, read_quiet_hours, read_zones
from config.policies import Policy
from gateway.policy.hours import SECOND, Hours, opening
from gateway.policy.zones import Place, Zones

SLOTS: Final = 30
"""Moments the opening minutes are divided into: every half minute of the default quarter of an
hour. Few enough that messages of one moment come in runs, which a store writes in one statement."""

Count = Callable[[str, str, int], None]
"""Rule, outcome, messages."""


class Rule:
    """A rule of the file, ready to be asked."""

    __slots__ = ("hours", "name", "source")

    def __init__(self, rule: QuietRule, date: str) -> None:
        self.name = rule.name
        self.source = f"{rule.source} (as of {date})"
        self.hours = Hours(rule)


class Answer(NamedTuple):
    """When a message may leave."""

    opens: int | None
    """UTC microseconds, not before the moment asked about; None: not within five weeks."""
    closes: int | None
    """When that window closes; None: never."""
    rule: Rule


def _no_count(rule: str, outcome: str, messages: int) -> None:
    pass


class QuietHours:
    """All rules, and where numbers are."""

    __slots__ = ("_chosen", "_count", "_exempt", "_rules", "spread", "zones")

    def __init__(
        self,
        file: QuietHoursFile,
        zones: ZonesFile,
        spread: Duration,
        count: Count = _no_count,
    ) -> None:
        self.zones = Zones(zones)
        self.spread = int(spread * SECOND)
        """Microseconds over which those that waited leave."""
        self._count = count
        self._exempt = frozenset(file.exempt)
        self._rules: dict[tuple[str | None, str, str | None], Rule] = {}
        for row in file.rule:
            rule = Rule(row, file.date.isoformat())
            for country in row.countries or (None,):
                for category in row.categories or (None,):
                    self._rules[country, row.profile, category] = rule
        self._chosen: dict[tuple[str | None, str, str], Rule | None] = {}

    @classmethod
    def read(cls, policy: Policy, count: Count = _no_count) -> QuietHours:
        """From the files the settings name; raises `PolicyFileError`."""
        return cls(
            read_quiet_hours(policy.quiet_hours),
            read_zones(policy.zones),
            policy.opening_spread,
            count,
        )

    @classmethod
    def without_rules(cls) -> QuietHours:
        """Any hour, everywhere."""
        long_ago = date(1970, 1, 1)
        return cls(
            QuietHoursFile(date=long_ago, rule=()),
            ZonesFile(date=long_ago, numbers=()),
            Policy().opening_spread,
        )

    def binds(self, category: str, profile: str) -> bool:
        """Whether there are hours for messages of this category and profile at all."""
        return profile != "none" and category not in self._exempt

    def rule(self, country: str | None, category: str, profile: str) -> Rule | None:
        """The rule that holds; None: any hour."""
        if not self.binds(category, profile):
            return None
        key = (country, category, profile)
        if key not in self._chosen:
            self._chosen[key] = next(
                (
                    rule
                    for where in (country, None)
                    for kept in dict.fromkeys((profile, "standard"))
                    for what in (category, None)
                    if (rule := self._rules.get((where, kept, what))) is not None
                ),
                None,
            )
        return self._chosen[key]

    def when(self, place: Place, category: str, profile: str, now: int) -> Answer | None:
        """When a message to somebody there may leave, not before `now`; None: at any hour."""
        rule = self.rule(place.country, category, profile)
        if rule is None:
            return None
        found = opening(rule.hours, place.zones, now)
        return Answer(None, None, rule) if found is None else Answer(*found, rule)

    def tell(self, outcomes: Counter[tuple[str, str]]) -> None:
        """Count what became of a list, by rule and outcome."""
        for (rule, outcome), messages in outcomes.items():
            self._count(rule, outcome, messages)

    def slot(self, answer: Answer, deadline: int, slot: int) -> int:
        """When a message that waited for this opening leaves: within its validity and the
        window."""
        opens = answer.opens
        assert opens is not None
        end = min(opens + self.spread, deadline)
        if answer.closes is not None:
            end = min(end, answer.closes)
        return opens + slot * ((end - opens) // SLOTS)


def spread_over(messages: int, seed: int) -> Iterator[int]:
    """A slot for each of a list, neighbours in the same. `seed` (a number) says where to begin:
    single messages must not all leave in the first."""
    # The golden ratio's odd neighbour of 2**32 mixes numbers that follow each other.
    first = ((seed * 0x9E3779B1) & 0xFFFFFFFF) * SLOTS >> 32
    return ((first + index * SLOTS // messages) % SLOTS for index in range(messages))
