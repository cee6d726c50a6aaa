"""Parts of replies become replies.

In: parts as they come, and what came before. Out: replies that are whole, or given up. Pure: knows
no database; time is that of the parts.

A phone numbers its long messages with a reference of 8 or 16 bits and starts again after a while,
operators repeat what we were slow to answer, and parts come in any order or not at all. So parts
belong together by (carrier, source, destination, reference, total); the same part with the same
text is a repetition, with another text it begins a new message; and after half an hour a group is
no longer added to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.store.messages import InboundPart
from protocol.halves import join

JOIN_WITHIN: Final = 30 * 60 * 1_000_000
"""How long the parts of one message may take, in µs. A phone sends them within seconds; what an
operator retries comes within minutes."""

GROUPS_PER_SOURCE: Final = 32
"""Groups kept for one phone; with 255 parts each that is 1.2 MB at most. A phone that begins more
within half an hour gets its oldest ones as they are."""

MOST_PARTS: Final = 255
"""The octet that counts parts ends here (3GPP TS 23.040 §9.2.3.24.1; sar_total_segments too)."""

Source = tuple[int, str]
"""Carrier (interned) and the phone's number."""

Key = tuple[str, int, int]
"""Destination, reference, total."""


class Group(msgspec.Struct):
    """What has come of one message. When `done` it is stored, and kept to know repetitions by."""

    account: str | None
    first_at: int
    texts: dict[int, str]
    done: bool = False


class Whole(msgspec.Struct, frozen=True):
    """A reply as it will be stored."""

    account: str | None
    carrier: int
    source: str
    destination: str
    text: str
    at: int
    complete: bool
    parts: int


class Joiner:
    """The groups of the phones that send just now, as they are read, changed and written back."""

    __slots__ = ("changed", "groups", "removed", "whole")

    def __init__(self, groups: dict[Source, dict[Key, Group]]) -> None:
        """`groups` holds everything known of each source that `add` will meet."""
        self.groups = groups
        self.whole: list[Whole] = []
        self.changed: set[tuple[Source, Key]] = set()
        self.removed: set[tuple[Source, Key]] = set()

    def add(self, carrier: int, part: InboundPart) -> None:
        """Take one part; `whole` grows if a message is complete now or will never be."""
        if not is_part(part):
            self.whole.append(
                Whole(
                    part.account,
                    carrier,
                    part.source,
                    part.destination,
                    part.text,
                    part.at,
                    True,
                    1,
                )
            )
            return
        source: Source = (carrier, part.source)
        key: Key = (part.destination, part.reference, part.total)
        groups = self.groups.setdefault(source, {})
        group = groups.get(key)
        if group is not None and _is_another(group, part):
            self.give_up(source, key, part.at)
            group = None
        if group is None:
            if len(groups) >= GROUPS_PER_SOURCE:
                oldest = min(groups, key=lambda known: groups[known].first_at)
                self.give_up(source, oldest, part.at)
            group = groups[key] = Group(None, part.at, {})
        if part.part in group.texts:
            return
        group.texts[part.part] = part.text
        group.account = group.account or part.account
        self.changed.add((source, key))
        if len(group.texts) == part.total:
            group.done = True
            self._store(source, key, group, part.at, complete=True)

    def give_up(self, source: Source, key: Key, at: int) -> None:
        """Forget a group; if it was not stored yet, what has come of it is all there will be."""
        group = self.groups[source].pop(key)
        self.changed.discard((source, key))
        self.removed.add((source, key))
        if not group.done:
            self._store(source, key, group, at, complete=False)

    def _store(self, source: Source, key: Key, group: Group, at: int, *, complete: bool) -> None:
        text = join(group.texts[part] for part in sorted(group.texts))
        carrier, phone = source
        self.whole.append(
            Whole(group.account, carrier, phone, key[0], text, at, complete, len(group.texts))
        )


def is_part(part: InboundPart) -> bool:
    """Whether the header makes sense; a text with a senseless one is a text of its own."""
    return 1 < part.total <= MOST_PARTS and 1 <= part.part <= part.total


def sources(carriers: Sequence[int], parts: Sequence[InboundPart]) -> list[Source]:
    """The phones whose groups `Joiner.add` will need."""
    return list(
        dict.fromkeys(
            (carrier, part.source)
            for carrier, part in zip(carriers, parts, strict=True)
            if is_part(part)
        )
    )


def _is_another(group: Group, part: InboundPart) -> bool:
    """Whether the phone has begun to use the reference again."""
    if part.at - group.first_at > JOIN_WITHIN:
        return True
    known = group.texts.get(part.part)
    return known is not None and known != part.text
