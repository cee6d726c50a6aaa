"""Recipients as lines of an upload.

In: nothing. Out: readers of `lines` for the two formats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway.ingress.http.lines import Broken, Csv, Ndjson, Reader, header_problem
from gateway.ingress.http.shapes import Recipient

_LONGEST_REF: Final = 128
_OWN: Final = frozenset({"to", "client_ref", "timezone"})


def _columns(names: list[str]) -> Callable[[list[str]], Recipient]:
    """`to`, optionally `client_ref` and `timezone`; every other column is a variable."""
    if "to" not in names:
        raise header_problem("it has no column `to`")
    to = names.index("to")
    ref = names.index("client_ref") if "client_ref" in names else None
    zone = names.index("timezone") if "timezone" in names else None
    own = [(place, name) for place, name in enumerate(names) if name not in _OWN]

    def recipient(row: list[str]) -> Recipient:
        reference = row[ref] or None if ref is not None else None
        if reference is not None and len(reference) > _LONGEST_REF:
            detail = f"`client_ref`: {len(reference)} characters; at most {_LONGEST_REF}"
            raise Broken("invalid_value", detail)
        variables = {name: row[place] for place, name in own} if own else None
        timezone = row[zone].strip() or None if zone is not None else None
        return Recipient(
            to=row[to].strip(), vars=variables, client_ref=reference, timezone=timezone
        )

    return recipient


def ndjson() -> Ndjson[Recipient]:
    """`application/x-ndjson`."""
    return Ndjson(Recipient)


def csv() -> Csv[Recipient]:
    """`text/csv`."""
    return Csv(_columns)


READERS: Final[dict[str, Callable[[], Reader[Recipient]]]] = {
    "application/x-ndjson": ndjson,
    "text/csv": csv,
}
