from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from config.hours import ZoneRow, ZonesFile, read_quiet_hours
from config.policies import Policy
from config.settings import Account, Route
from gateway.admission import ORDER, Checks, quiet
from gateway.admission.numbering import Numbering
from gateway.admission.world import World
from gateway.draft import Ask, Draft, new_messages
from gateway.errors import Refused
from gateway.model import Category, Status
from gateway.policy.quiet import QuietHours
from gateway.routing import RoutingTable
from gateway.store.messages import Text
from tests.admission.conftest import Ledger

SECOND = 1_000_000
HOUR = 3_600 * SECOND
FRENCH = "+33612345678"
RUSSIAN = "+79161234567"


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * SECOND


NOON, NIGHT = at("2026-11-26T12:00+01:00"), at("2026-11-26T22:00+01:00")
OPENS, CLOSES = at("2026-11-27T08:00+01:00"), at("2026-11-27T20:00+01:00")


@pytest.fixture
def told() -> list[tuple[str, str, int]]:
    return []


@pytest.fixture
def hours(numbering: Numbering, ledger: Ledger, told: list[tuple[str, str, int]]) -> Checks:
    routing = RoutingTable([Route(name="main", carriers=("op",))])
    rules = QuietHours.read(Policy(), lambda *what: told.append(what))
    return Checks(World(numbering, routing, ledger, quiet=rules))


def ask(now: int = NIGHT, account: dict[str, Any] | None = None, **options: Any) -> Ask:
    options.setdefault("category", Category.ADVERTISING)
    return Ask(Account(name="shop", **(account or {})), "Sale", now, sender="ACME", **options)


async def one(checks: Checks, request: Ask, to: str = FRENCH, zone: str | None = None) -> Draft:
    draft = Draft(to, zone=zone)
    await checks.admit(request, [draft])
    return draft


def times(draft: Draft) -> tuple[Any, ...]:
    return draft.status, draft.due, draft.closes, draft.reason


async def test_at_noon_it_leaves_at_once_and_until_evening(hours: Checks) -> None:
    draft = await one(hours, ask(NOON))
    assert times(draft) == (Status.QUEUED, NOON, at("2026-11-26T20:00+01:00"), None)


async def test_at_night_it_waits_for_the_morning(
    hours: Checks, told: list[tuple[str, str, int]]
) -> None:
    draft = await one(hours, ask())
    assert times(draft) == (Status.HELD_QUIET, draft.due, CLOSES, "quiet_hours")
    assert OPENS <= draft.due < OPENS + 900 * SECOND
    assert draft.deadline == NIGHT + 24 * HOUR
    assert told == [("default", "deferred", 1)]


async def test_a_campaign_is_spread_over_the_first_minutes_in_runs(hours: Checks) -> None:
    drafts = [Draft(f"+3361234{n:04}") for n in range(1_000)]
    await hours.admit(ask(), drafts)
    messages = new_messages(ask(), drafts, range(1_000))
    runs = [(message.due, message.closes) for message in messages]
    changes = sum(before != after for before, after in pairwise(runs))
    assert changes == 29
    assert {due for due, _ in runs} == {OPENS + 30 * slot * SECOND for slot in range(30)}
    assert {closes for _, closes in runs} == {CLOSES}


async def test_a_mixed_list_waits_for_each_ones_morning(
    hours: Checks, told: list[tuple[str, str, int]]
) -> None:
    numbers = [FRENCH, RUSSIAN, "+12125550123", "+919820012345"] * 50
    drafts = [Draft(f"{to[:-2]}{n // 4:02}") for n, to in enumerate(numbers)]
    passed = await hours.admit(ask(at("2026-11-26T03:00Z")), drafts)
    assert passed == drafts
    opens = {
        place: min(draft.due for draft in drafts if draft.country == place)
        for place in ("FR", "RU", "US", "IN")
    }
    assert opens == {
        "FR": at("2026-11-26T07:00Z"),
        "RU": at("2026-11-26T07:00Z"),
        "US": at("2026-11-26T13:00Z"),
        "IN": at("2026-11-26T04:30Z"),
    }
    assert sorted(told) == [
        (rule, "deferred", 50) for rule in ("default", "in", "ru", "us")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "account"),
    [
        ({"category": Category.TRANSACTIONAL}, {}),
        ({"category": Category.SERVICE}, {"quiet_hours": "strict"}),
        ({}, {"quiet_hours": "none"}),
        ({"answer": True}, {}),
    ],
)
async def test_who_may_always(
    hours: Checks, options: dict[str, Any], account: dict[str, Any]
) -> None:
    draft = await one(hours, ask(account=account, **options))
    assert times(draft) == (Status.QUEUED, NIGHT, None, None)


async def test_the_recipients_own_zone_goes_first_then_the_submissions(hours: Checks) -> None:
    request = ask(timezone="America/New_York")  # 16:00 there
    draft = await one(hours, request)
    assert times(draft) == (Status.QUEUED, NIGHT, at("2026-11-26T20:00-05:00"), None)
    assert draft.zone == "America/New_York"  # what a lease has to know later
    draft = await one(hours, request, zone="Asia/Tokyo")
    assert draft.closes == at("2026-11-27T20:00+09:00") and draft.zone == "Asia/Tokyo"
    draft = await one(hours, ask(at("2026-11-26T10:00Z")), RUSSIAN, zone="Europe/Moscow")
    assert times(draft) == (Status.QUEUED, at("2026-11-26T10:00Z"), at("2026-11-26T19:00Z"), None)


async def test_zones_that_do_not_exist(hours: Checks) -> None:
    with pytest.raises(Refused, match="did you mean `Europe/Paris`") as refused:
        await one(hours, ask(timezone="europe/paris"))
    assert (refused.value.reason.code, refused.value.pointer) == ("invalid_timezone", "#/timezone")
    for category in (Category.SERVICE, Category.ADVERTISING):
        draft = await one(hours, ask(category=category), zone="Sales text of somebody\0")
        assert (draft.code, draft.pointer, draft.zone) == ("invalid_timezone", "#/timezone", None)
        assert "Sales" not in draft.detail and "IANA" in draft.detail


async def test_reject(hours: Checks, told: list[tuple[str, str, int]]) -> None:
    draft = await one(hours, ask(on_quiet="reject"))
    assert (draft.code, draft.detail) == (
        "quiet_hours",
        "rule default allows it from 2026-11-27T07:00:00Z; on_quiet is reject",
    )
    assert (await one(hours, ask(NOON, on_quiet="reject"))).code is None
    assert told == [("default", "rejected", 1)]


async def test_drop_is_accepted_to_end_at_once(
    hours: Checks, told: list[tuple[str, str, int]]
) -> None:
    draft = await one(hours, ask(account={"on_quiet": "drop"}))
    assert draft.code is None
    assert (draft.status, draft.reason) == (Status.REJECTED, "quiet_hours")
    assert draft.lane == "main/bulk"
    assert told == [("default", "dropped", 1)]


async def test_validity_is_never_overrun(hours: Checks, told: list[tuple[str, str, int]]) -> None:
    draft = await one(hours, ask(validity=10 * HOUR))
    assert (draft.code, draft.detail) == (
        "quiet_hours",
        "rule default allows it from 2026-11-27T07:00:00Z, which is beyond its validity",
    )
    assert told == [("default", "beyond_validity", 1)]
    short = 10 * HOUR + 60 * SECOND  # one minute after the opening
    drafts = [Draft(f"+3361234{n:04}") for n in range(100)]
    assert await hours.admit(ask(validity=short), drafts) == drafts
    assert all(OPENS <= draft.due < OPENS + 60 * SECOND for draft in drafts)
    assert len({draft.due for draft in drafts}) == 30


async def test_zones_without_a_common_hour_are_said_to_have_none(
    numbering: Numbering, ledger: Ledger
) -> None:
    ends = ("Pacific/Kiritimati", "Pacific/Niue", "Europe/London", "Asia/Kolkata")
    file = read_quiet_hours("quiet_hours")
    row = ZoneRow(prefixes=("336",), zones=ends, source="a test")
    rules = QuietHours(file, ZonesFile(date=file.date, numbers=(row,)), Policy().opening_spread)
    world = World(numbering, RoutingTable([Route(name="m", carriers=("op",))]), ledger, quiet=rules)
    draft = await one(Checks(world), ask())
    assert draft.code == "quiet_hours"
    assert draft.detail.startswith("rule default has no hour that is allowed in all its time zones")


async def test_a_scheduled_message_moves_to_the_next_hour_after_its_time(hours: Checks) -> None:
    draft = await one(hours, ask(NOON, send_at=NIGHT))
    assert draft.status == Status.HELD_QUIET and draft.reason == "quiet_hours"
    assert OPENS <= draft.due < OPENS + 900 * SECOND and draft.closes == CLOSES
    assert draft.deadline == NIGHT + 24 * HOUR
    later = OPENS + 2 * HOUR
    draft = await one(hours, ask(NOON, send_at=later))
    assert times(draft) == (Status.SCHEDULED, later, CLOSES, None)
    draft = await one(hours, ask(NOON, send_at=NIGHT, on_quiet="reject"))
    assert draft.code == "quiet_hours"


async def test_what_waits_for_a_moderator_waits_for_its_hour_too(
    numbering: Numbering, ledger: Ledger
) -> None:
    text = Text(b"0" * 16, "shop", "ACME", "advertising", "Sale")

    def hold(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
        for draft in drafts:
            draft.status, draft.reason, draft.judged = (
                Status.HELD_MODERATION, "awaiting_moderation", text
            )  # fmt: skip
        return drafts

    world = World(
        numbering,
        RoutingTable([Route(name="m", carriers=("op",))]),
        ledger,
        quiet=QuietHours.read(Policy()),
    )
    place = ORDER.index(quiet.check)
    checks = Checks(world, (*ORDER[:place], hold, *ORDER[place:]))
    draft = await one(checks, ask())
    assert times(draft) == (
        Status.HELD_MODERATION, draft.due, CLOSES, "awaiting_moderation"
    )  # fmt: skip
    assert draft.due >= OPENS and draft.judged is text
    draft = await one(checks, ask(on_quiet="drop"))
    assert (draft.status, draft.judged) == (Status.REJECTED, None)


async def test_local_time_is_each_ones_own(hours: Checks) -> None:
    request = ask(NOON, send_at_local=datetime.fromisoformat("2026-11-27T10:00"))
    drafts = [
        Draft(FRENCH),
        Draft("+12125550123"),
        Draft(RUSSIAN),
        Draft("+79161234568", zone="Asia/Yekaterinburg"),
    ]
    assert await hours.admit(request, drafts) == drafts
    expected = [
        "2026-11-27T10:00+01:00",
        "2026-11-27T10:00-05:00",
        "2026-11-27T10:00+02:00",  # it is ten, or later, in all of Russia
        "2026-11-27T10:00+05:00",
    ]
    assert [draft.due for draft in drafts] == [at(time) for time in expected]
    assert [draft.deadline for draft in drafts] == [at(time) + 24 * HOUR for time in expected]
    assert {draft.status for draft in drafts} == {Status.SCHEDULED}


async def test_local_time_at_night_is_moved_and_reaches_exempt_categories(hours: Checks) -> None:
    clock = datetime.fromisoformat("2026-11-27T03:00")
    draft = await one(hours, ask(NOON, send_at_local=clock))
    assert draft.status == Status.HELD_QUIET and OPENS <= draft.due < OPENS + 900 * SECOND
    draft = await one(hours, ask(NOON, send_at_local=clock, category=Category.SERVICE))
    assert times(draft) == (Status.SCHEDULED, at("2026-11-27T03:00+01:00"), None, None)


async def test_local_time_that_has_passed(hours: Checks) -> None:
    # 12:00 in Paris; ten o'clock is over there, and over for good after two hours
    passed = datetime.fromisoformat("2026-11-26T10:00")
    draft = await one(hours, ask(NOON, send_at_local=passed))
    assert (draft.status, draft.due) == (Status.QUEUED, NOON)
    drafts = [Draft(FRENCH), Draft("+12125550123")]
    left = await hours.admit(ask(NOON, send_at_local=passed, validity=HOUR), drafts)
    assert left == drafts[1:]  # it is not yet six in New York
    assert (drafts[0].code, drafts[0].pointer) == ("validity_expired", "#/send_at_local")


@pytest.mark.parametrize("clock", ["0001-01-01T00:00", "2026-11-20T00:00", "2028-02-01T00:00"])
async def test_local_time_without_sense(hours: Checks, clock: str) -> None:
    with pytest.raises(Refused) as refused:
        await one(hours, ask(NOON, send_at_local=datetime.fromisoformat(clock)))
    assert (refused.value.reason.code, refused.value.pointer) == (
        "validity_expired", "#/send_at_local"
    )  # fmt: skip


async def test_skip_gives_up_what_misses_its_time(hours: Checks) -> None:
    skip = {"catch_up": "skip", "catch_up_late": 1800.0}
    draft = await one(hours, ask(account=skip))
    assert draft.deadline == draft.due + 1800 * SECOND
    send_at = NOON + 3 * HOUR
    draft = await one(hours, ask(NOON, account=skip, send_at=send_at))
    assert draft.deadline == send_at + 1800 * SECOND
    draft = await one(hours, ask(NOON, account=skip, send_at=send_at, validity=60 * SECOND))
    assert draft.deadline == send_at + 60 * SECOND
    draft = await one(hours, ask(NOON, account=skip))  # it had no time to miss
    assert draft.deadline == NOON + 24 * HOUR
    draft = await one(hours, ask(NOON, account=skip, send_at=send_at, catch_up="send"))
    assert draft.deadline == send_at + 24 * HOUR


async def test_notes_tell_rule_zones_and_opening(hours: Checks) -> None:
    draft = Draft(RUSSIAN)
    draft.notes = []
    request = ask()
    request.dry = True
    await hours.admit(request, [draft])
    (note,) = [note for note in draft.notes if "quiet hours" in note.rule]
    assert note.rule == (
        "quiet hours in Europe/Kaliningrad, Europe/Moscow, Europe/Samara and 8 more zones: rule ru "
        "allows it from 2026-11-27T07:00:00Z to 2026-11-27T10:00:00Z"
    )
    assert note.source == "trade practice (as of 2026-11-26)"
    draft = Draft(RUSSIAN)
    draft.notes = []
    await hours.admit(ask(category=Category.SERVICE), [draft])
    assert "no quiet hours for category service" in [note.rule for note in draft.notes]


async def test_nothing_is_counted_of_what_is_not_stored(
    hours: Checks, told: list[tuple[str, str, int]]
) -> None:
    request = ask()
    request.dry = True
    assert (await one(hours, request)).status == Status.HELD_QUIET
    assert told == []


async def test_a_list_asks_the_rules_once_for_each_place(
    hours: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Counter[object] = Counter()
    when = QuietHours.when

    def counted(self: QuietHours, place: Any, *what: Any) -> Any:
        asked[place] += 1
        return when(self, place, *what)

    monkeypatch.setattr(QuietHours, "when", counted)
    drafts = [Draft(f"+3361234{n:04}") for n in range(500)]
    await hours.admit(ask(NOON), drafts)
    assert list(asked.values()) == [1]


async def test_skip_refuses_what_comes_after_its_time(hours: Checks) -> None:
    """Recipients that are added to a campaign hours after it: nobody is to be called in now."""
    skip = {"catch_up": "skip", "catch_up_late": 1800.0, "quiet_hours": "none"}
    draft = await one(hours, ask(NOON, account=skip, send_at=NOON - 1200 * SECOND))
    assert (draft.due, draft.deadline) == (NOON, NOON + 600 * SECOND)
    for late in (1800, 3 * 3600):
        with pytest.raises(Refused, match="send_at is past, and catch_up is skip"):
            await one(hours, ask(NOON, account=skip, send_at=NOON - late * SECOND))
        clock = datetime.fromisoformat("2026-11-26T12:00") - timedelta(seconds=late)
        draft = await one(hours, ask(NOON, account=skip, send_at_local=clock))
        assert (draft.code, draft.pointer) == ("validity_expired", "#/send_at_local")
        draft = await one(hours, ask(NOON, account=skip, send_at_local=clock, catch_up="send"))
        assert (draft.code, draft.due) == (None, NOON)
        draft = await one(hours, ask(NOON, account=skip, send_at_local=clock), RUSSIAN)
        assert draft.code == "validity_expired"
