"""Which spelling of its message ids a carrier uses in receipts: configured, or learnt.

In: ids as receipts carry them, and which of their candidate keys matched. Out: the keys to look
for. One object for each carrier; pure but for its memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from protocol.message_id import FORMS, candidates, canonical, canonical_all

AUTO: Final = "auto"
AS_IS: Final = "as_is"
_ENOUGH: Final = 8
"""Matches that settle a form. Short ids fit two forms by chance, eight in a row do not."""
_DOUBT: Final = 32
"""Unmatched receipts in a row that reopen the question: the carrier may have changed its centre."""


class Tried(NamedTuple):
    """What a list of receipts was looked for by."""

    keys: list[str]
    """The likeliest key of each."""
    others: dict[int, Sequence[str]]
    """Further keys by position."""
    form: str | None
    """The form in force; None if all were tried."""
    spellings: Sequence[tuple[tuple[str, str], ...]]
    """(form, key) of every key; left empty where `form` tells it."""

    def matched(self, unmatched: Sequence[int], others: Mapping[int, int]) -> list[str]:
        """The forms that matched: of all but the positions `unmatched`, by the first key, or by
        the one `others` tells."""
        if self.form is not None:
            return [self.form] * (len(self.keys) - len(unmatched))
        missed = set(unmatched)
        return [
            own[others.get(position, 0)][0]
            for position, own in enumerate(self.spellings)
            if position not in missed
        ]


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

    def columns(self, ids: Sequence[tuple[str, ...]]) -> Tried:
        """The keys of many receipts, each with at least one id."""
        if self.form is not None and sum(map(len, ids)) == len(ids):  # one each: the usual case
            texts = [own[0] for own in ids]
            convert = FORMS[self.form]
            keys = canonical_all(texts) if convert is canonical else list(map(convert, texts))
            return Tried(keys, {}, self.form, [])
        spellings = [self.keys(own) or ((AS_IS, ""),) for own in ids]  # "": an id of NULs alone
        return Tried(
            [own[0][1] for own in spellings],
            {n: [key for _, key in own[1:]] for n, own in enumerate(spellings) if len(own) > 1},
            self.form,
            spellings,
        )

    def keys(self, ids: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        """(form, key) to try for a receipt's ids, likeliest first."""
        if self.form is not None:
            form = self.form
            return tuple([(form, FORMS[form](text)) for text in ids])
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
