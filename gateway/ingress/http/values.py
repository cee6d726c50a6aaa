"""Small values of paths and queries: times, numbers, ids, cursors.

In: strings. Out: values, or a `Problem` that names the parameter. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from gateway import ids
from gateway.ingress.http.problem import Problem, parameter_problem
from gateway.model import STATUS_BY_NAME

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def instant(time: int) -> datetime:
    """UTC microseconds -> datetime."""
    return _EPOCH + timedelta(microseconds=time)


def maybe_instant(time: int | None) -> datetime | None:
    """As `instant`; None stays None."""
    return None if time is None else _EPOCH + timedelta(microseconds=time)


def microseconds(moment: datetime) -> int:
    """A datetime with an offset -> UTC microseconds."""
    return (moment - _EPOCH) // _MICROSECOND


def parse_query(raw: str, known: frozenset[str]) -> dict[str, str]:
    """The parameters of a query; unknown and repeated ones are refused by name."""
    if not raw:
        return {}
    query: dict[str, str] = {}
    try:
        pairs = parse_qsl(raw, keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError:
        raise Problem("invalid_parameter", "the query is not UTF-8 or is too long") from None
    for name, value in pairs:
        if name not in known:
            raise parameter_problem(name[:64], f"there is no parameter `{name[:64]}`")
        if name in query:
            raise parameter_problem(name, f"`{name}` is given twice")
        if "\0" in value:
            raise parameter_problem(name, f"`{name}` has a NUL character")
        query[name] = value
    return query


def limit_of(query: Mapping[str, str]) -> int:
    """`limit`: 1 to 1000, 100 by default."""
    value = query.get("limit")
    if value is None:
        return DEFAULT_LIMIT
    if not (value.isascii() and value.isdigit() and len(value) <= 4) or not (
        1 <= int(value) <= MAX_LIMIT
    ):
        raise parameter_problem("limit", f"`limit` is a whole number from 1 to {MAX_LIMIT}")
    return int(value)


def cursor_of(query: Mapping[str, str]) -> int | None:
    """`cursor`: as a page before gave it."""
    value = query.get("cursor")
    if value is None:
        return None
    cursor = ids.decode("cur", value)
    if cursor is None:
        raise parameter_problem("cursor", "`cursor` is not one a page before gave")
    return cursor


def spell_cursor(value: int) -> str:
    """The opaque form of a cursor."""
    return ids.encode("cur", value)


def time_of(query: Mapping[str, str], name: str) -> int | None:
    """An RFC 3339 time with an offset, as UTC microseconds."""
    value = query.get(name)
    if value is None:
        return None
    try:
        # A plus sign that was not escaped arrives as a space.
        moment = msgspec.convert(value.replace(" ", "+"), datetime)
    except msgspec.ValidationError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise parameter_problem(name, f"`{name}` is an RFC 3339 time with an offset")
    return microseconds(moment)


def number_of(query: Mapping[str, str], name: str) -> int | None:
    """An E.164 number, its plus escaped, unescaped or left out."""
    value = query.get(name)
    if value is None:
        return None
    number = e164(value)
    if number is None:
        raise parameter_problem(name, f"`{name}` is a number in international form")
    return number


def e164(text: str) -> int | None:
    """The digits of a number in international form."""
    digits = text.strip().removeprefix("+")
    # No country's code begins with a zero: `0612...` is national, and would be another number.
    if not (digits.isascii() and digits.isdigit() and 5 <= len(digits) <= 15) or digits[0] == "0":
        return None
    return int(digits)


def statuses_of(query: Mapping[str, str]) -> list[int] | None:
    """`status`: one name or several with commas."""
    value = query.get("status")
    if value is None:
        return None
    statuses: list[int] = []
    for name in value.split(","):
        status = STATUS_BY_NAME.get(name)
        if status is None:
            raise parameter_problem("status", f"`status` is one of {', '.join(STATUS_BY_NAME)}")
        statuses.append(int(status))
    return statuses


def id_of(query: Mapping[str, str], name: str, prefix: str) -> int | None:
    """A public id of one kind."""
    value = query.get(name)
    if value is None:
        return None
    identifier = ids.decode(prefix, value)
    if identifier is None:
        raise parameter_problem(name, f"`{name}` is an id that begins with {prefix}_")
    return identifier
