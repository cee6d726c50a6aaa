"""Which spelling of its message ids a carrier uses in receipts: configured, or learnt.

In: ids as receipts carry them, and which of their candidate keys matched. Out: the keys to look
for. One object for each carrier; pure but for its memory.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from protocol.message_id import FORMS, candidates, normalise

AUTO: Final = "auto"
_ENOUGH: Final = 8
"""Matches that settle a form. Short ids fit two forms by chance, eight in a row do not."""
_DOUBT: Final = 32
"""Unmatched receipts in a row that reopen the question: the carrier may have changed its centre."""


class IdForm:
    """What is known of one carrier's ids."""

    __slots__ = ("_auto", "_matches", "_misses", "form")

    def __init__(self, configured: str, learnt: str | None = None) -> None:
        """`learnt` is what an earlier run remembered; it only counts under `auto`."""
        self._auto = configured == AUTO
        self.form: str | None = configured
        """The form in force; None while it is being learnt."""
        if self._auto:
            self.form = learnt if learnt in FORMS else None
        self._matches: Counter[str] = Counter()
        self._misses = 0

    def keys(self, ids: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        """(form, key) to try for a receipt's ids, likeliest first."""
        if self.form is not None:
            form = self.form
            return tuple([(form, normalise(form, text, "receipt")) for text in ids])
        found: dict[str, str] = {}
        for text in ids:
            for form, key in candidates(text):
                found.setdefault(key, form)
        return tuple((form, key) for key, form in found.items())

    def learn(self, matched: list[str], misses: int) -> bool:
        """Take in one list's results: the forms that matched, and how many receipts found
        nothing. True when the form in force has changed."""
        if not self._auto:
            return False
        before = self.form
        if matched:
            self._misses = 0
        self._misses += misses
        if self.form is None:
            self._matches.update(matched)
            if self._matches:
                form, count = self._matches.most_common(1)[0]
                if count >= _ENOUGH:
                    self.form = form
                    self._misses = 0
        elif self._misses >= _DOUBT:
            self.form = None
            self._matches.clear()
        return self.form != before
