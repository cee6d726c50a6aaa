"""Where in a TOML text each key stands.

In: the text. Out: path (`carrier[0].window`) -> line. `tomllib` forgets lines once it has parsed,
and a complaint without a line sends the reader hunting. Reads well-formed TOML only.
"""

from __future__ import annotations

import re
from typing import Final

_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_.\-\"']+?)\s*=")


def locate(text: str) -> dict[str, int]:
    """Lines (from 1) of all tables and keys; array tables are numbered from 0."""
    lines: dict[str, int] = {}
    implied: dict[str, int] = {}  # [a.b] without [a]: the first line inside `a`
    arrays: dict[str, int] = {}
    prefix = ""
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header is not None:
            prefix = _enter(header[2], header[1] == "[[", arrays)
            lines.setdefault(prefix, number)
            around = prefix.rpartition(".")[0]
            while around:
                implied.setdefault(around, number)
                around = around.rpartition(".")[0]
            prefix += "."
            continue
        key = _KEY.match(line)
        if key is not None:
            lines.setdefault(prefix + _plain(key[1]), number)
    return {**implied, **lines}


def line_of(lines: dict[str, int], path: str) -> tuple[int, int] | None:
    """The line of `path`, or of the nearest thing around it that has one; before it, how much of
    the path (characters) that is."""
    while path:
        for known in (path, path + "[0]"):
            if known in lines:
                return len(path), lines[known]
        if path.endswith("]") and path[: path.rindex("[")] in lines:
            return path.rindex("["), lines[path[: path.rindex("[")]]
        path = path.rpartition(".")[0]
    return None


def _enter(name: str, repeated: bool, arrays: dict[str, int]) -> str:
    """The path of a table header, with the number of each array table it lies in."""
    path = ""
    keys = [_plain(key) for key in name.split(".")]
    for place, key in enumerate(keys):
        path = f"{path}.{key}" if path else key
        if place == len(keys) - 1 and repeated:
            arrays[path] = arrays.get(path, -1) + 1
        if path in arrays:
            path = f"{path}[{arrays[path]}]"
    return path


def _plain(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))
