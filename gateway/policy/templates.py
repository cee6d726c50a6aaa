"""Templates: texts with `{{slots}}` that operators have approved; which one a text is made from.

In: the template registry, a text. Out: the templates it matches, the slot that is too long if that
is what is wrong, and whether an operator has approved them. Pure.

A text matches if it is a template's own words, exactly, with at most so many characters in each
slot (none is allowed: a person without a name is greeted without one). Slots are separated by
words, so a match is found by looking for the words in order; nothing here backtracks, whatever the
text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from gateway.policy.senders import ANYBODY, SenderStatus, in_force
from gateway.routing import Fallback

SLOT: Final = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_.-]{0,63})\s*\}\}")
"""As `gateway.template` reads placeholders."""
DEFAULT_SLOT: Final = 30
"""Characters of a slot that says nothing itself: what India's DLT platforms allow a variable."""
MOST_SLOTS: Final = 20
LONGEST: Final = 1_600
"""Characters of a template: ten parts, more than any operator approves. With `MOST_SLOTS` it bounds
what one look at one text can cost."""
_REMEMBERED: Final = 8_192
"""Texts whose templates are remembered: as many as `admission.encode` remembers."""
_LONGEST_REMEMBERED: Final = 2_000


class Approval(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one operator, or all of them, said of a template."""

    carrier: str = ANYBODY
    status: SenderStatus = "pending"
    operator_id: str = ""
    """The operator's own id of the template."""
    tlv: str | None = None
    """Name, in the carrier's `tlvs`, of the TLV that carries `operator_id`."""


class RegisteredTemplate(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry of the template registry."""

    text: str
    category: Literal["transactional", "service", "informational", "advertising"] = "service"
    """The category it is approved for: texts of another do not match."""
    slots: dict[str, Annotated[int, Meta(ge=1, le=500)]] = {}
    """Most characters of a slot; others have `DEFAULT_SLOT`."""
    approvals: tuple[Approval, ...] = ()
    fallback: Fallback | None = None
    """What its texts are where they are not approved; None: as the carrier says."""
    valid_from: int | None = None
    """UTC µs."""
    valid_to: int | None = None
    note: str = ""


class Over(NamedTuple):
    """A slot with a value that is too long."""

    slot: str
    characters: int
    most: int


class Template:
    """A template, ready to be compared."""

    __slots__ = (
        "_decided",
        "_inner",
        "_longest",
        "_most",
        "_words",
        "account",
        "doc",
        "name",
        "names",
    )

    def __init__(self, account: str, name: str, doc: RegisteredTemplate) -> None:
        self.account = account
        self.name = name
        self.doc = doc
        pieces = SLOT.split(doc.text)
        self._words = pieces[::2]
        self.names = tuple(pieces[1::2])
        self._most = [doc.slots.get(name, DEFAULT_SLOT) for name in self.names]
        self._inner = tuple(zip(self._words[1:-1], self._most, strict=False))
        self._longest = sum(map(len, self._words)) + sum(self._most)
        self._decided = {
            each.carrier: each.status == "approved"
            for each in doc.approvals
            if each.status != "pending"
        }

    @property
    def head(self) -> str:
        """What every text made from it begins with."""
        return self._words[0]

    def usable(self, now: int) -> bool:
        """Whether some operator has approved it and its dates include now: until then it is
        nobody's word but the customer's."""
        return any(self._decided.values()) and in_force(self.doc.valid_from, self.doc.valid_to, now)

    def approved(self, carrier: str) -> bool:
        """Whether this carrier has approved it; its own word outweighs one for all carriers."""
        return self._decided.get(carrier, self._decided.get(ANYBODY, False))

    @property
    def tlvs(self) -> tuple[tuple[str, str], ...]:
        """Names and values of the TLVs its messages carry."""
        return tuple(
            dict.fromkeys(
                (each.tlv, each.operator_id)
                for each in self.doc.approvals
                if each.tlv is not None and each.status == "approved"
            )
        )

    def matches(self, text: str) -> bool:
        """Whether the text is made from it."""
        words, last = self._words, self._words[-1]
        end = len(text) - len(last)
        if len(text) > self._longest or not text.endswith(last):
            return False
        if not self._most:
            return text == last
        start = len(words[0])
        if end < start or not text.startswith(words[0]):
            return False
        # The usual case: every word at the first place it is found at. Without a list of places it
        # costs a third.
        find = text.find
        for word, limit in self._inner:
            found = find(word, start, min(end, start + limit + len(word)))
            if found < 0:
                return self._search(text, self._most, end) is not None
            start = found + len(word)
        return end - start <= self._most[-1] or self._search(text, self._most, end) is not None

    def over(self, text: str) -> Over | None:
        """The slot whose value is too long, if that is all that keeps a text from matching."""
        places = self._places(text, [len(text)] * len(self._most))
        if places is None:
            return None
        for name, most, (start, end) in zip(self.names, self._most, places, strict=True):
            if end - start > most:
                return Over(name, end - start, most)
        return None

    def _places(self, text: str, most: Sequence[int]) -> list[tuple[int, int]] | None:
        """Where the values of the slots are, none longer than `most` says."""
        words = self._words
        first, last = words[0], words[-1]
        if not most:
            return [] if text == first else None
        end = len(text) - len(last)
        if end < len(first) or not text.startswith(first) or not text.endswith(last):
            return None
        places = []
        start = len(first)
        for word, limit in zip(words[1:-1], most, strict=False):
            found = text.find(word, start, min(end, start + limit + len(word)))
            if found < 0:
                return self._search(text, most, end)
            places.append((start, found))
            start = found + len(word)
        if end - start > most[-1]:
            # The words were there too early; perhaps they are there again.
            return self._search(text, most, end)
        places.append((start, end))
        return places

    def _search(self, text: str, most: Sequence[int], end: int) -> list[tuple[int, int]] | None:
        """As `_places`, when the first place of some word is not the right one: every place a slot
        may begin at, with the one before it."""
        begins: list[dict[int, int]] = [{len(self._words[0]): -1}]
        for word, limit in zip(self._words[1:-1], most, strict=False):
            after: dict[int, int] = {}
            reach = sorted(begins[-1])
            index = 0
            found = text.find(word, reach[0], end)
            while found >= 0:
                while index < len(reach) and reach[index] + limit < found:
                    index += 1
                if index == len(reach):
                    break
                if reach[index] <= found:
                    after[found + len(word)] = reach[index]
                found = text.find(word, found + 1, end)
            if not after:
                return None
            begins.append(after)
        start = next((each for each in begins[-1] if 0 <= end - each <= most[-1]), None)
        if start is None:
            return None
        places = [(start, end)]
        for slot in range(len(begins) - 1, 0, -1):
            before = begins[slot][start]
            places.append((before, start - len(self._words[slot])))
            start = before
        return places[::-1]


class Templates:
    """The registry at one moment."""

    __slots__ = ("_by_head", "_by_name", "_cache", "_heads")

    def __init__(self, entries: Iterable[tuple[str, str, RegisteredTemplate]] = ()) -> None:
        """`entries`: (account, name, what it says)."""
        self._by_name: dict[tuple[str, str], Template] = {}
        self._by_head: dict[str, dict[int, dict[str, list[Template]]]] = {}
        self._cache: dict[tuple[str, str], tuple[Template, ...]] = {}
        self._heads: dict[str, list[tuple[int, dict[str, list[Template]]]]] = {}
        """What may concern an account: its own and everybody's, by the length of the head."""
        for account, name, doc in entries:
            template = Template(account, name, doc)
            self._by_name[account, name] = template
            heads = self._by_head.setdefault(account, {}).setdefault(len(template.head), {})
            heads.setdefault(template.head, []).append(template)

    def concern(self, account: str) -> bool:
        """Whether there is any template the account's texts may be made from."""
        return account in self._by_head or ANYBODY in self._by_head

    def named(self, account: str, name: str) -> Template | None:
        """The template of this name: the account's, or one for all."""
        return self._by_name.get((account, name)) or self._by_name.get((ANYBODY, name))

    def matching(self, account: str, text: str) -> tuple[Template, ...]:
        """All templates a text is made from, of whatever category, approved or not."""
        key = (account, text)
        found = self._cache.get(key)
        if found is None:
            found = tuple([each for each in self._begun(account, text) if each.matches(text)])
            if len(text) <= _LONGEST_REMEMBERED:
                if len(self._cache) >= _REMEMBERED:
                    self._cache.clear()
                self._cache[key] = found
        return found

    def nearly(self, account: str, text: str, category: str) -> tuple[Template, Over] | None:
        """The template of this category a text would match if one value were shorter."""
        for template in self._begun(account, text):
            if template.doc.category == category:
                over = template.over(text)
                if over is not None:
                    return template, over
        return None

    def _begun(self, account: str, text: str) -> list[Template]:
        """Templates whose first words a text begins with; those that begin with a slot are all
        looked at."""
        heads = self._heads.get(account)
        if heads is None:
            heads = self._heads[account] = [
                each
                for owner in dict.fromkeys((account, ANYBODY))
                for each in self._by_head.get(owner, {}).items()
            ]
        begun: list[Template] = []
        for length, by_text in heads:
            found = by_text.get(text[:length])
            if found is not None:
                begun += found
        return begun


def complaints(text: str, slots: Iterable[str]) -> str:
    """What is wrong with a template's text or the names of its limits; empty if nothing is."""
    pieces = SLOT.split(text)
    words, names = pieces[::2], pieces[1::2]
    if any("{{" in word or "}}" in word for word in words):
        return "two braces that make no slot; a slot is {{name}}: letters, digits, _ . -"
    if len(names) > MOST_SLOTS:
        return f"{len(names)} slots; a template has at most {MOST_SLOTS}"
    if not all(words[1:-1]):
        return "two slots without a word between them: nobody could tell their values apart"
    if not any(word.strip() for word in words):
        return "slots alone: it would match everything"
    unknown = sorted({*slots} - {*names})
    if unknown:
        return f"there is no slot {{{{{unknown[0][:64]}}}}} in the text"
    return ""
