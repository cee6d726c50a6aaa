"""Time strings read and written, with the oracle datetime where there is one."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import times
from protocol.constants import ESME_RINVEXPIRY, ESME_RINVSCHED
from protocol.errors import PduError, UsageError


def us(*parts: int, offset: int = 0) -> int:
    at = datetime(*parts, tzinfo=timezone(timedelta(seconds=offset)))  # type: ignore[misc,arg-type]
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


NOW = us(2026, 1, 31, 12, 0, 0)


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("020610233429000R", us(2028, 8, 11, 11, 34, 29)),  # 3.4 §7.1.1.1: 2 years 6 months 10 d
        ("000000000500000R", us(2026, 1, 31, 12, 5, 0)),
        ("000002000000000R", us(2026, 2, 2, 12, 0, 0)),
        ("000100000000000R", us(2026, 2, 28, 12, 0, 0)),  # a month after the 31st
        ("001300000000000R", us(2027, 2, 28, 12, 0, 0)),
        ("260905143000000+", us(2026, 9, 5, 14, 30, 0)),
        ("260905143000908+", us(2026, 9, 5, 12, 30, 0) + 900_000),
        ("260905143000020-", us(2026, 9, 5, 19, 30, 0)),
        ("260905143000", us(2026, 9, 5, 14, 30, 0)),
        ("700101000000000+", 0),
        ("", None),
    ],
)
def test_parse(value: str, at: int | None) -> None:
    assert times.parse(value, NOW) == at


@pytest.mark.parametrize(
    "value",
    [
        "2609051430",
        "261305143000000+",
        "260931143000000+",
        "260905243000000+",
        "260905143000049+",
        "260905143000000Z",
        "26090514300000+",
        "26090514300000x+",
        "２60905143000000+",
        "tomorrow",
        "+60905143000000+",
    ],
)
def test_refusals(value: str) -> None:
    with pytest.raises(PduError) as caught:
        times.parse(value, NOW)
    assert caught.value.command_status == ESME_RINVSCHED
    with pytest.raises(PduError) as caught:
        times.parse(value, NOW, ESME_RINVEXPIRY)
    assert caught.value.command_status == ESME_RINVEXPIRY


@given(st.text(alphabet="0123456789+-Rx", max_size=17))
def test_any_string_parses_or_is_refused(value: str) -> None:
    try:
        at = times.parse(value, NOW)
    except PduError:
        return
    assert (at is None) == (value == "")


@given(st.integers(0, us(2068, 12, 30)), st.integers(-48, 48))
def test_absolute_times_survive(at: int, quarters: int) -> None:
    value = times.format_absolute(at, quarters)
    assert len(value) == 16
    assert times.parse(value, 0) == at - at % 100_000


def test_absolute_times_have_limits() -> None:
    assert times.format_absolute(us(2026, 9, 5, 14, 30, 0) + 950_000, 8) == "260905163000908+"
    assert times.format_absolute(us(2026, 9, 5, 14, 30, 0), -20) == "260905093000020-"
    for at, quarters in ((0, 49), (0, -49), (us(2069, 1, 1), 0)):
        with pytest.raises(UsageError):
            times.format_absolute(at, quarters)


@given(st.integers(0, 32 * 86_400 - 1))
def test_relative_times_survive(seconds: int) -> None:
    value = times.format_relative(seconds)
    assert len(value) == 16
    assert times.parse(value, NOW) == NOW + seconds * 1_000_000


def test_relative_times_have_limits() -> None:
    assert times.format_relative(172_800) == "000002000000000R"
    for seconds in (-1, 32 * 86_400):
        with pytest.raises(UsageError):
            times.format_relative(seconds)


@pytest.mark.parametrize(
    ("raw", "at"),
    [
        ("2609051430", us(2026, 9, 5, 14, 30)),
        ("260905143012", us(2026, 9, 5, 14, 30, 12)),
        ("20110314181534", us(2011, 3, 14, 18, 15, 34)),
        ("201506201641", us(2015, 6, 20, 16, 41)),  # month 15 cannot be: a year of four digits
        ("7001010000", 0),
        ("240229120000", us(2024, 2, 29, 12, 0, 0)),
        (" 2609051430\0", us(2026, 9, 5, 14, 30)),
        ("260905143000004+", us(2026, 9, 5, 13, 30)),
        ("0000000000", None),
        ("2602291200", None),
        ("2609052400", None),
        ("2609051260", None),
        ("260905126060", None),
        ("26090514", None),
        ("260905143", None),
        ("260905143000000R", None),
        ("26-09-05 14:30", None),
        ("²609051430", None),
        ("", None),
        (None, None),
    ],
)
def test_receipt_dates(raw: str | None, at: int | None) -> None:
    assert times.receipt_date(raw) == at


@given(st.integers(0, us(2068, 12, 30)), st.integers(-12 * 3600, 14 * 3600))
def test_receipt_dates_survive(at: int, utc_offset: int) -> None:
    minute = at - (at + utc_offset * 1_000_000) % 60_000_000
    assert times.receipt_date(times.format_receipt_date(at, utc_offset), utc_offset) == minute


def test_receipt_dates_know_their_zone() -> None:
    at = us(2026, 9, 5, 14, 30, offset=-5 * 3600)
    assert times.receipt_date("2609051430", -5 * 3600) == at
    assert times.format_receipt_date(at, -5 * 3600) == "2609051430"
