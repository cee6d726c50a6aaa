"""What customers and operators put on record through the API: senders, templates, keyword rules,
stop-word lists; and the trail of who decided what.

In: nothing. Out: values and the part of the contract that keeps them. A registry is small
(thousands of entries) and read as a whole: stages keep it in memory and are told when it changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Protocol

import msgspec


class Kind(StrEnum):
    """What there are registries of."""

    SENDER = "sender"
    TEMPLATE = "template"
    KEYWORD = "keyword"
    STOPWORDS = "stopwords"


EVERYBODY = "*"
"""The account of entries that hold for all."""


class Entry(msgspec.Struct, frozen=True):
    """One entry as it stands."""

    kind: Kind
    account: str
    """Whose it is; `EVERYBODY` for all."""
    name: str
    doc: dict[str, Any]
    """What it says: the kind's own struct, as JSON."""
    version: int = 0
    """Grows with every change; given by the store."""
    updated: int = 0
    actor: str = ""


class Audit(msgspec.Struct, frozen=True):
    """Who did what when: never changed, kept for `[policy] keep_audit`."""

    account: str
    """Whose traffic it concerns; `EVERYBODY` for all."""
    actor: str
    """A key's prefix and name, `config`, or the stage that acted."""
    action: str
    """`moderation.view`, `moderation.approve`, `stopwords.put` ..."""
    subject: str
    """The id or name of what it was done to; of a person the masked number."""
    at: int
    detail: dict[str, Any] = {}
    id: int = 0
    """Given by the store."""


class RegistryStore(Protocol):
    """The part of the contract that keeps registries and the trail."""

    async def put_entries(self, entries: Sequence[Entry]) -> list[Entry]:
        """Create or replace; returns them with their versions. Each is in the trail."""

    async def delete_entry(
        self, kind: Kind, account: str, name: str, actor: str, now: int
    ) -> Entry | None:
        """Take an entry away; returns it as it was (None: there was none). It is in the trail."""

    async def entries(self, kind: Kind, account: str | None = None) -> list[Entry]:
        """All entries of a kind, or an account's own, by account and name."""

    def on_registry(self, listener: Callable[[Kind], None]) -> None:
        """Call `listener(kind)` on the event loop after a commit that changed a registry."""

    async def note_audit(self, entries: Sequence[Audit]) -> None:
        """Add to the trail."""

    async def audit(
        self,
        account: str | None,
        limit: int,
        cursor: int | None = None,
        *,
        action: str | None = None,
        subject: str | None = None,
    ) -> list[Audit]:
        """The trail, newest first; `action` may be a prefix ending in a dot (`moderation.`)."""
