"""Files of rules: which one a setting means, and reading it.

In: a name as `[policy]` has it, and the section a file is made of. Out: the typed file, or
complaints with file and line. Knows no rule.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import msgspec

from config.base import Section
from config.converting import explain, pinpoint, quantity
from config.lines import line_of, locate

SHIPPED: Final = Path(__file__).parent / "policy"

T = TypeVar("T", bound=Section)


class PolicyFileError(ValueError):
    """A file of rules cannot be used; `problems` are sentences with file and line."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class PolicyFile(Generic[T]):
    """One file as it was read; collects what else is found wrong with it."""

    def __init__(self, path: Path, content: T, lines: dict[str, int]) -> None:
        self.path = path
        self.content = content
        self._lines = lines
        self._problems: list[str] = []

    def complain(self, at: str, problem: str) -> None:
        """`at` as `rule[2].windows[0].start`."""
        self._problems.append(f"{_where(self.path, self._lines, at)}: {problem}")

    def checked(self) -> T:
        """What stands in it; raises `PolicyFileError` if there were complaints."""
        if self._problems:
            raise PolicyFileError(self._problems)
        return self.content


def policy_path(name: str) -> Path:
    """A shipped file by its name; anything with a slash is a path."""
    return Path(name) if "/" in name else SHIPPED / f"{name}.toml"


def stop_list_path(name: str) -> Path:
    """The file of a stop-word list: shipped ones have a folder of their own."""
    return Path(name) if "/" in name else SHIPPED / "stopwords" / f"{name}.toml"


def read_policy(name: str, kind: type[T]) -> PolicyFile[T]:
    """Read one file; raises `PolicyFileError`."""
    path = policy_path(name)
    try:
        text = path.read_text("utf-8")
        raw: Any = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PolicyFileError([f"{path}: cannot be read: {error}{_shipped(name)}"]) from None
    lines = locate(text)
    try:
        content = msgspec.convert(raw, kind, dec_hook=quantity)
    except msgspec.ValidationError as error:
        at, problem = explain(pinpoint(str(error), raw, kind), kind, "")
        raise PolicyFileError([f"{_where(path, lines, at.lstrip('.'))}: {problem}"]) from None
    return PolicyFile(path, content, lines)


def _where(path: Path, lines: dict[str, int], at: str) -> str:
    found = line_of(lines, at)
    return f"{path}:{found[1]}" if found is not None else str(path)


def _shipped(name: str) -> str:
    if "/" in name:
        return ""
    known = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.toml"))) or "none"
    return f"; shipped: {known}; a file of your own is named with a slash"
