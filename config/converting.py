"""From what stands in a TOML file to typed sections, and complaints that say where and what to do.

In: decoded TOML. Out: what `msgspec` makes of it, or the path and a sentence for each value that is
wrong. Knows no file and no section by name.
"""

from __future__ import annotations

import copy
import difflib
import re
from typing import Any, Final

import msgspec

from config import base

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES: Final = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_QUANTITY: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]+)\Z")
_AT: Final = re.compile(r" - at `(?P<key>key` in `)?\$(?P<path>.*)`$")
_STEP: Final = re.compile(r"\.([^.\[]+)|\[([0-9]+)\]")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `([^`]*)`")


def quantity(kind: type, value: Any) -> Any:
    """Durations and sizes from what stands in the file."""
    if kind is base.Duration:
        match = _QUANTITY.match(value) if isinstance(value, str) else None
        if match is None or match[2] not in _UNITS:
            raise ValueError(
                'expected a duration with its unit, such as "250ms", "30s", "4h", "7d"'
            )
        return base.Duration(float(match[1]) * _UNITS[match[2]])
    if kind is base.Size:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return base.Size(value)
        match = _QUANTITY.match(value) if isinstance(value, str) else None
        if match is None or match[2] not in _SIZES:
            raise ValueError('expected octets or a size, such as 65536, "64KiB", "16MiB"')
        return base.Size(float(match[1]) * _SIZES[match[2]])
    raise NotImplementedError(kind)


def explain(message: str, kind: Any, path: str) -> tuple[str, str]:
    """(path, sentence) from a msgspec complaint about a value that stands at `path`."""
    at = _AT.search(message)
    inner = at["path"] if at is not None else ""
    message = _AT.sub("", message)
    unknown = _UNKNOWN.search(message)
    if unknown is not None:
        fields = fields_at(kind, inner)
        key = unknown[1]
        return f"{path}{inner}.{key}", f"unknown key `{key}`{nearest(key, fields)}"
    missing = re.search(r"missing required field `([^`]*)`", message)
    if missing is not None:
        return f"{path}{inner}", f"`{missing[1]}` is missing; add it to this table"
    field = inner.rpartition(".")[2] or path
    return f"{path}{inner}", f"`{field}`: {message[:1].lower()}{message[1:]}"


def pinpoint(message: str, value: Any, kind: Any) -> str:
    """`message` with the key where msgspec, of an entry of a free table, says `[...]` or nothing.

    Each entry is tried alone, until one brings the same complaint.
    """
    at = _AT.search(message)
    if at is None or not (at["key"] or "[...]" in at["path"]):
        return message
    before, _, after = at["path"].partition("[...]")
    whole = copy.deepcopy(value)
    holder: Any = None
    last: str | int = ""
    table: Any = whole
    for name, index in _STEP.findall(before):
        holder, last = table, name or int(index)
        table = table[last]
    for key, entry in dict(table).items():
        if holder is None:
            whole = {key: entry}
        else:
            holder[last] = {key: entry}
        try:
            msgspec.convert(whole, kind, dec_hook=quantity)
        except msgspec.ValidationError as error:
            if str(error) == message:
                return f"{message[: at.start()]} - at `${before}.{key}{after}`"
    return message


def fields_at(kind: Any, inner: str) -> list[str]:
    """The keys allowed in the table at `inner` below a struct of type `kind`."""
    for part in re.findall(r"[A-Za-z_]+", inner):
        for field in msgspec.structs.fields(kind):
            if field.name == part:
                kind = struct_in(field.type)
                break
        if kind is None:
            return []
    return [field.name for field in msgspec.structs.fields(kind)]


def struct_in(annotation: Any) -> Any:
    """The Section inside `Tls | None`, `tuple[Key, ...]`, `dict[str, StatusRule]`."""
    if isinstance(annotation, type) and issubclass(annotation, base.Section):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = struct_in(argument)
        if found is not None:
            return found
    return None


def nearest(key: str, known: Any) -> str:
    close = difflib.get_close_matches(key, list(known), n=1)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known here: {', '.join(sorted(known))}" if known else ""
