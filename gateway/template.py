"""Texts with `{{placeholders}}`: found once, filled per recipient.

Shared by admission, which checks what a recipient would read, and dispatch, which sends it, so
that both render the same text. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

_PLACEHOLDER: Final = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_.-]{0,63})\s*\}\}")


class Template:
    """A compiled text. `names` are its placeholders in order of first use."""

    __slots__ = ("_format", "_keys", "names", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._keys = tuple(_PLACEHOLDER.findall(text))
        self.names = tuple(dict.fromkeys(self._keys))
        # %-formatting fills a 160-character text in 0.3 us, re.sub with a function in 2.
        self._format = _PLACEHOLDER.sub("%s", text.replace("%", "%%"))

    def render(self, values: Mapping[str, str]) -> str:
        """The text for one recipient; `KeyError` names a placeholder without a value."""
        if not self._keys:
            return self.text
        return self._format % tuple([values[key] for key in self._keys])

    def between(self, gap: str) -> str:
        """The text with `gap` for each placeholder: what it says whoever reads it."""
        return _PLACEHOLDER.sub(gap, self.text)

    def missing(self, values: Mapping[str, str]) -> list[str]:
        """Placeholders that have no value."""
        return [name for name in self.names if name not in values]


@lru_cache(maxsize=4096)
def compile_template(text: str) -> Template:
    """`Template(text)`, once for each distinct text."""
    return Template(text)
