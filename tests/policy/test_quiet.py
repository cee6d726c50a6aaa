from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from itertools import pairwise

import pytest

from config.hours import QuietHoursFile, QuietRule, QuietWindow, ZonesFile
from config.policies import Policy
from gateway.model import Category
from gateway.policy.quiet import SLOTS, QuietHours, spread_over
from gateway.policy.zones import Place
from gateway.reopening import reopen
from gateway.store.messages import Closed, Content, Opening

QUIET = QuietHours.read(Policy())
HOUR = 3_600_000_000
FRENCH = 33612345678
RUSSIAN = 79161234567


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


def when(number: int, now: str, category: str = "advertising", profile: str = "standard") -> tuple:
    answer = QUIET.when(QUIET.zones.place(number), category, profile, at(now))
    assert answer is not None
    return answer.opens, answer.closes, answer.rule.name


@pytest.mark.parametrize(
    ("number", "now", "opens", "closes", "rule"),
    [
        (12125550123, "2026-11-26T02:00Z", "2026-11-26T13:00Z", "2026-11-27T02:00Z", "us"),
        (17875550123, "2026-11-26T02:00Z", "2026-11-26T12:00Z", "2026-11-27T01:00Z", "us"),
        (FRENCH, "2026-11-28T21:00Z", "2026-11-29T07:00Z", "2026-11-29T19:00Z", "default"),
        (393471234567, "2026-11-28T21:00Z", "2026-11-30T07:00Z", "2026-11-30T21:00Z", "it"),
        (5511961234567, "2026-11-29T12:00Z", "2026-11-30T12:00Z", "2026-12-01T01:00Z", "br"),
        (971501234567, "2026-11-26T17:00Z", "2026-11-27T03:00Z", "2026-11-27T17:00Z", "ae"),
        (917410410123, "2026-11-26T20:00Z", "2026-11-27T04:30Z", "2026-11-27T15:30Z", "in"),
        # anywhere in Russia: after nine in Kaliningrad, before ten in Kamchatka
        (RUSSIAN, "2026-11-26T10:00Z", "2026-11-27T07:00Z", "2026-11-27T10:00Z", "ru"),
        (RUSSIAN, "2026-07-26T10:00Z", "2026-07-27T07:00Z", "2026-07-27T10:00Z", "ru"),
        (74951234567, "2026-11-26T22:00Z", "2026-11-27T06:00Z", "2026-11-27T19:00Z", "ru"),
        (81312345678, "2026-11-26T12:00Z", "2026-11-26T23:00Z", "2026-11-27T11:00Z", "default"),
    ],
)
def test_the_start_table(number: int, now: str, opens: str, closes: str, rule: str) -> None:
    assert when(number, now) == (at(opens), at(closes), rule)
    assert when(number, now, category="informational") == (at(opens), at(closes), rule)


def test_the_strict_profile_takes_the_stricter_rule_where_there_is_one() -> None:
    saturday = "2026-11-28T21:00Z"
    monday = (at("2026-11-30T07:00Z"), at("2026-11-30T20:30Z"), "fr_strict")
    assert when(FRENCH, saturday, profile="strict") == monday
    assert when(393471234567, saturday, profile="strict")[2] == "it"
    assert when(81312345678, saturday, profile="strict")[2] == "default"


@pytest.mark.parametrize(
    ("category", "profile"),
    [("transactional", "strict"), ("service", "standard"), ("advertising", "none")],
)
def test_exempt(category: str, profile: str) -> None:
    assert QUIET.when(QUIET.zones.place(FRENCH), category, profile, at("2026-11-26T02:00Z")) is None


def test_every_category_is_either_exempt_or_has_hours() -> None:
    bound = {one.value for one in Category if QUIET.binds(one.value, "standard")}
    assert bound == {"advertising", "informational"}


def test_a_rule_of_a_category_goes_before_one_of_all() -> None:
    def rule(name: str, start: str, **for_whom: object) -> QuietRule:
        window = QuietWindow(start=start, end="20:00")
        return QuietRule(name=name, source="s", windows=(window,), **for_whom)  # type: ignore[arg-type]

    file = QuietHoursFile(
        date=date(2026, 11, 26),
        rule=(
            rule("all", "06:00"),
            rule("adverts", "07:00", categories=("advertising",)),
            rule("france", "08:00", countries=("FR",)),
            rule("france_adverts", "09:00", countries=("FR",), categories=("advertising",)),
            rule("france_strict", "10:00", countries=("FR",), profile="strict"),
        ),
    )
    quiet = QuietHours(file, ZonesFile(date=file.date, numbers=()), Policy().opening_spread)

    def name(country: str, category: str, profile: str) -> str:
        found = quiet.rule(country, category, profile)
        assert found is not None
        return found.name

    assert name("DE", "informational", "standard") == "all"
    assert name("DE", "advertising", "strict") == "adverts"
    assert name("FR", "informational", "standard") == "france"
    assert name("FR", "advertising", "standard") == "france_adverts"
    assert name("FR", "advertising", "strict") == "france_strict"
    assert quiet.rule("FR", "service", "standard") is not None  # nothing is exempt in this file


def test_without_rules_it_is_always_the_hour() -> None:
    assert (
        QuietHours.without_rules().when(Place("FR", ("UTC",)), "advertising", "strict", 5) is None
    )


@pytest.mark.parametrize("count", [1, 2, 29, 30, 31, 1_000])
def test_a_list_is_spread_evenly_in_runs(count: int) -> None:
    slots = list(spread_over(count, RUSSIAN))
    assert len(slots) == count
    changes = sum(before != after for before, after in pairwise(slots))
    assert changes + 1 == len(set(slots)) == min(count, SLOTS)
    sizes = Counter(slots).values()
    assert max(sizes) - min(sizes) <= 1


def test_single_messages_are_spread_as_well() -> None:
    slots = Counter(next(spread_over(1, RUSSIAN + n)) for n in range(3_000))
    assert len(slots) == SLOTS and max(slots.values()) < 150


def content(**fields: object) -> Content:
    values = {"category": "advertising", **fields}
    return Content(1, "shop", "ACME", "Sale", **values)  # type: ignore[arg-type]


NIGHT = at("2026-11-26T22:00Z")
OPENS, CLOSES = at("2026-11-27T07:00Z"), at("2026-11-27T19:00Z")


def closed(
    number: int = FRENCH, hours: int = 24, zone: str | None = None, **fields: object
) -> Closed:
    return Closed(number, content(**fields), zone, NIGHT + hours * HOUR)


@pytest.mark.parametrize(
    ("one", "opening"),
    [
        (closed(category="service"), Opening(NIGHT)),
        (closed(strict_hours="none"), Opening(NIGHT)),
        (closed(answer=True), Opening(NIGHT)),
        (closed(zone="Pacific/Noumea"), Opening(NIGHT, at("2026-11-27T09:00Z"))),
        (closed(on_quiet="reject"), Opening(None)),
        (closed(on_quiet="drop"), Opening(None)),
        (closed(hours=9), Opening(None)),
    ],
)
def test_reopening(one: Closed, opening: Opening) -> None:
    assert reopen(QUIET, [one], NIGHT) == [opening]


def test_a_zone_that_is_no_more_is_where_the_number_is() -> None:
    assert reopen(QUIET, [closed(zone="US/Pacific-New")], NIGHT) == reopen(QUIET, [closed()], NIGHT)


def test_what_is_put_off_again_is_spread_within_its_validity_and_counted() -> None:
    told: list[tuple[str, str, int]] = []
    quiet = QuietHours.read(Policy(), lambda *what: told.append(what))
    many = [closed(FRENCH + n) for n in range(90)]
    short = [closed(FRENCH + n) for n in range(3)]
    for one in short:
        one.deadline = OPENS + 30_000_000
    openings = reopen(quiet, many, NIGHT)
    assert {one.due for one in openings} == {OPENS + 30_000_000 * slot for slot in range(SLOTS)}
    assert {one.closes for one in openings} == {CLOSES}
    *openings, last = reopen(quiet, [*short, closed(hours=1)], NIGHT)
    assert all(one.due is not None and OPENS <= one.due < OPENS + 30_000_000 for one in openings)
    assert last == Opening(None)
    assert sorted(told) == [
        ("default", "beyond_validity", 1),
        ("default", "deferred_again", 3),
        ("default", "deferred_again", 90),
    ]


def test_nobody_is_asked_twice_for_what_is_alike() -> None:
    """An opening is a minute's search at worst: a lease of thousands must not repeat it."""
    asked: list[object] = []

    class Asked(QuietHours):
        def when(self, *what: object) -> None:  # type: ignore[override]
            asked.append(what)

    quiet = Asked.read(Policy())
    reopen(quiet, [closed(FRENCH + n) for n in range(500)], NIGHT)
    assert len(asked) == 1
