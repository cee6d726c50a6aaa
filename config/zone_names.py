"""The names of time zones.

In: a name. Out: whether it is one of the IANA database. Knows nothing else.
"""

from __future__ import annotations

import difflib
import zoneinfo
from functools import cache


@cache
def zone_names() -> frozenset[str]:
    """Every name; read once, it takes 20 ms. `Factory` and `localtime` are places of no one."""
    return frozenset(zoneinfo.available_timezones() - {"Factory", "localtime"})


def zone_problem(name: str) -> str | None:
    """What to say to whoever wrote a name that is none; it is not repeated, it may be anything."""
    if name in zone_names():
        return None
    close = difflib.get_close_matches(name[:64], zone_names(), n=1)
    return f"no such time zone; {_advice(close)}"


def _advice(close: list[str]) -> str:
    if close:
        return f"did you mean `{close[0]}`?"
    return "names are those of the IANA database, such as `Europe/Paris`"
