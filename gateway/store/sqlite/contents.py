"""What submissions share, by id: the last few thousand in memory.

In: ids. Out: `Content` and the JSON of its metadata. Used by the writer's thread alone.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable
from operator import attrgetter
from typing import Final

import msgspec

from gateway.store.messages import Content, RawPart
from gateway.store.sqlite.packed import pack, unpack

KEPT: Final = 4_096
"""Enough for every campaign under way and some seconds of single messages; about 4 MB."""

MAX_OCTETS: Final = 32 << 20
"""Of customers' own parts, which may be 64 KiB each (message_payload): 4,096 of those would be
eight times this. Texts are not weighed: `max_parts` bounds them, and this is on every message's
way."""

READ: Final = """
SELECT '[' || coalesce(group_concat(c.json), '') || ']'
FROM json_each(?) AS j CROSS JOIN contents AS c ON c.id = j.value
"""
_SHAPE: Final = attrgetter("esm_class", "data_coding", "protocol_id")
_contents: Final = msgspec.json.Decoder(list[Content])


class Contents:
    """Contents by id, least recently used forgotten first."""

    __slots__ = ("_kept", "_octets", "discarding", "smpp_accounts")

    def __init__(self) -> None:
        self._octets = 0
        self.smpp_accounts: set[str] = set()
        """Accounts some content of which, seen since the start, came over SMPP: nobody else's
        messages are looked at for whom to tell."""
        self.discarding = False
        """Whether some content seen since the start wants its text erased once it is sent: else
        nobody looks for them."""
        self._kept: OrderedDict[int, Content] = OrderedDict()

    def __contains__(self, identifier: int) -> bool:
        """Whether it is known with its text: one whose text was erased has to be stored again by
        whoever still has it (a campaign that is being filled while its first messages end)."""
        content = self._kept.get(identifier)
        return content is not None and content.text != ""

    def put(self, content: Content) -> None:
        """Remember one that is stored."""
        if content.esme is not None:
            self.smpp_accounts.add(content.account)
        if content.discard_text:
            self.discarding = True
        kept = self._kept
        if content.raw:
            self.forget(content.id)
            self._octets += _octets(content)
        kept[content.id] = content
        kept.move_to_end(content.id)
        while len(kept) > KEPT or self._octets > MAX_OCTETS:
            _, oldest = kept.popitem(last=False)
            if oldest.raw:
                self._octets -= _octets(oldest)

    def forget(self, identifier: int) -> None:
        """It was not stored after all, or it is not what it was."""
        content = self._kept.pop(identifier, None)
        if content is not None and content.raw:
            self._octets -= _octets(content)

    def forget_all(self, identifiers: Iterable[int]) -> None:
        """As `forget`, for many."""
        for identifier in identifiers:
            self.forget(identifier)

    def erase(self, identifiers: Iterable[int]) -> None:
        """Their texts were erased; the rest serves whoever tells of their messages."""
        for identifier in identifiers:
            content = self._kept.get(identifier)
            if content is not None:
                self.forget(identifier)
                raw = tuple(RawPart(one.id, *_SHAPE(one), b"") for one in content.raw)
                self.put(msgspec.structs.replace(content, text="", raw=raw))

    def get(self, connection: sqlite3.Connection, ids: Iterable[int]) -> dict[int, Content]:
        """The contents with these ids, from memory or in one statement."""
        kept = self._kept
        found: dict[int, Content] = {}
        missing: list[int] = []
        for identifier in set(ids):
            content = kept.get(identifier)
            if content is None:
                missing.append(identifier)
            else:
                found[identifier] = content
        if missing:
            for content in unpack(connection, _contents, READ, pack(missing)):
                found[content.id] = content
                self.put(content)
        return found


def _octets(content: Content) -> int:
    return sum([len(part.payload) for part in content.raw])
