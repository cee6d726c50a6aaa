from __future__ import annotations

import phonenumbers
import phonenumbers.timezone
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.hours import ZoneRow, ZonesFile, read_zones
from gateway.policy.zones import Zones

SHIPPED = read_zones("zones")
zones = Zones(SHIPPED)
bare = Zones(ZonesFile(date=SHIPPED.date, numbers=()))

RUSSIA = (
    "Europe/Kaliningrad", "Europe/Moscow", "Europe/Samara", "Asia/Yekaterinburg", "Asia/Omsk",
    "Asia/Krasnoyarsk", "Asia/Irkutsk", "Asia/Yakutsk", "Asia/Vladivostok", "Asia/Magadan",
    "Asia/Kamchatka",
)  # fmt: skip


@pytest.mark.parametrize(
    ("number", "country", "expected"),
    [
        (33612345678, "FR", ("Europe/Paris",)),
        (79161234567, "RU", RUSSIA),
        (74012345678, "RU", ("Europe/Kaliningrad",)),
        (74152345678, "RU", ("Asia/Kamchatka",)),
        (74112345678, "RU", ("Asia/Yakutsk", "Asia/Ust-Nera", "Asia/Srednekolymsk")),
        (74951234567, "RU", ("Europe/Moscow",)),
        (77011234567, "KZ", ("Asia/Almaty",)),
        (12125550123, "US", ("America/New_York",)),
        (18085550123, "US", ("Pacific/Honolulu",)),
        (12045550123, "CA", ("America/Winnipeg",)),
        (971501234567, "AE", ("Asia/Dubai",)),
        (34612345678, "ES", ("Atlantic/Canary", "Europe/Madrid")),
        (870773111632, None, ("UTC",)),
        (999123456789, None, ("UTC",)),
        (1, None, phonenumbers.timezone.TIMEZONE_DATA["1"]),
    ],
)
def test_places(number: int, country: str | None, expected: tuple[str, ...]) -> None:
    for _ in range(2):  # learnt, then remembered
        place = zones.place(number)
        assert (place.country, place.zones) == (country, expected)


def test_a_longer_prefix_goes_first() -> None:
    rows = (
        ZoneRow(prefixes=("336",), zones=("Europe/Paris",), source="s"),
        ZoneRow(prefixes=("33612", "33639"), zones=("Indian/Mayotte",), source="s"),
    )
    own = Zones(ZonesFile(date=SHIPPED.date, numbers=rows))
    for number, zone in ((33612345678, "Indian/Mayotte"), (33613345678, "Europe/Paris")):
        assert own.place(number).zones == (zone,)
        assert own.place(number + 1).zones == (zone,)


def test_one_place_is_one_object() -> None:
    assert zones.place(33612345678) is zones.place(33712345679)
    assert zones.named("Asia/Omsk", "RU") is zones.named("Asia/Omsk", "RU")
    assert zones.named("Asia/Omsk", "RU").zones == ("Asia/Omsk",)


def judged(number: int) -> tuple[str | None, tuple[str, ...]]:
    """What the library says of a number it knows."""
    parsed = phonenumbers.parse(f"+{number}")
    region = phonenumbers.region_code_for_number(parsed)
    return region, tuple(phonenumbers.timezone.time_zones_for_number(parsed))


examples = [
    (region, phonenumbers.example_number_for_type(region, kind))
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    for kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)
]
known = [
    int(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:])
    for _, number in examples
    if number is not None
]


def test_places_are_the_librarys_in_every_country() -> None:
    assert len(known) > 450
    for number in known * 2:
        place = bare.place(number)
        assert (place.country, place.zones) == judged(number)


@settings(max_examples=1_000, deadline=None)
@given(st.sampled_from(known), st.integers(0, 10**9 - 1), st.integers(4, 9))
def test_remembered_places_are_the_librarys(like: int, tail: int, digits: int) -> None:
    number = like // 10**digits * 10**digits + tail % 10**digits
    place = bare.place(number)
    try:
        region, expected = judged(number)
    except phonenumbers.NumberParseException:
        region, expected = None, ()
    if region is not None and region != "001" and expected != ("Etc/Unknown",):
        assert (place.country, place.zones) == (region, expected)
    else:
        assert place.zones  # of its country code, or nowhere
