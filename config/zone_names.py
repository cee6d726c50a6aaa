"""The names of time zones.

In: a name. Out: whether it is one of the IANA database, and else which may be meant. Knows nothing
else.
"""

from __future__ import annotations

import difflib
import zoneinfo
from functools import cache


@cache
def zone_names() -> frozenset[str]:
    """Every name; read once, it takes 20 ms. `Factory` and `localtime` are places of no one."""
    return frozenset(zoneinfo.available_timezones() - {"Factory", "localtime"})


def zone_problem(name: str, *, spelling: bool = False) -> str | None:
    """What to say to whoever wrote a name that is none; it is not repeated, it may be anything.

    `spelling`: look for names spelt alike, which takes milliseconds: for files. Requests, which
    bring ten thousand at once, are told of other cases and of cities without their continent.
    """
    names = zone_names()
    if name in names:
        return None
    meant = _plain_names().get(_plain(name[:64]))
    if meant is None and spelling:
        meant = next(iter(difflib.get_close_matches(name[:64], names, n=1)), None)
    if meant is not None:
        return f"no such time zone; did you mean `{meant}`?"
    return "no such time zone; names are those of the IANA database, such as `Europe/Paris`"


@cache
def _plain_names() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in sorted(zone_names()):
        found[_plain(name)] = name
        found.setdefault(_plain(name.rpartition("/")[2]), name)
    return found


def _plain(name: str) -> str:
    return name.strip().casefold().replace(" ", "_")
