"""Bodies become structs, and what is wrong with them becomes a `Problem` with a JSON pointer.

In: octets. Out: structs of `shapes`. The good way costs one `msgspec` call; only a body that fails
is looked at again. Knows no route and no store.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import Enum, EnumMeta
from functools import cache
from typing import Any, Final, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from gateway.ingress.http import shapes
from gateway.ingress.http.problem import Problem, field_problem

T = TypeVar("T")

_AT: Final = re.compile(r" - at `(?:key` in `)?(\$[^`]*)`\Z")
_NAMED: Final = re.compile(r"Object (contains unknown|missing required) field `(.*)`\Z", re.S)
_LENGTH: Final = re.compile(r"of length [<>]= \d+")
_STEP: Final = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_LONE_SURROGATE: Final = re.compile(
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|[c-fC-F])"
)
_SHOWN_NAME: Final = 64
_MEASURED: Final = 1 << 20
"""Bodies up to this size are decoded once more to tell how long the too long value is."""


def decoder(shape: type[T]) -> Callable[[bytes], T]:
    """A function that decodes one body or raises a `Problem`."""
    decode = msgspec.json.Decoder(shape).decode

    def checked(body: bytes) -> T:
        try:
            value = decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise problem_of(error, body) from None
        return value

    return checked


def has_nul(body: bytes) -> bool:
    """Whether a string may have a NUL: JSON can spell it in this way only."""
    return b"\\u0000" in body


def refuse_nul(body: bytes, apart: str | None = None) -> None:
    """Refuse a body with a NUL in a string: no phone shows it, and C programs on the way stop
    there. Strings below the field `apart` are left to the caller."""
    if has_nul(body):
        tree = msgspec.json.decode(body)
        if apart is not None:
            tree.pop(apart, None)
        pointer = _find_nul(tree, "#")
        if pointer is not None:
            raise field_problem("invalid_text", pointer, "the string has a NUL character")


def _find_nul(value: Any, pointer: str) -> str | None:
    if isinstance(value, str):
        return pointer if "\0" in value else None
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        if isinstance(key, str) and "\0" in key:
            return pointer
        found = _find_nul(item, f"{pointer}/{escape(str(key))}")
        if found is not None:
            return found
    return None


def escape(name: str) -> str:
    """A name as a step of a JSON pointer (RFC 6901 §3)."""
    return name.replace("~", "~0").replace("/", "~1")


def problem_of(error: Exception, body: bytes) -> Problem:
    """What `msgspec` complained about, in our words: no value of the body is repeated."""
    if isinstance(error, msgspec.ValidationError):
        return _shape_problem(str(error), body)
    if isinstance(error, UnicodeDecodeError):
        return Problem("invalid_utf8", "a string of the body is not UTF-8")
    if isinstance(error, RecursionError):
        return Problem("malformed_json", "the body is nested too deeply")
    if not body.strip():
        return Problem("empty_body", "the request has no body")
    if _LONE_SURROGATE.search(body):
        return Problem("lone_surrogate", r"a \u escape has half of a surrogate pair")
    return Problem("malformed_json", str(error))


def _shape_problem(message: str, body: bytes) -> Problem:
    steps: list[str] = []
    at = _AT.search(message)
    if at is not None:
        message = message[: at.start()]
        steps = [name or index for name, index in _STEP.findall(at.group(1)[1:])]
    named = _NAMED.match(message)
    if named is not None:
        unknown = named.group(1).startswith("contains")
        name = named.group(2)[:_SHOWN_NAME]
        code = "unknown_field" if unknown else "missing_field"
        verb = "there is no field" if unknown else "there must be a field"
        return field_problem(code, _pointer([*steps, name]), f"{verb} `{name}`")
    field = next((step for step in reversed(steps) if not step[0].isdigit() and step != "..."), "")
    subject = f"`{field}`: " if field else ""
    if message.startswith("Invalid enum value"):
        allowed = ", ".join(choices().get(field, ())) or "the documented values"
        return field_problem("invalid_value", _pointer(steps), f"{subject}one of {allowed}")
    if ", got `" in message:
        return field_problem("invalid_type", _pointer(steps), subject + message)
    if _LENGTH.search(message) and len(body) <= _MEASURED:
        size = _size(body, steps)
        message += f", got {size}" if size is not None else ""
    return field_problem("invalid_value", _pointer(steps), subject + message)


def _pointer(steps: list[str]) -> str:
    # `[...]` stands for some value of an object whose name msgspec does not tell.
    kept = steps[: steps.index("...")] if "..." in steps else steps
    return "/".join(["#", *map(escape, kept)])


def _size(body: bytes, steps: list[str]) -> int | None:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    for step in steps:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdigit():
            value = value[int(step)]
        else:
            return None
    return len(value)


@cache
def choices() -> dict[str, tuple[str, ...]]:
    """Permitted values of the fields that have a list of them, read from all shapes. Made when the
    first body fails: by then every module of shapes has been imported."""
    found: dict[str, tuple[str, ...]] = {}
    for shape in _shapes(shapes.Shape):
        for info in msgspec.structs.fields(shape):
            values = _values(get_type_hints(shape, include_extras=False)[info.name])
            if values:
                found[info.encode_name] = values
    return found


def _shapes(root: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for shape in root.__subclasses__():
        yield shape
        yield from _shapes(shape)


def _values(kind: Any) -> tuple[str, ...]:
    if isinstance(kind, EnumMeta):
        members: list[Enum] = list(kind)
        return tuple(str(member.value) for member in members)
    if get_origin(kind) is Literal:
        return get_args(kind)
    for part in get_args(kind):
        values = _values(part)
        if values:
            return values
    return ()
