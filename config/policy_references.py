"""Checks of policy that concern several settings or a file of rules.

In: settings whose single values are right. Out: (path, sentence) for each problem. Reads the files
the settings name; what is wrong in them is told with their own line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from config import settings as s
from config.hours import read_quiet_hours, read_zones
from config.policy_files import PolicyFileError, stop_list_path

Problem = tuple[str, str]


def check_policy(found: s.Settings) -> Iterator[Problem]:
    """Everything wrong with rules and with which of them apply."""
    yield from _file("policy.quiet_hours", read_quiet_hours, found.policy.quiet_hours)
    yield from _file("policy.zones", read_zones, found.policy.zones)
    for name in found.policy.stopwords:
        path = stop_list_path(name)
        if not path.is_file():
            shipped = ", ".join(sorted(file.stem for file in stop_list_path("x").parent.iterdir()))
            yield (
                "policy.stopwords",
                f"{path}: no such stop-word list; shipped are {shipped}, anything with a slash is "
                "a path",
            )


def _file(path: str, read: Callable[[str], Any], name: str) -> Iterator[Problem]:
    try:
        read(name)
    except PolicyFileError as error:
        for problem in error.problems:
            yield path, problem
