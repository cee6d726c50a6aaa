"""Files that say when people may be disturbed, and where they are by their number.

In: the names of the files. Out: their rules, checked: nothing in them is unknown or says two things
at once. What the rules come to at an hour is `gateway.policy`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Final, Literal

import holidays as public_holidays
from msgspec import Meta
from phonenumbers import SUPPORTED_REGIONS

from config.base import CategoryName, Name, Section
from config.policies import ClockTime, Weekday
from config.policy_files import PolicyFile, read_policy
from config.zone_names import zone_problem

Profile = Literal["standard", "strict"]
Source = Annotated[str, Meta(min_length=1)]

WEEKDAYS: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY: Final = 1440
"""Minutes."""


class QuietWindow(Section, frozen=True):
    """When messages may arrive, by the recipient's clock."""

    start: ClockTime
    """First minute."""
    end: ClockTime
    """The minute it closes; before `start`: on the next day."""
    days: tuple[Weekday, ...] = WEEKDAYS
    """Days it begins on."""

    @property
    def begins(self) -> int:
        """Minutes after midnight."""
        return minutes(self.start)

    @property
    def lasts(self) -> int:
        """Minutes, if no clock is changed on the way."""
        return (minutes(self.end) - self.begins) % DAY or DAY


class Holidays(Section, frozen=True):
    """Public holidays, as the `holidays` package knows them."""

    country: str
    """ISO 3166 code."""
    subdivision: str | None = None
    """Its code for a part of the country that has more of them."""


class QuietRule(Section, frozen=True):
    """Hours of one kind of message in some countries. The rule of a country goes before one of all,
    one of the account's profile before `standard`, one that names the category before one that does
    not, in this order."""

    name: Name
    """Its name in metrics and explanations."""
    source: Source
    """The law, or whose practice."""
    windows: tuple[QuietWindow, ...]
    """When messages may arrive; at all other times they may not."""
    countries: tuple[Annotated[str, Meta(pattern=r"^[A-Z]{2}$")], ...] = ()
    """ISO 3166 codes it is for; empty for all that have no rule."""
    categories: tuple[CategoryName, ...] = ()
    """Categories it is for; empty for all that are not exempt."""
    profile: Profile = "standard"
    """Accounts it is for: with `quiet_hours = "strict"` alone, or all."""
    holidays: Holidays | None = None
    """Days no window begins on."""


class QuietHoursFile(Section, frozen=True):
    """`config/policy/quiet_hours.toml`."""

    date: date
    """When it was last looked through."""
    rule: tuple[QuietRule, ...]
    """The rules."""
    exempt: tuple[CategoryName, ...] = ()
    """Categories that may arrive at any hour."""


class ZoneRow(Section, frozen=True):
    """Where numbers with some prefixes are."""

    prefixes: tuple[Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,14}$")], ...]
    """E.164 digits, country code first; of several that fit a number the longest counts."""
    zones: tuple[str, ...]
    """All zones they can be in."""
    source: Source
    """Where it stands."""


class ZonesFile(Section, frozen=True):
    """`config/policy/zones.toml`."""

    date: date
    """When it was last looked through."""
    numbers: tuple[ZoneRow, ...]
    """The table."""


def minutes(clock: str) -> int:
    """`"21:30"` in minutes after midnight."""
    hours, _, rest = clock.partition(":")
    return int(hours) * 60 + int(rest)


def read_quiet_hours(name: str) -> QuietHoursFile:
    """Read and check a file of quiet hours; raises `PolicyFileError`."""
    file = read_policy(name, QuietHoursFile)
    rules = file.content.rule
    seen: dict[tuple[str | None, str | None, str], str] = {}
    names: set[str] = set()
    for place, rule in enumerate(rules):
        at = f"rule[{place}]"
        if rule.name in names:
            file.complain(f"{at}.name", f"a second rule is called `{rule.name}`; rename one")
        names.add(rule.name)
        _check_rule(file, at, rule)
        for country in rule.countries or (None,):
            for category in rule.categories or (None,):
                other = seen.setdefault((country, category, rule.profile), rule.name)
                if other != rule.name:
                    file.complain(
                        at,
                        f"rule `{other}` is for {country or 'all countries'}, "
                        f"{category or 'all categories'}, {rule.profile} already; take one out",
                    )
    return file.checked()


def _check_rule(file: PolicyFile[QuietHoursFile], at: str, rule: QuietRule) -> None:
    if not rule.windows:
        file.complain(f"{at}.windows", f"rule `{rule.name}` never lets anything pass; add a window")
    for country in rule.countries:
        if country not in SUPPORTED_REGIONS:
            file.complain(f"{at}.countries", f"`{country}` is no country with phone numbers")
    for category in rule.categories:
        if category in file.content.exempt:
            file.complain(f"{at}.categories", f"`{category}` is exempt in this file; choose one")
    if rule.holidays is not None:
        _check_holidays(file, f"{at}.holidays", rule.holidays)
    for place, window in enumerate(rule.windows):
        if window.start == "24:00":
            file.complain(f"{at}.windows[{place}].start", 'a day begins at "00:00"')
        elif window.start == window.end:
            file.complain(
                f"{at}.windows[{place}].end",
                'the window is empty or endless; a whole day is "00:00" to "24:00"',
            )
        if not window.days:
            file.complain(f"{at}.windows[{place}].days", "a window needs a day; add one")
    for first, second in _overlaps(rule.windows):
        file.complain(
            f"{at}.windows[{second}]",
            f"window {second + 1} of rule `{rule.name}` overlaps window {first + 1}; join them",
        )


def _check_holidays(file: PolicyFile[QuietHoursFile], at: str, wanted: Holidays) -> None:
    known = public_holidays.list_supported_countries()
    if wanted.country not in known:
        file.complain(at, f"no holidays are known of `{wanted.country}`; leave them out")
    elif wanted.subdivision is not None and wanted.subdivision not in known[wanted.country]:
        parts = ", ".join(known[wanted.country]) or "none"
        file.complain(at, f"{wanted.country} has no part `{wanted.subdivision}`; known: {parts}")


def _overlaps(windows: tuple[QuietWindow, ...]) -> Iterator[tuple[int, int]]:
    """Pairs of windows that are open at the same minute of the week."""
    week = 7 * DAY
    spans = sorted(
        (day * DAY + window.begins, window.lasts, place)
        for place, window in enumerate(windows)
        for day, name in enumerate(WEEKDAYS)
        if name in window.days
    )
    if not spans:
        return
    found: set[tuple[int, int]] = set()
    first = spans[0]
    for one, after in zip(spans, [*spans[1:], (first[0] + week, first[1], first[2])], strict=True):
        if one[0] + one[1] > after[0]:
            found.add((min(one[2], after[2]), max(one[2], after[2])))
    yield from sorted(found)


def read_zones(name: str) -> ZonesFile:
    """Read and check a table of zones; raises `PolicyFileError`."""
    file = read_policy(name, ZonesFile)
    seen: set[str] = set()
    for place, row in enumerate(file.content.numbers):
        at = f"numbers[{place}]"
        for prefix in row.prefixes:
            if prefix in seen:
                file.complain(f"{at}.prefixes", f"the prefix {prefix} stands twice; take one out")
            seen.add(prefix)
        if not row.zones:
            file.complain(f"{at}.zones", "numbers are somewhere; name a zone")
        for zone in row.zones:
            problem = zone_problem(zone, spelling=True)
            if problem is not None:
                file.complain(f"{at}.zones", f"`{zone}`: {problem}")
    return file.checked()
