"""The time strings of SMPP: absolute and relative (3.4 §7.1), and the dates inside receipts.

In: strings, or µs since the epoch. Out: µs since the epoch, or strings. Pure: "now" is an
argument, and so is the zone of a string that names none.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

from .constants import ESME_RINVSCHED
from .errors import PduError, UsageError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = _EPOCH.toordinal()
_MICROSECOND: Final = timedelta(microseconds=1)
# Two digits of a year: POSIX draws the line at 69 (strptime %y), so do we.
_PIVOT: Final = 69


def parse(value: str, now: int, command_status: int = ESME_RINVSCHED) -> int | None:
    """schedule_delivery_time or validity_period as µs since the epoch; None when empty.

    Absolute: YYMMDDhhmmsst and nn quarter hours ahead of ("+") or behind ("-") UTC. Relative
    ("R"): years, months, days, hours, minutes and seconds from `now`; a month added to the 31st
    ends on the last day there is. The last four characters may be missing: UTC is meant.

    Raises PduError with `command_status` (the caller knows which field it reads:
    ESME_RINVSCHED or ESME_RINVEXPIRY).
    """
    if not value:
        return None
    digits = value[:-1] if len(value) == 16 else value
    if not (digits.isascii() and digits.isdigit() and len(digits) in (12, 15)):
        raise PduError(f"not an SMPP time: {value!r}", command_status)
    yy, mm, dd, hour, minute, second = (int(digits[i : i + 2]) for i in range(0, 12, 2))
    sign = value[15:] or "+"
    try:
        if sign == "R":
            start = _EPOCH + timedelta(microseconds=now)
            year, month0 = divmod(start.year * 12 + start.month - 1 + yy * 12 + mm, 12)
            moved = start.replace(
                year=year, month=month0 + 1, day=min(start.day, _days_in(year, month0 + 1))
            )
            return _micros(moved + timedelta(days=dd, hours=hour, minutes=minute, seconds=second))
        tenths, quarters = int(digits[12:13] or 0), int(digits[13:15] or 0)
        if sign not in "+-" or quarters > 48:
            raise ValueError(sign)
        at = datetime(_year(yy), mm, dd, hour, minute, second, tenths * 100_000, UTC)
        offset = timedelta(minutes=15 * quarters)
        return _micros(at - offset if sign == "+" else at + offset)
    except (ValueError, OverflowError):
        raise PduError(f"not an SMPP time: {value!r}", command_status) from None


def format_absolute(at: int, quarters: int = 0) -> str:
    """µs since the epoch as YYMMDDhhmmsstnnp in a zone `quarters` of an hour ahead of UTC.

    Raises UsageError for a zone beyond ±48 quarters (±12 hours, §7.1.1) or a year that two
    digits cannot tell, outside 1969 to 2068.
    """
    local = _EPOCH + timedelta(microseconds=at, minutes=15 * quarters)
    if abs(quarters) > 48 or not 1900 + _PIVOT <= local.year < 2000 + _PIVOT:
        raise UsageError(f"no SMPP time for {local} at {quarters} quarters")
    sign = "-" if quarters < 0 else "+"
    return f"{local:%y%m%d%H%M%S}{local.microsecond // 100_000}{abs(quarters):02d}{sign}"


def format_relative(seconds: int) -> str:
    """A duration as 0000DDhhmmss000R, exact to the second.

    Raises UsageError below 0 and above 31 days and 24 hours: further away only months would do,
    and a month has no one length.
    """
    days, rest = divmod(seconds, 86_400)
    if not 0 <= days <= 31:
        raise UsageError(f"a relative time holds 0 to 31 days, not {seconds} s")
    return f"0000{days:02d}{rest // 3600:02d}{rest // 60 % 60:02d}{rest % 60:02d}000R"


# Receipts of one minute share their dates: a hit costs 0.1 µs, reading one 2.4 µs.
@lru_cache(maxsize=4096)
def receipt_date(raw: str | None, utc_offset: int = 0) -> int | None:
    """A date from a receipt as µs since the epoch; None when there is none or it is no date.

    YYMMDDhhmm, YYMMDDhhmmss, YYYYMMDDhhmm, YYYYMMDDhhmmss, or the 16 characters of an absolute
    SMPP time. `utc_offset` is how many seconds the sender's clock is ahead of UTC. Twelve digits
    are tried with a year of two digits first: both readings are possible only for 2010 to 2012.
    """
    if not raw:
        return None
    raw = raw.strip(" \0")
    if len(raw) == 16:
        try:
            return parse(raw, 0) if raw[15] in "+-" else None
        except PduError:
            return None
    if not (raw.isascii() and raw.isdigit()):
        return None
    if len(raw) == 10 or len(raw) == 12:
        at = _date(_year(int(raw[:2])), raw[2:], utc_offset)
        if at is not None or len(raw) == 10:
            return at
    if len(raw) == 12 or len(raw) == 14:
        return _date(int(raw[:4]), raw[4:], utc_offset)
    return None


def format_receipt_date(at: int, utc_offset: int = 0) -> str:
    """µs since the epoch as the YYMMDDhhmm of SMPP 3.4 Appendix B."""
    return f"{_EPOCH + timedelta(microseconds=at, seconds=utc_offset):%y%m%d%H%M}"


def _date(year: int, rest: str, utc_offset: int) -> int | None:
    """`rest` is MMDDhhmm or MMDDhhmmss. Dates come with every receipt, so no datetime is built."""
    hour, minute, second = int(rest[4:6]), int(rest[6:8]), int(rest[8:] or 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    try:
        day = date(year, int(rest[:2]), int(rest[2:4])).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
    return (day * 86_400 + hour * 3600 + minute * 60 + second - utc_offset) * 1_000_000


def _year(yy: int) -> int:
    return 1900 + yy if yy >= _PIVOT else 2000 + yy


def _days_in(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
